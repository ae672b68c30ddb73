// A resource manager written as a user would write one, and the calls that reach it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { devctl, open, read, readTextFile, readdir, stat, writeFile } from '../../../stack/kernel/files.ts';
import { createNode } from '../../../stack/kernel/node.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import type { LabNode, Process, Program } from '../../../stack/kernel/process.ts';
import { resourceManager } from '../../../stack/kernel/resource-manager.ts';
import type { ConnectFunctions, IoFunctions } from '../../../stack/kernel/resource-manager.ts';
import { ERRNO, SystemError } from '../../../stack/runtime/messages/errno.ts';

let node: LabNode;
beforeEach(() => {
  node = createNode({ name: 'alpha' });
});
afterEach(() => node.shutdown());

function manage<O>(
  prefix: string,
  connect: ConnectFunctions<O>,
  io: IoFunctions<O>,
  name = 'manager',
): Process {
  const serve: Program = async (self) => {
    const manager = resourceManager(self);
    manager.attach(prefix, connect, io);
    await manager.serve();
    return 0;
  };
  return spawn(node, serve, { argv: [name] });
}

/** A process whose calls the test makes. */
function client(): Process {
  const untilKilled = (self: Process): Promise<number> =>
    new Promise((resolve) => self.signal.addEventListener('abort', () => resolve(0)));
  return spawn(node, untilKilled, { argv: ['client'], priority: 17 });
}

test('each open has a control block of its own, closed when its client goes', async () => {
  const closed: string[] = [];
  const io: IoFunctions<{ path: string }> = {
    read: (_context, ocb) => new TextEncoder().encode(`<${ocb.path}>`),
    close: (ocb) => closed.push(ocb.path),
  };
  manage('/dev/echo', { open: (_context, path) => ({ path }) }, io);
  const self = client();
  const [a, b] = [await open(self, '/dev/echo/a'), await open(self, '/dev/echo/b/c')];
  const text = async (fd: number): Promise<string> => new TextDecoder().decode(await read(self, fd));
  expect([await text(a), await text(b), await text(a)]).toEqual(['<a>', '<b/c>', '<a>']);
  self.kill();
  await self.exited;
  await new Promise((resolve) => setImmediate(resolve));
  expect(closed.sort()).toEqual(['a', 'b/c']);
});

test('a handler knows its client and serves at the priority of the client', async () => {
  const seen: unknown[] = [];
  const manager: Process = manage(
    '/dev/who',
    {
      open({ client: { node: from, pid, priority } }) {
        seen.push({ from, pid, priority, own: manager.priority });
        return {};
      },
    },
    {},
  );
  const self = client();
  await open(self, '/dev/who');
  expect(seen).toEqual([{ from: 'alpha', pid: self.pid, priority: 17, own: 17 }]);
});

test('a handler that waits blocks its own client only, and gives up when that client does', async () => {
  let gaveUp = false;
  const io: IoFunctions<{ path: string }> = {
    read: ({ signal }, ocb) =>
      ocb.path === 'now'
        ? new Uint8Array()
        : new Promise(() => signal.addEventListener('abort', () => (gaveUp = true))),
  };
  manage('/dev/slow', { open: (_context, path) => ({ path }) }, io);
  const [blocked, other] = [client(), client()];
  const answer = read(blocked, await open(blocked, '/dev/slow/never'));
  expect(await readTextFile(other, '/dev/slow/now')).toBe('');
  expect(blocked.blocks.at(-1)?.state).toBe('REPLY');
  blocked.kill('SIGINT');
  await expect(answer).rejects.toMatchObject({ code: 'EINTR' });
  expect(gaveUp).toBe(true);
});

test('what a manager does not offer fails with the proper error', async () => {
  manage('/dev/bare', { open: () => ({}) }, {});
  const self = client();
  const fd = await open(self, '/dev/bare');
  await expect(read(self, fd)).rejects.toMatchObject({ code: 'ENOSYS' });
  await expect(devctl(self, fd, 'ANY')).rejects.toMatchObject({ code: 'ENOTTY' });
  await expect(readdir(self, '/dev/bare')).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(writeFile(self, '/dev/bare', 'x')).rejects.toThrow('/dev/bare: Function not implemented');
  expect((await stat(self, '/dev/bare')).kind).toBe('name');
});

test('devctl carries data both ways', async () => {
  const io: IoFunctions<object> = {
    devctl(_context, _ocb, command, data) {
      if (command !== 'DOUBLE') throw new SystemError(ERRNO.EINVAL, command);
      return (data as number) * 2;
    },
  };
  manage('/dev/math', { open: () => ({}) }, io);
  const self = client();
  const fd = await open(self, '/dev/math');
  expect(await devctl(self, fd, 'DOUBLE', 21)).toBe(42);
  await expect(devctl(self, fd, 'HALVE', 2)).rejects.toMatchObject({ code: 'EINVAL' });
});

test('a fault in a handler is EIO to its client and a line in the log, and the manager goes on', async () => {
  const io: IoFunctions<object> = {
    read: () => {
      throw new TypeError('a bug');
    },
  };
  manage('/dev/bug', { open: () => ({}) }, io, 'buggy');
  const self = client();
  const fd = await open(self, '/dev/bug');
  await expect(read(self, fd)).rejects.toMatchObject({ code: 'EIO' });
  expect(node.log.entries()[0]).toMatchObject({ source: 'buggy' });
  await open(self, '/dev/bug');
});

test('the later of two managers at one prefix has it until it ends; the longer prefix wins', async () => {
  const says = (text: string): IoFunctions<{ done: boolean }> => ({
    read(_context, ocb) {
      if (ocb.done) return new Uint8Array();
      ocb.done = true;
      return new TextEncoder().encode(text);
    },
  });
  const fresh = { open: (): { done: boolean } => ({ done: false }) };
  manage('/dev/x', fresh, says('first'));
  const second = manage('/dev/x', fresh, says('second'));
  manage('/dev/x/deep', fresh, says('deep'));
  const self = client();
  expect(await readTextFile(self, '/dev/x')).toBe('second');
  expect(await readTextFile(self, '/dev/x/deep/er')).toBe('deep');
  expect(await readTextFile(self, '/dev/x/deeper')).toBe('second');
  second.kill();
  await second.exited;
  expect(await readTextFile(self, '/dev/x')).toBe('first');
});
