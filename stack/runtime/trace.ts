/**
 * The trace ring: what every thread did, in the order in which it happened, when switched on: services of sources, changes of the stack context,
 * sleep and wake. The anatomy view and the tests of the threading model read it.
 */
import { f64, i32, region, selfThread, u32, u8 } from '../memory/memory.ts';
import { struct } from '../memory/struct.ts';
import { readClock } from './clock.ts';

const CAPACITY = 65_536;
const ENTRY = 32;
const header = struct('trace', { on: 'i32', next: 'i32' }).at(region('trace header', 64));
const entries = region('trace entries', CAPACITY * ENTRY);
const onWord = header.ptr >>> 2;

/** What an entry tells. */
export const TRACE = {
  serviceBegin: 1,
  serviceEnd: 2,
  contextTaken: 3,
  contextLeft: 4,
  contextBusy: 5,
  sleep: 6,
  wake: 7,
  raise: 8,
  steal: 9,
  threadDied: 10,
} as const;
export type TraceKind = (typeof TRACE)[keyof typeof TRACE];

/** Why a thread took or left the stack context. */
export const REASON = {
  none: 0,
  afterHardware: 1,
  stackEvent: 2,
  recheck: 3,
  drained: 4,
  control: 5,
} as const;

export interface TraceEntry {
  readonly time: number;
  readonly thread: number;
  readonly kind: TraceKind;
  readonly source: number;
  readonly stack: number;
  readonly reason: number;
  /** Level of the run queue: of raise, serviceBegin and serviceEnd. */
  readonly level: number;
}

/** Switches tracing on (from an empty ring) or off. */
export function setTracing(on: boolean): void {
  if (on) {
    u8.fill(0, entries, entries + CAPACITY * ENTRY);
    Atomics.store(i32, onWord + 1, 0);
  }
  Atomics.store(i32, onWord, on ? 1 : 0);
}

/** True while tracing is on: ask before paying for the arguments. */
export function tracing(): boolean {
  return i32[onWord] !== 0;
}

/** Writes an entry; the oldest is overwritten when the ring is full. */
export function trace(kind: TraceKind, source: number, stack: number, reason: number, level = 0): void {
  const at = entries + (Atomics.add(i32, onWord + 1, 1) & (CAPACITY - 1)) * ENTRY;
  f64[at >>> 3] = readClock();
  u32[(at + 8) >>> 2] = source;
  u32[(at + 12) >>> 2] = stack;
  u8[at + 16] = selfThread;
  u8[at + 17] = kind;
  u8[at + 18] = reason;
  u8[at + 19] = level;
}

/** The entries, oldest first. Exact while no thread runs. */
export function readTrace(): TraceEntry[] {
  const oldest = Atomics.load(i32, onWord + 1);
  const list: TraceEntry[] = [];
  for (let i = 0; i < CAPACITY; i++) {
    const at = entries + ((oldest + i) & (CAPACITY - 1)) * ENTRY;
    // A place that was never written to.
    if (u8[at + 17] === 0) continue;
    list.push({
      time: f64[at >>> 3]!,
      source: u32[(at + 8) >>> 2]!,
      stack: u32[(at + 12) >>> 2]!,
      thread: u8[at + 16]!,
      kind: u8[at + 17]! as TraceKind,
      reason: u8[at + 18]!,
      level: u8[at + 19]!,
    });
  }
  return list;
}
