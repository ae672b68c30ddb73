/**
 * Execution of parsed command lines (XCU 2.9): and-or lists, pipelines whose commands run at the same time, simple commands with their
 * assignments and redirections, background jobs.
 */
import { emptySource, interruptible, pipe } from '../../kernel/byte-stream.ts';
import type { ByteSource } from '../../kernel/byte-stream.ts';
import { exists } from '../../kernel/files.ts';
import { findProgram, programNames } from '../../kernel/program-table.ts';
import type { ProgramEntry } from '../../kernel/program-table.ts';
import { signalStatus, spawn } from '../../kernel/process.ts';
import type { Process } from '../../kernel/process.ts';
import { whileBlocked } from '../../kernel/party.ts';
import { suggestions } from '../../kernel/suggest.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { builtinNames, findBuiltin } from './builtins.ts';
import { expandToText, expandWords } from './expand.ts';
import { jobLine } from './jobs.ts';
import type { AndOr, Pipeline, SimpleCommand } from './parser.ts';
import { createShell } from './state.ts';
import type { Shell } from './state.ts';
import { redirect } from './streams.ts';
import type { RedirectedStreams, Streams } from './streams.ts';

const NOT_FOUND = 127;
/** The program that runs files of commands. */
const SHELL = 'sh';

/** Runs a command line and returns the status of its last command. Rejects with EINTR when the shell is told to end. */
export async function runLists(shell: Shell, lists: readonly AndOr[]): Promise<number> {
  shell.interrupted = false;
  for (const andOr of lists) {
    if (shell.leaving !== undefined || shell.interrupted) break;
    if (andOr.background) await startJob(shell, andOr);
    else await runAndOr(shell, andOr);
  }
  return shell.leaving ?? shell.status;
}

async function runAndOr(shell: Shell, { pipelines }: AndOr): Promise<number> {
  for (const { after, pipeline } of pipelines) {
    if (shell.leaving !== undefined || shell.interrupted) break;
    if ((after === '&&' && shell.status !== 0) || (after === '||' && shell.status === 0)) continue;
    shell.status = await runForeground(shell, pipeline);
  }
  return shell.status;
}

/** A pipeline that has been started. */
interface Running {
  readonly processes: readonly Process[];
  readonly done: Promise<number>;
}

async function runForeground(shell: Shell, pipeline: Pipeline): Promise<number> {
  const { self } = shell;
  const interrupt = new AbortController();
  const processes: Process[] = [];
  shell.foreground = { processes, interrupt };
  const run = async (): Promise<number> => {
    const { done } = await startPipeline(shell, pipeline, self.stdin, processes);
    return interruptible(done, self.signal, 'wait');
  };
  try {
    const status = await whileBlocked(self, 'WAITPID', '', run());
    return pipeline.negated ? Number(status === 0) : status;
  } catch (error) {
    // The shell itself has been told to end: what it waits for ends with it.
    if (self.signal.aborted) for (const process of processes) process.kill('SIGHUP');
    throw error;
  } finally {
    shell.foreground = undefined;
  }
}

/** Starts all commands of a pipeline; `started` takes their processes as they come. */
async function startPipeline(
  shell: Shell,
  { commands }: Pipeline,
  stdin: ByteSource,
  started: Process[],
): Promise<Running> {
  const stages: Promise<number>[] = [];
  let input = stdin;
  for (const [index, command] of commands.entries()) {
    const next = index === commands.length - 1 ? undefined : pipe();
    const piped = index === 0 ? undefined : input;
    const stdout = next?.sink ?? shell.self.stdout;
    const { status } = await startCommand(
      shell,
      command,
      { stdin: input, stdout, stderr: shell.self.stderr },
      started,
    );
    const atEnd = (): void => {
      next?.sink.end();
      piped?.close();
    };
    stages.push(status.finally(atEnd));
    if (next !== undefined) input = next.source;
  }
  const done = Promise.all(stages).then((statuses) => statuses.at(-1)!);
  return { processes: started, done };
}

/** A command that runs; wrapped, because a bare promise would be waited for. */
interface Started {
  readonly status: Promise<number>;
}

/** Expands a command and starts it. Errors of the command itself are told on its standard error and become its status. */
async function startCommand(
  shell: Shell,
  command: SimpleCommand,
  streams: Streams,
  started: Process[],
): Promise<Started> {
  try {
    const words = await expandWords(command.words, shell);
    const assignments = command.assignments.map(
      ({ name, value }) => [name, expandToText(value, shell)] as const,
    );
    const redirections = command.redirections.map((r) => ({ ...r, target: expandToText(r.target, shell) }));
    const redirected = redirect(streams, redirections);
    const [name] = words;
    const program = findProgram(name ?? '');
    const builtin = name === undefined ? assign : findBuiltin(name);
    if (builtin !== undefined) {
      for (const [variable, value] of assignments) shell.set(variable, value);
      return { status: runInShell(shell, redirected, (io) => builtin(shell, words, io)) };
    }
    if (program === undefined) {
      const isScript = name!.includes('/') && (await exists(shell.self, name!));
      if (!isScript) return { status: notFound(name!, streams) };
      words.unshift(SHELL);
    }
    return {
      status: runProgram(shell, program ?? findProgram(SHELL)!, words, assignments, redirected, started),
    };
  } catch (error) {
    return { status: tell(error, streams) };
  }
}

/** A command of nothing but assignments and redirections. */
function assign(): Promise<number> {
  return Promise.resolve(0);
}

async function runInShell(
  shell: Shell,
  redirected: RedirectedStreams,
  run: (io: Streams) => Promise<number>,
): Promise<number> {
  try {
    await redirected.open(shell.self);
    return await run(redirected);
  } catch (error) {
    return await tell(error, redirected);
  } finally {
    await redirected.close();
  }
}

function runProgram(
  shell: Shell,
  program: ProgramEntry,
  argv: readonly string[],
  assignments: readonly (readonly [string, string])[],
  redirected: RedirectedStreams,
  started: Process[],
): Promise<number> {
  const { stderr } = shell.self;
  const run = async (self: Process): Promise<number> => {
    try {
      await redirected.open(self);
    } catch (error) {
      return tell(error, { ...redirected, stderr });
    }
    return program.run(self);
  };
  const child = spawn(shell.self.node, run, {
    argv: [program.name, ...argv.slice(1)],
    parent: shell.self,
    env: new Map([...shell.self.env, ...assignments]),
    stdin: redirected.stdin,
    stdout: redirected.stdout,
    stderr: redirected.stderr,
  });
  started.push(child);
  return child.exited;
}

async function tell(error: unknown, { stderr }: Pick<Streams, 'stderr'>): Promise<number> {
  if (!(error instanceof SystemError)) throw error;
  if (error.errno === ERRNO.EINTR) return signalStatus('SIGINT');
  await stderr.write(`sh: ${error.message}\n`);
  return 1;
}

async function notFound(name: string, { stderr }: Pick<Streams, 'stderr'>): Promise<number> {
  const hint = suggestions()(name, [...programNames(), ...builtinNames()]);
  await stderr.write(`sh: ${name}: not found${hint}\n`);
  return NOT_FOUND;
}

/** Starts a background job: one pipeline of programs as it is, anything else in a shell of its own. */
async function startJob(shell: Shell, andOr: AndOr): Promise<void> {
  const { pipelines, text } = andOr;
  const [first] = pipelines;
  const isPlain =
    pipelines.length === 1 && first!.pipeline.commands.every(startsProgram) && !first!.pipeline.negated;
  const running = isPlain
    ? await startPipeline(shell, first!.pipeline, emptySource, [])
    : startSubshell(shell, andOr);
  const job = shell.jobs.add(`${text} &`, running.processes, running.done);
  if (job.pid !== undefined) shell.lastBackground = job.pid;
  shell.status = 0;
  if (shell.interactive && job.pid !== undefined) await shell.self.stderr.write(`[${job.id}] ${job.pid}\n`);
}

function startsProgram({ words }: SimpleCommand): boolean {
  const [first] = words;
  const name = first?.map((part) => (part.kind === 'text' ? part.text : '\0')).join('');
  return name !== undefined && findProgram(name) !== undefined;
}

function startSubshell(shell: Shell, andOr: AndOr): Running {
  const run = (self: Process): Promise<number> => {
    const child = createShell(self, false);
    for (const [name, value] of shell.variables) child.variables.set(name, value);
    return runLists(child, [{ ...andOr, background: false }]);
  };
  const child = spawn(shell.self.node, run, { argv: ['sh'], parent: shell.self, stdin: emptySource });
  return { processes: [child], done: child.exited };
}

/** Ctrl-C: ends what runs in the foreground and the rest of the line. */
export function interruptForeground(shell: Shell): void {
  shell.interrupted = true;
  for (const process of shell.foreground?.processes ?? []) process.kill('SIGINT');
  shell.foreground?.interrupt.abort();
}

/** Tells the user of jobs that have ended since the last time. */
export async function reportJobs(shell: Shell): Promise<void> {
  const latest = shell.jobs.all().at(-1);
  for (const job of shell.jobs.reap()) await shell.self.stderr.write(jobLine(job, job === latest));
}
