/**
 * Waits of programs: sleeping, and starting another program and waiting for it.
 */
import { sleepNs } from '../runtime/timers.ts';
import { interruptible } from './byte-stream.ts';
import { whileBlocked } from './party.ts';
import { findProgram } from './program-table.ts';
import { spawn } from './process.ts';
import type { Process, SpawnOptions } from './process.ts';

/** Waits `ns` nanoseconds of the lab's time. Rejects with EINTR when the process is told to end. */
export function nanosleep(self: Process, ns: number): Promise<void> {
  return whileBlocked(
    self,
    'NANOSLEEP',
    '',
    interruptible(sleepNs(ns, self.signal), self.signal, 'nanosleep'),
  );
}

/** Runs a program of the table as a child and resolves to its status; undefined when there is none of that name. A signal to `self` reaches it. */
export async function runChild(
  self: Process,
  argv: readonly string[],
  options: Partial<SpawnOptions> = {},
): Promise<number | undefined> {
  const program = findProgram(argv[0] ?? '');
  if (program === undefined) return undefined;
  const child = spawn(self.node, program.run, {
    parent: self,
    ...options,
    argv: [program.name, ...argv.slice(1)],
  });
  const pass = (): void => child.kill(self.killedBy);
  self.signal.addEventListener('abort', pass, { once: true });
  const status = await whileBlocked(self, 'WAITPID', String(child.pid), child.exited);
  self.signal.removeEventListener('abort', pass);
  return status;
}
