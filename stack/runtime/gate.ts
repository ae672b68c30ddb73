/**
 * Gates: how many threads may work on the sources of one stack at once (`-t` of io-pkt, and 1 for drivers that are not safe for more). Only sources with such a
 * limit have a gate. A source that finds as many threads inside as there may be is parked; each thread that leaves lets the most urgent one back into its run queue,
 * so that nobody has to look again and again.
 */
import { u32 } from '../memory/memory.ts';
import { breakLock, lock, unlock } from '../memory/lock.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { LINK_WORD, levelOf } from './run-queue.ts';

export const gateStruct = struct('gate', {
  lock: 'i32',
  /** Most threads inside, and how many there are. A limit of 0 lets nobody in. */
  limit: 'u32',
  inside: 'u32',
  /** First of the sources that wait, in order of arrival. */
  parked: 'ptr',
  /** The stack whose sources it is for. */
  stack: 'ptr',
  /** How often a source had to wait. */
  waits: 'f64',
});
export type Gate = ViewOf<typeof gateStruct>;
export const gates = slab(gateStruct, 2048);

let onFirstWait: (gate: Gate) => void = () => undefined;

/** Says who is told when a source has to wait at a gate for the first time, in whichever thread. */
export function setFirstWaitListener(listener: (gate: Gate) => void): void {
  onFirstWait = listener;
}

/** Lets this thread in to service a source, or parks the source and returns false. */
export function passGate(gate: Gate, source: number): boolean {
  lock(gate.ptr);
  const free = gate.inside < gate.limit;
  if (free) gate.inside++;
  else {
    park(gate, source);
    gate.waits++;
  }
  const first = !free && gate.waits === 1;
  unlock(gate.ptr);
  if (first) onFirstWait(gate);
  return free;
}

function park(gate: Gate, source: number): void {
  u32[(source >>> 2) + LINK_WORD] = 0;
  if (gate.parked === 0) {
    gate.parked = source;
    return;
  }
  let last = gate.parked;
  for (let next = nextOf(last); next !== 0; next = nextOf(last)) last = next;
  u32[(last >>> 2) + LINK_WORD] = source;
}

function nextOf(source: number): number {
  return u32[(source >>> 2) + LINK_WORD]!;
}

/** This thread goes out. Returns the source that may come in now and is to be queued again, 0 if none waits. */
export function leaveGate(gate: Gate): number {
  lock(gate.ptr);
  gate.inside--;
  const next = gate.inside < gate.limit ? takeMostUrgent(gate) : 0;
  unlock(gate.ptr);
  return next;
}

/** The first of the most urgent sources that wait; they are few: those of one stack. */
function takeMostUrgent(gate: Gate): number {
  let best = gate.parked;
  if (best === 0) return 0;
  for (let at = nextOf(best); at !== 0; at = nextOf(at)) if (levelOf(at) > levelOf(best)) best = at;
  unlink(gate, best);
  return best;
}

function unlink(gate: Gate, source: number): boolean {
  let before = 0;
  let at = gate.parked;
  while (at !== 0 && at !== source) {
    before = at;
    at = nextOf(at);
  }
  if (at === 0) return false;
  if (before === 0) gate.parked = nextOf(at);
  else u32[(before >>> 2) + LINK_WORD] = nextOf(at);
  return true;
}

/** Changes how many threads may be inside. Returns the first of the sources that waited, linked: all of them are to be queued again. */
export function setGateLimit(gate: Gate, limit: number): number {
  lock(gate.ptr);
  gate.limit = limit;
  const first = gate.parked;
  gate.parked = 0;
  unlock(gate.ptr);
  return first;
}

/** A source that may be parked is about to be freed or was queued elsewhere: it waits here no more. */
export function forgetParked(gate: Gate, source: number): void {
  lock(gate.ptr);
  unlink(gate, source);
  unlock(gate.ptr);
}

/** How many sources wait at a gate. */
export function parkedSources(gate: Gate): number {
  lock(gate.ptr);
  let count = 0;
  for (let at = gate.parked; at !== 0; at = nextOf(at)) count++;
  unlock(gate.ptr);
  return count;
}

/** Frees the locks of gates that a dead thread holds. */
export function breakGateLocks(thread: number): void {
  gates.each((gate) => breakLock(gate.ptr, thread));
}
