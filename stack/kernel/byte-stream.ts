/**
 * Byte streams between programs: what file descriptors 0, 1 and 2 are connected to, and the pipe between two commands of a pipeline.
 * A pipe holds a bounded number of bytes: a writer that runs ahead waits (POSIX pipe(2), PIPE_BUF aside).
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';

export interface ByteSource {
  readonly isTerminal: boolean;
  /** The next bytes, at least one; undefined at the end. Rejects with EINTR when `signal` aborts. */
  read(signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** The reader goes away: writers get EPIPE from now on. */
  close(): void;
}

export interface ByteSink {
  readonly isTerminal: boolean;
  /** Size of the terminal in characters; absent when it is none. */
  readonly columns?: number;
  readonly rows?: number;
  /** Resolves when there is room for more. Rejects with EPIPE when nobody will read, with EINTR when `signal` aborts. */
  write(data: Uint8Array | string, signal?: AbortSignal): Promise<void>;
  /** No more will be written: the reader sees the end. */
  end(): void;
}

const encoder = new TextEncoder();

export function toBytes(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? encoder.encode(data) : data;
}

/**
 * A promise that rejects with EINTR once `signal` aborts, raced against `work`; the listener goes when either is done.
 * @param what names the call in the error's message.
 */
export function interruptible<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  what: string,
): Promise<T> {
  if (signal === undefined) return work;
  if (signal.aborted) return Promise.reject(new SystemError(ERRNO.EINTR, what));
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(new SystemError(ERRNO.EINTR, what));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** A source that is at its end. */
export const emptySource: ByteSource = {
  isTerminal: false,
  read: () => Promise.resolve(undefined),
  close: () => undefined,
};

/** A sink that takes everything and keeps nothing. */
export const nullSink: ByteSink = {
  isTerminal: false,
  write: () => Promise.resolve(),
  end: () => undefined,
};

/** A source that yields `data` once. */
export function sourceOf(data: Uint8Array | string): ByteSource {
  let rest: Uint8Array | undefined = toBytes(data);
  return {
    isTerminal: false,
    read() {
      const bytes = rest;
      rest = undefined;
      return Promise.resolve(bytes !== undefined && bytes.length > 0 ? bytes : undefined);
    },
    close() {
      rest = undefined;
    },
  };
}

/** A sink that hands what is written to a function. */
export function sinkTo(take: (bytes: Uint8Array) => void): ByteSink {
  return {
    isTerminal: false,
    write(data) {
      take(toBytes(data));
      return Promise.resolve();
    },
    end: () => undefined,
  };
}

/** A sink that keeps what is written; `text()` is all of it so far as UTF-8. */
export function collector(): ByteSink & { text(): string } {
  const decoder = new TextDecoder();
  let text = '';
  const sink = sinkTo((bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  return { ...sink, text: () => text };
}

/** Reads a source to its end. */
export async function readAll(source: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await source.read(signal);
    if (chunk === undefined) break;
    chunks.push(chunk);
  }
  return concat(chunks);
}

/** Joins byte arrays. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The lines of a source, without their line ends. */
export async function* linesOf(source: ByteSource, signal?: AbortSignal): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const chunk = await source.read(signal);
    rest += chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (chunk === undefined) break;
  }
  if (rest !== '') yield rest;
}

const PIPE_BYTES = 65_536;

/** A pipe: what is written to `sink` is read from `source`, at most 64 KiB ahead. */
export function pipe(): { source: ByteSource; sink: ByteSink } {
  const chunks: Uint8Array[] = [];
  let held = 0;
  let ended = false;
  let closed = false;
  let wake: (() => void)[] = [];

  function changed(): void {
    const waiting = wake;
    wake = [];
    for (const resume of waiting) resume();
  }
  const change = (signal: AbortSignal | undefined, what: string): Promise<void> =>
    interruptible(new Promise<void>((resume) => wake.push(resume)), signal, what);

  async function read(signal?: AbortSignal): Promise<Uint8Array | undefined> {
    while (chunks.length === 0) {
      if (ended || closed) return undefined;
      await change(signal, 'read');
    }
    const chunk = chunks.shift()!;
    held -= chunk.length;
    changed();
    return chunk;
  }
  async function write(data: Uint8Array | string, signal?: AbortSignal): Promise<void> {
    const bytes = toBytes(data);
    if (bytes.length === 0) return;
    while (held >= PIPE_BYTES && !closed) await change(signal, 'write');
    if (closed || ended) throw new SystemError(ERRNO.EPIPE, 'write');
    chunks.push(bytes);
    held += bytes.length;
    changed();
  }
  return {
    source: {
      isTerminal: false,
      read,
      close() {
        closed = true;
        chunks.length = 0;
        changed();
      },
    },
    sink: {
      isTerminal: false,
      write,
      end() {
        ended = true;
        changed();
      },
    },
  };
}
