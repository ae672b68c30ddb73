/**
 * Ethernet II framing (RFC 894): output puts the header in front and queues the frame on its interface. Input, on whatever thread drained the interface, shows the
 * frame to capture points and counts it; then a link aggregate, a bridge, a VLAN or the fast path may take it, in this order; what is left is for the upper
 * layers and waits on the stack's input queue.
 */
import { be16, i32, putBe16, u16, u8 } from '../memory/memory.ts';
import { enqueue, enqueueList, nextRecord } from '../memory/queue.ts';
import { M_BCAST, M_MCAST, mFree, mFreeList, mOwn, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mPrepend, mPullup, mTrimFront } from '../memory/mbuf-chain.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { now } from '../runtime/clock.ts';
import { ifQueue, ifnets, startPending } from './ifnet.ts';
import type { Ifnet } from './ifnet.ts';
import { FOR_ANOTHER, STATION, beginJourney, following, station } from './journey.ts';
import { frameBytes, frameCount, splitFrame } from './segmentation.ts';
import { stackParts, stacks, sysctlValue } from './stack.ts';
import { SYSCTL } from './sysctl.ts';
import { INBOUND, tapPacket } from './tap.ts';

export const ETHER_HEADER = 14;
export const ETHER_ADDRESS = 6;
/** Bytes of an IEEE 802.1Q tag. */
export const ETHER_TAG = 4;
export const ETHERMTU = 1500;
/** Least bytes of a frame without its check sequence. */
export const ETHER_MIN = 60;
export const ETHERTYPE_IP = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_VLAN = 0x8100;

const IN_QUEUE = ownerTag('stack queue');

/** Copies a 6-byte hardware address. */
export function copyMac(to: number, from: number): void {
  if (((to | from) & 1) === 0) {
    u16[to >>> 1] = u16[from >>> 1]!;
    u16[(to >>> 1) + 1] = u16[(from >>> 1) + 1]!;
    u16[(to >>> 1) + 2] = u16[(from >>> 1) + 2]!;
    return;
  }
  for (let i = 0; i < ETHER_ADDRESS; i++) u8[to + i] = u8[from + i]!;
}

/** Writes the address whose first four and last two bytes these are. */
export function putMac(p: number, high: number, low: number): void {
  putBe16(p, high >>> 16);
  putBe16(p + 2, high & 0xffff);
  putBe16(p + 4, low);
}

export function sameMac(a: number, b: number): boolean {
  if (((a | b) & 1) === 0) {
    const p = a >>> 1;
    const q = b >>> 1;
    return u16[p] === u16[q] && u16[p + 1] === u16[q + 1] && u16[p + 2] === u16[q + 2];
  }
  for (let i = 0; i < ETHER_ADDRESS; i++) if (u8[a + i] !== u8[b + i]) return false;
  return true;
}

export function macText(p: number): string {
  return Array.from(u8.slice(p, p + ETHER_ADDRESS), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Writes an address given as six hexadecimal bytes with colons; false if it is none. */
export function parseMac(text: string, p: number): boolean {
  const parts = text.split(':');
  if (parts.length !== ETHER_ADDRESS || !parts.every((part) => /^[0-9a-fA-F]{1,2}$/.test(part))) return false;
  parts.forEach((part, i) => (u8[p + i] = Number.parseInt(part, 16)));
  return true;
}

/** Sends a packet to the hardware address at `destination` (0: broadcast). Returns 0 or an errno; the packet is gone in any case. */
export function etherOutput(ifp: Ifnet, m: number, destination: number, type: number): number {
  const frame = mPrepend(m, ETHER_HEADER);
  if (frame === 0) return ERRNO.ENOBUFS;
  const p = mbuf(frame).data;
  if (destination === 0) {
    u8.fill(0xff, p, p + ETHER_ADDRESS);
    ifp.omcasts++;
  } else copyMac(p, destination);
  copyMac(p + ETHER_ADDRESS, ifp.mac);
  putBe16(p + 12, type);
  return etherTransmit(ifp, frame);
}

/** Sends a frame that has its Ethernet header, contiguous. Returns 0 or an errno; the frame is gone in any case. */
export function etherTransmit(ifp: Ifnet, frame: number): number {
  if (following()) beginJourney(frame, ETHER_HEADER, be16(mbuf(frame).data + 12));
  return ifp.bridge === 0 ? ifQueue(ifp, frame) : bridgeOutput(ifp, frame);
}

/**
 * Takes a frame that came in by an interface, before the upper layers see it; any number of threads at once, for one interface one at a time, outside the
 * stack context. `m` is the whole frame, its Ethernet header contiguous. Returns 0 when the frame is taken, otherwise the frame (perhaps in another buffer)
 * with `rcvif` set to the interface that it is for.
 */
export type FrameHook = (ifp: Ifnet, m: number) => number;

const refuse: FrameHook = (_ifp, m) => {
  mFree(m);
  return 0;
};
let aggregateInput = refuse;
let bridgeInput = refuse;
let vlanInput = refuse;
let flowInput: (ifp: Ifnet, m: number) => number = (_ifp, m) => m;
let bridgeOutput: (ifp: Ifnet, m: number) => number = ifQueue;

/** Says who takes the frames of ports of link aggregates (`ifp.aggregate`). */
export function setAggregateInput(hook: FrameHook): void {
  aggregateInput = hook;
}

/** Says who takes the frames of members of bridges (`ifp.bridge`), and who sends what the stack sends on a member: returns 0 or an errno. */
export function setBridge(input: FrameHook, output: (ifp: Ifnet, m: number) => number): void {
  bridgeInput = input;
  bridgeOutput = output;
}

/** Says who takes frames with an IEEE 802.1Q tag; those it returns have none any more and are for the interface that they came in by. */
export function setVlanInput(hook: FrameHook): void {
  vlanInput = hook;
}

/** Says who may forward IPv4 packets in the receiving thread: gets the frame for this host, returns 0 when it has sent it on, or the frame as it was. */
export function setFlowInput(hook: FrameHook): void {
  flowInput = hook;
}

// The batch of one drained interface, on its way to the stack's input queue.
let first = 0;
let last = 0;
let batched = 0;

/** Frames taken after which those that went on from here are sent: a batch is no longer than a send queue. */
const START_AFTER = 64;
let taken = 0;

/**
 * Takes a received frame from a driver: `m` holds it with its Ethernet header; its length is set by the driver. What is for the upper layers is gathered
 * until etherInputDone().
 */
export function etherInput(ifp: Ifnet, m: number): void {
  if (++taken % START_AFTER === 0) startPending();
  if (mbuf(m).segment === 0 || keepsWhole(ifp)) {
    driverInput(ifp, m);
    return;
  }
  for (let frame = splitFrame(IN_QUEUE, m); frame !== 0;) {
    const next = nextRecord(frame);
    mbuf(frame).nextpkt = 0;
    driverInput(ifp, frame);
    frame = next;
  }
}

/** Large frames (segmentation.ts) are for the stack itself only: who looks on, or sends them on, gets what crosses a wire. */
function keepsWhole(ifp: Ifnet): boolean {
  const others = ifp.taps | ifp.aggregate | ifp.bridge | ifp.vlans;
  const watched = stacks.get(ifp.stack).activeFilters !== 0;
  return others === 0 && !watched && sysctlValue(ifp.stack, SYSCTL.ipForwarding) === 0 && !following();
}

function driverInput(ifp: Ifnet, m: number): void {
  if (following()) {
    const { data, len } = mbuf(m);
    beginJourney(m, ETHER_HEADER, len < ETHER_HEADER ? 0 : be16(data + 12));
  }
  station(m, STATION.driverIn, ifp.ptr, 0);
  etherReceive(ifp, m);
}

/** Takes a frame for an interface that is built on others (a VLAN, a link aggregate), in the thread in which it came in by one of those. */
export function etherReceive(ifp: Ifnet, frame: number): void {
  let m = frame;
  let view = mbuf(m);
  ifp.ipackets += frameCount(m);
  ifp.ibytes += frameBytes(m);
  if (ifp.taps !== 0) {
    tapPacket(ifp.taps, m, INBOUND, now());
    station(m, STATION.tap, ifp.ptr, INBOUND);
  }
  if (view.pktLen < ETHER_HEADER) {
    ifp.ierrors++;
    mFree(m);
    return;
  }
  if (view.len < ETHER_HEADER) {
    m = mPullup(m, ETHER_HEADER);
    if (m === 0) {
      ifp.iqdrops++;
      return;
    }
    view = mbuf(m);
  }
  view.rcvif = ifp.ptr;
  if ((u8[view.data]! & 1) !== 0) {
    view.flags |= isBroadcastAddress(view.data) ? M_BCAST : M_MCAST;
    ifp.imcasts++;
  }
  if (ifp.aggregate !== 0) {
    m = aggregateInput(ifp, m);
    if (m === 0) return;
  }
  if (ifp.bridge !== 0) {
    m = bridgeInput(ifp, m);
    if (m === 0) return;
    etherDemux(ifnets.get(mbuf(m).rcvif), m);
    return;
  }
  etherDemux(ifp, m);
}

/** A frame that came in by `ifp`, or for it by a bridge: to a VLAN, over the fast path, or to the upper layers. */
function etherDemux(ifp: Ifnet, frame: number): void {
  let m = frame;
  let p = mbuf(m).data;
  // Before the address is looked at: a VLAN may be a member of a bridge, and that takes frames for others.
  if (be16(p + 12) === ETHERTYPE_VLAN) {
    m = vlanInput(ifp, m);
    if (m === 0) return;
    p = mbuf(m).data;
  }
  if ((u8[p]! & 1) === 0 && !sameMac(p, ifp.mac)) {
    // Seen only because the device is promiscuous: for capture points, not for us.
    station(m, STATION.drop, ifp.ptr, FOR_ANOTHER);
    mFree(m);
    return;
  }
  const type = be16(p + 12);
  if (type < 0x600 || type === ETHERTYPE_VLAN) {
    // IEEE 802.3 with a length, or a second tag: no protocol of ours uses it.
    ifp.noproto++;
    station(m, STATION.drop, ifp.ptr, 0);
    mFree(m);
    return;
  }
  if (type === ETHERTYPE_IP) {
    m = flowInput(ifp, m);
    if (m === 0) return;
  }
  mTrimFront(m, ETHER_HEADER);
  queueForStack(ifp, m, type);
}

/** Puts a packet among those that etherInputDone() leaves for the upper layers; `type` says what it is (netisr.ts). While an interface is drained. */
export function queueForStack(ifp: Ifnet, m: number, type: number): void {
  station(m, STATION.stackQueue, ifp.ptr, 0);
  mbuf(m).aux = type;
  mOwn(m, IN_QUEUE);
  i32[(m + 4) >>> 2] = 0;
  if (batched === 0) first = m;
  else i32[(last + 4) >>> 2] = m;
  last = m;
  batched++;
}

function isBroadcastAddress(p: number): boolean {
  for (let i = 0; i < ETHER_ADDRESS; i++) if (u8[p + i] !== 0xff) return false;
  return true;
}

/** Leaves what etherInput() gathered on the stack's input queue; says whether that was anything. */
export function etherInputDone(ifp: Ifnet): boolean {
  if (batched === 0) return false;
  const rest = enqueueList(stackParts(ifp.stack).input, first, last, batched);
  batched = 0;
  if (rest !== 0) {
    for (let m = rest; m !== 0; m = nextRecord(m)) {
      ifp.iqdrops++;
      station(m, STATION.drop, ifp.ptr, ERRNO.ENOBUFS);
    }
    mFreeList(rest);
  }
  return true;
}

/** Queues one packet of this host for its own input: loopback, and packets to our own addresses. */
export function inputLocal(ifp: Ifnet, m: number, type: number): void {
  const view = mbuf(m);
  view.rcvif = ifp.ptr;
  view.aux = type;
  mOwn(m, IN_QUEUE);
  ifp.ipackets++;
  ifp.ibytes += view.pktLen;
  station(m, STATION.stackQueue, ifp.ptr, 0);
  if ((ifp.flags & IFF.UP) === 0 || !enqueue(stackParts(ifp.stack).input, m)) {
    ifp.iqdrops++;
    station(m, STATION.drop, ifp.ptr, ERRNO.ENOBUFS);
    mFree(m);
  }
}
