/** Many spoiled filter expressions: no crash, no hang. */
import { expect, test } from 'vitest';
import { surviveMutations } from './hostile.ts';

test('50,000 spoiled expressions take less than 100 ms each', () => {
  const { slowest, misplaced } = surviveMutations(50_000, 2);
  expect(misplaced).toEqual([]);
  expect(slowest).toBeLessThan(100);
});
