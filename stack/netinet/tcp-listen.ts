/**
 * Segments for a listening socket, and the answer to our SYN (RFC 9293 §3.10.7.2 and §3.10.7.3): how a connection is negotiated. A connection gets its socket
 * with the SYN; the backlog bounds how many there are that wait.
 */
import { u8 } from '../memory/memory.ts';
import { now, SECOND } from '../runtime/clock.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { soAbandonConnection, soFree, soNewConnection, sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, sysctlValue } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { TCP_TABLE, enterBound, inpcbs } from './inpcb.ts';
import type { Inpcb } from './inpcb.ts';
import { IP_DST, IP_SRC, addressAt } from './ip.ts';
import { resetSegment, seg } from './tcp-arrival.ts';
import { enterConnection } from './tcp-demux.ts';
import {
  TCP_DPORT,
  TCP_MAXWIN,
  TCP_MAX_WINSHIFT,
  TCP_SPORT,
  TH_ACK,
  TH_RST,
  TH_SYN,
  seqGt,
  seqLeq,
} from './tcp-header.ts';
import { newIsn, newTimestampOffset } from './tcp-isn.ts';
import { negotiateMss } from './tcp-mss.ts';
import { options } from './tcp-options.ts';
import { tcpOutput } from './tcp-output.ts';
import { updateRtt } from './tcp-rtt.ts';
import { tcpAttach, tcpDrop, tcpEstablished } from './tcp-state.ts';
import {
  TCPS_SYN_RECEIVED,
  TF_ACKNOW,
  TF_NODELAY,
  TF_REQ_SCALE,
  TF_REQ_TIMESTAMP,
  TF_SCALE,
  TF_TIMESTAMP,
  TF_TIMING,
  TIMER_KEEP,
  TIMER_REXMIT,
  setTimer,
  stopTimer,
  tcpcbs,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

const portAt = (p: number): number => (u8[p]! << 8) | u8[p + 1]!;

/** Sets both ends' first sequence numbers and what else a connection begins with; its ends are set. */
export function beginConnection(tp: Tcpcb, inp: Inpcb, so: Socket): void {
  setIsn(tp, newIsn(inp));
  tp.tsOffset = newTimestampOffset(inp);
  tp.tsSent = tp.tsOffset;
  let scale = 0;
  while (scale < TCP_MAX_WINSHIFT && TCP_MAXWIN << scale < so.rcvHiwat) scale++;
  tp.requestScale = scale;
  setTimer(tp, TIMER_KEEP, now() + sysctlValue(tp.stack, SYSCTL.tcpKeepInit) * SECOND);
}

function setIsn(tp: Tcpcb, isn: number): void {
  tp.iss = isn;
  tp.sndUna = isn;
  tp.sndNxt = isn;
  tp.sndMax = isn;
  tp.recover = isn;
}

const ISN_GAP = 128 * 1024;

/** A new incarnation of a connection begins behind the last sequence number of the old one (RFC 1122 §4.2.2.13). */
export function continueAfter(tp: Tcpcb, last: number): void {
  if (seqLeq(tp.iss, last)) setIsn(tp, (last + ISN_GAP) | 0);
}

/** Takes the peer's SYN: its sequence number, window and options. */
function takeSyn(tp: Tcpcb, inp: Inpcb): void {
  tp.irs = seg.seq;
  tp.rcvNxt = (seg.seq + 1) | 0;
  tp.rcvAdv = tp.rcvNxt;
  tp.lastAckSent = tp.rcvNxt;
  tp.lastReceived = now();
  if (options.scale >= 0 && (tp.flags & TF_REQ_SCALE) !== 0) {
    tp.flags |= TF_SCALE;
    tp.sndScale = options.scale;
    tp.rcvScale = tp.requestScale;
  }
  if (options.timestamp && (tp.flags & TF_REQ_TIMESTAMP) !== 0) {
    tp.flags |= TF_TIMESTAMP;
    tp.tsRecent = options.value;
    tp.tsRecentAge = now();
  }
  negotiateMss(tp, inp, options.mss);
  // The window of a SYN is never scaled (RFC 7323 §2.2).
  tp.sndWnd = seg.window;
  tp.maxSndWnd = seg.window;
  tp.sndWl1 = seg.seq;
  tp.sndWl2 = seg.ack;
}

/** A segment came for a listening socket. */
export function listenInput(listener: Inpcb): void {
  const flags = seg.flags;
  if ((flags & TH_RST) !== 0) return;
  if ((flags & TH_ACK) !== 0) {
    resetSegment();
    return;
  }
  const foreign = addressAt(seg.ip + IP_SRC);
  const local = addressAt(seg.ip + IP_DST);
  const toItself = foreign === local && portAt(seg.th + TCP_SPORT) === portAt(seg.th + TCP_DPORT);
  if ((flags & TH_SYN) === 0 || toItself) return;
  const head = sockets.get(listener.socket);
  const ptr = soNewConnection(head);
  if (ptr === 0) {
    count(seg.stack, STAT.tcpListenOverflow);
    return;
  }
  const so = sockets.get(ptr);
  if (tcpAttach(so) !== 0) {
    soAbandonConnection(so);
    soFree(so);
    count(seg.stack, STAT.tcpNoMemory);
    return;
  }
  accept(so, listener, local, foreign);
}

function accept(so: Socket, listener: Inpcb, local: number, foreign: number): void {
  count(so.stack, STAT.tcpAccepts);
  const inp = inpcbs.get(so.pcb);
  inp.local = local;
  inp.localPort = listener.localPort;
  inp.foreign = foreign;
  inp.foreignPort = portAt(seg.th + TCP_SPORT);
  inp.ttl = listener.ttl;
  inp.tos = listener.tos;
  enterBound(inp, TCP_TABLE);
  enterConnection(inp);
  const tp = tcpcbs.get(inp.ppcb);
  const parent = tcpcbs.get(listener.ppcb);
  tp.flags |= parent.flags & TF_NODELAY;
  tp.keepIdle = parent.keepIdle;
  tp.keepInterval = parent.keepInterval;
  tp.keepProbes = parent.keepProbes;
  beginConnection(tp, inp, so);
  if (seg.renewed) continueAfter(tp, seg.after);
  takeSyn(tp, inp);
  tp.state = TCPS_SYN_RECEIVED;
  tp.flags |= TF_ACKNOW;
  tcpOutput(tp);
}

/** Whether processing of the segment goes on with its data. */
export const SYN_DONE = false;
export const SYN_GOES_ON = true;

/** A segment came in SYN_SENT. True if the connection is established and the rest of the segment is to be looked at. */
export function synSentInput(tp: Tcpcb): boolean {
  const flags = seg.flags;
  const hasAck = (flags & TH_ACK) !== 0;
  if (hasAck && (seqLeq(seg.ack, tp.iss) || seqGt(seg.ack, tp.sndMax))) {
    resetSegment();
    return SYN_DONE;
  }
  if ((flags & TH_RST) !== 0) {
    if (hasAck) tcpDrop(tp, ERRNO.ECONNREFUSED);
    return SYN_DONE;
  }
  if ((flags & TH_SYN) === 0) return SYN_DONE;
  takeSyn(tp, inpcbs.get(tp.inpcb));
  tp.flags |= TF_ACKNOW;
  seg.seq = (seg.seq + 1) | 0;
  if (!hasAck) {
    simultaneousOpen(tp);
    return SYN_DONE;
  }
  tp.sndUna = seg.ack;
  tp.sndNxt = seg.ack;
  synAcked(tp);
  tcpEstablished(tp);
  return SYN_GOES_ON;
}

/** Our SYN is acknowledged: the first round trip. */
export function synAcked(tp: Tcpcb): void {
  if ((tp.flags & TF_TIMING) !== 0) {
    tp.flags &= ~TF_TIMING;
    updateRtt(tp, now() - tp.rttTime);
  }
  stopTimer(tp, TIMER_REXMIT);
}

/** Both sides called each other at once (RFC 9293 §3.5, figure 8): our SYN goes again, with an acknowledgement of theirs. */
function simultaneousOpen(tp: Tcpcb): void {
  stopTimer(tp, TIMER_REXMIT);
  tp.state = TCPS_SYN_RECEIVED;
  tp.sndNxt = tp.iss;
  tcpOutput(tp);
}
