/**
 * The pool of worker threads that serves all nodes of a lab in real time. Thread 0 starts it, can hold all of it still while it changes what workers use,
 * is woken by it for replies, sends each worker on errands, and replaces a worker that dies.
 */
import { Worker, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
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
/** What a worker shows while it is on an errand: it holds still for as long, and obeys before it serves again. */
const AWAY = -2;
/** Holds have numbers from here, so that a worker that is slow to hear of the end of one does not take the next for it. */
const FIRST_HOLD = 2;
const LAST_HOLD = 0x7fff_ffff;

// Word 0: what workers shall do; word N: the hold that worker N obeys.
const orders = region('pool orders', maxThreads * 4) >>> 2;
// Word N: how many errands worker N was sent on.
const errands = region('pool errands', maxThreads * 4) >>> 2;
const BELL = 'bell';
const READY = 'ready';

/** How long a worker may take to finish the batch it works on, ns. */
const PATIENCE_NS = 5e9;

export interface Pool {
  readonly threads: number;
  /** Calls `work` while all workers hold still between two units of work. */
  whileHeld<T>(work: () => T): T;
  /**
   * Has every worker leave its sources for a while and do `errand` (what that means says runWorker()); those that are hired later do it before they serve. Rejects
   * when one of them cannot: then none does it later.
   */
  everyWorker(errand: unknown): Promise<void>;
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

/** The last hold that a worker obeyed, FAILED or AWAY. */
function obeyed(thread: number): number {
  return Atomics.load(i32, orders + thread);
}

/** How an errand went, as a worker reports it. */
interface Report {
  /** What went wrong; undefined: nothing. */
  readonly error: string | undefined;
}

/** A worker's errands that thread 0 waits for, oldest first. */
type Waiting = ((error: Error | undefined) => void)[];

/** Starts workers 1 to `threads` and resolves when all of them serve. */
export async function startPool(options: PoolOptions): Promise<Pool> {
  Atomics.store(i32, orders, RUN);
  i32.fill(RUN, orders + 1, orders + maxThreads);
  let nextHold = FIRST_HOLD;
  const workers = new Map<number, Worker>();
  const waiting = new Map<number, Waiting>();
  /** Errands that all workers did: who is hired has to do them as well. */
  const done: unknown[] = [];
  let stopping = false;

  function hire(thread: number): Promise<void> {
    Atomics.store(i32, orders + thread, RUN);
    Atomics.store(i32, errands + thread, 0);
    const worker = new Worker(options.entry, {
      workerData: { stackscope: { memory, thread }, errands: done },
    });
    workers.set(thread, worker);
    waiting.set(thread, []);
    let reason = 'it ended';
    worker.on(
      'error',
      (error) => (reason = error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
    return new Promise((resolve, reject) => {
      worker.on('message', (message: typeof READY | typeof BELL | Report) => {
        if (message === READY) resolve();
        else if (message === BELL) options.onBell();
        else
          waiting.get(thread)?.shift()?.(message.error === undefined ? undefined : new Error(message.error));
      });
      worker.on('exit', () => {
        for (const settle of waiting.get(thread) ?? [])
          settle(new Error(`thread ${thread} ended: ${reason}`));
        waiting.set(thread, []);
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
      for (let at = obeyed(thread); at !== hold && at !== FAILED && at !== AWAY; at = obeyed(thread)) {
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

  function send(thread: number, worker: Worker, errand: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      waiting.get(thread)!.push((error) => (error === undefined ? resolve() : reject(error)));
      worker.postMessage(errand);
      Atomics.add(i32, errands + thread, 1);
      wake(thread);
    });
  }

  async function everyWorker(errand: unknown): Promise<void> {
    const sent = [...workers].map(([thread, worker]) => send(thread, worker, errand));
    const results = await Promise.allSettled(sent);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    done.push(errand);
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
  return { threads: options.threads, whileHeld, everyWorker, stop };
}

/** Does an errand in a worker: see Pool.everyWorker(). Rejects with what went wrong. */
export type Errand = (errand: unknown) => Promise<void>;

/** What a worker does until it is told to stop: call it as the last thing of the worker's module. */
export async function runWorker(doErrand: Errand = () => Promise.resolve()): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('a worker of the pool is started by startPool()');
  const { errands: earlier } = workerData as { errands: readonly unknown[] };
  for (const errand of earlier) await doErrand(errand);
  setBell(() => port.postMessage(BELL));
  runQueue(selfThread).staffed = 1;
  port.postMessage(READY);
  try {
    for (let sent = 0; obeyOrders(sent) !== STOP; sent++) await runErrand(port, doErrand);
  } catch (error) {
    Atomics.store(i32, orders + selfThread, FAILED);
    Atomics.notify(i32, orders + selfThread);
    throw error;
  }
  runQueue(selfThread).staffed = 0;
  // The port would keep the thread alive.
  port.close();
}

/** Serves, holds still and serves again until it is told to stop, or sent on an errand beyond the first `sent`: then it returns RUN. */
function obeyOrders(sent: number): number {
  for (;;) {
    serve(() => Atomics.load(i32, orders) !== RUN || Atomics.load(i32, errands + selfThread) !== sent);
    const order = Atomics.load(i32, orders);
    if (order === STOP) return STOP;
    if (order === RUN) {
      if (Atomics.load(i32, errands + selfThread) !== sent) return RUN;
      continue;
    }
    Atomics.store(i32, orders + selfThread, order);
    Atomics.notify(i32, orders + selfThread);
    Atomics.wait(i32, orders, order);
  }
}

/** Fetches the errand and does it. Nobody need wait for this thread meanwhile: it touches nothing that others change while they hold it still. */
async function runErrand(port: MessagePort, doErrand: Errand): Promise<void> {
  Atomics.store(i32, orders + selfThread, AWAY);
  Atomics.notify(i32, orders + selfThread);
  port.postMessage(await report(port, doErrand));
  // From here on it is seen to be back; whoever wants to hold it has to wait until it obeys.
  Atomics.store(i32, orders + selfThread, RUN);
}

async function report(port: MessagePort, doErrand: Errand): Promise<Report> {
  try {
    // Thread 0 posts before it counts.
    const { message } = receiveMessageOnPort(port) as { message: unknown };
    await doErrand(message);
    return { error: undefined };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
