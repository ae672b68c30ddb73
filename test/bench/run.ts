/**
 * `npm run bench [-- NAME…] [-- --json] [-- --quick]`: measures how fast the parts and the whole are, against peers where this machine has them.
 * Gates are reported, not enforced: the exit status is 0 unless something could not be measured (1) or was not understood (2).
 */
import { parseArgs } from 'node:util';
import { benchCapture } from './capture.ts';
import { runJob } from './child.ts';
import { benchManyNodes } from './many-nodes.ts';
import { FULL, QUICK } from './rounds.ts';
import type { Effort } from './rounds.ts';
import type { Row } from './row.ts';
import { table } from './table.ts';
import { benchTcp } from './tcp.ts';
import { benchUdp } from './udp.ts';

const benches: Readonly<Record<string, (effort: Effort) => Promise<Row[]>>> = {
  kernels: () => runJob('kernels', {}),
  rings: () => runJob('rings', {}),
  mbufs: () => runJob('mbufs', {}),
  udp: benchUdp,
  tcp: benchTcp,
  'many-nodes': benchManyNodes,
  capture: benchCapture,
};

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
  });
  const unknown = positionals.find((name) => benches[name] === undefined);
  if (unknown !== undefined)
    throw new TypeError(`no bench '${unknown}': there are ${Object.keys(benches).join(', ')}`);
  const names = positionals.length > 0 ? positionals : Object.keys(benches);
  const rows: Row[] = [];
  for (const name of names) rows.push(...(await benches[name]!(values.quick ? QUICK : FULL)));
  process.stdout.write(values.json ? `${JSON.stringify(rows, undefined, 2)}\n` : table(rows));
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
