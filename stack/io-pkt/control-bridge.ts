/**
 * Control calls about bridges: brconfig(8).
 */
import { lock, unlock } from '../memory/lock.ts';
import { maxThreads, region, selfThread } from '../memory/memory.ts';
import { SECOND, now } from '../runtime/clock.ts';
import type {
  BridgeAddressInfo,
  BridgeInfo,
  BridgeMemberInfo,
  SpanningTreeInfo,
} from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { bridgeOf } from '../net/bridge.ts';
import { addMember, memberOf, removeMember } from '../net/bridge-members.ts';
import {
  PORT_DISCOVERS,
  PORT_LEARNS,
  PORT_SPANS,
  PORT_STATE,
  bridgePorts,
  portsOf,
} from '../net/bridge-record.ts';
import type { Bridge, BridgePort } from '../net/bridge-record.ts';
import { addPermanent, flushBridge, forgetAddress, setBridge, setPort } from '../net/bridge-settings.ts';
import { ADDRESS_PERMANENT, listAddresses } from '../net/bridge-table.ts';
import type { BridgeAddress } from '../net/bridge-table.ts';
import { parseMac } from '../net/ethernet.ts';
import { IFT_BRIDGE, ifnets, interfaceName } from '../net/ifnet.ts';
import type { Stack } from '../net/stack.ts';
import { isDesignatedBridge, isDesignatedPort } from '../net/stp.ts';
import { interfaceNamed } from './controls.ts';
import type { Controls } from './controls.ts';

const STATES = Object.fromEntries(
  Object.entries(PORT_STATE).map(([name, number]) => [number, name]),
) as Record<number, BridgeMemberInfo['state']>;
/** Six bytes of this thread for a hardware address that was given as text. */
const macPlace = region('control bridge address', 8 * maxThreads) + 8 * selfThread;

/** The bridge of a name; ENXIO if there is no such interface, EINVAL if it is none. */
function bridgeNamed(stack: Stack, name: string): Bridge {
  const bridge = bridgeOf(interfaceNamed(stack, name));
  if (bridge === undefined) throw new SystemError(ERRNO.EINVAL, `${name} is no bridge`);
  return bridge;
}

function portNamed(stack: Stack, bridge: Bridge, member: string): BridgePort {
  return memberOf(bridge, interfaceNamed(stack, member));
}

function hardwareAddress(text: string): number {
  if (!parseMac(text, macPlace)) throw new SystemError(ERRNO.EINVAL, `${text} is not a hardware address`);
  return macPlace;
}

function nameOfPort(port: number): string {
  return interfaceName(ifnets.get(bridgePorts.get(port).end));
}

/** `8000.02:00:00:00:00:01`. */
function idText(high: number, low: number): string {
  const digits = high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
  const [priority, ...mac] = [digits.slice(0, 4), ...digits.slice(4).match(/../g)!];
  return `${priority}.${mac.join(':')}`;
}

function roleOf(bridge: Bridge, port: BridgePort): BridgeMemberInfo['role'] | undefined {
  if ((port.flags & PORT_SPANS) === 0 || port.state === PORT_STATE.disabled) return undefined;
  if (bridge.rootPort === port.ptr) return 'root';
  if (isDesignatedPort(bridge, port)) return 'designated';
  return isDesignatedBridge(bridge, port) ? 'backup' : 'alternate';
}

function memberInfo(bridge: Bridge, port: BridgePort): BridgeMemberInfo {
  const { ptr, flags, number, priority, pathCost, state } = port;
  const role = roleOf(bridge, port);
  return {
    name: nameOfPort(ptr),
    learning: (flags & PORT_LEARNS) !== 0,
    discover: (flags & PORT_DISCOVERS) !== 0,
    stp: (flags & PORT_SPANS) !== 0,
    port: number,
    priority,
    pathCost,
    state: STATES[state]!,
    ...(role !== undefined && { role }),
  };
}

function addressInfo(bridge: Bridge, { high, low, port, kind, heard }: BridgeAddress): BridgeAddressInfo {
  const left = heard + bridge.life - now();
  const id = idText(high, low >>> 0);
  return {
    mac: id.slice(5),
    interface: nameOfPort(port),
    expires: left === Infinity ? 0 : Math.max(1, Math.round(left / SECOND)),
    static: kind === ADDRESS_PERMANENT,
  };
}

function treeInfo(bridge: Bridge): SpanningTreeInfo {
  return {
    id: idText(bridge.idHigh, bridge.idLow),
    root: idText(bridge.rootHigh, bridge.rootLow),
    rootCost: bridge.rootCost,
    ...(bridge.rootPort !== 0 && { rootPort: nameOfPort(bridge.rootPort) }),
    helloTime: bridge.helloTime / SECOND,
    forwardDelay: bridge.forwardDelay / SECOND,
    maxAge: bridge.maxAge / SECOND,
    topologyChange: bridge.topologyChange !== 0,
    topologyChanges: bridge.topologyChanges,
  };
}

function infoOf(bridge: Bridge): BridgeInfo {
  lock(bridge.ptr);
  const ifp = ifnets.get(bridge.interface);
  const info: BridgeInfo = {
    name: interfaceName(ifp),
    flags: ifp.flags,
    priority: bridge.priority,
    helloTime: bridge.ownHelloTime / SECOND,
    forwardDelay: bridge.ownForwardDelay / SECOND,
    maxAge: bridge.ownMaxAge / SECOND,
    maxAddresses: bridge.maxAddresses,
    timeout: bridge.ageing / SECOND,
    filters: bridge.filters === 1,
    members: portsOf(bridge).map((port) => memberInfo(bridge, port)),
    addresses: listAddresses(bridge, now()).map((entry) => addressInfo(bridge, entry)),
    ...(bridge.spanning !== 0 && { tree: treeInfo(bridge) }),
  };
  unlock(bridge.ptr);
  return info;
}

type BridgeCalls =
  | 'BRIDGE_LIST'
  | 'BRIDGE_GET'
  | 'BRIDGE_SET'
  | 'BRIDGE_ADD'
  | 'BRIDGE_DELETE'
  | 'BRIDGE_MEMBER'
  | 'BRIDGE_STATIC'
  | 'BRIDGE_FORGET'
  | 'BRIDGE_FLUSH';

export const bridgeControls: Pick<Controls, BridgeCalls> = {
  BRIDGE_LIST(stack) {
    const names: string[] = [];
    for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next)
      if (ifnets.get(ptr).type === IFT_BRIDGE) names.push(interfaceName(ifnets.get(ptr)));
    return names;
  },
  BRIDGE_GET: (stack, { name }) => infoOf(bridgeNamed(stack, name)),
  BRIDGE_SET(stack, { name, filter, ...settings }) {
    const bridge = bridgeNamed(stack, name);
    if (filter !== undefined) bridge.filters = filter ? 1 : 0;
    setBridge(bridge, settings);
    return {};
  },
  BRIDGE_ADD(stack, { name, member }) {
    addMember(bridgeNamed(stack, name), interfaceNamed(stack, member));
    return {};
  },
  BRIDGE_DELETE(stack, { name, member }) {
    const bridge = bridgeNamed(stack, name);
    removeMember(bridge, portNamed(stack, bridge, member));
    return {};
  },
  BRIDGE_MEMBER(stack, { name, member, ...settings }) {
    const bridge = bridgeNamed(stack, name);
    setPort(bridge, portNamed(stack, bridge, member), settings);
    return {};
  },
  BRIDGE_STATIC(stack, { name, member, mac }) {
    const bridge = bridgeNamed(stack, name);
    addPermanent(bridge, portNamed(stack, bridge, member), hardwareAddress(mac));
    return {};
  },
  BRIDGE_FORGET(stack, { name, mac }) {
    forgetAddress(bridgeNamed(stack, name), hardwareAddress(mac));
    return {};
  },
  BRIDGE_FLUSH(stack, { name, all }) {
    flushBridge(bridgeNamed(stack, name), all);
    return {};
  },
};
