/**
 * Commands on processes and the node itself: slay, on, env, hostname, sleep, waitfor, true, false.
 */
import { exists } from '../kernel/files.ts';
import { SIGNALS, UsageError } from '../kernel/process.ts';
import type { Process, SignalName } from '../kernel/process.ts';
import type { ProgramEntry } from '../kernel/program-table.ts';
import { programNames } from '../kernel/program-table.ts';
import { nanosleep, runChild } from '../kernel/wait.ts';
import { MILLISECOND, SECOND, refreshNow } from '../runtime/clock.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { CommandError, command, numberIn, numberOption } from './command.ts';

function signalNamed(text: string): SignalName {
  const names = Object.keys(SIGNALS) as SignalName[];
  const name = names.find(
    (known) =>
      known === text.toUpperCase() || known === `SIG${text.toUpperCase()}` || String(SIGNALS[known]) === text,
  );
  if (name === undefined) throw new UsageError(`${text}: unknown signal; one of ${names.join(', ')}`);
  return name;
}

export const slay = command({
  name: 'slay',
  usage: '[-f] [-s signal] name | pid ...',
  summary: 'end processes by name or pid',
  options: 'fQs:',
  async run(self, args) {
    if (args.operands.length === 0) throw new UsageError('a name or pid is expected');
    const signal = signalNamed(args.value('s') ?? 'SIGTERM');
    let status = 0;
    for (const wanted of args.operands) {
      const targets = self.node.processes
        .all()
        .filter(({ pid, name }) => name === wanted || String(pid) === wanted);
      if (targets.some(({ pid }) => pid === 1)) throw new SystemError(ERRNO.EPERM, wanted);
      for (const target of targets) target.kill(signal);
      if (targets.length > 0) continue;
      await self.stderr.write(`slay: Unable to find process '${wanted}'\n`);
      status = 1;
    }
    return status;
  },
  complete: (_words, _index, self) => self.node.processes.all().map(({ name }) => name),
});

const NOT_FOUND = 127;

/** Runs a command as a child; 127 when there is none of that name. */
async function runOther(
  self: Process,
  argv: readonly string[],
  options: Parameters<typeof runChild>[2],
): Promise<number> {
  const status = await runChild(self, argv, options);
  if (status !== undefined) return status;
  await self.stderr.write(`${self.name}: ${argv[0] ?? ''}: not found\n`);
  return NOT_FOUND;
}

const MAX_PRIORITY = 63;

export const on = command({
  name: 'on',
  usage: '[-p priority] command [argument]...',
  summary: 'run a command at another priority',
  options: 'p:',
  run(self, args) {
    if (args.operands.length === 0) throw new UsageError('a command is expected');
    const priority = numberOption(args, 'p', { min: 1, max: MAX_PRIORITY, fallback: self.basePriority });
    return runOther(self, args.operands, { priority });
  },
  complete: programNames,
});

/** env takes assignments where others take options. */
export const env: ProgramEntry = {
  name: 'env',
  usage: '[NAME=value]... [command [argument]...]',
  summary: 'print the environment, or run a command in a changed one',
  async run(self) {
    const words = self.argv.slice(1);
    const first = words.findIndex((word) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word));
    const assignments = first < 0 ? words : words.slice(0, first);
    const changed = new Map(self.env);
    for (const word of assignments)
      changed.set(word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1));
    if (first >= 0) return runOther(self, words.slice(first), { env: changed });
    await self.stdout.write([...changed].map(([name, value]) => `${name}=${value}\n`).join(''));
    return 0;
  },
};

export const hostname = command({
  name: 'hostname',
  usage: '[name]',
  summary: 'print or set the name of the node',
  options: '',
  async run(self, { operands }) {
    const [name, ...more] = operands;
    if (more.length > 0) throw new UsageError('one name is expected');
    const { env: nodeEnv } = self.node;
    if (name !== undefined) nodeEnv.set('HOSTNAME', name);
    else await self.stdout.write(`${nodeEnv.get('HOSTNAME') ?? self.node.name}\n`);
    return 0;
  },
});

const MAX_SECONDS = 1e9;

export const sleep = command({
  name: 'sleep',
  usage: 'seconds',
  summary: 'wait',
  options: '',
  async run(self, { operands }) {
    const [text, ...more] = operands;
    if (text === undefined || more.length > 0) throw new UsageError('a number of seconds is expected');
    await nanosleep(self, numberIn(text, 'the time', 0, MAX_SECONDS, false) * SECOND);
    return 0;
  },
});

/** How often waitfor looks, and how long it waits by default. */
const POLL_INTERVAL = 100 * MILLISECOND;
const DEFAULT_WAIT = 5;

export const waitfor = command({
  name: 'waitfor',
  usage: 'path [seconds]',
  summary: 'wait until a path exists',
  options: '',
  async run(self, { operands }) {
    const [path, seconds] = operands;
    if (path === undefined || operands.length > 2) throw new UsageError('a path is expected');
    const wait = seconds === undefined ? DEFAULT_WAIT : numberIn(seconds, 'the time', 0, MAX_SECONDS, false);
    const deadline = refreshNow() + wait * SECOND;
    while (!(await exists(self, path))) {
      if (refreshNow() >= deadline) throw new CommandError(`${path}: not there after ${wait} seconds`);
      await nanosleep(self, Math.min(POLL_INTERVAL, Math.max(deadline - refreshNow(), 1)));
    }
    return 0;
  },
});

/** A command that does nothing but end with a status. */
function constant(name: string, status: number): ProgramEntry {
  return { name, usage: '', summary: `end with status ${status}`, run: () => Promise.resolve(status) };
}
export const trueCommand = constant('true', 0);
export const falseCommand = constant('false', 1);
