// A lab on a TAP and the Linux kernel with its programs: ping, curl, Node's own http server, tshark as the judge of every frame. All in a network
// namespace of this test.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { requires } from '../support/requires.ts';
import { runProgram, startStackscope } from './support/lab-process.ts';
import type { LabProcess } from './support/lab-process.ts';
import { enterNetworkNamespace } from './support/network-namespace.ts';

const tools = ['ip', 'ping', 'curl', 'tshark', 'ethtool', 'unshare', 'setpriv'];
const missing = requires({ tools, root: true, netns: true, tun: true });

const BYTES = 50_000_000;
const IMPAIRED_BYTES = 20_000_000;
const LINUX = '10.0.9.254';
const NEAR = '10.0.9.1';
const FAR = '10.0.7.2';
const SIZES = ['56', '1472', '65507'];

const labText = (impairments: string): string => `
name: linux
nodes:
  gamma:
    stack: io-pkt-v4-hc -ptcpip forward
    interfaces: [en0, en1]
    startup: ['ifconfig en0 ${NEAR}/24 up', 'ifconfig en1 10.0.7.1/24 up', 'httpd -p 80 &']
  delta:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 ${FAR}/24 up', 'route add default 10.0.7.1', 'httpd -p 80 &',
      'sleep 0.3; http get -o /tmp/data http://127.0.0.1/bytes/300000', 'nc -l -p 5000 < /tmp/data > /var/www/got &']
    files: { /var/www/index.html: here }
ports:
  host: { tap: sscope0, address: ${LINUX}/24 }
links:
  up: { between: [gamma:en0, host]${impairments} }
  inner: { between: [gamma:en1, delta:en0] }
`;

/** What httpd sends for /bytes/N. */
function pattern(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let i = 0; i < count; i++) bytes[i] = i % 251;
  return bytes;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-'));
  if (missing !== undefined) return;
  enterNetworkNamespace();
  await runProgram('ip', 'link', 'set', 'lo', 'up');
});
afterAll(() => rm(folder, { recursive: true }));

/** Resolves when the lab has made its TAP and switched it on. */
async function tapAppears(): Promise<void> {
  const up = async (): Promise<void> =>
    expect(await runProgram('ip', 'addr', 'show', 'sscope0')).toContain(LINUX);
  await vi.waitFor(up, { timeout: 10_000, interval: 20 });
}

/** Starts a lab and waits until its nodes answer; Linux computes its checksums itself, for the capture to show them. */
async function startLab(text: string, ...options: string[]): Promise<LabProcess> {
  const file = join(folder, 'linux.lab.yaml');
  await writeFile(file, text);
  const lab = startStackscope('run', file, ...options);
  try {
    await tapAppears();
    await runProgram('ethtool', '-K', 'sscope0', 'tx', 'off');
    await runProgram('ip', 'route', 'replace', '10.0.7.0/24', 'via', NEAR);
    await vi.waitFor(() => runProgram('curl', '-sf', '-m', '1', `http://${FAR}/`), {
      timeout: 10_000,
      interval: 100,
    });
  } catch (error) {
    const { out, err } = await lab.interrupt();
    throw new Error(`the lab did not start: ${err}${out}`, { cause: error });
  }
  return lab;
}

/**
 * Frames of a capture that are not as they should be: a malformed field, a checksum that is wrong or could not be verified, a protocol that nobody here
 * speaks, or an acknowledgement of data that the capture lacks. What TCP carries counts as data, because tshark would guess protocols by ports; with
 * `contents` it is judged as well.
 */
async function badFrames(capture: string, contents?: 'contents'): Promise<string> {
  const isGood = (name: string): string => `${name}.checksum.status == "Good"`;
  // Linux writes a checksum of zero as its other form also in TCP (skb_checksum_help), where that is unusual but not wrong (RFC 1624).
  const isOtherZero = `ip.src == ${LINUX} && tcp.checksum == 0xffff && tcp.checksum_calculated == 0`;
  const filter = [
    '_ws.malformed || _ws.short || tcp.analysis.ack_lost_segment || !(arp || ip)',
    ...['ip', 'icmp', 'udp'].map((name) => `${name}.checksum.status == "Bad"`),
    ...['ip', 'icmp'].map((name) => `(${name} && !(${isGood(name)}))`),
    // ICMP errors quote pieces of others.
    `(tcp && !icmp && !(${isGood('tcp')}) && !(${isOtherZero}))`,
    `(udp && !icmp && !(${isGood('udp')}))`,
  ].join(' || ');
  const validate = ['ip', 'tcp', 'udp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
  const asData = contents === undefined ? ['-d', 'tcp.port==0-65535,data'] : [];
  return runProgram('tshark', '-n', '-r', capture, ...validate, ...asData, '-Y', filter);
}

/** Fetches `bytes` bytes from the httpd at `address` with curl and compares them with what httpd is to send. */
async function curlFetches(address: string, bytes: number): Promise<void> {
  const file = join(folder, 'fetched');
  await runProgram('curl', '-sf', '-o', file, `http://${address}/bytes/${bytes}`);
  expect(sha256(await readFile(file))).toBe(sha256(pattern(bytes)));
}

/** Posts `count` random bytes to the httpd at `address` with curl; httpd answers with the digest of what it got. */
async function curlPosts(address: string, count: number): Promise<void> {
  const bytes = randomBytes(count);
  const file = join(folder, 'upload');
  await writeFile(file, bytes);
  const answer = await runProgram('curl', '-sf', '--data-binary', `@${file}`, `http://${address}/`);
  expect(answer.trim()).toBe(`bytes=${count} sha256=${sha256(bytes)}`);
}

describe.skipIf(missing)('the Linux kernel and its programs reach a lab', () => {
  let lab: LabProcess;
  let capture: string;
  beforeAll(async () => {
    capture = join(folder, 'up.pcapng');
    lab = await startLab(labText(''), '--capture', `link:up=${capture}`);
  });
  afterAll(async () => {
    await lab.interrupt();
  });

  it.each(SIZES.flatMap((size) => [NEAR, FAR].map((to) => [size, to] as const)))(
    'ping of %s bytes to %s',
    async (size, to) => {
      const text = await runProgram('ping', '-c', '5', '-i', '0.05', '-W', '2', '-s', size, to);
      expect(text).toContain('5 received, 0% packet loss');
    },
  );

  it.each([NEAR, FAR])('curl fetches 50 MB from %s and posts 50 MB to it', async (address) => {
    await curlFetches(address, BYTES);
    await curlPosts(address, BYTES);
  });

  it('a hundred connections at once', async () => {
    const config = join(folder, 'parallel');
    const lines = Array.from(
      { length: 100 },
      (_, i) => `url = "http://${i % 2 === 0 ? NEAR : FAR}/bytes/${20_000 + i}"\noutput = "${folder}/p${i}"`,
    );
    await writeFile(config, lines.join('\n'));
    await runProgram(
      'curl',
      '-sf',
      '--no-keepalive',
      '-Z',
      '--parallel-immediate',
      '--parallel-max',
      '100',
      '-K',
      config,
    );
    for (let i = 0; i < 100; i++)
      expect(sha256(await readFile(join(folder, `p${i}`)))).toBe(sha256(pattern(20_000 + i)));
  });

  it('a half-closed connection still carries the other direction', async () => {
    const socket = net.connect({ host: FAR, port: 5000, allowHalfOpen: true });
    socket.end('this is all');
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(sha256(Buffer.concat(chunks))).toBe(sha256(pattern(300_000)));
    expect(await runProgram('curl', '-sf', `http://${FAR}/got`)).toBe('this is all');
  });

  it('a closed port refuses', async () => {
    const refused = new Promise((resolve) => net.connect(81, FAR).on('error', resolve));
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('every frame is as the standards say', async () => {
    const { status, err } = await lab.interrupt();
    expect(err).not.toMatch(/dropped|error/);
    expect(status).toBe(0);
    expect((await stat(capture)).size).toBeGreaterThan(4 * BYTES);
    expect(await badFrames(capture)).toBe('');
  });
});

describe.skipIf(missing)('a lab reaches the Linux kernel and its programs', () => {
  it('pings Linux, fetches 50 MB from it and posts 50 MB to it, frame by frame as the standards say', async () => {
    const digests: string[] = [];
    const server = http.createServer((request, response) => {
      if (request.method === 'GET') {
        response.end(pattern(BYTES));
        return;
      }
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => hash.update(chunk));
      request.on('end', () => {
        digests.push(hash.digest('hex'));
        response.end('taken\n');
      });
    });
    const capture = join(folder, 'from-lab.pcapng');
    await new Promise<void>((resolve) => server.listen(8080, '0.0.0.0', resolve));
    const commands = [
      'delta: waitfor /var/www/ready 30',
      ...SIZES.map((size) => `delta: ping -c 3 -i 0.1 -s ${size} ${LINUX}`),
      `delta: http get -o /tmp/body http://${LINUX}:8080/`,
      `delta: http post -d @/tmp/body http://${LINUX}:8080/`,
      `gamma: traceroute -n -m 3 ${LINUX}`,
    ];
    const options = commands.flatMap((line) => ['--exec', line]);
    const lab = await startLab(labText(''), '--capture', `link:up=${capture}`, ...options);
    await runProgram('curl', '-sf', '-X', 'PUT', '-d', 'now', `http://${FAR}/ready`);
    const { status, out, err } = await lab.finished;
    server.close();
    expect(err).not.toContain('error');
    expect(out.match(/3 packets received, 0.0% packet loss/g)).toHaveLength(SIZES.length);
    expect(out).toContain('taken');
    expect(out).toMatch(/^ *1 +10\.0\.9\.254 /m);
    expect(digests).toEqual([sha256(pattern(BYTES))]);
    expect(status).toBe(0);
    expect((await stat(capture)).size).toBeGreaterThan(2 * BYTES);
    expect(await badFrames(capture)).toBe('');
  });
});

describe.skipIf(missing)('over a link that loses, delays and reorders', () => {
  it('transfers arrive whole, both ways', async () => {
    const lab = await startLab(labText(', delay: 5ms, loss: 1%, reorder: 1%'));
    try {
      await curlFetches(FAR, IMPAIRED_BYTES);
      await curlPosts(FAR, IMPAIRED_BYTES);
    } finally {
      expect((await lab.interrupt()).status).toBe(0);
    }
  });
});

describe.skipIf(missing)('the TAP example', () => {
  it('answers ping and curl of the Linux kernel', async () => {
    const example = join(import.meta.dirname, '../../main/examples/tap.lab.yaml');
    const capture = join(folder, 'example.pcapng');
    const lab = startStackscope('run', example, '--capture', `link:up=${capture}`);
    try {
      await tapAppears();
      await runProgram('ethtool', '-K', 'sscope0', 'tx', 'off');
      await vi.waitFor(() => runProgram('ping', '-c', '1', '-W', '1', NEAR), {
        timeout: 10_000,
        interval: 100,
      });
      expect(await runProgram('ping', '-c', '3', '-i', '0.1', NEAR)).toContain('3 received, 0% packet loss');
      expect(await vi.waitFor(() => runProgram('curl', '-sf', `http://${NEAR}/`), 5000)).toContain(
        'This is node gamma',
      );
    } finally {
      expect((await lab.interrupt()).status).toBe(0);
    }
    expect(await runProgram('tshark', '-n', '-r', capture, '-Y', 'icmp || http')).toMatch(
      /Echo.*reply[^]*HTTP.*200 OK/,
    );
    expect(await badFrames(capture, 'contents')).toBe('');
  });
});

describe.skipIf(missing)('a stack with a card on a TAP of its own', () => {
  it('reaches the kernel, also after it was slain and started again', async () => {
    const card = 'io-pkt-v4-hc -v -d tap tap=sscope1,address=10.0.8.254/24,name=tap';
    const file = join(folder, 'card.lab.yaml');
    await writeFile(file, `name: card\nnodes:\n  gamma: { stack: '${card}', interfaces: [] }\n`);
    const reach = ['gamma: ifconfig tap0 10.0.8.1/24 up', 'gamma: ping -c 2 -i 0.1 10.0.8.254'];
    const again = ['gamma: slay io-pkt-v4-hc', 'gamma: sleep 0.2', `gamma: ${card}`];
    const commands = [...reach, ...again, ...reach].flatMap((line) => ['--exec', line]);
    const { status, out, err } = await startStackscope('run', file, ...commands).finished;
    expect(err).toBe('');
    expect(out.match(/2 packets received, 0.0% packet loss/g)).toHaveLength(2);
    expect(status).toBe(0);
  });
});
