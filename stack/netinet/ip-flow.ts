/**
 * Fast forwarding (after NetBSD's ip_flow.c): a packet of a flow that has been forwarded before is sent on by the very thread that received it, without the stack
 * context. Flows are made in the stack context after a normal forward; any thread may use them. Whatever a packet lacks, it takes the normal path, which then
 * says why to its sender.
 *
 * Readers take no lock: every flow has a sequence number that is odd while it changes, and records stay with their stack until that ends.
 */
import {
  be16,
  be32,
  f64 as sharedF64,
  i32 as sharedI32,
  putBe16,
  u32 as sharedU32,
  u8 as sharedU8,
} from '../memory/memory.ts';
import { hashInsert, hashRemove, mix3 } from '../memory/hash.ts';
import { CSUM_IP_GOOD, M_BCAST, M_MCAST, mbuf } from '../memory/mbuf.ts';
import { mPullup, mTrimTo, mWritableFront } from '../memory/mbuf-chain.ts';
import { sumBytes } from '../memory/checksum.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import { SECOND, now } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import { IPPROTO_ICMP } from '../runtime/messages/request.ts';
import { CALLOUT, setCalloutHandler } from '../net/callouts.ts';
import { ETHER_ADDRESS, ETHER_HEADER, copyMac, setFlowInput } from '../net/ethernet.ts';
import { IFT_ETHER, ifQueue, ifnets, isBroadcast, isMulticast } from '../net/ifnet.ts';
import type { Ifnet } from '../net/ifnet.ts';
import { STATION, isFollowed, station } from '../net/journey.ts';
import { RTF_BLACKHOLE, RTF_REJECT } from '../net/route.ts';
import type { Route } from '../net/route.ts';
import { countBy, setCallout, stacks, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { reachableMac } from './arp.ts';
import { IP_DST, IP_HEADER, IP_LENGTH, IP_PROTO, IP_SRC, IP_SUM, IP_TOS_AT, IP_TTL_AT } from './ip.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const i32 = sharedI32;
const u8 = sharedU8;
const f64 = sharedF64;
const u32 = sharedU32;

/** Why a packet did not take the fast path: the numbers of the conditions that ip_flow.c checks, in its order. 0: it did. */
export const FLOW_CONDITION = {
  hit: 0,
  /** Forwarding is off, or there is no flow at all. */
  forwarding: 1,
  /** It came as a broadcast or multicast of the link. */
  linkBroadcast: 2,
  /** Not version 4, a header with options, or a length that cannot be. */
  header: 3,
  /** No flow has its destination, source and type of service. */
  noFlow: 4,
  checksum: 5,
  /** The route has changed, or the outgoing interface is down. */
  route: 6,
  /** Longer than the outgoing interface's MTU. */
  mtu: 7,
  /** Time to live of 1 or 0. */
  ttl: 8,
  /** A packet filter is active: it sees every packet. */
  filter: 9,
} as const;

/** Which part of a condition did not hold, where it has several: in the detail of a journey's entry, above the condition. */
export const FLOW_PART = {
  forwardingOff: 1,
  noFlows: 2,
  broadcast: 3,
  multicast: 4,
  version: 5,
  options: 6,
  length: 7,
  /** There is no flow, and a packet of ICMP never makes one. */
  icmp: 8,
  routeChanged: 9,
  interfaceDown: 10,
} as const;
type FlowPart = (typeof FLOW_PART)[keyof typeof FLOW_PART];
/** Bits of the condition in the detail of a journey's entry. */
export const FLOW_CONDITION_BITS = 8;

const flowStruct = struct('ipflow', {
  next: 'ptr',
  /** Odd while the record changes. */
  sequence: 'i32',
  stack: 'ptr',
  /** As in the packet, read as big-endian words. */
  destination: 'i32',
  source: 'i32',
  tos: 'u32',
  interface: 'ptr',
  /** The stack's route generation when it was made. */
  generation: 'u32',
  /** Destination and source of the Ethernet header. */
  macs: { bytes: 16 },
  /** When it was last used, ns; as of the last half second. */
  used: 'f64',
  packets: 'f64',
  bytes: 'f64',
});
const flows = slab(flowStruct, 65_536);
const at = flowStruct.offsets;
const LINK = at.next;

/** Chains are short; a reader that crosses a change may be led astray and gives up. */
const MOST_STEPS = 64;
/** Time after its last use for which a flow lives. */
const LIFE = 5 * SECOND;
const TICK = SECOND / 2;
const FRONT = ETHER_HEADER + IP_HEADER;

function bucketsOf(stack: number): number {
  return sysctlValue(stack, SYSCTL.ipHashSize);
}

/** The flow of a packet whose IP header is at `p`, 0 if there is none. Any thread. */
function findFlow(stack: number, table: number, p: number): number {
  const destination = be32(p + IP_DST);
  const source = be32(p + IP_SRC);
  const tos = u8[p + IP_TOS_AT]!;
  const bucket = mix3(destination, source, tos) & (bucketsOf(stack) - 1);
  let ptr = u32[(table >>> 2) + bucket]!;
  for (let steps = 0; ptr !== 0 && steps < MOST_STEPS; steps++) {
    const same =
      i32[(ptr + at.destination) >>> 2] === destination &&
      i32[(ptr + at.source) >>> 2] === source &&
      u32[(ptr + at.tos) >>> 2] === tos;
    if (same) return ptr;
    ptr = u32[(ptr + LINK) >>> 2]!;
  }
  return 0;
}

/**
 * Sends an IPv4 frame for this host on if a flow allows it: returns 0 then, otherwise the frame as it was. On the thread that received it, outside the
 * stack context.
 */
function flowInput(ifp: Ifnet, frame: number): number {
  const stack = stacks.get(ifp.stack);
  if (stack.flows === 0 || sysctlValue(ifp.stack, SYSCTL.ipForwarding) === 0)
    return slowPath(ifp.stack, frame, FLOW_CONDITION.forwarding);
  if (stack.activeFilters !== 0) return slowPath(ifp.stack, frame, FLOW_CONDITION.filter);
  if ((mbuf(frame).flags & (M_BCAST | M_MCAST)) !== 0)
    return slowPath(ifp.stack, frame, FLOW_CONDITION.linkBroadcast);
  if (mbuf(frame).pktLen < FRONT) return slowPath(ifp.stack, frame, FLOW_CONDITION.header);
  const m = mbuf(frame).len < FRONT ? mPullup(frame, FRONT) : frame;
  return m === 0 ? 0 : fastForward(stack, m);
}

function slowPath(stack: number, m: number, condition: number, part?: FlowPart): number {
  if (isFollowed(m))
    station(
      m,
      STATION.flow,
      stack,
      condition | ((part ?? failedPart(stack, m, condition)) << FLOW_CONDITION_BITS),
    );
  return m;
}

/** The part of a condition that a frame does not meet, 0 where the condition says it all. */
function failedPart(stack: number, m: number, condition: number): FlowPart | 0 {
  const { data, len, flags } = mbuf(m);
  const p = data + ETHER_HEADER;
  const isWhole = len >= FRONT;
  switch (condition) {
    case FLOW_CONDITION.forwarding:
      if (sysctlValue(stack, SYSCTL.ipForwarding) === 0) return FLOW_PART.forwardingOff;
      return isWhole && u8[p + IP_PROTO] === IPPROTO_ICMP ? FLOW_PART.icmp : FLOW_PART.noFlows;
    case FLOW_CONDITION.noFlow:
      return u8[p + IP_PROTO] === IPPROTO_ICMP ? FLOW_PART.icmp : 0;
    case FLOW_CONDITION.linkBroadcast:
      return (flags & M_BCAST) !== 0 ? FLOW_PART.broadcast : FLOW_PART.multicast;
    case FLOW_CONDITION.header:
      if (isWhole && u8[p]! >>> 4 !== 4) return FLOW_PART.version;
      return isWhole && u8[p] !== 0x45 ? FLOW_PART.options : FLOW_PART.length;
    default:
      return 0;
  }
}

function fastForward(stack: Stack, frame: number): number {
  const view = mbuf(frame);
  const p = view.data + ETHER_HEADER;
  const length = be16(p + IP_LENGTH);
  if (u8[p] !== 0x45 || length < IP_HEADER || length > view.pktLen - ETHER_HEADER)
    return slowPath(stack.ptr, frame, FLOW_CONDITION.header);
  const flow = findFlow(stack.ptr, stack.flowTable, p);
  if (flow === 0) return slowPath(stack.ptr, frame, FLOW_CONDITION.noFlow);
  const sequence = Atomics.load(i32, (flow + at.sequence) >>> 2);
  const interfacePtr = u32[(flow + at.interface) >>> 2]!;
  const valid =
    (sequence & 1) === 0 &&
    u32[(flow + at.stack) >>> 2] === stack.ptr &&
    u32[(flow + at.generation) >>> 2] === stack.routeGeneration &&
    i32[(flow + at.destination) >>> 2] === be32(p + IP_DST) &&
    i32[(flow + at.source) >>> 2] === be32(p + IP_SRC);
  if ((view.csum & CSUM_IP_GOOD) === 0 && sumBytes(p, IP_HEADER) !== 0xffff)
    return slowPath(stack.ptr, frame, FLOW_CONDITION.checksum);
  if (!valid || !usable(interfacePtr)) {
    const part = usable(interfacePtr) ? FLOW_PART.routeChanged : FLOW_PART.interfaceDown;
    return slowPath(stack.ptr, frame, FLOW_CONDITION.route, part);
  }
  if (length > ifnets.get(interfacePtr).mtu) return slowPath(stack.ptr, frame, FLOW_CONDITION.mtu);
  if (u8[p + IP_TTL_AT]! <= 1) return slowPath(stack.ptr, frame, FLOW_CONDITION.ttl);
  const m = mWritableFront(frame, FRONT);
  if (m === 0) return 0;
  const data = mbuf(m).data;
  copyMac(data, flow + at.macs);
  copyMac(data + ETHER_ADDRESS, flow + at.macs + ETHER_ADDRESS);
  // Read once more: what was taken from the record meanwhile belongs together.
  if (Atomics.load(i32, (flow + at.sequence) >>> 2) !== sequence) {
    // The source address of the frame is lost; the upper layers do not look at it.
    copyMac(data, ifnets.get(mbuf(m).rcvif).mac);
    return slowPath(stack.ptr, m, FLOW_CONDITION.route, FLOW_PART.routeChanged);
  }
  sendOn(stack.ptr, flow, m, data + ETHER_HEADER, length, interfacePtr);
  return 0;
}

function usable(interfacePtr: number): boolean {
  const out = ifnets.get(interfacePtr);
  return (out.flags & IFF.UP) !== 0 && out.bridge === 0;
}

/** The packet is on its way: time to live, checksum (RFC 1141), padding, counters. */
function sendOn(stack: number, flow: number, m: number, p: number, length: number, out: number): void {
  u8[p + IP_TTL_AT]!--;
  const sum = be16(p + IP_SUM) + 0x100;
  putBe16(p + IP_SUM, sum > 0xffff ? sum - 0xffff : sum);
  const view = mbuf(m);
  if (view.pktLen > length + ETHER_HEADER) mTrimTo(m, length + ETHER_HEADER);
  f64[(flow + at.packets) >>> 3]!++;
  f64[(flow + at.bytes) >>> 3]! += length;
  const time = now();
  if (time - f64[(flow + at.used) >>> 3]! > TICK) f64[(flow + at.used) >>> 3] = time;
  station(m, STATION.flow, stack, FLOW_CONDITION.hit);
  ifQueue(ifnets.get(out), m);
}

/** What a packet says of the flow that it belongs to, read before it is sent and gone. */
export interface FlowKey {
  destination: number;
  source: number;
  tos: number;
  /** 0 if its packets may not be fast-forwarded. */
  possible: number;
}

/** Reads the key of a packet whose header of `header` bytes is at `p`. */
export function readFlowKey(key: FlowKey, p: number, header: number): void {
  key.destination = be32(p + IP_DST);
  key.source = be32(p + IP_SRC);
  key.tos = u8[p + IP_TOS_AT]!;
  key.possible = header === IP_HEADER && u8[p + IP_PROTO] !== IPPROTO_ICMP ? 1 : 0;
}

/** After a normal forward over `route`: later packets of the same flow may be sent on at once. `from` is the interface it came by. In the stack context. */
export function createFlow(stack: Stack, key: FlowKey, route: Route, from: number): void {
  const most = sysctlValue(stack.ptr, SYSCTL.ipMaxFlows);
  if (key.possible === 0 || most === 0 || (route.flags & (RTF_REJECT | RTF_BLACKHOLE)) !== 0) return;
  const out = ifnets.get(route.interface);
  const destination = key.destination >>> 0;
  // Back over the interface it came by: its sender is to be told of the nearer way each time (redirect).
  if (out.ptr === from || out.type !== IFT_ETHER || out.bridge !== 0) return;
  if (isMulticast(destination) || isBroadcast(out, destination)) return;
  const mac = reachableMac(stack, route.gateway !== 0 ? route.gateway : destination);
  if (mac === 0) return;
  const flow = takeRecord(stack, key, most);
  if (flow === 0) return;
  fill(stack, flow, key, out, mac);
  hashInsert(stack.flowTable, bucketsOf(stack.ptr), mix3(key.destination, key.source, key.tos), flow, LINK);
  if (stack.flows++ === 0) setCallout(stack.ptr, stack.flowTimer, now() + TICK);
}

/** A record for a flow: the one that is there already, a spare one, a new one, or that of the flow which was used least lately. Not in the table. */
function takeRecord(stack: Stack, key: FlowKey, most: number): number {
  const known = knownFlow(stack, key);
  if (known !== 0) {
    removeFlow(stack, known);
    return takeSpare(stack);
  }
  if (stack.flows >= most) removeFlow(stack, leastUsed(stack));
  return stack.spareFlows === 0 ? flows.alloc() : takeSpare(stack);
}

function takeSpare(stack: Stack): number {
  const flow = stack.spareFlows;
  stack.spareFlows = flows.get(flow).next;
  return flow;
}

function knownFlow(stack: Stack, { destination, source, tos }: FlowKey): number {
  const bucket = mix3(destination, source, tos) & (bucketsOf(stack.ptr) - 1);
  for (let ptr = u32[(stack.flowTable >>> 2) + bucket]!; ptr !== 0; ptr = flows.get(ptr).next) {
    const flow = flows.get(ptr);
    if (flow.destination === destination && flow.source === source && flow.tos === tos) return ptr;
  }
  return 0;
}

function fill(stack: Stack, ptr: number, key: FlowKey, out: Ifnet, mac: number): void {
  const flow = flows.get(ptr);
  const sequence = flow.sequence;
  Atomics.store(i32, (ptr + at.sequence) >>> 2, sequence + 1);
  flow.stack = stack.ptr;
  flow.destination = key.destination;
  flow.source = key.source;
  flow.tos = key.tos;
  flow.interface = out.ptr;
  flow.generation = stack.routeGeneration;
  flow.used = now();
  flow.packets = 0;
  flow.bytes = 0;
  copyMac(flow.macs, mac);
  copyMac(flow.macs + ETHER_ADDRESS, out.mac);
  Atomics.store(i32, (ptr + at.sequence) >>> 2, sequence + 2);
}

function eachFlow(stack: Stack, visit: (ptr: number) => void): void {
  if (stack.flows === 0) return;
  for (let bucket = 0; bucket < bucketsOf(stack.ptr); bucket++) {
    for (let ptr = u32[(stack.flowTable >>> 2) + bucket]!; ptr !== 0;) {
      const next = flows.get(ptr).next;
      visit(ptr);
      ptr = next;
    }
  }
}

function leastUsed(stack: Stack): number {
  let best = 0;
  eachFlow(stack, (ptr) => {
    if (best === 0 || flows.get(ptr).used < flows.get(best).used) best = ptr;
  });
  return best;
}

/** Takes a flow out of the table and keeps its record: another thread may still be reading it. */
function removeFlow(stack: Stack, ptr: number): void {
  const flow = flows.get(ptr);
  fold(stack, ptr);
  Atomics.store(i32, (ptr + at.sequence) >>> 2, flow.sequence + 1);
  hashRemove(stack.flowTable, bucketsOf(stack.ptr), mix3(flow.destination, flow.source, flow.tos), ptr, LINK);
  flow.stack = 0;
  Atomics.store(i32, (ptr + at.sequence) >>> 2, flow.sequence + 1);
  flow.next = stack.spareFlows;
  stack.spareFlows = ptr;
  stack.flows--;
}

/** Adds what a flow has carried to the counters of the stack. */
function fold(stack: Stack, ptr: number): void {
  const flow = flows.get(ptr);
  const { packets } = flow;
  if (packets === 0) return;
  flow.packets = 0;
  countBy(stack.ptr, STAT.ipTotal, packets);
  countBy(stack.ptr, STAT.ipForward, packets);
  countBy(stack.ptr, STAT.ipFastForward, packets);
}

/** Brings the counters of a stack up to date with its flows. In the stack context. */
export function foldFlows(stack: Stack): void {
  eachFlow(stack, (ptr) => fold(stack, ptr));
}

/** Forgets all flows: the number of buckets changes, or the table is off. In the stack context. */
export function flushFlows(stack: Stack): void {
  eachFlow(stack, (ptr) => removeFlow(stack, ptr));
}

/** Gives the records of a stack back that ends. No thread works on it. */
export function freeFlows(stack: Stack): void {
  flushFlows(stack);
  while (stack.spareFlows !== 0) flows.free(takeSpare(stack));
}

/** Every half second while there are flows: those go that were not used for 5 s, or whose route has changed. */
function onTimer(ptr: number): void {
  const stack = stacks.get(ptr);
  const oldest = now() - LIFE;
  eachFlow(stack, (flow) => {
    const { used, generation } = flows.get(flow);
    if (used < oldest || generation !== stack.routeGeneration) removeFlow(stack, flow);
    else fold(stack, flow);
  });
  if (stack.flows > 0) setCallout(ptr, stack.flowTimer, now() + TICK);
}

/** Makes fast forwarding part of the stack in this thread. */
export function installFlows(): void {
  setFlowInput(flowInput);
  setCalloutHandler(CALLOUT.ipFlow, onTimer);
}
