// The stackscope command as a child process, in the network namespace of the test.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const cli = join(import.meta.dirname, '../../../dist/main/cli.js');

export interface Finished {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface LabProcess {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Ctrl-C, and what comes of it. */
  interrupt(): Promise<Finished>;
}

/** Starts a program. Its output is collected as text. */
export function startProgram(program: string, args: readonly string[]): LabProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
  return {
    child,
    finished,
    interrupt() {
      child.kill('SIGINT');
      return finished;
    },
  };
}

/** Starts `stackscope` with arguments. It ends with the test, however that ends. */
export function startStackscope(...args: string[]): LabProcess {
  return startProgram('setpriv', ['--pdeathsig', 'KILL', process.execPath, cli, ...args]);
}

/** Runs a program to its end; rejects with what it printed when that was not a success. */
export async function runProgram(program: string, ...args: string[]): Promise<string> {
  const { status, out, err } = await startProgram(program, args).finished;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: status ${status}\n${err}${out}`);
  return out;
}
