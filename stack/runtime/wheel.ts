/**
 * A hierarchical timing wheel in the one memory (Varghese and Lauck, 1987): callouts with exact deadlines, four levels of 64 slots,
 * about 1 ms per slot at the lowest. A slot's list is sorted by deadline, equal ones in the order in which they were set; setting searches it
 * from its end, so that time-outs of one length are set in constant time. A virtual clock can jump from one deadline to the next.
 * One owner at a time works on a wheel (the stack context, or the lock of a run queue).
 */
import { f64 as sharedF64, u32 as sharedU32 } from '../memory/memory.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const f64 = sharedF64;
const u32 = sharedU32;

/** One timer, embedded in the record it belongs to. */
export const calloutStruct = struct('callout', {
  next: 'ptr',
  /** The one before in its slot; of the first one, the last. */
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
  /** Two words per level: which slots hold callouts. */
  occupied: { bytes: LEVELS * 8 },
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

/** Puts a callout into a slot behind `at`, or first if `at` is 0. */
function insert(wheel: Wheel, callout: number, slot: number, at: number): void {
  const head = (wheel.heads >>> 2) + slot;
  const first = u32[head]!;
  const word = callout >>> 2;
  const next = at === 0 ? first : u32[(at >>> 2) + NEXT]!;
  u32[word + SLOT] = slot + 1;
  u32[word + NEXT] = next;
  if (first === 0) {
    u32[word + PREV] = callout;
    if (slot !== OVERFLOW_SLOT) u32[(wheel.occupied >>> 2) + (slot >>> 5)]! |= 1 << (slot & 31);
  } else {
    u32[word + PREV] = at === 0 ? u32[(first >>> 2) + PREV]! : at;
    u32[((next === 0 ? first : next) >>> 2) + PREV] = callout;
  }
  if (at === 0) u32[head] = callout;
  else u32[(at >>> 2) + NEXT] = callout;
}

/** Puts a callout into its slot behind all that are due no later than it is. */
function linkLast(wheel: Wheel, callout: number, deadline: number): void {
  const slot = slotFor(wheel, deadline);
  const first = u32[(wheel.heads >>> 2) + slot]!;
  let at = first === 0 ? 0 : u32[(first >>> 2) + PREV]!;
  while (at !== 0 && f64[(at + DEADLINE) >>> 3]! > deadline) at = at === first ? 0 : u32[(at >>> 2) + PREV]!;
  insert(wheel, callout, slot, at);
}

/** Puts a callout into its slot before all that are due no earlier than it is. */
function linkFirst(wheel: Wheel, callout: number, deadline: number): void {
  const slot = slotFor(wheel, deadline);
  let before = 0;
  let at = u32[(wheel.heads >>> 2) + slot]!;
  while (at !== 0 && f64[(at + DEADLINE) >>> 3]! < deadline) {
    before = at;
    at = u32[(at >>> 2) + NEXT]!;
  }
  insert(wheel, callout, slot, before);
}

function unlink(wheel: Wheel, callout: number): void {
  const word = callout >>> 2;
  const slot = u32[word + SLOT]! - 1;
  const next = u32[word + NEXT]!;
  const prev = u32[word + PREV]!;
  const head = (wheel.heads >>> 2) + slot;
  if (u32[head] === callout) u32[head] = next;
  else u32[(prev >>> 2) + NEXT] = next;
  const first = u32[head]!;
  if (first !== 0) u32[((next === 0 ? first : next) >>> 2) + PREV] = prev;
  else if (slot !== OVERFLOW_SLOT) u32[(wheel.occupied >>> 2) + (slot >>> 5)]! &= ~(1 << (slot & 31));
  u32[word + SLOT] = 0;
}

/** Sets a callout (again): it fires once at `deadline`, ns. Never, if that is Infinity. */
export function wheelSet(wheel: Wheel, callout: number, deadline: number): void {
  if (Number.isNaN(deadline)) throw new Error(`callout ${callout}: its deadline is not a number`);
  if (u32[(callout >>> 2) + SLOT] !== 0) unlink(wheel, callout);
  else wheel.count++;
  f64[(callout + DEADLINE) >>> 3] = deadline;
  linkLast(wheel, callout, deadline);
}

/** Cancels a callout; says whether it was set. */
export function wheelCancel(wheel: Wheel, callout: number): boolean {
  if (u32[(callout >>> 2) + SLOT] === 0) return false;
  unlink(wheel, callout);
  wheel.count--;
  return true;
}

/** The lowest bit that is set, 0..31. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** First callout of the first slot of a level that holds any, counted from the slot whose turn it is; 0 if there is none. */
function firstOfLevel(wheel: Wheel, level: number): number {
  const words = (wheel.occupied >>> 2) + level * 2;
  const low = u32[words]!;
  const high = u32[words + 1]!;
  if (low === 0 && high === 0) return 0;
  const here = Math.floor(wheel.tick / SPAN[level]!) % SLOTS;
  const ahead = (here < 32 ? low : high) & (-1 << (here & 31));
  let slot: number;
  if (ahead !== 0) slot = (here & 32) + lowestBit(ahead);
  else if (here < 32) slot = high !== 0 ? 32 + lowestBit(high) : lowestBit(low);
  else slot = low !== 0 ? lowestBit(low) : 32 + lowestBit(high);
  return u32[(wheel.heads >>> 2) + level * SLOTS + slot]!;
}

/** The earliest deadline, or Infinity. */
export function wheelNext(wheel: Wheel): number {
  let best = Infinity;
  if (wheel.count === 0) return best;
  for (let level = 0; level < LEVELS; level++) {
    const first = firstOfLevel(wheel, level);
    if (first !== 0) best = Math.min(best, f64[(first + DEADLINE) >>> 3]!);
  }
  const far = u32[(wheel.heads >>> 2) + OVERFLOW_SLOT]!;
  return far === 0 ? best : Math.min(best, f64[(far + DEADLINE) >>> 3]!);
}

/** Takes the callout that is due first, if its deadline is at or before `now`; 0 if none is. Advances the wheel. */
export function wheelTake(wheel: Wheel, now: number): number {
  const next = wheelNext(wheel);
  if (next > now) {
    advanceTo(wheel, Math.floor(now / TICK));
    return 0;
  }
  if (next === Infinity) return 0;
  advanceTo(wheel, Math.floor(next / TICK));
  const first = u32[(wheel.heads >>> 2) + (wheel.tick % SLOTS)]!;
  unlink(wheel, first);
  wheel.count--;
  return first;
}

/** Moves the wheel to `tick`, before which nothing is due, and lets the callouts of higher levels whose turn comes sink to where they belong now. */
function advanceTo(wheel: Wheel, tick: number): void {
  const before = wheel.tick;
  if (tick <= before) return;
  wheel.tick = tick;
  if (wheel.count === 0) return;
  // The higher the level, the earlier its callouts were set: they come last and are put before the others.
  for (let level = 1; level < LEVELS; level++) {
    const place = Math.floor(tick / SPAN[level]!);
    if (Math.floor(before / SPAN[level]!) !== place) sink(wheel, level * SLOTS + (place % SLOTS));
  }
  if (Math.floor(before / SPAN[LEVELS]) !== Math.floor(tick / SPAN[LEVELS])) sink(wheel, OVERFLOW_SLOT);
}

/** Distributes the callouts of a slot, last first, before those of the same deadline that are there already. */
function sink(wheel: Wheel, slot: number): void {
  const first = u32[(wheel.heads >>> 2) + slot]!;
  if (first === 0) return;
  u32[(wheel.heads >>> 2) + slot] = 0;
  if (slot !== OVERFLOW_SLOT) u32[(wheel.occupied >>> 2) + (slot >>> 5)]! &= ~(1 << (slot & 31));
  let at = u32[(first >>> 2) + PREV]!;
  for (;;) {
    const callout = at;
    at = u32[(at >>> 2) + PREV]!;
    linkFirst(wheel, callout, f64[(callout + DEADLINE) >>> 3]!);
    if (callout === first) return;
  }
}

/** Forgets everything that was set; the callouts themselves must be initialised again before they are used. */
export function wheelReset(wheel: Wheel, now: number): void {
  u32.fill(0, wheel.occupied >>> 2, (wheel.ptr + WHEEL_BYTES) >>> 2);
  wheel.count = 0;
  wheel.tick = Math.floor(now / TICK);
}
