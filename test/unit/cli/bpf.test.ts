// `stackscope bpf`: programs, packets of a capture that an expression accepts, and what a program does with one packet.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../../main/capture/read.ts';
import { stackscope, twoNodes } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-bpf-'));
afterAll(() => rmSync(folder, { recursive: true }));

const bpf = (...args: readonly string[]) => stackscope(folder, 'bpf', ...args);

beforeAll(async () => {
  const ping = ['--time', 'virtual', '--seed', '7', '--exec', 'alpha: ping -c 3 10.0.0.2'];
  const { status } = await stackscope(folder, 'run', twoNodes, ...ping, '--capture', 'all=ping.pcapng');
  expect(status).toBe(0);
});

describe('stackscope bpf', () => {
  test('prints the program of an expression in three forms', async () => {
    const forms = await Promise.all([
      bpf('ip'),
      bpf('-d', 'ip'),
      bpf('-dd', 'ip'),
      bpf('-ddd', '-y', 'raw', 'ip'),
    ]);
    expect(forms.map(({ out }) => out.split('\n')[0])).toEqual([
      '(000) ldh      [12]',
      '(000) ldh      [12]',
      '{ 0x28, 0, 0, 0x0000000c },',
      '5',
    ]);
  });

  test('takes the words of an expression one by one', async () => {
    const [whole, words] = await Promise.all([bpf('tcp dst port 80'), bpf('tcp', 'dst', 'port', '80')]);
    expect(words).toEqual(whole);
    expect(whole.status).toBe(0);
  });

  test('points at what is wrong and says what would be right', async () => {
    const { status, out, err } = await bpf('host 10.0.0.256');
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err.split('\n')).toEqual([
      "stackscope bpf: invalid IPv4 address '10.0.0.256'",
      '  host 10.0.0.256',
      '       ^',
      '  expected: numbers up to 255',
      '',
    ]);
  });

  test('names the link types it knows', async () => {
    const { status, err } = await bpf('-y', 'TOKEN', 'ip');
    expect(status).toBe(2);
    expect(err).toContain('EN10MB');
  });
});

describe('stackscope bpf run', () => {
  test('prints the packets that an expression accepts, and writes them', async () => {
    const request = 'icmp[icmptype] = icmp-echo';
    const { status, out } = await bpf('run', request, 'ping.pcapng', '-w', 'requests.pcapng');
    expect(status).toBe(0);
    const { packets } = await readCapture(join(folder, 'requests.pcapng'));
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(packets.length + 1);
    expect(packets.length).toBeGreaterThanOrEqual(3);
    expect(lines.slice(0, -1).every((line) => line.includes('Echo (ping) request'))).toBe(true);
    expect(lines.at(-1)).toMatch(new RegExp(`^${packets.length} of \\d+ packets accepted, \\d+ bytes$`));
  });

  test('writes a classic capture, too, and leaves its input alone', async () => {
    expect((await bpf('run', 'arp', 'ping.pcapng', '-w', 'arp.pcap')).status).toBe(0);
    expect((await readCapture(join(folder, 'arp.pcap'))).format).toBe('pcap');
    const { status, err } = await bpf('run', 'arp', 'ping.pcapng', '-w', 'ping.pcapng');
    expect({ status, err }).toEqual({
      status: 2,
      err: 'stackscope bpf: ping.pcapng and ping.pcapng are the same file\n',
    });
  });

  test('refuses a wrong expression and a file that is not there', async () => {
    const [expression, file] = await Promise.all([
      bpf('run', 'ip and', 'ping.pcapng'),
      bpf('run', 'ip', 'none.pcap'),
    ]);
    expect(expression.status).toBe(2);
    expect(expression.err).toContain('ip and\n        ^');
    expect(file.status).toBe(2);
    expect(file.err).toContain('none.pcap');
  });
});

describe('stackscope bpf explain', () => {
  test('tells each step of a program and its verdict', async () => {
    const { status, out } = await bpf('explain', 'arp or icmp', '--in', 'ping.pcapng', '1');
    expect(status).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toContain('ARP');
    expect(lines).toContainEqual(
      expect.stringMatching(/^\(000\) ldh {6}\[12\] +bytes 12 to 13: 0806 +A=0x806 X=0x0$/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/jeq +#0x806 .*yes, on to \d+/));
    expect(lines.at(-1)).toMatch(/^accepted, with all \d+ captured bytes$/);
  });

  test('says where a packet was too short', async () => {
    const { out } = await bpf('explain', 'ether[1500] = 1', '--in', 'ping.pcapng', '1');
    expect(out).toContain('bytes 1500 to 1500 were not captured: the packet is rejected');
    expect(out.trimEnd().endsWith('rejected')).toBe(true);
  });

  test('refuses a packet that is not there', async () => {
    const { status, err } = await bpf('explain', 'ip', '--in', 'ping.pcapng', '100000');
    expect(status).toBe(2);
    expect(err).toMatch(/there is no packet 100000 in ping.pcapng: it has \d+ packets/);
  });
});
