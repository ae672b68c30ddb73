// Functions of a test as programs of a node, so that what they throw reaches the test.
import { collector } from '../../../stack/kernel/byte-stream.ts';
import type { ByteSource } from '../../../stack/kernel/byte-stream.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import type { LabNode, Process } from '../../../stack/kernel/process.ts';
import { findProgram } from '../../../stack/kernel/program-table.ts';

/** A function that runs as a program. */
export interface Running<T> {
  readonly process: Process;
  readonly result: Promise<T>;
}

/** Starts `work` as a program of a node. */
export function start<T>(node: LabNode, work: (self: Process) => Promise<T>): Running<T> {
  let outcome: PromiseSettledResult<T> | undefined;
  const process = spawn(
    node,
    async (self) => {
      [outcome] = await Promise.allSettled([work(self)]);
      return 0;
    },
    { argv: ['test'] },
  );
  const result = process.exited.then(() => {
    if (outcome === undefined) throw new Error('the program was killed');
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
  // A test may look at the failure later than it happens.
  result.catch(() => undefined);
  return { process, result };
}

/** Runs `work` as a program of a node to its end. */
export function asProgram<T>(node: LabNode, work: (self: Process) => Promise<T>): Promise<T> {
  return start(node, work).result;
}

/** A command that runs; its output so far, and what it ends with. */
export interface RunningCommand {
  readonly process: Process;
  readonly out: () => string;
  readonly err: () => string;
}

/** Starts a command line: words apart by blanks, no quoting. */
export function startCommand(node: LabNode, line: string, stdin?: ByteSource): RunningCommand {
  const argv = line.split(' ');
  const program = findProgram(argv[0]!);
  if (program === undefined) throw new Error(`no program is called ${argv[0]!}`);
  const [stdout, stderr] = [collector(), collector()];
  const streams = { argv, stdout, stderr, ...(stdin !== undefined && { stdin }) };
  return {
    process: spawn(node, program.run, streams),
    out: () => stdout.text(),
    err: () => stderr.text(),
  };
}

/** Runs a command line to its end. */
export async function runCommand(
  node: LabNode,
  line: string,
  stdin?: ByteSource,
): Promise<{ status: number; out: string; err: string }> {
  const running = startCommand(node, line, stdin);
  const status = await running.process.exited;
  return { status, out: running.out(), err: running.err() };
}
