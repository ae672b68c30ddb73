/**
 * What a bridge does with a frame (IEEE 802.1D-1998 §7.7): learns where its source is, and sends it to where its destination is or, if that is not known, to all
 * other ports. Any number of threads at once; decisions are made under the bridge's lock, sending is done after it.
 */
import { be16, be32, f64 as sharedF64, u32 as sharedU32, u8 as sharedU8 } from '../memory/memory.ts';
import { lock, unlock } from '../memory/lock.ts';
import { mFree, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mSharePacket } from '../memory/mbuf-chain.ts';
import { now } from '../runtime/clock.ts';
import {
  PORT_DISCOVERS,
  PORT_LEARNS,
  PORT_SPANS,
  PORT_STATE,
  bridgePortStruct,
  kindOf,
} from './bridge-record.ts';
import type { Bridge, BridgePort } from './bridge-record.ts';
import {
  addressExpired,
  addressPort,
  findAddress,
  isOwnAddress,
  learnAddress,
  removeAddress,
} from './bridge-table.ts';
import { ifnetStruct } from './ifnet.ts';
import { BRIDGE_VERDICT, STATION, station } from './journey.ts';
import { INBOUND, OUTBOUND, tapPacket } from './tap.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const f64 = sharedF64;
const u32 = sharedU32;
const u8 = sharedU8;

// Fields of ports and interfaces that every frame asks for, by their places: no views are made.
const PORT_NEXT = bridgePortStruct.offsets.next >>> 2;
const PORT_END = bridgePortStruct.offsets.end >>> 2;
const PORT_FLAGS = bridgePortStruct.offsets.flags >>> 2;
const STATE = bridgePortStruct.offsets.state;
const TAPS = ifnetStruct.offsets.taps >>> 2;
const IPACKETS = ifnetStruct.offsets.ipackets;
const IBYTES = ifnetStruct.offsets.ibytes;
const OPACKETS = ifnetStruct.offsets.opackets;
const OBYTES = ifnetStruct.offsets.obytes;

const COPY = ownerTag('interface queue');

/** First bit of an address, in its first two bytes: it is a group. */
const GROUP = 0x100;
/** Addresses 01:80:c2:00:00:00 to 0f are never forwarded (IEEE 802.1D-1998 §7.12.6), the first is that of BPDUs. */
const RESERVED_HIGH = 0x0180;
const RESERVED_LOW = 0xc200_0000 | 0;

// The ends to which the frame in hand goes: filled under the lock, sent to after it.
const targets: number[] = [];
let targetCount = 0;

function aim(port: number): void {
  targets[targetCount++] = u32[(port >>> 2) + PORT_END]!;
}

/** Aims at all ports that forward, but for `from` (0: none); a unicast frame to a station that nobody knows only at those that discover. */
function aimAtAll(bridge: Bridge, from: number, group: boolean): void {
  for (let port = bridge.ports; port !== 0; port = u32[(port >>> 2) + PORT_NEXT]!) {
    if (port === from || u8[port + STATE] !== PORT_STATE.forwarding) continue;
    if (group || (u32[(port >>> 2) + PORT_FLAGS]! & PORT_DISCOVERS) !== 0) aim(port);
  }
}

/** Sends a frame, counted already, to where it was aimed at. With `keep` the caller goes on using it. */
function sendToTargets(bridge: Bridge, m: number, keep: boolean): void {
  const kind = kindOf(bridge);
  const copies = keep ? targetCount : targetCount - 1;
  for (let i = 0; i < copies; i++) {
    const copy = mSharePacket(COPY, m);
    if (copy !== 0) kind.send(targets[i]!, copy);
  }
  if (keep) return;
  if (targetCount === 0) mFree(m);
  else kind.send(targets[copies]!, m);
}

/** Counts a frame on the bridge's interface. With the lock held. */
function countFrame(bridge: Bridge, received: boolean, bytes: number): void {
  const ifp = bridge.interface;
  if (ifp === 0) return;
  if (received) {
    f64[(ifp + IPACKETS) >>> 3]!++;
    f64[(ifp + IBYTES) >>> 3]! += bytes;
  }
  if (targetCount === 0) return;
  f64[(ifp + OPACKETS) >>> 3]! += targetCount;
  f64[(ifp + OBYTES) >>> 3]! += targetCount * bytes;
}

/** Leaves an entry in the journey of a frame. Switches are no part of a node: the links on both sides tell of them. */
function note(bridge: Bridge, m: number, verdict: number): void {
  if (bridge.interface !== 0) station(m, STATION.bridge, bridge.interface, verdict);
}

/** Shows a frame to the capture points on the bridge's interface. */
function tapBridge(bridge: Bridge, m: number, direction: number): void {
  if (bridge.interface === 0) return;
  const taps = u32[(bridge.interface >>> 2) + TAPS]!;
  if (taps !== 0) tapPacket(taps, m, direction, now());
}

/** The entry of a destination that counts, 0 if there is none. */
function findDestination(bridge: Bridge, high: number, low: number, time: number): number {
  const entry = findAddress(bridge, high, low);
  if (entry === 0 || !addressExpired(bridge, entry, time)) return entry;
  removeAddress(bridge, entry);
  return 0;
}

/** The frame is for this host itself, by the port whose address it names. */
const OWN = 6;
type Verdict = (typeof BRIDGE_VERDICT)[keyof typeof BRIDGE_VERDICT] | typeof OWN;
/** The interface of the member whose own address the frame in hand names. */
let ownEnd = 0;

/** Learns from the source. False if the frame is one of ours that has come round, or the port may not forward yet. */
function admit(bridge: Bridge, from: BridgePort, p: number, time: number): boolean {
  const high = be16(p + 6);
  const low = be32(p + 8);
  const source = findAddress(bridge, high, low);
  if (source !== 0 && isOwnAddress(source)) return false;
  if ((from.flags & PORT_LEARNS) !== 0 && (high & GROUP) === 0 && (high | low) !== 0)
    learnAddress(bridge, source, from.ptr, high, low, time);
  return true;
}

/** Decides about a frame of a port that learns or forwards, and aims. */
function judge(bridge: Bridge, from: BridgePort, p: number, time: number): Verdict {
  const admitted = admit(bridge, from, p, time);
  if (from.state !== PORT_STATE.forwarding) return BRIDGE_VERDICT.blocked;
  if (!admitted) return BRIDGE_VERDICT.dropped;
  const high = be16(p);
  const group = (high & GROUP) !== 0;
  const entry = group ? 0 : findDestination(bridge, high, be32(p + 2), time);
  if (entry === 0) {
    aimAtAll(bridge, from.ptr, group);
    return BRIDGE_VERDICT.flooded;
  }
  const port = addressPort(entry);
  if (isOwnAddress(entry)) {
    ownEnd = u32[(port >>> 2) + PORT_END]!;
    return OWN;
  }
  if (port === from.ptr) return BRIDGE_VERDICT.dropped;
  if (u8[port + STATE] !== PORT_STATE.forwarding) return BRIDGE_VERDICT.blocked;
  aim(port);
  return BRIDGE_VERDICT.forwarded;
}

/**
 * Takes a frame that came in by `from`, the port of `end`: the whole frame, its Ethernet header contiguous. Returns 0 when it is taken, or the frame if it is
 * (also) for the stack that the bridge belongs to, with `rcvif` set to the member it is for.
 */
export function bridgeFrame(bridge: Bridge, from: BridgePort, end: number, m: number): number {
  const p = mbuf(m).data;
  const host = bridge.interface !== 0;
  const reserved = be16(p) === RESERVED_HIGH && (be32(p + 2) & ~15) === RESERVED_LOW;
  lock(bridge.ptr);
  if (bridge.up === 0 || from.end !== end) {
    // It is no bridge at present, or the port has just been taken out: the frame is for the interface it came in by.
    unlock(bridge.ptr);
    return passUp(host, m);
  }
  if (reserved && ((be32(p + 2) & 15) !== 0 || (from.flags & PORT_SPANS) !== 0)) {
    const bpdu = (be32(p + 2) & 15) === 0;
    unlock(bridge.ptr);
    if (!bpdu) return passUp(host, m);
    kindOf(bridge).takeBpdu(from, m);
    return 0;
  }
  targetCount = 0;
  const { state } = from;
  const open = state === PORT_STATE.learning || state === PORT_STATE.forwarding;
  const verdict = open ? judge(bridge, from, p, now()) : BRIDGE_VERDICT.blocked;
  countFrame(bridge, verdict !== OWN, mbuf(m).pktLen);
  unlock(bridge.ptr);
  return carryOut(bridge, verdict, m, (be16(p) & GROUP) !== 0);
}

/** A frame that is not bridged: up, if there is a stack above. */
function passUp(host: boolean, m: number): number {
  if (host) return m;
  mFree(m);
  return 0;
}

/** Does what was decided about a frame. */
function carryOut(bridge: Bridge, verdict: Verdict, m: number, group: boolean): number {
  if (verdict === OWN) {
    mbuf(m).rcvif = ownEnd;
    note(bridge, m, BRIDGE_VERDICT.local);
    return m;
  }
  note(bridge, m, verdict);
  if (verdict !== BRIDGE_VERDICT.forwarded && verdict !== BRIDGE_VERDICT.flooded) {
    mFree(m);
    return 0;
  }
  tapBridge(bridge, m, INBOUND);
  const up = group && bridge.interface !== 0;
  sendToTargets(bridge, m, up);
  return up ? m : 0;
}

/**
 * Sends a frame of the stack itself: to the port where its destination is known to be, otherwise to all that forward.
 */
export function bridgeSend(bridge: Bridge, m: number): void {
  const p = mbuf(m).data;
  const high = be16(p);
  const group = (high & GROUP) !== 0;
  lock(bridge.ptr);
  targetCount = 0;
  const entry = group ? 0 : findDestination(bridge, high, be32(p + 2), now());
  if (entry === 0 || isOwnAddress(entry)) aimAtAll(bridge, 0, group);
  else {
    const port = addressPort(entry);
    if (u8[port + STATE] === PORT_STATE.forwarding) aim(port);
  }
  countFrame(bridge, false, mbuf(m).pktLen);
  unlock(bridge.ptr);
  const sent = entry === 0 ? BRIDGE_VERDICT.flooded : BRIDGE_VERDICT.forwarded;
  note(bridge, m, targetCount === 0 ? BRIDGE_VERDICT.blocked : sent);
  tapBridge(bridge, m, OUTBOUND);
  sendToTargets(bridge, m, false);
}
