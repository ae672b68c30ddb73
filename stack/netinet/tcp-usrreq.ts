/**
 * TCP as the socket layer sees it (protosw.ts; tcp_usrreq of 4.4BSD, the user calls of RFC 9293 §3.10.1 to §3.10.6).
 */
import { SECOND } from '../runtime/clock.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import {
  IPPROTO_IP,
  IPPROTO_TCP,
  IP_TOS,
  IP_TTL,
  SOL_SOCKET,
  SO_KEEPALIVE,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_MAXSEG,
  TCP_NODELAY,
} from '../runtime/messages/request.ts';
import { ifaddrs, ifnets, isBroadcast, isMulticast } from '../net/ifnet.ts';
import type { Protocol } from '../net/protosw.ts';
import {
  SS_ISCONNECTING,
  SS_ISDISCONNECTING,
  SS_NOFDREF,
  freeReceived,
  soFree,
  soIsConnecting,
  soIsDisconnecting,
  sockets,
} from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, stacks } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { TCP_TABLE, inpcbBind, inpcbs, sourceFor } from './inpcb.ts';
import type { Inpcb } from './inpcb.ts';
import { enterConnection, leaveConnection, lookupConnection } from './tcp-demux.ts';
import { beginConnection, continueAfter } from './tcp-listen.ts';
import { tcpOutput } from './tcp-output.ts';
import {
  keepIdle,
  keepInterval,
  keepProbes,
  startKeepalive,
  tcpAttach,
  tcpClose,
  tcpDrop,
  tcpOf,
  tcpUserClosed,
} from './tcp-state.ts';
import {
  TCPS_CLOSED,
  TCPS_ESTABLISHED,
  TCPS_LISTEN,
  TCPS_SYN_RECEIVED,
  TCPS_SYN_SENT,
  TCPS_TIME_WAIT,
  TF_NODELAY,
  TIMER_KEEP,
  TIMER_REXMIT,
  stateName,
  stopTimer,
  tcpcbs,
  timerRunning,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

function bind(so: Socket, address: number, port: number): number {
  if (so.pcb === 0) return ERRNO.EINVAL;
  if (isMulticast(address)) return ERRNO.EADDRNOTAVAIL;
  return inpcbBind(inpcbs.get(so.pcb), TCP_TABLE, address, port);
}

function listen(so: Socket): number {
  const tp = tcpOf(so);
  if (tp === undefined || tp.state > TCPS_LISTEN) return ERRNO.EINVAL;
  const inp = inpcbs.get(so.pcb);
  const status = inp.bound === 0 ? inpcbBind(inp, TCP_TABLE, 0, 0) : 0;
  if (status === 0) tp.state = TCPS_LISTEN;
  return status;
}

/** Where a connection to `address` goes: 0.0.0.0 means this host. 0 if no connection can go there. */
function destinationOf(stack: Stack, address: number): number {
  if (isMulticast(address)) return 0;
  if (address === 0) {
    const first = stack.interfaces === 0 ? 0 : ifnets.get(stack.interfaces).addresses;
    return first === 0 ? 0 : ifaddrs.get(first).address;
  }
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
    if (isBroadcast(ifnets.get(ptr), address)) return 0;
  }
  return address;
}

function connect(so: Socket, address: number, port: number): number {
  const tp = tcpOf(so);
  if (tp === undefined) return ERRNO.EINVAL;
  if (tp.state === TCPS_LISTEN) return ERRNO.EOPNOTSUPP;
  if (tp.state === TCPS_SYN_SENT || tp.state === TCPS_SYN_RECEIVED) return ERRNO.EALREADY;
  if (tp.state !== TCPS_CLOSED) return ERRNO.EISCONN;
  const stack = stacks.get(so.stack);
  const foreign = destinationOf(stack, address);
  if (foreign === 0 || port === 0) return ERRNO.EADDRNOTAVAIL;
  const inp = inpcbs.get(so.pcb);
  const local = inp.local === 0 ? sourceFor(stack, foreign) : inp.local;
  if (local === 0) return ERRNO.EHOSTUNREACH;
  const status = inp.bound === 0 ? inpcbBind(inp, TCP_TABLE, local, 0) : 0;
  if (status !== 0) return status;
  return call(tp, inp, so, local, foreign, port);
}

/** Sends the SYN; the port of our side is bound. */
function call(tp: Tcpcb, inp: Inpcb, so: Socket, local: number, foreign: number, port: number): number {
  const old = lookupConnection(so.stack, local, inp.localPort, foreign, port);
  let after = 0;
  if (old !== 0) {
    const other = tcpcbs.get(inpcbs.get(old).ppcb);
    if (other.state !== TCPS_TIME_WAIT) return ERRNO.EADDRINUSE;
    after = other.sndMax;
    tcpClose(other);
  }
  inp.local = local;
  inp.foreign = foreign;
  inp.foreignPort = port;
  enterConnection(inp);
  beginConnection(tp, inp, so);
  if (old !== 0) continueAfter(tp, after);
  tp.state = TCPS_SYN_SENT;
  count(tp.stack, STAT.tcpConnectAttempts);
  soIsConnecting(so);
  const status = tcpOutput(tp);
  if (status !== 0) hangUp(tp, inp, so);
  return status;
}

/** Not even a SYN could be sent: the socket may call somebody else. */
function hangUp(tp: Tcpcb, inp: Inpcb, so: Socket): void {
  leaveConnection(inp);
  inp.foreign = 0;
  inp.foreignPort = 0;
  tp.state = TCPS_CLOSED;
  stopTimer(tp, TIMER_REXMIT);
  stopTimer(tp, TIMER_KEEP);
  so.state &= ~SS_ISCONNECTING;
}

/** The client's last reference is gone. */
function detach(so: Socket): void {
  so.state |= SS_NOFDREF;
  const tp = tcpOf(so);
  if (tp === undefined) return soFree(so);
  if (tp.state < TCPS_SYN_RECEIVED) tcpClose(tp);
  else disconnect(tp, so);
}

/** Ends an open connection: with a reset if the client left data unread (RFC 2525 §2.17) or does not want to linger, else in good order. */
function disconnect(tp: Tcpcb, so: Socket): void {
  if (tp.state !== TCPS_TIME_WAIT && (so.linger === 0 || so.rcvCount > 0)) {
    freeReceived(so);
    tcpDrop(tp, 0);
    return;
  }
  freeReceived(so);
  if (tp.state === TCPS_TIME_WAIT) return;
  if ((so.state & SS_ISDISCONNECTING) === 0) soIsDisconnecting(so);
  tcpUserClosed(tp);
  tcpOutput(tp);
}

function shutdown(so: Socket): number {
  const tp = tcpOf(so);
  if (tp === undefined || tp.state < TCPS_SYN_SENT) return ERRNO.ENOTCONN;
  tcpUserClosed(tp);
  return tcpOutput(tp);
}

function received(so: Socket): void {
  const tp = tcpOf(so);
  if (tp === undefined || tp.state < TCPS_ESTABLISHED) return;
  watchOptions(tp, so);
  tcpOutput(tp);
}

function send(so: Socket): number {
  const tp = tcpOf(so);
  if (tp === undefined) return ERRNO.ENOTCONN;
  if (tp.state < TCPS_ESTABLISHED) return 0;
  watchOptions(tp, so);
  return tcpOutput(tp);
}

/** SO_KEEPALIVE may have been set since the connection was established. */
function watchOptions(tp: Tcpcb, so: Socket): void {
  if ((so.options & SO_KEEPALIVE) === 0 || timerRunning(tp, TIMER_KEEP) || tp.state === TCPS_TIME_WAIT)
    return;
  startKeepalive(tp);
}

function setTcpOption(tp: Tcpcb, option: number, value: number): number {
  if (option === TCP_NODELAY) {
    tp.flags = value === 0 ? tp.flags & ~TF_NODELAY : tp.flags | TF_NODELAY;
    return 0;
  }
  if (option !== TCP_KEEPIDLE && option !== TCP_KEEPINTVL && option !== TCP_KEEPCNT) return ERRNO.ENOPROTOOPT;
  if (value < 1 || value > MAX_KEEP) return ERRNO.EINVAL;
  if (option === TCP_KEEPIDLE) tp.keepIdle = value;
  else if (option === TCP_KEEPINTVL) tp.keepInterval = value;
  else tp.keepProbes = Math.min(value, MAX_PROBES);
  const so = sockets.get(tp.socket);
  if ((so.options & SO_KEEPALIVE) !== 0 && tp.state >= TCPS_ESTABLISHED) startKeepalive(tp);
  return 0;
}

const MAX_KEEP = 86_400;
const MAX_PROBES = 100;

function setOption(so: Socket, level: number, option: number, value: number): number {
  const tp = tcpOf(so);
  if (tp === undefined) return ERRNO.EINVAL;
  if (level === IPPROTO_TCP) return setTcpOption(tp, option, value);
  if (level === SOL_SOCKET && option === SO_KEEPALIVE) {
    if (value !== 0 && tp.state >= TCPS_ESTABLISHED) startKeepalive(tp);
    return 0;
  }
  if (level !== IPPROTO_IP) return ERRNO.ENOPROTOOPT;
  const inp = inpcbs.get(so.pcb);
  if (option === IP_TTL) {
    if (value < 1 || value > 255) return ERRNO.EINVAL;
    inp.ttl = value;
  } else if (option === IP_TOS) {
    if (value < 0 || value > 255) return ERRNO.EINVAL;
    inp.tos = value;
  } else return ERRNO.ENOPROTOOPT;
  return 0;
}

function getOption(so: Socket, level: number, option: number): number | undefined {
  const tp = tcpOf(so);
  if (tp === undefined) return undefined;
  const inp = inpcbs.get(so.pcb);
  if (level === IPPROTO_IP) return option === IP_TTL ? inp.ttl : option === IP_TOS ? inp.tos : undefined;
  if (level !== IPPROTO_TCP) return undefined;
  switch (option) {
    case TCP_NODELAY:
      return (tp.flags & TF_NODELAY) === 0 ? 0 : 1;
    case TCP_MAXSEG:
      return tp.segment;
    case TCP_KEEPIDLE:
      return keepIdle(tp) / SECOND;
    case TCP_KEEPINTVL:
      return keepInterval(tp) / SECOND;
    case TCP_KEEPCNT:
      return keepProbes(tp);
    default:
      return undefined;
  }
}

function names(so: Socket): ReturnType<Protocol['names']> {
  if (so.pcb === 0) return { local: 0, localPort: 0, foreign: 0, foreignPort: 0 };
  const inp = inpcbs.get(so.pcb);
  return {
    local: inp.local,
    localPort: inp.localPort,
    foreign: inp.foreign,
    foreignPort: inp.foreignPort,
  };
}

export const tcpProtocol: Protocol = {
  name: 'tcp',
  attach: tcpAttach,
  detach,
  bind,
  listen,
  connect,
  shutdown,
  received,
  send,
  abort(so) {
    const tp = tcpOf(so);
    if (tp === undefined) soFree(so);
    else tcpDrop(tp, ERRNO.ECONNABORTED);
  },
  setOption,
  getOption,
  names,
  state(so) {
    return stateName(tcpOf(so)?.state ?? TCPS_CLOSED);
  },
};
