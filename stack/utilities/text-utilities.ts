/**
 * Small commands on text: echo, cat, head, tail, wc, grep, tee (POSIX, with the options that a lab needs).
 */
import { linesOf, sourceOf } from '../kernel/byte-stream.ts';
import type { ByteSource } from '../kernel/byte-stream.ts';
import { close, open, read, readFile, write, writeFile } from '../kernel/files.ts';
import { O_APPEND, O_CREAT, O_WRONLY } from '../kernel/io-message.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { SystemError } from '../runtime/messages/errno.ts';
import { command, numberOption } from './command.ts';
import type { Arguments } from './command.ts';

const DEFAULT_LINES = 10;

/** Calls back for each operand's content, or for standard input when there is none; files that fail are told and give status 1. */
async function eachInput(
  self: Process,
  operands: readonly string[],
  use: (source: ByteSource, name: string) => Promise<void>,
): Promise<number> {
  if (operands.length === 0) {
    await use(self.stdin, '');
    return 0;
  }
  let status = 0;
  for (const path of operands) {
    try {
      await use(path === '-' ? self.stdin : sourceOf(await readFile(self, path)), path);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code === 'EPIPE' || self.signal.aborted) throw error;
      await self.stderr.write(`${self.name}: ${error.message}\n`);
      status = 1;
    }
  }
  return status;
}

/** echo takes no options but -n, and prints everything else. */
export const echo = {
  name: 'echo',
  usage: '[-n] [word]...',
  summary: 'print words',
  async run(self: Process): Promise<number> {
    const words = self.argv.slice(1);
    const isBare = words[0] === '-n';
    await self.stdout.write(words.slice(isBare ? 1 : 0).join(' ') + (isBare ? '' : '\n'));
    return 0;
  },
};

async function copyOut(self: Process, source: ByteSource): Promise<void> {
  for (
    let chunk = await source.read(self.signal);
    chunk !== undefined;
    chunk = await source.read(self.signal)
  ) {
    await self.stdout.write(chunk);
  }
}

/** A file is copied as it is read, so that an endless one such as /dev/zero can be cut off. */
async function catFile(self: Process, path: string): Promise<void> {
  const fd = await open(self, path);
  for (let chunk = await read(self, fd); chunk.length > 0; chunk = await read(self, fd))
    await self.stdout.write(chunk);
  await close(self, fd);
}

export const cat = command({
  name: 'cat',
  usage: '[file]...',
  summary: 'print files',
  options: 'u',
  async run(self, { operands }) {
    if (operands.length === 0) await copyOut(self, self.stdin);
    let status = 0;
    for (const path of operands) {
      try {
        await (path === '-' ? copyOut(self, self.stdin) : catFile(self, path));
      } catch (error) {
        if (!(error instanceof SystemError) || error.code === 'EPIPE' || self.signal.aborted) throw error;
        await self.stderr.write(`cat: ${error.message}\n`);
        status = 1;
      }
    }
    return status;
  },
});

export const head = command({
  name: 'head',
  usage: '[-n lines] [file]...',
  summary: 'print the first lines',
  options: 'n:',
  run(self, args) {
    const count = numberOption(args, 'n', { min: 0, max: 1e9, fallback: DEFAULT_LINES });
    return eachInput(self, args.operands, async (source) => {
      let left = count;
      if (left === 0) return;
      for await (const line of linesOf(source, self.signal)) {
        await self.stdout.write(`${line}\n`);
        if (--left === 0) break;
      }
    });
  },
});

export const tail = command({
  name: 'tail',
  usage: '[-n lines] [file]...',
  summary: 'print the last lines',
  options: 'n:',
  run(self, args) {
    const count = numberOption(args, 'n', { min: 0, max: 1e6, fallback: DEFAULT_LINES });
    return eachInput(self, args.operands, async (source) => {
      const kept: string[] = [];
      for await (const line of linesOf(source, self.signal)) {
        kept.push(line);
        if (kept.length > count) kept.shift();
      }
      for (const line of kept) await self.stdout.write(`${line}\n`);
    });
  },
});

export const wc = command({
  name: 'wc',
  usage: '[-clw] [file]...',
  summary: 'count lines, words and bytes',
  options: 'clw',
  run(self, args) {
    const all = !args.has('c') && !args.has('l') && !args.has('w');
    return eachInput(self, args.operands, async (source, name) => {
      let lines = 0;
      let words = 0;
      let bytes = 0;
      let inWord = false;
      for (
        let chunk = await source.read(self.signal);
        chunk !== undefined;
        chunk = await source.read(self.signal)
      ) {
        bytes += chunk.length;
        for (const byte of chunk) {
          const isSpace = byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
          if (byte === 0x0a) lines++;
          if (!isSpace && !inWord) words++;
          inWord = !isSpace;
        }
      }
      const counts = [
        all || args.has('l') ? lines : -1,
        all || args.has('w') ? words : -1,
        all || args.has('c') ? bytes : -1,
      ];
      const text = counts.filter((count) => count >= 0).map((count) => String(count).padStart(8));
      await self.stdout.write(`${text.join('')}${name === '' ? '' : ` ${name}`}\n`);
    });
  },
});

function grepPattern(args: Arguments): { pattern: RegExp; files: readonly string[] } {
  const [text, ...files] = args.operands;
  if (text === undefined) throw new UsageError('a pattern is expected');
  const source = args.has('F') ? text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : text;
  try {
    return { pattern: new RegExp(source, args.has('i') ? 'iu' : 'u'), files };
  } catch {
    throw new UsageError(`${text}: is not a regular expression`);
  }
}

export const grep = command({
  name: 'grep',
  usage: '[-Fcinqv] pattern [file]...',
  summary: 'print lines that match a regular expression',
  options: 'FEcinqv',
  async run(self, args) {
    const { pattern, files } = grepPattern(args);
    let found = 0;
    const status = await eachInput(self, files, async (source, name) => {
      const prefix = files.length > 1 ? `${name}:` : '';
      let number = 0;
      let matches = 0;
      for await (const line of linesOf(source, self.signal)) {
        number++;
        if (pattern.test(line) === args.has('v')) continue;
        matches++;
        if (args.has('q') || args.has('c')) continue;
        await self.stdout.write(`${prefix}${args.has('n') ? `${number}:` : ''}${line}\n`);
      }
      if (args.has('c')) await self.stdout.write(`${prefix}${matches}\n`);
      found += matches;
    });
    if (status !== 0) return 2;
    return found > 0 ? 0 : 1;
  },
});

export const tee = command({
  name: 'tee',
  usage: '[-a] [file]...',
  summary: 'copy standard input to standard output and to files',
  options: 'a',
  async run(self, args) {
    for (const path of args.operands) if (!args.has('a')) await writeFile(self, path, '');
    const fds: number[] = [];
    for (const path of args.operands) fds.push(await open(self, path, O_WRONLY | O_CREAT | O_APPEND));
    for (;;) {
      const chunk = await self.stdin.read(self.signal);
      if (chunk === undefined) return 0;
      for (const fd of fds) await write(self, fd, chunk);
      await self.stdout.write(chunk);
    }
  },
});
