// What-if: a rule set over a capture, in a lab of its own. The shipped capture is of the router's en1 while nothing filtered there.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { interfacesOfNode } from '../../../main/cli/node-interfaces.ts';
import { pfEnvironment } from '../../../main/cli/pf-input.ts';
import { LINKTYPE_RAW } from '../../../main/capture/link-type.ts';
import { compareVerdicts } from '../../../main/lab/what-if/compare.ts';
import type { WhatIfReport } from '../../../main/lab/what-if/report.ts';
import { pfWhatIf } from '../../../main/lab/what-if/what-if.ts';
import { pcapHeader, pcapRecord } from '../../../stack/utilities/tcpdump/pcap-file.ts';
import { datagram } from './firewall.ts';

const CAPTURE = 'main/examples/router-en1.pcapng';
const RULES = readFileSync('main/examples/router.pf.conf', 'utf8');
const environment = pfEnvironment(
  interfacesOfNode(['en0', 'en1'], ['ifconfig en0 10.1.0.1/24 up', 'ifconfig en1 10.2.0.1/24 up']),
);

async function whatIf(
  text: string,
  direction: 'in' | 'out' | 'both' = 'both',
  capture = CAPTURE,
): Promise<WhatIfReport> {
  const options = { file: 'pf.conf', text, generation: '3.7', environment, capture } as const;
  const result = await pfWhatIf({ ...options, interface: 'en1', direction });
  if ('errors' in result) throw new Error(JSON.stringify(result.errors));
  return result;
}

test('every packet has its verdict, the rule that decided, and the state it belongs to', async () => {
  const { packets, passed, blocked, ignored } = await whatIf(RULES);
  expect([packets.length, passed, blocked, ignored]).toEqual([34, 28, 2, 4]);
  expect(packets[0]).toMatchObject({ number: 1, verdict: 'ignored', reason: 'no IPv4 packet' });
  expect(packets[3]).toMatchObject({
    direction: 'out',
    verdict: 'pass',
    rule: { part: 'filter', line: 32 },
    translation: { part: 'nat', line: 20 },
    state: { made: true },
  });
  expect(packets[3]!.translated).toMatch(/^10\.2\.0\.1:\d+ -> 10\.2\.0\.2:80$/);
  // The answer was captured on its way to the address that nat hides.
  expect(packets[5]).toMatchObject({ direction: 'in', verdict: 'pass', state: { made: false } });
  expect(packets[5]!.adapted).toMatch(/^10\.2\.0\.2:80 -> 10\.2\.0\.1:\d+$/);
  expect(packets[22]).toMatchObject({ verdict: 'block', reason: 'match', rule: { line: 25 } });
});

test('errors that quote a translated packet belong to its state', async () => {
  const { packets } = await whatIf(RULES);
  const errors = packets.filter(({ summary }) => summary.includes('unreachable'));
  expect(errors.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'pass']);
});

test('rules are told with what they did, those without a packet, and those that never decide', async () => {
  const { rules, untouched, shadowed } = await whatIf(
    'pass in on en1 proto tcp to port 22\nblock in on en1\npass in quick on en1 proto udp\npass in on en1 proto udp to port 53\n',
  );
  expect(rules.map(({ line, packets }) => [line, packets])).toEqual([
    [1, 0],
    [2, 15],
    [3, 0],
    [4, 0],
  ]);
  expect(untouched.map(({ line }) => line)).toEqual([1, 3, 4]);
  expect(shadowed.map(({ rule, by }) => [rule.line, by.line])).toEqual([
    [1, 2],
    [4, 3],
  ]);
});

test('states end by the time of the capture', async () => {
  // Pings are a second apart: with a state of half a second the second one makes another.
  const made = async (options: string): Promise<number> => {
    const { packets } = await whatIf(
      `set timeout { icmp.first ${options}, icmp.error ${options}, interval 1 }\nblock in\npass in inet proto icmp icmp-type echoreq keep state\n`,
    );
    return packets.filter(({ state }) => state?.made === true).length;
  };
  expect(await made('60')).toBe(1);
  expect(await made('0')).toBe(2);
});

test('how long a file takes to be read is no time of the capture', async () => {
  const at = (seconds: number, bytes: Uint8Array) =>
    pcapRecord({ seconds, microseconds: 0, length: bytes.length, bytes });
  const folder = mkdtempSync(join(tmpdir(), 'stackscope-what-if-'));
  const capture = join(folder, 'slow.pcap');
  execFileSync('mkfifo', [capture]);
  try {
    const judged = whatIf('block\npass in on en1 proto udp to port 53 keep state\n', 'both', capture);
    // The answer comes 20 s after the question: within the minute that the state of the question has.
    const pipe = await open(capture, 'w');
    await pipe.write(pcapHeader(LINKTYPE_RAW, 65_535));
    await pipe.write(at(0, datagram('10.2.0.2', 4000, '10.1.0.2', 53)));
    await setTimeout(100);
    await pipe.write(at(20, datagram('10.1.0.2', 53, '10.2.0.2', 4000)));
    await pipe.close();
    const { packets } = await judged;
    expect(packets).toMatchObject([
      { verdict: 'pass', direction: 'in', state: { made: true } },
      { verdict: 'pass', direction: 'out', state: { made: false } },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('two rule sets: exactly the packets that fare otherwise', async () => {
  const before = await whatIf('block in on en1\n', 'in');
  const after = await whatIf('block in on en1\npass in on en1 proto tcp to port { 22, 23 }\n', 'in');
  const changes = compareVerdicts(before.packets, after.packets);
  expect(
    changes.map(({ before: one, after: other }) => [one.verdict, other.verdict, other.rule?.line]),
  ).toEqual([
    ['block', 'pass', 2],
    ['block', 'pass', 2],
  ]);
});

test('rules that are wrong are told, and nothing is run', async () => {
  const options = {
    file: 'x',
    text: 'block in on\npass bogus\n',
    generation: '3.7',
    environment,
    capture: CAPTURE,
  } as const;
  const result = await pfWhatIf({ ...options, interface: 'en1', direction: 'both' });
  expect(result).toMatchObject({ errors: [{ line: 1 }, { line: 2 }] });
});
