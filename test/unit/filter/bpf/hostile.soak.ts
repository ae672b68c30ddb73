/** Many spoiled filter expressions: no crash, no hang. */
import { expect, test } from 'vitest';
import { surviveMutations } from './hostile.ts';

test('100,000 spoiled expressions take less than 100 ms each', () => {
  const before = process.memoryUsage().heapUsed;
  const { accepted, refused, slowest, misplaced } = surviveMutations(100_000, 2);
  expect(accepted + refused).toBe(100_000);
  expect(misplaced).toEqual([]);
  expect(slowest).toBeLessThan(100);
  expect((process.memoryUsage().heapUsed - before) / 2 ** 20).toBeLessThan(200);
});
