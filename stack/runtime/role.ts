/**
 * What a thread of the pool is doing at this moment.
 */
import { runQueue } from './run-queue.ts';
import { KIND, sources } from './source.ts';

/** `asleep`: until it is woken; `idle`: looks for work; `hardware`, `other`: services such a source; `stack`: works in the context of a stack. */
export type ThreadRole = 'asleep' | 'idle' | 'hardware' | 'stack' | 'other';

/** @param holdsContext whether it holds the context of a stack. */
export function roleOf(thread: number, holdsContext: boolean): ThreadRole {
  if (holdsContext) return 'stack';
  const { current, sleeping } = runQueue(thread);
  if (current === 0) return sleeping === 0 ? 'idle' : 'asleep';
  const { kind } = sources.get(current);
  if (kind === KIND.hardware) return 'hardware';
  return kind === KIND.stack ? 'stack' : 'other';
}
