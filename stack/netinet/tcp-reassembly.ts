/**
 * Segments that came before those in front of them (RFC 9293 §3.10.7.4, "Segments with higher beginning sequence numbers"): the packets themselves, sorted,
 * without overlap, linked by nextpkt. A packet's first sequence number is in `aux`, its FIN in `aux2`. Bounded by the buffers that the receive buffer may hold.
 */
import { MCLBYTES, mFree, mFreeList, mOwn, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mTrimFront, mTrimTo } from '../memory/mbuf-chain.ts';
import { STATION, station } from '../net/journey.ts';
import { rcvAppendStream } from '../net/sockbuf.ts';
import { SS_CANTRCVMORE } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, countBy } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { inpcbs, stationAtInpcb } from './inpcb.ts';
import type { Tcpcb } from './tcpcb.ts';
import { seqLeq } from './tcp-header.ts';

const OWNER = ownerTag('tcp reassembly');
/** Segments that are kept however small the receive buffer is. */
const LEAST = 16;

function limitOf(so: Socket): number {
  return Math.max(LEAST, Math.floor((2 * so.rcvHiwat) / MCLBYTES));
}

function endOf(m: number): number {
  const view = mbuf(m);
  return (view.aux + view.pktLen) | 0;
}

/** Keeps packet `m`, whose data begins with sequence number `seq`, until what is missing before it has come. */
export function reassemblyInsert(tp: Tcpcb, so: Socket, m: number, seq: number, fin: boolean): void {
  count(tp.stack, STAT.tcpInOutOfOrder);
  countBy(tp.stack, STAT.tcpInOutOfOrderBytes, mbuf(m).pktLen);
  let before = 0;
  let at = tp.reassembly;
  while (at !== 0 && ((mbuf(at).aux - seq) | 0) <= 0) {
    before = at;
    at = mbuf(at).nextpkt;
  }
  let start = seq;
  if (before !== 0) {
    const overlap = (endOf(before) - seq) | 0;
    if (overlap > 0) {
      const view = mbuf(m);
      if (overlap >= view.pktLen && !fin) {
        drop(tp, m, view.pktLen);
        return;
      }
      mTrimFront(m, Math.min(overlap, view.pktLen));
      start = (seq + overlap) | 0;
    }
  }
  if (tp.reassemblyCount >= limitOf(so)) {
    count(tp.stack, STAT.tcpNoMemory);
    station(m, STATION.drop, tp.stack, STAT.tcpNoMemory);
    mFree(m);
    return;
  }
  const after = dropCovered(tp, at, m, start);
  if (mbuf(m).pktLen === 0 && !fin) mFree(m);
  else link(tp, m, start, fin, before, after);
}

function drop(tp: Tcpcb, m: number, bytes: number): void {
  count(tp.stack, STAT.tcpInDuplicate);
  station(m, STATION.drop, tp.stack, STAT.tcpInDuplicate);
  countBy(tp.stack, STAT.tcpInDuplicateBytes, bytes);
  mFree(m);
}

/** Frees the packets from `at` on that lie within `m`, and cuts `m` where the first that remains begins; returns that one. */
function dropCovered(tp: Tcpcb, first: number, m: number, start: number): number {
  let at = first;
  const view = mbuf(m);
  while (at !== 0) {
    const end = (start + view.pktLen) | 0;
    const next = mbuf(at);
    if (seqLeq(end, next.aux)) break;
    if (((end - endOf(at)) | 0) < 0 || next.aux2 !== 0) {
      mTrimTo(m, (next.aux - start) | 0);
      break;
    }
    const covered = at;
    at = next.nextpkt;
    tp.reassemblyCount--;
    drop(tp, covered, next.pktLen);
  }
  return at;
}

function link(tp: Tcpcb, m: number, start: number, fin: boolean, before: number, after: number): void {
  const view = mbuf(m);
  view.aux = start;
  view.aux2 = fin ? 1 : 0;
  view.nextpkt = after;
  if (before === 0) tp.reassembly = m;
  else mbuf(before).nextpkt = m;
  tp.reassemblyCount++;
  mOwn(m, OWNER);
}

/**
 * Moves what is in order now to the receive buffer (or drops it, if the client receives no more). True if a FIN was reached: rcvNxt stands at it then.
 */
export function reassemblyDeliver(tp: Tcpcb, so: Socket): boolean {
  let fin = false;
  for (let m = tp.reassembly; m !== 0 && !fin; m = tp.reassembly) {
    const view = mbuf(m);
    const behind = (tp.rcvNxt - view.aux) | 0;
    if (behind < 0) break;
    tp.reassembly = view.nextpkt;
    view.nextpkt = 0;
    tp.reassemblyCount--;
    fin = view.aux2 !== 0;
    const length = view.pktLen;
    if (behind >= length) {
      mFree(m);
      continue;
    }
    if (behind > 0) mTrimFront(m, behind);
    tp.rcvNxt = (tp.rcvNxt + length - behind) | 0;
    if ((so.state & SS_CANTRCVMORE) !== 0) {
      mFree(m);
      continue;
    }
    stationAtInpcb(m, STATION.socket, inpcbs.get(tp.inpcb), length - behind);
    rcvAppendStream(so, m, length - behind);
  }
  return fin;
}

/** Drops everything that waits. */
export function reassemblyFlush(tp: Tcpcb): void {
  if (tp.reassembly !== 0) mFreeList(tp.reassembly);
  tp.reassembly = 0;
  tp.reassemblyCount = 0;
}
