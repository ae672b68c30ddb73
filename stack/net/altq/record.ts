/**
 * Alternate queueing (altq(9); Cho 1998): an interface may have a tree of queues in place of its send queue. Records in the one memory; whoever works on a tree holds its lock. Times are
 * ns of the lab's clock, amounts bytes of frames, rates bytes per ns.
 */
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';
import { QUEUE_BYTES, queueAt } from '../../memory/queue.ts';
import type { Queue } from '../../memory/queue.ts';

/** Disciplines. */
export const SCHEDULER = { priq: 1, cbq: 2, hfsc: 3 } as const;

export const altqStruct = struct('altq', {
  lock: 'i32',
  nextpkt: 'ptr',
  interface: 'ptr',
  /** Has the tree looked at when something may be sent. */
  source: 'ptr',
  scheduler: 'u8',
  /** The first of all its queues, linked by `next`; the one for packets that no rule has given one. */
  classes: 'ptr',
  defaultClass: 'ptr',
  /** The token bucket in front of the card: rate, depth, tokens, when they were counted last. */
  rate: 'f64',
  depth: 'f64',
  tokens: 'f64',
  counted: 'f64',
  /** Packets in all its queues. */
  waiting: 'u32',
});
export type Altq = ViewOf<typeof altqStruct>;
export const altqs = slab(altqStruct, 1024);

/** A curve of service: at first one slope for a while, then another. */
const curve = <P extends string>(prefix: P) =>
  ({ [`${prefix}1`]: 'f64', [`${prefix}Time`]: 'f64', [`${prefix}2`]: 'f64' }) as {
    [K in `${P}1` | `${P}Time` | `${P}2`]: 'f64';
  };

/** A curve at work: begins at (x, y), bends at (x + dx, y + dy). */
const bend = <P extends string>(prefix: P) =>
  ({
    [`${prefix}X`]: 'f64',
    [`${prefix}Y`]: 'f64',
    [`${prefix}Dx`]: 'f64',
    [`${prefix}Dy`]: 'f64',
    [`${prefix}Slope1`]: 'f64',
    [`${prefix}Slope2`]: 'f64',
  }) as { [K in `${P}X` | `${P}Y` | `${P}Dx` | `${P}Dy` | `${P}Slope1` | `${P}Slope2`]: 'f64' };

export const classStruct = struct('altqclass', {
  next: 'ptr',
  nextpkt: 'ptr',
  altq: 'ptr',
  parent: 'ptr',
  /** Number by which packets name it (mbuf filterQueue). */
  number: 'u32',
  priority: 'u16',
  borrows: 'u8',
  red: 'u8',
  ecn: 'u8',
  /** 1 for a queue without queues below it. */
  leaf: 'u8',
  queue: { bytes: QUEUE_BYTES },
  rate: 'f64',
  /** CBQ: tokens of its own, when they were counted, when it was served last. */
  tokens: 'f64',
  counted: 'f64',
  served: 'f64',
  /** RED: average length of the queue, packets since the last one was dropped. */
  average: 'f64',
  sinceDrop: 'u32',
  // HFSC: the curves, and what follows from what was sent.
  ...curve('realtime'),
  ...curve('link'),
  ...curve('upper'),
  ...bend('deadline'),
  ...bend('eligible'),
  ...bend('virtual'),
  ...bend('limit'),
  /** Bytes sent in real time, and in all. */
  cumulated: 'f64',
  total: 'f64',
  eligibleAt: 'f64',
  deadlineAt: 'f64',
  virtualTime: 'f64',
  fitAt: 'f64',
  /** Packets in it and below it. */
  active: 'u32',
  packets: 'f64',
  bytes: 'f64',
  droppedPackets: 'f64',
  droppedBytes: 'f64',
  borrowed: 'f64',
  suspended: 'f64',
});
export type AltqClass = ViewOf<typeof classStruct>;
export const classes = slab(classStruct, 8192);

const queues: Queue[] = [];

/** The packets of a class; one view per thread. */
export function packetsOf(cl: AltqClass): Queue {
  const index = classes.indexOf(cl.ptr);
  while (queues.length <= index)
    queues.push(queueAt(classes.base + queues.length * classStruct.size + classStruct.offsets.queue));
  return queues[index]!;
}

/** Calls back for each class of a tree. */
export function eachClass(altq: Altq, visit: (cl: AltqClass) => void): void {
  for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next) visit(classes.get(ptr));
}

/** When a scheduler has nothing to send: at which time it may have; Infinity: not before a packet comes. */
export interface Choice {
  /** Class to take the next packet from, 0 for none. */
  cl: number;
  at: number;
}
export const choice: Choice = { cl: 0, at: Infinity };

/** What a discipline does. Called with the lock of the tree held. */
export interface Discipline {
  /** A packet has come to a class; `wasEmpty`: the first one. `length`: bytes of the packet at its head. */
  arrived(altq: Altq, cl: AltqClass, wasEmpty: boolean, length: number, time: number): void;
  /** Sets `choice`. */
  choose(altq: Altq, time: number): void;
  /** A packet of `length` bytes was taken from a class; `next`: bytes of the packet at its head now, 0 for none. */
  sent(altq: Altq, cl: AltqClass, length: number, next: number, time: number): void;
}
