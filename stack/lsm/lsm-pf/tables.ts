/**
 * Address tables (pf.conf(5), "TABLES"): for each, a path-compressed binary trie of networks in the one memory, one for IPv4 and one for IPv6. The longest prefix that
 * holds an address decides; if its entry is negated the address is not in the table. 100,000 entries cost about 17 steps a lookup.
 */
import { f64, getText, putText, u32 } from '../../memory/memory.ts';
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';
import type { PfTableTraffic } from '../../filter/pf/ioctl.ts';
import type { PfTableAddress } from '../../filter/pf/ruleset.ts';
import { addressWords, wordsText } from './address.ts';
import type { Pf } from './records.ts';
import { ANCHOR_PATH } from './records.ts';

export const TABLE_NAME = 32;
/** Counters of traffic: in and out by block, pass, and pass by a state whose table has lost the address; packets and bytes. */
const TRAFFIC = 12;

export const tableStruct = struct('pftable', {
  next: 'ptr',
  nextpkt: 'ptr',
  /** Trie of IPv4, of IPv6: the root, 0 while there is none. */
  root4: 'ptr',
  root6: 'ptr',
  addresses: 'u32',
  const: 'u8',
  persist: 'u8',
  /** 1 when it was defined; 0 while only rules name it. */
  active: 'u8',
  /** Rules that name it. */
  references: 'u32',
  cleared: 'f64',
  match: 'f64',
  noMatch: 'f64',
  traffic: { bytes: TRAFFIC * 8 },
  name: { bytes: TABLE_NAME },
  anchor: { bytes: ANCHOR_PATH },
});
export type Table = ViewOf<typeof tableStruct>;
export const tables = slab(tableStruct, 2048);

const nodeStruct = struct('pfnode', {
  left: 'ptr',
  right: 'ptr',
  /** Prefix, in host order, the bits behind it 0. */
  key0: 'u32',
  key1: 'u32',
  key2: 'u32',
  key3: 'u32',
  length: 'u8',
  /** 1 for an entry of the table, 0 for a fork. */
  entry: 'u8',
  negated: 'u8',
  counters: 'ptr',
  cleared: 'f64',
});
type Node = ViewOf<typeof nodeStruct>;
/** Entries and forks: at most one fork less than entries. */
const nodes = slab(nodeStruct, 262_144);

const countersStruct = struct('pfcounters', { traffic: { bytes: TRAFFIC * 8 } });
const counters = slab(countersStruct, 65_536);

const LEFT = nodeStruct.offsets.left >>> 2;
const RIGHT = nodeStruct.offsets.right >>> 2;
const KEY = nodeStruct.offsets.key0 >>> 2;

/** Bit `n` of a key, from the front. */
function bit(key: readonly number[], n: number): number {
  return (key[n >>> 5]! >>> (31 - (n & 31))) & 1;
}

/** How many bits of two keys are the same from the front, at most `most`. */
function common(key: readonly number[], node: Node, most: number): number {
  for (let word = 0; word * 32 < most; word++) {
    const difference = key[word]! ^ u32[(node.ptr >>> 2) + KEY + word]!;
    if (difference !== 0) return Math.min(most, word * 32 + Math.clz32(difference));
  }
  return most;
}

function newNode(key: readonly number[], length: number, entry: boolean): number {
  const ptr = nodes.alloc();
  if (ptr === 0) return 0;
  const node = nodes.get(ptr);
  for (let word = 0; word < 4; word++) {
    const bits = Math.min(32, Math.max(0, length - word * 32));
    const mask = bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
    u32[(ptr >>> 2) + KEY + word] = ((key[word] ?? 0) & mask) >>> 0;
  }
  node.length = length;
  node.entry = entry ? 1 : 0;
  return ptr;
}

/** A place that holds the address of a node: the root of a trie or a link of a node. */
type Place = number;

const ROOT4 = tableStruct.offsets.root4 >>> 2;
const ROOT6 = tableStruct.offsets.root6 >>> 2;

function rootOf(table: Table, entry: PfTableAddress): Place {
  return (table.ptr >>> 2) + (entry.af === 'inet' ? ROOT4 : ROOT6);
}

/** The place of the node of exactly this network, or where it would be. */
function descend(root: Place, key: readonly number[], length: number): Place {
  let place = root;
  for (;;) {
    const ptr = u32[place]!;
    if (ptr === 0) return place;
    const node = nodes.get(ptr);
    if (node.length >= length || common(key, node, node.length) < node.length) return place;
    place = (ptr >>> 2) + (bit(key, node.length) === 0 ? LEFT : RIGHT);
  }
}

/** The entry of exactly this network, 0 if there is none. */
export function findEntry(table: Table, entry: PfTableAddress): number {
  const key = addressWords(entry.address);
  const ptr = u32[descend(rootOf(table, entry), key, entry.length)]!;
  if (ptr === 0) return 0;
  const node = nodes.get(ptr);
  const same = node.length === entry.length && common(key, node, entry.length) === entry.length;
  return same && node.entry === 1 ? ptr : 0;
}

/** True if an entry is a negated one. */
export function isNegated(entry: number): boolean {
  return nodes.get(entry).negated === 1;
}

export function setNegated(entry: number, negated: boolean): void {
  nodes.get(entry).negated = negated ? 1 : 0;
}

/** Adds a network that is not in the table; false when there is no room. */
export function addEntry(table: Table, entry: PfTableAddress, time: number): boolean {
  const key = addressWords(entry.address);
  const { length } = entry;
  const place = descend(rootOf(table, entry), key, length);
  const ptr = insertAt(place, key, length);
  if (ptr === 0) return false;
  const node = nodes.get(ptr);
  node.entry = 1;
  node.negated = entry.not === true ? 1 : 0;
  node.cleared = time;
  table.addresses++;
  return true;
}

function insertAt(place: Place, key: readonly number[], length: number): number {
  const there = u32[place]!;
  if (there === 0) return (u32[place] = newNode(key, length, true));
  const node = nodes.get(there);
  const shared = common(key, node, Math.min(length, node.length));
  if (shared === length && node.length === length) return there;
  const made = newNode(key, length, true);
  if (made === 0) return 0;
  if (shared === length) {
    // The new network holds the one that is there.
    u32[(made >>> 2) + (bitOfNode(node, length) === 0 ? LEFT : RIGHT)] = there;
    u32[place] = made;
    return made;
  }
  const fork = newNode(key, shared, false);
  if (fork === 0) {
    nodes.free(made);
    return 0;
  }
  const side = bit(key, shared) === 0 ? LEFT : RIGHT;
  u32[(fork >>> 2) + side] = made;
  u32[(fork >>> 2) + LEFT + RIGHT - side] = there;
  u32[place] = fork;
  return made;
}

function bitOfNode(node: Node, n: number): number {
  return (u32[(node.ptr >>> 2) + KEY + (n >>> 5)]! >>> (31 - (n & 31))) & 1;
}

/** Removes an entry; false if there is none of exactly this network. */
export function removeEntry(table: Table, entry: PfTableAddress): boolean {
  const found = findEntry(table, entry);
  if (found === 0) return false;
  const root = rootOf(table, entry);
  const key = addressWords(entry.address);
  const node = nodes.get(found);
  node.entry = 0;
  if (node.counters !== 0) counters.free(node.counters);
  node.counters = 0;
  table.addresses--;
  tidy(descend(root, key, entry.length), root, key);
  return true;
}

/** A node that is no entry and has fewer than two children goes; then perhaps the fork above it. */
function tidy(place: Place, root: Place, key: readonly number[]): void {
  const ptr = u32[place]!;
  const node = nodes.get(ptr);
  if (node.entry === 1 || (node.left !== 0 && node.right !== 0)) return;
  const leaf = node.left === 0 && node.right === 0;
  u32[place] = node.left !== 0 ? node.left : node.right;
  const { length } = node;
  nodes.free(ptr);
  if (!leaf || place === root) return;
  // The place is a link of the fork above.
  tidy(descend(root, key, forkAbove(root, key, length)), root, key);
}

/** Length of the deepest node above prefix length `length` on the way to a key. */
function forkAbove(root: Place, key: readonly number[], length: number): number {
  let found = 0;
  for (let ptr = u32[root]!; ptr !== 0;) {
    const node = nodes.get(ptr);
    if (node.length >= length || common(key, node, node.length) < node.length) break;
    found = node.length;
    ptr = u32[(ptr >>> 2) + (bit(key, node.length) === 0 ? LEFT : RIGHT)]!;
  }
  return found;
}

/** The entry that decides about an IPv4 address (host order), 0 if none does. */
export function lookup4(table: Table, address: number): number {
  let best = 0;
  for (let ptr = u32[(table.ptr >>> 2) + ROOT4]!; ptr !== 0;) {
    const node = nodes.get(ptr);
    const { length } = node;
    if (length !== 0 && (address ^ node.key0) >>> (32 - length) !== 0) break;
    if (node.entry === 1) best = ptr;
    if (length === 32) break;
    ptr = (address >>> (31 - length)) & 1 ? node.right : node.left;
  }
  return best;
}

/** True if an IPv4 address is in the table; counts the answer. */
export function matchesTable(table: Table, address: number): boolean {
  const entry = lookup4(table, address);
  const found = entry !== 0 && nodes.get(entry).negated === 0;
  if (found) table.match++;
  else table.noMatch++;
  return found;
}

function countAt(at: number, slot: number, bytes: number): void {
  f64[(at >>> 3) + slot]!++;
  f64[(at >>> 3) + slot + 1]! += bytes;
}

/** Counts a packet with an address of the table. `fate`: 0 blocked, 1 passed. */
export function countTraffic(table: Table, address: number, out: boolean, fate: 0 | 1, bytes: number): void {
  const ptr = lookup4(table, address);
  const entry = ptr !== 0 && nodes.get(ptr).negated === 0 ? nodes.get(ptr) : undefined;
  // Passed though the address is no longer in the table: XPass.
  const slot = (out ? 6 : 0) + 2 * (fate === 1 && entry === undefined ? 2 : fate);
  countAt(table.traffic, slot, bytes);
  if (entry === undefined) return;
  if (entry.counters === 0) entry.counters = counters.alloc();
  if (entry.counters !== 0) countAt(entry.counters, slot, bytes);
}

function trafficAt(at: number): PfTableTraffic {
  const pair = (slot: number): { packets: number; bytes: number } =>
    at === 0
      ? { packets: 0, bytes: 0 }
      : { packets: f64[(at >>> 3) + slot]!, bytes: f64[(at >>> 3) + slot + 1]! };
  return {
    inBlock: pair(0),
    inPass: pair(2),
    inXPass: pair(4),
    outBlock: pair(6),
    outPass: pair(8),
    outXPass: pair(10),
  };
}

export function tableTraffic(table: Table): PfTableTraffic {
  return trafficAt(table.traffic);
}

/** Counters of an entry, and when they began. */
export function entryTraffic(entry: number): { cleared: number; traffic: PfTableTraffic } {
  const node = nodes.get(entry);
  return { cleared: node.cleared, traffic: trafficAt(node.counters) };
}

/** Zeroes the counters of an entry. */
export function clearEntry(entry: number, time: number): void {
  const node = nodes.get(entry);
  if (node.counters !== 0) counters.free(node.counters);
  node.counters = 0;
  node.cleared = time;
}

export function clearTable(table: Table, time: number): void {
  table.cleared = time;
  table.match = 0;
  table.noMatch = 0;
  f64.fill(0, table.traffic >>> 3, (table.traffic >>> 3) + TRAFFIC);
}

/** An entry as data. */
export function entryAddress(entry: number, af: PfTableAddress['af']): PfTableAddress {
  const node = nodes.get(entry);
  const words = [node.key0, node.key1, node.key2, node.key3];
  const base = { af, address: wordsText(af, words), length: node.length };
  return node.negated === 1 ? { ...base, not: true } : base;
}

/** Calls back for each entry, in the order of addresses, IPv4 first. */
export function eachEntry(table: Table, visit: (entry: number, af: PfTableAddress['af']) => void): void {
  for (const [root, af] of [
    [table.root4, 'inet'],
    [table.root6, 'inet6'],
  ] as const) {
    const waiting: number[] = [];
    for (let ptr = root; ptr !== 0 || waiting.length > 0;) {
      if (ptr === 0) ptr = waiting.pop()!;
      const node = nodes.get(ptr);
      const { left, right } = node;
      if (node.entry === 1) visit(ptr, af);
      if (left === 0) ptr = right;
      else {
        if (right !== 0) waiting.push(right);
        ptr = left;
      }
    }
  }
}

/** Removes all entries. */
export function emptyTable(table: Table): void {
  const waiting = [table.root4, table.root6].filter((ptr) => ptr !== 0);
  for (let ptr = waiting.pop(); ptr !== undefined; ptr = waiting.pop()) {
    const node = nodes.get(ptr);
    if (node.left !== 0) waiting.push(node.left);
    if (node.right !== 0) waiting.push(node.right);
    if (node.counters !== 0) counters.free(node.counters);
    nodes.free(ptr);
  }
  table.root4 = 0;
  table.root6 = 0;
  table.addresses = 0;
}

/** The table with a name in exactly this anchor; 0 if there is none. */
export function findTable(pf: Pf, anchor: string, name: string): number {
  for (let ptr = pf.tables; ptr !== 0; ptr = tables.get(ptr).next) {
    const table = tables.get(ptr);
    if (tableName(table) === name && tableAnchor(table) === anchor) return ptr;
  }
  return 0;
}

/** The table that a rule of an anchor means: its own, or that of the main rule set; 0 if there is none. */
export function resolveTable(pf: Pf, anchor: string, name: string): number {
  const own = findTable(pf, anchor, name);
  if (anchor === '' || (own !== 0 && tables.get(own).active === 1)) return own;
  const main = findTable(pf, '', name);
  return main !== 0 ? main : own;
}

/** Makes a table; 0 when there is no room. */
export function makeTable(pf: Pf, anchor: string, name: string, time: number): number {
  const ptr = tables.alloc();
  if (ptr === 0) return 0;
  const table = tables.get(ptr);
  putText(table.name, TABLE_NAME, name);
  putText(table.anchor, ANCHOR_PATH, anchor);
  table.cleared = time;
  table.next = pf.tables;
  pf.tables = ptr;
  return ptr;
}

/** Takes a table with all it holds out of the list of its PF and frees it. */
export function freeTable(pf: Pf, ptr: number): void {
  const table = tables.get(ptr);
  emptyTable(table);
  if (pf.tables === ptr) pf.tables = table.next;
  else {
    let at = tables.get(pf.tables);
    while (at.next !== ptr) at = tables.get(at.next);
    at.next = table.next;
  }
  tables.free(ptr);
}

export function tableName(table: Table): string {
  return getText(table.name, TABLE_NAME);
}

/** The path of the anchor that a table belongs to. */
export function tableAnchor(table: Table): string {
  return getText(table.anchor, ANCHOR_PATH);
}

/** Calls back for each table of a PF; the callback may free it. */
export function eachTable(pf: Pf, visit: (table: Table) => void): void {
  for (let ptr = pf.tables; ptr !== 0;) {
    const table = tables.get(ptr);
    ptr = table.next;
    visit(table);
  }
}
