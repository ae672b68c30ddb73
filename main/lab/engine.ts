/**
 * The engine under a lab: threads and time. *Real*: a pool of workers serves the nodes, thread 0 runs the programs and is woken for their replies. *Virtual*: thread 0
 * does everything, one event after the other, and time jumps to the next deadline when neither stacks nor programs have anything left to do.
 */
import { availableParallelism } from 'node:os';
import { installStack } from '../../stack/io-pkt/install.ts';
import { jumpTo, refreshNow, startClock } from '../../stack/runtime/clock.ts';
import { turn } from '../../stack/runtime/loop.ts';
import {
  answerBell,
  deliverReplies,
  ringBell,
  setActivityListener,
  setBell,
} from '../../stack/runtime/messages/post.ts';
import { startPool } from '../../stack/runtime/pool.ts';
import type { Pool } from '../../stack/runtime/pool.ts';
import { nextDeadline, resetRunQueues } from '../../stack/runtime/run-queue.ts';
import {
  nextProgramDeadline,
  setTimerListener,
  timeIsHeld,
  wakePrograms,
} from '../../stack/runtime/timers.ts';
import { allowLargeFrames } from '../../stack/net/segmentation.ts';
import { capturesWaiting } from '../../stack/net/tap.ts';
import { installLabParts } from './install.ts';

installStack();
installLabParts();

export type TimeMode = 'real' | 'virtual';

export interface EngineOptions {
  readonly time: TimeMode;
  readonly seed: number;
  /** Worker threads in real time; default: one per CPU, less the one that the programs use. */
  readonly threads?: number;
  /** Work that others left for thread 0: packets that were captured, interfaces to be freed. Says whether there was any. */
  readonly onBell: () => boolean;
  /** A worker died; the others hold still. */
  readonly onDeath: (thread: number, reason: string) => void;
}

export interface Engine {
  readonly time: TimeMode;
  readonly threads: number;
  /** The run queue for the next node: they go round. */
  nextHome(): number;
  /** Calls `work` while no thread works on any node. */
  whileHeld<T>(work: () => T): T;
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
  const onBell = lookout(options.onBell);
  setBell(() => setImmediate(onBell));
  setActivityListener(() => undefined);
  setTimerListener(undefined);
  const pool: Pool = await startPool({ threads, entry: workerEntry(), onBell, onDeath: options.onDeath });
  const fetching = setInterval(options.onBell, CAPTURE_PERIOD_MS);
  let home = 0;
  return {
    time: 'real',
    threads,
    nextHome: () => (home++ % threads) + 1,
    whileHeld: (work) => pool.whileHeld(work),
    async stop() {
      clearInterval(fetching);
      await pool.stop();
      deliverReplies();
      options.onBell();
    },
  };
}

/** Turns of the event loop without work after which programs count as waiting. */
const QUIET_TURNS = 3;
/** Captures are fetched when so many bytes wait, so that none is lost. */
const CAPTURE_BYTES = 4 * 1024 * 1024;
const HELD_POLL_MS = 1;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function startVirtual(options: EngineOptions): Engine {
  resetRunQueues(0);
  startClock('virtual', options.seed);
  allowLargeFrames(false);
  let running = true;
  let arouse: () => void = () => undefined;
  setBell(() => undefined);
  const onActivity = (): void => arouse();
  setActivityListener(onActivity);
  setTimerListener(onActivity);

  /** Does all that can be done now; says whether that was anything. */
  function work(): boolean {
    let any = false;
    refreshNow();
    for (let more = true; more;) {
      more = false;
      while (turn()) {
        more = true;
        if (capturesWaiting() > CAPTURE_BYTES) options.onBell();
      }
      answerBell();
      if (deliverReplies()) more = true;
      any ||= more;
    }
    return any;
  }

  /** Until stacks and programs all wait for time or for the world outside. */
  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      const any = work();
      await nextTurn();
      quiet = any ? 0 : quiet + 1;
    }
  }

  async function drive(): Promise<void> {
    while (running) {
      await settle();
      options.onBell();
      if (timeIsHeld()) {
        await new Promise((resolve) => setTimeout(resolve, HELD_POLL_MS));
        continue;
      }
      const next = Math.min(nextDeadline(), nextProgramDeadline());
      if (next === Infinity) {
        if (running) await new Promise<void>((resolve) => (arouse = resolve));
        continue;
      }
      jumpTo(next);
      refreshNow();
      work();
      wakePrograms(next);
    }
  }

  const driven = drive();
  return {
    time: 'virtual',
    threads: 0,
    nextHome: () => 0,
    whileHeld: (change) => change(),
    async stop() {
      running = false;
      arouse();
      await driven;
      work();
      options.onBell();
    },
  };
}
