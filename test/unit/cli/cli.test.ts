// The `stackscope` command as a whole: help and version of every verb, wrong usage, and checking of lab files through it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { stackscope } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('--help describes', () => {
  test.each([
    ['the program', [], ['run', 'check', 'pcap', 'serve']],
    [
      'run',
      ['run'],
      ['--time', '--seed', '--threads', '--for', '--exec', '--capture', '--json', 'Examples:'],
    ],
    ['check', ['check'], ['--json']],
    ['pcap', ['pcap'], ['info', 'list', 'convert', 'replay']],
    ['pcap info', ['pcap', 'info'], ['--json']],
    ['pcap list', ['pcap', 'list'], ['--json']],
    ['pcap convert', ['pcap', 'convert'], ['--format']],
    ['pcap replay', ['pcap', 'replay'], ['--link', '--end', '--speed', '--then', '--exec', 'Example:']],
    ['serve', ['serve'], ['--port', '127.0.0.1']],
  ])('%s', async (_name, verb, words) => {
    const { status, out, err } = await stackscope(folder, ...verb, '--help');
    expect(out.startsWith(`Usage: ${['stackscope', ...verb].join(' ')} `)).toBe(true);
    for (const word of words) expect(out).toContain(word);
    expect({ status, err }).toEqual({ status: 0, err: '' });
  });
});

test('--version is that of the package', async () => {
  const text = readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  expect(await stackscope(folder, '--version')).toEqual({ status: 0, out: `${version}\n`, err: '' });
});

test.each([
  ['no verb', [], 'Usage: stackscope'],
  ['an unknown verb', ['rum'], "error: unknown command 'rum'"],
  ['an unknown verb of pcap', ['pcap', 'inof'], "error: unknown command 'inof'"],
  ['an unknown option', ['check', '--quick'], "error: unknown option '--quick'"],
  ['a bad port', ['serve', '--port', 'http'], 'Expected a port number from 0 to 65535'],
])('%s is wrong usage: status 2', async (_name, args, message) => {
  const { status, out, err } = await stackscope(folder, ...args);
  expect(err).toContain(message);
  expect({ status, out }).toEqual({ status: 2, out: '' });
});

test('check reports every mistake of a lab file with its line', async () => {
  const lines = [
    'name: three-mistakes',
    'nodes:',
    '  alpha: { stack: io-pkt-v5, interfaces: [en0] }',
    '  beta: { stack: io-pkt-v4-hc, interfaces: [en0] }',
    'links:',
    '  wire: { between: [alpha:en0, beta:en0], delay: 1 }',
    '  other: { between: [alpha:en0, gamma:en0] }',
  ];
  writeFileSync(join(folder, 'three.lab.yaml'), lines.join('\n'));
  const { status, out, err } = await stackscope(folder, 'check', 'three.lab.yaml');
  for (const line of [3, 6, 7]) expect(err).toMatch(new RegExp(`^three\\.lab\\.yaml:${line}:\\d+: `, 'm'));
  expect({ status, out }).toEqual({ status: 2, out: '' });
});

test.each(['run', 'serve'])('a lab file that is wrong is refused by %s as by check', async (verb) => {
  writeFileSync(join(folder, 'bad.lab.yaml'), 'name: bad\nnodes: 3\n');
  const [checked, ran] = [
    await stackscope(folder, 'check', 'bad.lab.yaml'),
    await stackscope(folder, verb, 'bad.lab.yaml'),
  ];
  expect(checked.err).toMatch(/^bad\.lab\.yaml:2:8: /);
  expect(ran).toEqual(checked);
});
