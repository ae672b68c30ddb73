/**
 * Run queues: one per worker, 64 priority levels, first in first out within a level, and the timers of the sources at home there.
 * A worker takes from its own queue first and steals only when it is idle; only sleepers are notified. A dedicated worker keeps to its own queue, and the others
 * to theirs.
 */
import {
  f64,
  i32 as sharedI32,
  maxThreads,
  region,
  u32 as sharedU32,
  u8 as sharedU8,
} from '../memory/memory.ts';
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
const u8 = sharedU8;

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
  /** Source its worker is servicing in the middle of that one (serviceInPlace() of source.ts), 0 for none. */
  within: 'ptr',
  /** 1 while a worker serves this queue. */
  staffed: 'u32',
  /** 1: its worker does nothing else, and nobody else takes from it (-D of io-pkt). Changes only while no thread works. */
  dedicated: 'u32',
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
const shared = struct('runtime', { sleepers: 'i32', threads: 'u32', inPlace: 'u32' }).at(
  region('runtime', 64),
);
const sleepersWord = shared.ptr >>> 2;
const queues: RunQueue[] = [];
const wheels: Wheel[] = [];
for (let thread = 0; thread < maxThreads; thread++) {
  const queue = runQueueStruct.at(base + thread * runQueueStruct.size);
  queues.push(queue);
  wheels.push(wheelAt(queue.wheel));
}

/** The head of every source (source.ts): what a run queue knows of it. */
export const runnable = struct('runnable', {
  /** What source.ts says of it in two bits; above them the level at which it is, or is to be, queued. */
  state: 'i32',
  nextpkt: 'ptr',
  /** Worker whose run queue it goes to. */
  home: 'u32',
  /** 1 + the level that it is queued at, 0 while it is in no run queue; under the lock of that of its home. */
  queuedAt: 'u8',
});
type Runnable = ViewOf<typeof runnable>;

/** Word of a source's link. */
export const LINK_WORD = runnable.offsets.nextpkt >>> 2;
const QUEUED_AT = runnable.offsets.queuedAt;

/** The level of a source. */
export function levelOf(source: number): number {
  return Atomics.load(i32, source >>> 2) >>> 2;
}

export function runQueue(thread: number): RunQueue {
  return queues[thread]!;
}

/** How many threads serve the lab; thread 0 alone when it is 1. */
export function poolSize(): number {
  return shared.threads;
}

/** True where a source may be serviced in the middle of another one: with workers, not where every event has its place in virtual time. */
export function mayServiceInPlace(): boolean {
  return shared.inPlace !== 0;
}

/** Forgets all that was queued and all timers, and sets how many threads there are. Call it while no thread runs. */
export function resetRunQueues(threads: number): void {
  shared.threads = threads;
  shared.inPlace = threads > 0 ? 1 : 0;
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

/** Puts a source into the queue of its home, at its level, and wakes whoever should serve it. */
export function pushRunnable(source: Runnable): void {
  const home = source.home;
  const queue = queues[home]!;
  lock(queue.ptr);
  append(queue, source);
  const count = queue.count;
  unlock(queue.ptr);
  if (Atomics.load(i32, sleepersWord) !== 0) wakeFor(home, count);
}

/** Appends a source to its level. Under the queue's lock, so that it cannot miss a level that was raised meanwhile: see moveUp(). */
function append(queue: RunQueue, source: Runnable): void {
  const level = levelOf(source.ptr);
  u32[(source.ptr >>> 2) + LINK_WORD] = 0;
  const head = (queue.heads >>> 2) + level;
  const tail = (queue.tails >>> 2) + level;
  if (u32[head] === 0) {
    u32[head] = source.ptr;
    if (level < 32) queue.low |= 1 << level;
    else queue.high |= 1 << (level - 32);
  } else u32[(u32[tail]! >>> 2) + LINK_WORD] = source.ptr;
  u32[tail] = source.ptr;
  source.queuedAt = level + 1;
  queue.count++;
}

/** The level of a source has been raised: it goes to the end of the new one, if it is in the queue and not on its way into it or out of it. */
export function moveUp(source: Runnable): void {
  const queue = queues[source.home]!;
  lock(queue.ptr);
  if (source.queuedAt !== 0 && source.queuedAt - 1 !== levelOf(source.ptr)) {
    unlink(queue, source);
    append(queue, source);
  }
  unlock(queue.ptr);
}

function wakeFor(home: number, count: number): void {
  if (wake(home) || count < 2 || queues[home]!.dedicated !== 0) return;
  for (let thread = 0; thread <= shared.threads; thread++)
    if (queues[thread]!.dedicated === 0 && wake(thread)) return;
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
  u8[ptr + QUEUED_AT] = 0;
  return ptr;
}

function clearLevel(queue: RunQueue, level: number): void {
  if (level < 32) queue.low &= ~(1 << level);
  else queue.high &= ~(1 << (level - 32));
}

/** True while a source at `level` or above waits in a thread's own queue. */
export function urgentWaits(thread: number, level: number): boolean {
  const { high, low } = queues[thread]!;
  return (high !== 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(low)) >= level;
}

/** Takes a source out of the queue of its home, if it is there; says whether it was. */
export function removeRunnable(source: Runnable): boolean {
  const queue = queues[source.home]!;
  lock(queue.ptr);
  const queued = source.queuedAt !== 0;
  if (queued) unlink(queue, source);
  unlock(queue.ptr);
  return queued;
}

/** Takes a source that is in the queue out of it. */
function unlink(queue: RunQueue, source: Runnable): void {
  const level = source.queuedAt - 1;
  const head = (queue.heads >>> 2) + level;
  let before = 0;
  for (let at = u32[head]!; at !== source.ptr; at = u32[(at >>> 2) + LINK_WORD]!) before = at;
  const next = u32[(source.ptr >>> 2) + LINK_WORD]!;
  if (before === 0) u32[head] = next;
  else u32[(before >>> 2) + LINK_WORD] = next;
  if (next === 0) u32[(queue.tails >>> 2) + level] = before;
  if (u32[head] === 0) clearLevel(queue, level);
  queue.count--;
  source.queuedAt = 0;
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

/**
 * A source of another thread's queue, 0 if there is nothing to steal. What that thread will take itself is left to it: it knows the record better.
 * @param impatient takes it nevertheless
 */
export function steal(thread: number, impatient: boolean): number {
  const threads = shared.threads;
  for (let i = 1; i <= threads; i++) {
    const victim = queues[(thread + i) % (threads + 1)]!;
    if (victim.count === 0 || victim.dedicated !== 0) continue;
    const coming = victim.current === 0 && victim.staffed !== 0 && victim.count < 2;
    if ((coming && !impatient) || !tryLock(victim.ptr)) continue;
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

/** True if nothing is queued that a thread may take. */
export function nothingFor(thread: number): boolean {
  if (queues[thread]!.dedicated !== 0) return isEmpty(thread);
  for (let other = 0; other <= shared.threads; other++) {
    if (queues[other]!.dedicated === 0 && !isEmpty(other)) return false;
  }
  return true;
}

function isEmpty(thread: number): boolean {
  // Atomic, because a sleeper asks this between announcing that it sleeps and sleeping.
  return Atomics.load(i32, (queues[thread]!.ptr + COUNT) >>> 2) === 0;
}

/** Keeps a worker for the sources that are at home with it, or lets it share the work of all again. No thread works meanwhile. */
export function setDedicated(thread: number, dedicated: boolean): void {
  queues[thread]!.dedicated = dedicated ? 1 : 0;
}

/** No dead thread was servicing this source: it is freed. */
export function forgetCurrent(source: number): void {
  for (const queue of queues) {
    if (queue.current === source) queue.current = 0;
    if (queue.within === source) queue.within = 0;
  }
}

/** Frees the locks of run queues that a dead thread holds. */
export function breakQueueLocks(thread: number): void {
  for (const queue of queues) {
    breakLock(queue.ptr, thread);
    breakLock(queue.ptr + runQueueStruct.offsets.timerLock, thread);
  }
}
