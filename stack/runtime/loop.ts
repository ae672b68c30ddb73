/**
 * What a thread of the pool does: take the most urgent source, service it, raise the sources whose timers are due; steal when its own queue is empty;
 * spin a little, then sleep until it is woken or a timer is due. With a virtual clock one thread does all this and time jumps when nothing is left.
 */
import { selfThread } from '../memory/memory.ts';
import { now, refreshNow } from './clock.ts';
import { nothingFor, popOwn, runQueue, sleepUnless, steal, takeDueSource } from './run-queue.ts';
import { KIND, raise, service, sources } from './source.ts';
import { TRACE, trace, tracing } from './trace.ts';

const SPINS = 1000;
const LONGEST_NAP_MS = 1000;
const mine = runQueue(selfThread);
let latest = 0;

function run(source: number): void {
  const kind = sources.get(source).kind;
  latest = source;
  mine.current = source;
  const serviced = service(source);
  mine.current = 0;
  if (!serviced) return;
  if (kind === KIND.hardware) mine.hardware++;
  else if (kind === KIND.stack) mine.stack++;
  else mine.other++;
}

/** When the last turn() began, ns. */
let turnBegan = 0;

/** The source that this thread serviced last, 0 before the first. */
export function latestSource(): number {
  return latest;
}

/** Raises the sources of this thread whose timers are due. */
function raiseDue(): void {
  turnBegan = refreshNow();
  if (mine.deadline > turnBegan) return;
  const time = now();
  for (let due = takeDueSource(selfThread, time); due !== 0; due = takeDueSource(selfThread, time))
    raise(due);
}

/** Turns without work after which a source is taken from a thread that does not come for it: it sleeps, or the machine does not let it run. */
const PATIENCE = 100;
/** Turns without work since the last one with. */
let idle = 0;

/** One unit of work: a due timer, a source of ours, or one of another thread. Says whether there was any. */
export function turn(): boolean {
  raiseDue();
  const own = popOwn(selfThread);
  if (own !== 0) {
    idle = 0;
    run(own);
    return true;
  }
  const stolen = mine.dedicated !== 0 ? 0 : steal(selfThread, idle >= PATIENCE);
  if (stolen === 0) {
    idle++;
    return false;
  }
  idle = 0;
  mine.stolen++;
  if (tracing()) trace(TRACE.steal, stolen, 0, 0);
  run(stolen);
  return true;
}

/** Works until nothing is queued (timers that are due included), for at most `turns` units. Says whether anything is left. */
export function runQueued(turns: number): boolean {
  for (let i = 0; i < turns; i++) if (!turn()) return false;
  return true;
}

let plannedDeadline = Infinity;

/** Asked between announcing that we sleep and sleeping: a source or an earlier timer may have come in since. */
function stillIdle(): boolean {
  return nothingFor(selfThread) && mine.deadline >= plannedDeadline;
}

function nap(): void {
  plannedDeadline = mine.deadline;
  const untilTimer = (plannedDeadline - refreshNow()) / 1e6;
  if (untilTimer <= 0) return;
  if (tracing()) trace(TRACE.sleep, 0, 0, 0);
  sleepUnless(selfThread, stillIdle, Math.min(untilTimer, LONGEST_NAP_MS));
  if (tracing()) trace(TRACE.wake, 0, 0, 0);
}

/** The life of a worker: until `stopped` says so. */
export function serve(stopped: () => boolean): void {
  /** When the turn before began, if there was work in it. */
  let working = -1;
  while (!stopped()) {
    const worked = turn();
    // The clock is read once per turn anyway: the time from one to the next is what the first of them took.
    if (working >= 0) mine.busy += turnBegan - working;
    working = worked ? turnBegan : -1;
    if (idle <= SPINS) continue;
    nap();
    idle = 0;
  }
}
