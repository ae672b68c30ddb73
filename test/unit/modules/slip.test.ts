// lsm-slip over serial links: what the line carries, how long it takes, what is refused, and what damage does.
import { afterEach, describe, expect, test } from 'vitest';
import { describeLab } from '../../../main/lab/host/describe.ts';
import { formatProblem, parseLab } from '../../../main/lab/file/parse.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { labFrom, refusal, run, stopLab, succeed } from '../../support/lab.ts';

let lab: RunningLab;

const LINE = `
name: serial
nodes:
  alpha: { stack: 'io-pkt-v4-hc -p slip', interfaces: [], startup: ['ifconfig sl0 create', 'slattach /dev/ser1', 'ifconfig sl0 10.0.0.1 10.0.0.2 up'] }
  beta: { stack: 'io-pkt-v4-hc -p slip', interfaces: [], startup: ['ifconfig sl0 create', 'slattach ser1', 'ifconfig sl0 10.0.0.2 10.0.0.1 up'] }
links:
  line: { between: [alpha:ser1, beta:ser1], serial: { baud: 9600 } }
`;
const alpha = (...lines: string[]) => succeed(lab, 'alpha', ...lines);
const beta = (...lines: string[]) => succeed(lab, 'beta', ...lines);

describe('on a line', () => {
  afterEach(() => stopLab(lab));

  test('packets of any bytes arrive, after as long as their bytes take', async () => {
    lab = await labFrom(LINE);
    // 84 bytes there and back with 2 ENDs: 2 * 86 * 10 / 9600 s = 179 ms. All bytes are in the 200: END and ESC are two each.
    expect(await alpha('ping -c 1 10.0.0.2')).toMatch(/time=179(\.\d+)? ms/);
    const slow = await alpha('ping -c 1 -s 200 -p c0 10.0.0.2 || ping -c 1 -s 200 10.0.0.2');
    expect(slow).toContain('1 packets received');
    await beta('httpd -p 80 &', 'sleep 0.1');
    expect(await alpha('http get http://10.0.0.2/bytes/3000 | wc -c')).toContain('3000');
    expect(await alpha('ifconfig sl0')).toMatch(
      /sl0: flags=c051<UP,POINTOPOINT,RUNNING,LINK2,MULTICAST> mtu 296[^]*line: \/dev\/ser1[^]*inet 10\.0\.0\.1 -> 10\.0\.0\.2 /,
    );
    expect(await alpha('nicinfo sl0')).toMatch(/serial line[^]*\/dev\/ser1/);
  });

  test('in real time with threads as well', async () => {
    lab = await labFrom(LINE.replace('9600', '4000000'), { time: 'real', threads: 3 });
    await beta('httpd -p 80 &', 'sleep 0.1');
    expect(await alpha('http get http://10.0.0.2/bytes/60000 | wc -c')).toContain('60000');
  });

  test('those who capture see packets: at the interface and on the line', async () => {
    lab = await labFrom(LINE);
    const places = lab.places().filter(({ name }) => name === 'link:line' || name === 'alpha:sl0');
    expect(places.map(({ linkType }) => linkType)).toEqual([101, 101]);
    const seen: string[] = [];
    lab.captures.listen(places, 2000, ({ point, bytes, length }) =>
      seen.push(`${point.name} ${bytes[0]!.toString(16)} ${length} ${bytes.slice(12, 16).join('.')}`),
    );
    await alpha('ping -c 1 10.0.0.2', 'sleep 0.1');
    expect(seen.sort()).toEqual([
      'alpha:sl0 45 84 10.0.0.1',
      'alpha:sl0 45 84 10.0.0.2',
      'link:line 45 84 10.0.0.1',
      'link:line 45 84 10.0.0.2',
    ]);
  });

  test('damage spoils packets, and those behind them arrive', async () => {
    lab = await labFrom(LINE.replace('{ baud: 9600 }', '{ baud: 1000000 }, corrupt: 20%, loss: 5%'));
    const out = await alpha('ping -c 400 -i 0.005 10.0.0.2 || true');
    const received = Number(/(\d+) packets received/.exec(out)![1]);
    expect(received).toBeGreaterThan(150);
    expect(received).toBeLessThan(400);
  });

  test('link1 keeps ICMP off the line; an interface that is destroyed gives its port back', async () => {
    lab = await labFrom(LINE);
    await alpha('ifconfig sl0 link1');
    expect((await run(lab, 'alpha', 'ping -c 1 -w 1 10.0.0.2')).status).not.toBe(0);
    expect(await alpha('nicinfo sl0')).toMatch(/icmp_not_sent\D+1\b/);
    await alpha('ifconfig sl0 -link1', 'ping -c 1 10.0.0.2');
    await alpha('ifconfig sl0 destroy', 'sleep 0.1', 'ifconfig sl0 create', 'slattach -s 9600 /dev/ser1');
    await alpha('ifconfig sl0 10.0.0.1 10.0.0.2', 'ping -c 1 10.0.0.2');
  });

  /** Bytes that a node has put on the line so far. */
  const onLine = (from: number): number => lab.links.get('line')!.directions[from]!.bytes;

  test.each([
    { time: 'virtual' as const, threads: 1 },
    { time: 'real' as const, threads: 3 },
  ])(
    'link0 compresses the headers of TCP, and link2 does once the other end does, in $time time',
    async (options) => {
      lab = await labFrom(LINE.replace('9600', '1000000'), options);
      // Options that differ in each packet keep it from being compressed.
      for (const node of ['alpha', 'beta']) await succeed(lab, node, 'sysctl -w net.inet.tcp.timestamps=0');
      await beta('httpd -p 80 &', 'sleep 0.05');
      const fetch = 'http get http://10.0.0.2/bytes/30000 | wc -c';
      const plain = await alpha(fetch);
      const before = [onLine(0), onLine(1)];
      await alpha('ifconfig sl0 link0');
      expect(await alpha(fetch)).toBe(plain);
      // Most headers are 40 bytes, and 5 or less when they are compressed; 252 bytes of data stay.
      expect((onLine(1) - before[1]!) / before[1]!).toBeLessThan(0.92);
      expect((onLine(0) - before[0]!) / before[0]!).toBeLessThan(0.45);
      expect(await beta('ifconfig sl0')).toContain('line: /dev/ser1, headers compressed');
      await beta('ifconfig sl0 -link2');
      expect((await run(lab, 'alpha', 'http get -w 1 http://10.0.0.2/')).status).not.toBe(0);
    },
  );

  test('a line that damages what is compressed loses nothing for good', async () => {
    lab = await labFrom(LINE.replace('{ baud: 9600 }', '{ baud: 1000000 }, corrupt: 2%, loss: 1%'));
    await beta('httpd -p 80 &', 'sleep 0.05');
    for (const node of ['alpha', 'beta']) await succeed(lab, node, 'sysctl -w net.inet.tcp.timestamps=0');
    const whole = await alpha('http get http://10.0.0.2/bytes/40000 | wc -c');
    await alpha('ifconfig sl0 link0');
    expect(await alpha('http get http://10.0.0.2/bytes/40000 | wc -c')).toBe(whole);
  });

  test('what cannot be is refused with a reason', async () => {
    lab = await labFrom(LINE);
    expect(await refusal(lab, 'alpha', 'slattach /dev/ser1')).toContain('no interface is free');
    await alpha('ifconfig sl1 create');
    expect(await refusal(lab, 'alpha', 'slattach /dev/ser1')).toMatch(/ser1: .*busy/i);
    expect(await refusal(lab, 'alpha', 'slattach -s 1200 /dev/ser1')).toContain('runs at 9600 baud');
    expect(await refusal(lab, 'alpha', 'slattach /dev/ser2')).toContain('No such file');
    expect(await refusal(lab, 'alpha', 'slattach /dev/null')).toContain('no serial port');
    expect(await refusal(lab, 'alpha', 'ifconfig sl0 mtu 1500')).toContain('sl0 takes 72 to 1006');
    await alpha('io-pkt-v4-hc -i1 -ptcpip prefix=/alt');
    expect(await refusal(lab, 'alpha', 'SOCK=/alt ifconfig sl0 create')).toContain(
      'lsm-slip.so is not loaded',
    );
    expect(await alpha('SOCK=/alt ifconfig -C')).not.toContain('sl');
    expect(await alpha('ifconfig -C')).toContain('sl');
    await alpha('io-pkt-v6-hc -i2 -ptcpip prefix=/six');
    expect(await refusal(lab, 'alpha', 'mount -T io-pkt2 slip')).toContain('is for io-pkt-v4-hc, not for');
  });

  test('a window shows the line between its nodes', async () => {
    lab = await labFrom(LINE);
    const [link] = describeLab(lab.lab, lab).links;
    expect(link).toMatchObject({ name: 'line', impairments: 'serial, 9600 baud' });
    expect(link!.ends).toEqual([
      { kind: 'node', name: 'alpha', interface: 'ser1' },
      { kind: 'node', name: 'beta', interface: 'ser1' },
    ]);
  });
});

test.each([
  ['alpha:en0, beta:ser1], serial: {}', 'must be a serial port of a node, as in alpha:ser1'],
  ['alpha:ser1, beta:ser1]', 'node alpha has no interface ser1'],
  ['alpha:ser1, beta:ser1], serial: { baud: 1 }', 'baud: must be a number of bits per second'],
  ['alpha:ser1, beta:ser1], serial: 9600', 'serial: must be a mapping such as {baud: 115200}'],
  ['alpha:ser1, beta:ser1], serial: {}, rate: 1mbit', 'the rate of a serial line is its baud'],
  ['alpha:ser1, beta:ser1], serial: {}, mtu: 100', 'a serial line has no packets'],
  ['alpha:ser1, beta:ser1], serial: {}, "alpha->beta": { reorder: 1% }', 'follow each other'],
  ['alpha:ser1, beta:ser1, beta:ser2], serial: {}', 'a serial line has two ends, not 3'],
  ['alpha:ser1, alpha:ser1], serial: {}', 'alpha:ser1 is already on this link'],
  ['alpha:ser1, gamma:ser1], serial: {}', 'there is no node gamma'],
])('a lab file with [%s is refused: %s', (ends, reason) => {
  const text = `
name: wrong
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0] }
links:
  line: { between: [${ends} }
`;
  const parsed = parseLab(text, 'wrong.lab.yaml');
  expect(parsed.ok ? 'no problem' : parsed.problems.map(formatProblem).join('\n')).toContain(reason);
});
