/**
 * Event sources: whatever can need service — an interface's interrupt, a stack's own work, a link's delay line, a control pulse.
 * One source is serviced by at most one thread at a time; raising one that is already queued only marks it, or moves it up when it has become more urgent.
 */
import { i32, selfThread, u32 } from '../memory/memory.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { CALLOUT_BYTES, calloutDeadline, calloutInit, calloutPending } from './wheel.ts';
import { forgetParked, gates, leaveGate, passGate, setGateLimit } from './gate.ts';
import {
  LINK_WORD,
  cancelSourceTimer,
  forgetCurrent,
  mayServiceInPlace,
  moveUp,
  pushRunnable,
  removeRunnable,
  runQueue,
  runnable,
  setSourceTimer,
  urgentWaits,
} from './run-queue.ts';
import { REASON, TRACE, trace, tracing } from './trace.ts';

/** The three kinds of events of io-pkt's thread pool. */
export const KIND = { hardware: 0, stack: 1, other: 2 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

// What the two lowest bits of a source's state say; above them is the level at which it is queued, or is to be queued again.
const IDLE = 0;
const QUEUED = 1;
const RUNNING = 2;
/** Raised again while a thread services it. */
const AGAIN = 3;
const PHASE = 3;
const LEVEL_SHIFT = 2;
/** The most urgent level. */
export const MOST_URGENT = 63;

export const sourceStruct = struct('source', {
  ...runnable.fields,
  /** Level at which it is queued unless somebody asks for a higher or a lower one: 0..63, 63 is the most urgent. */
  priority: 'u8',
  kind: 'u8',
  /** Index into the handlers of the runtime. */
  handler: 'u16',
  /** Given to the handler: the record the source belongs to. */
  arg: 'ptr',
  /** The stack it belongs to, 0 for a link. */
  stack: 'ptr',
  /** Gate of a stack that not all threads may work on at once (gate.ts), 0 for none. */
  gate: 'ptr',
  serviced: 'f64',
  timer: { bytes: CALLOUT_BYTES },
});
export type Source = ViewOf<typeof sourceStruct>;
export const sources = slab(sourceStruct, 16_384);

/** Services what is waiting at `arg`. True: finished; false: stopped early for fairness, call again later. */
export type SourceHandler = (arg: number, source: number) => boolean;

const handlers: SourceHandler[] = [];

/** Names of the built-in handlers; the same number in every thread. */
export const HANDLER = {
  none: 0,
  stack: 1,
  interface: 2,
  link: 3,
  tap: 4,
  control: 5,
  test: 6,
  switch: 7,
  shim: 8,
  altq: 9,
} as const;

/** Tells the runtime of this thread what services the sources with this handler number. */
export function setSourceHandler(id: number, handler: SourceHandler): void {
  while (handlers.length <= id) handlers.push(() => true);
  handlers[id] = handler;
}

/** What a new source is. */
export interface SourceOptions {
  readonly kind: Kind;
  readonly handler: number;
  readonly arg: number;
  readonly stack: number;
  readonly home: number;
  readonly priority: number;
  readonly gate?: number;
}

/** A new idle source, 0 when the slab is full. */
export function newSource(options: SourceOptions): number {
  const ptr = sources.alloc();
  if (ptr === 0) return 0;
  const source = sources.get(ptr);
  Object.assign(source, options);
  calloutInit(source.timer, 0, ptr);
  return ptr;
}

/** Asks for service of a source: from any thread, any number of times. */
export function raise(ptr: number): void {
  raiseAtLevel(ptr, sources.get(ptr).priority);
}

/** Asks for service at a level of its own, such as the priority of a client; of several that are asked for, the most urgent counts. */
export function raiseAtLevel(ptr: number, level: number): void {
  const word = ptr >>> 2;
  for (;;) {
    const state = Atomics.load(i32, word);
    const phase = state & PHASE;
    const waits = phase === QUEUED || phase === AGAIN;
    if (waits && state >>> LEVEL_SHIFT >= level) return;
    const next = phase === IDLE ? QUEUED : phase === RUNNING ? AGAIN : phase;
    if (Atomics.compareExchange(i32, word, state, next | (level << LEVEL_SHIFT)) !== state) continue;
    if (tracing()) trace(TRACE.raise, ptr, sources.get(ptr).stack, REASON.none, level);
    if (phase === IDLE) pushRunnable(sources.get(ptr));
    else if (phase === QUEUED) moveUp(sources.get(ptr));
    return;
  }
}

/** Runs the handler of a source taken from a run queue, and queues it again if there is more. False: not now, it waits at its gate. */
export function service(ptr: number): boolean {
  const source = sources.get(ptr);
  const { gate } = source;
  if (gate !== 0 && !passGate(gates.get(gate), ptr)) return false;
  const level = Atomics.exchange(i32, ptr >>> 2, RUNNING) >>> LEVEL_SHIFT;
  const finished = handle(source, level);
  if (gate !== 0) readmit(leaveGate(gates.get(gate)));
  rest(source, finished);
  return true;
}

/** Level of the source in hand. */
let serving = 0;

/** True when this thread should come to an end with the source in hand: one that is as urgent waits for it. */
export function shouldGiveWay(): boolean {
  return urgentWaits(selfThread, serving);
}

/** Runs the handler of a source that this thread has made RUNNING. */
function handle(source: Source, level: number): boolean {
  if (tracing()) trace(TRACE.serviceBegin, source.ptr, source.stack, source.kind, level);
  const before = serving;
  serving = level;
  const finished = handlers[source.handler]!(source.arg, source.ptr);
  serving = before;
  source.serviced++;
  if (tracing()) trace(TRACE.serviceEnd, source.ptr, source.stack, finished ? 1 : 0, level);
  return finished;
}

/** The source is idle again, or queued again if there is more. */
function rest(source: Source, finished: boolean): void {
  if (finished && Atomics.compareExchange(i32, source.ptr >>> 2, RUNNING, IDLE) === RUNNING) return;
  queueAgain(source, finished ? 0 : source.priority);
}

const mine = runQueue(selfThread);

/**
 * Has a source serviced in the middle of another one, where that is allowed and nobody services it or is about to: as cheap as a call. Otherwise raises it. For sources
 * without a gate whose handlers are short and service nothing in their turn: links.
 */
export function serviceInPlace(ptr: number): void {
  const free = mayServiceInPlace() && mine.dedicated === 0 && mine.within === 0;
  if (!free || Atomics.compareExchange(i32, ptr >>> 2, IDLE, RUNNING) !== IDLE) {
    raise(ptr);
    return;
  }
  const source = sources.get(ptr);
  mine.within = ptr;
  const finished = handle(source, source.priority);
  mine.within = 0;
  rest(source, finished);
}

/** Back into the run queue, at the level that was asked for meanwhile and at least at `level`. */
function queueAgain(source: Source, level: number): void {
  const word = source.ptr >>> 2;
  for (;;) {
    const state = Atomics.load(i32, word);
    const wanted = (state & PHASE) === AGAIN ? Math.max(state >>> LEVEL_SHIFT, level) : level;
    if (Atomics.compareExchange(i32, word, state, QUEUED | (wanted << LEVEL_SHIFT)) === state) break;
  }
  pushRunnable(source);
}

/** A source that waited at a gate goes back into its run queue; 0: none did. */
function readmit(ptr: number): void {
  if (ptr !== 0) pushRunnable(sources.get(ptr));
}

/** Lets at most `limit` threads work on the sources of a gate at once. */
export function openGate(gate: number, limit: number): void {
  for (let ptr = setGateLimit(gates.get(gate), limit); ptr !== 0;) {
    const next = u32[(ptr >>> 2) + LINK_WORD]!;
    readmit(ptr);
    ptr = next;
  }
}

/** Takes a source from the run queue, or the gate, where it waits. */
function withdraw(source: Source): boolean {
  if (source.gate !== 0) forgetParked(gates.get(source.gate), source.ptr);
  return removeRunnable(source);
}

/** Puts a source that a dead thread was servicing back into its queue. */
export function requeueAfterDeath(ptr: number): void {
  const source = sources.get(ptr);
  withdraw(source);
  Atomics.store(i32, ptr >>> 2, QUEUED | (source.priority << LEVEL_SHIFT));
  pushRunnable(source);
}

/** Gives a source another home. No thread works meanwhile. */
export function moveHome(source: Source, home: number): void {
  const queued = removeRunnable(source);
  const deadline = calloutPending(source.timer) ? calloutDeadline(source.timer) : Infinity;
  cancelSourceTimer(source.timer, source.home);
  source.home = home;
  if (queued) pushRunnable(source);
  if (deadline !== Infinity) setSourceTimer(source.timer, home, deadline);
}

/** True while nobody has raised it or services it. */
export function sourceIsIdle(ptr: number): boolean {
  return Atomics.load(i32, ptr >>> 2) === IDLE;
}

/**
 * Has a source raised at `time` (ns) at the latest. An earlier time that is already set stays: an early service finds nothing to do and sets
 * the timer again, which is cheaper than moving it each time.
 */
export function raiseAt(ptr: number, time: number): void {
  const source = sources.get(ptr);
  if (calloutPending(source.timer) && calloutDeadline(source.timer) <= time) return;
  setSourceTimer(source.timer, source.home, time);
}

/** Frees a source. The caller makes sure that nobody services it or raises it any more. */
export function freeSource(ptr: number): void {
  const source = sources.get(ptr);
  if (Atomics.load(i32, ptr >>> 2) !== IDLE) withdraw(source);
  // Had it just been let in by its gate, it would have let the next one in.
  if (source.gate !== 0) openGate(source.gate, gates.get(source.gate).limit);
  cancelSourceTimer(source.timer, source.home);
  forgetCurrent(ptr);
  sources.free(ptr);
}
