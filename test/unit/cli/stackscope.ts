// Runs the built `stackscope` command as a user does: a process of its own, with its output, messages and exit status.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '../../..');
const program = join(repository, 'dist/main/cli.js');

export const examples = join(repository, 'main/examples');
export const twoNodes = join(examples, 'two-nodes.lab.yaml');

export interface Outcome {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Started {
  readonly process: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** Resolves when the program has written `text` to either of its outputs; rejects if it ends without. */
  wrote(text: string): Promise<void>;
}

/** Starts `stackscope` with these arguments in a folder. */
export function start(cwd: string, args: readonly string[]): Started {
  const child = spawn(process.execPath, [program, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  let changed: () => void = () => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    changed();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    changed();
  });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
  return {
    process: child,
    ended,
    async wrote(text) {
      let over = false;
      void ended.then(() => {
        over = true;
        changed();
      });
      while (!`${out}${err}`.includes(text)) {
        if (over) throw new Error(`it ended without writing ${JSON.stringify(text)}: ${out}${err}`);
        await new Promise<void>((resolve) => (changed = resolve));
      }
    },
  };
}

/** Runs `stackscope` to its end. */
export function stackscope(cwd: string, ...args: readonly string[]): Promise<Outcome> {
  return start(cwd, args).ended;
}
