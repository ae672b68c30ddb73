/**
 * Hash tables over records in slabs: chains linked through a word of the record, an array of bucket heads in the one memory.
 * Used under the stack context; the table knows nothing of keys, its user walks a chain and compares.
 */
import { u32 } from './memory.ts';

/** Bytes of a table of `buckets` (a power of two). */
export function hashBytes(buckets: number): number {
  return buckets * 4;
}

/** Mixes three words (addresses, ports) into 32 bits (finaliser of MurmurHash3). */
export function mix3(a: number, b: number, c: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  return h;
}

/** First record of the chain of `hash`, 0 if it is empty. */
export function hashFirst(table: number, buckets: number, hash: number): number {
  return u32[(table >>> 2) + (hash & (buckets - 1))]!;
}

/** Puts a record at the head of its chain; `link` is the offset of the record's link word. */
export function hashInsert(table: number, buckets: number, hash: number, record: number, link: number): void {
  const bucket = (table >>> 2) + (hash & (buckets - 1));
  u32[(record + link) >>> 2] = u32[bucket]!;
  u32[bucket] = record;
}

/** Takes a record out of its chain; says whether it was in it. */
export function hashRemove(
  table: number,
  buckets: number,
  hash: number,
  record: number,
  link: number,
): boolean {
  let at = (table >>> 2) + (hash & (buckets - 1));
  while (u32[at] !== 0) {
    if (u32[at] === record) {
      u32[at] = u32[(record + link) >>> 2]!;
      u32[(record + link) >>> 2] = 0;
      return true;
    }
    at = (u32[at]! + link) >>> 2;
  }
  return false;
}
