/**
 * Standard streams of a command and their redirection to files (XCU 2.7). Files are opened by the process that the command runs in, so that they
 * live and end with it.
 */
import { toBytes } from '../../kernel/byte-stream.ts';
import type { ByteSink, ByteSource } from '../../kernel/byte-stream.ts';
import { close, open, read, write } from '../../kernel/files.ts';
import { O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from '../../kernel/io-message.ts';
import type { Process } from '../../kernel/process.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import type { Redirection } from './parser.ts';

export interface Streams {
  readonly stdin: ByteSource;
  readonly stdout: ByteSink;
  readonly stderr: ByteSink;
}

/** A redirection with its target expanded. */
export interface FileRedirection extends Omit<Redirection, 'target'> {
  readonly target: string;
}

export interface RedirectedStreams extends Streams {
  /** Opens the files as `self`. Throws SystemError naming the file. */
  open(self: Process): Promise<void>;
  close(): Promise<void>;
}

const FLAGS = {
  read: O_RDONLY,
  truncate: O_WRONLY | O_CREAT | O_TRUNC,
  append: O_WRONLY | O_CREAT | O_APPEND,
};

/** A file that is yet to be opened. */
interface LateFile {
  open(self: Process): Promise<void>;
  close(): Promise<void>;
  readonly source: ByteSource;
  readonly sink: ByteSink;
}

function lateFile(path: string, flags: number): LateFile {
  let opened: { self: Process; fd: number } | undefined;
  const use = (): { self: Process; fd: number } => {
    if (opened === undefined) throw new SystemError(ERRNO.EBADF, path);
    return opened;
  };
  return {
    async open(self) {
      opened = { self, fd: await open(self, path, flags) };
    },
    async close() {
      if (opened !== undefined) await close(opened.self, opened.fd);
      opened = undefined;
    },
    source: {
      isTerminal: false,
      async read() {
        const { self, fd } = use();
        const chunk = await read(self, fd);
        return chunk.length > 0 ? chunk : undefined;
      },
      close: () => undefined,
    },
    sink: {
      isTerminal: false,
      async write(data) {
        const { self, fd } = use();
        await write(self, fd, toBytes(data));
      },
      end: () => undefined,
    },
  };
}

/** Applies redirections, in order, to `base`. Throws SystemError for `>&` to something other than 1 and 2. */
export function redirect(base: Streams, redirections: readonly FileRedirection[]): RedirectedStreams {
  let { stdin, stdout, stderr } = base;
  const files: LateFile[] = [];
  const setSink = (fd: number, sink: ByteSink): void => {
    if (fd === 1) stdout = sink;
    else stderr = sink;
  };
  for (const { fd, kind, target } of redirections) {
    if (kind === 'duplicate') {
      if (fd === 0 || (target !== '1' && target !== '2'))
        throw new SystemError(ERRNO.EBADF, `${fd}>&${target}`);
      setSink(fd, target === '1' ? stdout : stderr);
      continue;
    }
    if ((kind === 'read') !== (fd === 0))
      throw new SystemError(ERRNO.EBADF, `${fd}${kind === 'read' ? '<' : '>'}${target}`);
    const file = lateFile(target, FLAGS[kind]);
    files.push(file);
    if (kind === 'read') stdin = file.source;
    else setSink(fd, file.sink);
  }
  return {
    stdin,
    stdout,
    stderr,
    async open(self) {
      for (const file of files) await file.open(self);
    },
    async close() {
      for (const file of files) await file.close();
    },
  };
}
