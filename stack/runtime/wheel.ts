/**
 * A hierarchical timing wheel in the one memory (Varghese and Lauck, 1987): callouts with exact deadlines, four levels of 64 slots,
 * about 1 ms per slot at the lowest. Setting and cancelling are constant-time; a slot's list keeps the order of insertion,
 * and callouts of one tick fire in order of their exact deadlines, so that a virtual clock can jump from one to the next.
 * One owner at a time works on a wheel (the stack context, or the lock of a run queue).
 */
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { f64, u32 } from '../memory/memory.ts';

/** One timer, embedded in the record it belongs to. */
export const calloutStruct = struct('callout', {
  next: 'ptr',
  prev: 'ptr',
  /** When it fires, ns of the lab's clock. */
  deadline: 'f64',
  /** Slot + 1 while it is set, 0 otherwise. */
  slot: 'u32',
  /** What to call: an index into the handlers of its owner. */
  handler: 'u32',
  arg: 'ptr',
});
export type Callout = ViewOf<typeof calloutStruct>;
export const CALLOUT_BYTES = calloutStruct.size;

const LEVELS = 4;
const SLOTS = 64;
const OVERFLOW_SLOT = LEVELS * SLOTS;
/** ns per slot of the lowest level. */
const TICK = 1_048_576;

export const wheelStruct = struct('wheel', {
  /** The tick up to which everything has fired. */
  tick: 'f64',
  count: 'u32',
  heads: { bytes: (OVERFLOW_SLOT + 1) * 4 },
});
export type Wheel = ViewOf<typeof wheelStruct>;
export const WHEEL_BYTES = wheelStruct.size;

const SPAN = [1, 64, 64 * 64, 64 * 64 * 64, 64 * 64 * 64 * 64] as const;

// A callout's fields by word, so that working on a wheel makes no views.
const NEXT = calloutStruct.offsets.next >>> 2;
const PREV = calloutStruct.offsets.prev >>> 2;
const DEADLINE = calloutStruct.offsets.deadline;
const SLOT = calloutStruct.offsets.slot >>> 2;
const HANDLER = calloutStruct.offsets.handler >>> 2;
const ARG = calloutStruct.offsets.arg >>> 2;

/** The view of an embedded callout. */
export function calloutAt(ptr: number): Callout {
  return calloutStruct.at(ptr);
}

/** What a callout is to call, and with what. */
export function calloutInit(ptr: number, handler: number, arg: number): void {
  const word = ptr >>> 2;
  u32[word + SLOT] = 0;
  u32[word + HANDLER] = handler;
  u32[word + ARG] = arg;
}

export function calloutHandler(ptr: number): number {
  return u32[(ptr >>> 2) + HANDLER]!;
}

export function calloutArg(ptr: number): number {
  return u32[(ptr >>> 2) + ARG]!;
}

/** True while it is set. */
export function calloutPending(ptr: number): boolean {
  return u32[(ptr >>> 2) + SLOT] !== 0;
}

/** When it fires, ns; meaningful while it is pending. */
export function calloutDeadline(ptr: number): number {
  return f64[(ptr + DEADLINE) >>> 3]!;
}

export function wheelAt(ptr: number): Wheel {
  return wheelStruct.at(ptr);
}

function slotFor(wheel: Wheel, deadline: number): number {
  const due = Math.max(Math.floor(deadline / TICK), wheel.tick);
  for (let level = 0; level < LEVELS; level++) {
    const span = SPAN[level]!;
    const place = Math.floor(due / span);
    if (place - Math.floor(wheel.tick / span) < SLOTS) return level * SLOTS + (place % SLOTS);
  }
  return OVERFLOW_SLOT;
}

function link(wheel: Wheel, callout: number, deadline: number, slot: number): void {
  // Kept sorted by deadline, later ones behind equal ones; lists are short.
  const head = (wheel.heads >>> 2) + slot;
  let before = 0;
  let at = u32[head]!;
  while (at !== 0 && f64[(at + DEADLINE) >>> 3]! <= deadline) {
    before = at;
    at = u32[(at >>> 2) + NEXT]!;
  }
  const word = callout >>> 2;
  u32[word + NEXT] = at;
  u32[word + PREV] = before;
  u32[word + SLOT] = slot + 1;
  if (before === 0) u32[head] = callout;
  else u32[(before >>> 2) + NEXT] = callout;
  if (at !== 0) u32[(at >>> 2) + PREV] = callout;
}

function unlink(wheel: Wheel, callout: number): void {
  const word = callout >>> 2;
  const next = u32[word + NEXT]!;
  const prev = u32[word + PREV]!;
  if (prev === 0) u32[(wheel.heads >>> 2) + u32[word + SLOT]! - 1] = next;
  else u32[(prev >>> 2) + NEXT] = next;
  if (next !== 0) u32[(next >>> 2) + PREV] = prev;
  u32[word + SLOT] = 0;
}

/** Sets a callout (again): it fires once at `deadline`, ns. */
export function wheelSet(wheel: Wheel, callout: number, deadline: number): void {
  if (u32[(callout >>> 2) + SLOT] !== 0) unlink(wheel, callout);
  else wheel.count++;
  f64[(callout + DEADLINE) >>> 3] = deadline;
  link(wheel, callout, deadline, slotFor(wheel, deadline));
}

/** Cancels a callout; says whether it was set. */
export function wheelCancel(wheel: Wheel, callout: number): boolean {
  if (u32[(callout >>> 2) + SLOT] === 0) return false;
  unlink(wheel, callout);
  wheel.count--;
  return true;
}

/** The earliest deadline, or Infinity. */
export function wheelNext(wheel: Wheel): number {
  if (wheel.count === 0) return Infinity;
  let best = Infinity;
  for (let level = 0; level < LEVELS; level++) {
    const here = Math.floor(wheel.tick / SPAN[level]!);
    for (let i = 0; i < SLOTS; i++) {
      const first = u32[(wheel.heads >>> 2) + level * SLOTS + ((here + i) % SLOTS)]!;
      if (first === 0) continue;
      best = Math.min(best, f64[(first + DEADLINE) >>> 3]!);
      break;
    }
  }
  const far = u32[(wheel.heads >>> 2) + OVERFLOW_SLOT]!;
  return far === 0 ? best : Math.min(best, f64[(far + DEADLINE) >>> 3]!);
}

/** Takes the callout that is due first, if its deadline is at or before `now`; 0 if none is. Advances the wheel. */
export function wheelTake(wheel: Wheel, now: number): number {
  for (;;) {
    const next = wheelNext(wheel);
    if (next > now) return 0;
    advanceTo(wheel, Math.floor(next / TICK));
    const first = u32[(wheel.heads >>> 2) + (wheel.tick % SLOTS)]!;
    if (first === 0) continue;
    unlink(wheel, first);
    wheel.count--;
    return first;
  }
}

/** Moves the wheel to `tick` and lets the callouts of higher levels whose turn comes sink to where they belong now. */
function advanceTo(wheel: Wheel, tick: number): void {
  if (tick <= wheel.tick) return;
  const before = wheel.tick;
  wheel.tick = tick;
  for (let level = LEVELS - 1; level > 0; level--) {
    if (Math.floor(before / SPAN[level]!) !== Math.floor(tick / SPAN[level]!)) {
      sink(wheel, level * SLOTS + (Math.floor(tick / SPAN[level]!) % SLOTS));
    }
  }
  if (Math.floor(before / SPAN[LEVELS]!) !== Math.floor(tick / SPAN[LEVELS]!)) sink(wheel, OVERFLOW_SLOT);
}

function sink(wheel: Wheel, slot: number): void {
  let at = u32[(wheel.heads >>> 2) + slot]!;
  u32[(wheel.heads >>> 2) + slot] = 0;
  while (at !== 0) {
    const callout = at;
    const deadline = f64[(at + DEADLINE) >>> 3]!;
    at = u32[(at >>> 2) + NEXT]!;
    link(wheel, callout, deadline, slotFor(wheel, deadline));
  }
}

/** Forgets everything that was set. */
export function wheelReset(wheel: Wheel, now: number): void {
  for (let slot = 0; slot <= OVERFLOW_SLOT; slot++) u32[(wheel.heads >>> 2) + slot] = 0;
  wheel.count = 0;
  wheel.tick = Math.floor(now / TICK);
}

