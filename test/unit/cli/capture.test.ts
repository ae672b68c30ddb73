// Captures that `stackscope run` writes: what is in them, that they are repeatable to the byte, and that they are complete however the run ends.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CaptureFile } from '../../../main/capture/packet.ts';
import { readCapture } from '../../../main/capture/read.ts';
import { findTool, requires } from '../../support/requires.ts';
import { stackscope, start, twoNodes } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-capture-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);
const bytesOf = (name: string) => readFileSync(path(name));
const run = (...args: readonly string[]) => stackscope(folder, 'run', ...args);
const ping = ['--exec', 'alpha: ping -c 3 10.0.0.2'];

/** Packets, and what the statistics at the end say, by interface name. */
function countsOf({ interfaces, packets, statistics }: CaptureFile): Record<string, unknown> {
  const rows = interfaces.map(({ name }, id) => {
    const { received, dropped } = statistics.find(({ interfaceId }) => interfaceId === id) ?? {};
    return [name, { packets: packets.filter((one) => one.interfaceId === id).length, received, dropped }];
  });
  return Object.fromEntries(rows) as Record<string, unknown>;
}

describe('the run of the README in virtual time', () => {
  const example = ['--time', 'virtual', '--seed', '7', ...ping, '--exec', 'alpha: http get http://10.0.0.2/'];
  beforeAll(async () => {
    for (const name of ['one', 'other']) {
      expect((await run(twoNodes, ...example, '--capture', `all=${name}.pcapng`)).status).toBe(0);
    }
  });

  test('writes the same bytes every time', () => {
    expect(bytesOf('one.pcapng').equals(bytesOf('other.pcapng'))).toBe(true);
  });

  test.skipIf(requires({ tools: ['tshark'] }))(
    'is ARP, ICMP and HTTP to tshark, without a malformed field',
    () => {
      const options = ['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE'];
      const tshark = (...args: readonly string[]) =>
        spawnSync(findTool('tshark')!, ['-r', path('one.pcapng'), ...options, ...args], { encoding: 'utf8' })
          .stdout;
      const columns = tshark('-T', 'fields', '-e', '_ws.col.Protocol').split('\n');
      for (const protocol of ['ARP', 'ICMP', 'HTTP']) expect(columns).toContain(protocol);
      expect(tshark('-Y', '_ws.malformed || _ws.expert.group == "Checksum"')).toBe('');
      expect(tshark('-Y', 'arp.isgratuitous').trim().split('\n')).toHaveLength(2);
    },
  );

  test('names the link, counts its packets and says nothing of the machine', async () => {
    const capture = await readCapture(path('one.pcapng'));
    const { length } = capture.packets;
    expect(length).toBeGreaterThan(12);
    expect(countsOf(capture)).toEqual({
      'link:wire': { packets: length, received: BigInt(length), dropped: 0n },
    });
    expect(capture.problems).toEqual([]);
    expect(capture.packets[0]!.time).toBe(BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n);
  });
});

test('another seed and a lossy link give another capture', async () => {
  const lossy = path('lossy.lab.yaml');
  writeFileSync(lossy, readFileSync(twoNodes, 'utf8').replace('loss: 0%', 'loss: 20%'));
  for (const [name, seed] of [
    ['a', 1],
    ['b', 1],
    ['c', 2],
  ] as const) {
    const options = ['--time', 'virtual', '--seed', String(seed), '--exec', 'alpha: ping -c 20 10.0.0.2'];
    await run(lossy, ...options, '--capture', `all=lossy-${name}.pcapng`);
  }
  expect(bytesOf('lossy-a.pcapng').equals(bytesOf('lossy-b.pcapng'))).toBe(true);
  expect(bytesOf('lossy-a.pcapng').equals(bytesOf('lossy-c.pcapng'))).toBe(false);
});

test('several points share a file or have one each, and a name that ends in .pcap makes it a pcap', async () => {
  const captures = [
    'beta:en0=both.pcapng',
    'link:wire=both.pcapng',
    'all=both.pcapng',
    'alpha:en0=alpha.pcap',
  ];
  const { status, err } = await run(
    twoNodes,
    ...['--time', 'virtual', ...ping],
    ...captures.flatMap((what) => ['--capture', what]),
  );
  expect({ status, err }).toEqual({ status: 0, err: '' });
  const [both, alpha] = [await readCapture(path('both.pcapng')), await readCapture(path('alpha.pcap'))];
  // Two announcements, a request and a reply, three pings both ways: the announcement of alpha reaches beta, too.
  const ten = { packets: 10, received: 10n, dropped: 0n };
  expect(countsOf(both)).toEqual({ 'beta:en0': ten, 'link:wire': ten });
  expect(alpha.format).toBe('pcap-ns');
  expect(alpha.packets).toHaveLength(10);
  const directions = both.packets
    .filter(({ interfaceId }) => interfaceId === 0)
    .map(({ direction }) => direction);
  expect(new Set(directions)).toEqual(new Set(['inbound', 'outbound']));
  const sent = both.packets.find(({ interfaceId, data }) => interfaceId === 1 && data[23] === 1)!;
  const seen = alpha.packets.find(({ data }) => data[23] === 1)!;
  expect({ time: seen.time, data: [...seen.data] }).toEqual({ time: sent.time, data: [...sent.data] });
});

test('a filter: what it does not take is in no file, and what is wrong with it is said before the lab starts', async () => {
  const captures = ['--capture', 'all=icmp.pcapng', '--capture', 'alpha:lo0=lo.pcap'];
  const filtered = (filter: string): ReturnType<typeof run> =>
    run(twoNodes, '--time', 'virtual', ...ping, ...captures, '--capture-filter', filter);
  expect(await filtered('icmp and src 10.0.0.2')).toMatchObject({ status: 0, err: '' });
  const { packets } = await readCapture(path('icmp.pcapng'));
  expect(packets.map(({ data }) => data[34])).toEqual([0, 0, 0]);
  expect(await filtered('icmp or or')).toMatchObject({
    status: 2,
    err: expect.stringMatching(
      /--capture for icmp\.pcapng: --capture-filter: column 9: syntax error/,
    ) as string,
  });
  // What begins with an IP header has no hardware addresses.
  expect((await filtered('ether src 02:00:00:00:00:01')).err).toContain('--capture for lo.pcap');
  const alone = await run(twoNodes, '--time', 'virtual', '--capture-filter', 'icmp');
  expect([alone.status, alone.err]).toEqual([
    2,
    'stackscope: --capture-filter is for --capture and -w: add one of them\n',
  ]);
  // In the lab file, beside a second capture of the same place into the same file.
  const file = path('filtered.lab.yaml');
  const own = 'captures:\n  c: { at: link:wire, file: own.pcapng, filter: icmp }\n';
  writeFileSync(file, `${readFileSync(twoNodes, 'utf8')}${own}`);
  await run(file, '--time', 'virtual', ...ping);
  expect((await readCapture(path('own.pcapng'))).packets.every(({ data }) => data[23] === 1)).toBe(true);
  const both = ['--capture', `link:wire=${path('own.pcapng')}`, '--capture-filter', 'arp'];
  await run(file, '--time', 'virtual', ...ping, ...both);
  const types = (await readCapture(path('own.pcapng'))).packets.map(({ data }) => data[13]);
  expect([types.includes(0), types.includes(6)]).toEqual([true, true]);
});

describe('interfaces that a node makes itself', () => {
  const made = ['alpha:gif0', 'alpha:lo0', 'alpha:vlan0', 'alpha:en0'];
  const tunnel = (ends: string, addresses: string): string =>
    `ifconfig gif0 create; ifconfig gif0 tunnel ${ends}; ifconfig gif0 ${addresses}`;
  const vlan = (address: string): string =>
    `ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 ${address}/24`;
  const lines = [
    `beta: ${tunnel('10.0.0.2 10.0.0.1', '10.9.0.2 10.9.0.1')}; ${vlan('10.7.0.2')}`,
    `alpha: ${tunnel('10.0.0.1 10.0.0.2', '10.9.0.1 10.9.0.2')}; ${vlan('10.7.0.1')}`,
    ...['10.9.0.2', '127.0.0.1', '10.7.0.2'].map((address) => `alpha: ping -c 1 ${address}`),
  ];
  const all = lines.flatMap((line) => ['--exec', line]);

  test.skipIf(requires({ tools: ['tshark'] }))(
    'are captured from the moment on that they are there, bare IP packets as such',
    async () => {
      const captures = made.flatMap((name) => ['--capture', `${name}=made.pcapng`]);
      const { status, err } = await run(twoNodes, '--time', 'virtual', ...all, ...captures);
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const fields = ['frame.interface_name', 'frame.encap_type', 'frame.protocols'];
      const { stdout } = spawnSync(
        findTool('tshark')!,
        ['-r', path('made.pcapng'), '-T', 'fields', ...fields.flatMap((name) => ['-e', name])],
        { encoding: 'utf8' },
      );
      const [ethernet, raw] = [1, 7];
      expect([...new Set(stdout.trim().split('\n'))].sort()).toEqual(
        [
          `alpha:en0\t${ethernet}\teth:ethertype:arp`,
          `alpha:en0\t${ethernet}\teth:ethertype:ip:ip:icmp:data`,
          `alpha:en0\t${ethernet}\teth:ethertype:vlan:ethertype:arp`,
          `alpha:en0\t${ethernet}\teth:ethertype:vlan:ethertype:ip:icmp:data`,
          `alpha:gif0\t${raw}\traw:ip:icmp:data`,
          `alpha:lo0\t${raw}\traw:ip:icmp:data`,
          `alpha:vlan0\t${ethernet}\teth:ethertype:arp`,
          `alpha:vlan0\t${ethernet}\teth:ethertype:ip:icmp:data`,
        ].sort(),
      );
    },
  );

  test('go into a .pcap that has no other link type, and into no other', async () => {
    const { status } = await run(twoNodes, '--time', 'virtual', ...all, '--capture', 'alpha:gif0=made.pcap');
    expect(status).toBe(0);
    const capture = await readCapture(path('made.pcap'));
    expect(capture.interfaces[0]!.linkType).toBe(101);
    expect(capture.packets.map(({ data }) => data[0])).toEqual([0x45, 0x45]);
    const mixed = ['alpha:gif0', 'alpha:en0'].flatMap((name) => ['--capture', `${name}=mixed.pcap`]);
    const refused = await run(twoNodes, '--time', 'virtual', ...mixed);
    expect(refused).toMatchObject({ status: 2 });
    expect(refused.err).toContain(
      'mixed.pcap cannot hold packets of both alpha:gif0 (RAW) and alpha:en0 (EN10MB); name it .pcapng',
    );
  });

  test('of a kind that there is not are no capture points', async () => {
    const { status, err } = await run(twoNodes, '--time', 'virtual', '--capture', 'alpha:wan0=no.pcapng');
    expect(status).toBe(2);
    expect(err).toContain('node alpha has no interface wan0');
  });
});

test('captures that the lab file asks for are written to its folder', async () => {
  mkdirSync(path('labs'));
  writeFileSync(
    path('labs/own.lab.yaml'),
    `${readFileSync(twoNodes, 'utf8')}
captures:
  seen: { at: 'link:wire', file: own.pcapng }
  shown: { at: all }
`,
  );
  const { out } = await run('labs/own.lab.yaml', '--time', 'virtual', '--json', ...ping);
  const capture = await readCapture(path('labs/own.pcapng'));
  expect(capture.packets).toHaveLength(10);
  expect(out).toContain('{"event":"capture","file":"labs/own.pcapng","packets":10,"dropped":0}');
});

test('Ctrl-C finishes the files of a lab in real time', async () => {
  const options = ['--capture', 'all=cut.pcapng', '--capture', 'alpha:en0=cut.pcapng'];
  const running = start(folder, ['run', twoNodes, ...options, '--exec', 'alpha: ping -i 0.1 10.0.0.2']);
  await running.wrote('icmp_seq=5 ');
  running.process.kill('SIGINT');
  await running.ended;
  const capture = await readCapture(path('cut.pcapng'));
  expect(capture.problems).toEqual([]);
  const counts = countsOf(capture) as Record<string, { packets: number; received: bigint; dropped: bigint }>;
  expect(Object.keys(counts)).toEqual(['link:wire', 'alpha:en0']);
  for (const { packets, received, dropped } of Object.values(counts)) {
    expect(packets).toBeGreaterThan(12);
    expect({ received, dropped }).toEqual({ received: BigInt(packets), dropped: 0n });
  }
  const seconds = Number(capture.packets[0]!.time / 1_000_000_000n);
  expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
});

test('a capture at an interface goes on when the stack was slain and started again', async () => {
  const restart = 'slay io-pkt-v4-hc; io-pkt-v4-hc; ifconfig en0 10.0.0.1/24 up';
  const commands = ['ping -c 1 10.0.0.2', restart, 'ping -c 1 10.0.0.2', 'slay io-pkt-v4-hc'];
  const exec = commands.flatMap((line) => ['--exec', `alpha: ${line}`]);
  await run(twoNodes, '--time', 'virtual', '--capture', 'alpha:en0=slain.pcapng', ...exec);
  const { packets } = await readCapture(path('slain.pcapng'));
  const echoes = packets.filter(({ data }) => data[12] === 0x08 && data[13] === 0 && data[23] === 1);
  expect(echoes.map(({ direction }) => direction)).toEqual(['outbound', 'inbound', 'outbound', 'inbound']);
});

test('a full disk is told, ends the file and not the lab, and makes the status 1', async () => {
  const { status, out, err } = await run(
    twoNodes,
    '--time',
    'virtual',
    ...ping,
    '--capture',
    'all=/dev/full',
  );
  expect(out).toContain('3 packets received');
  expect(err).toMatch(
    /^stackscope: cannot write \/dev\/full further: no space left on the device; \d+ packets were captured\n$/,
  );
  expect(status).toBe(1);
});
