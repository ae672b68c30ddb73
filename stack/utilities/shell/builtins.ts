/**
 * The shell's built-in commands (XCU 2.14 and the utilities that must run in the shell's own process).
 */
import { interruptible } from '../../kernel/byte-stream.ts';
import { stat } from '../../kernel/files.ts';
import { normalizePath } from '../../kernel/path-space.ts';
import { SIGNALS } from '../../kernel/process.ts';
import type { Process, SignalName } from '../../kernel/process.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { jobLine } from './jobs.ts';
import type { Shell } from './state.ts';
import type { Streams } from './streams.ts';

export interface Builtin {
  readonly usage: string;
  readonly summary: string;
  readonly run: (shell: Shell, argv: readonly string[], io: Streams) => Promise<number>;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A built-in was used wrongly: its text on standard error, status 2. */
async function misuse(io: Streams, argv: readonly string[], text: string): Promise<number> {
  await io.stderr.write(`${argv[0]}: ${text}\n`);
  return 2;
}

async function cd(shell: Shell, argv: readonly string[], io: Streams): Promise<number> {
  if (argv.length > 2) return misuse(io, argv, 'too many arguments');
  const { self } = shell;
  const wanted = argv[1] ?? shell.lookup('HOME') ?? '/';
  const path = wanted === '-' ? (shell.lookup('OLDPWD') ?? self.cwd) : wanted;
  if ((await stat(self, path)).kind !== 'directory') throw new SystemError(ERRNO.ENOTDIR, path);
  shell.set('OLDPWD', self.cwd);
  self.cwd = normalizePath(self.cwd, path);
  if (wanted === '-') await io.stdout.write(`${self.cwd}\n`);
  return 0;
}

async function pwd(shell: Shell, _argv: readonly string[], io: Streams): Promise<number> {
  await io.stdout.write(`${shell.self.cwd}\n`);
  return 0;
}

async function exportNames(shell: Shell, argv: readonly string[], io: Streams): Promise<number> {
  const { env } = shell.self;
  if (argv.length === 1) {
    for (const [name, value] of [...env].sort()) await io.stdout.write(`export ${name}='${value}'\n`);
  }
  for (const word of argv.slice(1)) {
    const [name = '', ...value] = word.split('=');
    if (!NAME.test(name)) return misuse(io, argv, `${word}: is not a name`);
    env.set(name, word.includes('=') ? value.join('=') : (shell.lookup(name) ?? ''));
    shell.variables.delete(name);
  }
  return 0;
}

function unset(shell: Shell, argv: readonly string[]): Promise<number> {
  for (const name of argv.slice(1)) {
    shell.self.env.delete(name);
    shell.variables.delete(name);
  }
  return Promise.resolve(0);
}

async function set(shell: Shell, _argv: readonly string[], io: Streams): Promise<number> {
  for (const [name, value] of [...shell.self.env, ...shell.variables].sort())
    await io.stdout.write(`${name}='${value}'\n`);
  return 0;
}

async function exit(shell: Shell, argv: readonly string[], io: Streams): Promise<number> {
  const status = argv[1] === undefined ? shell.status : Number(argv[1]);
  if (!Number.isInteger(status)) return misuse(io, argv, `${argv[1]}: a number from 0 to 255 is expected`);
  shell.leaving = status & 0xff;
  return shell.leaving;
}

async function jobs(shell: Shell, _argv: readonly string[], io: Streams): Promise<number> {
  const all = shell.jobs.all();
  for (const job of all) await io.stdout.write(jobLine(job, job === all.at(-1)));
  shell.jobs.reap();
  return 0;
}

/** The process that a word names: a pid or a job. */
async function wait(shell: Shell, argv: readonly string[], io: Streams): Promise<number> {
  const signal = shell.foreground?.interrupt.signal;
  if (argv.length === 1) {
    for (const job of shell.jobs.all()) await interruptible(job.done, signal, 'wait');
    shell.jobs.reap();
    return 0;
  }
  let status = 0;
  for (const word of argv.slice(1)) {
    const job = shell.jobs.find(word);
    if (job === undefined) {
      await io.stderr.write(`wait: ${word}: no such job of this shell\n`);
      status = 127;
    } else status = await interruptible(job.done, signal, 'wait');
  }
  shell.jobs.reap();
  return status;
}

function signalOf(word: string): SignalName | undefined {
  const names = Object.keys(SIGNALS) as SignalName[];
  const upper = word.toUpperCase().replace(/^SIG/, '');
  return names.find((name) => name === `SIG${upper}` || String(SIGNALS[name]) === word);
}

async function kill(shell: Shell, argv: readonly string[], io: Streams): Promise<number> {
  const words = argv.slice(1);
  let signal: SignalName | undefined = 'SIGTERM';
  if (words[0]?.startsWith('-') === true) {
    const option = words.shift()!.slice(1);
    const text = option === 's' ? (words.shift() ?? '') : option;
    signal = signalOf(text);
    if (signal === undefined)
      return misuse(io, argv, `${text}: unknown signal; one of ${Object.keys(SIGNALS).join(', ')}`);
  }
  if (words.length === 0) return misuse(io, argv, 'usage: kill [-SIGNAL] PID | %JOB ...');
  let status = 0;
  for (const word of words) {
    const targets = targetsOf(shell, word);
    for (const process of targets) process.kill(signal);
    if (targets.length > 0) continue;
    await io.stderr.write(`kill: ${word}: No such process\n`);
    status = 1;
  }
  return status;
}

function targetsOf(shell: Shell, word: string): readonly Process[] {
  if (word.startsWith('%')) return shell.jobs.find(word)?.processes ?? [];
  const process = /^\d+$/.test(word) ? shell.self.node.processes.get(Number(word)) : undefined;
  if (process?.pid === 1) throw new SystemError(ERRNO.EPERM, 'kill: 1');
  return process === undefined ? [] : [process];
}

async function history(shell: Shell, argv: readonly string[], io: Streams): Promise<number> {
  const lines = shell.self.node.history;
  if (argv[1] === '-c') lines.length = 0;
  for (const [index, line] of lines.entries())
    await io.stdout.write(`${String(index + 1).padStart(5)}  ${line}\n`);
  return 0;
}

const builtins: Readonly<Record<string, Builtin>> = {
  cd: { usage: '[directory | -]', summary: 'change the working directory', run: cd },
  exit: { usage: '[status]', summary: 'leave the shell', run: exit },
  export: {
    usage: '[NAME[=value]]...',
    summary: 'put variables into the environment of programs',
    run: exportNames,
  },
  history: { usage: '[-c]', summary: 'list or clear the lines typed on this node', run: history },
  jobs: { usage: '', summary: 'list background jobs', run: jobs },
  kill: { usage: '[-SIGNAL] PID | %JOB ...', summary: 'send a signal to processes', run: kill },
  pwd: { usage: '', summary: 'print the working directory', run: pwd },
  set: { usage: '', summary: 'list variables', run: set },
  unset: { usage: 'NAME...', summary: 'remove variables', run: unset },
  wait: { usage: '[PID | %JOB]...', summary: 'wait for background jobs', run: wait },
};

export function findBuiltin(name: string): Builtin['run'] | undefined {
  return Object.hasOwn(builtins, name) ? builtins[name]?.run : undefined;
}

export function builtinNames(): string[] {
  return Object.keys(builtins);
}

/** For `help`. */
export function builtinList(): readonly (readonly [name: string, builtin: Builtin])[] {
  return Object.entries(builtins);
}
