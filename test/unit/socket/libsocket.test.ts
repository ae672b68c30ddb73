// The BSD socket API between two nodes: what a program sees of TCP, UDP, errors, interruption and waiting.
import { Buffer } from 'node:buffer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as files from '../../../stack/kernel/files.ts';
import type { Process } from '../../../stack/kernel/process.ts';
import { refreshNow } from '../../../stack/runtime/clock.ts';
import {
  AF_INET,
  IPPROTO_TCP,
  IPPROTO_UDP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_RCVTIMEO,
  TCP_NODELAY,
} from '../../../stack/runtime/messages/request.ts';
import type { DatagramTarget } from '../../../stack/kernel/stack-client.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import { listenOn } from '../../../stack/socket/http-adapter.ts';
import { INADDR_ANY } from '../../../stack/socket/inet.ts';
import * as libsocket from '../../../stack/socket/libsocket.ts';
import { poll, select } from '../../../stack/socket/select.ts';
import { twoNodes } from '../../support/lab.ts';
import type { TwoNodes } from '../../support/lab.ts';
import { asProgram, start } from './programs.ts';

const ALPHA = 0x0a000001;
const BETA = 0x0a000002;
const MS = 1e6;
let lab: TwoNodes;
let nextPort = 6000;

beforeAll(async () => {
  lab = await twoNodes();
});
afterAll(() => lab.stop());

const tcp = (self: Process): Promise<number> => libsocket.socket(self, AF_INET, SOCK_STREAM, IPPROTO_TCP);
const udp = (self: Process): Promise<number> => libsocket.socket(self, AF_INET, SOCK_DGRAM, IPPROTO_UDP);

async function readAll(self: Process, fd: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = await libsocket.recv(self, fd, 100_000);
    if (piece.length === 0) return Buffer.concat(pieces);
    pieces.push(piece);
  }
}

/** A listening socket on beta that `serve` is given the first connection of. */
async function server<T>(
  serve: (self: Process, fd: number, from: libsocket.SockaddrIn) => Promise<T>,
): Promise<{ port: number; result: Promise<T> }> {
  const port = nextPort++;
  let ready!: () => void;
  const listening = new Promise<void>((resolve) => (ready = resolve));
  const { result } = start(lab.beta, async (self) => {
    const fd = await listenOn(self, { address: INADDR_ANY, port }, 5);
    ready();
    const accepted = await libsocket.accept(self, fd);
    return serve(self, accepted.fd, accepted.from);
  });
  await Promise.race([listening, result]);
  return { port, result };
}

test('a megabyte there, its end, and an answer back over the half-closed connection', async () => {
  const data = Buffer.alloc(1_048_576, 'stackscope ');
  const { port, result } = await server(async (self, fd, from) => {
    const got = await readAll(self, fd);
    await libsocket.send(self, fd, `${got.length} bytes`);
    return { got, from };
  });
  await asProgram(lab.alpha, async (self) => {
    const fd = await tcp(self);
    await libsocket.connect(self, fd, { address: BETA, port });
    expect(await libsocket.getpeername(self, fd)).toEqual({ address: BETA, port });
    expect(await libsocket.send(self, fd, data)).toBe(data.length);
    await libsocket.shutdown(self, fd, SHUT_WR);
    expect((await readAll(self, fd)).toString()).toBe('1048576 bytes');
    expect((await result).from).toEqual(await libsocket.getsockname(self, fd));
    await expect(libsocket.send(self, fd, 'more')).rejects.toMatchObject({ code: 'EPIPE' });
  });
  expect((await result).got.equals(data)).toBe(true);
});

test('datagrams keep their borders and say from whom they are; an empty one is a datagram too', async () => {
  const port = nextPort++;
  let ready!: () => void;
  const bound = new Promise<void>((resolve) => (ready = resolve));
  const receiver = start(lab.beta, async (self) => {
    const fd = await udp(self);
    await libsocket.bind(self, fd, { address: INADDR_ANY, port });
    ready();
    const got = [await libsocket.recvfrom(self, fd, 100), await libsocket.recvfrom(self, fd, 100)];
    await libsocket.sendto(self, fd, 'back', got[0]!.from);
    return got;
  });
  await bound;
  await asProgram(lab.alpha, async (self) => {
    const fd = await udp(self);
    expect(await libsocket.sendto(self, fd, 'one', { address: BETA, port })).toBe(3);
    expect(await libsocket.sendto(self, fd, '', { address: BETA, port })).toBe(0);
    const answer = await libsocket.recvfrom(self, fd, 100);
    expect(answer.data.toString()).toBe('back');
    expect(answer.from).toEqual({ address: BETA, port });
    await expect(
      libsocket.sendto(self, fd, Buffer.alloc(65_508), { address: BETA, port }),
    ).rejects.toMatchObject({ code: 'EMSGSIZE' });
  });
  const got = await receiver.result;
  expect(got.map(({ data }) => data.toString())).toEqual(['one', '']);
  expect(got[0]!.from.address).toBe(0x0a000001);
});

test('many datagrams go and come with one call each, in order, cut to what there is room for', async () => {
  const port = nextPort++;
  const target = (): DatagramTarget => ({ bytes: new Uint8Array(8), length: 0, address: 0, port: 0 });
  await asProgram(lab.beta, async (self) => {
    const fd = await udp(self);
    await libsocket.bind(self, fd, { address: INADDR_ANY, port });
    const sender = start(lab.alpha, async (far) => {
      const from = await udp(far);
      const datagrams = ['one', '', 'three and more', 'four'].map((text) => Buffer.from(text));
      expect(await libsocket.sendmmsg(far, from, datagrams, { address: BETA, port })).toBe(4);
      await libsocket.connect(far, from, { address: BETA, port });
      expect(await libsocket.sendmmsg(far, from, [Buffer.from('five')])).toBe(1);
      return (await libsocket.getsockname(far, from)).port;
    });
    const targets = Array.from({ length: 16 }, target);
    const texts: string[] = [];
    while (texts.length < 5) {
      const came = await libsocket.recvmmsg(self, fd, targets);
      for (const { bytes, length, address, port: fromPort } of targets.slice(0, came)) {
        texts.push(Buffer.from(bytes.subarray(0, length)).toString());
        expect({ address, fromPort }).toEqual({ address: ALPHA, fromPort: await sender.result });
      }
    }
    expect(texts).toEqual(['one', '', 'three an', 'four', 'five']);
    libsocket.setNonBlocking(self, fd, true);
    await expect(libsocket.recvmmsg(self, fd, targets)).rejects.toMatchObject({ code: 'EAGAIN' });
    await expect(libsocket.recvmmsg(self, fd, [])).rejects.toMatchObject({ code: 'EINVAL' });
    const stream = await tcp(self);
    await expect(libsocket.sendmmsg(self, stream, [Buffer.from('x')])).rejects.toMatchObject({
      code: 'EOPNOTSUPP',
    });
  });
});

test('errors are those of BSD', async () => {
  await asProgram(lab.alpha, async (self) => {
    const fd = await tcp(self);
    await expect(libsocket.send(self, fd, 'x')).rejects.toMatchObject({ code: 'ENOTCONN' });
    await expect(libsocket.getpeername(self, fd)).rejects.toMatchObject({ code: 'ENOTCONN' });
    await expect(libsocket.connect(self, fd, { address: BETA, port: 5999 })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      message: 'connect: Connection refused',
    });
    const [one, other] = [await udp(self), await udp(self)];
    await libsocket.bind(self, one, { address: INADDR_ANY, port: 5998 });
    await expect(libsocket.bind(self, other, { address: INADDR_ANY, port: 5998 })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    await expect(libsocket.bind(self, other, { address: BETA, port: 0 })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
    });
    await expect(libsocket.sendto(self, other, 'x', { address: 0x09090909, port: 9 })).rejects.toMatchObject({
      code: 'EHOSTUNREACH',
    });
    await libsocket.close(self, fd);
    await expect(libsocket.send(self, fd, 'x')).rejects.toMatchObject({ code: 'EBADF' });
    const file = await files.open(self, '/etc/hosts');
    await expect(libsocket.recv(self, file, 10)).rejects.toMatchObject({ code: 'ENOTSOCK' });
    await expect(libsocket.socket(self, 99, SOCK_STREAM, 0)).rejects.toMatchObject({ code: 'EAFNOSUPPORT' });
  });
});

test('without a stack at SOCK there are no sockets, and the message says so', async () => {
  await asProgram(lab.alpha, async (self) => {
    self.env.set('SOCK', '/alt');
    await expect(tcp(self)).rejects.toThrow('SOCK=/alt');
  });
});

test('a signal ends a blocked call with EINTR, and the sockets of the process are closed', async () => {
  const port = nextPort++;
  const blocked = start(lab.beta, async (self) => {
    const fd = await udp(self);
    await libsocket.bind(self, fd, { address: INADDR_ANY, port });
    await libsocket.recv(self, fd, 10);
  });
  await asProgram(lab.alpha, () => sleepNs(10 * MS));
  blocked.process.kill('SIGINT');
  await expect(blocked.result).rejects.toMatchObject({ code: 'EINTR' });
  await asProgram(lab.beta, async (self) => {
    await libsocket.bind(self, await udp(self), { address: INADDR_ANY, port });
  });
});

test('a close ends a call that is blocked on the socket', async () => {
  await asProgram(lab.alpha, async (self) => {
    const fd = await udp(self);
    await libsocket.bind(self, fd, { address: INADDR_ANY, port: nextPort++ });
    const blocked = libsocket.recv(self, fd, 10);
    await Promise.all([expect(blocked).rejects.toMatchObject({ code: 'EINTR' }), libsocket.close(self, fd)]);
  });
});

test('SO_RCVTIMEO ends a receive with EAGAIN when its time is over', async () => {
  await asProgram(lab.alpha, async (self) => {
    const fd = await udp(self);
    await libsocket.bind(self, fd, { address: INADDR_ANY, port: nextPort++ });
    await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_RCVTIMEO, 50);
    const before = refreshNow();
    await expect(libsocket.recv(self, fd, 10)).rejects.toMatchObject({ code: 'EAGAIN' });
    const waited = (refreshNow() - before) / MS;
    expect(waited).toBeGreaterThanOrEqual(49);
    expect(waited).toBeLessThan(1000);
  });
});

test('options keep their values', async () => {
  await asProgram(lab.alpha, async (self) => {
    const fd = await tcp(self);
    expect(await libsocket.getsockopt(self, fd, IPPROTO_TCP, TCP_NODELAY)).toBe(0);
    await libsocket.setsockopt(self, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    expect(await libsocket.getsockopt(self, fd, IPPROTO_TCP, TCP_NODELAY)).not.toBe(0);
  });
});

test('poll and select say what can be done without waiting', async () => {
  const { port, result } = await server(async (self, fd) => {
    await sleepNs(20 * MS, self.signal);
    await libsocket.send(self, fd, 'ping');
    return readAll(self, fd);
  });
  await asProgram(lab.alpha, async (self) => {
    const fd = await tcp(self);
    await libsocket.connect(self, fd, { address: BETA, port });
    const entries = [{ fd, events: POLLIN | POLLOUT, revents: 0 }];
    expect(await poll(self, entries, 0)).toBe(1);
    expect(entries[0]!.revents).toBe(POLLOUT);
    expect(await poll(self, [{ fd, events: POLLIN }], 0)).toBe(0);
    libsocket.setNonBlocking(self, fd, true);
    await expect(libsocket.recv(self, fd, 10)).rejects.toMatchObject({ code: 'EAGAIN' });
    expect(await select(self, { read: [fd] }, -1)).toEqual({ read: [fd], write: [] });
    expect((await libsocket.recv(self, fd, 10)).toString()).toBe('ping');
    expect(await select(self, { read: [fd], write: [fd] }, 10 * MS)).toEqual({ read: [], write: [fd] });
    await expect(select(self, { read: [99] }, 0)).rejects.toMatchObject({ code: 'EBADF' });
    const invalid = [{ fd: 99, events: POLLIN, revents: 0 }];
    expect(await poll(self, invalid, -1)).toBe(1);
    expect(invalid[0]!.revents).toBe(POLLNVAL);
  });
  expect((await result).length).toBe(0);
});
