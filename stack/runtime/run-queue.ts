/**
 * Run queues: one per worker, 64 priority levels, first in first out within a level, and the timers of the sources at home there.
 * A worker takes from its own queue first and steals only when it is idle; only sleepers are notified.
 */
import { f64, i32 as sharedI32, maxThreads, region, u32 as sharedU32 } from '../memory/memory.ts';
import { breakLock, lock, tryLock, unlock } from '../memory/lock.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import {
  WHEEL_BYTES,
  calloutArg,
  wheelAt,
  wheelCancel,
  wheelNext,
  wheelReset,
  wheelSet,
  wheelTake,
} from './wheel.ts';
import type { Wheel } from './wheel.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const i32 = sharedI32;
const u32 = sharedU32;

const LEVELS = 64;

export const runQueueStruct = struct('runQueue', {
  lock: 'i32',
  count: 'i32',
  /** Which levels hold sources: bit n of `low` is level n, of `high` level 32 + n. */
  low: 'u32',
  high: 'u32',
  /** 1 while its worker sleeps; what Atomics.wait watches. */
  sleeping: 'i32',
  timerLock: 'i32',
  /** Source its worker is servicing, 0 while between two. */
  current: 'ptr',
  /** 1 while a worker serves this queue. */
  staffed: 'u32',
  /** Earliest deadline of its timers, ns; Infinity if none. */
  deadline: 'f64',
  /** Sources serviced, by kind, and stolen from others. */
  hardware: 'f64',
  stack: 'f64',
  other: 'f64',
  stolen: 'f64',
  slept: 'f64',
  /** How long its worker has worked, ns of the real clock. */
  busy: 'f64',
  heads: { bytes: LEVELS * 4 },
  tails: { bytes: LEVELS * 4 },
  wheel: { bytes: WHEEL_BYTES },
});
export type RunQueue = ViewOf<typeof runQueueStruct>;

const TIMER_LOCK = runQueueStruct.offsets.timerLock;
const COUNT = runQueueStruct.offsets.count;

const base = region('run queues', runQueueStruct.size * maxThreads);
const shared = struct('runtime', { sleepers: 'i32', threads: 'u32' }).at(region('runtime', 64));
const sleepersWord = shared.ptr >>> 2;
const queues: RunQueue[] = [];
const wheels: Wheel[] = [];
for (let thread = 0; thread < maxThreads; thread++) {
  const queue = runQueueStruct.at(base + thread * runQueueStruct.size);
  queues.push(queue);
  wheels.push(wheelAt(queue.wheel));
}

/** The parts of a source that a run queue uses. */
interface Runnable {
  readonly ptr: number;
  readonly priority: number;
  readonly home: number;
}

/** Word of a source's link (source.ts); its first word is its state, 0 while it is idle. */
const LINK_WORD = 1;

export function runQueue(thread: number): RunQueue {
  return queues[thread]!;
}

/** How many threads serve the lab; thread 0 alone when it is 1. */
export function poolSize(): number {
  return shared.threads;
}

/** Forgets all that was queued and all timers, and sets how many threads there are. Call it while no thread runs. */
export function resetRunQueues(threads: number): void {
  shared.threads = threads;
  for (let thread = 0; thread < maxThreads; thread++) {
    const queue = queues[thread]!;
    const wheel = wheels[thread]!;
    // What was waiting can be raised and set again.
    while (queue.count > 0) i32[takeFrom(queue) >>> 2] = 0;
    for (let next = wheelNext(wheel); next !== Infinity; next = wheelNext(wheel)) wheelTake(wheel, next);
    u32.fill(0, queue.ptr >>> 2, (queue.ptr + runQueueStruct.size) >>> 2);
    queue.deadline = Infinity;
    wheelReset(wheel, 0);
  }
}

/** Puts a source into the queue of its home and wakes whoever should serve it. */
export function pushRunnable(source: Runnable): void {
  const home = source.home;
  const queue = queues[home]!;
  const level = source.priority;
  u32[(source.ptr >>> 2) + LINK_WORD] = 0;
  lock(queue.ptr);
  const head = (queue.heads >>> 2) + level;
  const tail = (queue.tails >>> 2) + level;
  if (u32[head] === 0) {
    u32[head] = source.ptr;
    if (level < 32) queue.low |= 1 << level;
    else queue.high |= 1 << (level - 32);
  } else u32[(u32[tail]! >>> 2) + LINK_WORD] = source.ptr;
  u32[tail] = source.ptr;
  const count = queue.count + 1;
  queue.count = count;
  unlock(queue.ptr);
  if (Atomics.load(i32, sleepersWord) !== 0) wakeFor(home, count);
}

function wakeFor(home: number, count: number): void {
  if (wake(home) || count < 2) return;
  for (let thread = 0; thread <= shared.threads; thread++) if (wake(thread)) return;
}

/** Wakes a worker if it sleeps; says whether it did. */
export function wake(thread: number): boolean {
  const word = (queues[thread]!.ptr + runQueueStruct.offsets.sleeping) >>> 2;
  if (Atomics.load(i32, word) !== 1 || Atomics.compareExchange(i32, word, 1, 0) !== 1) return false;
  Atomics.notify(i32, word, 1);
  return true;
}

function takeFrom(queue: RunQueue): number {
  const high = queue.high;
  const level = high !== 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(queue.low);
  const head = (queue.heads >>> 2) + level;
  const ptr = u32[head]!;
  const next = u32[(ptr >>> 2) + LINK_WORD]!;
  u32[head] = next;
  if (next === 0) clearLevel(queue, level);
  queue.count--;
  return ptr;
}

function clearLevel(queue: RunQueue, level: number): void {
  if (level < 32) queue.low &= ~(1 << level);
  else queue.high &= ~(1 << (level - 32));
}

/** Takes a source out of the queue of its home, if it is there: it is about to be freed. */
export function removeRunnable(source: Runnable): void {
  const queue = queues[source.home]!;
  const level = source.priority;
  const head = (queue.heads >>> 2) + level;
  const tail = (queue.tails >>> 2) + level;
  lock(queue.ptr);
  let before = 0;
  let at = u32[head]!;
  while (at !== 0 && at !== source.ptr) {
    before = at;
    at = u32[(at >>> 2) + LINK_WORD]!;
  }
  if (at !== 0) {
    const next = u32[(at >>> 2) + LINK_WORD]!;
    if (before === 0) u32[head] = next;
    else u32[(before >>> 2) + LINK_WORD] = next;
    if (next === 0) u32[tail] = before;
    if (u32[head] === 0) clearLevel(queue, level);
    queue.count--;
  }
  unlock(queue.ptr);
}

/** The most urgent source of a thread's own queue, 0 if it is empty. */
export function popOwn(thread: number): number {
  const queue = queues[thread]!;
  if (queue.count === 0) return 0;
  lock(queue.ptr);
  const ptr = queue.count === 0 ? 0 : takeFrom(queue);
  unlock(queue.ptr);
  return ptr;
}

/** A source of another thread's queue, 0 if there is nothing to steal. */
export function steal(thread: number): number {
  const threads = shared.threads;
  for (let i = 1; i <= threads; i++) {
    const victim = queues[(thread + i) % (threads + 1)]!;
    if (victim.count === 0 || !tryLock(victim.ptr)) continue;
    const ptr = victim.count === 0 ? 0 : takeFrom(victim);
    unlock(victim.ptr);
    if (ptr !== 0) return ptr;
  }
  return 0;
}

/** Sets the timer of a source (initialised with the source as its argument): the source is raised at `deadline`. An earlier setting of the same source is replaced. */
export function setSourceTimer(timer: number, home: number, deadline: number): void {
  const queue = queues[home]!;
  lock(queue.ptr + TIMER_LOCK);
  const before = queue.deadline;
  wheelSet(wheels[home]!, timer, deadline);
  queue.deadline = wheelNext(wheels[home]!);
  unlock(queue.ptr + TIMER_LOCK);
  if (deadline < before) wake(home);
}

/** Cancels the timer of a source. */
export function cancelSourceTimer(timer: number, home: number): void {
  const queue = queues[home]!;
  lock(queue.ptr + TIMER_LOCK);
  if (wheelCancel(wheels[home]!, timer)) queue.deadline = wheelNext(wheels[home]!);
  unlock(queue.ptr + TIMER_LOCK);
}

/** Source whose timer is due at `time` in a thread's queue, 0 if none is. */
export function takeDueSource(thread: number, time: number): number {
  const queue = queues[thread]!;
  if (queue.deadline > time) return 0;
  lock(queue.ptr + TIMER_LOCK);
  const wheel = wheels[thread]!;
  const due = wheelTake(wheel, time);
  queue.deadline = wheelNext(wheel);
  unlock(queue.ptr + TIMER_LOCK);
  return due === 0 ? 0 : calloutArg(due);
}

/** Counts this thread among the sleepers and sleeps until it is woken, or for `ms`; `idle` is asked once more first. */
export function sleepUnless(thread: number, idle: () => boolean, ms: number): void {
  const queue = queues[thread]!;
  const word = (queue.ptr + runQueueStruct.offsets.sleeping) >>> 2;
  Atomics.store(i32, word, 1);
  Atomics.add(i32, sleepersWord, 1);
  if (idle()) {
    queue.slept++;
    Atomics.wait(i32, word, 1, ms);
  }
  Atomics.sub(i32, sleepersWord, 1);
  Atomics.store(i32, word, 0);
}

/** The earliest deadline of any thread's timers, ns. */
export function nextDeadline(): number {
  let best = Infinity;
  for (let thread = 0; thread <= shared.threads; thread++) {
    best = Math.min(best, f64[(queues[thread]!.ptr + runQueueStruct.offsets.deadline) >>> 3]!);
  }
  return best;
}

/** True if nothing is queued anywhere. */
export function nothingQueued(): boolean {
  for (let thread = 0; thread <= shared.threads; thread++) {
    // Atomic, because a sleeper asks this between announcing that it sleeps and sleeping.
    if (Atomics.load(i32, (queues[thread]!.ptr + COUNT) >>> 2) !== 0) return false;
  }
  return true;
}

/** No dead thread was servicing this source: it is freed. */
export function forgetCurrent(source: number): void {
  for (const queue of queues) if (queue.current === source) queue.current = 0;
}

/** Frees the locks of run queues that a dead thread holds. */
export function breakQueueLocks(thread: number): void {
  for (const queue of queues) {
    breakLock(queue.ptr, thread);
    breakLock(queue.ptr + runQueueStruct.offsets.timerLock, thread);
  }
}
