/**
 * A thousand nodes in one process.
 */
import { runJob } from './child.ts';
import type { ManyNodes } from './jobs/many-nodes.ts';
import { row } from './row.ts';
import type { Row } from './row.ts';
import type { Effort } from './rounds.ts';

const NODES = 1000;
const MOST_START_SECONDS = 10;

export async function benchManyNodes({ rounds, idleSeconds }: Effort): Promise<Row[]> {
  const runs: ManyNodes[] = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    runs.push(await runJob('manyNodes', { nodes: NODES, idleSeconds }));
  }
  const values = (pick: (run: ManyNodes) => number): number[] => runs.map(pick);
  return [
    row(
      `${NODES} nodes: start`,
      values(({ start }) => start),
      's',
      { mostValue: MOST_START_SECONDS },
    ),
    row(
      `${NODES} nodes: resident memory`,
      values(({ memory }) => memory),
      'MiB',
    ),
    row(
      `${NODES} nodes: processor while idle`,
      values(({ idle }) => idle),
      '%',
    ),
    row(
      `${NODES} nodes: 100 pings of 3 packets at once`,
      values(({ pings }) => pings),
      's',
    ),
    row(
      `${NODES} nodes: pings that failed`,
      values(({ failed }) => failed),
      'pings',
      { mostValue: 0 },
    ),
  ];
}
