/**
 * Settings of a bridge and of its ports (brconfig(8)). In the stack context; throws SystemError for what cannot be.
 */
import { be16, be32 } from '../memory/memory.ts';
import { SECOND } from '../runtime/clock.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { changeBridge } from './bridge-change.ts';
import { PORT_DISCOVERS, PORT_LEARNS, PORT_SPANS } from './bridge-record.ts';
import type { Bridge, BridgePort } from './bridge-record.ts';
import {
  findAddress,
  flushAddresses,
  isOwnAddress,
  removeAddress,
  setAddressLife,
  setPermanent,
} from './bridge-table.ts';
import { macText } from './ethernet.ts';
import {
  stpAddPort,
  stpRemovePort,
  stpSetId,
  stpSetPathCost,
  stpSetPortPriority,
  stpSetTimes,
} from './stp-events.ts';

/** What may be set of a bridge; times in s. */
export interface BridgeSettings {
  readonly maxAddresses?: number;
  readonly timeout?: number;
  readonly priority?: number;
  readonly helloTime?: number;
  readonly forwardDelay?: number;
  readonly maxAge?: number;
}

/** What may be set of a port. */
export interface PortSettings {
  readonly learning?: boolean;
  readonly discover?: boolean;
  readonly stp?: boolean;
  readonly priority?: number;
  readonly pathCost?: number;
}

type Range = readonly [least: number, most: number];

const BRIDGE_RANGES: Readonly<Record<keyof BridgeSettings, Range>> = {
  maxAddresses: [1, 65_536],
  timeout: [0, 0x7fff_ffff],
  priority: [0, 65_535],
  helloTime: [1, 255],
  forwardDelay: [1, 255],
  maxAge: [1, 255],
};
const PORT_RANGES: Readonly<Record<'priority' | 'pathCost', Range>> = {
  priority: [0, 255],
  pathCost: [0, 65_535],
};

function check<K extends string>(
  settings: Readonly<Partial<Record<K, unknown>>>,
  ranges: Readonly<Record<K, Range>>,
): void {
  for (const [name, [least, most]] of Object.entries<Range>(ranges)) {
    const value = settings[name as K];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      throw new SystemError(ERRNO.EINVAL, `${name} ${String(value)}: it may be ${least} to ${most}`);
  }
}

/** Changes the settings that are given. */
export function setBridge(bridge: Bridge, settings: BridgeSettings): void {
  check(settings, BRIDGE_RANGES);
  const { maxAddresses, timeout, priority, helloTime, forwardDelay, maxAge } = settings;
  changeBridge(bridge, (time) => {
    // What is there already stays until it is forgotten.
    if (maxAddresses !== undefined) bridge.maxAddresses = maxAddresses;
    if (timeout !== undefined) bridge.ageing = timeout * SECOND;
    if (helloTime !== undefined) bridge.ownHelloTime = helloTime * SECOND;
    if (forwardDelay !== undefined) bridge.ownForwardDelay = forwardDelay * SECOND;
    if (maxAge !== undefined) bridge.ownMaxAge = maxAge * SECOND;
    stpSetTimes(bridge);
    setAddressLife(bridge);
    if (priority === undefined) return;
    bridge.priority = priority;
    stpSetId(bridge, time);
  });
}

function setFlag(port: BridgePort, flag: number, on: boolean | undefined): void {
  if (on !== undefined) port.flags = on ? port.flags | flag : port.flags & ~flag;
}

/** Changes the settings of a port that are given. */
export function setPort(bridge: Bridge, port: BridgePort, settings: PortSettings): void {
  check(settings, PORT_RANGES);
  const { learning, discover, stp, priority, pathCost } = settings;
  changeBridge(bridge, (time) => {
    setFlag(port, PORT_LEARNS, learning);
    setFlag(port, PORT_DISCOVERS, discover);
    if (priority !== undefined) stpSetPortPriority(bridge, port, priority, time);
    if (pathCost !== undefined) stpSetPathCost(bridge, port, pathCost, time);
    if (stp === undefined || stp === ((port.flags & PORT_SPANS) !== 0)) return;
    if (stp) stpAddPort(bridge, port, time);
    else stpRemovePort(bridge, port, time);
  });
}

/** Makes the address of 6 bytes at `mac` permanent on a port. */
export function addPermanent(bridge: Bridge, port: BridgePort, mac: number): void {
  const [high, low] = [be16(mac), be32(mac + 2)];
  if ((high & 0x100) !== 0) throw new SystemError(ERRNO.EINVAL, `${macText(mac)} is a group address`);
  let entered = false;
  let own = false;
  changeBridge(bridge, () => {
    const known = findAddress(bridge, high, low);
    own = known !== 0 && isOwnAddress(known);
    entered = !own && setPermanent(bridge, high, low, port.ptr);
  });
  if (own) throw new SystemError(ERRNO.EEXIST, `${macText(mac)} is the address of a member`);
  if (!entered) throw new SystemError(ERRNO.ENOSPC, `${macText(mac)}: the address cache is full`);
}

/** Forgets the address of 6 bytes at `mac`; ENOENT if it is not in the cache. */
export function forgetAddress(bridge: Bridge, mac: number): void {
  let found = false;
  changeBridge(bridge, () => {
    const known = findAddress(bridge, be16(mac), be32(mac + 2));
    found = known !== 0 && !isOwnAddress(known);
    if (found) removeAddress(bridge, known);
  });
  if (!found) throw new SystemError(ERRNO.ENOENT, macText(mac));
}

/** Forgets the learned addresses; with `all` the permanent ones as well. */
export function flushBridge(bridge: Bridge, all: boolean): void {
  changeBridge(bridge, () => flushAddresses(bridge, 0, all));
}
