/**
 * Work in the stack context: packets from the input queue, requests, timers, and then the interfaces on which something was queued. A thread that has
 * drained an interface enters the context in place if it is free (runtime/context.ts) and looks again after leaving it. Hardware goes first: while a driver stops early
 * with more to do, its packets wait for a service of the stack's own source, which a busy interface of higher priority keeps from coming on the same thread.
 */
import { mFree, mbuf } from '../memory/mbuf.ts';
import { dequeue, dequeueAll, firstRecord, nextRecord, queueLength } from '../memory/queue.ts';
import { refreshNow } from '../runtime/clock.ts';
import { leave, tryEnter } from '../runtime/context.ts';
import { REASON } from '../runtime/trace.ts';
import { levelOfClient } from '../runtime/messages/post.ts';
import { requests as requestSlab } from '../runtime/messages/request.ts';
import { HANDLER, raise, raiseAt, raiseAtLevel, setSourceHandler, shouldGiveWay } from '../runtime/source.ts';
import { calloutArg, calloutHandler, wheelNext, wheelTake } from '../runtime/wheel.ts';
import { runCallout } from './callouts.ts';
import { etherInputDone } from './ethernet.ts';
import { driverOf, ifnets, startPending } from './ifnet.ts';
import { STATION, station } from './journey.ts';
import { noteContext, stackParts, stacks } from './stack.ts';

/** Batches of work in one stay in the context before others get their turn; those that are as urgent get it after each. */
const ROUNDS = 64;
/** Packets between two looks at what is to be sent. */
const BATCH = 32;

export type InputHandler = (stack: number, m: number) => void;
const inputs = new Map<number, InputHandler>();
let runRequest: (request: number) => void = () => undefined;
let afterBatch: (stack: number) => void = () => undefined;

/** Says who takes packets of an EtherType. */
export function setInputHandler(etherType: number, handler: InputHandler): void {
  inputs.set(etherType, handler);
}

/** True if packets of this EtherType belong to the stack itself. */
export function hasInputHandler(etherType: number): boolean {
  return inputs.has(etherType);
}

/** Takes a packet of an EtherType that the stack itself has no use for. */
let otherInput: InputHandler = (_stack, m) => {
  ifnets.get(mbuf(m).rcvif).noproto++;
  station(m, STATION.drop, mbuf(m).rcvif, 0);
  mFree(m);
};
/** Shows a packet to those who watch what comes in; false if one of them has taken it. */
let watchInput: (stack: number, m: number) => boolean = () => true;

/** Says who takes packets of other EtherTypes, for protocol modules on the stacks that have them (or drops them as `drop` does), and who watches what comes in. */
export function setModuleInput(
  makeInput: (drop: InputHandler) => InputHandler,
  watch: (stack: number, m: number) => boolean,
): void {
  otherInput = makeInput(otherInput);
  watchInput = watch;
}

/** Has those told who wait for what layer 2 has left for them in a stack; says whether there was anything. */
let wakeListeners: (stack: number) => boolean = () => false;

/** Says who tells them. */
export function setListenerWake(wake: (stack: number) => boolean): void {
  wakeListeners = wake;
}

/** Says who carries out requests of clients, and what is to be done when a batch is finished (polls). */
export function setRequestHandler(handler: (request: number) => void, finish: (stack: number) => void): void {
  runRequest = handler;
  afterBatch = finish;
}

function inputBatch(stack: number, list: number): void {
  const watched = stacks.get(stack).watchers !== 0;
  let n = 0;
  while (list !== 0) {
    const m = list;
    list = nextRecord(m);
    const view = mbuf(m);
    view.nextpkt = 0;
    if (!watched || watchInput(stack, m)) (inputs.get(view.aux) ?? otherInput)(stack, m);
    if (++n % BATCH === 0) startPending();
  }
}

function runTimers(stack: number, time: number): void {
  const { wheel } = stackParts(stack);
  for (let callout = wheelTake(wheel, time); callout !== 0; callout = wheelTake(wheel, time)) {
    runCallout(calloutHandler(callout), calloutArg(callout));
  }
}

/** One round of everything that waits; says whether there was anything. */
function round(stack: number): boolean {
  const { input, requests, wheel } = stackParts(stack);
  const packets = dequeueAll(input);
  if (packets !== 0) inputBatch(stack, packets);
  let any = wakeListeners(stack) || packets !== 0;
  for (let request = dequeue(requests); request !== 0; request = shouldGiveWay() ? 0 : dequeue(requests)) {
    runRequest(request);
    any = true;
  }
  const time = refreshNow();
  if (wheelNext(wheel) <= time) {
    runTimers(stack, time);
    any = true;
  }
  if (any) {
    afterBatch(stack);
    startPending();
  }
  return any;
}

function hasWork(stack: number): boolean {
  const { input, requests } = stackParts(stack);
  return queueLength(input) !== 0 || queueLength(requests) !== 0 || stacks.get(stack).bpfDue !== 0;
}

/** Has the stack's own source serve what waits: packets at its own priority, requests alone at that of the first one's client. */
function raiseStack(stack: number): void {
  const { input, requests } = stackParts(stack);
  const { source } = stacks.get(stack);
  const request = queueLength(input) === 0 ? firstRecord(requests) : 0;
  // A request that is gone by now was served by somebody who serves the others, too: at which level they are looked for does not matter then.
  if (request === 0) raise(source);
  else raiseAtLevel(source, levelOfClient(requestSlab.get(request).priority));
}

/** Rounds until nothing is left, or somebody else should have a turn. */
function work(stack: number): boolean {
  for (let rounds = 0; rounds < ROUNDS; rounds++) {
    if (!round(stack)) return true;
    if (shouldGiveWay()) return false;
  }
  return false;
}

/** Works in the context of `stack` until nothing is left; true unless it stopped early for fairness. */
function serveStack(stack: number, source: number, why: number): boolean {
  let reason = why;
  do {
    if (!tryEnter(stack, source, reason)) return true;
    noteContext(stack, reason);
    // What another thread did here last must not lie in the future of this one.
    refreshNow();
    const finished = work(stack);
    const next = wheelNext(stackParts(stack).wheel);
    leave(stack, source);
    if (next !== Infinity) raiseAt(stacks.get(stack).source, next);
    if (!finished && hasWork(stack)) return false;
    reason = REASON.recheck;
  } while (hasWork(stack));
  return true;
}

function serviceStack(stack: number, source: number): boolean {
  if (!serveStack(stack, source, REASON.stackEvent)) raiseStack(stack);
  return true;
}

function serviceInterface(ifptr: number, source: number): boolean {
  const ifp = ifnets.get(ifptr);
  const driver = driverOf(ifp);
  let finished = driver.process(ifp);
  const stack = ifp.stack;
  // What was bridged or forwarded on the way leaves from this very thread.
  startPending();
  if (etherInputDone(ifp)) {
    const inPlace = finished && stacks.get(stack).dedicated === 0;
    if (!inPlace || !serveStack(stack, source, REASON.afterHardware)) raiseStack(stack);
  }
  if (finished && driver.enable(ifp)) finished = false;
  return finished;
}

/** Tells the runtime of this thread what services stacks and interfaces. */
export function installNetisr(): void {
  setSourceHandler(HANDLER.stack, serviceStack);
  setSourceHandler(HANDLER.interface, serviceInterface);
}
