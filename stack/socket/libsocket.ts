/**
 * libsocket: the BSD socket API for programs on a node (socket(2) and its family), as messages to the io-pkt that the process uses. Calls that
 * block are promises; a signal to the process ends them with EINTR. Errors are SystemErrors with BSD's errno.
 */
import { Buffer } from 'node:buffer';
import type { Process } from '../kernel/process.ts';
import { control, takeData, takeDataInto, takeDatagramsInto } from '../kernel/stack-client.ts';
import type { DatagramTarget, Reply } from '../kernel/stack-client.ts';
import { stackOf } from '../kernel/io-pkt.ts';
import type { ControlIn, ControlName, ControlOut } from '../runtime/messages/control.ts';
import { HEADROOM } from '../memory/mbuf.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import {
  MSG_DONTWAIT,
  MSG_TO,
  OP,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_RCVTIMEO,
  SO_SNDTIMEO,
} from '../runtime/messages/request.ts';
import { SocketDescriptor, request, stackServer } from './descriptor.ts';

/** An address of the Internet family; both in host order. */
export interface SockaddrIn {
  readonly address: number;
  readonly port: number;
}

/** What recvfrom gives. */
export interface Datagram {
  readonly data: Buffer;
  readonly from: SockaddrIn;
}

/** Most bytes of a stream that one message carries. */
export const MESSAGE_BYTES = 262_144;
const LARGEST_DATAGRAM = 65_535;
/** Most datagrams of one sendmmsg or recvmmsg. */
const MOST_DATAGRAMS = 1024;
const MS = 1e6;

function socketOf(proc: Process, fd: number, what: string): SocketDescriptor {
  const descriptor = proc.fds.get(fd);
  if (!(descriptor instanceof SocketDescriptor)) throw new SystemError(ERRNO.ENOTSOCK, what);
  return descriptor;
}

/** Enters a new socket in the process's table; closes it when the process was interrupted while the stack made it. */
async function enter(proc: Process, made: SocketDescriptor, what: string): Promise<number> {
  if (!proc.signal.aborted) return proc.fds.add(made);
  await made.close();
  throw new SystemError(ERRNO.EINTR, what);
}

function waitFlag(socket: SocketDescriptor, flags: number): number {
  return socket.nonBlocking ? flags | MSG_DONTWAIT : flags;
}

/**
 * Makes an endpoint: socket(2).
 * @returns its descriptor
 * @throws SystemError ENOENT when no stack runs; EAFNOSUPPORT, EPROTONOSUPPORT, EPROTOTYPE, ENOBUFS from the stack
 */
export async function socket(proc: Process, domain: number, type: number, protocol: number): Promise<number> {
  const server = stackServer(proc);
  const reply = await request(proc, server, 'socket', { op: OP.socket, a: domain, b: type, c: protocol });
  return enter(proc, new SocketDescriptor(server, reply.value, type), 'socket');
}

/** Names the local end: bind(2). EADDRINUSE, EADDRNOTAVAIL, EINVAL. */
export async function bind(proc: Process, fd: number, local: SockaddrIn): Promise<void> {
  await socketOf(proc, fd, 'bind').call(proc, 'bind', { op: OP.bind, a: local.address | 0, b: local.port });
}

/** Lets connections in: listen(2). */
export async function listen(proc: Process, fd: number, backlog: number): Promise<void> {
  await socketOf(proc, fd, 'listen').call(proc, 'listen', { op: OP.listen, a: backlog });
}

/** The next connection of a listening socket: accept(2). */
export async function accept(proc: Process, fd: number): Promise<{ fd: number; from: SockaddrIn }> {
  const listening = socketOf(proc, fd, 'accept');
  const reply = await listening.call(proc, 'accept', {
    op: OP.accept,
    flags: waitFlag(listening, 0),
    timeout: listening.receiveTimeout,
  });
  const accepted = new SocketDescriptor(listening.server, reply.value, SOCK_STREAM);
  const entered = await enter(proc, accepted, 'accept');
  return { fd: entered, from: { address: reply.c >>> 0, port: reply.value2 } };
}

/** Connects, or sets the peer of a datagram socket: connect(2). ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EINPROGRESS. */
export async function connect(proc: Process, fd: number, peer: SockaddrIn): Promise<void> {
  const connecting = socketOf(proc, fd, 'connect');
  await connecting.call(proc, 'connect', {
    op: OP.connect,
    a: peer.address | 0,
    b: peer.port,
    flags: waitFlag(connecting, 0),
    timeout: connecting.sendTimeout,
  });
}

/**
 * Sends on a connected socket: send(2). A blocking stream takes all of it, in messages of at most MESSAGE_BYTES.
 * @returns bytes taken; less than given only without blocking or after a time-out that came late
 */
export async function send(proc: Process, fd: number, data: Uint8Array | string, flags = 0): Promise<number> {
  const sending = socketOf(proc, fd, 'send');
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  if (sending.type !== SOCK_STREAM) return sendMessage(proc, sending, 'send', bytes, { flags });
  let sent = 0;
  do {
    const piece = bytes.subarray(sent, sent + MESSAGE_BYTES);
    try {
      const taken = await sendMessage(proc, sending, 'send', piece, { flags });
      sent += taken;
      if (taken < piece.length && sending.nonBlocking) break;
    } catch (error) {
      if (sent === 0 || !(error instanceof SystemError) || error.errno !== ERRNO.EAGAIN) throw error;
      break;
    }
  } while (sent < bytes.length);
  return sent;
}

/** Sends one datagram to an address: sendto(2). EMSGSIZE, EDESTADDRREQ, EHOSTUNREACH, ENETUNREACH, EACCES for broadcasts. */
export async function sendto(
  proc: Process,
  fd: number,
  data: Uint8Array | string,
  to: SockaddrIn,
  flags = 0,
): Promise<number> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const args = { flags: flags | MSG_TO, a: to.address | 0, b: to.port };
  return sendMessage(proc, socketOf(proc, fd, 'sendto'), 'sendto', bytes, args);
}

async function sendMessage(
  proc: Process,
  sending: SocketDescriptor,
  what: string,
  data: Uint8Array,
  { flags, a = 0, b = 0 }: { flags: number; a?: number; b?: number },
): Promise<number> {
  if (sending.type !== SOCK_STREAM && data.length > LARGEST_DATAGRAM)
    throw new SystemError(ERRNO.EMSGSIZE, what);
  const lead = sending.type === SOCK_STREAM ? 0 : HEADROOM;
  const args = {
    op: OP.send,
    data,
    lead,
    a,
    b,
    flags: waitFlag(sending, flags),
    timeout: sending.sendTimeout,
  };
  return (await sending.call(proc, what, args)).value;
}

/** Receives at most `length` bytes: recv(2). An empty buffer is the end of the stream (or an empty datagram). */
export async function recv(proc: Process, fd: number, length: number, flags = 0): Promise<Buffer> {
  return takeData(await receive(proc, fd, 'recv', length, flags));
}

/** Receives one datagram and says from whom: recvfrom(2). On a raw socket the data starts with the IP header. */
export async function recvfrom(proc: Process, fd: number, length: number, flags = 0): Promise<Datagram> {
  const reply = await receive(proc, fd, 'recvfrom', length, flags);
  return { data: takeData(reply), from: { address: reply.c >>> 0, port: reply.value2 } };
}

/**
 * Receives into memory of the program, as recv(2) does: no buffer is made.
 * @returns bytes received; 0 is the end of the stream (or an empty datagram)
 */
export async function recvInto(proc: Process, fd: number, target: Uint8Array, flags = 0): Promise<number> {
  return takeDataInto(await receive(proc, fd, 'recv', target.length, flags), target);
}

function receive(proc: Process, fd: number, what: string, length: number, flags: number): Promise<Reply> {
  const receiving = socketOf(proc, fd, what);
  return receiving.call(proc, what, {
    op: OP.recv,
    a: Math.min(length, MESSAGE_BYTES),
    flags: waitFlag(receiving, flags),
    timeout: receiving.receiveTimeout,
  });
}

/**
 * Sends several datagrams with one message, to one address or on a connected socket: sendmmsg(2). Errors as sendto, if not even the first could be sent.
 * @returns how many were taken
 */
export async function sendmmsg(
  proc: Process,
  fd: number,
  datagrams: readonly Uint8Array[],
  to?: SockaddrIn,
  flags = 0,
): Promise<number> {
  const sending = socketOf(proc, fd, 'sendmmsg');
  if (datagrams.length > MOST_DATAGRAMS) throw new SystemError(ERRNO.EINVAL, 'sendmmsg');
  if (datagrams.some(({ length }) => length > LARGEST_DATAGRAM))
    throw new SystemError(ERRNO.EMSGSIZE, 'sendmmsg');
  const destination = to === undefined ? {} : { a: to.address | 0, b: to.port };
  const how = waitFlag(sending, to === undefined ? flags : flags | MSG_TO);
  return (await sending.call(proc, 'sendmmsg', { op: OP.sendmmsg, datagrams, flags: how, ...destination }))
    .value;
}

/**
 * Receives as many datagrams as wait, at most one into each target, and waits for the first only: recvmmsg(2) with MSG_WAITFORONE. All targets have room for the
 * same number of bytes; what is longer is cut.
 * @returns how many came
 */
export async function recvmmsg(
  proc: Process,
  fd: number,
  targets: readonly DatagramTarget[],
  flags = 0,
): Promise<number> {
  const receiving = socketOf(proc, fd, 'recvmmsg');
  const [first] = targets;
  if (first === undefined || targets.length > MOST_DATAGRAMS) throw new SystemError(ERRNO.EINVAL, 'recvmmsg');
  const reply = await receiving.call(proc, 'recvmmsg', {
    op: OP.recvmmsg,
    a: first.bytes.length,
    b: targets.length,
    flags: waitFlag(receiving, flags),
    timeout: receiving.receiveTimeout,
  });
  return takeDatagramsInto(reply, targets);
}

/** Closes one direction or both of a connection: shutdown(2); `how` is SHUT_RD, SHUT_WR or SHUT_RDWR. */
export async function shutdown(proc: Process, fd: number, how: number): Promise<void> {
  await socketOf(proc, fd, 'shutdown').call(proc, 'shutdown', { op: OP.shutdown, a: how });
}

/** Closes a descriptor: close(2). Calls that are blocked on the socket end with EINTR. */
export async function close(proc: Process, fd: number): Promise<void> {
  await proc.fds.remove(fd).close();
}

/** The local end: getsockname(2). */
export async function getsockname(proc: Process, fd: number): Promise<SockaddrIn> {
  const reply = await socketOf(proc, fd, 'getsockname').call(proc, 'getsockname', { op: OP.getsockname });
  return { address: reply.c >>> 0, port: reply.value };
}

/** The far end: getpeername(2). ENOTCONN. */
export async function getpeername(proc: Process, fd: number): Promise<SockaddrIn> {
  const reply = await socketOf(proc, fd, 'getpeername').call(proc, 'getpeername', { op: OP.getpeername });
  return { address: reply.c >>> 0, port: reply.value };
}

/** Reads an option: getsockopt(2). Time-outs are in ms. ENOPROTOOPT. */
export async function getsockopt(proc: Process, fd: number, level: number, option: number): Promise<number> {
  const asked = socketOf(proc, fd, 'getsockopt');
  return (await asked.call(proc, 'getsockopt', { op: OP.getsockopt, a: level, b: option })).value;
}

/** Sets an option: setsockopt(2). SO_RCVTIMEO and SO_SNDTIMEO are in ms, 0 for none. ENOPROTOOPT, EINVAL. */
export async function setsockopt(
  proc: Process,
  fd: number,
  level: number,
  option: number,
  value: number,
): Promise<void> {
  const changed = socketOf(proc, fd, 'setsockopt');
  await changed.call(proc, 'setsockopt', { op: OP.setsockopt, a: level, b: option, c: value });
  if (level !== SOL_SOCKET) return;
  if (option === SO_RCVTIMEO) changed.receiveTimeout = value * MS;
  if (option === SO_SNDTIMEO) changed.sendTimeout = value * MS;
}

/** Whether calls on a socket return EAGAIN (connect: EINPROGRESS) where they would block: O_NONBLOCK of fcntl(2), FIONBIO. */
export function setNonBlocking(proc: Process, fd: number, on: boolean): void {
  socketOf(proc, fd, 'fcntl').nonBlocking = on;
}

/** A control call on the stack of a socket: ioctl(2). */
export function ioctl<N extends ControlName>(
  proc: Process,
  fd: number,
  name: N,
  argument: ControlIn<N>,
): Promise<ControlOut<N>> {
  return control(socketOf(proc, fd, 'ioctl').server.address, name, argument, proc.priority);
}

/** A control call on the stack that the process uses (environment variable SOCK): what a command does that needs no socket of its own. */
export function stackControl<N extends ControlName>(
  proc: Process,
  name: N,
  argument: ControlIn<N>,
): Promise<ControlOut<N>> {
  return control(stackOf(proc).address, name, argument, proc.priority);
}
