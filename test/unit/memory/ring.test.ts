import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { i32, region, u32 } from '../../../stack/memory/memory.ts';
import { mpscRing, ringBytes, spscRing } from '../../../stack/memory/ring.ts';
import type { Ring } from '../../../stack/memory/ring.ts';

const capacity = 16;
const place = region('ring test', ringBytes(capacity));

/** An empty ring whose indexes begin at `start`, so that they can be shown to wrap. */
function ringAt(open: (p: number, capacity: number) => Ring, start: number): Ring {
  u32.fill(0, place >>> 2, (place + ringBytes(capacity)) >>> 2);
  // The words of the indexes and of their copies.
  for (const word of [0, 1, 16, 17]) i32[(place >>> 2) + word] = start;
  return open(place, capacity);
}

describe.each([
  ['SPSC', spscRing],
  ['MPSC', mpscRing],
])('an %s ring', (_kind, open) => {
  test('takes what fits, gives it back in order, and is empty again', () => {
    const ring = ringAt(open, 0);
    const words = Uint32Array.from({ length: 40 }, (_, i) => i + 1);
    const out = new Uint32Array(40);
    expect(ring.pull(out, 8)).toBe(0);
    expect(ring.push(words, 10, 20)).toBe(16);
    expect(ring.push(words, 0, 1)).toBe(0);
    expect(ring.length()).toBe(16);
    expect(ring.pull(out, 6)).toBe(6);
    expect([...out.subarray(0, 7)]).toEqual([11, 12, 13, 14, 15, 16, 0]);
    expect(ring.push(words, 0, 3)).toBe(3);
    expect(ring.pull(out, 40)).toBe(13);
    expect([...out.subarray(10, 13)]).toEqual([1, 2, 3]);
    expect([ring.length(), ring.pull(out, 1), ring.push(words, 0, 0), ring.pull(out, 0)]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test('behaves like an array under any batches, also where its indexes wrap', () => {
    const step = fc.tuple(fc.nat(24), fc.nat(24));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom(0, 7, 0x7fff_fff0, -10, -0x8000_0000),
        (steps, start) => {
          const ring = ringAt(open, start);
          const model: number[] = [];
          const out = new Uint32Array(24);
          let next = 1;
          for (const [give, take] of steps) {
            const words = Uint32Array.from({ length: give }, () => (Math.imul(next++, 0x9e3779b1) >>> 0) | 1);
            const pushed = ring.push(words, 0, give);
            expect(pushed).toBe(Math.min(give, capacity - model.length));
            model.push(...words.subarray(0, pushed));
            const pulled = ring.pull(out, take);
            expect([...out.subarray(0, pulled)]).toEqual(model.splice(0, take));
            expect(ring.length()).toBe(model.length);
          }
        },
      ),
    );
  });

  test('can be opened again by another producer or consumer, which continues where the last one left', () => {
    const ring = ringAt(open, 0);
    const out = new Uint32Array(capacity);
    ring.push(Uint32Array.of(1, 2, 3), 0, 3);
    const other = open(place, capacity);
    expect(other.pull(out, 2)).toBe(2);
    other.push(new Uint32Array(15).fill(9), 0, 15);
    expect([ring.length(), ring.pull(out, capacity), out[0]]).toEqual([16, 16, 3]);
    expect([other.pull(out, 1), ring.push(new Uint32Array(16).fill(5), 0, 16)]).toEqual([0, 16]);
  });
});
