/**
 * ls: lists files of the node, in columns on a terminal, one a line elsewhere (POSIX ls, options -1 -a -d -l).
 */
import { readdir, stat } from '../kernel/files.ts';
import type { DirectoryEntry, Stat } from '../kernel/io-message.ts';
import type { Process } from '../kernel/process.ts';
import { SystemError } from '../runtime/messages/errno.ts';
import { columns } from './columns.ts';
import { command } from './command.ts';
import type { Arguments } from './command.ts';
import { formatTime } from './wall-time.ts';

const KIND_LETTER = { file: '-', directory: 'd', device: 'c', name: 'n' } as const;

function modeText(kind: DirectoryEntry['kind'], mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, i) => ((mode & (0o400 >> i)) === 0 ? '-' : letter));
  return KIND_LETTER[kind] + bits.join('');
}

function longLine(name: string, { kind, mode, size, mtime }: Stat): string {
  return `${modeText(kind, mode)}  1 root      root      ${String(size).padStart(10)} ${formatTime(mtime, 'minutes')} ${name}\n`;
}

async function printNames(
  self: Process,
  names: readonly string[],
  directory: string,
  args: Arguments,
): Promise<void> {
  if (args.has('l')) {
    for (const name of names) {
      const path = name.startsWith('/') || directory === '' ? name : `${directory}/${name}`;
      await self.stdout.write(longLine(name, await stat(self, path)));
    }
    return;
  }
  const width = args.has('1') ? undefined : self.stdout.columns;
  const lines = width === undefined ? names.map((name) => `${name}\n`).join('') : columns(names, width);
  if (lines !== '') await self.stdout.write(lines);
}

async function listDirectory(self: Process, path: string, args: Arguments): Promise<void> {
  const own = (await readdir(self, path)).map(({ name }) => name);
  const names = args.has('a') ? ['.', '..', ...own] : own.filter((name) => !name.startsWith('.'));
  await printNames(self, names, path, args);
}

async function run(self: Process, args: Arguments): Promise<number> {
  const paths = args.operands.length === 0 ? ['.'] : args.operands;
  const files: string[] = [];
  const directories: string[] = [];
  let status = 0;
  for (const path of paths) {
    try {
      const { kind } = await stat(self, path);
      (kind === 'directory' && !args.has('d') ? directories : files).push(path);
    } catch (error) {
      if (!(error instanceof SystemError) || self.signal.aborted) throw error;
      await self.stderr.write(`ls: ${error.message}\n`);
      status = 1;
    }
  }
  await printNames(self, files, '', args);
  for (const [index, path] of directories.entries()) {
    if (paths.length > 1) await self.stdout.write(`${index + files.length > 0 ? '\n' : ''}${path}:\n`);
    await listDirectory(self, path, args);
  }
  return status;
}

export const ls = command({
  name: 'ls',
  usage: '[-1adl] [path]...',
  summary: 'list files',
  options: '1adl',
  run,
});
