/**
 * Operations on packets made of several mbufs, after mbuf(9): copying in and out, trimming, prepending, sharing ranges without a copy.
 */
import { maxThreads, region, selfThread, u32 as sharedU32, u8 as sharedU8 } from './memory.ts';
import {
  ETHER_ALIGN,
  M_PKTHDR,
  MLEN,
  MSIZE,
  mFree,
  mFreeOne,
  mGetCluster,
  mGetHeader,
  mLeading,
  mShareCluster,
  mTrailing,
  mWritable,
  mbuf,
} from './mbuf.ts';
import type { Mbuf } from './mbuf.ts';
import { kernels } from './checksum.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u32 = sharedU32;
const u8 = sharedU8;

const COPY_KERNEL_MIN = 64;

/** Copies `len` bytes inside the memory. */
export function copyBytes(to: number, from: number, len: number): void {
  if (len >= COPY_KERNEL_MIN) kernels.copy(to, from, len);
  else if (((to ^ from) & 3) === 0) copyWords(to, from, len);
  else for (let i = 0; i < len; i++) u8[to + i] = u8[from + i]!;
}

/** Copies between addresses that are alike in their lowest two bits. */
function copyWords(to: number, from: number, len: number): void {
  const end = from + len;
  for (; from < end && (from & 3) !== 0; from++) u8[to++] = u8[from]!;
  for (; from + 4 <= end; from += 4, to += 4) u32[to >>> 2] = u32[from >>> 2]!;
  for (; from < end; from++) u8[to++] = u8[from]!;
}

/** Bytes of a chain, counted. */
export function chainLength(m: number): number {
  let bytes = 0;
  for (; m !== 0; m = mbuf(m).next) bytes += mbuf(m).len;
  return bytes;
}

/** Last buffer of a chain. */
export function chainLast(m: number): number {
  for (let next = mbuf(m).next; next !== 0; next = mbuf(m).next) m = next;
  return m;
}

/** Copies `len` bytes from offset `off` of a packet to address `to`; the packet must hold them. */
export function mCopyOut(m: number, off: number, len: number, to: number): void {
  if (len === 0) return;
  let view = mbuf(m);
  while (off >= view.len) {
    off -= view.len;
    view = mbuf(view.next);
  }
  while (len > 0) {
    const n = Math.min(view.len - off, len);
    copyBytes(to, view.data + off, n);
    to += n;
    len -= n;
    off = 0;
    if (len > 0) view = mbuf(view.next);
  }
}

// What programs send and receive goes through one array, so that no view is made for each buffer of a packet.
const STAGE_BYTES = 65_536;
const stage = region('data of programs', STAGE_BYTES * maxThreads) + STAGE_BYTES * selfThread;
const stageBytes = u8.subarray(stage, stage + STAGE_BYTES);
/** Up to here a loop is faster than a view. */
const LOOP_BYTES = 64;

/** Copies `count` bytes at `from` of the memory to `at` of an array outside. */
function copyToArray(target: Uint8Array, at: number, from: number, count: number): void {
  if (count <= LOOP_BYTES) for (let i = 0; i < count; i++) target[at + i] = u8[from + i]!;
  else target.set(from === stage && count === STAGE_BYTES ? stageBytes : u8.subarray(from, from + count), at);
}

/** Copies a whole packet into `target` (at its start) and returns how many bytes that were. */
export function mToBytes(m: number, target: Uint8Array, limit: number): number {
  const { next, data, len } = mbuf(m);
  if (next !== 0) return chainToBytes(m, target, limit);
  const count = Math.min(len, limit);
  copyToArray(target, 0, data, count);
  return count;
}

function chainToBytes(m: number, target: Uint8Array, limit: number): number {
  let done = 0;
  let staged = 0;
  for (; m !== 0 && done + staged < limit; m = mbuf(m).next) {
    const { data, len } = mbuf(m);
    const count = Math.min(len, limit - done - staged);
    if (staged + count > STAGE_BYTES) {
      copyToArray(target, done, stage, staged);
      done += staged;
      staged = 0;
    }
    copyBytes(stage + staged, data, count);
    staged += count;
  }
  copyToArray(target, done, stage, staged);
  return done + staged;
}

/** A packet with these bytes in clusters, `lead` bytes free in front of the first. 0 when buffers are exhausted. */
export function mFromBytes(owner: number, bytes: Uint8Array, lead: number): number {
  const first = bytes.length + lead <= MLEN ? mGetHeader(owner, lead) : mGetCluster(owner, lead);
  if (first === 0) return 0;
  const head = mbuf(first);
  head.pktLen = bytes.length;
  if (bytes.length <= mTrailing(head)) {
    u8.set(bytes, head.data);
    head.len = bytes.length;
    return first;
  }
  for (let at = 0, last = first; at < bytes.length; at += STAGE_BYTES) {
    const count = Math.min(STAGE_BYTES, bytes.length - at);
    stageBytes.set(count === bytes.length ? bytes : bytes.subarray(at, at + count));
    last = appendStaged(owner, last, count);
    if (last === 0) {
      mFree(first);
      return 0;
    }
  }
  return first;
}

/** Appends `count` bytes of the stage behind the buffer `last` of a chain; returns its new last buffer, 0 when buffers are exhausted. */
function appendStaged(owner: number, last: number, count: number): number {
  let view = mbuf(last);
  for (let at = 0; ;) {
    const n = Math.min(mTrailing(view), count - at);
    copyBytes(view.data + view.len, stage + at, n);
    view.len += n;
    at += n;
    if (at === count) return last;
    const more = mGetCluster(owner, 0);
    if (more === 0) return 0;
    view.next = more;
    last = more;
    view = mbuf(more);
    view.flags = 0;
  }
}

/** Cuts `count` bytes off the front of a packet; empty buffers behind the first are freed. */
export function mTrimFront(m: number, count: number): void {
  const head = mbuf(m);
  head.pktLen -= count;
  if (head.len >= count) {
    head.data += count;
    head.len -= count;
    return;
  }
  let left = count - head.len;
  head.data += head.len;
  head.len = 0;
  while (left > 0 && head.next !== 0) {
    const view = mbuf(head.next);
    const n = Math.min(view.len, left);
    view.data += n;
    view.len -= n;
    left -= n;
    if (view.len === 0) {
      const empty = head.next;
      head.next = view.next;
      mFreeOne(empty);
    }
  }
}

/** Cuts a packet to `length` bytes; what is behind is freed. */
export function mTrimTo(m: number, length: number): void {
  const head = mbuf(m);
  if (head.pktLen <= length) return;
  head.pktLen = length;
  let view = head;
  let left = length;
  while (left > view.len) {
    left -= view.len;
    view = mbuf(view.next);
  }
  view.len = left;
  mFree(view.next);
  view.next = 0;
}

/**
 * Makes room for `count` bytes (at most MLEN) in front of a packet and returns the packet, whose first buffer is then ours to write in as far as those
 * bytes go; frees the packet and returns 0 when buffers are exhausted.
 */
export function mPrepend(m: number, count: number): number {
  const view = mbuf(m);
  if (mLeading(view) >= count && mWritable(view)) {
    view.data -= count;
    view.len += count;
    view.pktLen += count;
    return m;
  }
  if (count > MLEN) throw new Error(`${count} bytes do not fit into one mbuf`);
  const front = mGetHeader(view.owner, 0);
  if (front === 0) {
    mFree(m);
    return 0;
  }
  const head = mbuf(front);
  // At the very end: the headers of lower layers still fit in front, and an IP header ends, and so begins, 4-aligned.
  head.data = front + MSIZE - count;
  head.len = count;
  head.next = m;
  head.pktLen = view.pktLen + count;
  moveHeader(view, head);
  return front;
}

function moveHeader(from: Mbuf, to: Mbuf): void {
  to.flags = from.flags | M_PKTHDR;
  to.rcvif = from.rcvif;
  to.aux = from.aux;
  to.aux2 = from.aux2;
  to.csum = from.csum;
  to.time = from.time;
  to.journey = from.journey;
  to.segment = from.segment;
  from.flags &= ~M_PKTHDR;
}

/** Kept free in front of bytes that are pulled up: an IP header stays 4-aligned there and a link header can be put in front again. */
const PULLUP_LEAD = 16;

/** Makes the first `count` bytes (at most MLEN) of a packet contiguous. Returns the packet, or 0 (freed) if it is shorter or buffers are exhausted. */
export function mPullup(m: number, count: number): number {
  const view = mbuf(m);
  if (view.len >= count) return m;
  if (view.pktLen < count || count > MLEN) {
    mFree(m);
    return 0;
  }
  const front = mGetHeader(view.owner, 0);
  if (front === 0) {
    mFree(m);
    return 0;
  }
  const head = mbuf(front);
  head.data += Math.min(PULLUP_LEAD, MLEN - count);
  mCopyOut(m, 0, count, head.data);
  head.len = count;
  head.pktLen = view.pktLen;
  moveHeader(view, head);
  let left = count;
  while (m !== 0 && left >= mbuf(m).len) {
    const spent = mbuf(m);
    left -= spent.len;
    const next = spent.next;
    mFreeOne(m);
    m = next;
  }
  if (left > 0) {
    const rest = mbuf(m);
    rest.data += left;
    rest.len -= left;
  }
  head.next = m;
  return front;
}

/**
 * Makes the first `count` bytes (at most MLEN - 16) of a packet contiguous and ours to change (a shared cluster is left to its other owners).
 * Returns the packet, or 0 (freed) if it is shorter or buffers are exhausted.
 */
export function mWritableFront(m: number, count: number): number {
  const view = mbuf(m);
  if (view.len < count) return mPullup(m, count);
  if (mWritable(view)) return m;
  const front = count > MLEN - PULLUP_LEAD ? 0 : mGetHeader(view.owner, PULLUP_LEAD);
  if (front === 0) {
    mFree(m);
    return 0;
  }
  const head = mbuf(front);
  copyBytes(head.data, view.data, count);
  head.len = count;
  head.pktLen = view.pktLen;
  moveHeader(view, head);
  view.data += count;
  view.len -= count;
  head.next = m;
  return front;
}

/** A buffer that shows `len` bytes at offset `off` of one buffer: shared if that has a cluster, else copied. 0 if exhausted. */
function mWindow(owner: number, from: Mbuf, off: number, len: number): number {
  // Placed in its word as the original is: words are copied, and what was aligned stays so.
  const m = mGetHeader(owner, from.data & 3);
  if (m === 0) return 0;
  const view = mbuf(m);
  if (from.ext !== 0) mShareCluster(from, view, from.data + off, len);
  else {
    copyBytes(view.data, from.data + off, len);
    view.len = len;
  }
  view.flags = 0;
  return m;
}

/**
 * A chain that shows `len` bytes from offset `off` of the chain `m` without copying clusters (m_copym). Its buffers carry no packet header;
 * 0 when buffers are exhausted. The bytes must not be changed while they are shared.
 */
export function mShareRange(owner: number, m: number, off: number, len: number): number {
  let view = mbuf(m);
  while (off >= view.len && view.next !== 0) {
    off -= view.len;
    view = mbuf(view.next);
  }
  const first = mWindow(owner, view, off, Math.min(view.len - off, len));
  if (first === 0) return 0;
  let last = mbuf(first);
  let left = len - last.len;
  while (left > 0) {
    view = mbuf(view.next);
    if (view.len === 0) continue;
    const part = mWindow(owner, view, 0, Math.min(view.len, left));
    if (part === 0) {
      mFree(first);
      return 0;
    }
    last.next = part;
    last = mbuf(part);
    left -= last.len;
  }
  return first;
}

/** A packet that shares the clusters of `m`: for a second receiver (broadcast on a hub, duplicate). 0 when exhausted. */
export function mSharePacket(owner: number, m: number): number {
  const view = mbuf(m);
  const copy = mShareRange(owner, m, 0, view.pktLen);
  if (copy === 0) return 0;
  const head = mbuf(copy);
  head.flags = view.flags;
  head.pktLen = view.pktLen;
  head.rcvif = view.rcvif;
  head.csum = view.csum;
  head.time = view.time;
  head.journey = view.journey;
  head.segment = view.segment;
  return copy;
}

/** A packet with the same bytes in buffers of its own (they may be changed). 0 when exhausted. */
export function mCopyPacket(owner: number, m: number): number {
  const view = mbuf(m);
  const small = view.pktLen + ETHER_ALIGN <= MLEN;
  const copy = small ? mGetHeader(owner, ETHER_ALIGN) : mGetCluster(owner, ETHER_ALIGN);
  if (copy === 0) return 0;
  const head = mbuf(copy);
  let at = 0;
  let to = head;
  while (at < view.pktLen) {
    const room = mTrailing(to);
    if (room === 0) {
      const more = mGetCluster(owner, 0);
      if (more === 0) {
        mFree(copy);
        return 0;
      }
      to.next = more;
      to = mbuf(more);
      to.flags = 0;
      continue;
    }
    const n = Math.min(room, view.pktLen - at);
    mCopyOut(m, at, n, to.data + to.len);
    to.len += n;
    at += n;
  }
  head.flags = view.flags;
  head.pktLen = view.pktLen;
  head.rcvif = view.rcvif;
  head.csum = view.csum;
  head.time = view.time;
  head.journey = view.journey;
  head.segment = view.segment;
  return copy;
}

/** Appends chain `tail` to packet `m` (its packet header length grows). */
export function mAppendChain(m: number, tail: number, bytes: number): void {
  mbuf(chainLast(m)).next = tail;
  mbuf(m).pktLen += bytes;
}

/** Splits a chain behind `count` bytes (0 < count < its length): the first part keeps its handle, the returned one is the rest; 0 when exhausted. */
export function mSplit(owner: number, m: number, count: number): number {
  let view = mbuf(m);
  while (count > view.len) {
    count -= view.len;
    view = mbuf(view.next);
  }
  if (count === view.len) {
    const rest = view.next;
    view.next = 0;
    return rest;
  }
  const rest = mWindow(owner, view, count, view.len - count);
  if (rest === 0) return 0;
  mbuf(rest).next = view.next;
  view.next = 0;
  view.len = count;
  return rest;
}
