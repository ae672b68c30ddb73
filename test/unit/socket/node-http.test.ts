// Node's own http client and server, unchanged, on two nodes of a lab.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Process } from '../../../stack/kernel/process.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import { SocketDuplex } from '../../../stack/socket/duplex.ts';
import { httpAgent, serveHttp } from '../../../stack/socket/http-adapter.ts';
import { INADDR_ANY } from '../../../stack/socket/inet.ts';
import { twoNodes } from '../../support/lab.ts';
import type { TwoNodes } from '../../support/lab.ts';
import { asProgram, start } from './programs.ts';

const MS = 1e6;
let lab: TwoNodes;
let serving: Process;

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

function answer(request: IncomingMessage, response: http.ServerResponse): void {
  if (request.url === '/never') return;
  if (request.url === '/reset') {
    request.socket.destroy();
    return;
  }
  void bodyOf(request).then((body) => {
    response.setHeader('Content-Type', 'text/plain');
    response.setHeader('X-Peer', `${request.socket.remoteAddress}:${request.socket.remotePort}`);
    response.end(request.method === 'POST' ? body : 'hello from beta\n');
  });
}

beforeAll(async () => {
  lab = await twoNodes();
  const server = http.createServer(answer);
  serving = start(lab.beta, (self) => serveHttp(self, server, { address: INADDR_ANY, port: 80 })).process;
  await asProgram(lab.alpha, () => sleepNs(10 * MS));
});
afterAll(async () => {
  serving.kill('SIGTERM');
  await serving.exited;
  await lab.stop();
});

/** One request as a program on alpha. */
function ask(
  self: Process,
  options: http.RequestOptions,
  body?: Uint8Array,
): Promise<{ response: IncomingMessage; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '10.0.0.2', agent: httpAgent(self), ...options }, (response) => {
      bodyOf(response).then((received) => resolve({ response, body: received }), reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('http.get fetches what http.createServer answers', async () => {
  const { response, body } = await asProgram(lab.alpha, (self) => ask(self, {}));
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('text/plain');
  expect(response.headers['x-peer']).toMatch(/^10\.0\.0\.1:\d+$/);
  expect(body.toString()).toBe('hello from beta\n');
});

test('keep-alive: five requests over one connection', async () => {
  const peers = await asProgram(lab.alpha, async (self) => {
    const agent = httpAgent(self, { keepAlive: true, maxSockets: 1 });
    const seen = new Set<unknown>();
    for (let i = 0; i < 5; i++) seen.add((await ask(self, { agent })).response.headers['x-peer']);
    agent.destroy();
    return seen;
  });
  expect(peers.size).toBe(1);
});

test('two megabytes there and back arrive as they were sent, with back-pressure on both sides', async () => {
  const data = Buffer.alloc(2_097_152);
  for (let i = 0; i < data.length; i++) data[i] = (i * 31) & 255;
  const { body } = await asProgram(lab.alpha, (self) => ask(self, { method: 'POST' }, data));
  expect(body.length).toBe(data.length);
  expect(digest(body)).toBe(digest(data));
});

test('twenty requests at once', async () => {
  const bodies = await asProgram(lab.alpha, (self) => {
    const agent = httpAgent(self);
    return Promise.all(
      Array.from({ length: 20 }, (_, i) => ask(self, { agent, method: 'POST' }, Buffer.from(`number ${i}`))),
    );
  });
  expect(bodies.map(({ body }) => body.toString())).toEqual(
    Array.from({ length: 20 }, (_, i) => `number ${i}`),
  );
});

test('errors carry the codes that Node programs look at', async () => {
  await asProgram(lab.alpha, async (self) => {
    await expect(ask(self, { port: 81 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(ask(self, { host: 'nowhere' })).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(ask(self, { path: '/reset' })).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});

test("a time-out is one of the lab's clock", async () => {
  await asProgram(lab.alpha, async (self) => {
    await expect(
      new Promise((resolve, reject) => {
        const request = http.get({ host: '10.0.0.2', path: '/never', agent: httpAgent(self) }, resolve);
        request.on('error', reject);
        request.setTimeout(3000, () => request.destroy(new Error('too slow')));
      }),
    ).rejects.toThrow('too slow');
  });
});

test('a duplex has the ends of its connection and closes its descriptor', async () => {
  await asProgram(lab.alpha, async (self) => {
    const socket = new SocketDuplex(self);
    await new Promise<void>((connected) => socket.connect({ host: '10.0.0.2', port: 80 }, connected));
    expect([socket.remoteAddress, socket.remotePort, socket.localAddress]).toEqual([
      ...['10.0.0.2', 80],
      '10.0.0.1',
    ]);
    expect(self.fds.entries()).toHaveLength(1);
    await new Promise<void>((closed) => socket.once('close', closed).destroy());
    expect(self.fds.entries()).toHaveLength(0);
  });
});
