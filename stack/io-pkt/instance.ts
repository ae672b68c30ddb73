/**
 * An io-pkt instance: its record is made with loopback and defaults, and given back with all it holds. Making and ending one happens while no other thread
 * works on it.
 */
import { mFreeList } from '../memory/mbuf.ts';
import { dequeueAll } from '../memory/queue.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { OP, requests } from '../runtime/messages/request.ts';
import { random32, seedRandom } from '../runtime/random.ts';
import { gates } from '../runtime/gate.ts';
import { HANDLER, KIND, freeSource, newSource } from '../runtime/source.ts';
import { calloutInit, wheelReset } from '../runtime/wheel.ts';
import { now } from '../runtime/clock.ts';
import { CALLOUT } from '../net/callouts.ts';
import { announceEvent, driverOf, ifDetach, ifnets } from '../net/ifnet.ts';
import { attachLoopback } from '../net/loopback.ts';
import { WAIT_NOWHERE, fail, unpark } from '../net/parking.ts';
import { eachRoute, removeRoute } from '../net/route.ts';
import { SS_COMPLETE, SS_NOFDREF, sockets } from '../net/socket.ts';
import { limitInputQueue, stackParts, stackStruct, stacks } from '../net/stack.ts';
import type { Stack, Variant } from '../net/stack.ts';
import { initSysctl } from '../net/sysctl.ts';
import { protocolOf } from '../net/protosw.ts';
import { eachNeighbour, removeNeighbour } from '../netinet/arp.ts';
import { setAddress } from '../netinet/in-control.ts';
import { freeFlows } from '../netinet/ip-flow.ts';
import { detachProtocols } from '../netinet/module-protocol.ts';
import { dropFragments } from '../netinet/ip-reassembly.ts';
import { freeBuried } from './graveyard.ts';

const LOOPBACK_ADDRESS = 0x7f000001;
const LOOPBACK_MASK = 0xff000000;
/** Priority of receive work and of the main thread, which a stack's own work has (io-pkt, "Threading priorities"). */
export const DEFAULT_PRIORITY = 21;

export interface InstanceOptions {
  /** Name of the node, for the instance's random numbers. */
  readonly node: string;
  readonly instance: number;
  readonly variant: Variant;
  /** Run queue it is at home in. */
  readonly home: number;
  /** -P: priority of the stack's own work, 1..63; default 21. */
  readonly priority?: number;
}

/** Makes an instance that does not serve yet: see serveInstance(). 0 when there is no room. */
export function createInstance(options: InstanceOptions): number {
  const ptr = stacks.alloc();
  if (ptr === 0) return 0;
  const source = newSource({
    kind: KIND.stack,
    handler: HANDLER.stack,
    arg: ptr,
    stack: ptr,
    home: options.home,
    priority: options.priority ?? DEFAULT_PRIORITY,
  });
  if (source === 0) {
    stacks.free(ptr);
    return 0;
  }
  const stack = stacks.get(ptr);
  stack.source = source;
  stack.home = options.home;
  stack.instance = options.instance;
  stack.variant = options.variant;
  wheelReset(stackParts(ptr).wheel, now());
  stack.receivePriority = DEFAULT_PRIORITY;
  initSysctl(stack.sysctl);
  calloutInit(stack.flowTimer, CALLOUT.ipFlow, ptr);
  limitInputQueue(ptr);
  seedRandom(ptr + stackStruct.offsets.random, `io-pkt:${options.node}:${options.instance}`);
  stack.ipId = random32(ptr + stackStruct.offsets.random) & 0xffff;
  if (attachLoopback(stack, 'lo0') === 0) {
    destroyInstance(ptr);
    return 0;
  }
  const loopback = { address: LOOPBACK_ADDRESS, netmask: LOOPBACK_MASK, broadcast: 0, alias: false };
  setAddress(ifnets.get(stack.loopback), loopback);
  return ptr;
}

/** From now on the instance takes requests. */
export function serveInstance(stack: number): void {
  stacks.get(stack).serving = 1;
}

/** Ends an instance: clients that wait get ENXIO, all it holds is freed. No thread works on it and no link knows its interfaces any more. */
export function destroyInstance(ptr: number): void {
  const stack = stacks.get(ptr);
  stack.serving = 0;
  freeBuried();
  failRequests(stack);
  // Connections end without a word to their peers: the node is gone, as with a switch of the power.
  for (let at = stack.interfaces; at !== 0; at = ifnets.get(at).next) ifnets.get(at).flags &= ~IFF.UP;
  dropSockets(stack);
  dropFragments(stack);
  detachProtocols(stack);
  freeFlows(stack);
  for (const entry of eachNeighbour(stack)) removeNeighbour(entry);
  for (const route of eachRoute(stack)) removeRoute(stack, route.ptr);
  while (stack.interfaces !== 0) {
    const ifp = ifnets.get(stack.interfaces);
    driverOf(ifp).stop(ifp, true);
    announceEvent(ifp, 'gone');
    driverOf(ifp).detach(ifp);
    ifDetach(ifp);
  }
  mFreeList(dequeueAll(stackParts(ptr).input));
  freeSource(stack.source);
  if (stack.gate !== 0) gates.free(stack.gate);
  stacks.free(ptr);
}

function failRequests(stack: Stack): void {
  for (let ptr = stack.sockets; ptr !== 0; ptr = sockets.get(ptr).next) {
    const so = sockets.get(ptr);
    while (so.waiters !== 0) giveUp(so.waiters);
  }
  while (stack.pollers !== 0) giveUp(stack.pollers);
  for (let ptr = dequeueAll(stackParts(stack.ptr).requests); ptr !== 0;) {
    const request = requests.get(ptr);
    ptr = request.nextpkt;
    if (request.op === OP.unblock) requests.free(request.ptr);
    else fail(request, ERRNO.ENXIO);
  }
}

function giveUp(ptr: number): void {
  const request = requests.get(ptr);
  if (request.waiting !== WAIT_NOWHERE) unpark(request);
  fail(request, ERRNO.ENXIO);
}

function dropSockets(stack: Stack): void {
  while (stack.sockets !== 0) {
    const so = sockets.get(stack.sockets);
    so.state = (so.state & ~SS_COMPLETE) | SS_NOFDREF;
    so.head = 0;
    protocolOf(so).abort(so);
  }
}
