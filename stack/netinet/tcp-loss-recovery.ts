/**
 * Fast retransmit and fast recovery (RFC 5681 §3.2) as NewReno has it (RFC 6582), limited transmit (RFC 3042). SACK has its place here.
 */
import { count } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { congestionOf, flightSize } from './tcp-congestion.ts';
import { tcpOutput, tcpRetransmit } from './tcp-output.ts';
import { currentRto } from './tcp-rtt.ts';
import { TF_RECOVERY, TIMER_REXMIT, setTimer } from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';
import { now } from '../runtime/clock.ts';
import { seqGeq } from './tcp-header.ts';

const DUPLICATES = 3;

/** A duplicate acknowledgement came while data is outstanding. */
export function duplicateAck(tp: Tcpcb): void {
  if (tp.dupAcks < 255) tp.dupAcks++;
  if ((tp.flags & TF_RECOVERY) !== 0) {
    // Each one says that a segment has left the path.
    tp.cwnd += tp.segment;
    tcpOutput(tp);
  } else if (tp.dupAcks < DUPLICATES) limitedTransmit(tp);
  else if (tp.dupAcks === DUPLICATES && seqGeq(tp.sndUna, tp.recover)) beginRecovery(tp);
}

/** The first two duplicates let one new segment each out, so that small windows find their third. */
function limitedTransmit(tp: Tcpcb): void {
  const cwnd = tp.cwnd;
  tp.cwnd = Math.max(cwnd, flightSize(tp)) + tp.segment;
  tcpOutput(tp);
  tp.cwnd = cwnd;
}

function beginRecovery(tp: Tcpcb): void {
  count(tp.stack, STAT.tcpFastRexmit);
  congestionOf(tp).lost(tp);
  tp.recover = tp.sndMax;
  tp.flags |= TF_RECOVERY;
  tp.cwnd = tp.ssthresh + DUPLICATES * tp.segment;
  retransmitFirst(tp);
}

function retransmitFirst(tp: Tcpcb): void {
  tcpRetransmit(tp);
  setTimer(tp, TIMER_REXMIT, now() + currentRto(tp));
}

/**
 * `bytes` of new data were acknowledged during recovery (sndUna is moved already): the end of it when all is acknowledged that was sent when it began,
 * otherwise the next segment is missing too.
 */
export function ackInRecovery(tp: Tcpcb, bytes: number): void {
  if (seqGeq(tp.sndUna, tp.recover)) {
    tp.flags &= ~TF_RECOVERY;
    tp.cwnd = Math.min(tp.ssthresh, Math.max(flightSize(tp), tp.segment) + tp.segment);
    return;
  }
  count(tp.stack, STAT.tcpPartialAcks);
  retransmitFirst(tp);
  tp.cwnd = Math.max(tp.cwnd - bytes, tp.segment) + (bytes >= tp.segment ? tp.segment : 0);
}
