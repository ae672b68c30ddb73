// `npm run bench` as people and scripts call it, with its cheapest bench.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Row } from '../bench/row.ts';

const root = join(import.meta.dirname, '../..');

test('prints an array of rows with --json, and nothing else', { timeout: 60_000 }, () => {
  const text = execFileSync('npm', ['run', '--silent', 'bench', '--', 'mbufs', '--quick', '--json'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const rows = JSON.parse(text) as Row[];
  expect(rows.map(({ name }) => name)).toEqual(['mbuf, header', 'mbuf, cluster']);
  for (const { value, unit, peer, ratio } of rows) {
    expect(unit).toBe('ns');
    expect(value).toBeGreaterThan(0);
    expect(ratio).toBeCloseTo(peer! / value);
  }
  const wrong = spawnSync(process.execPath, [join(root, 'dist/test/bench/run.js'), 'nothing'], {
    encoding: 'utf8',
  });
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain("no bench 'nothing'");
});
