/**
 * A thousand nodes with two thousand links in one process.
 */
import { runJob } from './child.ts';
import type { AnyJob } from './jobs/jobs.ts';
import type { ManyNodes } from './jobs/many-nodes.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

const NODES = 1000;
const MOST = { startSeconds: 5, idlePercent: 2, residentMib: 150 } as const;

export async function benchManyNodes({ rounds, idleSeconds }: Effort): Promise<Measured[]> {
  const options = { nodes: NODES, idleSeconds };
  const runs: ManyNodes[] = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) runs.push(await runJob('manyNodes', options));
  const job: AnyJob = { name: 'manyNodes', options };
  const figure = (
    what: string,
    unit: string,
    pick: (run: ManyNodes) => number,
    mostValue?: number,
  ): Measured => {
    const judgement = mostValue === undefined ? {} : { mostValue };
    const name = `${NODES} nodes, ${runs[0]!.links} links: ${what}`;
    return by(job, row(name, runs.map(pick), unit, judgement));
  };
  return [
    figure('start', 's', ({ start }) => start, MOST.startSeconds),
    figure('resident memory of the process', 'MiB', ({ resident }) => resident, MOST.residentMib),
    figure('resident memory more than before', 'MiB', ({ memory }) => memory),
    figure('resident memory, heap of the main thread', 'MiB', ({ heap }) => heap),
    figure('resident memory, packets, tables and counters', 'MiB', ({ shared }) => shared),
    figure('processor while idle', '%', ({ idle }) => idle, MOST.idlePercent),
    figure('100 pings of 3 packets at once', 's', ({ pings }) => pings),
    figure('pings that failed', 'pings', ({ failed }) => failed, 0),
  ];
}
