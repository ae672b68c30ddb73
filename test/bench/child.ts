/**
 * Starts a measurement in a process of its own, whatever the environment of this one says about debugging.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { endsWithBench } from './children.ts';
import type { Jobs } from './jobs/jobs.ts';

const script = fileURLToPath(new URL('./job.js', import.meta.url));
const LONGEST_MS = 120_000;

/** What the job resolves to; `nodeOptions` are for its process. Rejects with what it printed when it fails. */
export async function runJob<N extends keyof Jobs>(
  name: N,
  options: Parameters<Jobs[N]>[0],
  nodeOptions: readonly string[] = [],
): Promise<Awaited<ReturnType<Jobs[N]>>> {
  const env = { ...process.env };
  // Debugging the pool is what tests do; it costs more than what is measured here.
  delete env['STACKSCOPE_DEBUG_POOL'];
  const argv = [...nodeOptions, script, name, JSON.stringify(options)];
  const running = promisify(execFile)(process.execPath, argv, { env, timeout: LONGEST_MS });
  endsWithBench(running.child);
  const { stdout } = await running;
  return JSON.parse(stdout) as Awaited<ReturnType<Jobs[N]>>;
}
