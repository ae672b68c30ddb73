import { describe, expect, test } from 'vitest';
import { u32 } from '../../../stack/memory/memory.ts';
import { limitSlab, slab, slabReports } from '../../../stack/memory/slab.ts';
import { struct } from '../../../stack/memory/struct.ts';

function newSlab(name: string, capacity: number) {
  return slab(struct(name, { value: 'u32', other: 'f64', more: { bytes: 16 } }), capacity);
}

describe('a slab', () => {
  test('hands out zeroed records that do not overlap, and each as often as it is freed', () => {
    const records = newSlab('slabOverlap', 8);
    for (let round = 0; round < 3; round++) {
      const taken = Array.from({ length: 8 }, () => records.alloc());
      expect(new Set(taken).size).toBe(8);
      for (const ptr of taken) {
        const record = records.get(ptr);
        expect([record.value, record.other, u32[record.more >>> 2]]).toEqual([0, 0, 0]);
        record.value = ptr;
        record.other = ptr;
        u32.fill(ptr, record.more >>> 2, (record.more + 16) >>> 2);
      }
      for (const ptr of taken) expect([records.get(ptr).value, records.get(ptr).other]).toEqual([ptr, ptr]);
      for (const ptr of taken) records.free(ptr);
    }
  });

  test('answers 0 when it is exhausted and counts that', () => {
    const records = newSlab('slabExhausted', 3);
    const taken = [records.alloc(), records.alloc(), records.alloc()];
    expect([records.alloc(), records.alloc()]).toEqual([0, 0]);
    expect(records.report()).toMatchObject({ capacity: 3, inUse: 3, highWater: 3, failures: 2 });
    records.free(taken[1]!);
    expect(records.alloc()).toBe(taken[1]);
    expect(slabReports()).toContainEqual(records.report());
  });

  test('keeps its high-water mark when records come back', () => {
    const records = newSlab('slabHighWater', 10);
    const taken = Array.from({ length: 6 }, () => records.alloc());
    for (const ptr of taken) records.free(ptr);
    records.alloc();
    expect(records.report()).toMatchObject({ inUse: 1, highWater: 6, failures: 0 });
  });

  test('throws on what is freed twice or is no record', () => {
    const records = newSlab('slabTwice', 4);
    const ptr = records.alloc();
    records.free(ptr);
    expect(() => records.free(ptr)).toThrow(/slabTwice: record \d+ is freed but not in use/);
    const other = records.alloc();
    expect(() => records.free(other + 4)).toThrow(/slabTwice/);
    expect(() => records.free(0)).toThrow(/slabTwice/);
    expect(() => records.get(0)).toThrow(/slabTwice/);
    expect(() => records.get(records.base + 4 * records.struct.size)).toThrow(/slabTwice/);
    // The slab still works: its lock was given back.
    records.free(other);
    expect(records.report().inUse).toBe(0);
  });

  test('finds what was written into a freed record when it hands it out again', () => {
    const records = newSlab('slabPoison', 4);
    const ptr = records.alloc();
    const view = records.get(ptr);
    records.free(ptr);
    view.other = 1;
    expect(() => records.alloc()).toThrow(/slabPoison \d+: written to at offset 8 after it was freed/);
  });

  test('visits exactly the records in use', () => {
    const records = newSlab('slabEach', 16);
    const taken = Array.from({ length: 9 }, () => records.alloc());
    for (const at of [0, 4, 8]) records.free(taken[at]!);
    const seen: number[] = [];
    records.each((record) => seen.push(record.ptr));
    expect(seen).toEqual(taken.filter((_, i) => i % 4 !== 0));
    expect(seen.map((ptr) => records.indexOf(ptr))).toEqual([1, 2, 3, 5, 6, 7]);
  });

  test('can be limited, to show what exhaustion does', () => {
    const records = newSlab('slabLimited', 16);
    const first = records.alloc();
    limitSlab('slabLimited', 1);
    expect(records.alloc()).toBe(0);
    records.free(first);
    expect(records.alloc()).not.toBe(0);
    limitSlab('slabLimited', undefined);
    expect(records.alloc()).not.toBe(0);
    expect(records.report().failures).toBe(1);
  });

  test('gives one view per record', () => {
    const records = newSlab('slabViews', 8);
    const ptrs = Array.from({ length: 8 }, () => records.alloc());
    const last = records.get(ptrs[7]!);
    expect(records.get(ptrs[7]!)).toBe(last);
    expect(records.get(ptrs[2]!).ptr).toBe(ptrs[2]);
  });
});
