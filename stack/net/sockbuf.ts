/**
 * Socket buffers (struct sockbuf): what was received and not read, what was written and not acknowledged. Data stays in the clusters it arrived in;
 * segments that are sent share the clusters of the send buffer.
 */
import { mFreeOne, mbuf, mOwn, ownerTag } from '../memory/mbuf.ts';
import { chainLast, mShareRange, mSplit } from '../memory/mbuf-chain.ts';
import type { Socket } from './socket.ts';

const RECEIVE = ownerTag('socket receive');
const SEND = ownerTag('socket send');
const MESSAGE = ownerTag('message');

/** Bytes that may still be received. */
export function rcvSpace(so: Socket): number {
  return Math.max(0, so.rcvHiwat - so.rcvCount);
}

/** Bytes that may still be written. */
export function sndSpace(so: Socket): number {
  return Math.max(0, so.sndHiwat - so.sndCount);
}

/** Appends a chain of `bytes` to the receive buffer of a stream; empty buffers in it are dropped. */
export function rcvAppendStream(so: Socket, m: number, bytes: number): void {
  while (m !== 0 && mbuf(m).len === 0) {
    const next = mbuf(m).next;
    mFreeOne(m);
    m = next;
  }
  if (m === 0) return;
  const view = mbuf(m);
  view.nextpkt = 0;
  mOwn(m, RECEIVE);
  if (so.rcvFirst === 0) so.rcvFirst = m;
  else mbuf(so.rcvLast).next = m;
  so.rcvLast = view.next === 0 ? m : chainLast(m);
  so.rcvCount += bytes;
}

/** Appends a datagram with its source (address in host order, port); false (the packet stays with the caller) if there is no room. */
export function rcvAppendRecord(so: Socket, m: number, address: number, port: number): boolean {
  const view = mbuf(m);
  if (view.pktLen > rcvSpace(so)) return false;
  view.aux = address | 0;
  view.aux2 = port;
  view.nextpkt = 0;
  mOwn(m, RECEIVE);
  if (so.rcvFirst === 0) so.rcvFirst = m;
  else mbuf(so.rcvLast).nextpkt = m;
  so.rcvLast = m;
  so.rcvCount += view.pktLen;
  return true;
}

/** Takes `bytes` (1 to rcvCount) from the front of the receive buffer of a stream; 0 when buffers are exhausted. */
export function rcvTakeStream(so: Socket, bytes: number): number {
  const first = so.rcvFirst;
  if (bytes >= so.rcvCount) {
    so.rcvFirst = 0;
    so.rcvLast = 0;
    so.rcvCount = 0;
    mOwn(first, MESSAGE);
    return first;
  }
  const last = so.rcvLast;
  const rest = mSplit(RECEIVE, first, bytes);
  if (rest === 0) return 0;
  so.rcvFirst = rest;
  // If the last buffer itself was split, its second part is all that is left.
  so.rcvLast = mbuf(rest).next === 0 ? rest : last;
  so.rcvCount -= bytes;
  mOwn(first, MESSAGE);
  return first;
}

/** Takes the first datagram, 0 if there is none. */
export function rcvTakeRecord(so: Socket): number {
  const m = so.rcvFirst;
  if (m === 0) return 0;
  const view = mbuf(m);
  so.rcvFirst = view.nextpkt;
  if (so.rcvFirst === 0) so.rcvLast = 0;
  so.rcvCount -= view.pktLen;
  view.nextpkt = 0;
  mOwn(m, MESSAGE);
  return m;
}

/** Appends a chain of `bytes` to the send buffer. */
export function sndAppend(so: Socket, m: number, bytes: number): void {
  mOwn(m, SEND);
  if (so.sndFirst === 0) so.sndFirst = m;
  else mbuf(so.sndLast).next = m;
  so.sndLast = chainLast(m);
  so.sndCount += bytes;
}

/** Drops `bytes` (at most sndCount) that were acknowledged from the front of the send buffer. */
export function sndDrop(so: Socket, bytes: number): void {
  so.sndCount -= bytes;
  let m = so.sndFirst;
  let left = bytes;
  while (left > 0) {
    const view = mbuf(m);
    if (view.len > left) {
      view.data += left;
      view.len -= left;
      break;
    }
    left -= view.len;
    const next = view.next;
    mFreeOne(m);
    m = next;
  }
  so.sndFirst = m;
  if (m === 0) so.sndLast = 0;
  if (so.sndHint === 0) return;
  if (so.sndHintOff < bytes) so.sndHint = 0;
  else so.sndHintOff -= bytes;
}

/**
 * A chain that shows `len` bytes (1 or more) from offset `off` of the send buffer, sharing its clusters; 0 when buffers are exhausted. Sending in order
 * finds its place without walking the buffer.
 */
export function sndShare(so: Socket, owner: number, off: number, len: number): number {
  let m = so.sndFirst;
  let start = 0;
  if (so.sndHint !== 0 && so.sndHintOff <= off) {
    m = so.sndHint;
    start = so.sndHintOff;
  }
  let view = mbuf(m);
  while (off - start >= view.len) {
    start += view.len;
    m = view.next;
    view = mbuf(m);
  }
  so.sndHint = m;
  so.sndHintOff = start;
  return mShareRange(owner, m, off - start, len);
}
