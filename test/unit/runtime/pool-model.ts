/**
 * A model of the stack's work for the threads of the pool: interfaces that receive packets, whose servicer hands them to a stack's queue and becomes
 * the stack thread if the context is free. Everything is counted in the shared memory; counters of what must never happen stay at 0.
 */
import { QUEUE_BYTES, dequeueAll, enqueue, nextRecord, queueAt } from '../../../stack/memory/queue.ts';
import { i32, region, u32 } from '../../../stack/memory/memory.ts';
import { slab } from '../../../stack/memory/slab.ts';
import { struct } from '../../../stack/memory/struct.ts';
import { refreshNow } from '../../../stack/runtime/clock.ts';
import { leave, tryEnter } from '../../../stack/runtime/context.ts';
import { HANDLER, raise, raiseAt, setSourceHandler } from '../../../stack/runtime/source.ts';
import type { SourceHandler } from '../../../stack/runtime/source.ts';
import { REASON } from '../../../stack/runtime/trace.ts';

export const interfaces = slab(
  struct('modelInterface', {
    /** Threads that service it now: never more than one. */
    servicers: 'i32',
    /** Packets that came in, and how many of them were taken up. */
    received: 'i32',
    taken: 'i32',
    source: 'ptr',
    stack: 'ptr',
    random: 'u32',
  }),
  64,
);
export const stacks = slab(
  struct('modelStack', {
    /** The stack context. */
    context: 'i32',
    /** Threads that are in it: never more than one. */
    holders: 'i32',
    /** Threads that service any of its sources, and how many that may be. */
    servicers: 'i32',
    limit: 'i32',
    source: 'ptr',
    /** Counted by plain loads and stores, as everything under the context is. */
    processed: 'u32',
    input: { bytes: QUEUE_BYTES },
  }),
  8,
);
export const packets = slab(struct('modelPacket', { spare: 'u32', nextpkt: 'ptr' }), 60_000);

const counters = region('model counters', 64) >>> 2;
/** Services of a source that another thread was servicing; contexts entered that another thread held; packets without a record; threads that serve. */
export const COUNTER = {
  twiceServiced: 0,
  twiceHeld: 1,
  dropped: 2,
  stop: 3,
  started: 4,
  /** Services of a stack's sources by more threads at once than may work on it. */
  tooMany: 5,
  /** Not 0: every interface says that it has more to do, whatever it received. */
  busy: 6,
} as const;

export function readCounter(counter: number): number {
  return Atomics.load(i32, counters + counter);
}

export function count(counter: number): void {
  Atomics.add(i32, counters + counter, 1);
}

export function setCounter(counter: number, value: number): void {
  Atomics.store(i32, counters + counter, value);
}

function wordOf(ptr: number, offset: number): number {
  return (ptr + offset) >>> 2;
}

/** A packet comes in at an interface, from whichever thread. */
export function receive(ptr: number): void {
  Atomics.add(i32, wordOf(ptr, interfaces.struct.offsets.received), 1);
  raise(interfaces.get(ptr).source);
}

function spend(steps: number): void {
  for (let i = 0; i < steps; i++) Atomics.load(i32, counters + COUNTER.stop);
}

/** Works in the context until nothing is left, and looks once more after it has left. */
function enterStack(ptr: number, source: number, reason: number): void {
  const stack = stacks.get(ptr);
  const input = queueAt(stack.input);
  const holders = wordOf(ptr, stacks.struct.offsets.holders);
  do {
    if (!tryEnter(ptr, source, reason)) return;
    if (Atomics.add(i32, holders, 1) !== 0) count(COUNTER.twiceHeld);
    for (let first = dequeueAll(input); first !== 0; first = dequeueAll(input)) {
      for (let packet = first; packet !== 0;) {
        const next = nextRecord(packet);
        packets.free(packet);
        stack.processed++;
        packet = next;
      }
      spend(20);
    }
    Atomics.sub(i32, holders, 1);
    leave(ptr, source);
    reason = REASON.recheck;
  } while (Atomics.load(u32, wordOf(input.ptr, 12)) !== 0);
}

/** The next of a row of pseudo-random numbers that belongs to the interface. */
function nextRandom(ptr: number): number {
  const view = interfaces.get(ptr);
  view.random = (Math.imul(view.random, 1_664_525) + 1_013_904_223) >>> 0;
  return view.random >>> 8;
}

/** A handler that checks how many threads work on the stack of its source. */
function limited(stackOf: (arg: number) => number, handler: SourceHandler): SourceHandler {
  const { servicers, limit } = stacks.struct.offsets;
  return (arg, source) => {
    const stack = stackOf(arg);
    if (Atomics.add(i32, wordOf(stack, servicers), 1) >= i32[wordOf(stack, limit)]!) count(COUNTER.tooMany);
    const finished = handler(arg, source);
    Atomics.sub(i32, wordOf(stack, servicers), 1);
    return finished;
  };
}

function serviceInterface(ptr: number, source: number): boolean {
  if (readCounter(COUNTER.busy) !== 0) return serviceBusy(ptr);
  const view = interfaces.get(ptr);
  const servicers = wordOf(ptr, interfaces.struct.offsets.servicers);
  if (Atomics.add(i32, servicers, 1) !== 0) count(COUNTER.twiceServiced);
  const random = nextRandom(ptr);
  let waiting = Atomics.load(i32, wordOf(ptr, interfaces.struct.offsets.received)) - view.taken;
  const early = random % 7 === 0 && waiting > 1;
  if (early) waiting = 1;
  view.taken += waiting;
  const input = queueAt(stacks.get(view.stack).input);
  for (let i = 0; i < waiting; i++) {
    const packet = packets.alloc();
    if (packet === 0 || !enqueue(input, packet)) count(COUNTER.dropped);
  }
  spend(random % 50);
  if (random % 5 === 0) raise(source);
  if (random % 11 === 0) raiseAt(source, refreshNow() + 20_000);
  Atomics.sub(i32, servicers, 1);
  if (random % 4 === 0) raise(stacks.get(view.stack).source);
  else enterStack(view.stack, source, REASON.afterHardware);
  return !early;
}

/** A packet with each service, and more to come: what the stack is to do with it, it does by itself. */
function serviceBusy(ptr: number): boolean {
  const { stack } = interfaces.get(ptr);
  const packet = packets.alloc();
  if (packet !== 0) enqueue(queueAt(stacks.get(stack).input), packet);
  raise(stacks.get(stack).source);
  spend(200);
  return false;
}

/** Counts this thread among those that serve. */
export function announceStart(): void {
  count(COUNTER.started);
}

/** Tells the runtime of this thread how the model's sources are serviced. */
export function installModel(): void {
  setSourceHandler(
    HANDLER.interface,
    limited((ptr) => interfaces.get(ptr).stack, serviceInterface),
  );
  const serviceStack: SourceHandler = (stack, source) => {
    enterStack(stack, source, REASON.stackEvent);
    return true;
  };
  setSourceHandler(
    HANDLER.stack,
    limited((stack) => stack, serviceStack),
  );
}
