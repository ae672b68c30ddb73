/**
 * Requests that block: each waits on its socket's list, or on the stack's list of polls, with an optional time-out, until something that it waits for happens,
 * the time-out ends, the socket is closed or the client is interrupted.
 */
import { u32 } from '../memory/memory.ts';
import { mFreeList } from '../memory/mbuf.ts';
import { now } from '../runtime/clock.ts';
import { reply } from '../runtime/messages/post.ts';
import { requests, requestStruct } from '../runtime/messages/request.ts';
import type { Request } from '../runtime/messages/request.ts';
import { calloutInit, calloutPending } from '../runtime/wheel.ts';
import { CALLOUT, setCalloutHandler } from './callouts.ts';
import { sockets } from './socket.ts';
import type { Socket } from './socket.ts';
import { cancelCallout, setCallout, stacks } from './stack.ts';

/** Where a request is parked. */
export const WAIT_NOWHERE = 0;
export const WAIT_SOCKET = 1;
export const WAIT_POLL = 2;

const PARKED = requestStruct.offsets.parked;

/** Answers a request with a status (0 or an errno) and a value, and drops data that was not taken. */
export function finish(request: Request, status: number, value: number): void {
  request.status = status;
  request.value = value;
  if (calloutPending(request.timer)) cancelCallout(request.stack, request.timer);
  reply(request);
}

/** Answers with an error and frees what data the request still has. */
export function fail(request: Request, errno: number): void {
  if (request.chain !== 0) mFreeList(request.chain);
  request.chain = 0;
  request.chainLen = 0;
  finish(request, errno, 0);
}

/** Lets a request wait on a socket; its time-out counts from the first time. */
export function parkOnSocket(request: Request, so: Socket): void {
  request.waiting = WAIT_SOCKET;
  request.parked = 0;
  if (so.waiters === 0) so.waiters = request.ptr;
  else {
    let last = so.waiters;
    while (u32[(last + PARKED) >>> 2] !== 0) last = u32[(last + PARKED) >>> 2]!;
    u32[(last + PARKED) >>> 2] = request.ptr;
  }
  if (request.timeout > 0) setTimeout(request);
}

/** Lets a poll wait. */
export function parkPoll(request: Request): void {
  const stack = stacks.get(request.stack);
  request.waiting = WAIT_POLL;
  request.parked = stack.pollers;
  stack.pollers = request.ptr;
  if (request.timeout > 0) setTimeout(request);
}

function setTimeout(request: Request): void {
  if (calloutPending(request.timer)) return;
  calloutInit(request.timer, CALLOUT.request, request.ptr);
  setCallout(request.stack, request.timer, now() + request.timeout);
}

/** Takes a request from the list that it waits on. */
export function unpark(request: Request): void {
  if (request.waiting === WAIT_SOCKET) {
    const so = sockets.get(request.socket);
    if (so.waiters === request.ptr) so.waiters = request.parked;
    else unlink(so.waiters, request);
  } else if (request.waiting === WAIT_POLL) {
    const stack = stacks.get(request.stack);
    if (stack.pollers === request.ptr) stack.pollers = request.parked;
    else unlink(stack.pollers, request);
  }
  request.waiting = WAIT_NOWHERE;
  request.parked = 0;
}

function unlink(first: number, request: Request): void {
  let at = first;
  while (u32[(at + PARKED) >>> 2] !== request.ptr) at = u32[(at + PARKED) >>> 2]!;
  u32[(at + PARKED) >>> 2] = request.parked;
}

/** Ends all requests that wait on a socket. */
export function failWaiters(so: Socket, errno: number): void {
  while (so.waiters !== 0) {
    const request = requests.get(so.waiters);
    unpark(request);
    fail(request, errno);
  }
}

/** Says what becomes of a request whose time-out ended. */
export function setTimeoutHandler(expired: (request: Request) => void): void {
  setCalloutHandler(CALLOUT.request, (ptr) => expired(requests.get(ptr)));
}
