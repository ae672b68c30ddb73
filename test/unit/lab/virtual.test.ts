import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { TWO_NODES, labFrom, run, stopLab } from '../../support/lab.ts';

let lab: RunningLab | undefined;
afterEach(async () => {
  if (lab !== undefined) await stopLab(lab);
  lab = undefined;
});

test('a node pings its neighbour', async () => {
  lab = await labFrom(TWO_NODES);
  const { status, out, err } = await run(lab, 'alpha', 'ping -c 3 10.0.0.2');
  expect(err).toBe('');
  expect(out).toContain('3 packets transmitted, 3 packets received');
  expect(status).toBe(0);
});
