/** `npm run conformance:bpf -- DIR [--json]`: judges the cases in a folder; one JSON object per case with --json, otherwise those that did not pass; totals in any case. */
import { parseArgs } from 'node:util';
import { judge, totals } from './judge.ts';
import type { Group } from './judge.ts';

const GROUPS: readonly Group[] = ['apply', 'accept', 'reject'];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean' } },
    allowPositionals: true,
  });
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1) {
    process.stderr.write('usage: npm run conformance:bpf -- DIR [--json]\n');
    process.exitCode = 2;
    return;
  }
  const verdicts = await judge(folder);
  for (const { group, name, result, reason } of verdicts) {
    if (values.json === true) process.stdout.write(`${JSON.stringify({ name, result, reason })}\n`);
    else if (result === 'fail') process.stdout.write(`${group} ${name}: ${reason}\n`);
  }
  for (const group of GROUPS) process.stdout.write(`${totals(verdicts, group)}\n`);
  if (verdicts.some(({ result }) => result === 'fail')) process.exitCode = 1;
}

await main();
