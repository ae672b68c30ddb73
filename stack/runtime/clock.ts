/**
 * The lab's clock: nanoseconds since the lab started, as a double. *Real*: the monotonic clock of the machine, the same for every thread.
 * *Virtual*: stands still while anything is to be done and then jumps to the next deadline. Everything in stack/ and drivers/ takes its time here.
 */
import { f64, region } from '../memory/memory.ts';
import { struct } from '../memory/struct.ts';

const clockStruct = struct('clock', {
  virtual: 'u32',
  seed: 'i32',
  /** Virtual time, ns. */
  now: 'f64',
  /** Monotonic ns at which the lab started (real mode). */
  origin: 'f64',
  /** Wall-clock ns since 1970 at lab time 0, as whole seconds and the rest. */
  epochSeconds: 'f64',
  epochRest: 'f64',
});
const clock = clockStruct.at(region('clock', clockStruct.size));
const nowWord = (clock.ptr + clockStruct.offsets.now) >>> 3;

export const SECOND = 1e9;
export const MILLISECOND = 1e6;
/** Virtual labs start at this wall-clock second, so that their captures are the same on every run: 1 January 2026, 00:00 UTC. */
const VIRTUAL_EPOCH = 1_767_225_600;

// performance.now() counts from an origin of each thread; hrtime() is one clock for all, but slower to read.
const threadOrigin = measureOrigin();

/** What hrtime() says, ns, when performance.now() says 0: the closest of several pairs of readings, because the thread may be interrupted between two. */
function measureOrigin(): number {
  let origin = 0;
  let closest = Infinity;
  for (let i = 0; i < 16; i++) {
    const before = performance.now();
    const [seconds, rest] = process.hrtime();
    const after = performance.now();
    if (after - before >= closest) continue;
    closest = after - before;
    origin = seconds * 1e9 + rest - ((before + after) / 2) * 1e6;
  }
  return origin;
}

function monotonic(): number {
  return threadOrigin + performance.now() * 1e6;
}

let cached = 0;

/** Starts the clock at 0. */
export function startClock(mode: 'real' | 'virtual', seed: number): void {
  clock.virtual = mode === 'virtual' ? 1 : 0;
  clock.seed = seed;
  clock.now = 0;
  // Virtual time knows nothing of the machine's clock.
  clock.origin = mode === 'virtual' ? 0 : monotonic();
  const wall = mode === 'virtual' ? VIRTUAL_EPOCH * 1000 : Date.now();
  clock.epochSeconds = Math.floor(wall / 1000);
  clock.epochRest = (wall % 1000) * 1e6;
  cached = 0;
}

export function isVirtual(): boolean {
  return clock.virtual !== 0;
}

/** The lab's seed, from which every generator of random numbers is derived. */
export function labSeed(): number {
  return clock.seed;
}

/** Time as of the last refreshNow() of this thread, ns: what all work of one batch sees. */
export function now(): number {
  return cached;
}

/** Reads the clock, ns, and makes that the time that now() tells this thread. */
export function refreshNow(): number {
  cached = readClock();
  return cached;
}

/** Reads the clock, ns, and leaves what now() tells as it is. */
export function readClock(): number {
  return clock.virtual !== 0 ? f64[nowWord]! : monotonic() - clock.origin;
}

/** Lets virtual time jump forward. */
export function jumpTo(time: number): void {
  if (time > clock.now) clock.now = time;
}

/** Wall-clock nanoseconds since 1970 of a lab time. */
export function wallClock(time: number): bigint {
  return BigInt(clock.epochSeconds) * 1_000_000_000n + BigInt(Math.round(clock.epochRest + time));
}

/** Whole wall-clock seconds since 1970 of a lab time. */
export function wallSeconds(time: number): number {
  return clock.epochSeconds + Math.floor((clock.epochRest + time) / SECOND);
}

/** The microseconds behind those. */
export function wallMicroseconds(time: number): number {
  return Math.floor(((clock.epochRest + time) % SECOND) / 1000);
}
