/**
 * What following packets costs IP's fast path: frames through a node of which none is followed, one in a thousand, and all. The peer is the same path with none.
 */
import { runJob } from './child.ts';
import type { AnyJob } from './jobs/jobs.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

const UNIT = 'Mpps';
const SAMPLE = 1000;

export async function benchJourneys({ rounds, seconds, warmUp }: Effort): Promise<Measured[]> {
  const job = (every?: number) =>
    ({
      name: 'forwarding',
      options: {
        time: 'virtual',
        forwarding: 'ipflow',
        measured: seconds,
        warmUp,
        ...(every !== undefined && { journey: { every } }),
      },
    }) satisfies AnyJob;
  const rate = (every?: number) => async () => (await runJob('forwarding', job(every).options)) / 1e6;
  const { none, sampled, all } = await interleave(rounds, {
    none: rate(),
    sampled: rate(SAMPLE),
    all: rate(1),
  });
  const judgement = { peers: none };
  return [
    by(job(SAMPLE), row(`ipflow, 1/${SAMPLE} of the packets followed; peer: none`, sampled, UNIT, judgement)),
    by(job(1), row('ipflow, all packets followed; peer: none', all, UNIT, judgement)),
  ];
}
