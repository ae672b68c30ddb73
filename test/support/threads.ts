// Worker threads over the memory of a test: their entries are files named *-thread.ts, which the global set-up compiles to dist/.
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { memory } from '../../stack/memory/memory.ts';

const repository = new URL('../../', import.meta.url);

/** A thread of the test's memory that has begun. */
export interface TestThread {
  /** Settles when the thread has ended by itself; fails if it threw. */
  readonly ended: Promise<void>;
}

/** Starts the entry at `url` (a file named *-thread.ts) as thread number `thread`, with `job` in its worker data. */
export function startThread(url: URL, thread: number, job: unknown): TestThread {
  const source = relative(fileURLToPath(repository), fileURLToPath(url));
  const entry = new URL(`dist/${source.replace(/\.ts$/, '.js')}`, repository);
  const worker = new Worker(entry, { workerData: { stackscope: { memory, thread }, job } });
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`thread ${thread} ended with status ${code}`));
    });
  });
  return { ended };
}
