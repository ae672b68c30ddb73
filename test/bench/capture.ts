/**
 * What capturing a link to a file costs bulk TCP: the peer is the same transfer without.
 */
import { runJob } from './child.ts';
import { median, row } from './row.ts';
import type { Row } from './row.ts';
import type { Effort } from './rounds.ts';

export async function benchCapture({ rounds, seconds, warmUp }: Effort): Promise<Row[]> {
  const options = { time: 'real', measured: seconds, warmUp } as const;
  const [rates, without, lost]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const { rate, packets, dropped } = await runJob('capturedStream', options);
    rates.push(rate);
    lost.push((100 * dropped) / Math.max(1, packets + dropped));
    without.push(await runJob('stream', options));
  }
  return [
    row('TCP bulk while captured; peer: not captured', rates, 'Gbit/s', { peers: without }),
    { name: 'packets of it that the capture lost', value: median(lost), unit: '%' },
  ];
}
