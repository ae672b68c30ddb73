/**
 * Small commands on files of the node: mkdir, rm, mv, cp, touch (POSIX, with the options that a lab needs).
 */
import {
  close,
  exists,
  mkdir as makeDirectory,
  open,
  readFile,
  readdir,
  rename,
  stat,
  unlink,
  writeFile,
} from '../kernel/files.ts';
import { O_CREAT, O_WRONLY } from '../kernel/io-message.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { command } from './command.ts';

function needOperands(operands: readonly string[], least: number, what: string): void {
  if (operands.length < least) throw new UsageError(`${what} expected`);
}

export const mkdir = command({
  name: 'mkdir',
  usage: '[-p] directory...',
  summary: 'make directories',
  options: 'p',
  async run(self, args) {
    needOperands(args.operands, 1, 'a directory is');
    for (const path of args.operands) {
      if (args.has('p')) await makeParents(self, path);
      else await makeDirectory(self, path);
    }
    return 0;
  },
});

async function makeParents(self: Process, path: string): Promise<void> {
  let made = path.startsWith('/') ? '/' : '';
  for (const part of path.split('/').filter((name) => name !== '')) {
    made += `${made === '' || made === '/' ? '' : '/'}${part}`;
    if (!(await exists(self, made))) await makeDirectory(self, made);
  }
}

export const rm = command({
  name: 'rm',
  usage: '[-fr] file...',
  summary: 'remove files, with -r directories',
  options: 'fr',
  async run(self, args) {
    if (!args.has('f')) needOperands(args.operands, 1, 'a file is');
    for (const path of args.operands) {
      if (args.has('f') && !(await exists(self, path))) continue;
      const { kind } = await stat(self, path);
      if (kind === 'directory' && !args.has('r')) throw new UsageError(`${path} is a directory; use -r`);
      await removeTree(self, path, kind === 'directory');
    }
    return 0;
  },
});

async function removeTree(self: Process, path: string, isDirectory: boolean): Promise<void> {
  if (isDirectory) {
    for (const { name, kind } of await readdir(self, path)) {
      await removeTree(self, `${path}/${name}`, kind === 'directory');
    }
  }
  await unlink(self, path);
}

/** Where `source` ends up when it is moved or copied to `target`: below it when that is a directory. */
async function destination(self: Process, source: string, target: string): Promise<string> {
  if (!(await exists(self, target)) || (await stat(self, target)).kind !== 'directory') return target;
  return `${target}/${source.split('/').findLast((part) => part !== '') ?? ''}`;
}

export const mv = command({
  name: 'mv',
  usage: 'file... target',
  summary: 'move or rename files',
  options: 'f',
  async run(self, { operands }) {
    needOperands(operands, 2, 'a file and a target are');
    const target = operands.at(-1)!;
    for (const source of operands.slice(0, -1))
      await rename(self, source, await destination(self, source, target));
    return 0;
  },
});

export const cp = command({
  name: 'cp',
  usage: 'file... target',
  summary: 'copy files',
  options: 'f',
  async run(self, { operands }) {
    needOperands(operands, 2, 'a file and a target are');
    const target = operands.at(-1)!;
    for (const source of operands.slice(0, -1)) {
      await writeFile(self, await destination(self, source, target), await readFile(self, source));
    }
    return 0;
  },
});

export const touch = command({
  name: 'touch',
  usage: 'file...',
  summary: 'make empty files',
  options: '',
  async run(self, { operands }) {
    needOperands(operands, 1, 'a file is');
    for (const path of operands) await close(self, await open(self, path, O_WRONLY | O_CREAT));
    return 0;
  },
});
