// PF between two Linux kernels: a router of the lab with a TAP on each side translates for curl, iperf3, ping and whoever asks how far it is. The client is in a network namespace of
// this test, the server in one behind that.
import { createServer } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { requires } from '../support/requires.ts';
import { runProgram, startProgram, startStackscope } from './support/lab-process.ts';
import type { LabProcess } from './support/lab-process.ts';
import { enterNetworkNamespace } from './support/network-namespace.ts';

const tools = ['ip', 'ping', 'curl', 'iperf3', 'tshark', 'unshare', 'nsenter', 'setpriv', 'sleep'];
const missing = requires({ tools, root: true, netns: true, tun: true });

const CLIENT = '10.9.0.2';
const SERVER = '192.0.2.2';
const OUTER = '192.0.2.1';
const BACK_PORT = 8080;
const LAB = `
name: pf-linux
nodes:
  fw:
    stack: io-pkt-v4-hc -ptcpip forward -p pf-v4
    interfaces: [en0, en1]
    startup:
      - pfctl -e -f /etc/pf.conf
      - ifconfig en0 10.9.0.1/24 up
      - ifconfig en1 ${OUTER}/24 up
    files:
      /etc/pf.conf: |
        nat on en1 inet from 10.9.0.0/24 to any -> (en1)
        rdr on en1 inet proto tcp from any to (en1) port ${BACK_PORT} -> ${CLIENT} port 8000
        block log all
        pass quick on lo0 all
        pass in on en0 inet from 10.9.0.0/24 to any keep state
        pass out on en1 inet all keep state
        pass in on en1 inet proto tcp from any to ${CLIENT} port 8000 flags S/SA keep state
        pass out on en0 inet proto tcp from any to ${CLIENT} port 8000 flags S/SA keep state
ports:
  inside: { tap: sspfin0, address: ${CLIENT}/24 }
  outside: { tap: sspfout0 }
links:
  lan: { between: [fw:en0, inside] }
  wan: { between: [fw:en1, outside] }
`;

let folder: string;
let lab: LabProcess | undefined;
/** Keeps the server's namespace; its programs run beside it. */
let holder: LabProcess | undefined;

const far = (program: string, ...args: string[]): string[] => [
  '-t',
  String(holder!.child.pid),
  '-n',
  program,
  ...args,
];
const runFar = (program: string, ...args: string[]): Promise<string> =>
  runProgram('nsenter', ...far(program, ...args));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-'));
  if (missing !== undefined) return;
  enterNetworkNamespace();
  await runProgram('ip', 'link', 'set', 'lo', 'up');
  // The keeper becomes the program that it starts: its number is that of the namespace.
  holder = startProgram('setpriv', ['--pdeathsig', 'KILL', 'unshare', '-n', 'sleep', '600']);
  const file = join(folder, 'pf.lab.yaml');
  await writeFile(file, LAB);
  lab = startStackscope('run', file, '--capture', `link:wan=${join(folder, 'wan.pcapng')}`);
  await vi.waitFor(() => runProgram('ip', 'link', 'show', 'sspfout0'), { timeout: 10_000, interval: 50 });
  await runProgram('ip', 'link', 'set', 'sspfout0', 'netns', String(holder.child.pid));
  await runFar('ip', 'link', 'set', 'lo', 'up');
  await runFar('ip', 'addr', 'add', `${SERVER}/24`, 'dev', 'sspfout0');
  await runFar('ip', 'link', 'set', 'sspfout0', 'up');
  await runProgram('ip', 'route', 'add', '192.0.2.0/24', 'via', '10.9.0.1');
  await vi.waitFor(() => runProgram('ping', '-c', '1', '-W', '1', SERVER), {
    timeout: 15_000,
    interval: 100,
  });
}, 40_000);

afterAll(async () => {
  await lab?.interrupt();
  holder?.child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

it.skipIf(missing !== undefined)(
  'the server sees the address of the router, and the client gets what it asked for',
  async () => {
    const script =
      "const h=require('http');h.createServer((q,r)=>r.end(q.socket.remoteAddress)).listen(8000,()=>console.log('up'))";
    const server = startProgram(
      'nsenter',
      far('setpriv', '--pdeathsig', 'KILL', process.execPath, '-e', script),
    );
    try {
      const seen = await vi.waitFor(() => runProgram('curl', '-sf', '-m', '2', `http://${SERVER}:8000/`), {
        timeout: 10_000,
        interval: 100,
      });
      expect(seen.replace('::ffff:', '')).toBe(OUTER);
    } finally {
      server.child.kill('SIGKILL');
    }
  },
);

it.skipIf(missing !== undefined)('a connection to the router goes on to a host inside', async () => {
  const server = createServer((request, response) => response.end(request.socket.remoteAddress)).listen(8000);
  try {
    const seen = await vi.waitFor(() => runFar('curl', '-sf', '-m', '2', `http://${OUTER}:${BACK_PORT}/`), {
      timeout: 10_000,
      interval: 100,
    });
    expect(seen.replace('::ffff:', '')).toBe(SERVER);
  } finally {
    server.close();
  }
});

it.skipIf(missing !== undefined)(
  'bulk data passes: iperf3 in both directions, TCP and UDP',
  async () => {
    const server = startProgram(
      'nsenter',
      far('setpriv', '--pdeathsig', 'KILL', 'iperf3', '-s', '-p', '5201'),
    );
    try {
      for (const options of [[], ['-R'], ['-u', '-b', '20M']]) {
        const report = await vi.waitFor(
          () => runProgram('iperf3', '-J', '-c', SERVER, '-p', '5201', '-t', '1', ...options),
          { timeout: 15_000, interval: 200 },
        );
        const { end } = JSON.parse(report) as {
          end: { sum?: { bytes: number }; sum_received?: { bytes: number } };
        };
        expect((end.sum_received ?? end.sum)!.bytes).toBeGreaterThan(1e6);
      }
    } finally {
      server.child.kill('SIGKILL');
    }
  },
  60_000,
);

it.skipIf(missing !== undefined)(
  'errors about translated packets come to the client that sent them',
  async () => {
    // Nobody listens: the server's ICMP error quotes the translated datagram.
    const refused = await runProgram(
      process.execPath,
      '-e',
      `const s=require('dgram').createSocket('udp4');s.connect(9,'${SERVER}',()=>{s.on('error',(e)=>{console.log(e.code);process.exit(0)});s.send('x')});setTimeout(()=>process.exit(1),5000)`,
    );
    expect(refused.trim()).toBe('ECONNREFUSED');
    // Traceroute's way: the router is one hop away, the server two.
    const hop = async (ttl: string): Promise<string> =>
      (await startProgram('ping', ['-n', '-c', '1', '-W', '2', '-t', ttl, SERVER]).finished).out;
    expect(await hop('1')).toMatch(/From 10\.9\.0\.1 .*Time to live exceeded/);
    expect(await hop('2')).toContain(`64 bytes from ${SERVER}`);
  },
);

it.skipIf(missing !== undefined)('nothing else comes in', async () => {
  const { status } = await startProgram('nsenter', far('curl', '-s', '-m', '2', `http://${OUTER}:8001/`))
    .finished;
  expect(status).not.toBe(0);
  const ping = await startProgram('nsenter', far('ping', '-c', '1', '-W', '1', OUTER)).finished;
  expect(ping.status).not.toBe(0);
});

it.skipIf(missing !== undefined)(
  'what crossed the wire outside is well formed, and shows no address of the inside',
  async () => {
    await lab!.interrupt();
    lab = undefined;
    const tshark = (filter: string): Promise<string> =>
      runProgram('tshark', '-r', join(folder, 'wan.pcapng'), '-o', 'ip.check_checksum:TRUE', '-Y', filter);
    expect(await tshark('ip.addr == 10.9.0.0/24')).toBe('');
    expect(await tshark('ip.checksum.status == "Bad"')).toBe('');
  },
);
