/**
 * What capturing a link to a file costs bulk TCP: the peer is the same transfer without.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runJob } from './child.ts';
import { median, row } from './row.ts';
import type { Row } from './row.ts';
import type { Effort } from './rounds.ts';

/** Calls `work` with a folder for files of some gigabytes, which goes with the bench, in whichever way that ends. */
async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'stackscope-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await work(folder);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

export function benchCapture(effort: Effort): Promise<Row[]> {
  return withFolder((folder) => compare(effort, join(folder, 'bench.pcapng')));
}

async function compare({ rounds, seconds, warmUp }: Effort, file: string): Promise<Row[]> {
  const options = { time: 'real', measured: seconds, warmUp } as const;
  const [rates, without, lost]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const { rate, packets, dropped } = await runJob('capturedStream', { ...options, file });
    rates.push(rate);
    lost.push((100 * dropped) / Math.max(1, packets + dropped));
    without.push(await runJob('stream', options));
  }
  return [
    row('TCP bulk while captured; peer: not captured', rates, 'Gbit/s', { peers: without }),
    { name: 'packets of it that the capture lost', value: median(lost), unit: '%' },
  ];
}
