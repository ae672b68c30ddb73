/**
 * IP forwarding under PF: what it costs to have it loaded, to let it filter, by how many rules it looks at, with a state or a table instead. The gate: PF that is loaded and
 * does not filter costs less than 5 %.
 */
import { runJob } from './child.ts';
import type { PfOptions } from './jobs/pf-rules.ts';
import type { AnyJob } from './jobs/jobs.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

const UNIT = 'Mpps';
const PACKETS = 1e6;
const IDLE_RATIO = 0.95;
/** Connections of the capture that a rule set is tried on, of 22 packets each. */
const CONNECTIONS = 10_000;

const CASES: Readonly<Record<string, PfOptions>> = {
  'loaded, not enabled': { enabled: false, rules: 0 },
  'enabled, 2 rules': { enabled: true, rules: 0 },
  'enabled, 10 rules more': { enabled: true, rules: 10 },
  'enabled, 1,000 rules more': { enabled: true, rules: 1000 },
  'enabled, 10,000 rules more': { enabled: true, rules: 10_000 },
  'enabled, 1,000 rules more of port ranges': { enabled: true, rules: 1000, differIn: 'ranges' },
  'enabled, 10,000 rules more of port ranges': { enabled: true, rules: 10_000, differIn: 'ranges' },
  'enabled, packets of a state': { enabled: true, rules: 0, keepState: true },
  'enabled, 1,000 rules more, packets of a state': { enabled: true, rules: 1000, keepState: true },
  'enabled, a table of 100,000': { enabled: true, rules: 0, table: 100_000 },
};

export async function benchPf({ rounds, seconds, warmUp }: Effort): Promise<Measured[]> {
  const jobOf = (pf: PfOptions | undefined) =>
    ({
      name: 'forwarding',
      options: {
        time: 'virtual',
        forwarding: 'ip',
        measured: seconds,
        warmUp,
        ...(pf === undefined ? {} : { pf }),
      },
    }) satisfies AnyJob;
  const rate = (pf: PfOptions | undefined) => async () =>
    (await runJob('forwarding', jobOf(pf).options)) / PACKETS;
  const whatIf = { name: 'whatIf', options: { connections: CONNECTIONS } } satisfies AnyJob;
  const results = await interleave(rounds, {
    none: rate(undefined),
    whatIf: () => runJob('whatIf', whatIf.options),
    ...Object.fromEntries(Object.entries(CASES).map(([name, pf]) => [name, rate(pf)])),
  });
  const values: Readonly<Record<string, readonly number[] | undefined>> = results;
  const none = values['none'] ?? [];
  return [
    by(jobOf(undefined), row('IP forwarding without PF', none, UNIT)),
    ...Object.entries(CASES).map(([name, pf]) => {
      const leastRatio = pf.enabled ? {} : { leastRatio: IDLE_RATIO };
      const judgement = { peers: none, ...leastRatio };
      return by(jobOf(pf), row(`PF ${name}; peer: without PF`, values[name] ?? [], UNIT, judgement));
    }),
    by(whatIf, row('what-if (pf test), with reading and report', results.whatIf, 'packets/s')),
  ];
}
