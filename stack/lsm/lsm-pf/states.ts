/**
 * The state table (pf(4)): every state stands in two hash tables, by (our side, other side) for packets out and by (other side, our side as seen from outside) for packets
 * in, and in a list of all, oldest first. The tables grow with the number of states. States expire by the time-outs of their rule, sooner when there are many (adaptive).
 */
import { i32, u32 } from '../../memory/memory.ts';
import { mix3 } from '../../memory/hash.ts';
import { SECOND, now } from '../../runtime/clock.ts';
import { PFIL_IN, PFIL_OUT } from '../../net/pfil.ts';
import { PF_LIMITS, PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';
import type { PfLimit, PfTimeout } from '../../filter/pf/ruleset.ts';
import { countLimit } from './counters.ts';
import { releaseList } from './lists.ts';
import {
  BUCKETS_PER_PAGE,
  STATE_CONNECTION_COUNTED,
  STATE_PAGES,
  pageStruct,
  pages,
  pfStruct,
  ruleStruct,
  stateRecords,
  stateStruct,
} from './records.ts';
import type { Pf, State } from './records.ts';
import { dropConnection, releaseSource } from './sources.ts';

export const TIMEOUT: Readonly<Record<PfTimeout, number>> = Object.fromEntries(
  PF_TIMEOUTS.map((name, i) => [name, i]),
) as Record<PfTimeout, number>;
const LIMIT: Readonly<Record<PfLimit, number>> = Object.fromEntries(
  PF_LIMITS.map((name, i) => [name, i]),
) as Record<PfLimit, number>;

const LAN_PAGES = pfStruct.offsets.lanPages >>> 2;
const EXT_PAGES = pfStruct.offsets.extPages >>> 2;
const TIMEOUTS = pfStruct.offsets.timeouts >>> 2;
const LIMITS = pfStruct.offsets.limits >>> 2;
const LAN_NEXT = stateStruct.offsets.lanNext;
const EXT_NEXT = stateStruct.offsets.extNext;
const PAGE_FIRST = pageStruct.offsets.data >>> 2;

/** The time-out with an index (TIMEOUT) that holds for all rules, s. */
export function timeoutOf(pf: Pf, index: number): number {
  return i32[(pf.ptr >>> 2) + TIMEOUTS + index]!;
}

export function setTimeoutOf(pf: Pf, index: number, value: number): void {
  i32[(pf.ptr >>> 2) + TIMEOUTS + index] = value;
}

/** A limit; 0 for none. */
export function limitOf(pf: Pf, name: PfLimit): number {
  return u32[(pf.ptr >>> 2) + LIMITS + LIMIT[name]]!;
}

export function setLimitOf(pf: Pf, name: PfLimit, value: number): void {
  u32[(pf.ptr >>> 2) + LIMITS + LIMIT[name]] = value;
}

/** Word of the bucket of a hash in one of the two tables. */
function bucketOf(pf: Pf, table: number, hash: number): number {
  const slot = hash & (pf.statePages * BUCKETS_PER_PAGE - 1);
  const page = u32[(pf.ptr >>> 2) + table + (slot >>> 10)]!;
  return (page >>> 2) + PAGE_FIRST + (slot & (BUCKETS_PER_PAGE - 1));
}

function link(pf: Pf, state: State): void {
  const lan = bucketOf(pf, LAN_PAGES, state.lanHash);
  state.lanNext = u32[lan]!;
  u32[lan] = state.ptr;
  const ext = bucketOf(pf, EXT_PAGES, state.extHash);
  state.extNext = u32[ext]!;
  u32[ext] = state.ptr;
}

function unlink(bucket: number, ptr: number, next: number): void {
  let at = bucket;
  while (u32[at] !== ptr) at = (u32[at]! + next) >>> 2;
  u32[at] = u32[(ptr + next) >>> 2]!;
}

/** Gives the tables `count` pages and enters all states again. False when pages are exhausted: the tables stay as they are. */
function resize(pf: Pf, count: number): boolean {
  const made: number[] = [];
  while (made.length < 2 * (count - pf.statePages)) {
    const page = pages.alloc();
    if (page === 0) {
      made.forEach((ptr) => pages.free(ptr));
      return false;
    }
    made.push(page);
  }
  const word = pf.ptr >>> 2;
  for (let i = pf.statePages; i < count; i++) {
    u32[word + LAN_PAGES + i] = made.pop()!;
    u32[word + EXT_PAGES + i] = made.pop()!;
  }
  pf.statePages = count;
  for (let i = 0; i < count; i++)
    for (const table of [LAN_PAGES, EXT_PAGES]) {
      const at = (u32[word + table + i]! >>> 2) + PAGE_FIRST;
      u32.fill(0, at, at + BUCKETS_PER_PAGE);
    }
  for (let ptr = pf.firstState; ptr !== 0; ptr = stateRecords.get(ptr).following)
    link(pf, stateRecords.get(ptr));
  return true;
}

/** Frees the tables, which are empty. */
export function freeStateTables(pf: Pf): void {
  const word = pf.ptr >>> 2;
  for (let i = 0; i < pf.statePages; i++) {
    pages.free(u32[word + LAN_PAGES + i]!);
    pages.free(u32[word + EXT_PAGES + i]!);
  }
  pf.statePages = 0;
}

function hashLan(state: State): number {
  const ports = (state.lanPort << 16) | state.externalPort;
  return mix3(state.lanAddress, state.externalAddress, ports ^ state.protocol);
}

function hashExt(state: State): number {
  const ports = (state.externalPort << 16) | state.gatewayPort;
  return mix3(state.externalAddress, state.gatewayAddress, ports ^ state.protocol);
}

/** True if the table has a state with the same key for packets of the same direction that could match the same packets. */
function collides(pf: Pf, state: State): boolean {
  const lan = u32[bucketOf(pf, LAN_PAGES, state.lanHash)]!;
  for (let ptr = lan; ptr !== 0; ptr = stateRecords.get(ptr).lanNext) {
    const other = stateRecords.get(ptr);
    const same =
      other.protocol === state.protocol &&
      other.lanAddress === state.lanAddress &&
      other.lanPort === state.lanPort &&
      other.externalAddress === state.externalAddress &&
      other.externalPort === state.externalPort &&
      other.ifp === state.ifp;
    if (same) return true;
  }
  const ext = u32[bucketOf(pf, EXT_PAGES, state.extHash)]!;
  for (let ptr = ext; ptr !== 0; ptr = stateRecords.get(ptr).extNext) {
    const other = stateRecords.get(ptr);
    const same =
      other.protocol === state.protocol &&
      other.gatewayAddress === state.gatewayAddress &&
      other.gatewayPort === state.gatewayPort &&
      other.externalAddress === state.externalAddress &&
      other.externalPort === state.externalPort &&
      other.ifp === state.ifp;
    if (same) return true;
  }
  return false;
}

/** Enters a state whose addresses are set. False if there is one with the same key, or no room: it is the caller's still. */
export function insertState(pf: Pf, state: State): boolean {
  state.lanHash = hashLan(state);
  state.extHash = hashExt(state);
  const full = pf.states >= 2 * pf.statePages * BUCKETS_PER_PAGE && pf.statePages < STATE_PAGES;
  if (pf.statePages === 0 && !resize(pf, 1)) return false;
  if (full && pf.statePages !== 0 && pf.states > 0) resize(pf, pf.statePages * 2);
  if (collides(pf, state)) return false;
  link(pf, state);
  state.pf = pf.ptr;
  state.id = pf.nextStateId++;
  state.previous = pf.lastState;
  if (pf.lastState === 0) pf.firstState = state.ptr;
  else stateRecords.get(pf.lastState).following = state.ptr;
  pf.lastState = state.ptr;
  pf.states++;
  pf.insert++;
  return true;
}

/** The state of a packet that goes out: from (`lan`) to (`external`). 0 if there is none. */
export function findOut(
  pf: Pf,
  ifp: number,
  protocol: number,
  lan: number,
  lanPort: number,
  external: number,
  externalPort: number,
): number {
  if (pf.states === 0) return 0;
  const hash = mix3(lan, external, ((lanPort << 16) | externalPort) ^ protocol);
  for (let ptr = u32[bucketOf(pf, LAN_PAGES, hash)]!; ptr !== 0;) {
    const state = stateRecords.get(ptr);
    if (
      state.lanHash === hash &&
      state.protocol === protocol &&
      state.lanAddress === lan &&
      state.lanPort === lanPort &&
      state.externalAddress === external &&
      state.externalPort === externalPort &&
      (state.ifp === 0 || state.ifp === ifp)
    )
      return ptr;
    ptr = state.lanNext;
  }
  return 0;
}

/** The state of a packet that comes in: from (`external`) to (`gateway`). 0 if there is none. */
export function findIn(
  pf: Pf,
  ifp: number,
  protocol: number,
  external: number,
  externalPort: number,
  gateway: number,
  gatewayPort: number,
): number {
  if (pf.states === 0) return 0;
  const hash = mix3(external, gateway, ((externalPort << 16) | gatewayPort) ^ protocol);
  for (let ptr = u32[bucketOf(pf, EXT_PAGES, hash)]!; ptr !== 0;) {
    const state = stateRecords.get(ptr);
    if (
      state.extHash === hash &&
      state.protocol === protocol &&
      state.externalAddress === external &&
      state.externalPort === externalPort &&
      state.gatewayAddress === gateway &&
      state.gatewayPort === gatewayPort &&
      (state.ifp === 0 || state.ifp === ifp)
    )
      return ptr;
    ptr = state.extNext;
  }
  return 0;
}

/** The state that a packet from `source` to `destination` belongs to when it crosses an interface in a direction; 0 if there is none. */
export function findState(
  pf: Pf,
  ifp: number,
  direction: number,
  protocol: number,
  source: number,
  sourcePort: number,
  destination: number,
  destinationPort: number,
): number {
  pf.search++;
  return direction === PFIL_IN
    ? findIn(pf, ifp, protocol, source, sourcePort, destination, destinationPort)
    : findOut(pf, ifp, protocol, source, sourcePort, destination, destinationPort);
}

/** True if a gateway address and port are in use towards an external address: nat looks for a free port. */
export function gatewayInUse(
  pf: Pf,
  protocol: number,
  external: number,
  externalPort: number,
  gateway: number,
  gatewayPort: number,
): boolean {
  if (pf.states === 0) return false;
  const hash = mix3(external, gateway, ((externalPort << 16) | gatewayPort) ^ protocol);
  for (let ptr = u32[bucketOf(pf, EXT_PAGES, hash)]!; ptr !== 0;) {
    const state = stateRecords.get(ptr);
    if (
      state.extHash === hash &&
      state.protocol === protocol &&
      state.externalAddress === external &&
      state.externalPort === externalPort &&
      state.gatewayAddress === gateway &&
      state.gatewayPort === gatewayPort
    )
      return true;
    ptr = state.extNext;
  }
  return false;
}

/** Counts a rule, by its counters, as used by one more state; `made` if that is a new one of its own. */
export function holdRule(ptr: number): void {
  const rule = ruleStruct.at(ptr);
  rule.states++;
  rule.statesMade++;
}

function releaseRule(ptr: number): void {
  if (ptr === 0) return;
  const rule = ruleStruct.at(ptr);
  rule.states--;
  releaseList(rule.list);
}

/** Takes a state out of the tables and frees it. */
export function removeState(pf: Pf, state: State): void {
  unlink(bucketOf(pf, LAN_PAGES, state.lanHash), state.ptr, LAN_NEXT);
  unlink(bucketOf(pf, EXT_PAGES, state.extHash), state.ptr, EXT_NEXT);
  if (state.previous === 0) pf.firstState = state.following;
  else stateRecords.get(state.previous).following = state.following;
  if (state.following === 0) pf.lastState = state.previous;
  else stateRecords.get(state.following).previous = state.previous;
  pf.states--;
  pf.removals++;
  discardState(pf, state);
}

/** Frees a state that is in no table. */
export function discardState(pf: Pf, state: State): void {
  if (state.source !== 0) {
    if ((state.flags & STATE_CONNECTION_COUNTED) !== 0) dropConnection(state.source);
    releaseSource(pf, state.source);
  }
  if (state.natSource !== 0) releaseSource(pf, state.natSource);
  releaseRule(state.rule);
  releaseRule(state.anchorRule);
  releaseRule(state.natRule);
  stateRecords.free(state.ptr);
}

/** Makes a state record; 0 at the limit of states or of the memory. */
export function newState(pf: Pf): number {
  const limit = limitOf(pf, 'states');
  if (limit !== 0 && pf.states >= limit) return 0;
  return stateRecords.alloc();
}

/** Own time-outs of a state's rule, by index; 0 or less where it has none; and its adaptive limits. Set by whoever knows rules. */
let ruleTimeout: (rule: number, index: number) => number = () => -1;

/** Says how the time-out of a rule, by its counters, is found. */
export function setRuleTimeout(find: (rule: number, index: number) => number): void {
  ruleTimeout = find;
}

/** When a state expires, ns. */
export function expiryOf(pf: Pf, state: State): number {
  const own = state.rule === 0 ? -1 : ruleTimeout(state.rule, state.timeout);
  const seconds = own > 0 ? own : timeoutOf(pf, state.timeout);
  let start = state.rule === 0 ? -1 : ruleTimeout(state.rule, TIMEOUT['adaptive.start']);
  let end: number;
  let count: number;
  if (start > 0) {
    end = ruleTimeout(state.rule, TIMEOUT['adaptive.end']);
    count = ruleStruct.at(state.rule).states;
  } else {
    start = timeoutOf(pf, TIMEOUT['adaptive.start']);
    end = timeoutOf(pf, TIMEOUT['adaptive.end']);
    count = pf.states;
  }
  let ns = seconds * SECOND;
  if (end > 0 && start < end && count > start) ns = count < end ? (ns * (end - count)) / (end - start) : 0;
  return state.touched + ns;
}

/** Removes what has expired. Returns how many states that were. */
export function purgeStates(pf: Pf): number {
  const time = now();
  let removed = 0;
  for (let ptr = pf.firstState; ptr !== 0;) {
    const state = stateRecords.get(ptr);
    ptr = state.following;
    if (expiryOf(pf, state) > time) continue;
    removeState(pf, state);
    removed++;
  }
  return removed;
}

/** Removes the states that `wanted` is true for; says how many. */
export function removeStates(pf: Pf, wanted: (state: State) => boolean): number {
  let removed = 0;
  for (let ptr = pf.firstState; ptr !== 0;) {
    const state = stateRecords.get(ptr);
    ptr = state.following;
    if (!wanted(state)) continue;
    removeState(pf, state);
    removed++;
  }
  return removed;
}

/** True if a rule that allows `most` states (0: any number) may have one more; counts the refusal. */
export function ruleHasRoom(pf: Pf, rule: { states: number }, most: number): boolean {
  if (most === 0 || rule.states < most) return true;
  countLimit(pf, 'max states per rule');
  return false;
}

/** Counts a packet of a state. */
export function countState(state: State, direction: number, bytes: number): void {
  if (direction === state.direction) {
    state.packetsForward++;
    state.bytesForward += bytes;
  } else {
    state.packetsBackward++;
    state.bytesBackward += bytes;
  }
}

/** The direction against a direction. */
export function opposite(direction: number): number {
  return direction === PFIL_IN ? PFIL_OUT : PFIL_IN;
}
