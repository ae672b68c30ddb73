// `run --journey` and `pcap journey`: what is kept in the file, that nobody else minds, and what a user is told who asks for what is not there.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convertCapture } from '../../../main/capture/convert.ts';
import { readCapture } from '../../../main/capture/read.ts';
import { memorySink } from '../../../main/capture/sink.ts';
import { findTool, requires } from '../../support/requires.ts';
import { stackscope, twoNodes } from './stackscope.ts';
import type { Outcome } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-journey-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);
const pcap = (...args: readonly string[]) => stackscope(folder, 'pcap', ...args);
const run = (...args: readonly string[]) =>
  stackscope(folder, 'run', twoNodes, '--time', 'virtual', '--seed', '7', ...args);
const ping = ['--exec', 'alpha: ping -c 2 10.0.0.2', '--capture'];

beforeAll(async () => {
  const outcomes = [
    ['all=plain.pcapng'],
    ['all=all.pcapng', '--journey', 'all'],
    ['all=again.pcapng', '--journey', 'all'],
    ['all=icmp.pcapng', '--journey', 'every 2 icmp'],
    ['all=half.pcapng', '--journey', '1/2 icmp', '-w', 'written.pcapng'],
  ].map((args) => run(...ping, ...args));
  for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ status: 0, err: '' });
}, 30_000);

test('the same run gives the same journeys', () => {
  expect(readFileSync(path('all.pcapng')).equals(readFileSync(path('again.pcapng')))).toBe(true);
});

test('following packets changes nothing about them', async () => {
  const [plain, followed] = [await readCapture(path('plain.pcapng')), await readCapture(path('all.pcapng'))];
  const essence = ({ packets }: typeof plain) =>
    packets.map(({ time, data, originalLength }) => ({ time, originalLength, data: [...data] }));
  expect(essence(followed)).toEqual(essence(plain));
  expect(followed.problems).toEqual([]);
});

test('without --journey a file holds nothing of it', async () => {
  const { packets, blocks } = await readCapture(path('plain.pcapng'));
  expect(packets.every(({ options }) => options === undefined)).toBe(true);
  expect(blocks).toEqual([]);
});

test('-w is --capture of all links, and 1/N is every N', () => {
  const [written, half, icmp] = ['written', 'half', 'icmp'].map((name) =>
    readFileSync(path(`${name}.pcapng`)),
  );
  expect(written!.equals(icmp!)).toBe(true);
  expect(half!.equals(icmp!)).toBe(true);
});

test('a journey as a table', async () => {
  const { status, out } = await pcap('journey', 'all.pcapng', '6');
  expect(status).toBe(0);
  const [title, headings, ...rows] = out.trimEnd().split('\n');
  expect(title).toMatch(/^packet 6, journey \d+: 10\.0\.0\.2 > 10\.0\.0\.1 {2}ICMP {2}Echo \(ping\) reply/);
  expect(headings).toMatch(/^time +thread +place +station +buffer$/);
  expect(rows[0]).toMatch(/^0\.000000000 +0 +beta +output +0x[0-9a-f]{8} +ICMP sent by this host$/);
  expect(rows.at(-1)).toMatch(
    /^0\.001\d{6} +0 +alpha raw 1 \* +socket +0x[0-9a-f]{8} +84 bytes in the receive buffer$/,
  );
  expect(rows.length).toBe(11);
});

test('a journey as JSON', async () => {
  const { out } = await pcap('journey', 'all.pcapng', '6', '--json');
  const stations = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(stations[0]).toEqual({
    time: expect.stringMatching(/^2026-01-01T00:00:00\.002\d{6}Z$/) as string,
    ns: 0,
    thread: 0,
    node: 'beta',
    place: 'beta',
    station: 'output',
    text: 'ICMP sent by this host',
    buffer: expect.stringMatching(/^0x[0-9a-f]{8}$/) as string,
  });
  expect(stations[3]).toMatchObject({ node: null, place: 'link:wire', station: 'link' });
});

test('pcap info says how many journeys there are', async () => {
  const { out } = await pcap('info', 'all.pcapng', 'icmp.pcapng', 'plain.pcapng');
  expect(out.match(/^(packets|journeys):.*$/gm)).toEqual([
    'packets:      8',
    expect.stringMatching(/^journeys: {5}8, \d+ stations$/),
    'packets:      8',
    expect.stringMatching(/^journeys: {5}2, \d+ stations$/),
    'packets:      8',
  ]);
});

test('conversion to pcapng keeps journeys', async () => {
  const { sink, contents } = memorySink();
  await convertCapture(path('all.pcapng'), sink, 'pcapng');
  expect(readFileSync(path('all.pcapng')).equals(contents())).toBe(true);
});

describe.each([
  ['tshark', ['-T', 'fields', '-e', 'frame.number', '-e', 'frame.time_epoch', '-e', '_ws.col.Info']],
  ['tcpdump', ['-tt', '-n']],
])('%s', (tool, options) => {
  test.skipIf(requires({ tools: [tool] }))('reads a file with journeys as one without', () => {
    const read = (name: string): { status: number | null; lines: string[]; complaints: string } => {
      const { status, stdout, stderr } = spawnSync(findTool(tool)!, ['-r', path(name), ...options], {
        encoding: 'utf8',
      });
      // tcpdump says there which file it reads.
      return { status, lines: stdout.split('\n'), complaints: stderr.replaceAll(path(name), '') };
    };
    const plain = read('plain.pcapng');
    expect(plain.status).toBe(0);
    expect(plain.lines.length).toBe(9);
    expect(read('all.pcapng')).toEqual(plain);
  });
});

test('errors say what is wrong and what would be right', async () => {
  const damaged = readFileSync(path('all.pcapng'));
  const versionOffset = 16;
  damaged.writeUInt16LE(9, damaged.indexOf(Buffer.from([0x53, 0x53, 0x00, 0x80])) + versionOffset);
  writeFileSync(path('damaged.pcapng'), damaged);
  const cases: readonly (readonly [Promise<Outcome>, number, string])[] = [
    [
      pcap('journey', 'plain.pcapng', '1'),
      1,
      'plain.pcapng: it holds no journeys; run the lab with --journey all',
    ],
    [pcap('journey', 'all.pcapng', '9'), 2, 'all.pcapng: there is no packet 9; its last is 8'],
    [
      pcap('journey', 'damaged.pcapng', '1'),
      1,
      'a block of journeys is damaged: it is of version 9; 1 can be read',
    ],
    [
      run('--exec', 'alpha: true', '--journey', 'all', '--capture', 'all=x.pcap'),
      2,
      'needs a pcapng file to keep journeys in; add -w out.pcapng',
    ],
  ];
  for (const [outcome, status, message] of cases) {
    expect(await outcome).toMatchObject({ status, out: '', err: expect.stringContaining(message) as string });
  }
}, 30_000);
