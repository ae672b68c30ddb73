/**
 * procnto, process 1 of every node: serves the in-memory file system at /, the processes at /proc, and the devices null and zero.
 * slogger, process 2: serves /dev/slog, where a line written becomes an entry of the system log.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import type { DirectoryEntry, Stat } from './io-message.ts';
import { spawn } from './process.ts';
import type { LabNode, Process } from './process.ts';
import type { RamFs } from './ram-fs.ts';
import { resourceManager } from './resource-manager.ts';
import type { IoFunctions } from './resource-manager.ts';
import { SLOG } from '../runtime/messages/severity.ts';

/** Bytes that one read of /dev/zero gives at most. */
const ZERO_CHUNK = 65_536;
const DEVICE: Stat = { kind: 'device', size: 0, mtime: 0, mode: 0o666 };

/** Starts the node's own managers. */
export function startManagers(node: LabNode, files: RamFs): void {
  spawn(node, (self) => procnto(self, files), { argv: ['procnto'] });
  spawn(node, slogger, { argv: ['slogger'] });
}

async function procnto(self: Process, files: RamFs): Promise<number> {
  const manager = resourceManager(self);
  manager.attach('/', files.connect, files.io);
  manager.attach('/proc', { open: (_context, path) => openProc(self.node, path) }, procIo);
  manager.attach('/dev/null', { open: () => ({}) }, nullIo);
  manager.attach('/dev/zero', { open: () => ({}) }, zeroIo);
  await manager.serve();
  return 0;
}

const nullIo: IoFunctions<object> = {
  read: () => new Uint8Array(),
  write: (_context, _ocb, data) => data.length,
  stat: () => DEVICE,
};
const zeroIo: IoFunctions<object> = {
  ...nullIo,
  read: (_context, _ocb, bytes) => new Uint8Array(Math.min(bytes, ZERO_CHUNK)),
};

async function slogger(self: Process): Promise<number> {
  const manager = resourceManager(self);
  const io: IoFunctions<object> = {
    ...nullIo,
    write(context, _ocb, data) {
      const { log, processes } = self.node;
      const source =
        processes.get(context.client.pid)?.name ?? `${context.client.node}/${context.client.pid}`;
      for (const line of new TextDecoder().decode(data).split('\n')) {
        if (line !== '') log.write(SLOG.info, source, line);
      }
      return data.length;
    },
  };
  manager.attach('/dev/slog', { open: () => ({}) }, io);
  await manager.serve();
  return 0;
}

/** What is open below /proc: the list of processes, one process, or one of its files. */
interface ProcOcb {
  readonly entries?: readonly DirectoryEntry[];
  readonly content: Uint8Array;
  offset: number;
}

const PROC_FILES: Readonly<Record<string, (process: Process) => string>> = {
  cmdline: ({ argv }) => argv.map((word) => `${word}\0`).join(''),
  exefile: ({ name }) => `/proc/boot/${name}\n`,
  status: ({ name, pid, ppid, priority, blocks }) =>
    `name ${name}\npid ${pid}\nppid ${ppid}\npriority ${priority}\nstate ${blocks.at(-1)?.state ?? 'READY'}\n`,
};

function openProc(node: LabNode, path: string): ProcOcb {
  const [pid, file, ...more] = path === '' ? [] : path.split('/');
  if (pid === undefined) {
    const entries = node.processes
      .all()
      .map((p): DirectoryEntry => ({ name: String(p.pid), kind: 'directory' }));
    return { entries, content: new Uint8Array(), offset: 0 };
  }
  const process = /^\d+$/.test(pid) ? node.processes.get(Number(pid)) : undefined;
  if (process === undefined || more.length > 0) throw new SystemError(ERRNO.ENOENT, path);
  if (file === undefined) {
    const entries = Object.keys(PROC_FILES).map((name): DirectoryEntry => ({ name, kind: 'file' }));
    return { entries, content: new Uint8Array(), offset: 0 };
  }
  const content = PROC_FILES[file]?.(process);
  if (content === undefined) throw new SystemError(ERRNO.ENOENT, path);
  return { content: new TextEncoder().encode(content), offset: 0 };
}

const procIo: IoFunctions<ProcOcb> = {
  read(_context, ocb, bytes) {
    if (ocb.entries !== undefined) throw new SystemError(ERRNO.EISDIR, 'read');
    const chunk = ocb.content.slice(ocb.offset, ocb.offset + bytes);
    ocb.offset += chunk.length;
    return chunk;
  },
  readdir(_context, ocb) {
    if (ocb.entries === undefined) throw new SystemError(ERRNO.ENOTDIR, 'readdir');
    return [...ocb.entries];
  },
  stat: (_context, ocb) => ({
    kind: ocb.entries === undefined ? 'file' : 'directory',
    size: ocb.content.length,
    mtime: 0,
    mode: ocb.entries === undefined ? 0o444 : 0o555,
  }),
};
