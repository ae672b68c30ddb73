/**
 * What is to be sent, and when (RFC 9293 §3.8.6): as many segments as the windows of peer and path allow, Nagle's algorithm (RFC 1122 §4.2.3.4), silly
 * window avoidance on both sides, window updates, SYN, FIN and acknowledgements as the state has them.
 */
import { now } from '../runtime/clock.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { CAP_TSO4, ifnets } from '../net/ifnet.ts';
import { following } from '../net/journey.ts';
import { routes } from '../net/route.ts';
import { largeFrames } from '../net/segmentation.ts';
import { rcvSpace } from '../net/sockbuf.ts';
import { sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, countBy, stacks } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { inpcbRoute, inpcbs } from './inpcb.ts';
import { IP_MAXPACKET } from './ip.ts';
import { congestionOf } from './tcp-congestion.ts';
import { TCP_MAXWIN, TH_ACK, TH_FIN, TH_PUSH, TH_RST, TH_SYN, seqGt, seqLt } from './tcp-header.ts';
import { lowerMss } from './tcp-mss.ts';
import { currentRto, stopTiming } from './tcp-rtt.ts';
import { sendSegment } from './tcp-segment.ts';
import {
  TCPS_ESTABLISHED,
  TF_ACKNOW,
  TF_NEEDFIN,
  TF_NODELAY,
  TF_SENTFIN,
  TF_TIMING,
  TIMER_PERSIST,
  TIMER_REXMIT,
  haveReceivedFin,
  haveReceivedSyn,
  setTimer,
  stopTimer,
  timerRunning,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

/** Flags of what is sent in each state (TCPS_*). */
const STATE_FLAGS = [
  TH_RST | TH_ACK,
  0,
  TH_SYN,
  TH_SYN | TH_ACK,
  TH_ACK,
  TH_ACK,
  TH_FIN | TH_ACK,
  TH_FIN | TH_ACK,
  TH_FIN | TH_ACK,
  TH_ACK,
  TH_ACK,
] as const;

/** Sends what may be sent now. Returns 0, or the errno that the client should see. */
export function tcpOutput(tp: Tcpcb): number {
  const so = sockets.get(tp.socket);
  const idle = tp.sndMax === tp.sndUna;
  const large = so.sndCount > tp.segment && takesLargeFrames(tp);
  if (idle && tp.cwnd > 0 && now() - tp.lastSent >= tp.rto) congestionOf(tp).idle(tp);
  for (;;) {
    const status = sendOne(tp, so, idle, false, large);
    if (status !== MORE) return status;
  }
}

/** The persist timer fired: sends at least a byte, whatever the window says (RFC 9293 §3.8.6.1). */
export function tcpProbe(tp: Tcpcb): number {
  const status = sendOne(tp, sockets.get(tp.socket), true, true, false);
  return status === MORE ? 0 : status;
}

/** Sends the first unacknowledged segment again, and nothing else. */
export function tcpRetransmit(tp: Tcpcb): void {
  const next = tp.sndNxt;
  const cwnd = tp.cwnd;
  tp.sndNxt = tp.sndUna;
  tp.cwnd = tp.segment;
  stopTiming(tp);
  sendOne(tp, sockets.get(tp.socket), false, false, false);
  tp.cwnd = cwnd;
  if (seqGt(next, tp.sndNxt)) tp.sndNxt = next;
}

/** True if the interface towards the peer takes large frames (net/segmentation.ts). */
function takesLargeFrames(tp: Tcpcb): boolean {
  if (!largeFrames() || following() || stacks.get(tp.stack).activeFilters !== 0) return false;
  const inp = inpcbs.get(tp.inpcb);
  const route = inpcbRoute(inp, inp.foreign);
  if (route === 0) return false;
  const ifp = ifnets.get(routes.get(route).interface);
  return (ifp.enabled & CAP_TSO4) !== 0 && ifp.bridge === 0;
}

/** Bytes of data in a large frame, of `length` that may be sent: whole segments, no more than an IPv4 packet holds beside the longest headers. */
function largeFrame(segment: number, length: number): number {
  const most = Math.min(length, IP_MAXPACKET - LONGEST_HEADERS);
  return Math.max(segment, most - (most % segment));
}
const LONGEST_HEADERS = 120;

/** There may be more to send. */
const MORE = -1;

/** Sends one segment if there is reason to; MORE if another may follow, else 0 or an errno. */
function sendOne(tp: Tcpcb, so: Socket, idle: boolean, force: boolean, large: boolean): number {
  const state = tp.state;
  let flags = STATE_FLAGS[state]!;
  let off = (tp.sndNxt - tp.sndUna) | 0;
  const buffered = so.sndCount;
  let length = 0;
  if (state >= TCPS_ESTABLISHED) {
    const window = Math.min(tp.sndWnd, tp.cwnd);
    length = Math.min(buffered, force ? Math.max(window, 1) : window) - off;
    if (length < 0) {
      length = 0;
      if (tp.sndWnd === 0 && buffered > 0) off = windowClosed(tp);
    }
    if (force && tp.sndWnd === 0) flags &= ~TH_FIN;
    // Our FIN is not repeated with every acknowledgement, only where it is due.
    if ((tp.flags & TF_SENTFIN) !== 0 && tp.sndNxt === tp.sndMax) flags &= ~TH_FIN;
  } else if (off > 0) flags &= ~TH_SYN;
  const most = large && length > tp.segment ? largeFrame(tp.segment, length) : tp.segment;
  const more = length > most;
  if (more) length = most;
  if (off + length < buffered) flags &= ~TH_FIN;
  else if (length > 0) flags |= TH_PUSH;
  if (!force && !mustSend(tp, so, flags, length, off, buffered, idle)) {
    if (buffered > 0 && !timerRunning(tp, TIMER_REXMIT) && !timerRunning(tp, TIMER_PERSIST)) {
      startPersist(tp);
    }
    return 0;
  }
  const status = sendSegment(
    tp,
    so,
    length > 0 || (flags & (TH_SYN | TH_FIN)) !== 0 ? tp.sndNxt : tp.sndMax,
    off,
    length,
    flags,
  );
  if (status !== 0) return sendFailed(tp, status);
  sent(tp, flags, length, force);
  return more ? MORE : 0;
}

/** The window closed over what is in flight: instead of waiting for its acknowledgement, probe. Returns the offset to send from. */
function windowClosed(tp: Tcpcb): number {
  stopTimer(tp, TIMER_REXMIT);
  tp.sndNxt = tp.sndUna;
  if (!timerRunning(tp, TIMER_PERSIST)) startPersist(tp);
  return 0;
}

function mustSend(
  tp: Tcpcb,
  so: Socket,
  flags: number,
  length: number,
  off: number,
  buffered: number,
  idle: boolean,
): boolean {
  if (length > 0) {
    if (length >= tp.segment) return true;
    // Nagle: a small segment goes if nothing is outstanding, and it is all there is.
    if ((idle || (tp.flags & TF_NODELAY) !== 0) && off + length >= buffered) return true;
    if (tp.maxSndWnd > 0 && length >= tp.maxSndWnd >>> 1) return true;
    if (seqLt(tp.sndNxt, tp.sndMax)) return true;
  }
  if ((tp.flags & TF_ACKNOW) !== 0) return true;
  if ((flags & (TH_SYN | TH_RST)) !== 0) return true;
  if ((flags & TH_FIN) !== 0) return true;
  return windowOpened(tp, so);
}

/** The client has read so much that the peer should know: two segments, or half of the buffer (RFC 1122 §4.2.3.3). */
function windowOpened(tp: Tcpcb, so: Socket): boolean {
  if (!haveReceivedSyn(tp.state) || haveReceivedFin(tp.state)) return false;
  const window = Math.min(rcvSpace(so), TCP_MAXWIN << tp.rcvScale);
  const gain = window - ((tp.rcvAdv - tp.rcvNxt) | 0);
  return gain >= 2 * tp.segment || (gain > 0 && 2 * gain >= so.rcvHiwat);
}

/** Notes that a segment has gone out. */
function sent(tp: Tcpcb, flags: number, length: number, force: boolean): void {
  const stack = tp.stack;
  const time = now();
  tp.lastSent = time;
  const start = tp.sndNxt;
  let next = (start + length) | 0;
  if ((flags & TH_SYN) !== 0) next = (next + 1) | 0;
  if ((flags & TH_FIN) !== 0) {
    next = (next + 1) | 0;
    tp.flags = (tp.flags | TF_SENTFIN) & ~TF_NEEDFIN;
  }
  if (length > 0) countData(stack, length, Math.ceil(length / tp.segment), seqLt(start, tp.sndMax), force);
  else if (next !== start) count(stack, STAT.tcpOutControl);
  else count(stack, STAT.tcpOutAcks);
  if (seqGt(next, tp.sndMax)) {
    tp.sndMax = next;
    if ((tp.flags & TF_TIMING) === 0 && !force) {
      tp.flags |= TF_TIMING;
      tp.rttTime = time;
      tp.rttSeq = start;
      count(stack, STAT.tcpSegmentsTimed);
    }
  }
  if (force && tp.sndWnd === 0) return;
  tp.sndNxt = next;
  if (next === start || timerRunning(tp, TIMER_REXMIT)) return;
  stopPersist(tp);
  setTimer(tp, TIMER_REXMIT, time + currentRto(tp));
}

function countData(stack: number, length: number, segments: number, again: boolean, probe: boolean): void {
  if (probe) count(stack, STAT.tcpOutProbes);
  else if (again) {
    countBy(stack, STAT.tcpRexmitPackets, segments);
    countBy(stack, STAT.tcpRexmitBytes, length);
  } else {
    countBy(stack, STAT.tcpOutData, segments);
    countBy(stack, STAT.tcpOutBytes, length);
  }
}

function startPersist(tp: Tcpcb): void {
  tp.rexmitShift = 0;
  tp.rexmitCount = 0;
  setPersist(tp);
}

/** Sets the persist timer: a time-out with its doublings, at most a minute. */
export function setPersist(tp: Tcpcb): void {
  setTimer(tp, TIMER_PERSIST, now() + currentRto(tp));
}

/** The peer's window is open again. */
export function stopPersist(tp: Tcpcb): void {
  if (!timerRunning(tp, TIMER_PERSIST)) return;
  stopTimer(tp, TIMER_PERSIST);
  tp.rexmitShift = 0;
}

/** Sending failed on our side: as if the segment were lost, except where the client can be told. */
function sendFailed(tp: Tcpcb, status: number): number {
  if (status === ERRNO.EMSGSIZE) {
    const inp = inpcbs.get(tp.inpcb);
    const route = inpcbRoute(inp, inp.foreign);
    if (route !== 0 && lowerMss(tp, ifnets.get(routes.get(route).interface).mtu, tp.mss)) return MORE;
  }
  if (!timerRunning(tp, TIMER_REXMIT) && !timerRunning(tp, TIMER_PERSIST)) {
    setTimer(tp, TIMER_REXMIT, now() + currentRto(tp));
  }
  if (status === ERRNO.ENOBUFS) return 0;
  if (!haveReceivedSyn(tp.state)) return status;
  tp.softError = status;
  return 0;
}
