import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes, hashFirst, hashInsert, hashRemove, mix3 } from '../../../stack/memory/hash.ts';
import { region, u32 } from '../../../stack/memory/memory.ts';

const LINK = 4;
const RECORD = 16;
const buckets = 8;
const recordCount = 40;
const table = region('hash test table', hashBytes(buckets));
const records = region('hash test records', RECORD * recordCount);

function chain(hash: number): number[] {
  const list: number[] = [];
  for (let r = hashFirst(table, buckets, hash); r !== 0; r = u32[(r + LINK) >>> 2]!) list.push(r);
  return list;
}

test('a chain holds exactly the records put in and not taken out, the newest first', () => {
  const step = fc.record({ record: fc.nat(recordCount - 1), hash: fc.integer() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      u32.fill(0, table >>> 2, (table + hashBytes(buckets)) >>> 2);
      const model = new Map<number, number[]>();
      const hashes = new Map<number, number>();
      for (const { record, hash } of steps) {
        const ptr = records + record * RECORD;
        const known = hashes.get(ptr);
        const list = model.get((known ?? hash) & (buckets - 1)) ?? [];
        model.set((known ?? hash) & (buckets - 1), list);
        if (known === undefined) {
          expect(hashRemove(table, buckets, hash, ptr, LINK)).toBe(false);
          hashInsert(table, buckets, hash, ptr, LINK);
          hashes.set(ptr, hash);
          list.unshift(ptr);
        } else {
          expect(hashRemove(table, buckets, known, ptr, LINK)).toBe(true);
          hashes.delete(ptr);
          list.splice(list.indexOf(ptr), 1);
        }
      }
      for (let hash = 0; hash < buckets; hash++) expect(chain(hash)).toEqual(model.get(hash) ?? []);
    }),
  );
});

test('the mix spreads neighbouring addresses and ports over the buckets', () => {
  const counts = new Array<number>(64).fill(0);
  for (let host = 0; host < 64; host++) {
    for (let port = 0; port < 64; port++) counts[mix3(0x0a000001, 0x0a000000 + host, 1024 + port) & 63]!++;
  }
  expect(Math.max(...counts)).toBeLessThan(120);
  expect(Math.min(...counts)).toBeGreaterThan(25);
});
