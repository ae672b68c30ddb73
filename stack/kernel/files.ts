/**
 * The file calls of programs: open, read, write, close, readdir, stat, unlink, mkdir, rename, devctl. Each finds the path's manager in the path
 * space and becomes a message to it; a file descriptor is a connection id, as on Neutrino.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { concat } from './byte-stream.ts';
import { connectAttach, msgSend } from './channel.ts';
import type { Descriptor } from './descriptors.ts';
import { O_CREAT, O_DIRECTORY, O_RDONLY, O_TRUNC, O_WRONLY } from './io-message.ts';
import type { DirectoryEntry, IoMap, IoType, Stat } from './io-message.ts';
import { normalizePath } from './path-space.ts';
import type { PathServer } from './path-space.ts';
import type { Process } from './process.ts';

/** Bytes asked for at once when a whole file is read. */
const CHUNK = 65_536;
const FIRST_FD = 3;

/** An error of a file call reads `PATH: what is wrong`. */
function about(path: string, error: unknown): Error {
  if (error instanceof SystemError) return new SystemError(error.errno, path);
  return error instanceof Error ? error : new Error(String(error));
}

async function io<T extends IoType>(
  self: Process,
  fd: number,
  type: T,
  body: IoMap[T]['body'],
  signal = self.signal,
): Promise<IoMap[T]['reply']> {
  const { reply } = await msgSend(self, fd, { ...body, type }, signal);
  return reply;
}

/** The manager of a path: throws ENOENT when no prefix fits. */
function resolve(self: Process, path: string): { server: PathServer; rest: string; prefix: string } {
  const full = normalizePath(self.cwd, path);
  const resolution = self.node.paths.resolve(full);
  if (resolution === undefined) throw new SystemError(ERRNO.ENOENT, path);
  return resolution;
}

async function withConnection<T>(
  self: Process,
  path: string,
  use: (coid: number, place: { handle: number; path: string }) => Promise<T>,
): Promise<T> {
  try {
    const { server, rest } = resolve(self, path);
    const coid = connectAttach(self, server.nd, server.pid, server.chid, FIRST_FD);
    try {
      return await use(coid, { handle: server.handle, path: rest });
    } finally {
      await drop(self, coid);
    }
  } catch (error) {
    throw about(path, error);
  }
}

/** Closes a descriptor if the process still has it. */
async function drop(self: Process, fd: number): Promise<void> {
  const entry = self.fds.entries().find(([number]) => number === fd);
  if (entry === undefined) return;
  await self.fds.remove(fd).close();
}

/** Opens a path relative to the working directory; returns a descriptor. Throws ENOENT, EISDIR, EEXIST ... naming the path. */
export async function open(self: Process, path: string, flags = O_RDONLY, mode = 0o644): Promise<number> {
  let fd: number | undefined;
  try {
    const { server, rest } = resolve(self, path);
    fd = connectAttach(self, server.nd, server.pid, server.chid, FIRST_FD);
    await io(self, fd, 'open', { handle: server.handle, path: rest, flags, mode });
    return fd;
  } catch (error) {
    if (fd !== undefined) await drop(self, fd);
    throw about(path, error);
  }
}

/** At most `bytes` bytes; none at the end of the file. */
export function read(self: Process, fd: number, bytes = CHUNK, signal = self.signal): Promise<Uint8Array> {
  return io(self, fd, 'read', { bytes }, signal);
}

/** Writes all of `data`. */
export async function write(
  self: Process,
  fd: number,
  data: Uint8Array,
  signal = self.signal,
): Promise<void> {
  for (let sent = 0; sent < data.length;)
    sent += await io(self, fd, 'write', { data: data.subarray(sent) }, signal);
}

/** Moves the position; returns it. */
export function lseek(
  self: Process,
  fd: number,
  offset: number,
  from: 'start' | 'current' | 'end',
): Promise<number> {
  return io(self, fd, 'lseek', { offset, from });
}

export function fstat(self: Process, fd: number): Promise<Stat> {
  return io(self, fd, 'stat', {});
}

/** Sends a device command (devctl(), ioctl()). */
export function devctl(
  self: Process,
  fd: number,
  command: string,
  data?: unknown,
  signal = self.signal,
): Promise<unknown> {
  return io(self, fd, 'devctl', { command, data }, signal);
}

/** Waits until one of `events` (POLL*) is there, at most `timeout` ns (negative: without end); resolves to those that are. EINTR when `signal` aborts. */
export function pollFile(
  self: Process,
  fd: number,
  events: number,
  timeout: number,
  signal = self.signal,
): Promise<number> {
  return io(self, fd, 'poll', { events, timeout }, signal);
}

/** Closes any descriptor: of a file, a socket or a connection. Throws EBADF. */
export async function close(self: Process, fd: number): Promise<void> {
  const descriptor: Descriptor = self.fds.remove(fd);
  await descriptor.close();
}

/** A directory that is nobody's own but on the way to registered prefixes, such as /dev. */
function isOnTheWay(self: Process, path: string): boolean {
  return self.node.paths.childrenOf(normalizePath(self.cwd, path)).length > 0;
}

export async function stat(self: Process, path: string): Promise<Stat> {
  try {
    const fd = await open(self, path, 0);
    try {
      return await fstat(self, fd);
    } finally {
      await drop(self, fd);
    }
  } catch (error) {
    if (!isNotFound(error) || !isOnTheWay(self, path)) throw about(path, error);
    return { kind: 'directory', size: 0, mtime: 0, mode: 0o555 };
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof SystemError && error.errno === ERRNO.ENOENT;
}

/** True when a path can be found. */
export async function exists(self: Process, path: string): Promise<boolean> {
  try {
    await stat(self, path);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.errno !== ERRNO.EINTR) return false;
    throw error;
  }
}

/** The entries of a directory in order of name: the manager's own and the prefixes registered below it. */
export async function readdir(self: Process, path: string): Promise<DirectoryEntry[]> {
  const entries = new Map<string, DirectoryEntry>();
  for (const name of self.node.paths.childrenOf(normalizePath(self.cwd, path))) {
    const { kind } = await stat(self, `${path}/${name}`);
    entries.set(name, { name, kind });
  }
  for (const entry of await ownEntries(self, path, entries.size > 0)) entries.set(entry.name, entry);
  return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function ownEntries(self: Process, path: string, optional: boolean): Promise<DirectoryEntry[]> {
  try {
    const fd = await open(self, path, O_RDONLY | O_DIRECTORY);
    try {
      return await io(self, fd, 'readdir', {});
    } finally {
      await drop(self, fd);
    }
  } catch (error) {
    if (optional && isNotFound(error)) return [];
    throw about(path, error);
  }
}

/** Removes a file or an empty directory. */
export function unlink(self: Process, path: string): Promise<void> {
  return withConnection(self, path, (coid, place) => io(self, coid, 'unlink', place));
}

export function mkdir(self: Process, path: string, mode = 0o755): Promise<void> {
  return withConnection(self, path, (coid, place) => io(self, coid, 'mkdir', { ...place, mode }));
}

/** Moves a file or directory within one manager's tree. Throws EXDEV's text across managers. */
export function rename(self: Process, path: string, to: string): Promise<void> {
  return withConnection(self, path, async (coid, place) => {
    const target = resolve(self, to);
    if (target.server.handle !== place.handle) throw new SystemError(ERRNO.EINVAL, to);
    await io(self, coid, 'rename', { ...place, to: target.rest });
  });
}

/** Reads a whole file. */
export async function readFile(self: Process, path: string): Promise<Uint8Array> {
  const fd = await open(self, path, O_RDONLY);
  try {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const chunk = await read(self, fd);
      if (chunk.length === 0) break;
      chunks.push(chunk);
    }
    return concat(chunks);
  } catch (error) {
    throw about(path, error);
  } finally {
    await drop(self, fd);
  }
}

/** Reads a whole file as UTF-8. */
export async function readTextFile(self: Process, path: string): Promise<string> {
  return new TextDecoder().decode(await readFile(self, path));
}

/** Replaces the content of a file, creating it. */
export async function writeFile(self: Process, path: string, data: Uint8Array | string): Promise<void> {
  const fd = await open(self, path, O_WRONLY | O_CREAT | O_TRUNC);
  try {
    await write(self, fd, typeof data === 'string' ? new TextEncoder().encode(data) : data);
  } catch (error) {
    throw about(path, error);
  } finally {
    await drop(self, fd);
  }
}
