/**
 * How many packets a whole lab handles per second: a chain of routers that small datagrams cross from end to end.
 */
import { runJob } from './child.ts';
import type { AnyJob } from './jobs/jobs.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

const NODES = 8;
const BYTES = 18;
/** Packets per second that all interfaces together must take in. */
const LEAST = 1e6;

export async function benchChain({ rounds, seconds, warmUp }: Effort): Promise<Measured[]> {
  const options = { time: 'real', nodes: NODES, bytes: BYTES, measured: seconds, warmUp } as const;
  const [handled, arrived]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const { handlings, datagrams } = await runJob('chain', options);
    handled.push(handlings);
    arrived.push(datagrams);
  }
  const name = `chain of ${NODES} nodes, UDP of ${BYTES} bytes`;
  const job: AnyJob = { name: 'chain', options };
  return [
    by(job, row(`${name}: packets handled`, handled, 'packets handled/s', { leastValue: LEAST })),
    row(`${name}: datagrams that arrive`, arrived, 'datagrams/s'),
  ];
}
