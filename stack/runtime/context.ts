/**
 * The stack context: one thread at a time runs a node's upper layers. It is a lock taken with try-lock only; a thread that has drained its hardware and
 * finds it free becomes the stack thread in place. Whoever releases it looks once more whether work came in meanwhile.
 */
import { i32, selfThread } from '../memory/memory.ts';
import { REASON, TRACE, trace, tracing } from './trace.ts';

const ME = selfThread + 1;

/** Takes the context whose lock is the first word of `stack`, if it is free. */
export function tryEnter(stack: number, source: number, reason: number): boolean {
  const got = Atomics.compareExchange(i32, stack >>> 2, 0, ME) === 0;
  if (tracing()) trace(got ? TRACE.contextTaken : TRACE.contextBusy, source, stack, reason);
  return got;
}

/** Leaves the context. Look for new work afterwards. */
export function leave(stack: number, source: number): void {
  if (tracing()) trace(TRACE.contextLeft, source, stack, REASON.drained);
  Atomics.store(i32, stack >>> 2, 0);
}

/** Thread that holds the context, -1 if nobody does. */
export function contextHolder(stack: number): number {
  return Atomics.load(i32, stack >>> 2) - 1;
}
