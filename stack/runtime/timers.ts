/**
 * Time for programs: waiting on the lab's clock. Programs live in thread 0; their waits lie in a heap there, and whoever drives the lab asks for the next
 * deadline and wakes what is due: the virtual clock between two jumps, or in real time one timer of the event loop.
 */
import { refreshNow } from './clock.ts';

interface Wait {
  readonly deadline: number;
  readonly order: number;
  readonly wake: () => void;
  done: boolean;
}

/** A binary heap by deadline, then by order of arrival. */
const heap: Wait[] = [];
let arrivals = 0;
let timer: NodeJS.Timeout | undefined;
let timerDeadline = Infinity;

function sooner(a: Wait, b: Wait): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}

function push(wait: Wait): void {
  let at = heap.length;
  heap.push(wait);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!sooner(wait, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = wait;
}

function pop(): Wait | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || last === first) return first;
  let at = 0;
  for (;;) {
    let child = at * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && sooner(heap[child + 1]!, heap[child]!)) child++;
    if (!sooner(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}

/** Deadline of the wait that ends first, ns; Infinity if nobody waits. */
export function nextProgramDeadline(): number {
  while (heap.length > 0 && heap[0]!.done) pop();
  return heap[0]?.deadline ?? Infinity;
}

/** Ends all waits whose time has come; says whether there were any. */
export function wakePrograms(time: number): boolean {
  let woken = false;
  while (nextProgramDeadline() <= time) {
    const wait = pop()!;
    wait.done = true;
    wait.wake();
    woken = true;
  }
  return woken;
}

let onTimer: (() => void) | undefined;

/** Says who keeps the deadlines: the driver of virtual time, told of every change; undefined: this module, in real time. Forgets the waits of an earlier lab. */
export function setTimerListener(listener: (() => void) | undefined): void {
  for (const wait of heap.splice(0)) wait.done = true;
  clearTimeout(timer);
  timerDeadline = Infinity;
  onTimer = listener;
}

/** In real time the event loop keeps the deadlines. */
function armTimer(): void {
  if (onTimer !== undefined) {
    onTimer();
    return;
  }
  const deadline = nextProgramDeadline();
  if (deadline === timerDeadline) return;
  clearTimeout(timer);
  timerDeadline = deadline;
  if (deadline === Infinity) return;
  timer = setTimeout(
    () => {
      timerDeadline = Infinity;
      wakePrograms(refreshNow());
      armTimer();
    },
    Math.min(Math.max(0, Math.ceil((deadline - refreshNow()) / 1e6)), 0x7fffffff),
  );
}

/** Resolves after `ns` of the lab's time, or at once when `signal` aborts: look at the signal afterwards. */
export function sleepNs(ns: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const wait: Wait = { deadline: refreshNow() + ns, order: arrivals++, wake: finish, done: false };
    function finish(): void {
      wait.done = true;
      signal?.removeEventListener('abort', finish);
      armTimer();
      resolve();
    }
    signal?.addEventListener('abort', finish, { once: true });
    push(wait);
    armTimer();
  });
}
