/**
 * Large frames: between two cards of one process a TCP sender may hand over many segments as one frame of up to 64 KiB (TCP segmentation offload), whose mbuf says
 * how long the segments are. It stays whole only where nobody could see the difference: on a perfect cable, between cards without capture points, for a
 * host that keeps it. Everywhere else it is split here into the frames that would have crossed the wire, each with headers and checksums of its own.
 *
 * With a virtual clock there are none, so that what is captured changes nothing.
 */
import { be16, be32, i32, putBe16, putBe32, region, u8 } from '../memory/memory.ts';
import { foldSum, pseudoSum, putChecksum, sumBytes, sumChain } from '../memory/checksum.ts';
import { ETHER_ALIGN, mFree, mGetHeader, mbuf } from '../memory/mbuf.ts';
import { copyBytes, mShareRange } from '../memory/mbuf-chain.ts';

const allowed = region('large frames', 64) >>> 2;

/** Allows large frames in all threads, or not. */
export function allowLargeFrames(on: boolean): void {
  Atomics.store(i32, allowed, on ? 1 : 0);
}

/** True while senders may make large frames. */
export function largeFrames(): boolean {
  return i32[allowed] !== 0;
}

const ETHER = 14;
const TCP = 6;
// Fields of the IPv4 and the TCP header.
const IP_LENGTH = 2;
const IP_ID = 4;
const IP_SUM = 10;
const IP_SRC = 12;
const TCP_SEQ = 4;
const TCP_OFF = 12;
const TCP_FLAGS = 13;
const TCP_SUM = 16;
/** Flags that only the last segment has: FIN and PSH. */
const LAST_ONLY = 0x09;

/** Bytes of the headers in front of the data of a large frame: they are in its first buffer. */
function headerBytes(p: number): number {
  const ip = p + ETHER;
  const tcp = ip + ((u8[ip]! & 15) << 2);
  return tcp - p + ((u8[tcp + TCP_OFF]! >>> 4) << 2);
}

/** How many frames of the wire a frame stands for. */
export function frameCount(m: number): number {
  const view = mbuf(m);
  return view.segment === 0 ? 1 : Math.ceil((view.pktLen - headerBytes(view.data)) / view.segment);
}

/** How many bytes of the wire a frame stands for, Ethernet headers included. */
export function frameBytes(m: number): number {
  const view = mbuf(m);
  if (view.segment === 0) return view.pktLen;
  return view.pktLen + (frameCount(m) - 1) * headerBytes(view.data);
}

/** Splits a large frame into those it stands for, linked by nextpkt; it is freed. What buffers do not suffice for is lost, as on a wire. 0: all of it. */
export function splitFrame(owner: number, m: number): number {
  const view = mbuf(m);
  const header = headerBytes(view.data);
  let first = 0;
  let last = 0;
  for (let off = header, number = 0; off < view.pktLen; off += view.segment, number++) {
    const frame = segmentAt(owner, m, header, off, Math.min(view.segment, view.pktLen - off), number);
    if (frame === 0) break;
    if (first === 0) first = frame;
    else mbuf(last).nextpkt = frame;
    last = frame;
  }
  mFree(m);
  return first;
}

/** The frame of the segment at `off`: the headers are copied and brought up to date, the data is shared. 0 when buffers are exhausted. */
function segmentAt(
  owner: number,
  m: number,
  header: number,
  off: number,
  len: number,
  number: number,
): number {
  const from = mbuf(m);
  const front = mGetHeader(owner, ETHER_ALIGN);
  if (front === 0) return 0;
  const data = mShareRange(owner, m, off, len);
  if (data === 0) {
    mFree(front);
    return 0;
  }
  const view = mbuf(front);
  copyBytes(view.data, from.data, header);
  view.len = header;
  view.next = data;
  view.pktLen = header + len;
  view.time = from.time;
  view.flags |= from.flags;
  putHeaders(view.data, off - header, number, header - ETHER + len, off + len === from.pktLen);
  const ip = view.data + ETHER;
  const tcp = ip + ((u8[ip]! & 15) << 2);
  const rest = header - (tcp - view.data);
  const sum = pseudoSum(ip + IP_SRC, TCP, rest + len) + sumBytes(tcp, rest);
  putChecksum(tcp + TCP_SUM, sumChain(data, 0, len, foldSum(sum)));
  return front;
}

function putHeaders(p: number, advance: number, number: number, length: number, last: boolean): void {
  const ip = p + ETHER;
  const header = (u8[ip]! & 15) << 2;
  const tcp = ip + header;
  putBe16(ip + IP_LENGTH, length);
  putBe16(ip + IP_ID, be16(ip + IP_ID) + number);
  putBe16(ip + IP_SUM, 0);
  putChecksum(ip + IP_SUM, sumBytes(ip, header));
  putBe32(tcp + TCP_SEQ, be32(tcp + TCP_SEQ) + advance);
  if (!last) u8[tcp + TCP_FLAGS]! &= ~LAST_ONLY;
  putBe16(tcp + TCP_SUM, 0);
}
