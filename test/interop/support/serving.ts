/** Thread 0 as the only one that services event sources, in real time, while other programs run against it. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { startClock } from '../../../stack/runtime/clock.ts';
import { runQueued } from '../../../stack/runtime/loop.ts';
import { resetRunQueues } from '../../../stack/runtime/run-queue.ts';

/** Services event sources between the jobs of the event loop until what it returns is called. */
export function startServing(): () => void {
  let serving = true;
  function serve(): void {
    if (!serving) return;
    runQueued(1000);
    setImmediate(serve);
  }
  resetRunQueues(0);
  startClock('real', 1);
  serve();
  return () => {
    serving = false;
  };
}

/** Runs a program that needs nothing of this thread and returns what it prints. */
export function run(program: string, ...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${argv.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** Runs a program while this thread goes on serving, and returns what it prints. */
export async function runServed(program: string, ...argv: string[]): Promise<string> {
  const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(child, 'close');
  return text;
}

/** Waits for something that other threads bring about; what never comes fails the test by its time limit. */
export async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 2));
}
