/**
 * PF on a stack: made when its module is loaded, switched on and off by pfctl -e and -d, freed when the stack ends. Loading alone filters nothing and costs nothing (io-pkt, "PF").
 */
import { SECOND, now } from '../../runtime/clock.ts';
import { calloutInit } from '../../runtime/wheel.ts';
import { random32 } from '../../runtime/random.ts';
import { CALLOUT, setCalloutHandler } from '../../net/callouts.ts';
import { findInterface } from '../../net/ifnet.ts';
import {
  PFIL_HEAD,
  PFIL_HOOK,
  PFIL_IFADDR,
  PFIL_IFNET,
  PFIL_IN,
  PFIL_OUT,
  pfilAdd,
  pfilRemove,
  registerPfilHook,
} from '../../net/pfil.ts';
import { cancelCallout, setCallout, stackStruct, stacks } from '../../net/stack.ts';
import type { Stack } from '../../net/stack.ts';
import type { PfLimit, PfTimeout } from '../../filter/pf/ruleset.ts';
import { purgeFragments } from './fragment-cache.ts';
import { freeKifs } from './kifs.ts';
import { createLog, isLog } from './log.ts';
import { pfs, sourceNodes } from './records.ts';
import type { Pf } from './records.ts';
import { applyQueues, removeQueues } from './queues.ts';
import { nextSerial } from './serial.ts';
import { freeSourceTable, purgeSources, removeSource } from './sources.ts';
import {
  TIMEOUT,
  freeStateTables,
  purgeStates,
  removeStates,
  setLimitOf,
  setTimeoutOf,
  timeoutOf,
} from './states.ts';
import { filterPacket } from './test.ts';
import { freeRules } from './transaction.ts';

const TIMEOUTS: Readonly<Partial<Record<PfTimeout, number>>> = {
  'tcp.first': 120,
  'tcp.opening': 30,
  'tcp.established': 86_400,
  'tcp.closing': 900,
  'tcp.finwait': 45,
  'tcp.closed': 90,
  'tcp.tsdiff': 30,
  'udp.first': 60,
  'udp.single': 30,
  'udp.multiple': 60,
  'icmp.first': 20,
  'icmp.error': 10,
  'other.first': 60,
  'other.single': 30,
  'other.multiple': 60,
  frag: 30,
  interval: 10,
};
const LIMITS: Readonly<Record<PfLimit, number>> = {
  states: 10_000,
  'src-nodes': 10_000,
  frags: 5000,
  tables: 1000,
  'table-entries': 200_000,
};
const DEBUG_URGENT = 1;
const HOOKS = PFIL_IN | PFIL_OUT;
const EVENTS = PFIL_IFADDR | PFIL_IFNET;

/** The PF of a stack; undefined while none is loaded. */
export function pfOn(stack: Stack): Pf | undefined {
  return stack.pf === 0 ? undefined : pfs.get(stack.pf);
}

/** Makes PF on a stack, with the interface pflog0; undefined when there is no room. */
export function createPf(stack: Stack): Pf | undefined {
  const ptr = pfs.alloc();
  if (ptr === 0) return undefined;
  const pf = pfs.get(ptr);
  pf.stack = stack.ptr;
  pf.since = now();
  pf.debug = DEBUG_URGENT;
  pf.hostid = random32(stack.ptr + stackStruct.offsets.random) >>> 0;
  pf.generation = nextSerial();
  pf.nextStateId = 1;
  resetTimeouts(pf);
  for (const [name, value] of Object.entries(LIMITS)) setLimitOf(pf, name as PfLimit, value);
  calloutInit(pf.purge, CALLOUT.pf, ptr);
  const known = findInterface(stack, 'pflog0');
  pf.pflog = known !== undefined && isLog(known) ? known.ptr : createLog(stack, 'pflog0');
  if (pf.pflog === 0) {
    pfs.free(ptr);
    return undefined;
  }
  stack.pf = ptr;
  pfilAdd(stack, PFIL_HEAD.inet, PFIL_HOOK.pf, ptr, EVENTS);
  return pf;
}

/** Time-outs as they are without `set timeout`. */
export function resetTimeouts(pf: Pf): void {
  for (const [name, index] of Object.entries(TIMEOUT))
    setTimeoutOf(pf, index, TIMEOUTS[name as PfTimeout] ?? 0);
}

/** Begins to filter; false if it does so already. */
export function enable(pf: Pf): boolean {
  if (pf.running === 1) return false;
  pf.running = 1;
  pf.since = now();
  pfilAdd(stacks.get(pf.stack), PFIL_HEAD.inet, PFIL_HOOK.pf, pf.ptr, HOOKS);
  schedule(pf);
  applyQueues(pf);
  return true;
}

/** Filters no more; states stay. False if it does not filter. */
export function disable(pf: Pf): boolean {
  if (pf.running === 0) return false;
  pf.running = 0;
  pf.since = now();
  removeQueues(pf);
  pfilRemove(stacks.get(pf.stack), PFIL_HEAD.inet, PFIL_HOOK.pf, pf.ptr, HOOKS);
  return true;
}

/** Frees PF with all it holds: the stack ends, and no thread works. */
export function destroyPf(stack: Stack): void {
  const pf = pfOn(stack);
  if (pf === undefined) return;
  disable(pf);
  pfilRemove(stack, PFIL_HEAD.inet, PFIL_HOOK.pf, pf.ptr, EVENTS);
  cancelCallout(stack.ptr, pf.purge);
  removeStates(pf, () => true);
  while (pf.firstSource !== 0) removeSource(pf, sourceNodes.get(pf.firstSource));
  freeSourceTable(pf);
  purgeFragments(pf, true);
  freeStateTables(pf);
  freeRules(pf);
  freeKifs(pf);
  stack.pf = 0;
  pfs.free(pf.ptr);
}

/** Looks for what has expired after the next interval, as that is now. */
export function schedule(pf: Pf): void {
  const interval = Math.max(1, timeoutOf(pf, TIMEOUT.interval));
  setCallout(pf.stack, pf.purge, now() + interval * SECOND);
}

/** Every `interval`: what has expired goes. While nothing is filtered and nothing is held no timer runs. */
function purge(ptr: number): void {
  const pf = pfs.get(ptr);
  purgeStates(pf);
  purgeSources(pf);
  purgeFragments(pf, false);
  if (pf.running === 1 || pf.states > 0) schedule(pf);
}

/** An interface has come or gone: what is known of interfaces is looked up anew, and states bound to one that is gone go with it. */
function onEvent(ptr: number, ifp: number, isGone: boolean): void {
  const pf = pfs.get(ptr);
  pf.generation = nextSerial();
  if (!isGone) return;
  removeStates(pf, (state) => state.ifp === ifp || state.routeIfp === ifp);
  if (pf.pflog === ifp) pf.pflog = 0;
}

/** Makes PF known to this thread. */
export function installPf(): void {
  registerPfilHook(PFIL_HOOK.pf, {
    packet: filterPacket,
    event: (arg, _stack, ifp, event) => onEvent(arg, ifp.ptr, event === 'detached'),
  });
  setCalloutHandler(CALLOUT.pf, purge);
}
