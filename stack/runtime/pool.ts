/**
 * The pool of worker threads that serves all nodes of a lab in real time. Thread 0 starts it, can hold all of it still while it changes what workers use,
 * is woken by it for replies, and replaces a worker that dies.
 */
import { Worker, parentPort } from 'node:worker_threads';
import { i32, maxThreads, memory, region, selfThread } from '../memory/memory.ts';
import { reclaimMagazines } from '../memory/mbuf.ts';
import { readClock } from './clock.ts';
import { serve } from './loop.ts';
import { setBell } from './messages/post.ts';
import { runQueue, wake } from './run-queue.ts';
import { TRACE, trace } from './trace.ts';

const RUN = 0;
const STOP = 1;
/** What a worker leaves behind when it fails: it holds still for ever. */
const FAILED = -1;
/** Holds have numbers from here, so that a worker that is slow to hear of the end of one does not take the next for it. */
const FIRST_HOLD = 2;
const LAST_HOLD = 0x7fff_ffff;

// Word 0: what workers shall do; word N: the hold that worker N obeys.
const orders = region('pool orders', maxThreads * 4) >>> 2;
const BELL = 'bell';
const READY = 'ready';

/** How long a worker may take to finish the batch it works on, ns. */
const PATIENCE_NS = 5e9;

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
  /** A worker died, or another could not take its seat; called while the others hold still, before it is replaced. */
  readonly onDeath: (thread: number, reason: string) => void;
}

/** The last hold that a worker obeyed, or FAILED. */
function obeyed(thread: number): number {
  return Atomics.load(i32, orders + thread);
}

/** Starts workers 1 to `threads` and resolves when all of them serve. */
export async function startPool(options: PoolOptions): Promise<Pool> {
  Atomics.store(i32, orders, RUN);
  i32.fill(RUN, orders + 1, orders + maxThreads);
  let nextHold = FIRST_HOLD;
  const workers = new Map<number, Worker>();
  let stopping = false;

  function hire(thread: number): Promise<void> {
    Atomics.store(i32, orders + thread, RUN);
    const worker = new Worker(options.entry, { workerData: { stackscope: { memory, thread } } });
    workers.set(thread, worker);
    let reason = 'it ended';
    worker.on(
      'error',
      (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
    return new Promise((resolve, reject) => {
      worker.on('message', (message) => {
        if (message === READY) resolve();
        else options.onBell();
      });
      worker.on('exit', () => {
        if (stopping) return;
        workers.delete(thread);
        if (runQueue(thread).staffed !== 0) bury(thread, reason);
        else reject(new Error(`worker ${thread} could not start: ${reason}`));
      });
    });
  }

  /** What a dead worker held is freed, then another takes its seat. */
  function bury(thread: number, reason: string): void {
    runQueue(thread).staffed = 0;
    trace(TRACE.threadDied, runQueue(thread).current, 0, thread);
    reclaimMagazines(thread);
    whileHeld(() => options.onDeath(thread, reason));
    runQueue(thread).current = 0;
    runQueue(thread).within = 0;
    hire(thread).catch((error: Error) => whileHeld(() => options.onDeath(thread, error.message)));
  }

  function whileHeld<T>(work: () => T): T {
    const hold = nextHold;
    nextHold = hold === LAST_HOLD ? FIRST_HOLD : hold + 1;
    Atomics.store(i32, orders, hold);
    const staffed = [...workers.keys()].filter((thread) => runQueue(thread).staffed !== 0);
    const until = readClock() + PATIENCE_NS;
    for (const thread of staffed) wake(thread);
    for (const thread of staffed) {
      for (let at = obeyed(thread); at !== hold && at !== FAILED; at = obeyed(thread)) {
        wake(thread);
        Atomics.wait(i32, orders + thread, at, 1);
        if (readClock() > until) throw new Error('a worker does not finish its work');
      }
    }
    try {
      return work();
    } finally {
      Atomics.store(i32, orders, RUN);
      Atomics.notify(i32, orders);
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    Atomics.store(i32, orders, STOP);
    Atomics.notify(i32, orders);
    const ended = [...workers.values()].map(
      (worker) => new Promise((resolve) => worker.once('exit', resolve)),
    );
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
  try {
    obeyOrders();
  } catch (error) {
    Atomics.store(i32, orders + selfThread, FAILED);
    Atomics.notify(i32, orders + selfThread);
    throw error;
  }
  runQueue(selfThread).staffed = 0;
  // The port would keep the thread alive.
  port.close();
}

/** Serves, holds still and serves again until it is told to stop. */
function obeyOrders(): void {
  for (;;) {
    serve(() => Atomics.load(i32, orders) !== RUN);
    const order = Atomics.load(i32, orders);
    if (order === STOP) return;
    if (order === RUN) continue;
    Atomics.store(i32, orders + selfThread, order);
    Atomics.notify(i32, orders + selfThread);
    Atomics.wait(i32, orders, order);
  }
}
