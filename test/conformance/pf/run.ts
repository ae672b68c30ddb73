/**
 * `npm run conformance:pf -- DIR [--json]`: reads the published PF cases in DIR (folders upstream/ and grammar42/) and compares. With --json one object a case, and
 * one with the totals at the end. Exit status: 0 when nothing differs without an explanation, 1 otherwise, 2 for wrong usage.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runPfCases, totalsOf } from './cases.ts';

function directory(): { path: string; json: boolean } {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new TypeError('usage: conformance:pf -- DIR [--json]');
  if (!existsSync(path)) throw new TypeError(`${path}: no such folder`);
  return { path, json: values.json };
}

function main(): void {
  const { path, json } = directory();
  const results = runPfCases(path);
  for (const { name, result, reason } of results) {
    if (json) process.stdout.write(`${JSON.stringify({ name, result, reason })}\n`);
    else if (result !== 'pass') process.stdout.write(`${result.padEnd(9)} ${name}: ${reason}\n`);
  }
  const totals = totalsOf(results);
  if (json) process.stdout.write(`${JSON.stringify({ totals })}\n`);
  for (const { what, right, explained, all } of json ? [] : totals) {
    const share = all === 0 ? '' : ` (${((100 * right) / all).toFixed(1)} %)`;
    const told = explained > 0 ? `, ${explained} more explained` : '';
    process.stdout.write(`${what}: ${right} of ${all}${share}${told}\n`);
  }
  if (results.some(({ result }) => result === 'fail')) process.exitCode = 1;
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
