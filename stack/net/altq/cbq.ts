/**
 * Class based queueing (Floyd and Van Jacobson 1995): every queue has a share of the link. One that is within its share is served before others, by priority and in turns; one
 * that has used it up waits, unless it may borrow from a queue above that has not.
 */
import { queueLength } from '../../memory/queue.ts';
import { choice, classes, packetsOf } from './record.ts';
import type { Altq, AltqClass, Discipline } from './record.ts';

/** How long a queue may save up its share: bursts of so many ns, and at least a few packets. */
const BURST_TIME = 20e6;
const BURST_BYTES = 4 * 1514;

function refill(cl: AltqClass, time: number): void {
  const depth = Math.max(BURST_BYTES, cl.rate * BURST_TIME);
  cl.tokens = Math.min(depth, cl.tokens + (time - cl.counted) * cl.rate);
  cl.counted = time;
}

/** True if a queue above has something left of its share. */
function mayBorrow(cl: AltqClass): boolean {
  for (let at = cl; at.borrows === 1 && at.parent !== 0;) {
    at = classes.get(at.parent);
    if (at.tokens > 0) return true;
  }
  // Above the queues at the top is the link itself, which the token bucket limits.
  return cl.borrows === 1 && topBorrows(cl);
}

function topBorrows(cl: AltqClass): boolean {
  let at = cl;
  while (at.parent !== 0 && at.borrows === 1) at = classes.get(at.parent);
  return at.parent === 0 && at.borrows === 1;
}

/** True if `cl` is to be served rather than `best`: a higher priority, or the same and served longer ago. */
function isBefore(cl: AltqClass, best: AltqClass | undefined): boolean {
  if (best === undefined || cl.priority !== best.priority)
    return best === undefined || cl.priority > best.priority;
  return cl.served < best.served;
}

export const cbq: Discipline = {
  arrived: () => undefined,
  choose(altq: Altq, time: number): void {
    let within: AltqClass | undefined;
    let borrowing: AltqClass | undefined;
    let soonest = Infinity;
    for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next) refill(classes.get(ptr), time);
    for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next) {
      const cl = classes.get(ptr);
      if (queueLength(packetsOf(cl)) === 0) continue;
      if (cl.tokens > 0) {
        if (isBefore(cl, within)) within = cl;
      } else if (mayBorrow(cl)) {
        if (isBefore(cl, borrowing)) borrowing = cl;
      } else {
        cl.suspended++;
        soonest = Math.min(soonest, time + Math.max(1, (1 - cl.tokens) / cl.rate));
      }
    }
    const best = within ?? borrowing;
    choice.cl = best?.ptr ?? 0;
    choice.at = soonest;
  },
  sent(_altq, cl, length, _next, time) {
    if (cl.tokens <= 0) cl.borrowed++;
    cl.served = time;
    for (let at = cl; ; at = classes.get(at.parent)) {
      at.tokens -= length;
      if (at.parent === 0) return;
    }
  },
};
