// A million pairs of a program and a packet, on which the engines of the BPF machine agree.
import { expect, test } from 'vitest';
import { compareEngines } from './bpf-comparing.ts';

test('the engines agree on a million pairs', () => {
  let pairs = 0;
  for (let seed = 1; pairs < 1_000_000; seed++) pairs += compareEngines(seed * 7919, 1000);
  expect(pairs).toBeGreaterThanOrEqual(1_000_000);
});
