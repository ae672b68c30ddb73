/**
 * A thread that computes pseudo-random numbers (xorshift32, Marsaglia 2003) and sends how many it made per second.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Timing } from './transfer.ts';

const PER_LOOK = 100_000;
let state = 1;

function compute(times: number): void {
  let x = state;
  for (let i = 0; i < times; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  state = x;
}

/** Computes for so long, and returns how many per second. */
function computeFor(seconds: number): number {
  const from = performance.now();
  let done = 0;
  do {
    compute(PER_LOOK);
    done += PER_LOOK;
  } while (performance.now() - from < seconds * 1000);
  if (state === 0) throw new Error('xorshift never comes to 0');
  return done / ((performance.now() - from) / 1000);
}

const { warmUp, measured } = workerData as Timing;
computeFor(warmUp);
parentPort?.postMessage(computeFor(measured));
