/**
 * Rings of 32-bit words between threads, lock-free and worked in batches: one atomic store publishes a whole batch.
 * SPSC: one producer, one consumer, each with a private copy of the other's index that it re-reads only when the ring looks full or empty.
 * The copies are in the ring too, so that another thread can become the producer or the consumer, and a copied memory is whole.
 * MPSC: producers claim places with compare-exchange; a place is published by the word itself, so words must not be 0.
 */
import { i32 as sharedI32, u32 as sharedU32 } from './memory.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const i32 = sharedI32;
const u32 = sharedU32;

// The consumer writes one cache line, the producer another.
const HEAD = 0; // next place to read
const SEEN_TAIL = 1; // the consumer's copy of TAIL
const TAIL = 16; // next place to write
const SEEN_HEAD = 17; // the producer's copy of HEAD
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
  return {
    capacity,
    push(words, from, count) {
      const tail = i32[base + TAIL]!;
      let room = capacity - ((tail - i32[base + SEEN_HEAD]!) | 0);
      if (room < count) {
        const head = Atomics.load(i32, base + HEAD);
        i32[base + SEEN_HEAD] = head;
        room = capacity - ((tail - head) | 0);
      }
      const n = Math.min(room, count);
      if (n <= 0) return 0;
      for (let i = 0; i < n; i++) u32[base + SLOTS + ((tail + i) & mask)] = words[from + i]!;
      Atomics.store(i32, base + TAIL, (tail + n) | 0);
      return n;
    },
    pull(words, max) {
      const head = i32[base + HEAD]!;
      let ready = (i32[base + SEEN_TAIL]! - head) | 0;
      if (ready < max) {
        const tail = Atomics.load(i32, base + TAIL);
        i32[base + SEEN_TAIL] = tail;
        ready = (tail - head) | 0;
      }
      const n = Math.min(ready, max);
      if (n <= 0) return 0;
      for (let i = 0; i < n; i++) words[i] = u32[base + SLOTS + ((head + i) & mask)]!;
      Atomics.store(i32, base + HEAD, (head + n) | 0);
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
      if (max <= 0 || Atomics.load(u32, base + SLOTS + (head & mask)) === 0) return 0;
      let n = 0;
      // Behind the first, plain loads do: a word whose batch is not to be seen yet reads as 0.
      while (n < max) {
        const slot = base + SLOTS + ((head + n) & mask);
        const word = u32[slot]!;
        if (word === 0) break;
        words[n++] = word;
        u32[slot] = 0;
      }
      Atomics.store(i32, base + HEAD, (head + n) | 0);
      return n;
    },
    length: () => (Atomics.load(i32, base + TAIL) - Atomics.load(i32, base + HEAD)) | 0,
  };
}
