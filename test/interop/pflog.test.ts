// The log of PF as others read it: what tcpdump on a node writes of pflog0, decoded by tshark and by the real tcpdump. Each field must be what the rules say.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readFile } from '../../stack/kernel/files.ts';
import { ipv4 } from '../support/frames.ts';
import { nodeOf } from '../support/lab.ts';
import { requires } from '../support/requires.ts';
import { asProgram, startCommand } from '../unit/socket/programs.ts';
import {
  INSIDE,
  OUTSIDE,
  datagram,
  echo,
  inside,
  lab,
  load,
  outside,
  pass,
  passes,
  tcp,
  useFirewall,
} from '../unit/pf/firewall.ts';
import { runProgram } from './support/lab-process.ts';

const missing = requires({ tools: ['tshark', 'tcpdump'] });
const FILE = '/tmp/pflog.pcap';
const NO_RULE = '-1';
/** Each packet: rule, rule in the anchor, anchor, action, reason, direction, interface; as tshark and as tcpdump have them. */
const EXPECTED = [
  ['0', NO_RULE, '', '1', '0', '1', 'en0', 'rule 0/0(match): block in on en0: '],
  ['3', '1', 'services', '0', '0', '1', 'en0', 'rule 3.services.1/0(match): pass in on en0: '],
  ['4', NO_RULE, '', '0', '0', '2', 'en1', 'rule 4/0(match): pass out on en1: '],
  ['2', NO_RULE, '', '1', '8', '1', 'en0', 'rule 2/8(ip-option): block in on en0: '],
  ['1', NO_RULE, '', '0', '0', '1', 'en1', 'rule 1/0(match): pass in on en1: '],
];

useFirewall();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Sends what the rules log, and puts the file that a program on the firewall has written of it where others can read it. */
async function capture(): Promise<string> {
  await load(
    'block in log on en0 proto tcp\npass in log proto { icmp, 99 }\nanchor services\npass out log on en1 proto udp\n',
  );
  await load('block in proto udp to port 1\npass in log proto udp to port 4053\n', '3.7', 'services');
  const running = startCommand(nodeOf(lab, 'fw'), `tcpdump -i pflog0 -w ${FILE}`);
  await pass(1e6);
  await passes(
    inside,
    tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 4000, port: 80, flags: 'S' }),
    outside,
  );
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 4053), outside);
  const options = Buffer.from([0x94, 4, 0, 0]);
  await passes(
    inside,
    ipv4({ source: INSIDE, destination: OUTSIDE, protocol: 99, payload: Buffer.alloc(16), options }),
    outside,
  );
  await passes(outside, echo(OUTSIDE, INSIDE, 8, 7), inside);
  running.process.kill('SIGINT');
  await running.process.exited;
  const file = join(folder, 'pflog.pcap');
  await asProgram(nodeOf(lab, 'fw'), async (self) => writeFile(file, await readFile(self, FILE)));
  return file;
}

it.skipIf(missing !== undefined)(
  'tshark and tcpdump read rule, anchor, action, reason, direction and interface',
  async () => {
    const file = await capture();
    const fields = ['rulenr', 'subrulenr', 'ruleset', 'action', 'reason', 'dir', 'ifname'];
    const decoded = await runProgram(
      'tshark',
      ...['-r', file, '-T', 'fields', ...fields.flatMap((field) => ['-e', `pflog.${field}`])],
    );
    expect(
      decoded
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t')),
    ).toEqual(EXPECTED.map((line) => line.slice(0, 7)));
    expect(await runProgram('tshark', '-r', file, '-Y', '_ws.malformed || pflog.invalid_header_length')).toBe(
      '',
    );
    const inner = await runProgram(
      'tshark',
      '-r',
      file,
      '-T',
      'fields',
      '-e',
      'pflog.length',
      '-e',
      'ip.src',
      '-e',
      'ip.dst',
    );
    expect(new Set(inner.trimEnd().split('\n'))).toEqual(
      new Set([`61\t${INSIDE}\t${OUTSIDE}`, `61\t${OUTSIDE}\t${INSIDE}`]),
    );
    const printed = await runProgram('tcpdump', '-n', '-e', '-t', '-r', file);
    const heads = printed
      .trimEnd()
      .split('\n')
      .map((line) => /^rule .*? on \w+: /.exec(line)?.[0]);
    expect(heads).toEqual(EXPECTED.map((line) => line[7]));
  },
);

it.skipIf(missing !== undefined)('filters of tcpdump find packets by what the log says of them', async () => {
  const file = await capture();
  const count = async (filter: string): Promise<number> =>
    (await runProgram('tcpdump', '-n', '-e', '-t', '-r', file, filter)).split('\n').length - 1;
  expect(await count('action block')).toBe(2);
  expect(await count('rnr 1')).toBe(1);
  expect(await count('ruleset services and srnr 1')).toBe(1);
  expect(await count('reason ip-option')).toBe(1);
  expect(await count('on en1 and outbound')).toBe(1);
});
