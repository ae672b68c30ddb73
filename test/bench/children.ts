/**
 * Processes that a bench starts end with it: at the latest when its own process does, unless that is killed.
 */
import type { ChildProcess } from 'node:child_process';

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** Takes care of a process that was just started, and returns it. */
export function endsWithBench<C extends ChildProcess>(child: C): C {
  living.add(child);
  child.once('close', () => living.delete(child));
  return child;
}
