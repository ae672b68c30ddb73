// `stackscope pcap replay` as a user types it: the capture of one run is sent into another, and the node at the other end answers.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LINKTYPE_RAW } from '../../../main/capture/link-type.ts';
import { PcapWriter } from '../../../main/capture/pcap-writer.ts';
import { readCapture } from '../../../main/capture/read.ts';
import { fileSink } from '../../../main/capture/sink.ts';
import { examples, stackscope, twoNodes } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);
const replay = (...args: readonly string[]) => stackscope(folder, 'pcap', 'replay', ...args);
/** Echo request, and offsets in a frame with an IP header of 20 bytes. */
const [ICMP, ECHO_REQUEST, PROTOCOL_AT, ICMP_AT] = [1, 8, 23, 34];

/** Times, in ms since the first, at which echo requests passed the link in a capture. */
async function echoTimes(name: string): Promise<number[]> {
  const { packets } = await readCapture(path(name));
  const requests = packets.filter(({ data }) => data[PROTOCOL_AT] === ICMP && data[ICMP_AT] === ECHO_REQUEST);
  return requests.map(({ time }) => Number(time - requests[0]!.time) / 1e6);
}

beforeAll(async () => {
  const ping = ['--time', 'virtual', '--exec', 'alpha: ping -c 3 10.0.0.2'];
  await stackscope(folder, 'run', twoNodes, ...ping, '--capture', 'alpha:en0=pings.pcapng');
});

describe('the packets are sent with', () => {
  test.each([
    ['their own timing', 1],
    ['doubled speed', 2],
    ['half the speed', 0.5],
  ])('%s', async (_name, speed) => {
    const options = ['--time', 'virtual', '--link', 'wire', '--end', 'alpha:en0', '--speed', String(speed)];
    const { status, out, err } = await replay(
      'pings.pcapng',
      twoNodes,
      ...options,
      '--capture',
      'link:wire=again.pcapng',
    );
    expect({ status, err, out }).toEqual({
      status: 0,
      err: '',
      out: 'sent 10 packets (828 bytes) into link wire\n',
    });
    const times = await echoTimes('again.pcapng');
    expect(times).toHaveLength(3);
    for (const [index, time] of (await echoTimes('pings.pcapng')).entries()) {
      expect(times[index]).toBeCloseTo(time / speed, 4);
    }
  });

  test('no pauses', async () => {
    const options = ['--time', 'virtual', '--link', 'wire', '--speed', '0', '--capture', 'all=fast.pcapng'];
    expect((await replay('pings.pcapng', twoNodes, ...options)).status).toBe(0);
    expect(await echoTimes('fast.pcapng')).toEqual([0, 0, 0]);
  });
});

test('in real time the timing is the same, and the node at the other end answers', async () => {
  const begin = performance.now();
  const options = ['--link', 'wire', '--speed', '4', '--then', 'beta: netstat -s'];
  const { status, out } = await replay('pings.pcapng', twoNodes, ...options, '--capture', 'all=real.pcapng');
  expect(out).toMatch(/3 echo requests received/);
  expect(performance.now() - begin).toBeGreaterThan(500);
  // A busy machine may hold up the first one, so that the others come sooner behind it: a quarter of a second, with a little patience.
  const [, second, third] = await echoTimes('real.pcapng');
  expect(second).toBeGreaterThan(200);
  expect(third).toBeGreaterThan(425);
  expect(status).toBe(0);
});

test('commands run before the first packet and after the last one', async () => {
  const commands = [
    '--exec',
    'beta: echo before',
    '--then',
    'beta: echo after',
    '--then',
    'beta: sh -c "exit 4"',
  ];
  const { status, out } = await replay(
    'pings.pcapng',
    twoNodes,
    '--link',
    'wire',
    '--time',
    'virtual',
    ...commands,
  );
  expect(out).toBe('before\nsent 10 packets (828 bytes) into link wire\nafter\n');
  expect(status).toBe(4);
});

test('--json tells what was sent', async () => {
  const { out } = await replay('pings.pcapng', twoNodes, '--link', 'wire', '--time', 'virtual', '--json');
  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string });
  expect(events.map(({ event }) => event)).toEqual(['started', 'replayed', 'stopped']);
  expect(events[1]).toEqual({
    event: 'replayed',
    packets: 10,
    bytes: 828,
    otherLinkType: 0,
    unfit: 0,
    cut: 0,
  });
});

test('a damaged capture is replayed as far as it can be read, with a message and status 1', async () => {
  writeFileSync(path('cut.pcapng'), readFileSync(path('pings.pcapng')).subarray(0, 600));
  const { status, out, err } = await replay('cut.pcapng', twoNodes, '--link', 'wire', '--time', 'virtual');
  expect(out).toMatch(/^sent [1-9] packets/);
  expect(err).toMatch(/^cut\.pcapng at byte \d+: /);
  expect(status).toBe(1);
});

test('packets of other link types are left out, and nothing sent is a failure', async () => {
  const writer = new PcapWriter(fileSink(path('raw.pcap')), { linkType: LINKTYPE_RAW });
  writer.writePacket({ time: 0n, data: new Uint8Array(40), originalLength: 40 });
  writer.close();
  const { status, out } = await replay('raw.pcap', twoNodes, '--link', 'wire', '--time', 'virtual');
  expect(out).toBe('sent 0 packets (0 bytes) into link wire; left out 1 that are not Ethernet\n');
  expect(status).toBe(1);
});

describe('refused before anything starts, with status 2:', () => {
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    ['no link', ['pings.pcapng', twoNodes], "required option '--link <name>'"],
    [
      'an unknown link',
      ['pings.pcapng', twoNodes, '--link', 'wier'],
      'there is no link wier (did you mean wire?)',
    ],
    [
      'an unknown end',
      ['pings.pcapng', twoNodes, '--link', 'wire', '--end', 'gamma:en0'],
      'link wire has no end gamma:en0; its ends are: 0 alpha:en0, 1 beta:en0',
    ],
    ['an end too many', ['pings.pcapng', twoNodes, '--link', 'wire', '--end', '2'], 'has no end 2'],
    [
      'a negative speed',
      ['pings.pcapng', twoNodes, '--link', 'wire', '--speed=-1'],
      'It must be a number such as 1',
    ],
    ['a capture that is not there', ['absent.pcap', twoNodes, '--link', 'wire'], 'absent.pcap: '],
    [
      'a serial line',
      ['pings.pcapng', join(examples, 'serial.lab.yaml'), '--link', 'line'],
      'line is a serial line, which carries no frames',
    ],
    ['a file that is no capture', [twoNodes, twoNodes, '--link', 'wire'], 'not a pcap or pcapng file'],
    [
      'a capture over the one that is read',
      ['pings.pcapng', twoNodes, '--link', 'wire', '--capture', 'all=./pings.pcapng'],
      'would overwrite pings.pcapng',
    ],
  ];
  test.each(cases)('%s', async (_name, args, message) => {
    const { status, out, err } = await replay(...args);
    expect(err).toContain(message);
    expect({ out, status }).toEqual({ out: '', status: 2 });
  });
});
