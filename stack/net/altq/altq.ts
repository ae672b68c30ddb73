/**
 * The way of a packet through the queues of an interface (altq(9)): a rule of PF has chosen its queue, or it takes the default one; the discipline says which queue is next, a token bucket
 * how fast the card gets them. Any thread may bring packets; what has to wait is sent by a source of its own.
 */
import { lock, unlock } from '../../memory/lock.ts';
import { filterQueue, mFree, mFreeList, mbuf } from '../../memory/mbuf.ts';
import { dequeue, dequeueAll, enqueue, firstRecord, queueLength } from '../../memory/queue.ts';
import { now, refreshNow } from '../../runtime/clock.ts';
import { IFF } from '../../runtime/messages/control.ts';
import { ERRNO } from '../../runtime/messages/errno.ts';
import { HANDLER, KIND, freeSource, newSource, raiseAt, setSourceHandler } from '../../runtime/source.ts';
import { ifQueueDirect, ifnets, onComing, setAltqOutput, startPending } from '../ifnet.ts';
import type { Ifnet } from '../ifnet.ts';
import { STATION, station } from '../journey.ts';
import { stacks } from '../stack.ts';
import { cbq } from './cbq.ts';
import { hfsc } from './hfsc.ts';
import { priq } from './priq.ts';
import { SCHEDULER, altqs, choice, classes, eachClass, packetsOf } from './record.ts';
import type { Altq, AltqClass, Discipline } from './record.ts';
import { canMark, isEarly, markCongestion } from './red.ts';

const DISCIPLINES: Readonly<Record<number, Discipline>> = {
  [SCHEDULER.priq]: priq,
  [SCHEDULER.cbq]: cbq,
  [SCHEDULER.hfsc]: hfsc,
};
const PRIORITY = 21;
const BYTE_BITS = 8e9;

/** Bytes per ns of so many bit/s. */
export function rateOf(bits: number): number {
  return bits / BYTE_BITS;
}

function classOf(altq: Altq, m: number): AltqClass {
  const wanted = filterQueue(mbuf(m));
  let found = altq.defaultClass;
  if (wanted !== 0)
    for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next)
      if (classes.get(ptr).number === wanted && classes.get(ptr).leaf === 1) found = ptr;
  return classes.get(found);
}

function drop(cl: AltqClass, m: number, ifp: number): number {
  cl.droppedPackets++;
  cl.droppedBytes += mbuf(m).pktLen;
  station(m, STATION.drop, ifp, ERRNO.ENOBUFS);
  mFree(m);
  return ERRNO.ENOBUFS;
}

/** RED: the packet, perhaps marked, or 0 if it is dropped. */
function admit(cl: AltqClass, m: number, ifp: Ifnet): number {
  if (cl.red === 0 || !isEarly(cl, queueLength(packetsOf(cl)), ifp.stack)) return m;
  if (cl.ecn === 1 && canMark(m)) return markCongestion(m);
  drop(cl, m, ifp.ptr);
  return 0;
}

/** Takes a frame for an interface with queues. Returns 0 or an errno; the frame is gone in any case. */
function output(ifp: Ifnet, frame: number): number {
  const altq = altqs.get(ifp.altq);
  lock(altq.ptr);
  const cl = classOf(altq, frame);
  const m = admit(cl, frame, ifp);
  const status = m === 0 ? ERRNO.ENOBUFS : append(altq, cl, m, ifp.ptr);
  if (status === 0) run(altq, now());
  unlock(altq.ptr);
  return status;
}

function append(altq: Altq, cl: AltqClass, m: number, ifp: number): number {
  const queue = packetsOf(cl);
  const wasEmpty = queueLength(queue) === 0;
  const { pktLen } = mbuf(m);
  if (!enqueue(queue, m)) return drop(cl, m, ifp);
  altq.waiting++;
  DISCIPLINES[altq.scheduler]!.arrived(altq, cl, wasEmpty, pktLen, now());
  return 0;
}

/** Gives the card what it may get now, and has the rest looked at when its time comes. With the lock held. */
function run(altq: Altq, time: number): void {
  const discipline = DISCIPLINES[altq.scheduler]!;
  altq.tokens = Math.min(altq.depth, altq.tokens + (time - altq.counted) * altq.rate);
  altq.counted = time;
  while (altq.waiting > 0) {
    if (altq.tokens <= 0) {
      raiseAt(altq.source, time + Math.max(1, Math.ceil((1 - altq.tokens) / altq.rate)));
      return;
    }
    discipline.choose(altq, time);
    if (choice.cl === 0) {
      if (choice.at !== Infinity) raiseAt(altq.source, Math.max(time + 1, Math.ceil(choice.at)));
      return;
    }
    sendFrom(altq, discipline, classes.get(choice.cl), time);
  }
}

function sendFrom(altq: Altq, discipline: Discipline, cl: AltqClass, time: number): void {
  const queue = packetsOf(cl);
  const m = dequeue(queue);
  const { pktLen } = mbuf(m);
  altq.waiting--;
  altq.tokens -= pktLen;
  cl.packets++;
  cl.bytes += pktLen;
  const head = firstRecord(queue);
  discipline.sent(altq, cl, pktLen, head === 0 ? 0 : mbuf(head).pktLen, time);
  ifQueueDirect(ifnets.get(altq.interface), m);
}

/** What a queue is made of. Rates in bit/s, times of curves in ms. */
export interface QueueSpec {
  readonly number: number;
  /** Number of the queue that it is below, 0 for the interface. */
  readonly parent: number;
  readonly leaf: boolean;
  readonly isDefault: boolean;
  readonly priority: number;
  /** Packets. */
  readonly limit: number;
  readonly bits: number;
  readonly borrows: boolean;
  readonly red: boolean;
  readonly ecn: boolean;
  readonly realtime?: Curve | undefined;
  readonly link?: Curve | undefined;
  readonly upper?: Curve | undefined;
}

/** bit/s for so many ms, then other bit/s. */
export interface Curve {
  readonly m1: number;
  readonly d: number;
  readonly m2: number;
}

export interface AltqSpec {
  readonly scheduler: (typeof SCHEDULER)[keyof typeof SCHEDULER];
  readonly bits: number;
  /** Bytes of the token bucket. */
  readonly depth: number;
  /** Parents before the queues below them. */
  readonly queues: readonly QueueSpec[];
}

function setCurve(cl: AltqClass, name: 'realtime' | 'link' | 'upper', curve: Curve | undefined): void {
  if (curve === undefined) return;
  // Without a first part it is one line.
  const straight = curve.d === 0;
  cl[`${name}1`] = rateOf(straight ? curve.m2 : curve.m1);
  cl[`${name}Time`] = straight ? 0 : curve.d * 1e6;
  cl[`${name}2`] = rateOf(curve.m2);
}

function addClass(altq: Altq, spec: QueueSpec, byNumber: ReadonlyMap<number, number>): number {
  const ptr = classes.alloc();
  if (ptr === 0) return 0;
  const cl = classes.get(ptr);
  cl.altq = altq.ptr;
  cl.parent = byNumber.get(spec.parent) ?? 0;
  cl.number = spec.number;
  cl.priority = spec.priority;
  cl.borrows = spec.borrows ? 1 : 0;
  cl.red = spec.red ? 1 : 0;
  cl.ecn = spec.ecn ? 1 : 0;
  cl.leaf = spec.leaf ? 1 : 0;
  cl.rate = rateOf(spec.bits);
  cl.counted = altq.counted;
  packetsOf(cl).max = spec.limit;
  setCurve(cl, 'realtime', spec.realtime);
  setCurve(cl, 'link', spec.link);
  setCurve(cl, 'upper', spec.upper);
  cl.next = altq.classes;
  altq.classes = ptr;
  if (spec.isDefault) altq.defaultClass = ptr;
  return ptr;
}

/** Gives an interface queues in place of those it has. Returns 0 or ENOBUFS. In the stack context. */
export function attachAltq(ifp: Ifnet, spec: AltqSpec): number {
  detachAltq(ifp);
  const ptr = altqs.alloc();
  const { home } = stacks.get(ifp.stack);
  const source =
    ptr === 0
      ? 0
      : newSource({ kind: KIND.other, handler: HANDLER.altq, arg: ptr, stack: 0, home, priority: PRIORITY });
  if (source === 0) {
    if (ptr !== 0) altqs.free(ptr);
    return ERRNO.ENOBUFS;
  }
  const altq = altqs.get(ptr);
  altq.interface = ifp.ptr;
  altq.source = source;
  altq.scheduler = spec.scheduler;
  altq.rate = rateOf(spec.bits);
  altq.depth = spec.depth;
  altq.tokens = spec.depth;
  altq.counted = refreshNow();
  const byNumber = new Map<number, number>();
  for (const queue of spec.queues) {
    const cl = addClass(altq, queue, byNumber);
    if (cl === 0) {
      free(altq);
      return ERRNO.ENOBUFS;
    }
    byNumber.set(queue.number, cl);
  }
  ifp.altq = ptr;
  ifp.flags |= IFF.ALTQ;
  return 0;
}

function free(altq: Altq): void {
  while (altq.classes !== 0) {
    const cl = classes.get(altq.classes);
    altq.classes = cl.next;
    mFreeList(dequeueAll(packetsOf(cl)));
    classes.free(cl.ptr);
  }
  freeSource(altq.source);
  altqs.free(altq.ptr);
}

/** Takes the queues of an interface away; what waits in them is lost. In the stack context, or while no thread works. */
export function detachAltq(ifp: Ifnet): void {
  if (ifp.altq === 0) return;
  const altq = altqs.get(ifp.altq);
  ifp.flags &= ~IFF.ALTQ;
  lock(altq.ptr);
  ifp.altq = 0;
  unlock(altq.ptr);
  free(altq);
}

/** Counters of the queues of an interface, by number. */
export function altqCounters(ifp: Ifnet): Map<number, AltqClass> {
  const found = new Map<number, AltqClass>();
  if (ifp.altq !== 0) eachClass(altqs.get(ifp.altq), (cl) => found.set(cl.number, cl));
  return found;
}

/** Packets that wait in a queue. */
export function altqLength(cl: AltqClass): number {
  return queueLength(packetsOf(cl));
}

/** Makes queueing part of the stack in this thread. */
export function installAltq(): void {
  setAltqOutput(output);
  onComing((ifp, isThere) => {
    if (!isThere) detachAltq(ifp);
  });
  setSourceHandler(HANDLER.altq, (ptr) => {
    const altq = altqs.get(ptr);
    lock(altq.ptr);
    run(altq, refreshNow());
    unlock(altq.ptr);
    startPending();
    return true;
  });
}
