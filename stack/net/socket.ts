/**
 * Sockets as the stack has them (struct socket of 4.4BSD) in the one memory: state, buffers, the queue of connections that wait for accept,
 * and the requests of clients that block on it. What a protocol calls when something happens: soIsConnected, soCantRcvMore, soWakeRead and so on.
 */
import { mFree, mFreeList } from '../memory/mbuf.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { SO_ACCEPTCONN } from '../runtime/messages/request.ts';
import { stacks } from './stack.ts';
import type { Stack } from './stack.ts';

/** State bits. */
export const SS_NOFDREF = 0x001;
export const SS_ISCONNECTED = 0x002;
export const SS_ISCONNECTING = 0x004;
export const SS_ISDISCONNECTING = 0x008;
export const SS_CANTSENDMORE = 0x010;
export const SS_CANTRCVMORE = 0x020;
/** It waits on the accept queue of `head`. */
export const SS_COMPLETE = 0x040;

export const socketStruct = struct('socket', {
  /** Next socket of the stack, and the one before. */
  next: 'ptr',
  nextpkt: 'ptr',
  prev: 'ptr',
  stack: 'ptr',
  /** The protocol's control block. */
  pcb: 'ptr',
  type: 'u8',
  /** IPPROTO_*. */
  protocol: 'u8',
  state: 'u16',
  options: 'u32',
  /** Pending error, reported once. */
  error: 'i32',
  /** Seconds; -1: off. */
  linger: 'i32',
  /** The listening socket that this one came from, until it is accepted. */
  head: 'ptr',
  /** Listening: connections ready for accept (first, last, count, most), and how many are still being established. */
  ready: 'ptr',
  readyLast: 'ptr',
  readyCount: 'u32',
  backlog: 'u32',
  embryonic: 'u32',
  /** Next in the accept queue. */
  nextReady: 'ptr',
  /** Requests that block on it, linked by `parked`. */
  waiters: 'ptr',
  /** Next socket whose waiters are to be looked at, and 1 while it is among them. */
  nextDue: 'ptr',
  due: 'u8',
  // Receive buffer. Streams: a chain linked by next. Datagrams: records linked by nextpkt, each with the source in aux and aux2.
  rcvFirst: 'ptr',
  rcvLast: 'ptr',
  rcvCount: 'u32',
  rcvHiwat: 'u32',
  rcvLowat: 'u32',
  // Send buffer: a chain. sndHint is the buffer in which the byte at offset sndHintOff of the send buffer lies first.
  sndFirst: 'ptr',
  sndLast: 'ptr',
  sndCount: 'u32',
  sndHiwat: 'u32',
  sndLowat: 'u32',
  sndHint: 'ptr',
  sndHintOff: 'u32',
  /** ms, 0 for none. */
  rcvTimeout: 'u32',
  sndTimeout: 'u32',
});
export type Socket = ViewOf<typeof socketStruct>;
export const sockets = slab(socketStruct, 16_384);

/** A new socket of a stack, 0 when the slab is full. */
export function soCreate(stack: number, type: number, protocol: number): number {
  const ptr = sockets.alloc();
  if (ptr === 0) return 0;
  const so = sockets.get(ptr);
  const owner = stacks.get(stack);
  so.stack = stack;
  so.type = type;
  so.protocol = protocol;
  so.linger = -1;
  so.rcvLowat = 1;
  so.sndLowat = 2048;
  so.next = owner.sockets;
  if (so.next !== 0) sockets.get(so.next).prev = ptr;
  owner.sockets = ptr;
  return ptr;
}

/** Frees a socket that neither a client nor a protocol holds any more. */
export function soFree(so: Socket): void {
  if (so.pcb !== 0 || (so.state & SS_NOFDREF) === 0) return;
  if ((so.state & SS_COMPLETE) !== 0) leaveReady(so);
  if (so.due !== 0) leaveDue(so);
  mFree(so.sndFirst);
  freeReceived(so);
  if (so.prev === 0) stacks.get(so.stack).sockets = so.next;
  else sockets.get(so.prev).next = so.next;
  if (so.next !== 0) sockets.get(so.next).prev = so.prev;
  so.stack = 0;
  sockets.free(so.ptr);
}

/** Drops all that was received. */
export function freeReceived(so: Socket): void {
  if (so.rcvFirst !== 0) mFreeList(so.rcvFirst);
  so.rcvFirst = 0;
  so.rcvLast = 0;
  so.rcvCount = 0;
}

function leaveReady(so: Socket): void {
  const head = sockets.get(so.head);
  if (head.ready === so.ptr) head.ready = so.nextReady;
  else {
    let at = sockets.get(head.ready);
    while (at.nextReady !== so.ptr) at = sockets.get(at.nextReady);
    at.nextReady = so.nextReady;
    if (so.nextReady === 0) head.readyLast = at.ptr;
  }
  so.nextReady = 0;
  so.head = 0;
  so.state &= ~SS_COMPLETE;
  head.readyCount--;
}

/** Something changed that a blocked request or a poll may wait for: both are looked at when the present batch is through. */
export function soWake(so: Socket): void {
  const stack = stacks.get(so.stack);
  stack.pollDue = 1;
  if (so.waiters === 0 || so.due !== 0) return;
  so.due = 1;
  so.nextDue = 0;
  if (stack.dueFirst === 0) stack.dueFirst = so.ptr;
  else sockets.get(stack.dueLast).nextDue = so.ptr;
  stack.dueLast = so.ptr;
}

/** Takes the next socket whose waiters are to be looked at, 0 if there is none. */
export function soTakeDue(stack: Stack): number {
  const ptr = stack.dueFirst;
  if (ptr === 0) return 0;
  const so = sockets.get(ptr);
  stack.dueFirst = so.nextDue;
  so.due = 0;
  return ptr;
}

function leaveDue(so: Socket): void {
  const stack = stacks.get(so.stack);
  if (stack.dueFirst === so.ptr) {
    stack.dueFirst = so.nextDue;
    return;
  }
  let at = sockets.get(stack.dueFirst);
  while (at.nextDue !== so.ptr) at = sockets.get(at.nextDue);
  at.nextDue = so.nextDue;
  if (so.nextDue === 0) stack.dueLast = at.ptr;
}

export function soIsConnecting(so: Socket): void {
  so.state = (so.state & ~(SS_ISCONNECTED | SS_ISDISCONNECTING)) | SS_ISCONNECTING;
}

/** A connection is established: its client goes on, or it joins the accept queue of the listening socket. */
export function soIsConnected(so: Socket): void {
  so.state = (so.state & ~(SS_ISCONNECTING | SS_ISDISCONNECTING)) | SS_ISCONNECTED;
  if (so.head === 0 || (so.state & SS_COMPLETE) !== 0) {
    soWake(so);
    return;
  }
  const head = sockets.get(so.head);
  head.embryonic--;
  so.state |= SS_COMPLETE;
  if (head.ready === 0) head.ready = so.ptr;
  else sockets.get(head.readyLast).nextReady = so.ptr;
  head.readyLast = so.ptr;
  head.readyCount++;
  soWake(head);
}

export function soIsDisconnecting(so: Socket): void {
  so.state = (so.state & ~SS_ISCONNECTING) | SS_ISDISCONNECTING | SS_CANTRCVMORE | SS_CANTSENDMORE;
  soWake(so);
}

/** The connection is gone: nothing can be received or sent; what was not sent yet is dropped. */
export function soIsDisconnected(so: Socket): void {
  so.state =
    (so.state & ~(SS_ISCONNECTING | SS_ISCONNECTED | SS_ISDISCONNECTING)) | SS_CANTRCVMORE | SS_CANTSENDMORE;
  mFree(so.sndFirst);
  so.sndFirst = 0;
  so.sndLast = 0;
  so.sndCount = 0;
  so.sndHint = 0;
  soWake(so);
}

/** The peer sends no more. */
export function soCantRcvMore(so: Socket): void {
  so.state |= SS_CANTRCVMORE;
  soWake(so);
}

/** We may send no more. */
export function soCantSendMore(so: Socket): void {
  so.state |= SS_CANTSENDMORE;
  soWake(so);
}

/** Notes an error for the client. */
export function soError(so: Socket, errno: number): void {
  so.error = errno;
  soWake(so);
}

/**
 * A connection request came in for a listening socket: a new socket behind it, which its protocol completes with soIsConnected().
 * 0 when the backlog is full or sockets are exhausted.
 */
export function soNewConnection(head: Socket): number {
  if (head.readyCount + head.embryonic > Math.floor((3 * head.backlog) / 2)) return 0;
  const ptr = soCreate(head.stack, head.type, head.protocol);
  if (ptr === 0) return 0;
  const so = sockets.get(ptr);
  so.options = head.options & ~SO_ACCEPTCONN;
  so.linger = head.linger;
  so.state = SS_NOFDREF;
  so.head = head.ptr;
  so.rcvHiwat = head.rcvHiwat;
  so.sndHiwat = head.sndHiwat;
  so.rcvLowat = head.rcvLowat;
  so.sndLowat = head.sndLowat;
  so.rcvTimeout = head.rcvTimeout;
  so.sndTimeout = head.sndTimeout;
  head.embryonic++;
  return ptr;
}

/** A connection that was being established is given up: its place in the backlog is free again. */
export function soAbandonConnection(so: Socket): void {
  if (so.head === 0 || (so.state & SS_COMPLETE) !== 0) return;
  sockets.get(so.head).embryonic--;
  so.head = 0;
}

/** Takes the first connection from the accept queue, 0 if there is none. */
export function soAccept(head: Socket): number {
  const ptr = head.ready;
  if (ptr === 0) return 0;
  const so = sockets.get(ptr);
  leaveReady(so);
  so.state &= ~SS_NOFDREF;
  return ptr;
}
