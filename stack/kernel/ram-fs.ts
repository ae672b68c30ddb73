/**
 * The in-memory file system of a node, mounted at /: directories and files of bytes with a limit on their sum (ENOSPC), served as a resource
 * manager by procnto. Semantics of open, unlink, mkdir and rename are POSIX's.
 */
import { refreshNow } from '../runtime/clock.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_TRUNC, O_WRONLY } from './io-message.ts';
import type { DirectoryEntry, Stat } from './io-message.ts';
import type { ConnectFunctions, IoFunctions } from './resource-manager.ts';

interface Directory {
  readonly kind: 'directory';
  readonly entries: Map<string, Inode>;
  mtime: number;
  readonly mode: number;
}
interface RegularFile {
  readonly kind: 'file';
  /** Capacity grows by doubling; `size` bytes are the file's. */
  data: Uint8Array;
  size: number;
  mtime: number;
  readonly mode: number;
}
type Inode = Directory | RegularFile;

interface RamOcb {
  readonly inode: Inode;
  readonly flags: number;
  offset: number;
}

export interface RamFs {
  readonly connect: ConnectFunctions<RamOcb>;
  readonly io: IoFunctions<RamOcb>;
  /** Bytes of all files. */
  used(): number;
  /** Puts a file in place before the node runs, making its directories. */
  install(path: string, text: string): void;
  makeDirectory(path: string): void;
}

const MAX_NAME = 255;

function newDirectory(mode = 0o755): Directory {
  return { kind: 'directory', entries: new Map(), mtime: refreshNow(), mode };
}

/** An empty file system for at most `limit` bytes of file data. */
export function createRamFs(limit: number): RamFs {
  const root = newDirectory();
  let used = 0;

  function find(path: string): Inode | undefined {
    let inode: Inode = root;
    for (const part of partsOf(path)) {
      if (inode.kind !== 'directory') throw new SystemError(ERRNO.ENOTDIR, path);
      const next = inode.entries.get(part);
      if (next === undefined) return undefined;
      inode = next;
    }
    return inode;
  }
  /** The directory that holds the last part of a path, and that part. */
  function parentOf(path: string): { directory: Directory; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw new SystemError(ERRNO.EBUSY, '/');
    if (name.length > MAX_NAME) throw new SystemError(ERRNO.EINVAL, path);
    const directory = find(parts.join('/'));
    if (directory === undefined) throw new SystemError(ERRNO.ENOENT, path);
    if (directory.kind !== 'directory') throw new SystemError(ERRNO.ENOTDIR, path);
    return { directory, name };
  }
  function put(directory: Directory, name: string, inode: Inode): void {
    directory.entries.set(name, inode);
    directory.mtime = refreshNow();
  }
  function drop(directory: Directory, name: string): void {
    const inode = directory.entries.get(name);
    directory.entries.delete(name);
    directory.mtime = refreshNow();
    if (inode?.kind === 'file') resize(inode, 0);
  }

  function resize(file: RegularFile, size: number): void {
    const growth = size - file.size;
    if (growth > 0 && used + growth > limit) throw new SystemError(ERRNO.ENOSPC, 'write');
    if (size > file.data.length) {
      const bigger = new Uint8Array(Math.max(size, file.data.length * 2, 256));
      bigger.set(file.data.subarray(0, file.size));
      file.data = bigger;
    } else if (size === 0) file.data = new Uint8Array();
    used += growth;
    file.size = size;
    file.mtime = refreshNow();
  }

  function create(path: string, mode: number): Inode {
    const { directory, name } = parentOf(path);
    const file: RegularFile = { kind: 'file', data: new Uint8Array(), size: 0, mtime: refreshNow(), mode };
    put(directory, name, file);
    return file;
  }

  const connect: ConnectFunctions<RamOcb> = {
    open(_context, path, flags, mode) {
      const found = find(path);
      if (found !== undefined && (flags & O_EXCL) !== 0) throw new SystemError(ERRNO.EEXIST, path);
      if (found === undefined && (flags & O_CREAT) === 0) throw new SystemError(ERRNO.ENOENT, path);
      const inode = found ?? create(path, mode);
      if (inode.kind === 'directory' && (flags & O_WRONLY) !== 0) throw new SystemError(ERRNO.EISDIR, path);
      if (inode.kind !== 'directory' && (flags & O_DIRECTORY) !== 0)
        throw new SystemError(ERRNO.ENOTDIR, path);
      if (inode.kind === 'file' && (flags & O_TRUNC) !== 0) resize(inode, 0);
      return { inode, flags, offset: 0 };
    },
    unlink(_context, path) {
      const { directory, name } = parentOf(path);
      const inode = directory.entries.get(name);
      if (inode === undefined) throw new SystemError(ERRNO.ENOENT, path);
      if (inode.kind === 'directory' && inode.entries.size > 0) throw new SystemError(ERRNO.ENOTEMPTY, path);
      drop(directory, name);
    },
    mkdir(_context, path, mode) {
      const { directory, name } = parentOf(path);
      if (directory.entries.has(name)) throw new SystemError(ERRNO.EEXIST, path);
      put(directory, name, newDirectory(mode));
    },
    rename(_context, path, to) {
      const from = parentOf(path);
      const target = parentOf(to);
      const inode = from.directory.entries.get(from.name);
      if (inode === undefined) throw new SystemError(ERRNO.ENOENT, path);
      const replaced = target.directory.entries.get(target.name);
      if (replaced === inode) return;
      if (replaced?.kind === 'directory') throw new SystemError(ERRNO.EISDIR, to);
      if (`${to}/`.startsWith(`${path}/`)) throw new SystemError(ERRNO.EINVAL, to);
      if (replaced !== undefined) drop(target.directory, target.name);
      from.directory.entries.delete(from.name);
      put(target.directory, target.name, inode);
    },
  };

  const io: IoFunctions<RamOcb> = {
    read(_context, ocb, bytes) {
      const { inode } = ocb;
      if (inode.kind === 'directory') throw new SystemError(ERRNO.EISDIR, 'read');
      const chunk = inode.data.slice(ocb.offset, Math.min(ocb.offset + bytes, inode.size));
      ocb.offset += chunk.length;
      return chunk;
    },
    write(_context, ocb, data) {
      const { inode } = ocb;
      if (inode.kind === 'directory' || (ocb.flags & O_WRONLY) === 0)
        throw new SystemError(ERRNO.EBADF, 'write');
      if ((ocb.flags & O_APPEND) !== 0) ocb.offset = inode.size;
      const end = ocb.offset + data.length;
      if (end > inode.size) resize(inode, end);
      inode.data.set(data, ocb.offset);
      inode.mtime = refreshNow();
      ocb.offset = end;
      return data.length;
    },
    lseek(_context, ocb, offset, from) {
      const size = ocb.inode.kind === 'file' ? ocb.inode.size : 0;
      const base = { start: 0, current: ocb.offset, end: size }[from];
      if (base + offset < 0) throw new SystemError(ERRNO.EINVAL, 'lseek');
      return (ocb.offset = base + offset);
    },
    readdir(_context, { inode }): DirectoryEntry[] {
      if (inode.kind !== 'directory') throw new SystemError(ERRNO.ENOTDIR, 'readdir');
      return [...inode.entries].map(([name, { kind }]) => ({ name, kind }));
    },
    stat(_context, { inode }): Stat {
      const { kind, mtime, mode } = inode;
      return { kind, size: inode.kind === 'file' ? inode.size : inode.entries.size, mtime, mode };
    },
  };

  function makeDirectory(path: string): void {
    let directory = root;
    for (const part of partsOf(path)) {
      const next = directory.entries.get(part) ?? newDirectory();
      if (next.kind !== 'directory') throw new SystemError(ERRNO.ENOTDIR, path);
      directory.entries.set(part, next);
      directory = next;
    }
  }
  return {
    connect,
    io,
    used: () => used,
    makeDirectory,
    install(path, text) {
      makeDirectory(path.slice(0, path.lastIndexOf('/')));
      const file = create(path, 0o644) as RegularFile;
      const bytes = new TextEncoder().encode(text);
      resize(file, bytes.length);
      file.data.set(bytes);
    },
  };
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}
