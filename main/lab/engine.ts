/**
 * The engine under a lab: threads and time. *Real*: a pool of workers serves the nodes, thread 0 runs the programs and is woken for their replies. *Virtual*: thread 0
 * does everything, one event after the other (time/virtual-time.ts).
 */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { installStack } from '../../stack/io-pkt/install.ts';
import { startClock } from '../../stack/runtime/clock.ts';
import {
  answerBell,
  deliverReplies,
  ringBell,
  setActivityListener,
  setBell,
} from '../../stack/runtime/messages/post.ts';
import { setOutsideListener } from '../../stack/runtime/outside.ts';
import { startPool } from '../../stack/runtime/pool.ts';
import type { Pool } from '../../stack/runtime/pool.ts';
import { resetRunQueues, setDedicated } from '../../stack/runtime/run-queue.ts';
import { moveHome, sources } from '../../stack/runtime/source.ts';
import { setTimerListener } from '../../stack/runtime/timers.ts';
import { journeysWaiting } from '../../stack/net/journey.ts';
import { allowLargeFrames } from '../../stack/net/segmentation.ts';
import { capturesWaiting } from '../../stack/net/tap.ts';
import { installLabParts } from './install.ts';
import { directions } from './link-record.ts';
import type { Place } from './time/history.ts';
import { VirtualTime } from './time/virtual-time.ts';
import type { ModuleImport } from './module-import.ts';

installStack();
installLabParts();
// The path of a packet is many short functions: V8 inlines more of them into one than its default of 920 bytes of bytecode allows. A bridge gains a third.
setFlagsFromString('--max-inlined-bytecode-size-cumulative=2000');

export type TimeMode = 'real' | 'virtual';

export interface EngineOptions {
  readonly time: TimeMode;
  readonly seed: number;
  /** Worker threads in real time; default: one per CPU, less the one that the programs use. */
  readonly threads?: number;
  /** Time in virtual mode, if it is to be controlled. */
  readonly virtual?: VirtualTime;
  /** Work that others left for thread 0: packets that were captured, stations of journeys. Says whether there were any. */
  readonly fetchCaptures: () => boolean;
  /** The same: interfaces to be freed. Says whether there were any. */
  readonly tidy: () => boolean;
  /** A worker died; the others hold still. */
  readonly onDeath: (thread: number, reason: string) => void;
}

export interface Engine {
  readonly time: TimeMode;
  readonly threads: number;
  /** The run queue for the next node: they go round. */
  nextHome(): number;
  /** How virtual time is controlled; undefined in real time. */
  readonly virtual?: VirtualTime;
  /** Threads that share the work of all nodes: 1 in virtual time. */
  workers(): number;
  /**
   * Keeps a thread for the stack work of those who ask, and nothing else, until each of them has called `release`; returns the thread, 0 when there is none to spare.
   * No thread works meanwhile.
   */
  dedicate(): number;
  release(): void;
  /** Calls `work` while no thread works on any node. */
  whileHeld<T>(work: () => T): T;
  /** Begins something on the nodes: in real time at once, in virtual time at a place of the run that depends on nothing outside it. @param from not before that place. */
  enter<T>(work: () => T | Promise<T>, from?: Place): Promise<T>;
  /** The lab ends: nothing holds its time up any more. */
  windUp(): void;
  /** Has every other thread, now and later, bring in a module; rejects when one cannot. */
  everyThread(wanted: ModuleImport): Promise<void>;
  stop(): Promise<void>;
}

const MOST_THREADS = 32;
/** How often captures are fetched, ms. */
const CAPTURE_PERIOD_MS = 50;

/** Starts threads and clock. One engine at a time: there is one memory. */
export function startEngine(options: EngineOptions): Promise<Engine> {
  return options.time === 'virtual' ? Promise.resolve(startVirtual(options)) : startReal(options);
}

function workerEntry(): URL {
  const here = import.meta.url;
  // Node 20 starts no TypeScript: tests, which run the sources, start what was built from them.
  return here.endsWith('.ts') ? new URL('../../dist/main/lab/worker.js', here) : new URL('./worker.js', here);
}

/** How long thread 0 goes on looking for more after it has found work, ms: being rung again takes as long. */
const LOOKING_MS = 0.2;

/** What thread 0 does when it is rung: hands on what was left for it until nothing more comes for a while, then waits to be rung again. */
function lookout(work: () => boolean): () => void {
  let until = 0;
  let looking = false;
  function look(): void {
    let found = deliverReplies();
    if (work()) found = true;
    const time = performance.now();
    if (found) until = time + LOOKING_MS;
    else if (time >= until) {
      answerBell();
      // What came in before the answer did not ring.
      if (!deliverReplies()) {
        looking = false;
        return;
      }
      ringBell();
    }
    setImmediate(look);
  }
  return () => {
    if (looking) return;
    looking = true;
    until = performance.now() + LOOKING_MS;
    look();
  };
}

async function startReal(options: EngineOptions): Promise<Engine> {
  const threads = Math.min(options.threads ?? Math.max(1, availableParallelism() - 1), MOST_THREADS);
  resetRunQueues(threads);
  startClock('real', options.seed);
  allowLargeFrames(true);
  const { fetchCaptures, tidy } = options;
  const left = (): boolean => {
    const fetched = fetchCaptures();
    return tidy() || fetched;
  };
  const onBell = lookout(left);
  setBell(() => setImmediate(onBell));
  // What rang when an earlier lab was at its end was not answered.
  answerBell();
  setActivityListener(() => undefined);
  setTimerListener(undefined);
  setOutsideListener(undefined);
  const pool: Pool = await startPool({ threads, entry: workerEntry(), onBell, onDeath: options.onDeath });
  const fetching = setInterval(left, CAPTURE_PERIOD_MS);
  let home = 0;
  /** How many want the last thread for themselves. */
  let dedicated = 0;
  const workers = (): number => (dedicated > 0 ? threads - 1 : threads);
  const nextHome = (): number => (home++ % workers()) + 1;
  return {
    time: 'real',
    threads,
    nextHome,
    workers,
    dedicate() {
      if (threads < 2) return 0;
      if (dedicated++ > 0) return threads;
      setDedicated(threads, true);
      sources.each((source) => {
        if (source.home === threads) moveHome(source, nextHome());
      });
      return threads;
    },
    release() {
      if (--dedicated === 0) setDedicated(threads, false);
    },
    whileHeld: (work) => pool.whileHeld(work),
    enter: (work) => Promise.resolve(work()),
    windUp: () => undefined,
    everyThread: (wanted) => pool.everyWorker(wanted),
    async stop() {
      clearInterval(fetching);
      await pool.stop();
      deliverReplies();
      left();
    },
  };
}

/** Captures are fetched when so many bytes wait, or so many stations of journeys, so that none is lost. */
const CAPTURE_BYTES = 4 * 1024 * 1024;
const MOST_STATIONS = 16_384;

function startVirtual(options: EngineOptions): Engine {
  const { seed, fetchCaptures, tidy, virtual = new VirtualTime() } = options;
  resetRunQueues(0);
  startClock('virtual', seed);
  allowLargeFrames(false);
  virtual.start(
    {
      afterEvent() {
        if (capturesWaiting() > CAPTURE_BYTES || journeysWaiting() > MOST_STATIONS) fetchCaptures();
      },
      tidy() {
        fetchCaptures();
        tidy();
      },
    },
    framesEntered,
  );
  return {
    time: 'virtual',
    threads: 0,
    virtual,
    nextHome: () => 0,
    workers: () => 1,
    dedicate: () => 0,
    release: () => undefined,
    whileHeld: (change) => change(),
    enter: (work, from) => virtual.enter(work, from),
    windUp: () => virtual.windUp(),
    stop: () => virtual.stop(),
    everyThread: () => Promise.resolve(),
  };
}

/** Frames that have entered the lab's links so far. */
function framesEntered(): number {
  let frames = 0;
  directions.each(({ packets }) => (frames += packets));
  return frames;
}
