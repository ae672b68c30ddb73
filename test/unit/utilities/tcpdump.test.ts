// tcpdump on a node, in virtual time: what it prints of what passes, files, filters, and what it says of itself. Its lines are compared with those of the real one in
// test/interop/tcpdump.test.ts.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { readFile, writeFile } from '../../../stack/kernel/files.ts';
import { linkTypeByNumber } from '../../../stack/utilities/tcpdump/link-types.ts';
import { packetLines } from '../../../stack/utilities/tcpdump/packet-line.ts';
import { readPcap } from '../../../stack/utilities/tcpdump/pcap-file.ts';
import { icmp, ipv4, pass } from '../../support/frames.ts';
import { TWO_NODES, labFrom, nodeOf, refusal, run, stopLab, succeed } from '../../support/lab.ts';
import { asProgram, startCommand } from '../socket/programs.ts';

const MS = 1e6;
let lab: RunningLab;
const alpha = (...lines: string[]): Promise<string> => succeed(lab, 'alpha', ...lines);

/** Runs tcpdump on alpha while something else happens there, then interrupts it; returns what it wrote. */
async function dumping(line: string, work: () => Promise<unknown>): Promise<{ out: string; err: string }> {
  const running = startCommand(nodeOf(lab, 'alpha'), line);
  await pass(MS);
  await work();
  running.process.kill('SIGINT');
  await running.process.exited;
  return { out: running.out(), err: running.err() };
}
const untimed = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{6} /, ''));

describe('on a cable', () => {
  beforeEach(async () => {
    lab = await labFrom(TWO_NODES);
  });
  afterEach(() => stopLab(lab));

  test('shows what passes, and counts it when it is interrupted', async () => {
    const { out, err } = await dumping('tcpdump -n -i en0', () => alpha('ping -c 1 10.0.0.2'));
    const id = /id (\d+),/.exec(out)?.[1];
    expect(untimed(out)).toEqual([
      'ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 46',
      'ARP, Reply 10.0.0.2 is-at 02:00:00:00:01:00, length 46',
      `IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id ${id}, seq 0, length 64`,
      `IP 10.0.0.2 > 10.0.0.1: ICMP echo reply, id ${id}, seq 0, length 64`,
    ]);
    expect(out).toMatch(/^00:00:00\.00\d{4} ARP/);
    expect(err).toBe(
      'tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n' +
        'listening on en0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n' +
        '4 packets captured\n4 packets received by filter\n0 packets dropped by kernel\n',
    );
    expect(await alpha('netstat -B')).toMatch(/^.*\n$/);
  });

  test('a filter, a count, link headers; without -i the first interface that is no loopback', async () => {
    const running = startCommand(nodeOf(lab, 'alpha'), 'tcpdump -e -n -c 1 icmp and dst 10.0.0.1');
    await pass(MS);
    await alpha('ping -c 2 10.0.0.2');
    expect(await running.process.exited).toBe(0);
    expect(untimed(running.out())).toEqual([
      expect.stringMatching(
        /^02:00:00:00:01:00 > 02:00:00:00:00:00, ethertype IPv4 \(0x0800\), length 98: 10\.0\.0\.2 > 10\.0\.0\.1: ICMP echo reply/,
      ),
    ]);
    expect(running.err()).toContain('1 packet captured\n');
  });

  test('-w and -r: the same packets, cut with -s, and nothing lost on Ctrl-C', async () => {
    const ping = (): Promise<unknown> => alpha('ping -c 2 -i 0.1 10.0.0.2');
    const { err } = await dumping('tcpdump -s 60 -w /tmp/x.pcap', ping);
    expect(err).toContain('6 packets captured\n');
    const { out, err: told } = await run(lab, 'alpha', 'tcpdump -n -t -r /tmp/x.pcap icmp');
    expect(told).toBe('reading from file /tmp/x.pcap, link-type EN10MB (Ethernet), snapshot length 60\n');
    expect(out.split('\n').length).toBe(5);
    expect(await alpha('tcpdump -n -t -v -c 1 -r /tmp/x.pcap icmp')).toMatch(
      /^IP \(tos 0x0, ttl 255, id \d+, offset 0, flags \[none\], proto ICMP \(1\), length 84\)\n {4}10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request/,
    );
    // From one file into another, and through a pipe.
    await alpha('tcpdump -r /tmp/x.pcap -w /tmp/y.pcap icmp; tcpdump -r /tmp/y.pcap -w - > /tmp/z.pcap');
    expect(await alpha('tcpdump -n -r /tmp/z.pcap')).toBe(await alpha('tcpdump -n -r /tmp/x.pcap icmp'));
  });

  test('names of hosts and services unless -n', async () => {
    await alpha('mkdir /etc || true; echo "10.0.0.2 beta" > /etc/hosts');
    await succeed(lab, 'beta', 'httpd -p 80 &');
    const { out } = await dumping('tcpdump -t -q tcp dst port http and host beta', () =>
      alpha('http get http://10.0.0.2/'),
    );
    expect(out.split('\n')[0]).toMatch(/^IP 10\.0\.0\.1\.\d+ > beta\.http: tcp 0$/);
  });

  test('programs, interfaces and link types', async () => {
    // The netmask is that of the interface.
    const listing = await alpha('tcpdump -d -i en0 ip broadcast');
    expect(listing).toMatch(/^\(000\) ldh {6}\[12\]\n[^]*#0xff[^]*\n\(007\) ret {6}#0\n$/);
    expect(await alpha('tcpdump -ddd -y RAW -s 100 icmp')).toMatch(/^\d+\n[^]*\n6 0 0 100\n6 0 0 0\n$/);
    expect(await alpha('tcpdump -D')).toBe('1.en0 [Up, Running]\n2.lo0 [Up, Running, Loopback]\n');
    expect(await alpha('tcpdump -L -i lo0')).toBe(
      'Data link types for lo0 (use option -y to set them):\n  NULL (BSD loopback)\n',
    );
  });

  test('errors say what is wrong and where', async () => {
    expect(await refusal(lab, 'alpha', 'tcpdump -i any')).toContain(
      'tcpdump: any: there is no such device here',
    );
    expect(await refusal(lab, 'alpha', 'tcpdump -i en7')).toMatch(/en7: No such device exists\n.*en0, lo0/);
    expect(await refusal(lab, 'alpha', 'tcpdump -i en0 tcp prt 80')).toMatch(
      /'prt'.*\ntcp prt 80\n {4}\^\n$/,
    );
    expect(await refusal(lab, 'alpha', 'tcpdump -y NONSENSE')).toContain('invalid data link type NONSENSE');
    expect(await refusal(lab, 'alpha', 'tcpdump -i en0 -y NULL')).toContain('en0 has no data link type NULL');
    expect(await refusal(lab, 'alpha', 'tcpdump -r /tmp/none')).toContain('/tmp/none');
    await alpha('echo nonsense is no capture file > /tmp/bad');
    expect(await refusal(lab, 'alpha', 'tcpdump -r /tmp/bad')).toContain('/tmp/bad: unknown file format');
  });

  test('a file that was cut is shown as far as it goes', async () => {
    await dumping('tcpdump -w /tmp/x.pcap icmp', () => alpha('ping -c 1 10.0.0.2'));
    await asProgram(nodeOf(lab, 'alpha'), async (self) => {
      const whole = await readFile(self, '/tmp/x.pcap');
      await writeFile(self, '/tmp/cut.pcap', whole.subarray(0, whole.length - 1));
      await writeFile(self, '/tmp/short.pcap', whole.subarray(0, 10));
    });
    const { status, out, err } = await run(lab, 'alpha', 'tcpdump -n -r /tmp/cut.pcap');
    expect([status, out.split('\n').length]).toEqual([1, 2]);
    expect(err).toContain('tcpdump: pcap_loop: truncated dump file');
    expect(await refusal(lab, 'alpha', 'tcpdump -r /tmp/short.pcap')).toContain('truncated dump file');
  });

  test('loopback, a VLAN, a tunnel: each with its own link header', async () => {
    const lo = await dumping('tcpdump -n -t -e -i lo0 -c 1', () => alpha('ping -c 1 127.0.0.1'));
    expect(lo.out).toMatch(/^AF IPv4 \(2\), length 88: 127\.0\.0\.1 > 127\.0\.0\.1: ICMP echo request/);
    await alpha('ifconfig vlan7 create; ifconfig vlan7 vlan 7 vlanif en0; ifconfig vlan7 10.7.0.1/24');
    const { out } = await dumping('tcpdump -n -t -e -i en0 vlan 7', () =>
      run(lab, 'alpha', 'ping -c 1 -w 1 10.7.0.2'),
    );
    expect(out).toMatch(
      /^02:00:00:00:00:00 > ff:ff:ff:ff:ff:ff, ethertype 802\.1Q \(0x8100\), length \d+: vlan 7, p 0, ethertype ARP \(0x0806\), Request who-has 10\.7\.0\.2/,
    );
  });
});

test('a serial line: direction and kind with -e', async () => {
  lab = await labFrom(`
name: serial
nodes:
  alpha: { stack: 'io-pkt-v4-hc -p slip', interfaces: [], startup: ['ifconfig sl0 create', 'slattach /dev/ser1', 'ifconfig sl0 10.0.0.1 10.0.0.2 up'] }
  beta: { stack: 'io-pkt-v4-hc -p slip', interfaces: [], startup: ['ifconfig sl0 create', 'slattach ser1', 'ifconfig sl0 10.0.0.2 10.0.0.1 up'] }
links:
  line: { between: [alpha:ser1, beta:ser1], serial: { baud: 9600 } }
`);
  const { out } = await dumping('tcpdump -n -t -e -i sl0', () => alpha('ping -c 1 10.0.0.2'));
  expect(out).toMatch(
    /^O ip 100: 10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request.*\nI ip 100: 10\.0\.0\.2 > 10\.0\.0\.1: ICMP echo reply/,
  );
  await stopLab(lab);
});

test("the packet filter's log: which rule a packet met", () => {
  const header = Buffer.alloc(64);
  header.set([61, 2, 1, 0]);
  header.write('en0', 4);
  header.writeUInt32BE(3, 36);
  header.writeUInt32BE(0xffff_ffff, 40);
  header[60] = 1;
  const payload = icmp(8, 0, 0x0005_0001, Buffer.alloc(56));
  const packet = ipv4({ source: '10.0.0.1', destination: '10.0.0.2', protocol: 1, payload });
  const bytes = Buffer.concat([header, packet]);
  const protocols = {
    ether: true,
    verbose: 0,
    quiet: false,
    absolute: false,
    numeric: true,
    ownBytes: false,
  };
  const lines = packetLines(linkTypeByNumber(117)!, {
    protocols,
    bytes: { form: 'none', link: false },
    time: 1,
  });
  expect(lines({ seconds: 0, microseconds: 0, length: bytes.length, bytes })).toBe(
    'rule 3/0(match): block in on en0: 10.0.0.1 > 10.0.0.2: ICMP echo request, id 5, seq 1, length 64\n',
  );
  // Cut in the header of the packet.
  expect(lines({ seconds: 0, microseconds: 0, length: bytes.length, bytes: bytes.subarray(0, 70) })).toBe(
    'rule 3/0(match): block in on en0:  [|ip]\n',
  );
});

test('capture files of either byte order and precision are read', () => {
  const file = (magic: number, big: boolean): Buffer => {
    const bytes = Buffer.alloc(24 + 16 + 4);
    const u32 = (at: number, value: number): number =>
      big ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at);
    u32(0, magic);
    u32(16, 65_535);
    u32(20, 1);
    u32(24, 7);
    u32(28, magic === 0xa1b2c3d4 ? 5 : 5000);
    u32(32, 4);
    u32(36, 60);
    return bytes;
  };
  for (const big of [false, true]) {
    for (const magic of [0xa1b2c3d4, 0xa1b23c4d]) {
      expect(readPcap(file(magic, big))).toEqual({
        linkType: 1,
        snapLength: 65_535,
        packets: [{ seconds: 7, microseconds: 5, length: 60, bytes: Buffer.alloc(4) }],
      });
    }
  }
});
