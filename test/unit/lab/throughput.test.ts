// What TCP gets out of a link in virtual time: as much as rate and window allow, whatever the delay.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';

let lab: RunningLab | undefined;
afterEach(async () => {
  if (lab !== undefined) await stopLab(lab);
  lab = undefined;
});

/** Sends `megabytes` from alpha to beta with socket buffers of 256 KiB; bits per second as the sender's ttcp tells them. */
async function goodput(impairments: string, megabytes: number): Promise<number> {
  lab = await labFrom(`
name: throughput
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24'] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24'] }
links:
  wire: { between: [alpha:en0, beta:en0], ${impairments} }
`);
  const receiver = run(lab, 'beta', 'ttcp -r -s -b 262144');
  await run(lab, 'alpha', 'sleep 0.01');
  const blocks = (megabytes * 1_048_576) / 65_536;
  const { out, status } = await run(lab, 'alpha', `ttcp -t -s -b 262144 -l 65536 -n ${blocks} 10.0.0.2`);
  expect(status).toBe(0);
  expect((await receiver).status).toBe(0);
  const seconds = Number(/in ([\d.]+) real seconds/.exec(out)![1]);
  const mbit = Number(/= ([\d.]+) KB\/sec/.exec(out)![1]) * 1024 * 8;
  expect(seconds).toBeGreaterThan(0);
  return mbit;
}

test('a 1 ms delay does not reduce throughput below what window and rate allow', async () => {
  // 1460 of 1538 bytes on the wire carry data (1448 with timestamps): 94.1 of 100 Mbit/s.
  expect(await goodput('rate: 100mbit, delay: 1ms, queue: 256', 40)).toBeGreaterThanOrEqual(93e6);
});

test('without a limit of rate a delay of 1 ms lets one window through per round trip', async () => {
  const best = (262_144 * 8) / 2e-3;
  const got = await goodput('delay: 1ms', 64);
  expect(got).toBeLessThanOrEqual(best * 1.01);
  expect(got).toBeGreaterThan(best * 0.85);
});

test('a gigabit is filled over 1 ms as well', async () => {
  expect(await goodput('rate: 1gbit, delay: 0.5ms, queue: 512', 40)).toBeGreaterThanOrEqual(930e6);
});

test('loss of 1 percent slows it down but ends nothing', async () => {
  const got = await goodput('rate: 100mbit, delay: 1ms, loss: 1%, queue: 256', 4);
  expect(got).toBeGreaterThan(5e6);
  expect(got).toBeLessThan(93e6);
});
