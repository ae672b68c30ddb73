import { test } from 'vitest';
import { fuzz } from './fuzzing.ts';

test.each([1, 2, 3, 4, 5])('a million hostile frames leave a node as it was, seed %i', (seed) =>
  fuzz(1_000_000, seed),
);
