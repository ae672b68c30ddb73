/** A slice of the spoiled expressions that hostile.soak.ts has many of. */
import { expect, test } from 'vitest';
import { surviveMutations } from './hostile.ts';

test('2000 spoiled expressions end in a program or in an error that points into them', () => {
  const { accepted, refused, misplaced } = surviveMutations(2000, 1);
  expect(misplaced).toEqual([]);
  expect(accepted).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(500);
});
