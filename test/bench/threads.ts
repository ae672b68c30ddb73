/**
 * Two workers against one, on pairs of nodes that are independent of each other, and next to it two threads against one that only compute: no lab can gain more than those.
 */
import { runJob } from './child.ts';
import type { PairWork } from './jobs/pairs.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';
import type { Row } from './row.ts';

const PAIRS = 4;

export async function benchThreads({ rounds, seconds, warmUp }: Effort): Promise<Row[]> {
  const timing = { measured: seconds, warmUp };
  const arithmetic = (threads: number) => async () =>
    (await runJob('arithmetic', { threads, ...timing })) / 1e9;
  const pairs = (work: PairWork, threads: number, unit: number) => async () =>
    (await runJob('pairs', { pairs: PAIRS, work, threads, ...timing })) / unit;
  const { one, two, routersOne, routersTwo, streamOne, streamTwo } = await interleave(rounds, {
    one: arithmetic(1),
    two: arithmetic(2),
    routersOne: pairs('routers', 1, 1),
    routersTwo: pairs('routers', 2, 1),
    streamOne: pairs('stream', 1, 1e9 / 8),
    streamTwo: pairs('stream', 2, 1e9 / 8),
  });
  return [
    row('arithmetic only, 2 threads; peer: 1 thread', two, 'Gop/s', { peers: one }),
    row(`${PAIRS} pairs of routers, 2 workers; peer: 1 worker`, routersTwo, 'packets handled/s', {
      peers: routersOne,
    }),
    row(`${PAIRS} pairs with bulk TCP, 2 workers; peer: 1 worker`, streamTwo, 'Gbit/s', {
      peers: streamOne,
    }),
  ];
}
