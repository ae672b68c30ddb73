/**
 * Bridge interfaces (bridge(4)): `ifconfig bridge0 create`. Frames of members are taken before the upper layers see them and leave in the thread that received
 * them; the spanning tree runs in the stack context. Needs a variant with high capacity (hc).
 */
import { be16 } from '../memory/memory.ts';
import { mFree, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mTrimFront } from '../memory/mbuf-chain.ts';
import { enqueue, nextRecord } from '../memory/queue.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { calloutInit } from '../runtime/wheel.ts';
import { parseBpdu } from './bpdu.ts';
import { addressesChanged, changeBridge } from './bridge-change.ts';
import { carriesIp, filterFrame } from './bridge-filter.ts';
import { bridgeFrame, bridgeSend } from './bridge-forward.ts';
import { bridgeOfMember, removeMember, updateMtu } from './bridge-members.ts';
import {
  BRIDGE_KIND,
  PORT_SPANS,
  bridgePorts,
  bridges,
  freeBridge,
  newBridge,
  portsOf,
  setBridgeKind,
} from './bridge-record.ts';
import type { Bridge, BridgePort } from './bridge-record.ts';
import { clearAddresses, flushAddresses, setAddressLife } from './bridge-table.ts';
import { CALLOUT, setCalloutHandler } from './callouts.ts';
import { registerCloner } from './cloner.ts';
import {
  ETHERMTU,
  ETHERTYPE_IP,
  ETHERTYPE_VLAN,
  ETHER_HEADER,
  ETHER_TAG,
  copyMac,
  queueForStack,
  setBridge,
} from './ethernet.ts';
import {
  DRIVER,
  IFT_BRIDGE,
  driverOf,
  ifAttach,
  ifQueue,
  ifnets,
  onInterfaceEvent,
  registerDriver,
} from './ifnet.ts';
import type { Ifnet, InterfaceEvent } from './ifnet.ts';
import { STATION, station } from './journey.ts';
import { setInputHandler } from './netisr.ts';
import { PFIL_IN, PFIL_OUT } from './pfil.ts';
import { splitFrame } from './segmentation.ts';
import { cancelCallout, setCallout, stackParts, stacks } from './stack.ts';
import type { Stack } from './stack.ts';
import { stpCheckCarriers, stpReceive, stpStart, stpStop, stpTick } from './stp-events.ts';

/** What BPDUs are on the stack's input queue: they have no EtherType, and numbers from 0x10000 are none. */
const INPUT_BPDU = 0x1_0042;
/** Frames whose packets the filters are to see before they are bridged. */
const INPUT_BRIDGED = 0x1_0043;
/** A bridge has no frames of its own. */
const MTU_MAX = 65_535;

const OUTPUT = ownerTag('output');
const ACTIVE = IFF.UP | IFF.RUNNING;

/** The bridge that an interface is; undefined if it is none. */
export function bridgeOf(ifp: Ifnet): Bridge | undefined {
  return ifp.type === IFT_BRIDGE ? bridges.get(ifp.softc) : undefined;
}

/** Makes a bridge interface; 0 when there is no room. */
function createBridge(stack: Stack, name: string): number {
  const bridge = newBridge(BRIDGE_KIND.interface);
  if (bridge === 0) return 0;
  const ptr = ifAttach(stack, {
    name,
    type: IFT_BRIDGE,
    driver: DRIVER.bridge,
    flags: 0,
    mtu: ETHERMTU,
    mtuMax: MTU_MAX,
  });
  const made = bridges.get(bridge);
  if (ptr === 0) {
    freeBridge(made);
    return 0;
  }
  made.interface = ptr;
  setAddressLife(made);
  calloutInit(made.timer, CALLOUT.bridge, bridge);
  ifnets.get(ptr).softc = bridge;
  return ptr;
}

function dropMembers(bridge: Bridge): void {
  for (const port of portsOf(bridge)) removeMember(bridge, port);
}

function memberInput(ifp: Ifnet, m: number): number {
  // Another thread may have taken it out of its bridge since it was looked at.
  const member = ifp.bridge;
  if (member === 0) return m;
  const port = bridgePorts.get(member);
  const bridge = bridges.get(port.bridge);
  if (bridge.filters === 0 || stacks.get(ifp.stack).activeFilters === 0 || !carriesIp(m))
    return bridgeFrame(bridge, port, ifp.ptr, m);
  queueForStack(ifp, m, INPUT_BRIDGED);
  return 0;
}

/** True while a frame is being bridged that the filters see. */
let filtering = false;

/** A frame whose packet the filters are to see, in the stack context. What is for this host, too, goes on as if it had come to it. */
function bridgedInput(stack: number, frame: number): void {
  const ifp = ifnets.get(mbuf(frame).rcvif);
  const member = ifp.bridge;
  const m = member === 0 ? frame : filterFrame(frame, ifp, PFIL_IN);
  if (m === 0) return;
  const port = member === 0 ? undefined : bridgePorts.get(member);
  filtering = true;
  const own = port === undefined ? m : bridgeFrame(bridges.get(port.bridge), port, ifp.ptr, m);
  filtering = false;
  if (own === 0) return;
  mTrimFront(own, ETHER_HEADER);
  mbuf(own).aux = ETHERTYPE_IP;
  if (enqueue(stackParts(stack).input, own)) return;
  ifp.iqdrops++;
  mFree(own);
}

function memberOutput(ifp: Ifnet, m: number): number {
  const member = ifp.bridge;
  const bridge = member === 0 ? undefined : bridges.get(bridgePorts.get(member).bridge);
  if (bridge === undefined || bridge.up === 0 || (ifp.flags & ACTIVE) !== ACTIVE) return ifQueue(ifp, m);
  if (mbuf(m).segment === 0) {
    bridgeSend(bridge, m);
    return 0;
  }
  // Made before the interface became a member, and held back since (ARP): where it goes now not every card takes large frames.
  for (let frame = splitFrame(OUTPUT, m); frame !== 0;) {
    const next = nextRecord(frame);
    mbuf(frame).nextpkt = 0;
    bridgeSend(bridge, frame);
    frame = next;
  }
  return 0;
}

/** The four bytes of an IEEE 802.1Q tag do not count as data. */
function isTooLong(ifp: Ifnet, m: number): boolean {
  const { pktLen, data, len } = mbuf(m);
  const most = ifp.mtu + ETHER_HEADER;
  if (pktLen <= most) return false;
  const tagged = len >= ETHER_HEADER && be16(data + 12) === ETHERTYPE_VLAN;
  return !tagged || pktLen > most + ETHER_TAG;
}

function sendByMember(member: number, frame: number): void {
  const ifp = ifnets.get(member);
  const m = filtering ? filterFrame(frame, ifp, PFIL_OUT) : frame;
  if (m === 0) return;
  if (isTooLong(ifp, m)) {
    ifp.oerrors++;
    station(m, STATION.drop, member, ERRNO.EMSGSIZE);
    mFree(m);
  } else ifQueue(ifp, m);
}

/** A BPDU is worked on in the stack context. */
function takeBpdu({ end }: BridgePort, m: number): void {
  if (end === 0) mFree(m);
  else queueForStack(ifnets.get(end), m, INPUT_BPDU);
}

function bpduInput(_stack: number, m: number): void {
  const ifp = ifnets.get(mbuf(m).rcvif);
  const member = ifp.bridge;
  const good = member !== 0 && parseBpdu(m);
  if (good) {
    const port = bridgePorts.get(member);
    const bridge = bridges.get(port.bridge);
    changeBridge(bridge, (time) => {
      if ((port.flags & PORT_SPANS) !== 0) stpReceive(bridge, port, time);
    });
  } else ifp.noproto++;
  station(m, good ? STATION.consumed : STATION.drop, ifp.ptr, 0);
  mFree(m);
}

function carries({ end }: BridgePort): boolean {
  const ifp = ifnets.get(end);
  return (ifp.flags & ACTIVE) === ACTIVE && driverOf(ifp).carrier(ifp);
}

function schedule(bridge: Bridge, deadline: number): void {
  const { stack } = ifnets.get(bridge.interface);
  if (deadline === Infinity) cancelCallout(stack, bridge.timer);
  else setCallout(stack, bridge.timer, deadline);
}

function up(bridge: Bridge): void {
  changeBridge(bridge, (time) => {
    bridge.up = 1;
    if (portsOf(bridge).some(({ flags }) => (flags & PORT_SPANS) !== 0)) stpStart(bridge, time);
  });
}

function down(bridge: Bridge): void {
  changeBridge(bridge, () => {
    bridge.up = 0;
    stpStop(bridge);
    flushAddresses(bridge, 0, false);
  });
}

/** Something happened to an interface: to a bridge, or to a member of one. */
function onEvent(ifp: Ifnet, event: InterfaceEvent): void {
  if (event === 'leaving' && ifp.type === IFT_BRIDGE) dropMembers(bridges.get(ifp.softc));
  const bridge = bridgeOfMember(ifp);
  if (bridge === undefined) return;
  const port = bridgePorts.get(ifp.bridge);
  if (event === 'leaving' || event === 'gone') removeMember(bridge, port);
  else memberEvent(bridge, port, ifp, event);
}

function memberEvent(
  bridge: Bridge,
  port: BridgePort,
  ifp: Ifnet,
  event: 'up' | 'down' | 'mtu' | 'mac',
): void {
  changeBridge(bridge, (time) => {
    if (event === 'mtu') updateMtu(bridge);
    else if (event === 'mac') {
      copyMac(port.mac, ifp.mac);
      addressesChanged(bridge, time);
    } else {
      if (event === 'down') flushAddresses(bridge, port.ptr, false);
      stpCheckCarriers(bridge, time);
    }
  });
}

registerDriver(DRIVER.bridge, {
  name: 'bridge',
  description: 'IEEE 802.1D bridge',
  init(ifp) {
    ifp.flags |= IFF.RUNNING;
    up(bridges.get(ifp.softc));
    return 0;
  },
  stop(ifp) {
    ifp.flags &= ~IFF.RUNNING;
    down(bridges.get(ifp.softc));
  },
  start: () => undefined,
  ioctl: () => 0,
  process: () => true,
  enable: () => false,
  detach(ifp) {
    const bridge = bridges.get(ifp.softc);
    dropMembers(bridge);
    cancelCallout(ifp.stack, bridge.timer);
    clearAddresses(bridge);
    freeBridge(bridge);
  },
  carrier: () => true,
  statistics: (ifp) => ({
    txed_ok: ifp.opackets,
    rxed_ok: ifp.ipackets,
    octets_txed_ok: ifp.obytes,
    octets_rxed_ok: ifp.ibytes,
  }),
  configuration: () => ({}),
});

registerCloner({ name: 'bridge', driver: DRIVER.bridge, hcOnly: true, create: createBridge });

/** Makes bridges part of the stack in this thread. */
export function installBridge(): void {
  setBridge(memberInput, memberOutput);
  setBridgeKind(BRIDGE_KIND.interface, { send: sendByMember, takeBpdu, carries, schedule });
  setInputHandler(INPUT_BPDU, bpduInput);
  setInputHandler(INPUT_BRIDGED, bridgedInput);
  setCalloutHandler(CALLOUT.bridge, (ptr) => {
    const bridge = bridges.get(ptr);
    changeBridge(bridge, (time) => stpTick(bridge, time));
  });
  onInterfaceEvent(onEvent);
}
