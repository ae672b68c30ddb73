/**
 * Event sources: whatever can need service — an interface's interrupt, a stack's own work, a link's delay line, a control pulse.
 * One source is serviced by at most one thread at a time; raising one that is already queued only marks it.
 */
import { i32 } from '../memory/memory.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { CALLOUT_BYTES, calloutDeadline, calloutInit, calloutPending } from './wheel.ts';
import {
  cancelSourceTimer,
  forgetCurrent,
  pushRunnable,
  removeRunnable,
  setSourceTimer,
} from './run-queue.ts';
import { REASON, TRACE, trace, tracing } from './trace.ts';

/** The three kinds of events of io-pkt's thread pool. */
export const KIND = { hardware: 0, stack: 1, other: 2 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

const IDLE = 0;
const QUEUED = 1;
const RUNNING = 2;
/** Raised again while a thread services it. */
const AGAIN = 3;

export const sourceStruct = struct('source', {
  state: 'i32',
  nextpkt: 'ptr',
  /** 0..63, 63 is the most urgent. */
  priority: 'u8',
  kind: 'u8',
  /** Index into the handlers of the runtime. */
  handler: 'u16',
  /** Worker whose run queue it goes to. */
  home: 'u32',
  /** Given to the handler: the record the source belongs to. */
  arg: 'ptr',
  /** The stack it belongs to, 0 for a link. */
  stack: 'ptr',
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
  const word = ptr >>> 2;
  for (;;) {
    const state = Atomics.load(i32, word);
    if (state === QUEUED || state === AGAIN) return;
    const next = state === IDLE ? QUEUED : AGAIN;
    if (Atomics.compareExchange(i32, word, state, next) !== state) continue;
    if (tracing()) trace(TRACE.raise, ptr, sources.get(ptr).stack, REASON.none);
    if (next === QUEUED) pushRunnable(sources.get(ptr));
    return;
  }
}

/** Runs the handler of a source taken from a run queue, and queues it again if there is more. */
export function service(ptr: number): void {
  const word = ptr >>> 2;
  const source = sources.get(ptr);
  Atomics.store(i32, word, RUNNING);
  if (tracing()) trace(TRACE.serviceBegin, ptr, source.stack, source.kind);
  const finished = handlers[source.handler]!(source.arg, ptr);
  source.serviced++;
  if (tracing()) trace(TRACE.serviceEnd, ptr, source.stack, finished ? 1 : 0);
  if (finished && Atomics.compareExchange(i32, word, RUNNING, IDLE) === RUNNING) return;
  Atomics.store(i32, word, QUEUED);
  pushRunnable(source);
}

/** Puts a source that a dead thread was servicing back into its queue. */
export function requeueAfterDeath(ptr: number): void {
  Atomics.store(i32, ptr >>> 2, QUEUED);
  pushRunnable(sources.get(ptr));
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
  if (Atomics.load(i32, ptr >>> 2) !== IDLE) removeRunnable(source);
  cancelSourceTimer(source.timer, source.home);
  forgetCurrent(ptr);
  sources.free(ptr);
}
