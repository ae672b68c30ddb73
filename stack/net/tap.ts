/**
 * Capture points: whoever passes a packet by a point with listeners copies it into one ring of bytes in the one memory; thread 0 reads it (main/capture).
 * A full ring drops and counts: capturing never holds up a packet. Programs of a node listen at the same points through BPF descriptors, which have buffers of their
 * own.
 */
import { f64, region, u32, u8 } from '../memory/memory.ts';
import { lock, unlock } from '../memory/lock.ts';
import { mCopyOut } from '../memory/mbuf-chain.ts';
import { mbuf } from '../memory/mbuf.ts';
import { QUEUE_BYTES, dequeueAll, enqueue, nextRecord, queueAt } from '../memory/queue.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import { compiledFilter } from './bpf/engine.ts';
import { describePacket, resultOf } from './bpf/packet-batch.ts';
import { ringBell } from '../runtime/messages/post.ts';

const AUTO_ENGINE = 0;
const RING_BYTES = 32 * 1024 * 1024;
const ENTRY = 32;
/** Asks the reader for attention when so much is waiting. */
const ATTENTION = 256 * 1024;

const ringStruct = struct('captureRing', { lock: 'i32', head: 'f64', tail: 'f64' });
const header = ringStruct.at(region('capture ring header', 64));
const ring = region('capture ring', RING_BYTES);

export const tapStruct = struct('tap', {
  /** Next point at the same place. */
  next: 'ptr',
  nextpkt: 'ptr',
  /** The BPF descriptor (bpf/descriptor.ts) that listens here, 0 for a capture point of the lab. */
  bpf: 'ptr',
  /** Its filter (bpf/program.ts), 0 for none. */
  filter: 'ptr',
  /** What the reader knows the point by. */
  id: 'u32',
  /** Most bytes kept of a packet. */
  snaplen: 'u32',
  /** 1 when the place it was at is gone: it is in no list any more. */
  orphan: 'u8',
  packets: 'f64',
  drops: 'f64',
});
export const taps = slab(tapStruct, 4096);

/** Direction of a captured packet, as in pcapng's flags. */
export const INBOUND = 1;
export const OUTBOUND = 2;

/** Shows packets, linked by nextpkt, to a BPF descriptor. */
export type BpfListener = (descriptor: number, first: number, direction: number, time: number) => void;
let showBpf: BpfListener = () => undefined;

/** Says who shows packets to BPF descriptors. */
export function setBpfListener(listener: BpfListener): void {
  showBpf = listener;
}

/** Shows a packet, which is in no list, to all points of a list. */
export function tapPacket(first: number, m: number, direction: number, time: number): void {
  for (let ptr = first; ptr !== 0; ptr = taps.get(ptr).next) {
    const point = taps.get(ptr);
    point.packets++;
    if (point.bpf !== 0) showBpf(point.bpf, m, direction, time);
    else {
      const keep = point.filter === 0 ? point.snaplen : Math.min(point.snaplen, wanted(point.filter, m));
      if (keep > 0 && !record(point.id, keep, m, direction, time)) point.drops++;
    }
  }
}

/** Bytes that a filter wants to be kept of a packet, 0 for none of it. */
function wanted(filter: number, m: number): number {
  describePacket(0, m);
  compiledFilter(filter, AUTO_ENGINE)(1);
  return resultOf(0);
}

const buried = queueAt(region('closed capture points', QUEUE_BYTES));

/** A point that is in no list any more: another thread may still be looking at it, so it is freed when none works. */
export function buryTap(ptr: number): void {
  enqueue(buried, ptr);
  ringBell();
}

/** Frees the points that were taken out of their lists. No thread works meanwhile. */
export function freeBuriedTaps(): void {
  for (let ptr = dequeueAll(buried); ptr !== 0;) {
    const next = nextRecord(ptr);
    taps.free(ptr);
    ptr = next;
  }
}

/** True while such points wait to be freed. */
export function hasBuriedTaps(): boolean {
  return buried.len !== 0;
}

/** The place of a list of points is being freed: they stay with whoever made them, for their counters. */
export function orphanTaps(first: number): void {
  for (let ptr = first; ptr !== 0;) {
    const point = taps.get(ptr);
    ptr = point.next;
    point.next = 0;
    point.orphan = 1;
  }
}

function record(id: number, snaplen: number, m: number, direction: number, time: number): boolean {
  const view = mbuf(m);
  const length = view.pktLen;
  const kept = Math.min(length, snaplen);
  const bytes = (ENTRY + kept + 7) & ~7;
  lock(header.ptr);
  let head = header.head;
  const room = RING_BYTES - (head - header.tail);
  // An entry is never split: what is left at the end is skipped with a marker.
  const rest = RING_BYTES - (head % RING_BYTES);
  const skip = rest < bytes ? rest : 0;
  if (skip + bytes > room) {
    unlock(header.ptr);
    return false;
  }
  if (skip > 0) {
    u32[(ring + (head % RING_BYTES)) >>> 2] = 0;
    head += skip;
  }
  const at = ring + (head % RING_BYTES);
  u32[at >>> 2] = bytes;
  u32[(at + 4) >>> 2] = id;
  f64[(at + 8) >>> 3] = time;
  u32[(at + 16) >>> 2] = length;
  u32[(at + 20) >>> 2] = kept;
  u32[(at + 24) >>> 2] = direction;
  u32[(at + 28) >>> 2] = view.journey;
  if (kept > 0) mCopyOut(m, 0, kept, at + ENTRY);
  const waited = head - header.tail;
  header.head = head + bytes;
  unlock(header.ptr);
  if (waited < ATTENTION && waited + bytes >= ATTENTION) ringBell();
  return true;
}

/** A packet out of the ring; `bytes` is a view that is valid during the call only, `journey` its number there, 0 if it is not followed. */
export type CaptureVisitor = (
  id: number,
  time: number,
  length: number,
  direction: number,
  bytes: Uint8Array,
  journey: number,
) => void;

/** How far the ring is written; what lies before is there for this thread to read. */
function writtenSoFar(): number {
  lock(header.ptr);
  const { head } = header;
  unlock(header.ptr);
  return head;
}

/** Hands what is in the ring to `visit`, oldest first, and says how many packets that were. One reader at a time. */
export function drainCaptures(visit: CaptureVisitor): number {
  let seen = 0;
  const head = writtenSoFar();
  while (header.tail < head) {
    const at = ring + (header.tail % RING_BYTES);
    const bytes = u32[at >>> 2]!;
    if (bytes === 0) {
      header.tail += RING_BYTES - (header.tail % RING_BYTES);
      continue;
    }
    const kept = u32[(at + 20) >>> 2]!;
    visit(
      u32[(at + 4) >>> 2]!,
      f64[(at + 8) >>> 3]!,
      u32[(at + 16) >>> 2]!,
      u32[(at + 24) >>> 2]!,
      u8.subarray(at + ENTRY, at + ENTRY + kept),
      u32[(at + 28) >>> 2]!,
    );
    header.tail += bytes;
    seen++;
  }
  return seen;
}

/** Bytes waiting in the ring. */
export function capturesWaiting(): number {
  return header.head - header.tail;
}
