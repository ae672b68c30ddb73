/**
 * Source tracking (pf.conf(5), "STATEFUL TRACKING OPTIONS"): for each address that makes states under a rule, or under all rules, how many it has, how many connections, how
 * fast it makes them, and which address of a pool it was given (sticky-address).
 */
import { SECOND, now } from '../../runtime/clock.ts';
import { PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';
import type { PfRule } from '../../filter/pf/ruleset.ts';
import { hashFirst, hashInsert, hashRemove, mix3 } from '../../memory/hash.ts';
import { i32 } from '../../memory/memory.ts';
import { countLimit } from './counters.ts';
import { holdList, releaseList } from './lists.ts';
import { BUCKETS_PER_PAGE, pages, pfStruct, ruleStruct, sourceNodes, sourceStruct } from './records.ts';
import type { Pf, SourceNode } from './records.ts';
import { allocPages, freePages } from './text.ts';

export const SOURCE_KIND = { filter: 0, nat: 1, rdr: 2 } as const;
const TRACK_AT = (pfStruct.offsets.timeouts >>> 2) + PF_TIMEOUTS.indexOf('src.track');
/** Counts of connections are kept in thousandths, so that they fade evenly. */
const RATE_SCALE = 1000;

const HASH_LINK = sourceStruct.offsets.hashNext;

/** The hash table of sources, made if there is none; 0 when pages are exhausted. */
function tableOf(pf: Pf): number {
  if (pf.sourceTable === 0) pf.sourceTable = allocPages(1);
  return pf.sourceTable === 0 ? 0 : pages.get(pf.sourceTable).data;
}

function find(pf: Pf, rule: number, kind: number, address: number): number {
  if (pf.sourceTable === 0) return 0;
  const table = pages.get(pf.sourceTable).data;
  for (let ptr = hashFirst(table, BUCKETS_PER_PAGE, mix3(address, rule, kind)); ptr !== 0;) {
    const node = sourceNodes.get(ptr);
    if (node.address === address && node.rule === rule && node.kind === kind) return ptr;
    ptr = node.hashNext;
  }
  return 0;
}

/** The node of a source for a rule (its counters; 0: for all rules), 0 if there is none. */
export function findSource(pf: Pf, rule: number, kind: number, address: number): number {
  pf.sourceSearch++;
  return find(pf, rule, kind, address);
}

/**
 * The node of a source, made if there is none; 0 when the limits of the rule or of PF do not allow another one (counted). `limit`: most nodes of the rule, 0 for any
 * number; `most`: most nodes of PF.
 */
export function sourceFor(
  pf: Pf,
  rule: number,
  kind: number,
  address: number,
  options: PfRule['stateOptions'],
  most: number,
): number {
  const known = findSource(pf, rule, kind, address);
  if (known !== 0) return known;
  const limit = options?.maxSrcNodes ?? 0;
  if (limit !== 0 && rule !== 0 && ruleStruct.at(rule).sourceNodes >= limit) {
    countLimit(pf, 'max-src-nodes');
    return 0;
  }
  if (most !== 0 && pf.sourceNodes >= most) return 0;
  const table = tableOf(pf);
  const ptr = table === 0 ? 0 : sourceNodes.alloc();
  if (ptr === 0) return 0;
  const node = sourceNodes.get(ptr);
  node.pf = pf.ptr;
  node.rule = rule;
  node.kind = kind;
  node.address = address;
  node.rateLimit = options?.maxSrcConnRate?.limit ?? 0;
  node.rateSeconds = options?.maxSrcConnRate?.seconds ?? 0;
  node.rateLast = now();
  node.made = now();
  node.next = pf.firstSource;
  if (pf.firstSource !== 0) sourceNodes.get(pf.firstSource).previous = ptr;
  pf.firstSource = ptr;
  hashInsert(table, BUCKETS_PER_PAGE, mix3(address, rule, kind), ptr, HASH_LINK);
  pf.sourceNodes++;
  pf.sourceInsert++;
  if (rule !== 0) {
    ruleStruct.at(rule).sourceNodes++;
    holdList(ruleStruct.at(rule).list);
  }
  return ptr;
}

/** True if a source may have one more state; counts the refusal. */
export function sourceHasRoom(pf: Pf, ptr: number, most: number): boolean {
  if (most === 0 || sourceNodes.get(ptr).states < most) return true;
  countLimit(pf, 'max-src-states');
  return false;
}

/** A source has a state more. */
export function holdSource(ptr: number): void {
  const node = sourceNodes.get(ptr);
  node.states++;
  node.expires = 0;
}

/** A source has a state less; without any it goes after `src.track`. */
export function releaseSource(pf: Pf, ptr: number): void {
  const node = sourceNodes.get(ptr);
  if (--node.states > 0) return;
  const seconds = i32[(pf.ptr >>> 2) + TRACK_AT]!;
  if (seconds === 0) removeSource(pf, node);
  else node.expires = now() + seconds * SECOND;
}

/** One established connection less. */
export function dropConnection(ptr: number): void {
  sourceNodes.get(ptr).connections--;
}

/** Notes a connection that is being established; the limit that it breaks, if any. */
export function addConnection(
  pf: Pf,
  ptr: number,
  options: NonNullable<PfRule['stateOptions']>,
): 'max-src-conn' | 'max-src-conn-rate' | undefined {
  const node = sourceNodes.get(ptr);
  node.connections++;
  noteRate(node);
  if (options.maxSrcConn !== undefined && options.maxSrcConn < node.connections) {
    countLimit(pf, 'max-src-conn');
    return 'max-src-conn';
  }
  if (node.rateLimit !== 0 && node.rateCount > node.rateLimit * RATE_SCALE) {
    countLimit(pf, 'max-src-conn-rate');
    return 'max-src-conn-rate';
  }
  return undefined;
}

/** The count fades with time, so that it is that of about the last period. */
function noteRate(node: SourceNode): void {
  if (node.rateSeconds === 0) return;
  const elapsed = (now() - node.rateLast) / SECOND;
  node.rateCount = elapsed >= node.rateSeconds ? 0 : node.rateCount * (1 - elapsed / node.rateSeconds);
  node.rateCount += RATE_SCALE;
  node.rateLast = now();
}

/** Connections of about the last period. */
export function rateOf(node: SourceNode): number {
  return Math.round(node.rateCount / RATE_SCALE);
}

/** Takes a source from the list of its PF and frees it. */
export function removeSource(pf: Pf, node: SourceNode): void {
  const { address, rule, kind, next, previous } = node;
  hashRemove(tableOf(pf), BUCKETS_PER_PAGE, mix3(address, rule, kind), node.ptr, HASH_LINK);
  if (previous === 0) pf.firstSource = next;
  else sourceNodes.get(previous).next = next;
  if (next !== 0) sourceNodes.get(next).previous = previous;
  if (rule !== 0) {
    ruleStruct.at(rule).sourceNodes--;
    releaseList(ruleStruct.at(rule).list);
  }
  sourceNodes.free(node.ptr);
  pf.sourceNodes--;
  pf.sourceRemovals++;
}

/** Removes sources that have no states and whose time is over. */
export function purgeSources(pf: Pf): void {
  for (let ptr = pf.firstSource; ptr !== 0;) {
    const node = sourceNodes.get(ptr);
    ptr = node.next;
    if (node.states <= 0 && node.expires <= now()) removeSource(pf, node);
  }
}

/** Frees the hash table; there are no sources any more. */
export function freeSourceTable(pf: Pf): void {
  if (pf.sourceTable !== 0) freePages(pf.sourceTable);
  pf.sourceTable = 0;
}
