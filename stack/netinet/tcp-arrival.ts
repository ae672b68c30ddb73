/**
 * The segment at hand while tcp-input.ts and its helpers look at it, in host order: one place per thread, valid within one call of tcpInput().
 */
import { mFree } from '../memory/mbuf.ts';
import { TH_FIN, TH_SYN } from './tcp-header.ts';
import { respondReset } from './tcp-respond.ts';

export const seg = {
  stack: 0,
  /** The packet, 0 once somebody keeps it; where its data begins in it. */
  m: 0,
  off: 0,
  /** Addresses of its IP and TCP headers. */
  ip: 0,
  th: 0,
  seq: 0,
  ack: 0,
  /** Bytes of data. */
  length: 0,
  flags: 0,
  /** As in the header, not scaled. */
  window: 0,
  /** Its SYN ended a connection in TIME_WAIT, whose last sequence number was `after`. */
  renewed: false,
  after: 0,
  /** Something happened that requests on its socket may wait for: they look last of all, for they may end the connection. */
  wake: false,
};

/** Sequence numbers that the segment takes: its data, SYN and FIN. */
export function segmentSpan(): number {
  return seg.length + ((seg.flags & TH_SYN) === 0 ? 0 : 1) + ((seg.flags & TH_FIN) === 0 ? 0 : 1);
}

/** Frees the packet if nobody keeps it. */
export function dropSegment(): void {
  if (seg.m !== 0) mFree(seg.m);
  seg.m = 0;
}

/** Answers the segment with a reset. */
export function resetSegment(): void {
  respondReset(seg.stack, seg.ip, seg.th, seg.length);
}
