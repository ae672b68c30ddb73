// The lines of tcpdump on a node beside those of the real one, on the same packets: what a lab with every protocol it has carries, and captures of others.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFile } from '../../stack/kernel/files.ts';
import { linkTypeByNumber } from '../../stack/utilities/tcpdump/link-types.ts';
import { packetLines } from '../../stack/utilities/tcpdump/packet-line.ts';
import type { ByteStyle } from '../../stack/utilities/tcpdump/packet-line.ts';
import { readPcap } from '../../stack/utilities/tcpdump/pcap-file.ts';
import type { TimeStyle } from '../../stack/utilities/tcpdump/time-text.ts';
import { conformanceDir } from '../support/conformance.ts';
import { labFrom, nodeOf, run, stopLab, succeed } from '../support/lab.ts';
import { requires } from '../support/requires.ts';
import { asProgram, startCommand } from '../unit/socket/programs.ts';

const missing = requires({ tools: ['tcpdump'] });
/** Sets of options, as they are typed. */
const OPTIONS = [
  '',
  '-e',
  '-v',
  '-vv',
  '-e -v',
  '-e -vv',
  '-q',
  '-e -q',
  '-S',
  '-x',
  '-X',
  '-e -xx',
  '-XX',
  '-A',
  '-AA',
];
const TIMES = ['-t', '-tt', '-ttt', '-tttt', '-ttttt'];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-'));
});
afterAll(() => rm(folder, { recursive: true }));

function styleOf(options: string): Parameters<typeof packetLines>[1] {
  const times = (letter: string): number => options.split(letter).length - 1;
  const [letter, form] = (
    [
      ['X', 'hexAndAscii'],
      ['x', 'hex'],
      ['A', 'ascii'],
    ] as const
  ).find(([each]) => times(each) > 0) ?? ['-', 'none' as const];
  const bytes: ByteStyle = { form, link: form !== 'none' && times(letter) > 1 };
  const protocols = {
    ether: times('e') > 0,
    verbose: times('v'),
    quiet: times('q') > 0,
    absolute: times('S') > 0,
    numeric: true,
    ownBytes: form !== 'none',
  };
  return { protocols, bytes, time: times('t') as TimeStyle };
}

/** What our printer makes of a file, and what the real tcpdump does. */
function both(path: string, options: string): { ours: string[]; theirs: string[] } {
  const file = readPcap(readFileSync(path));
  if (typeof file === 'string') throw new Error(`${path}: ${file}`);
  const lines = packetLines(linkTypeByNumber(file.linkType)!, styleOf(options));
  const words = ['-n', ...options.split(' ').filter(Boolean), '-r', path];
  const env = { ...process.env, TZ: 'UTC' };
  const theirs = execFileSync('tcpdump', words, { env, stdio: 'pipe', maxBuffer: 1e8 }).toString('latin1');
  return { ours: file.packets.map(lines).join('').split('\n'), theirs: theirs.split('\n') };
}

/** A lab that carries all that its nodes speak: ARP, ICMP and its errors, UDP, fragments, TCP, VLANs, tunnels, the spanning tree, link aggregates. */
const EVERYTHING = `
name: everything
nodes:
  alpha:
    stack: io-pkt-v4-hc
    interfaces: [en0, en1]
    startup:
      - ifconfig en0 10.0.0.1/24
      - ifconfig vlan7 create; ifconfig vlan7 vlan 7 vlanif en0; ifconfig vlan7 10.7.0.1/24
      - ifconfig gre0 create; ifconfig gre0 tunnel 10.0.0.1 10.0.0.2; ifconfig gre0 10.9.0.1 10.9.0.2
      - ifconfig gif0 create; ifconfig gif0 tunnel 10.0.0.1 10.0.0.2; ifconfig gif0 10.8.0.1 10.8.0.2
  beta:
    stack: io-pkt-v4-hc
    interfaces: [en0, en1]
    startup:
      - ifconfig en0 10.0.0.2/24
      - ifconfig vlan7 create; ifconfig vlan7 vlan 7 vlanif en0; ifconfig vlan7 10.7.0.2/24
      - ifconfig gre0 create; ifconfig gre0 tunnel 10.0.0.2 10.0.0.1; ifconfig gre0 10.9.0.2 10.9.0.1
      - ifconfig gif0 create; ifconfig gif0 tunnel 10.0.0.2 10.0.0.1; ifconfig gif0 10.8.0.2 10.8.0.1
      - httpd -p 80 &
  tree:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup:
      - ifconfig en0 up; ifconfig bridge0 create; brconfig bridge0 add en0 stp en0 up
switches:
  middle: { ports: 4, stp: true }
links:
  a: { between: [alpha:en0, middle] }
  b: { between: [beta:en0, middle] }
  t: { between: [tree:en0, middle] }
  direct: { between: [alpha:en1, beta:en1] }
`;

/** Captures on an interface of alpha while commands run there; puts the file in the folder of this test. */
async function captured(
  lab: Awaited<ReturnType<typeof labFrom>>,
  name: string,
  work: () => Promise<unknown>,
): Promise<string> {
  const running = startCommand(nodeOf(lab, 'alpha'), `tcpdump -i ${name} -w /tmp/${name}.pcap`);
  await succeed(lab, 'alpha', 'sleep 0.01');
  await work();
  running.process.kill('SIGINT');
  await running.process.exited;
  const bytes = await asProgram(nodeOf(lab, 'alpha'), (self) => readFile(self, `/tmp/${name}.pcap`));
  const path = join(folder, `${name}.pcap`);
  await writeFile(path, bytes);
  return path;
}

describe.skipIf(missing)('the lines of tcpdump', () => {
  const files: string[] = [];

  beforeAll(async () => {
    const lab = await labFrom(EVERYTHING);
    const alpha = (line: string): Promise<unknown> => run(lab, 'alpha', line);
    await alpha('sleep 35');
    files.push(
      await captured(lab, 'en0', async () => {
        await alpha('ping -c 2 10.0.0.2; ping -c 1 -s 3000 10.0.0.2; ping -c 1 -D -s 600 10.7.0.2');
        await alpha('ping -c 1 10.9.0.2; ping -c 1 10.8.0.2; ping -c 1 -w 1 10.0.0.77');
        await alpha('http get http://10.0.0.2/; http get http://10.0.0.2/bytes/9000; nc -z 10.0.0.2 81');
        await alpha('traceroute -m 2 10.0.0.2; echo hello | nc -u -w 1 10.0.0.2 4000');
        await alpha('sleep 5');
      }),
    );
    files.push(await captured(lab, 'lo0', () => alpha('ping -c 1 127.0.0.1; traceroute -m 1 127.0.0.1')));
    files.push(await captured(lab, 'gre0', () => alpha('ping -c 1 10.9.0.2')));
    await alpha('ifconfig agr0 create; ifconfig agr0 agrport en1; ifconfig agr0 10.1.0.1/24');
    await run(lab, 'beta', 'ifconfig agr0 create; ifconfig agr0 agrport en1; ifconfig agr0 10.1.0.2/24');
    files.push(await captured(lab, 'en1', () => alpha('sleep 10; ping -c 1 10.1.0.2')));
    await stopLab(lab);
  });

  test('the capture holds what it is meant to', () => {
    const all = files.flatMap((file) => both(file, '-v').theirs).join('\n');
    const words = [
      'ARP, ',
      'STP 802',
      'LACPv1',
      'GREv0',
      'proto IPIP',
      'udp port',
      'HTTP',
      'flags [+]',
      'Flags [R',
    ];
    for (const word of words) expect(all).toContain(word);
  });

  test.each([...OPTIONS, ...TIMES])('are those of the real one with -n %s', (options) => {
    for (const file of files) {
      const { ours, theirs } = both(file, options);
      expect(ours).toEqual(theirs);
    }
  });
});

const foreign = conformanceDir('captures/tcpdump');
const SHARED = [
  '802.1D_spanning_tree',
  '802.1w_rapid_STP',
  'IGMP_V1',
  'igmpv3-queries',
  'print-flags',
  '802.1ad_QinQ',
  'ipv4_tcp_http_xml',
  'slow-ossp',
];

describe.skipIf(missing !== undefined || foreign === undefined)('captures of others', () => {
  test.each(SHARED)('%s', (name) => {
    const path = join(foreign ?? '', `${name}.pcap`);
    expect(existsSync(path)).toBe(true);
    for (const options of OPTIONS) {
      const { ours, theirs } = both(path, options);
      expect([options, ours]).toEqual([options, theirs]);
    }
  });
});
