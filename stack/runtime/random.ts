/**
 * Random numbers with a state of one word in the one memory (Mulberry32): every node and every direction of a link has its own,
 * derived from the lab's seed and a name, so that a run with the same seed is the same run.
 */
import { i32 } from '../memory/memory.ts';
import { labSeed } from './clock.ts';

/** Sets the state at address `p` from the lab's seed and a name. */
export function seedRandom(p: number, name: string): void {
  let hash = labSeed() ^ 0x9e3779b9;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  i32[p >>> 2] = hash;
}

/** The next 32 bits, as a signed integer. */
export function random32(p: number): number {
  const state = (i32[p >>> 2]! + 0x6d2b79f5) | 0;
  i32[p >>> 2] = state;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return t ^ (t >>> 14);
}

/** The next number in [0, 1). */
export function randomUnit(p: number): number {
  return (random32(p) >>> 0) / 4_294_967_296;
}
