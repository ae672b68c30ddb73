/**
 * sysctl: reads and sets the variables of the stack, after sysctl(8) of NetBSD and QNX.
 */
import * as files from '../kernel/files.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import type { SysctlInfo } from '../runtime/messages/control.ts';
import { stackControl } from '../socket/libsocket.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

/** How values are printed. */
type Style = 'full' | 'value' | 'shell' | 'description';

const LEVELS = ['top', 'second', 'third', 'fourth', 'fifth', 'sixth'];

/** One line about a variable. */
export function sysctlLine(variable: SysctlInfo, style: Style): string {
  const { name, value, description } = variable;
  if (style === 'value') return `${value}\n`;
  if (style === 'shell') return `${name}=${value}\n`;
  return style === 'description' ? `${name}: ${description}\n` : `${name} = ${value}\n`;
}

/** BSD's text for a name that is not there: it says at which level it goes wrong. */
export function invalidName(name: string, known: readonly string[]): string {
  const parts = name.split('.');
  let depth = 0;
  while (depth < parts.length - 1) {
    const prefix = parts.slice(0, depth + 1).join('.');
    if (!known.some((other) => other === prefix || other.startsWith(`${prefix}.`))) break;
    depth++;
  }
  return `${LEVELS[depth] ?? 'last'} level name '${parts[depth]!}' in '${name}' is invalid`;
}

/** Variables of a name or of all names below it. */
function matching(all: readonly SysctlInfo[], name: string): SysctlInfo[] {
  const found = all.filter((variable) => variable.name === name || variable.name.startsWith(`${name}.`));
  if (found.length === 0)
    throw new CommandError(
      invalidName(
        name,
        all.map((variable) => variable.name),
      ),
    );
  return found;
}

async function show(self: Process, name: string | undefined, style: Style): Promise<void> {
  const all = await stackControl(self, 'SYSCTL_LIST', {});
  const chosen = name === undefined ? all : matching(all, name);
  await self.stdout.write(chosen.map((variable) => sysctlLine(variable, style)).join(''));
}

async function assign(self: Process, text: string, args: Arguments): Promise<void> {
  const at = text.indexOf('=');
  if (at <= 0) throw new UsageError(`'${text}' is not name=value`);
  const [name, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  matching(await stackControl(self, 'SYSCTL_LIST', {}), name);
  const { old, value: set } = await stackControl(self, 'SYSCTL_SET', { name, value });
  if (args.has('q')) return;
  await self.stdout.write(args.has('n') ? `${set}\n` : `${name}: ${old} -> ${set}\n`);
}

/** Assignments of a file: comments and blank lines are skipped, a backslash at the end continues a line. */
export function assignments(text: string): string[] {
  return text
    .replace(/\\\n/g, '')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

function styleOf(args: Arguments): Style {
  if (args.has('d')) return 'description';
  if (args.has('e')) return 'shell';
  return args.has('n') ? 'value' : 'full';
}

/** Does something with every name; one that fails is reported and the rest is done. */
async function forEach(
  self: Process,
  words: readonly string[],
  work: (word: string) => Promise<void>,
): Promise<number> {
  let status = 0;
  for (const word of words) {
    try {
      await work(word);
    } catch (error) {
      if (self.signal.aborted || error instanceof UsageError || !(error instanceof Error)) throw error;
      await self.stderr.write(`sysctl: ${error.message}\n`);
      status = 1;
    }
  }
  return status;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const style = styleOf(args);
  const file = args.value('f');
  if (file !== undefined) {
    const lines = assignments(await files.readTextFile(self, file));
    return forEach(self, lines, (line) => assign(self, line, args));
  }
  if (args.has('a') || args.has('A')) {
    await show(self, undefined, style);
    return 0;
  }
  if (args.operands.length === 0) throw new UsageError('a name is missing; -a shows all');
  if (args.has('w')) return forEach(self, args.operands, (word) => assign(self, word, args));
  if (args.operands.some((word) => word.includes('=')))
    throw new CommandError('Must specify -w to set variables');
  return forEach(self, args.operands, (word) => show(self, word, style));
}

export const sysctl = command({
  name: 'sysctl',
  usage: '[-den] name ...\n[-nq] -w name=value ...\n[-den] -a\n[-nq] -f file',
  summary: 'read and set variables of the stack',
  options: 'aAdef:nqw',
  usageStatus: 1,
  run,
  complete: async (_words, _index, self) => [
    '-a',
    '-w',
    ...(await stackControl(self, 'SYSCTL_LIST', {})).map(({ name }) => name),
  ],
});
