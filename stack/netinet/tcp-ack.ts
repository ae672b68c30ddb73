/**
 * What an acknowledgement does (RFC 9293 §3.10.7.4, fifth; RFC 5681; RFC 5961 §5): round-trip time, send buffer, congestion window, retransmission timer,
 * the peer's window, and the states that wait for our FIN to be acknowledged.
 */
import { MILLISECOND, now } from '../runtime/clock.ts';
import { sndDrop } from '../net/sockbuf.ts';
import { SS_CANTRCVMORE, soIsDisconnected, sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, countBy } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { seg } from './tcp-arrival.ts';
import { challengeAck } from './tcp-challenge.ts';
import { congestionOf } from './tcp-congestion.ts';
import { TH_FIN, seqGt, seqLeq, seqLt } from './tcp-header.ts';
import { ackInRecovery, duplicateAck } from './tcp-loss-recovery.ts';
import { options } from './tcp-options.ts';
import { stopPersist, tcpOutput } from './tcp-output.ts';
import { currentRto, updateRtt } from './tcp-rtt.ts';
import { enterTimeWait, tcpClose, watchFinWait2 } from './tcp-state.ts';
import {
  TCPS_CLOSING,
  TCPS_FIN_WAIT_1,
  TCPS_FIN_WAIT_2,
  TCPS_LAST_ACK,
  TF_ACKNOW,
  TF_NEEDFIN,
  TF_RECOVERY,
  TF_SENTFIN,
  TF_TIMING,
  TIMER_PERSIST,
  TIMER_REXMIT,
  setTimer,
  stopTimer,
  timerRunning,
  timestampNow,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

/** The connection goes on; it has ended; the segment is to be dropped, after an acknowledgement if one is due. */
export const ACK_GOES_ON = 0;
export const ACK_CLOSED = 1;
export const ACK_DROP = 2;

/** Takes the acknowledgement of the segment at hand, in a state from ESTABLISHED on. Returns ACK_*. */
export function processAck(tp: Tcpcb, so: Socket): number {
  const ack = seg.ack;
  const acked = (ack - tp.sndUna) | 0;
  if (acked <= 0) return oldAck(tp, acked);
  if (seqGt(ack, tp.sndMax)) {
    count(tp.stack, STAT.tcpInAckTooMuch);
    tp.flags |= TF_ACKNOW;
    return ACK_DROP;
  }
  count(tp.stack, STAT.tcpInAckPackets);
  countBy(tp.stack, STAT.tcpInAckBytes, acked);
  const finAcked = (tp.flags & TF_SENTFIN) !== 0 && ack === tp.sndMax;
  advance(tp, so, ack);
  seg.wake = true;
  return finAcked ? ourFinAcked(tp, so) : ACK_GOES_ON;
}

/** Nothing new is acknowledged: a duplicate that hints at loss, or stale, or so old that it is forged (RFC 5961 §5.2). */
function oldAck(tp: Tcpcb, behind: number): number {
  if (behind < 0 && -behind > tp.maxSndWnd) {
    challengeAck(tp);
    return ACK_DROP;
  }
  const isDuplicate =
    behind === 0 &&
    seg.length === 0 &&
    (seg.flags & TH_FIN) === 0 &&
    seg.window << tp.sndScale === tp.sndWnd &&
    tp.sndMax !== tp.sndUna;
  if (isDuplicate && !timerRunning(tp, TIMER_PERSIST)) {
    count(tp.stack, STAT.tcpInDupAcks);
    duplicateAck(tp);
  }
  return ACK_GOES_ON;
}

/** Moves sndUna up to `ack`, with all that follows from it; the caller sends what may go now and wakes those who wait for room. */
export function advance(tp: Tcpcb, so: Socket, ack: number): void {
  const acked = (ack - tp.sndUna) | 0;
  const flight = (tp.sndMax - tp.sndUna) | 0;
  measure(tp, ack);
  const inBuffer = Math.min(acked, so.sndCount);
  if (inBuffer > 0) sndDrop(so, inBuffer);
  tp.sndUna = ack;
  if (seqLt(tp.sndNxt, ack)) tp.sndNxt = ack;
  tp.rexmitCount = 0;
  if (ack === tp.sndMax) stopTimer(tp, TIMER_REXMIT);
  else if (!timerRunning(tp, TIMER_PERSIST)) setTimer(tp, TIMER_REXMIT, now() + currentRto(tp));
  if ((tp.flags & TF_RECOVERY) === 0) congestionOf(tp).acked(tp, acked, flight);
  else ackInRecovery(tp, acked);
  tp.dupAcks = 0;
}

/** The round trip of the timed segment; after a retransmission that of the echoed timestamp, which tells the copies apart (RFC 7323 §4). */
function measure(tp: Tcpcb, ack: number): void {
  if ((tp.flags & TF_TIMING) !== 0) {
    if (seqLeq(ack, tp.rttSeq)) return;
    tp.flags &= ~TF_TIMING;
    updateRtt(tp, now() - tp.rttTime);
  } else if (tp.rexmitShift > 0 && options.timestamp && options.echo !== 0) {
    const ticks = (timestampNow(tp) - options.echo) | 0;
    if (ticks >= 0) updateRtt(tp, Math.max(ticks, 1) * MILLISECOND);
  }
}

function ourFinAcked(tp: Tcpcb, so: Socket): number {
  switch (tp.state) {
    case TCPS_FIN_WAIT_1:
      tp.state = TCPS_FIN_WAIT_2;
      // Without a reader, the peer's silence must not keep the connection for ever.
      if ((so.state & SS_CANTRCVMORE) !== 0) {
        soIsDisconnected(so);
        watchFinWait2(tp);
      }
      return ACK_GOES_ON;
    case TCPS_CLOSING:
      enterTimeWait(tp);
      return ACK_DROP;
    case TCPS_LAST_ACK:
      tcpClose(tp);
      return ACK_CLOSED;
    default:
      return ACK_GOES_ON;
  }
}

/** Takes the peer's window, if the segment is not older than the one it was taken from last (RFC 9293 §3.10.7.4). True if it may let us send. */
export function updateWindow(tp: Tcpcb): boolean {
  const newer = (tp.sndWl1 - seg.seq) | 0;
  if (newer > 0) return false;
  const window = seg.window << tp.sndScale;
  if (newer === 0) {
    const later = (tp.sndWl2 - seg.ack) | 0;
    if (later > 0 || (later === 0 && window <= tp.sndWnd)) return false;
  }
  if (seg.length === 0 && tp.sndWl2 === seg.ack && window > tp.sndWnd)
    count(tp.stack, STAT.tcpInWindowUpdate);
  tp.sndWnd = window;
  tp.sndWl1 = seg.seq;
  tp.sndWl2 = seg.ack;
  if (window > tp.maxSndWnd) tp.maxSndWnd = window;
  if (window > 0 && timerRunning(tp, TIMER_PERSIST) && tp.sndUna !== tp.sndMax) resume(tp);
  return true;
}

/** The window opened while a probe was out: the data goes the usual way again. */
function resume(tp: Tcpcb): void {
  stopPersist(tp);
  tp.sndNxt = tp.sndUna;
  setTimer(tp, TIMER_REXMIT, now() + currentRto(tp));
}

/** Sends if an acknowledgement or a FIN is due or data waits. */
export function outputIfDue(tp: Tcpcb): void {
  const so = sockets.get(tp.socket);
  if ((tp.flags & (TF_ACKNOW | TF_NEEDFIN)) !== 0 || so.sndCount > ((tp.sndNxt - tp.sndUna) | 0))
    tcpOutput(tp);
}
