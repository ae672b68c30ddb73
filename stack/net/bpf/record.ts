/**
 * Records in the buffers of a descriptor (struct bpf_hdr of bpf(4) on a 32-bit machine): time stamp in seconds and microseconds, captured length, length of the packet,
 * length of this header, then the bytes. Numbers are in host order, and a record begins at a multiple of 4, which the header's length makes that of the network header
 * behind the link header as well.
 */
import { maxThreads, region, selfThread, u16, u32 } from '../../memory/memory.ts';
import { MCLBYTES, M_PKTHDR, mGetCluster, mbuf, ownerTag } from '../../memory/mbuf.ts';
import type { Mbuf } from '../../memory/mbuf.ts';
import { copyBytes, mCopyOut } from '../../memory/mbuf-chain.ts';
import { wallMicroseconds, wallSeconds } from '../../runtime/clock.ts';
import { POLL_TIMED_OUT, rotateBuffers } from './descriptor.ts';
import type { Bpfd } from './descriptor.ts';
import { linkHeaderBytes } from './link-header.ts';

const BPF = ownerTag('bpf');
/** Bytes of a header without its padding. */
const BPF_HDR = 18;

/** Rounds up to where the next record begins. */
export function bpfWordAlign(bytes: number): number {
  return (bytes + 3) & ~3;
}

/** Bytes of the record header, with padding, for a link type. */
function headerBytes(dlt: number): number {
  const link = linkHeaderBytes(dlt);
  return bpfWordAlign(BPF_HDR + link) - link;
}

/** Where this thread puts a header together. */
const staging = region('bpf record headers', 32 * maxThreads) + 32 * selfThread;

function stageHeader(time: number, captured: number, length: number, header: number): void {
  u32.fill(0, staging >>> 2, (staging + 32) >>> 2);
  u32[staging >>> 2] = wallSeconds(time);
  u32[(staging + 4) >>> 2] = wallMicroseconds(time);
  u32[(staging + 8) >>> 2] = captured;
  u32[(staging + 12) >>> 2] = length;
  u16[(staging + 16) >>> 1] = header;
}

/** Sees to it that the store has buffers for `bytes`; false when they are exhausted. */
function makeRoom(d: Bpfd, bytes: number): boolean {
  while (d.storeRoom < bytes) {
    const m = mGetCluster(BPF, 0);
    if (m === 0) return false;
    if (d.store === 0) {
      d.store = m;
      d.storeAt = m;
    } else {
      mbuf(m).flags &= ~M_PKTHDR;
      lastBuffer(d).next = m;
    }
    d.storeRoom += MCLBYTES;
  }
  return true;
}

function lastBuffer(d: Bpfd): Mbuf {
  let view = mbuf(d.storeAt);
  while (view.next !== 0) view = mbuf(view.next);
  return view;
}

/** The buffer that the next byte goes into. */
function currentBuffer(d: Bpfd): Mbuf {
  const view = mbuf(d.storeAt);
  if (view.len < MCLBYTES) return view;
  d.storeAt = view.next;
  return mbuf(view.next);
}

function appendBytes(d: Bpfd, from: number, bytes: number): void {
  for (let at = 0; at < bytes;) {
    const view = currentBuffer(d);
    const n = Math.min(MCLBYTES - view.len, bytes - at);
    copyBytes(view.data + view.len, from + at, n);
    view.len += n;
    at += n;
  }
}

function appendPacket(d: Bpfd, m: number, bytes: number): void {
  for (let at = 0; at < bytes;) {
    const view = currentBuffer(d);
    const n = Math.min(MCLBYTES - view.len, bytes - at);
    mCopyOut(m, at, n, view.data + view.len);
    view.len += n;
    at += n;
  }
}

/**
 * Appends a packet to the store, or to a new one when that is full and nothing is held. With the lock held.
 * @param keep most bytes of the packet
 * @param time ns of the lab's clock
 * @returns whether the reader is to be told that there is something to read
 */
export function catchPacket(d: Bpfd, m: number, keep: number, time: number): boolean {
  const { pktLen } = mbuf(m);
  const header = headerBytes(d.dlt);
  const total = Math.min(header + Math.min(keep, pktLen), d.bufferSize);
  let wake = d.immediate !== 0 || d.polling === POLL_TIMED_OUT;
  let start = bpfWordAlign(d.storeLen);
  if (start + total > d.bufferSize) {
    if (d.holdLen !== 0) {
      d.dropped++;
      return false;
    }
    rotateBuffers(d);
    wake = true;
    start = 0;
  }
  if (!makeRoom(d, start + total)) {
    d.dropped++;
    return wake;
  }
  stageHeader(time, Math.max(0, total - header), pktLen, header);
  // Zeros behind the last record, and then its own header.
  appendBytes(d, staging + 20, start - d.storeLen);
  appendBytes(d, staging, Math.min(header, total));
  appendPacket(d, m, Math.max(0, total - header));
  d.storeLen = start + total;
  return wake;
}
