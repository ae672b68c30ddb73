/**
 * Sending and receiving on sockets (sosend, soreceive): how much of a request can be done now. Each function returns true when the request was answered,
 * false when it has to wait.
 */
import { mFree, mFreeList, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mShareRange, mSplit, mTrimTo } from '../memory/mbuf-chain.ts';
import { nextRecord } from '../memory/queue.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { MSG_DONTWAIT, MSG_PEEK, MSG_TO, MSG_WAITALL, SOCK_STREAM } from '../runtime/messages/request.ts';
import type { Request } from '../runtime/messages/request.ts';
import { startPending } from './ifnet.ts';
import { fail, finish } from './parking.ts';
import { protocolOf } from './protosw.ts';
import { rcvTakeRecord, rcvTakeStream, sndAppend, sndSpace } from './sockbuf.ts';
import { SS_CANTRCVMORE, SS_CANTSENDMORE, SS_ISCONNECTED, SS_ISCONNECTING } from './socket.ts';
import type { Socket } from './socket.ts';

const MESSAGE = ownerTag('message');
/** Datagrams of one request between two looks at what is to be sent. */
const BATCH = 32;

/** Takes the pending error of a socket. */
export function takeError(so: Socket): number {
  const errno = so.error;
  so.error = 0;
  return errno;
}

/** Nothing can be done now: waits, or says so. */
function wouldBlock(request: Request): boolean {
  if ((request.flags & MSG_DONTWAIT) === 0) return false;
  fail(request, ERRNO.EAGAIN);
  return true;
}

export function receive(so: Socket, request: Request): boolean {
  if (so.type === SOCK_STREAM) return receiveStream(so, request);
  return protocolOf(so).receive?.(so, request) ?? receiveRecord(so, request);
}

function receiveStream(so: Socket, request: Request): boolean {
  const most = Math.max(0, request.a);
  const enough =
    (request.flags & MSG_WAITALL) !== 0 ? Math.min(most, so.rcvHiwat) : Math.min(so.rcvLowat, most);
  const ended = (so.state & SS_CANTRCVMORE) !== 0 || so.error !== 0;
  if (so.rcvCount === 0 || (so.rcvCount < enough && !ended)) {
    if (so.rcvCount === 0 && so.error !== 0) fail(request, takeError(so));
    else if (ended || most === 0) finish(request, 0, 0);
    else if ((so.state & (SS_ISCONNECTED | SS_ISCONNECTING)) === 0) fail(request, ERRNO.ENOTCONN);
    else return wouldBlock(request);
    return true;
  }
  const bytes = Math.min(most, so.rcvCount);
  const peek = (request.flags & MSG_PEEK) !== 0;
  const chain = peek ? mShareRange(MESSAGE, so.rcvFirst, 0, bytes) : rcvTakeStream(so, bytes);
  if (chain === 0) {
    fail(request, ERRNO.ENOBUFS);
    return true;
  }
  request.chain = chain;
  request.chainLen = bytes;
  if (!peek) protocolOf(so).received(so);
  finish(request, 0, bytes);
  return true;
}

function receiveRecord(so: Socket, request: Request): boolean {
  if (so.rcvFirst === 0) {
    if (so.error !== 0) fail(request, takeError(so));
    else if ((so.state & SS_CANTRCVMORE) !== 0) finish(request, 0, 0);
    else return wouldBlock(request);
    return true;
  }
  const first = mbuf(so.rcvFirst);
  request.c = first.aux;
  request.value2 = first.aux2;
  const whole = first.pktLen;
  const bytes = Math.min(Math.max(0, request.a), whole);
  const peek = (request.flags & MSG_PEEK) !== 0;
  if (peek && bytes === 0) {
    finish(request, 0, 0);
    return true;
  }
  const chain = peek ? mShareRange(MESSAGE, so.rcvFirst, 0, bytes) : rcvTakeRecord(so);
  if (chain === 0) {
    fail(request, ERRNO.ENOBUFS);
    return true;
  }
  if (!peek && bytes < whole) mTrimTo(chain, bytes);
  request.chain = chain;
  request.chainLen = bytes;
  finish(request, 0, bytes);
  return true;
}

/** As many datagrams as wait, at most `b`; waits for the first only. */
export function receiveRecords(so: Socket, request: Request): boolean {
  if (so.type === SOCK_STREAM) fail(request, ERRNO.EOPNOTSUPP);
  else if (so.rcvFirst !== 0) takeRecords(so, request);
  else if (so.error !== 0) fail(request, takeError(so));
  else if ((so.state & SS_CANTRCVMORE) !== 0) finish(request, 0, 0);
  else return wouldBlock(request);
  return true;
}

function takeRecords(so: Socket, request: Request): void {
  const most = Math.max(0, request.a);
  let last = 0;
  let taken = 0;
  for (; taken < request.b; taken++) {
    const m = rcvTakeRecord(so);
    if (m === 0) break;
    if (mbuf(m).pktLen > most) mTrimTo(m, most);
    if (last === 0) request.chain = m;
    else mbuf(last).nextpkt = m;
    last = m;
  }
  finish(request, 0, taken);
}

/** Sends the datagrams of a request, up to the first that cannot be sent. */
export function sendRecords(so: Socket, request: Request): void {
  if (so.type === SOCK_STREAM) return fail(request, ERRNO.EOPNOTSUPP);
  if ((so.state & SS_CANTSENDMORE) !== 0) return fail(request, ERRNO.EPIPE);
  if (so.error !== 0) return fail(request, takeError(so));
  const sendTo = protocolOf(so).sendTo!;
  const to = (request.flags & MSG_TO) !== 0;
  let list = request.chain;
  let sent = 0;
  let status = 0;
  request.chain = 0;
  while (list !== 0 && status === 0) {
    const m = list;
    list = nextRecord(m);
    mbuf(m).nextpkt = 0;
    status = sendTo(so, m, to, request.a >>> 0, request.b);
    if (status === 0 && ++sent % BATCH === 0) startPending();
  }
  mFreeList(list);
  return finish(request, sent > 0 ? 0 : status, sent);
}

export function send(so: Socket, request: Request): boolean {
  if ((so.state & SS_CANTSENDMORE) !== 0) fail(request, ERRNO.EPIPE);
  else if (so.error !== 0) fail(request, takeError(so));
  else return so.type === SOCK_STREAM ? sendStream(so, request) : sendRecord(so, request);
  return true;
}

/** Takes as much as there is room for; `value` counts what was taken. */
function sendStream(so: Socket, request: Request): boolean {
  if ((so.state & SS_ISCONNECTED) === 0) {
    if ((request.flags & MSG_TO) !== 0) fail(request, ERRNO.EOPNOTSUPP);
    else fail(request, ERRNO.ENOTCONN);
    return true;
  }
  const left = request.chainLen;
  const space = sndSpace(so);
  const wait = (request.flags & MSG_DONTWAIT) === 0;
  // Who blocks is not woken for every acknowledgement, but when half of the buffer is free.
  const least = wait ? so.sndHiwat >> 1 : Math.min(so.sndLowat, so.sndHiwat);
  if (left > space && space < least) {
    if (wait) return false;
    if (request.value === 0) fail(request, ERRNO.EAGAIN);
    else endSend(request, 0);
    return true;
  }
  const bytes = Math.min(left, space);
  if (bytes > 0) {
    const chain = request.chain;
    const rest = bytes < left ? mSplit(MESSAGE, chain, bytes) : 0;
    if (bytes < left && rest === 0) {
      fail(request, ERRNO.ENOBUFS);
      return true;
    }
    request.chain = rest;
    request.chainLen = left - bytes;
    request.value += bytes;
    sndAppend(so, chain, bytes);
    const status = protocolOf(so).send!(so);
    if (status !== 0) {
      endSend(request, status);
      return true;
    }
  }
  if (request.chainLen > 0 && wait) return false;
  endSend(request, 0);
  return true;
}

/** Answers with how much was taken; an error only if that was nothing. */
export function endSend(request: Request, errno: number): void {
  const taken = request.value;
  mFree(request.chain);
  request.chain = 0;
  request.chainLen = 0;
  finish(request, taken > 0 ? 0 : errno, taken);
}

function sendRecord(so: Socket, request: Request): boolean {
  const m = request.chain;
  const bytes = request.chainLen;
  request.chain = 0;
  request.chainLen = 0;
  const to = (request.flags & MSG_TO) !== 0;
  const status = protocolOf(so).sendTo!(so, m, to, request.a >>> 0, request.b);
  finish(request, status, status === 0 ? bytes : 0);
  return true;
}
