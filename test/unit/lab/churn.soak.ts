import { test } from 'vitest';
import { churn } from './churning.ts';

test.each([1, 2, 4])(
  'stacks and interfaces come and go under traffic for longer, with %i threads',
  (threads) => churn(threads, 20),
);
