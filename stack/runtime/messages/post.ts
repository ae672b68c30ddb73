/**
 * How requests reach a stack and replies come back. A request goes to its stack's queue and raises the stack's source; a reply goes to a queue of thread 0,
 * where clients live. Thread 0 is woken once per batch of replies; a reply that thread 0 itself writes (virtual time) needs no wake-up.
 */
import { i32, region, u32 } from '../../memory/memory.ts';
import { QUEUE_BYTES, dequeueAll, enqueue, nextRecord, queueAt } from '../../memory/queue.ts';
import { mFreeList } from '../../memory/mbuf.ts';
import { struct } from '../../memory/struct.ts';
import { MOST_URGENT, raiseAtLevel } from '../source.ts';
import { ERRNO } from './errno.ts';
import { OP, requests } from './request.ts';
import type { Request } from './request.ts';

/** The head of every stack record (stack/net/stack.ts): what those who only post to a stack know of it. */
export const stackHead = struct('stackHead', {
  /** The stack context: 0 is free, otherwise thread + 1. */
  context: 'i32',
  nextpkt: 'ptr',
  source: 'ptr',
  /** 1 while it serves: requests are taken. */
  serving: 'u32',
  requests: { bytes: QUEUE_BYTES },
});
const REQUESTS = stackHead.offsets.requests;
const SOURCE = stackHead.offsets.source;
const SERVING = stackHead.offsets.serving;

const replies = queueAt(region('replies', QUEUE_BYTES));
/** 1 while a wake-up of thread 0 is under way. */
const bellWord = region('bell', 64) >>> 2;

let wakeFirstThread: () => void = () => undefined;
let onReply: (request: number) => void = () => undefined;

/** Tells this thread how to wake thread 0 (a worker: by a message to it; thread 0: by a job of its own). */
export function setBell(ring: () => void): void {
  wakeFirstThread = ring;
}

/** Has thread 0 look at what was left for it: once, however often it is asked before it looks. */
export function ringBell(): void {
  if (Atomics.compareExchange(i32, bellWord, 0, 1) === 0) wakeFirstThread();
}

/** Thread 0: begins to look, so that what comes in from now on rings again. */
export function answerBell(): void {
  Atomics.store(i32, bellWord, 0);
}

/** Thread 0: who takes replies. */
export function setReplyHandler(handler: (request: number) => void): void {
  onReply = handler;
}

let onActivity: () => void = () => undefined;

/** Thread 0: who is told when a client posts a request (the driver of virtual time, which may be waiting). */
export function setActivityListener(listener: () => void): void {
  onActivity = listener;
}

/**
 * Puts a request (its `stack` set) into the stack's queue, which is served at the priority of the most urgent request that waits: it floats to that of the client.
 * A stack that does not serve answers ENXIO, or not at all if nobody waits for the answer.
 */
export function postRequest(ptr: number): void {
  const request = requests.get(ptr);
  const stack = request.stack;
  if (u32[(stack + SERVING) >>> 2] !== 1) {
    if (request.op === OP.unblock) requests.free(ptr);
    else refuse(request);
    onActivity();
    return;
  }
  enqueue(queueAt(stack + REQUESTS), ptr);
  raiseAtLevel(u32[(stack + SOURCE) >>> 2]!, levelOfClient(request.priority));
  onActivity();
}

/** The level of the run queues that stands for the priority of a client, 1 to 255 on Neutrino: its highest ones share the highest level. */
export function levelOfClient(priority: number): number {
  return Math.min(priority, MOST_URGENT);
}

function refuse(request: Request): void {
  mFreeList(request.chain);
  request.chain = 0;
  request.chainLen = 0;
  request.status = ERRNO.ENXIO;
  reply(request);
}

/** The stack's side: gives the request back to its client with what its fields say. */
export function reply(request: Request): void {
  enqueue(replies, request.ptr);
  ringBell();
}

/** Thread 0: hands all replies to the clients; says whether there were any. */
export function deliverReplies(): boolean {
  let ptr = dequeueAll(replies);
  if (ptr === 0) return false;
  while (ptr !== 0) {
    const next = nextRecord(ptr);
    onReply(ptr);
    ptr = next;
  }
  return true;
}
