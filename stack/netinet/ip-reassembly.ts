/**
 * Reassembly of IPv4 fragments (RFC 791 §3.2, RFC 815): fragments of a datagram wait in order of their offsets and share no byte; the first that overlaps
 * another is dropped (RFC 5722 in spirit). Incomplete datagrams expire after 30 s, and their number is bounded.
 */
import { be16, putBe16, u8 } from '../memory/memory.ts';
import { putChecksum, sumBytes } from '../memory/checksum.ts';
import { M_PKTHDR, mFree, mFreeList, mOwn, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mAppendChain, mTrimFront, mWritableFront } from '../memory/mbuf-chain.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { SECOND, now } from '../runtime/clock.ts';
import { CALLOUT_BYTES, calloutInit } from '../runtime/wheel.ts';
import { CALLOUT, setCalloutHandler } from '../net/callouts.ts';
import { STATION, station } from '../net/journey.ts';
import { cancelCallout, count, countBy, setCallout, stacks, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { ICMP_TIMXCEED, TIMXCEED_REASS, icmpError } from './icmp-error.ts';
import {
  IP_DST,
  IP_ID,
  IP_LENGTH,
  IP_MAXPACKET,
  IP_MF,
  IP_OFF,
  IP_OFFMASK,
  IP_PROTO,
  IP_SRC,
  IP_SUM,
  addressAt,
} from './ip.ts';

const fragmentsStruct = struct('ipq', {
  next: 'ptr',
  nextpkt: 'ptr',
  stack: 'ptr',
  source: 'u32',
  destination: 'u32',
  id: 'u16',
  protocol: 'u8',
  /** Fragments in order of offset, linked by nextpkt: aux is the offset of the first byte of data, aux2 that behind the last. */
  first: 'ptr',
  fragments: 'u32',
  bytes: 'u32',
  /** Length of the whole data, 0 while the last fragment is missing. */
  total: 'u32',
  timer: { bytes: CALLOUT_BYTES },
});
type Fragments = ViewOf<typeof fragmentsStruct>;
const queues = slab(fragmentsStruct, 8192);

const OWNER = ownerTag('reassembly');
const LIFETIME = 30 * SECOND;
/** Of one datagram: enough for the largest over an MTU of 276; of all datagrams of a stack: an eighth of the buffers. */
const MOST_FRAGMENTS = 256;
const MOST_WAITING = 8192;

function find(stack: Stack, p: number): number {
  const id = be16(p + IP_ID);
  for (let ptr = stack.fragments; ptr !== 0;) {
    const queue = queues.get(ptr);
    const same =
      queue.id === id &&
      queue.source === addressAt(p + IP_SRC) &&
      queue.destination === addressAt(p + IP_DST) &&
      queue.protocol === u8[p + IP_PROTO];
    if (same) return ptr;
    ptr = queue.next;
  }
  return 0;
}

function create(stack: Stack, p: number): number {
  if (stack.reassembling >= sysctlValue(stack.ptr, SYSCTL.ipMaxFragPackets)) return 0;
  const ptr = queues.alloc();
  if (ptr === 0) return 0;
  const queue = queues.get(ptr);
  queue.stack = stack.ptr;
  queue.source = addressAt(p + IP_SRC);
  queue.destination = addressAt(p + IP_DST);
  queue.id = be16(p + IP_ID);
  queue.protocol = u8[p + IP_PROTO]!;
  queue.next = stack.fragments;
  stack.fragments = ptr;
  stack.reassembling++;
  calloutInit(queue.timer, CALLOUT.reassembly, ptr);
  setCallout(stack.ptr, queue.timer, now() + LIFETIME);
  return ptr;
}

function remove(stack: Stack, queue: Fragments): void {
  cancelCallout(stack.ptr, queue.timer);
  if (stack.fragments === queue.ptr) stack.fragments = queue.next;
  else {
    let at = queues.get(stack.fragments);
    while (at.next !== queue.ptr) at = queues.get(at.next);
    at.next = queue.next;
  }
  stack.reassembling--;
  stack.fragmentsWaiting -= queue.fragments;
  queues.free(queue.ptr);
}

/** Frees all datagrams under reassembly: the stack ends, or an interface that they came in by. */
export function dropFragments(stack: Stack): void {
  while (stack.fragments !== 0) {
    const queue = queues.get(stack.fragments);
    countBy(stack.ptr, STAT.ipFragDropped, queue.fragments);
    mFreeList(queue.first);
    remove(stack, queue);
  }
}

function refuse(stack: Stack, m: number, stat: number): number {
  count(stack.ptr, stat);
  station(m, STATION.drop, stack.ptr, stat);
  mFree(m);
  return 0;
}

/** Takes a fragment; returns the whole packet once it is complete, 0 before. */
export function reassemble(stack: Stack, m: number): number {
  count(stack.ptr, STAT.ipFragments);
  const view = mbuf(m);
  const p = view.data;
  const header = (u8[p]! & 15) << 2;
  const off = be16(p + IP_OFF);
  const start = (off & IP_OFFMASK) << 3;
  const length = view.pktLen - header;
  const last = (off & IP_MF) === 0;
  if (length === 0 || (!last && (length & 7) !== 0) || start + length > IP_MAXPACKET - header) {
    return refuse(stack, m, STAT.ipBadFrags);
  }
  let ptr = find(stack, p);
  if (ptr === 0) ptr = create(stack, p);
  if (ptr === 0) return refuse(stack, m, STAT.ipFragDropped);
  const queue = queues.get(ptr);
  view.aux = start;
  view.aux2 = start + length;
  if (!fits(stack, queue, start + length, last) || !insert(stack, queue, m))
    return refuse(stack, m, STAT.ipFragDropped);
  if (last) queue.total = start + length;
  return queue.total !== 0 && queue.bytes === queue.total ? join(stack, queue) : 0;
}

/** False if the end that a fragment claims contradicts what is known of the datagram. */
function fits(stack: Stack, queue: Fragments, end: number, last: boolean): boolean {
  if (queue.fragments >= MOST_FRAGMENTS || stack.fragmentsWaiting >= MOST_WAITING) return false;
  if (queue.total !== 0 && (end > queue.total || (last && end !== queue.total))) return false;
  if (!last || queue.first === 0) return true;
  let m = queue.first;
  while (mbuf(m).nextpkt !== 0) m = mbuf(m).nextpkt;
  return mbuf(m).aux2 <= end;
}

/** Puts a fragment in its place; false if it overlaps another. */
function insert(stack: Stack, queue: Fragments, m: number): boolean {
  const view = mbuf(m);
  let before = 0;
  let at = queue.first;
  while (at !== 0 && mbuf(at).aux < view.aux) {
    before = at;
    at = mbuf(at).nextpkt;
  }
  if ((before !== 0 && mbuf(before).aux2 > view.aux) || (at !== 0 && mbuf(at).aux < view.aux2)) return false;
  view.nextpkt = at;
  if (before === 0) queue.first = m;
  else mbuf(before).nextpkt = m;
  mOwn(m, OWNER);
  queue.fragments++;
  stack.fragmentsWaiting++;
  queue.bytes += view.aux2 - view.aux;
  return true;
}

/** Puts the data of all fragments behind the header of the first. */
function join(stack: Stack, queue: Fragments): number {
  const whole = queue.first;
  let next = mbuf(whole).nextpkt;
  mbuf(whole).nextpkt = 0;
  queue.first = 0;
  const { total } = queue;
  remove(stack, queue);
  const header = (u8[mbuf(whole).data]! & 15) << 2;
  if (header + total > IP_MAXPACKET) {
    mFreeList(next);
    return refuse(stack, whole, STAT.ipBadFrags);
  }
  while (next !== 0) {
    const fragment = next;
    const view = mbuf(fragment);
    next = view.nextpkt;
    view.nextpkt = 0;
    mTrimFront(fragment, (u8[view.data]! & 15) << 2);
    view.flags &= ~M_PKTHDR;
    mAppendChain(whole, fragment, view.pktLen);
  }
  const m = mWritableFront(whole, header);
  if (m === 0) return 0;
  const p = mbuf(m).data;
  putBe16(p + IP_LENGTH, mbuf(m).pktLen);
  putBe16(p + IP_OFF, 0);
  putBe16(p + IP_SUM, 0);
  putChecksum(p + IP_SUM, sumBytes(p, header));
  count(stack.ptr, STAT.ipReassembled);
  return m;
}

/** 30 s without the rest: the sender is told if the first fragment has come (RFC 792). */
function onTimer(ptr: number): void {
  const queue = queues.get(ptr);
  const stack = stacks.get(queue.stack);
  countBy(stack.ptr, STAT.ipFragTimeout, queue.fragments);
  const first = queue.first;
  queue.first = 0;
  remove(stack, queue);
  if (first === 0) return;
  mFreeList(mbuf(first).nextpkt);
  mbuf(first).nextpkt = 0;
  if (mbuf(first).aux === 0) icmpError(stack.ptr, first, ICMP_TIMXCEED, TIMXCEED_REASS, 0);
  else mFree(first);
}

/** Makes reassembly part of the stack in this thread. */
export function installReassembly(): void {
  setCalloutHandler(CALLOUT.reassembly, onTimer);
}
