/**
 * Birth, changes of state and end of a connection: tcp_newtcpcb, tcp_usrclosed, tcp_drop and tcp_close of 4.4BSD.
 */
import { now, SECOND, MILLISECOND } from '../runtime/clock.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { SO_KEEPALIVE } from '../runtime/messages/request.ts';
import {
  SS_NOFDREF,
  sockets,
  soAbandonConnection,
  soFree,
  soIsConnected,
  soIsDisconnected,
} from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, sysctlValue } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { TCP_TABLE, inpcbAttach, inpcbFree, inpcbs, leaveBound } from './inpcb.ts';
import { congestionOf } from './tcp-congestion.ts';
import { leaveConnection } from './tcp-demux.ts';
import { setMss } from './tcp-mss.ts';
import { reassemblyFlush } from './tcp-reassembly.ts';
import { INITIAL_RTO, rttAfterHandshake } from './tcp-rtt.ts';
import { sendReset } from './tcp-segment.ts';
import {
  TCPS_CLOSED,
  TCPS_CLOSE_WAIT,
  TCPS_ESTABLISHED,
  TCPS_FIN_WAIT_1,
  TCPS_FIN_WAIT_2,
  TCPS_LAST_ACK,
  TCPS_SYN_RECEIVED,
  TCPS_SYN_SENT,
  TCPS_TIME_WAIT,
  TF_NEEDFIN,
  TF_REQ_SCALE,
  TF_REQ_TIMESTAMP,
  TIMER_2MSL,
  TIMER_DELACK,
  TIMER_KEEP,
  TIMER_PERSIST,
  TIMER_REXMIT,
  cancelTimers,
  haveReceivedSyn,
  initTimers,
  setTimer,
  stopTimer,
  tcpcbs,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

/** Gives a socket its control blocks; 0 or ENOBUFS. */
export function tcpAttach(so: Socket): number {
  if (so.sndHiwat === 0) so.sndHiwat = sysctlValue(so.stack, SYSCTL.tcpSendSpace);
  if (so.rcvHiwat === 0) so.rcvHiwat = sysctlValue(so.stack, SYSCTL.tcpRecvSpace);
  const ptr = tcpcbs.alloc();
  if (ptr === 0) return ERRNO.ENOBUFS;
  const inpcb = inpcbAttach(so);
  if (inpcb === 0) {
    tcpcbs.free(ptr);
    return ERRNO.ENOBUFS;
  }
  inpcbs.get(inpcb).ppcb = ptr;
  const tp = tcpcbs.get(ptr);
  tp.inpcb = inpcb;
  tp.socket = so.ptr;
  tp.stack = so.stack;
  tp.rto = INITIAL_RTO;
  initTimers(tp);
  if (sysctlValue(so.stack, SYSCTL.tcpWindowScale) !== 0) tp.flags |= TF_REQ_SCALE;
  if (sysctlValue(so.stack, SYSCTL.tcpTimestamps) !== 0) tp.flags |= TF_REQ_TIMESTAMP;
  setMss(tp, sysctlValue(so.stack, SYSCTL.tcpMssDefault));
  return 0;
}

/** The control block of a socket's connection; undefined when it has ended. */
export function tcpOf(so: Socket): Tcpcb | undefined {
  return so.pcb === 0 ? undefined : tcpcbs.get(inpcbs.get(so.pcb).ppcb);
}

/** Ends a connection without a word to the peer: frees everything but a socket that a client still holds. */
export function tcpClose(tp: Tcpcb): void {
  const so = sockets.get(tp.socket);
  const inp = inpcbs.get(tp.inpcb);
  count(tp.stack, STAT.tcpClosed);
  cancelTimers(tp);
  reassemblyFlush(tp);
  leaveConnection(inp);
  leaveBound(inp, TCP_TABLE);
  soAbandonConnection(so);
  inpcbFree(inp);
  tcpcbs.free(tp.ptr);
  // A client that still holds it may let go while it is told.
  const orphan = (so.state & SS_NOFDREF) !== 0;
  soIsDisconnected(so);
  if (orphan) soFree(so);
}

/** Ends a connection with a reset, if the peer knows of it, and an error for the client, 0 for none. */
export function tcpDrop(tp: Tcpcb, errno: number): void {
  const so = sockets.get(tp.socket);
  if (haveReceivedSyn(tp.state) && tp.state !== TCPS_TIME_WAIT) {
    tp.state = TCPS_CLOSED;
    count(tp.stack, STAT.tcpDrops);
    sendReset(tp);
  } else count(tp.stack, STAT.tcpConnectDrops);
  if (errno !== 0) so.error = errno;
  tcpClose(tp);
}

/** The handshake is complete. */
export function tcpEstablished(tp: Tcpcb): void {
  count(tp.stack, STAT.tcpConnects);
  tp.state = TCPS_ESTABLISHED;
  congestionOf(tp).established(tp, tp.rexmitShift > 0);
  rttAfterHandshake(tp);
  const so = sockets.get(tp.socket);
  stopTimer(tp, TIMER_KEEP);
  if ((so.options & SO_KEEPALIVE) !== 0) startKeepalive(tp);
  soIsConnected(so);
  if ((tp.flags & TF_NEEDFIN) !== 0) tcpUserClosed(tp);
}

/** Keepalive begins to watch: idle time of the connection, else of sysctl. */
export function startKeepalive(tp: Tcpcb): void {
  tp.keepCount = 0;
  setTimer(tp, TIMER_KEEP, now() + keepIdle(tp));
}

/** Idle time before keepalive probes, ns. */
export function keepIdle(tp: Tcpcb): number {
  return (tp.keepIdle === 0 ? sysctlValue(tp.stack, SYSCTL.tcpKeepIdle) : tp.keepIdle) * SECOND;
}

/** Time between keepalive probes, ns. */
export function keepInterval(tp: Tcpcb): number {
  return (tp.keepInterval === 0 ? sysctlValue(tp.stack, SYSCTL.tcpKeepInterval) : tp.keepInterval) * SECOND;
}

/** Keepalive probes before the connection is dropped. */
export function keepProbes(tp: Tcpcb): number {
  return tp.keepProbes === 0 ? sysctlValue(tp.stack, SYSCTL.tcpKeepCount) : tp.keepProbes;
}

/** The client has closed its direction: a FIN is to follow what is still to be sent. The caller calls tcpOutput(). */
export function tcpUserClosed(tp: Tcpcb): void {
  if (tp.state === TCPS_ESTABLISHED) tp.state = TCPS_FIN_WAIT_1;
  else if (tp.state === TCPS_CLOSE_WAIT) tp.state = TCPS_LAST_ACK;
  else if (tp.state === TCPS_FIN_WAIT_2) watchFinWait2(tp);
  else if (tp.state === TCPS_SYN_SENT || tp.state === TCPS_SYN_RECEIVED) tp.flags |= TF_NEEDFIN;
}

/** Nobody is left to receive what the peer may still send: wait for its FIN no longer than for stray segments. */
export function watchFinWait2(tp: Tcpcb): void {
  if ((sockets.get(tp.socket).state & SS_NOFDREF) !== 0) start2msl(tp);
}

/** Twice the maximum segment lifetime from now (RFC 9293 §3.6.1). */
export function start2msl(tp: Tcpcb): void {
  setTimer(tp, TIMER_2MSL, now() + 2 * sysctlValue(tp.stack, SYSCTL.tcpMslMs) * MILLISECOND);
}

/** Both sides have closed: stays to answer retransmissions of the peer's FIN. */
export function enterTimeWait(tp: Tcpcb): void {
  tp.state = TCPS_TIME_WAIT;
  stopTimer(tp, TIMER_REXMIT);
  stopTimer(tp, TIMER_PERSIST);
  stopTimer(tp, TIMER_KEEP);
  stopTimer(tp, TIMER_DELACK);
  start2msl(tp);
  soIsDisconnected(sockets.get(tp.socket));
}
