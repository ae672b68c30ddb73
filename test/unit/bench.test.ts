// `npm run bench` as people and scripts call it, with its cheapest bench; its jobs, each for a moment; and how figures are judged.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AnyJob } from '../bench/jobs/jobs.ts';
import { asData, row } from '../bench/row.ts';
import type { Row } from '../bench/row.ts';

const root = join(import.meta.dirname, '../..');
const PATIENCE = { timeout: 120_000 };

describe('npm run bench', () => {
  let text = '';
  beforeAll(() => {
    text = execFileSync('npm', ['run', '--silent', 'bench', '--', 'mbufs', '--quick', '--json'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }, 240_000);

  test('prints an array of rows with --json, and nothing else', () => {
    const rows = JSON.parse(text) as Row[];
    expect(rows.map(({ name }) => name)).toEqual(['mbuf, header', 'mbuf, cluster']);
    for (const { value, unit, peer, ratio, ...rest } of rows) {
      expect(unit).toBe('ns');
      expect(value).toBeGreaterThan(0);
      expect(ratio).toBeCloseTo(peer! / value);
      expect(rest).toMatchObject({ gate: null, met: null });
    }
  });

  test.each([
    [['nothing'], "no bench 'nothing'"],
    [['--profile=some'], '--profile some: there are missed, all, none'],
  ])('refuses %j', (argv, message) => {
    const wrong = spawnSync(process.execPath, [join(root, 'dist/bench/test/bench/run.js'), ...argv], {
      encoding: 'utf8',
    });
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toContain(message);
  });

  const moment = { measured: 0.2, warmUp: 0.1 } as const;
  test.each<AnyJob>([
    { name: 'forwarding', options: { forwarding: 'ipflow', time: 'virtual', ...moment } },
    {
      name: 'forwarding',
      options: { forwarding: 'ipflow', time: 'virtual', journey: { every: 10 }, ...moment },
    },
    { name: 'bpf', options: { engine: 'wasm', batch: 32, expression: 'tcp', ...moment } },
    { name: 'pairs', options: { pairs: 2, work: 'routers', threads: 1, ...moment } },
  ])('measures $name $options', PATIENCE, ({ name, options }) => {
    const argv = [join(root, 'dist/bench/test/bench/job.js'), name, JSON.stringify(options)];
    const env = { ...process.env, STACKSCOPE_DEBUG_POOL: '0' };
    const figure = execFileSync(process.execPath, argv, { env, encoding: 'utf8' });
    expect(Number(figure)).toBeGreaterThan(1000);
  });
});

describe('a row', () => {
  test('takes the median, and the ratio the better way round', () => {
    expect(row('rate', [1, 9, 6], 'Gbit/s', { peers: [2, 3, 4], leastRatio: 2 })).toEqual({
      ...{ name: 'rate', value: 6, unit: 'Gbit/s', peer: 3, ratio: 2, gate: 2, met: true },
    });
    expect(row('cost', [4], 'ns', { peers: [2], leastRatio: 1 })).toMatchObject({ ratio: 0.5, met: false });
  });

  test('is judged by its value where it has no peer by its nature', () => {
    expect(row('start', [6], 's', { mostValue: 5 })).toMatchObject({ gate: 5, met: false });
    expect(row('handled', [6], 'packets/s', { leastValue: 5 })).toMatchObject({ gate: 5, met: true });
  });

  test('has a gate and no verdict where its peer is missing', () => {
    const lonely = row('rate', [6], 'Gbit/s', { peers: [], leastRatio: 3 });
    expect(lonely).toEqual({ name: 'rate', value: 6, unit: 'Gbit/s', gate: 3 });
    expect(asData(lonely)).toEqual({ ...lonely, peer: null, ratio: null, met: null });
  });
});
