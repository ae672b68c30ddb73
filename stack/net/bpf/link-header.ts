/**
 * Link types of interfaces (DLT_*, bpf(4)), and what packets begin with where an interface itself puts nothing in front of them: an address family (DLT_NULL), or for
 * serial lines the direction and the first bytes (DLT_SLIP). Such a header is made in a buffer of its own, in front of the packet that it is shown with.
 */
import { i32, u8 } from '../../memory/memory.ts';
import { mFreeOne, mGetHeader, mbuf, ownerTag } from '../../memory/mbuf.ts';
import { mCopyOut } from '../../memory/mbuf-chain.ts';
import { AF_INET } from '../../runtime/messages/request.ts';
import { OUTBOUND } from '../tap.ts';
import { DLT_EN10MB, DLT_NULL, DLT_SLIP } from './link-type.ts';

const NULL_BYTES = 4;
/** The direction, then the beginning of the packet as it crosses the line. */
const SLIP_BYTES = 16;
const SLIP_IN = 0;
const SLIP_OUT = 1;
const BPF = ownerTag('bpf');
/** As far into the buffer as a header that is put in front may need: what is behind stays aligned. */
const LEAD = 64;

/** Bytes that packets of a link type have in front of their network header. */
export function linkHeaderBytes(dlt: number): number {
  switch (dlt) {
    case DLT_NULL:
      return NULL_BYTES;
    case DLT_EN10MB:
      return 14;
    case DLT_SLIP:
      return SLIP_BYTES;
    default:
      return 0;
  }
}

/** True if packets of this link type come without their link header. */
export function lacksHeader(dlt: number): boolean {
  return dlt === DLT_NULL || dlt === DLT_SLIP;
}

/** The packet with a header of its link type in front, until withoutHeader(); 0 when buffers are exhausted. */
export function withHeader(m: number, dlt: number, direction: number): number {
  const front = mGetHeader(BPF, LEAD);
  if (front === 0) return 0;
  const view = mbuf(front);
  view.len = linkHeaderBytes(dlt);
  view.pktLen = view.len + mbuf(m).pktLen;
  view.next = m;
  if (dlt === DLT_NULL) i32[view.data >>> 2] = AF_INET;
  else {
    u8.fill(0, view.data, view.data + SLIP_BYTES);
    u8[view.data] = direction === OUTBOUND ? SLIP_OUT : SLIP_IN;
    mCopyOut(m, 0, Math.min(SLIP_BYTES - 1, mbuf(m).pktLen), view.data + 1);
  }
  return front;
}

/** Takes the header off again; the packet itself is as it was. */
export function withoutHeader(front: number): void {
  mbuf(front).next = 0;
  mFreeOne(front);
}
