/**
 * Queues of records that are linked through their second word (`nextpkt`): interface send queues, receive rings of virtual cards,
 * the stack's input queue, requests. Many producers and consumers under one short lock; whole lists move in constant time,
 * so the lock is paid once per batch.
 */
import { u32 as sharedU32 } from './memory.ts';
import { lock, unlock } from './lock.ts';
import { struct } from './struct.ts';
import type { ViewOf } from './struct.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u32 = sharedU32;

export const queueStruct = struct('queue', {
  lock: 'i32',
  head: 'ptr',
  tail: 'ptr',
  len: 'u32',
  /** Most records it takes; 0: no limit. */
  max: 'u32',
  drops: 'u32',
});
export type Queue = ViewOf<typeof queueStruct>;
export const QUEUE_BYTES = queueStruct.size;

/** The queue embedded at an address. */
export function queueAt(ptr: number): Queue {
  return queueStruct.at(ptr);
}

function setNext(record: number, next: number): void {
  u32[(record >>> 2) + 1] = next;
}

/** The record queued behind this one, 0 at the end. */
export function nextRecord(record: number): number {
  return u32[(record >>> 2) + 1]!;
}

/** Appends one record; false (and a drop counted) if the queue is full: the caller still owns the record then. */
export function enqueue(q: Queue, record: number): boolean {
  setNext(record, 0);
  lock(q.ptr);
  const len = q.len;
  if (q.max !== 0 && len >= q.max) {
    q.drops++;
    unlock(q.ptr);
    return false;
  }
  if (len === 0) q.head = record;
  else setNext(q.tail, record);
  q.tail = record;
  q.len = len + 1;
  unlock(q.ptr);
  return true;
}

/**
 * Appends a list of `count` records, from `first` to `last`, as far as there is room; what does not fit is counted as dropped.
 * Returns the first record that did not fit (the caller owns it and all behind it), or 0.
 */
export function enqueueList(q: Queue, first: number, last: number, count: number): number {
  setNext(last, 0);
  lock(q.ptr);
  const len = q.len;
  const room = q.max === 0 ? count : Math.max(q.max - len, 0);
  let end = last;
  let rest = 0;
  if (count > room) {
    q.drops += count - room;
    if (room === 0) {
      unlock(q.ptr);
      return first;
    }
    end = first;
    for (let i = 1; i < room; i++) end = nextRecord(end);
    rest = nextRecord(end);
    setNext(end, 0);
  }
  if (len === 0) q.head = first;
  else setNext(q.tail, first);
  q.tail = end;
  q.len = len + Math.min(count, room);
  unlock(q.ptr);
  return rest;
}

/** How many records wait, as of all that other threads did before they gave up a lock that this one took or found free. */
export function queueLength(q: Queue): number {
  return Atomics.load(u32, (q.ptr + LEN) >>> 2);
}
const LEN = queueStruct.offsets.len;

/** The first record, which stays where it is; 0 if there is none. Only its owner may free it meanwhile. */
export function firstRecord(q: Queue): number {
  lock(q.ptr);
  const first = q.head;
  unlock(q.ptr);
  return first;
}

/** Takes the first record, 0 if there is none. */
export function dequeue(q: Queue): number {
  if (q.len === 0) return 0;
  lock(q.ptr);
  const record = q.head;
  if (record !== 0) {
    q.head = nextRecord(record);
    q.len--;
    setNext(record, 0);
  }
  unlock(q.ptr);
  return record;
}

/** Takes the first `most` records as a list (linked by nextRecord), 0 if there are none. */
export function dequeueSome(q: Queue, most: number): number {
  if (q.len === 0) return 0;
  lock(q.ptr);
  const first = q.head;
  if (q.len <= most) empty(q);
  else {
    let last = first;
    for (let i = 1; i < most; i++) last = nextRecord(last);
    q.head = nextRecord(last);
    q.len -= most;
    setNext(last, 0);
  }
  unlock(q.ptr);
  return first;
}

function empty(q: Queue): void {
  q.head = 0;
  q.tail = 0;
  q.len = 0;
}

/** Takes the whole list (linked by nextRecord), 0 if it is empty. */
export function dequeueAll(q: Queue): number {
  if (q.len === 0) return 0;
  lock(q.ptr);
  const first = q.head;
  empty(q);
  unlock(q.ptr);
  return first;
}
