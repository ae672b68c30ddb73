/**
 * Serial numbers that tell records apart that had the same place one after the other: the same for all threads.
 */
import { i32, region } from '../../memory/memory.ts';

const word = region('pf serial', 64) >>> 2;

/** The next number, from 1. */
export function nextSerial(): number {
  return Atomics.add(i32, word, 1) + 1;
}
