// A lab on a TAP and the Linux kernel with its programs: ping, curl, Node's own http server, tshark as the judge of every frame. All in a network
// namespace of this test.
import { createHash, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { requires } from '../support/requires.ts';
import { runProgram, startProgram, startStackscope } from './support/lab-process.ts';
import type { LabProcess } from './support/lab-process.ts';
import {
  FAR,
  LINUX,
  NEAR,
  badFrames,
  listFrames,
  pattern,
  sha256,
  tapAppears,
  turnOffloadOff,
} from './support/linux-lab.ts';
import { enterNetworkNamespace } from './support/network-namespace.ts';

const tools = ['ip', 'ping', 'curl', 'tshark', 'ethtool', 'unshare', 'setpriv'];
const missing = requires({ tools, root: true, netns: true, tun: true });

const BYTES = 50_000_000;
const IMPAIRED_BYTES = 20_000_000;
const SIZES = ['56', '1472', '65507'];

/** What passes on to port 5003 of Linux whatever Linux sends to port 5002 of the node. */
const PASSING_ON = `nc -l -p 5002 | nc ${LINUX} 5003 &`;

const labText = (impairments = '', command = 'true'): string => `
name: linux
nodes:
  gamma:
    stack: io-pkt-v4-hc -ptcpip forward
    interfaces: [en0, en1]
    startup: ['ifconfig en0 ${NEAR}/24 up', 'ifconfig en1 10.0.7.1/24 up', 'httpd -p 80 &', '${command}']
  delta:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 ${FAR}/24 up', 'route add default 10.0.7.1', 'httpd -p 80 &',
      'sleep 0.3; http get -o /tmp/data http://127.0.0.1/bytes/300000', 'nc -l -p 5000 < /tmp/data > /var/www/got &',
      'http get -o /tmp/datagram http://127.0.0.1/bytes/9000', 'nc -u -l -p 5001 < /tmp/datagram > /var/www/datagram &']
    files: { /var/www/index.html: here }
ports:
  host: { tap: sscope0, address: ${LINUX}/24 }
links:
  up: { between: [gamma:en0, host]${impairments} }
  inner: { between: [gamma:en1, delta:en0] }
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-'));
  if (missing !== undefined) return;
  enterNetworkNamespace();
  await runProgram('ip', 'link', 'set', 'lo', 'up');
});
afterAll(() => rm(folder, { recursive: true }));

/** Starts a lab and waits until its nodes answer; Linux computes its checksums itself, for the capture to show them. */
async function startLab(text: string, ...options: string[]): Promise<LabProcess> {
  const file = join(folder, 'linux.lab.yaml');
  await writeFile(file, text);
  const lab = startStackscope('run', file, ...options);
  try {
    await tapAppears();
    await turnOffloadOff();
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
  let slowReader: Promise<[net.Socket]>;
  beforeAll(async () => {
    const server = net.createServer({ pauseOnConnect: true });
    slowReader = once(server, 'connection') as Promise<[net.Socket]>;
    server.listen(5003, '0.0.0.0').unref();
    capture = join(folder, 'up.pcapng');
    lab = await startLab(labText('', PASSING_ON), '--capture', `link:up=${capture}`);
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

  it.each([NEAR, FAR])('a flood of 2000 pings to %s', async (to) => {
    const text = await runProgram('ping', '-q', '-f', '-c', '2000', '-W', '2', to);
    expect(text).toContain('2000 received, 0% packet loss');
  });

  it('a time to live that ends at the router is reported by it', async () => {
    const { status, out } = await startProgram('ping', ['-c', '1', '-W', '2', '-t', '1', FAR]).finished;
    expect(out).toMatch(new RegExp(`From ${NEAR} icmp_seq=1 Time to live exceeded`));
    expect(status).toBe(1);
  });

  it('datagrams in fragments, both ways', async () => {
    const socket = dgram.createSocket('udp4');
    const answer = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(pattern(20_000), 5001, FAR);
    const [datagram] = await answer;
    socket.close();
    expect(sha256(datagram)).toBe(sha256(pattern(9000)));
    const arrived = async (): Promise<void> => {
      const file = join(folder, 'datagram');
      await runProgram('curl', '-sf', '-o', file, `http://${FAR}/datagram`);
      expect(sha256(await readFile(file))).toBe(sha256(pattern(20_000)));
    };
    await vi.waitFor(arrived, 5000);
  });

  it('a closed port of UDP is unreachable', async () => {
    const socket = dgram.createSocket('udp4');
    socket.connect(5999, FAR);
    await once(socket, 'connect');
    const refused = new Promise((resolve) => socket.once('error', resolve));
    socket.send('anybody there?');
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
    socket.close();
  });

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

  it('a reader that pauses stops its writer by closed windows, and loses nothing', async () => {
    // Linux sends to a node that passes everything on to a reader on Linux: when that pauses, all buffers between fill up.
    const bytes = randomBytes(BYTES);
    const [reader] = await slowReader;
    const writer = net.connect(5002, NEAR);
    let written = false;
    writer.end(bytes, () => (written = true));
    await setTimeout(1500);
    expect(written).toBe(false);
    const hash = createHash('sha256');
    for await (const chunk of reader as AsyncIterable<Buffer>) hash.update(chunk);
    expect(hash.digest('hex')).toBe(sha256(bytes));
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
    const closedWindow = 'tcp.window_size_value == 0 && tcp.flags.reset == 0';
    const toTheNode = `ip.src == ${NEAR} && tcp.srcport == 5002 && ${closedWindow}`;
    const fromTheNode = `ip.src == ${LINUX} && tcp.srcport == 5003 && ${closedWindow}`;
    expect(await listFrames(capture, toTheNode)).not.toBe('');
    expect(await listFrames(capture, fromTheNode)).not.toBe('');
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
    const lab = await startLab(labText(), '--capture', `link:up=${capture}`, ...options);
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
    const capture = join(folder, 'impaired.pcapng');
    const lab = await startLab(
      labText(', delay: 5ms, loss: 1%, reorder: 1%'),
      '--capture',
      `link:up=${capture}`,
    );
    try {
      await curlFetches(FAR, IMPAIRED_BYTES);
      await curlPosts(FAR, IMPAIRED_BYTES);
    } finally {
      expect((await lab.interrupt()).status).toBe(0);
    }
    expect(await badFrames(capture)).toBe('');
  });
});

describe.skipIf(missing)('the TAP example', () => {
  it('answers ping and curl of the Linux kernel', async () => {
    const example = join(import.meta.dirname, '../../main/examples/tap.lab.yaml');
    const capture = join(folder, 'example.pcapng');
    const lab = startStackscope('run', example, '--capture', `link:up=${capture}`);
    try {
      await tapAppears();
      await turnOffloadOff();
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
