/**
 * A spin lock in one word of the one memory: 0 is free, otherwise the holder's thread number + 1.
 * Held for a few dozen instructions only; a waiter that spins long yields the processor, because its holder may have lost it.
 */
import { i32 as sharedI32, selfThread } from './memory.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const i32 = sharedI32;
const ME = selfThread + 1;
const SPINS = 2_000;
const NAP_MS = 0.05;

/** Waits until the lock at address `p` is ours. */
export function lock(p: number): void {
  const word = p >>> 2;
  if (Atomics.compareExchange(i32, word, 0, ME) !== 0) lockSlow(word);
}

function lockSlow(word: number): void {
  for (;;) {
    for (let spin = 0; spin < SPINS; spin++) {
      if (i32[word] === 0 && Atomics.compareExchange(i32, word, 0, ME) === 0) return;
    }
    const holder = Atomics.load(i32, word);
    if (holder !== 0) Atomics.wait(i32, word, holder, NAP_MS);
  }
}

/** Takes the lock if it is free; says whether it is ours. */
export function tryLock(p: number): boolean {
  return Atomics.compareExchange(i32, p >>> 2, 0, ME) === 0;
}

/** Gives the lock back. */
export function unlock(p: number): void {
  Atomics.store(i32, p >>> 2, 0);
}

/** Frees a lock that a thread which died still holds; says whether it did. */
export function breakLock(p: number, thread: number): boolean {
  return Atomics.compareExchange(i32, p >>> 2, thread + 1, 0) === thread + 1;
}
