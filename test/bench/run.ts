/**
 * `npm run bench [-- NAME…] [-- --json] [-- --quick] [-- --install] [-- --profile=all|none]`: measures how fast the parts and the whole are, against peers where this
 * machine has them. Gates are reported, not enforced: the exit status is 0 unless something could not be measured (1) or was not understood (2).
 * What misses its gate is measured once more under a profiler.
 */
import { parseArgs } from 'node:util';
import { benchAllocations } from './allocations.ts';
import { benchBpf } from './bpf.ts';
import { benchPf } from './pf.ts';
import { benchCapture } from './capture.ts';
import { benchChain } from './chain.ts';
import { runJob } from './child.ts';
import { benchBridge, benchIpflow } from './forwarding.ts';
import { benchJourneys } from './journeys.ts';
import { benchManyNodes } from './many-nodes.ts';
import type { Measured } from './measured.ts';
import { PEER_NEEDS } from './peer/needs.ts';
import { installTools } from './peer/tools.ts';
import { profileOf } from './profile.ts';
import { FULL, QUICK } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { asData } from './row.ts';
import { table } from './table.ts';
import { benchTcp } from './tcp.ts';
import { benchThreads } from './threads.ts';
import { benchUdp } from './udp.ts';

const benches: Readonly<Record<string, (effort: Effort) => Promise<Measured[]>>> = {
  kernels: () => runJob('kernels', {}),
  rings: () => runJob('rings', {}),
  mbufs: () => runJob('mbufs', {}),
  udp: benchUdp,
  tcp: benchTcp,
  bridge: benchBridge,
  ipflow: benchIpflow,
  journeys: benchJourneys,
  allocations: benchAllocations,
  chain: benchChain,
  threads: benchThreads,
  'many-nodes': benchManyNodes,
  capture: benchCapture,
  bpf: benchBpf,
  pf: benchPf,
};

/** Which rows are profiled: those that miss their gate, all that a job measured, or none. */
const PROFILES = ['missed', 'all', 'none'] as const;

function options() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      install: { type: 'boolean', default: false },
      profile: { type: 'string', default: 'missed' },
    },
  });
  const unknown = positionals.find((name) => benches[name] === undefined);
  if (unknown !== undefined)
    throw new TypeError(`no bench '${unknown}': there are ${Object.keys(benches).join(', ')}`);
  const profile = PROFILES.find((which) => which === values.profile);
  if (profile === undefined)
    throw new TypeError(`--profile ${values.profile}: there are ${PROFILES.join(', ')}`);
  return { ...values, profile, names: positionals.length > 0 ? positionals : Object.keys(benches) };
}

/** Profiles the jobs behind rows, each job once, as texts that name the rows. */
async function printProfiles(rows: readonly Measured[], print: (text: string) => void): Promise<void> {
  const jobs = new Map<string, Measured[]>();
  for (const row of rows) {
    if (row.job === undefined) continue;
    const key = JSON.stringify(row.job);
    jobs.set(key, [...(jobs.get(key) ?? []), row]);
  }
  for (const alike of jobs.values()) {
    const names = alike.map(({ name, met }) => `${name}${met === false ? ' (gate missed)' : ''}`);
    print(`\nwhere the time goes: ${names.join(' | ')}\n${await profileOf(alike[0]!.job!)}`);
  }
}

async function main(): Promise<number> {
  const { names, json, quick, install, profile } = options();
  if (install) installTools(PEER_NEEDS);
  const rows: Measured[] = [];
  for (const name of names) {
    // For people who wait: the whole takes some minutes.
    if (process.stderr.isTTY) process.stderr.write(`bench: ${name}\n`);
    rows.push(...(await benches[name]!(quick ? QUICK : FULL)));
  }
  process.stdout.write(json ? `${JSON.stringify(rows.map(asData), undefined, 2)}\n` : table(rows));
  if (profile === 'none') return 0;
  const output = json ? process.stderr : process.stdout;
  const shown = rows.filter(({ met }) => profile === 'all' || met === false);
  await printProfiles(shown, (text) => output.write(text));
  return 0;
}

// An exit takes all children with it, and the network namespaces with those that hold them (children.ts).
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
