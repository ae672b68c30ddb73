/**
 * poll(2) in the stack: which of a request's sockets are ready. Polls that wait are looked at again after every batch in which something happened.
 */
import { u32 } from '../memory/memory.ts';
import { mbuf } from '../memory/mbuf.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  SOCK_RAW,
  SOCK_STREAM,
  requests,
} from '../runtime/messages/request.ts';
import type { Request } from '../runtime/messages/request.ts';
import { fail, finish, parkPoll, unpark } from './parking.ts';
import { protocolOf } from './protosw.ts';
import { sndSpace } from './sockbuf.ts';
import { SS_CANTRCVMORE, SS_CANTSENDMORE, SS_ISCONNECTED, sockets } from './socket.ts';
import type { Socket } from './socket.ts';
import { stacks } from './stack.ts';
import { ERRNO } from '../runtime/messages/errno.ts';

const ENTRY_BYTES = 8;

function readable(so: Socket): boolean {
  if (so.type === SOCK_RAW) {
    const own = protocolOf(so).readable?.(so);
    if (own !== undefined) return own;
  }
  return (
    (so.rcvCount > 0 && so.rcvCount >= so.rcvLowat) ||
    (so.type !== SOCK_STREAM && so.rcvFirst !== 0) ||
    (so.state & SS_CANTRCVMORE) !== 0 ||
    so.readyCount > 0 ||
    so.error !== 0
  );
}

function writable(so: Socket): boolean {
  if (so.error !== 0 || (so.state & SS_CANTSENDMORE) !== 0) return true;
  if (so.type !== SOCK_STREAM) return true;
  return (so.state & SS_ISCONNECTED) !== 0 && sndSpace(so) >= Math.min(so.sndLowat, so.sndHiwat);
}

function eventsOf(stack: number, handle: number, wanted: number): number {
  const so = sockets.get(handle);
  if (so.stack !== stack) return POLLNVAL;
  const gone = SS_CANTRCVMORE | SS_CANTSENDMORE;
  let events = 0;
  if ((wanted & POLLIN) !== 0 && readable(so)) events |= POLLIN;
  if ((wanted & POLLOUT) !== 0 && writable(so)) events |= POLLOUT;
  if (so.error !== 0) events |= POLLERR;
  if ((so.state & gone) === gone) events |= POLLHUP;
  return events;
}

/** How many sockets of a poll are ready; with `write`, the answer replaces the wanted events. */
function look(request: Request, write: boolean): number {
  let ready = 0;
  for (let m = request.chain; m !== 0; m = mbuf(m).next) {
    const view = mbuf(m);
    for (let at = view.data; at < view.data + view.len; at += ENTRY_BYTES) {
      const events = eventsOf(request.stack, u32[at >>> 2]!, u32[(at + 4) >>> 2]!);
      if (events !== 0) ready++;
      if (write) u32[(at + 4) >>> 2] = events;
    }
  }
  return ready;
}

function answer(request: Request): void {
  finish(request, 0, look(request, true));
}

/** Answers a poll now, or lets it wait. */
export function poll(request: Request): void {
  if (request.chain === 0) fail(request, ERRNO.EINVAL);
  else if (request.timeout === 0 || look(request, false) > 0) answer(request);
  else parkPoll(request);
}

/** The time-out of a poll ended: nothing is ready. */
export function expirePoll(request: Request): void {
  answer(request);
}

/** Looks at all polls that wait, if anything happened. */
export function checkPolls(stack: number): void {
  const owner = stacks.get(stack);
  if (owner.pollDue === 0) return;
  owner.pollDue = 0;
  for (let ptr = owner.pollers; ptr !== 0;) {
    const request = requests.get(ptr);
    ptr = request.parked;
    if (look(request, false) === 0) continue;
    unpark(request);
    answer(request);
  }
}
