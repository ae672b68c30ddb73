/**
 * Hierarchical fair service curves (Stoica, Zhang and Ng 1997): real-time curves promise a leaf so many bytes by so much time, whatever others do; what is left of the link goes down the
 * tree to whoever has got least of its link-share curve, unless an upper-limit curve holds it back.
 */
import { choice, classes } from './record.ts';
import type { Altq, AltqClass, Discipline } from './record.ts';

type Bent = 'deadline' | 'eligible' | 'virtual' | 'limit';

/** The amount that a curve at work grants by a time. */
function amountAt(cl: AltqClass, bent: Bent, time: number): number {
  const x = cl[`${bent}X`];
  const dx = cl[`${bent}Dx`];
  if (time <= x) return cl[`${bent}Y`];
  if (time <= x + dx) return cl[`${bent}Y`] + (time - x) * cl[`${bent}Slope1`];
  return cl[`${bent}Y`] + cl[`${bent}Dy`] + (time - x - dx) * cl[`${bent}Slope2`];
}

/** When a curve at work grants an amount. */
function timeOf(cl: AltqClass, bent: Bent, amount: number): number {
  const y = cl[`${bent}Y`];
  const dy = cl[`${bent}Dy`];
  const x = cl[`${bent}X`];
  if (amount < y) return x;
  if (amount <= y + dy) {
    if (dy === 0) return x + cl[`${bent}Dx`];
    return x + (amount - y) / cl[`${bent}Slope1`];
  }
  const slope = cl[`${bent}Slope2`];
  return slope === 0 ? Infinity : x + cl[`${bent}Dx`] + (amount - y - dy) / slope;
}

type Given = 'realtime' | 'link' | 'upper';

/** Puts a curve to work from (x, y) on. */
function begin(cl: AltqClass, bent: Bent, given: Given, x: number, y: number): void {
  cl[`${bent}X`] = x;
  cl[`${bent}Y`] = y;
  cl[`${bent}Slope1`] = cl[`${given}1`];
  cl[`${bent}Slope2`] = cl[`${given}2`];
  cl[`${bent}Dx`] = cl[`${given}Time`];
  cl[`${bent}Dy`] = cl[`${given}Time`] * cl[`${given}1`];
}

/** The lower of a curve at work and the given one from (x, y) on: a queue that comes back is promised no more than one that never left. */
function lower(cl: AltqClass, bent: Bent, given: Given, x: number, y: number): void {
  const first = cl[`${given}1`];
  const second = cl[`${given}2`];
  const old = amountAt(cl, bent, x);
  if (first <= second) {
    // Convex: the one that begins later lies lower.
    if (old >= y) begin(cl, bent, given, x, y);
    return;
  }
  const dx = cl[`${given}Time`];
  const dy = dx * first;
  if (old <= y) return;
  if (amountAt(cl, bent, x + dx) >= y + dy) {
    begin(cl, bent, given, x, y);
    return;
  }
  // They cross: the new one first, then the old one.
  let cross = (old - y) / (first - second);
  if (cl[`${bent}X`] + cl[`${bent}Dx`] > x) cross += cl[`${bent}X`] + cl[`${bent}Dx`] - x;
  begin(cl, bent, given, x, y);
  cl[`${bent}Dx`] = cross;
  cl[`${bent}Dy`] = cross * first;
}

const hasRealtime = (cl: AltqClass): boolean => cl.realtime1 > 0 || cl.realtime2 > 0;
const hasUpper = (cl: AltqClass): boolean => cl.upper1 > 0 || cl.upper2 > 0;

/** The eligible curve of a convex one is a line: nothing is sent before its time in advance. */
function flatten(cl: AltqClass): void {
  if (cl.realtime1 > cl.realtime2) return;
  cl.eligibleDx = 0;
  cl.eligibleDy = 0;
}

/** A leaf has a packet after it had none. */
function activateRealtime(cl: AltqClass, length: number, time: number): void {
  lower(cl, 'deadline', 'realtime', time, cl.cumulated);
  for (const field of ['X', 'Y', 'Dx', 'Dy', 'Slope1', 'Slope2'] as const)
    cl[`eligible${field}`] = cl[`deadline${field}`];
  flatten(cl);
  updateDeadline(cl, length);
}

function updateDeadline(cl: AltqClass, length: number): void {
  cl.eligibleAt = timeOf(cl, 'eligible', cl.cumulated);
  cl.deadlineAt = timeOf(cl, 'deadline', cl.cumulated + length);
}

/** Least and greatest virtual time among the queues beside one that have packets. */
function siblingsTime(altq: Altq, cl: AltqClass): number {
  let least = Infinity;
  let most = 0;
  for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next) {
    const other = classes.get(ptr);
    if (other.parent !== cl.parent || ptr === cl.ptr || other.active === 0) continue;
    least = Math.min(least, other.virtualTime);
    most = Math.max(most, other.virtualTime);
  }
  return least === Infinity ? -1 : (least + most) / 2;
}

/** A queue and those above it take part in sharing the link. */
function activateSharing(altq: Altq, leaf: AltqClass, time: number): void {
  for (let cl = leaf; ; cl = classes.get(cl.parent)) {
    if (cl.active++ === 0) {
      const among = siblingsTime(altq, cl);
      const from = among < 0 ? cl.virtualTime : Math.max(cl.virtualTime, among);
      lower(cl, 'virtual', 'link', from, cl.total);
      cl.virtualTime = Math.max(from, timeOf(cl, 'virtual', cl.total));
      if (hasUpper(cl)) {
        lower(cl, 'limit', 'upper', time, cl.total);
        cl.fitAt = timeOf(cl, 'limit', cl.total);
      } else cl.fitAt = 0;
    }
    if (cl.parent === 0) return;
  }
}

/** The leaf that must be served now to keep a promise, 0 for none; notes when the next one may have to be. */
function mostUrgent(altq: Altq, time: number): number {
  let found = 0;
  let deadline = Infinity;
  for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next) {
    const cl = classes.get(ptr);
    if (cl.leaf === 0 || cl.active === 0 || !hasRealtime(cl)) continue;
    if (cl.eligibleAt > time) choice.at = Math.min(choice.at, cl.eligibleAt);
    else if (cl.deadlineAt < deadline) {
      deadline = cl.deadlineAt;
      found = ptr;
    }
  }
  return found;
}

/** The queue below `parent` that has got least of its share and is not held back, 0 for none. */
function leastServed(altq: Altq, parent: number, time: number): number {
  let found = 0;
  let least = Infinity;
  for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next) {
    const cl = classes.get(ptr);
    if (cl.parent !== parent || cl.active === 0) continue;
    if (cl.fitAt > time) choice.at = Math.min(choice.at, cl.fitAt);
    else if (cl.virtualTime < least) {
      least = cl.virtualTime;
      found = ptr;
    }
  }
  return found;
}

let byRealtime = false;

export const hfsc: Discipline = {
  arrived(altq, cl, wasEmpty, length, time) {
    if (!wasEmpty) return;
    if (hasRealtime(cl)) activateRealtime(cl, length, time);
    activateSharing(altq, cl, time);
  },
  choose(altq, time) {
    choice.at = Infinity;
    choice.cl = mostUrgent(altq, time);
    byRealtime = choice.cl !== 0;
    if (byRealtime) return;
    let at = leastServed(altq, 0, time);
    while (at !== 0 && classes.get(at).leaf === 0) at = leastServed(altq, at, time);
    choice.cl = at;
  },
  sent(_altq, leaf, length, next, _time) {
    const isEmpty = next === 0;
    for (let cl = leaf; ; cl = classes.get(cl.parent)) {
      cl.total += length;
      cl.virtualTime = timeOf(cl, 'virtual', cl.total);
      if (hasUpper(cl)) cl.fitAt = timeOf(cl, 'limit', cl.total);
      if (isEmpty) cl.active--;
      if (cl.parent === 0) break;
    }
    if (byRealtime) leaf.cumulated += length;
    if (!isEmpty && hasRealtime(leaf)) updateDeadline(leaf, next);
  },
};
