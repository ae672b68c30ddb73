import { test } from 'vitest';
import { fuzz } from './fuzzing.ts';

test('200,000 hostile frames leave a node as it was', () => fuzz(200_000, 11), 60_000);
