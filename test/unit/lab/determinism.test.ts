// A lab in virtual time is a function of its file, its commands and its seed: what its capture points see is the same to the byte and the nanosecond.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { labFrom, run, stopLab } from '../../support/lab.ts';
import { LOSSY_ROUTER } from '../time/labs.ts';

interface Recording {
  readonly digest: string;
  readonly packets: number;
}

/** Runs the lab and digests all that its points saw, in order. */
async function record(text: string, seed: number): Promise<Recording> {
  const hash = createHash('sha256');
  let packets = 0;
  const lab = await labFrom(text, {
    seed,
    onBuilt: (built) =>
      built.captures.listen(built.places(), 65_535, ({ point, time, wall, length, direction, bytes }) => {
        packets++;
        hash.update(`${point.name} ${time} ${wall} ${length} ${direction}\n`);
        hash.update(bytes);
      }),
  });
  const outputs = await Promise.all([
    run(lab, 'alpha', 'ping -c 5 10.0.2.1'),
    run(lab, 'alpha', 'http get http://10.0.2.1/'),
    run(lab, 'beta', 'traceroute 10.0.1.1'),
    run(lab, 'beta', 'ttcp -r -s'),
    run(lab, 'alpha', 'sleep 0.1; ttcp -t -s -n 64 10.0.2.1'),
  ]);
  for (const { out, err, status } of outputs) hash.update(`${out}|${err}|${status}\n`);
  lab.captures.drain();
  await stopLab(lab);
  return { digest: hash.digest('hex'), packets };
}

test('the same seed: the same bytes at the same times, and the same output', async () => {
  const first = await record(LOSSY_ROUTER, 7);
  expect(first.packets).toBeGreaterThan(300);
  expect(await record(LOSSY_ROUTER, 7)).toEqual(first);
});

test('another seed: another run', async () => {
  expect((await record(LOSSY_ROUTER, 8)).digest).not.toBe((await record(LOSSY_ROUTER, 7)).digest);
});
