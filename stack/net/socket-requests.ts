/**
 * The messages of libsocket, carried out in the stack context: socket, bind, listen, accept, connect, send, recv, shutdown, close and so on
 * (socket(2), the socket layer of 4.4BSD).
 */
import { ERRNO } from '../runtime/messages/errno.ts';
import {
  AF_BPF,
  AF_INET,
  AF_LINK,
  IPPROTO_ICMP,
  IPPROTO_RAW,
  IPPROTO_TCP,
  IPPROTO_UDP,
  PROTOCOL_BPF,
  PROTOCOL_DEVICE,
  MSG_DONTWAIT,
  OP,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
  SO_ACCEPTCONN,
  requests,
} from '../runtime/messages/request.ts';
import type { Request } from '../runtime/messages/request.ts';
import { SECOND } from '../runtime/clock.ts';
import { setRequestHandler } from './netisr.ts';
import {
  WAIT_NOWHERE,
  fail,
  failWaiters,
  finish,
  parkOnSocket,
  setTimeoutHandler,
  unpark,
} from './parking.ts';
import { checkPolls, expirePoll, poll } from './poll.ts';
import { hasProtocol, protocolOf } from './protosw.ts';
import { endSend, receive, receiveRecords, send, sendRecords, takeError } from './socket-io.ts';
import { getOption, setOption } from './socket-options.ts';
import {
  SS_CANTSENDMORE,
  SS_ISCONNECTED,
  SS_ISCONNECTING,
  SS_NOFDREF,
  freeReceived,
  soAbandonConnection,
  soAccept,
  soCantRcvMore,
  soCantSendMore,
  soCreate,
  soFree,
  soTakeDue,
  sockets,
} from './socket.ts';
import type { Socket } from './socket.ts';
import { stacks } from './stack.ts';

const LONGEST_BACKLOG = 128;

let runControl: (request: Request) => void = (request) => fail(request, ERRNO.ENOSYS);

/** Says who carries out control calls. */
export function setControlHandler(handler: (request: Request) => void): void {
  runControl = handler;
}

/** Which entry of the protocol switch serves a kind of socket; an errno below 0 if none does. */
function protocolFor(type: number, protocol: number): number {
  if (type === SOCK_STREAM)
    return protocol === 0 || protocol === IPPROTO_TCP ? IPPROTO_TCP : -ERRNO.EPROTOTYPE;
  if (type === SOCK_DGRAM)
    return protocol === 0 || protocol === IPPROTO_UDP ? IPPROTO_UDP : -ERRNO.EPROTOTYPE;
  if (type !== SOCK_RAW) return -ERRNO.EPROTONOSUPPORT;
  return protocol === IPPROTO_ICMP ? IPPROTO_ICMP : IPPROTO_RAW;
}

function create(request: Request): void {
  const { a: domain, b: type, c: protocol } = request;
  if (domain === AF_LINK) return attachNew(request, SOCK_RAW, PROTOCOL_DEVICE, protocol);
  if (domain === AF_BPF) return attachNew(request, SOCK_RAW, PROTOCOL_BPF, protocol);
  if (domain !== AF_INET) return fail(request, ERRNO.EAFNOSUPPORT);
  const entry = protocolFor(type, protocol);
  if (entry < 0) return fail(request, -entry);
  if (!hasProtocol(entry) || protocol < 0 || protocol > 255) return fail(request, ERRNO.EPROTONOSUPPORT);
  return attachNew(request, type, entry, type === SOCK_RAW ? protocol : entry);
}

/** Makes a socket that is served by `entry` of the protocol switch; `number` is what tells that which one it is. */
function attachNew(request: Request, type: number, entry: number, number: number): void {
  const ptr = soCreate(request.stack, type, entry);
  if (ptr === 0) return fail(request, ERRNO.ENOBUFS);
  const so = sockets.get(ptr);
  const status = protocolOf(so).attach(so, number);
  if (status !== 0) {
    so.state |= SS_NOFDREF;
    soFree(so);
  }
  finish(request, status, status === 0 ? ptr : 0);
}

function listen(so: Socket, request: Request): void {
  if (so.type !== SOCK_STREAM) return fail(request, ERRNO.EOPNOTSUPP);
  if ((so.state & (SS_ISCONNECTED | SS_ISCONNECTING)) !== 0) return fail(request, ERRNO.EINVAL);
  const status = protocolOf(so).listen(so);
  if (status !== 0) return fail(request, status);
  so.options |= SO_ACCEPTCONN;
  so.backlog = Math.min(Math.max(request.a, 1), LONGEST_BACKLOG);
  finish(request, 0, 0);
}

function accept(so: Socket, request: Request): boolean {
  if ((so.options & SO_ACCEPTCONN) === 0) fail(request, ERRNO.EINVAL);
  else if (so.ready === 0) {
    if (so.error !== 0) fail(request, takeError(so));
    else if ((request.flags & MSG_DONTWAIT) !== 0) fail(request, ERRNO.EAGAIN);
    else return false;
  } else {
    const accepted = sockets.get(soAccept(so));
    const names = protocolOf(accepted).names(accepted);
    request.c = names.foreign | 0;
    request.value2 = names.foreignPort;
    finish(request, 0, accepted.ptr);
  }
  return true;
}

/** Starts to connect, or looks how far it has come. `value2` is 1 from the second time on. */
function connect(so: Socket, request: Request): boolean {
  if (request.value2 === 0) {
    if ((so.options & SO_ACCEPTCONN) !== 0) return failed(request, ERRNO.EOPNOTSUPP);
    if (so.type === SOCK_STREAM && (so.state & SS_ISCONNECTED) !== 0) return failed(request, ERRNO.EISCONN);
    if ((so.state & SS_ISCONNECTING) !== 0) return failed(request, ERRNO.EALREADY);
    so.error = 0;
    request.value2 = 1;
    const status = protocolOf(so).connect(so, request.a >>> 0, request.b);
    if (status !== 0) return failed(request, status);
  }
  if ((so.state & SS_ISCONNECTING) !== 0) {
    return (request.flags & MSG_DONTWAIT) === 0 ? false : failed(request, ERRNO.EINPROGRESS);
  }
  const status = takeError(so);
  request.value2 = 0;
  if (status !== 0) return failed(request, status);
  finish(request, 0, 0);
  return true;
}

function failed(request: Request, errno: number): boolean {
  fail(request, errno);
  return true;
}

function shutdown(so: Socket, request: Request): void {
  const how = request.a;
  if (how !== SHUT_RD && how !== SHUT_WR && how !== SHUT_RDWR) return fail(request, ERRNO.EINVAL);
  if ((so.state & SS_ISCONNECTED) === 0) return fail(request, ERRNO.ENOTCONN);
  if (how !== SHUT_WR) {
    freeReceived(so);
    soCantRcvMore(so);
  }
  let status = 0;
  if (how !== SHUT_RD && (so.state & SS_CANTSENDMORE) === 0) {
    soCantSendMore(so);
    status = protocolOf(so).shutdown(so);
  }
  finish(request, status, 0);
}

/** Closes a socket; with SO_LINGER the answer waits until what was written has arrived, or for so many seconds. */
function close(so: Socket, request: Request): boolean {
  if (request.value2 === 0) {
    failWaiters(so, ERRNO.EBADF);
    const lingers =
      so.type === SOCK_STREAM && so.linger > 0 && (so.state & SS_ISCONNECTED) !== 0 && so.sndCount > 0;
    if (lingers) {
      request.value2 = 1;
      request.timeout = so.linger * SECOND;
      soCantSendMore(so);
      protocolOf(so).shutdown(so);
      return false;
    }
  } else if (so.sndCount > 0 && (so.state & SS_ISCONNECTED) !== 0) return false;
  discard(so);
  finish(request, 0, 0);
  return true;
}

/** Gives up the client's hold of a socket, and the connections that nobody accepted. */
function discard(so: Socket): void {
  if ((so.options & SO_ACCEPTCONN) !== 0) dropUnaccepted(so);
  so.state |= SS_NOFDREF;
  if (so.pcb !== 0) protocolOf(so).detach(so);
  else soFree(so);
}

function dropUnaccepted(head: Socket): void {
  while (head.ready !== 0) {
    const so = sockets.get(soAccept(head));
    so.state |= SS_NOFDREF;
    protocolOf(so).abort(so);
  }
  let ptr = head.embryonic === 0 ? 0 : stacks.get(head.stack).sockets;
  while (ptr !== 0) {
    const so = sockets.get(ptr);
    ptr = so.next;
    if (so.head !== head.ptr) continue;
    soAbandonConnection(so);
    protocolOf(so).abort(so);
  }
}

function names(so: Socket, request: Request): void {
  const own = request.op === OP.getsockname;
  if (!own && (so.state & SS_ISCONNECTED) === 0) return fail(request, ERRNO.ENOTCONN);
  const { local, localPort, foreign, foreignPort } = protocolOf(so).names(so);
  request.c = (own ? local : foreign) | 0;
  finish(request, 0, own ? localPort : foreignPort);
}

function option(so: Socket, request: Request): void {
  if (request.op === OP.setsockopt) return finish(request, setOption(so, request.a, request.b, request.c), 0);
  const value = getOption(so, request.a, request.b);
  if (value === undefined) fail(request, ERRNO.ENOPROTOOPT);
  else finish(request, 0, value);
}

/** Carries out a request that may block; false: it has to wait (or wait on). */
function attempt(so: Socket, request: Request): boolean {
  switch (request.op) {
    case OP.recv:
      return receive(so, request);
    case OP.send:
      return send(so, request);
    case OP.recvmmsg:
      return receiveRecords(so, request);
    case OP.accept:
      return accept(so, request);
    case OP.connect:
      return connect(so, request);
    default:
      return close(so, request);
  }
}

function atOnce(so: Socket, request: Request): void {
  switch (request.op) {
    case OP.bind:
      return finish(request, protocolOf(so).bind(so, request.a >>> 0, request.b), 0);
    case OP.listen:
      return listen(so, request);
    case OP.sendmmsg:
      return sendRecords(so, request);
    case OP.shutdown:
      return shutdown(so, request);
    case OP.setsockopt:
    case OP.getsockopt:
      return option(so, request);
    case OP.getsockname:
    case OP.getpeername:
      return names(so, request);
    default:
      return fail(request, ERRNO.ENOSYS);
  }
}

/** The client was interrupted: what it waits for ends with EINTR, if it still waits. */
function unblock(request: Request): void {
  const target = requests.get(request.a);
  const still =
    (target.client | 0) === request.b && target.waiting !== WAIT_NOWHERE && target.stack === request.stack;
  if (still) {
    unpark(target);
    if (target.op === OP.close) abandonLinger(target);
    else fail(target, ERRNO.EINTR);
  }
  requests.free(request.ptr);
}

function abandonLinger(request: Request): void {
  discard(sockets.get(request.socket));
  finish(request, 0, 0);
}

function expire(request: Request): void {
  const isPoll = request.op === OP.poll;
  const own = request.op === OP.recv ? protocolOf(sockets.get(request.socket)).expire : undefined;
  unpark(request);
  if (isPoll) expirePoll(request);
  else if (own !== undefined) own(sockets.get(request.socket), request);
  else if (request.op === OP.close) abandonLinger(request);
  else if (request.op === OP.send && request.value > 0) endSend(request, 0);
  else fail(request, ERRNO.EAGAIN);
}

function run(ptr: number): void {
  const request = requests.get(ptr);
  switch (request.op) {
    case OP.socket:
      return create(request);
    case OP.poll:
      return poll(request);
    case OP.control:
      return runControl(request);
    case OP.unblock:
      return unblock(request);
    default:
  }
  if (request.socket === 0 || sockets.get(request.socket).stack !== request.stack)
    return fail(request, ERRNO.EBADF);
  const so = sockets.get(request.socket);
  switch (request.op) {
    case OP.recv:
    case OP.send:
    case OP.recvmmsg:
    case OP.accept:
    case OP.connect:
    case OP.close:
      if (!attempt(so, request)) parkOnSocket(request, so);
      return undefined;
    default:
      return atOnce(so, request);
  }
}

/** Looks again at all that wait on a socket, in order. */
function wake(so: Socket): void {
  let ptr = so.waiters;
  so.waiters = 0;
  while (ptr !== 0) {
    const request = requests.get(ptr);
    ptr = request.parked;
    request.waiting = WAIT_NOWHERE;
    request.parked = 0;
    if (!attempt(so, request)) parkOnSocket(request, so);
  }
}

/** A batch is through: what it made possible is done, and polls are answered. */
function finishBatch(stack: number): void {
  const owner = stacks.get(stack);
  for (let ptr = soTakeDue(owner); ptr !== 0; ptr = soTakeDue(owner)) wake(sockets.get(ptr));
  checkPolls(stack);
}

/** Makes the socket layer part of the stack in this thread. */
export function installSockets(): void {
  setRequestHandler(run, finishBatch);
  setTimeoutHandler(expire);
}
