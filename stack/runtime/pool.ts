/**
 * The pool of worker threads that serves all nodes of a lab in real time. Thread 0 starts it, can hold all of it still while it changes what workers use,
 * is woken by it for replies, and replaces a worker that dies.
 */
import { Worker, parentPort } from 'node:worker_threads';
import { i32, memory, region, selfThread } from '../memory/memory.ts';
import { reclaimMagazines } from '../memory/mbuf.ts';
import { serve } from './loop.ts';
import { setBell } from './messages/post.ts';
import { runQueue, wake } from './run-queue.ts';
import { TRACE, trace } from './trace.ts';

const RUN = 0;
const HOLD = 1;
const STOP = 2;

// Word 0: what workers shall do; word 1: how many hold still.
const orders = region('pool orders', 64) >>> 2;
const HELD = orders + 1;
const BELL = 'bell';
const READY = 'ready';

/** How long a worker may take to finish the batch it works on, ms. */
const PATIENCE_MS = 5000;

export interface Pool {
  readonly threads: number;
  /** Calls `work` while all workers hold still between two units of work. */
  whileHeld<T>(work: () => T): T;
  /** Ends all workers. */
  stop(): Promise<void>;
}

export interface PoolOptions {
  readonly threads: number;
  /** Module that each worker runs: it calls runWorker(). */
  readonly entry: URL;
  /** Thread 0 is wanted: replies, captures. */
  readonly onBell: () => void;
  /** A worker died; called while the others hold still, before it is replaced. */
  readonly onDeath: (thread: number, reason: string) => void;
}

/** Starts workers 1 to `threads` and resolves when all of them serve. */
export async function startPool(options: PoolOptions): Promise<Pool> {
  Atomics.store(i32, orders, RUN);
  Atomics.store(i32, HELD, 0);
  const workers = new Map<number, Worker>();
  let stopping = false;
  let rejectStart: (reason: Error) => void = () => undefined;

  function hire(thread: number): Promise<void> {
    const worker = new Worker(options.entry, { workerData: { stackscope: { memory, thread } } });
    workers.set(thread, worker);
    let reason = 'it ended';
    worker.on('error', (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)));
    worker.on('exit', () => {
      if (!stopping) bury(thread, reason);
    });
    return new Promise((resolve, reject) => {
      rejectStart = reject;
      worker.on('message', (message) => {
        if (message === READY) resolve();
        else options.onBell();
      });
    });
  }

  /** What a dead worker held is freed, then another takes its seat. */
  function bury(thread: number, reason: string): void {
    const started = runQueue(thread).staffed !== 0;
    workers.delete(thread);
    runQueue(thread).staffed = 0;
    if (!started) {
      rejectStart(new Error(`worker ${thread} could not start: ${reason}`));
      return;
    }
    trace(TRACE.threadDied, runQueue(thread).current, 0, thread);
    reclaimMagazines(thread);
    whileHeld(() => options.onDeath(thread, reason));
    runQueue(thread).current = 0;
    hire(thread).catch(() => undefined);
  }

  function whileHeld<T>(work: () => T): T {
    Atomics.store(i32, orders, HOLD);
    const staffed = [...workers.keys()].filter((thread) => runQueue(thread).staffed !== 0);
    const until = performance.now() + PATIENCE_MS;
    for (let held = Atomics.load(i32, HELD); held < staffed.length; held = Atomics.load(i32, HELD)) {
      for (const thread of staffed) wake(thread);
      Atomics.wait(i32, HELD, held, 1);
      if (performance.now() > until) throw new Error('a worker does not finish its work');
    }
    try {
      return work();
    } finally {
      Atomics.store(i32, HELD, 0);
      Atomics.store(i32, orders, RUN);
      Atomics.notify(i32, orders);
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    Atomics.store(i32, orders, STOP);
    Atomics.notify(i32, orders);
    const ended = [...workers.values()].map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    for (const thread of workers.keys()) wake(thread);
    await Promise.all(ended);
    for (const thread of workers.keys()) reclaimMagazines(thread);
  }

  await Promise.all(Array.from({ length: options.threads }, (_, i) => hire(i + 1)));
  return { threads: options.threads, whileHeld, stop };
}

/** What a worker does until it is told to stop: call it as the last thing of the worker's module. */
export function runWorker(): void {
  const port = parentPort;
  if (port === null) throw new Error('a worker of the pool is started by startPool()');
  setBell(() => port.postMessage(BELL));
  runQueue(selfThread).staffed = 1;
  port.postMessage(READY);
  for (;;) {
    serve(() => Atomics.load(i32, orders) !== RUN);
    if (Atomics.load(i32, orders) === STOP) break;
    Atomics.add(i32, HELD, 1);
    Atomics.notify(i32, HELD);
    Atomics.wait(i32, orders, HOLD);
  }
  runQueue(selfThread).staffed = 0;
  // The port would keep the thread alive.
  port.close();
}
