/**
 * Rings of 32-bit words between threads, lock-free and worked in batches: one atomic store publishes a whole batch.
 * SPSC: one producer, one consumer, each with a private copy of the other's index that it re-reads only when the ring looks full or empty.
 * MPSC: producers claim places with compare-exchange; a place is published by the word itself, so words must not be 0.
 */
import { i32, u32 } from './memory.ts';

const HEAD = 0; // next place to read
const TAIL = 16; // next place to write, on a cache line of its own
const SLOTS = 32;

/** Bytes of a ring of `capacity` words (a power of two). */
export function ringBytes(capacity: number): number {
  return (SLOTS + capacity) * 4;
}

/** Moves words between a ring and an array; both return how many were moved. */
export interface Ring {
  readonly capacity: number;
  /** Puts `count` words from `words[from…]`; takes as many as fit. */
  push(words: Uint32Array, from: number, count: number): number;
  /** Takes up to `max` words into `words[0…]`. */
  pull(words: Uint32Array, max: number): number;
  /** Words waiting. */
  length(): number;
}

/** A ring with one producer and one consumer at address `p` (ringBytes, zeroed). */
export function spscRing(p: number, capacity: number): Ring {
  const base = p >>> 2;
  const mask = capacity - 1;
  let seenHead = Atomics.load(i32, base + HEAD);
  let seenTail = Atomics.load(i32, base + TAIL);
  return {
    capacity,
    push(words, from, count) {
      const tail = i32[base + TAIL]!;
      let room = capacity - ((tail - seenHead) | 0);
      if (room < count) {
        seenHead = Atomics.load(i32, base + HEAD);
        room = capacity - ((tail - seenHead) | 0);
      }
      const n = Math.min(room, count);
      for (let i = 0; i < n; i++) u32[base + SLOTS + ((tail + i) & mask)] = words[from + i]!;
      if (n > 0) Atomics.store(i32, base + TAIL, (tail + n) | 0);
      return n;
    },
    pull(words, max) {
      const head = i32[base + HEAD]!;
      let ready = (seenTail - head) | 0;
      if (ready < max) {
        seenTail = Atomics.load(i32, base + TAIL);
        ready = (seenTail - head) | 0;
      }
      const n = Math.min(ready, max);
      for (let i = 0; i < n; i++) words[i] = u32[base + SLOTS + ((head + i) & mask)]!;
      if (n > 0) Atomics.store(i32, base + HEAD, (head + n) | 0);
      return n;
    },
    length: () => (Atomics.load(i32, base + TAIL) - Atomics.load(i32, base + HEAD)) | 0,
  };
}

/** A ring with any number of producers and one consumer at address `p` (ringBytes, zeroed). Words must not be 0. */
export function mpscRing(p: number, capacity: number): Ring {
  const base = p >>> 2;
  const mask = capacity - 1;
  return {
    capacity,
    push(words, from, count) {
      let tail: number;
      let n: number;
      do {
        tail = Atomics.load(i32, base + TAIL);
        n = Math.min(capacity - ((tail - Atomics.load(i32, base + HEAD)) | 0), count);
        if (n <= 0) return 0;
      } while (Atomics.compareExchange(i32, base + TAIL, tail, (tail + n) | 0) !== tail);
      // The first word is published last: a consumer that sees it sees the batch behind it.
      for (let i = n - 1; i > 0; i--) u32[base + SLOTS + ((tail + i) & mask)] = words[from + i]!;
      Atomics.store(u32, base + SLOTS + (tail & mask), words[from]!);
      return n;
    },
    pull(words, max) {
      const head = i32[base + HEAD]!;
      let n = 0;
      while (n < max) {
        const slot = base + SLOTS + ((head + n) & mask);
        const word = Atomics.load(u32, slot);
        if (word === 0) break;
        words[n++] = word;
        u32[slot] = 0;
      }
      if (n > 0) Atomics.store(i32, base + HEAD, (head + n) | 0);
      return n;
    },
    length: () => (Atomics.load(i32, base + TAIL) - Atomics.load(i32, base + HEAD)) | 0,
  };
}
