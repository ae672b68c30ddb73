// Files of a node through the path space: the in-memory file system, /proc, /dev, as programs use them.
import { expect, test } from 'vitest';
import { collector } from '../../../stack/kernel/byte-stream.ts';
import {
  close,
  mkdir,
  open,
  readTextFile,
  read,
  readdir,
  rename,
  stat,
  unlink,
  write,
  writeFile,
  exists,
  lseek,
} from '../../../stack/kernel/files.ts';
import { O_APPEND, O_CREAT, O_EXCL, O_RDWR, O_WRONLY } from '../../../stack/kernel/io-message.ts';
import { createNode } from '../../../stack/kernel/node.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import type { Program } from '../../../stack/kernel/process.ts';
import { SystemError } from '../../../stack/runtime/messages/errno.ts';

/** Runs `program` as a process of a fresh node; fails the test with what it wrote to standard error. */
async function onNode(
  program: (...args: Parameters<Program>) => Promise<void>,
  fileBytes?: number,
): Promise<void> {
  const node = createNode({ name: 'alpha', ...(fileBytes === undefined ? {} : { fileBytes }) });
  const stderr = collector();
  const run: Program = async (self) => {
    await program(self);
    return 0;
  };
  const status = await spawn(node, run, { argv: ['test'], stderr }).exited;
  await node.shutdown();
  expect(stderr.text()).toBe('');
  expect(status).toBe(0);
}

const code = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof SystemError ? error.code : error),
  );

test('what is written can be read, from any position', () =>
  onNode(async (self) => {
    const fd = await open(self, '/tmp/a', O_RDWR | O_CREAT);
    expect(fd).toBe(3);
    await write(self, fd, new TextEncoder().encode('hello world'));
    expect(await lseek(self, fd, -5, 'end')).toBe(6);
    expect(new TextDecoder().decode(await read(self, fd, 3))).toBe('wor');
    expect(new TextDecoder().decode(await read(self, fd))).toBe('ld');
    expect(await read(self, fd)).toHaveLength(0);
    await close(self, fd);
    expect(await code(read(self, fd))).toBe('EBADF');
    expect((await stat(self, '/tmp/a')).size).toBe(11);
  }));

test('appending writes go to the end', () =>
  onNode(async (self) => {
    await writeFile(self, '/tmp/log', 'one\n');
    const fd = await open(self, '/tmp/log', O_WRONLY | O_APPEND);
    await write(self, fd, new TextEncoder().encode('two\n'));
    expect(await readTextFile(self, '/tmp/log')).toBe('one\ntwo\n');
  }));

test('relative paths start at the working directory', () =>
  onNode(async (self) => {
    await mkdir(self, '/tmp/d');
    self.cwd = '/tmp/d';
    await writeFile(self, '../d/./x', 'x');
    expect(await readTextFile(self, '/tmp/d/x')).toBe('x');
    await rename(self, 'x', '../y');
    expect(await exists(self, '/tmp/y')).toBe(true);
    expect(await exists(self, '/tmp/d/x')).toBe(false);
  }));

test('wrong uses fail as POSIX says', () =>
  onNode(async (self) => {
    await mkdir(self, '/tmp/d');
    await writeFile(self, '/tmp/d/f', '');
    expect(await code(open(self, '/tmp/none'))).toBe('ENOENT');
    expect(await code(open(self, '/tmp/none/f', O_CREAT | O_WRONLY))).toBe('ENOENT');
    expect(await code(open(self, '/tmp/d/f/g'))).toBe('ENOTDIR');
    expect(await code(open(self, '/tmp/d', O_WRONLY))).toBe('EISDIR');
    expect(await code(open(self, '/tmp/d/f', O_CREAT | O_EXCL))).toBe('EEXIST');
    expect(await code(mkdir(self, '/tmp/d'))).toBe('EEXIST');
    expect(await code(unlink(self, '/tmp/d'))).toBe('ENOTEMPTY');
    expect(await code(rename(self, '/tmp/d', '/tmp/d/e'))).toBe('EINVAL');
    expect(await code(rename(self, '/tmp/d/f', '/proc/f'))).toBe('EINVAL');
    expect(await code(readdir(self, '/tmp/d/f'))).toBe('ENOTDIR');
    await expect(open(self, '/tmp/none')).rejects.toThrow('/tmp/none: No such file or directory');
  }));

test('a full file system refuses with ENOSPC and has room again after a removal', () =>
  onNode(async (self) => {
    await writeFile(self, '/tmp/a', 'x'.repeat(6000));
    expect(await code(writeFile(self, '/tmp/b', 'x'.repeat(6000)))).toBe('ENOSPC');
    await unlink(self, '/tmp/a');
    expect(await code(writeFile(self, '/tmp/b', 'x'.repeat(6000)))).toBe('no error');
  }, 10_000));

test('directories show their own entries and the prefixes registered below them', () =>
  onNode(async (self) => {
    const names = async (path: string): Promise<string[]> =>
      (await readdir(self, path)).map(({ name }) => name);
    expect(await names('/')).toEqual(['dev', 'etc', 'home', 'proc', 'root', 'tmp']);
    expect(await names('/dev')).toEqual(['null', 'slog', 'zero']);
    expect((await stat(self, '/dev')).kind).toBe('directory');
    expect((await stat(self, '/dev/null')).kind).toBe('device');
  }));

test('/proc has a directory per process', () =>
  onNode(async (self) => {
    expect((await readdir(self, '/proc')).map(({ name }) => name)).toEqual(['1', '2', String(self.pid)]);
    expect(await readTextFile(self, `/proc/${self.pid}/cmdline`)).toBe('test\0');
    expect(await code(readTextFile(self, '/proc/99/cmdline'))).toBe('ENOENT');
  }));

test('/dev/null swallows, /dev/zero yields zeros, /dev/slog writes the log under the name of its client', () =>
  onNode(async (self) => {
    await writeFile(self, '/dev/null', 'gone');
    expect(await readTextFile(self, '/dev/null')).toBe('');
    const fd = await open(self, '/dev/zero');
    expect(await read(self, fd, 3)).toEqual(new Uint8Array(3));
    await writeFile(self, '/dev/slog', 'hello\n');
    expect(self.node.log.entries()).toMatchObject([{ source: 'test', text: 'hello' }]);
  }));
