/**
 * Header prediction (Jacobson 1990): in ESTABLISHED nearly every segment is either the next data or an acknowledgement of ours, with nothing unusual
 * about it. Both are done here; whatever is different goes the long way (tcp-input.ts).
 */
import { be32, u8 } from '../memory/memory.ts';
import { mFree } from '../memory/mbuf.ts';
import { mTrimFront } from '../memory/mbuf-chain.ts';
import { MILLISECOND, now } from '../runtime/clock.ts';
import { STATION } from '../net/journey.ts';
import { rcvAppendStream, rcvSpace, sndSpace } from '../net/sockbuf.ts';
import { SS_CANTRCVMORE, soWake } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, countBy, sysctlValue } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { inpcbs, stationAtInpcb } from './inpcb.ts';
import { advance, outputIfDue } from './tcp-ack.ts';
import { TCP_FLAGS, TCP_HEADER, TH_ACK, TH_PUSH, seqGt } from './tcp-header.ts';
import { TIMESTAMP_BYTES, isPlainTimestamp, options } from './tcp-options.ts';
import { tcpOutput } from './tcp-output.ts';
import { TF_ACKNOW, TF_DELACK, TF_RECOVERY, TF_TIMESTAMP, TIMER_DELACK, setTimer } from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

/** Options as the connection has them: the timestamp alone, not older than the last one, or none. */
function plainOptions(tp: Tcpcb, th: number, bytes: number): boolean {
  if ((tp.flags & TF_TIMESTAMP) === 0) return bytes === 0;
  if (bytes !== TIMESTAMP_BYTES || !isPlainTimestamp(th + TCP_HEADER, bytes)) return false;
  return ((be32(th + TCP_HEADER + 4) - tp.tsRecent) | 0) >= 0;
}

/**
 * Takes a segment in ESTABLISHED if it is as predicted: false (and nothing done) if not. `off` is the length of its TCP header, `length` that of its data,
 * which begins at `dataOff` in packet `m`; `window` as in the header.
 */
export function fastInput(
  tp: Tcpcb,
  so: Socket,
  m: number,
  th: number,
  off: number,
  dataOff: number,
  length: number,
  seq: number,
  ack: number,
  window: number,
): boolean {
  if ((u8[th + TCP_FLAGS]! & ~TH_PUSH) !== TH_ACK) return false;
  if (seq !== tp.rcvNxt || tp.sndNxt !== tp.sndMax || (tp.flags & TF_RECOVERY) !== 0) return false;
  const offered = window << tp.sndScale;
  if (offered === 0 || tp.sndWnd === 0 || !plainOptions(tp, th, off - TCP_HEADER)) return false;
  const acked = (ack - tp.sndUna) | 0;
  if (length === 0) {
    if (acked <= 0 || seqGt(ack, tp.sndMax)) return false;
    takeTimestamp(tp, th);
    mFree(m);
    fastAck(tp, so, ack, acked, seq, offered);
    return true;
  }
  if (acked !== 0 || offered !== tp.sndWnd || tp.reassembly !== 0) return false;
  if (length > rcvSpace(so) || (so.state & SS_CANTRCVMORE) !== 0) return false;
  takeTimestamp(tp, th);
  mTrimFront(m, dataOff);
  fastData(tp, so, m, length);
  return true;
}

function takeTimestamp(tp: Tcpcb, th: number): void {
  const time = now();
  tp.lastReceived = time;
  tp.keepCount = 0;
  if ((tp.flags & TF_TIMESTAMP) === 0 || seqGt(tp.rcvNxt, tp.lastAckSent)) return;
  tp.tsRecent = be32(th + TCP_HEADER + 4);
  tp.tsRecentAge = time;
}

function fastAck(tp: Tcpcb, so: Socket, ack: number, acked: number, seq: number, offered: number): void {
  count(tp.stack, STAT.tcpInAckPackets);
  countBy(tp.stack, STAT.tcpInAckBytes, acked);
  options.timestamp = false;
  tp.sndWnd = offered;
  tp.sndWl1 = seq;
  tp.sndWl2 = ack;
  if (offered > tp.maxSndWnd) tp.maxSndWnd = offered;
  advance(tp, so, ack);
  outputIfDue(tp);
  if (sndSpace(so) >= so.sndLowat) soWake(so);
}

function fastData(tp: Tcpcb, so: Socket, m: number, length: number): void {
  count(tp.stack, STAT.tcpInSequence);
  countBy(tp.stack, STAT.tcpInBytes, length);
  tp.rcvNxt = (tp.rcvNxt + length) | 0;
  stationAtInpcb(m, STATION.socket, inpcbs.get(tp.inpcb), length);
  rcvAppendStream(so, m, length);
  acknowledgeData(tp, length);
  if ((tp.flags & TF_ACKNOW) !== 0) tcpOutput(tp);
  // Last: a client may end the connection.
  soWake(so);
}

/** `length` bytes came in order: every second segment is acknowledged at once, others when the timer fires (RFC 1122 §4.2.3.2, RFC 5681 §4.2). */
export function acknowledgeData(tp: Tcpcb, length: number): void {
  const delay = sysctlValue(tp.stack, SYSCTL.tcpDelayedAck);
  if (delay === 0 || (tp.flags & TF_DELACK) !== 0 || length > tp.segment) {
    tp.flags |= TF_ACKNOW;
    return;
  }
  tp.flags |= TF_DELACK;
  setTimer(tp, TIMER_DELACK, now() + delay * MILLISECOND);
}
