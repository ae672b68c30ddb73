/**
 * Loading rules, tables and queues as one (pf(4), DIOCXBEGIN): what is being loaded stands beside what is valid, and takes its place at once, or is thrown away.
 */
import { putText, u32, u8 } from '../../memory/memory.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { now } from '../../runtime/clock.ts';
import { PF_PARTS } from '../../filter/pf/ruleset.ts';
import type { PfAltq, PfPart, PfQueue, PfRule, PfTable, PfTableAddress } from '../../filter/pf/ruleset.ts';
import { makeList, releaseList } from './lists.ts';
import { enterNames } from './names.ts';
import { ANCHOR_PATH, anchorStruct, anchors, lists } from './records.ts';
import type { AnchorRecord, Pf } from './records.ts';
import { nextSerial } from './serial.ts';
import { limitOf } from './states.ts';
import {
  addEntry,
  emptyTable,
  eachTable,
  findEntry,
  findTable,
  freeTable,
  makeTable,
  tableAnchor,
  tableName,
  tables,
} from './tables.ts';
import type { Table } from './tables.ts';
import { freePages, loadText, storeText } from './text.ts';
import { PART, anchorPath, eachAnchor } from './view.ts';

const LISTS = anchorStruct.offsets.lists >>> 2;
const PENDING = anchorStruct.offsets.pending >>> 2;
/** In `replaces` of an anchor: behind the five parts, its tables. */
const TABLES = 5;
/** In front of the anchor's path of tables that are being loaded. */
const SHADOW = '\u0001';

export type ListName = PfPart | 'altq' | 'tables';

function noRoom(what: string): SystemError {
  return new SystemError(ERRNO.ENOBUFS, `no room for ${what}`);
}

/** The anchor with a path, 0 if there is none. */
export function findAnchor(pf: Pf, path: string): number {
  for (let ptr = pf.anchors; ptr !== 0; ptr = anchors.get(ptr).next)
    if (anchorPath(anchors.get(ptr)) === path) return ptr;
  return 0;
}

function anchorAt(pf: Pf, path: string): AnchorRecord {
  const known = findAnchor(pf, path);
  if (known !== 0) return anchors.get(known);
  if (new TextEncoder().encode(path).length >= ANCHOR_PATH)
    throw new SystemError(
      ERRNO.EINVAL,
      `anchor ${path}: a path of less than ${ANCHOR_PATH} bytes is expected`,
    );
  const ptr = anchors.alloc();
  if (ptr === 0) throw noRoom('another anchor');
  const anchor = anchors.get(ptr);
  putText(anchor.path, ANCHOR_PATH, path);
  anchor.next = pf.anchors;
  pf.anchors = ptr;
  return anchor;
}

function dropPending(anchor: AnchorRecord, part: number): void {
  const at = (anchor.ptr >>> 2) + PENDING + part;
  for (let ptr = u32[at]!; ptr !== 0;) {
    const { next } = lists.get(ptr);
    releaseList(ptr);
    ptr = next;
  }
  u32[at] = 0;
}

/** Throws away what is being loaded. */
export function rollBack(pf: Pf): void {
  eachAnchor(pf, (anchor) => {
    PF_PARTS.forEach((_, part) => dropPending(anchor, part));
    u8.fill(0, anchor.replaces, anchor.replaces + TABLES + 1);
  });
  eachTable(pf, (table) => {
    if (tableAnchor(table).startsWith(SHADOW)) freeTable(pf, table.ptr);
  });
  if (pf.altqPending !== 0) freePages(pf.altqPending);
  pf.altqPending = 0;
  pf.openTicket = 0;
  freeEmptyAnchors(pf);
}

/** Frees the anchors that hold nothing any more: their names may be different every time. */
function freeEmptyAnchors(pf: Pf): void {
  let previous = 0;
  for (let ptr = pf.anchors; ptr !== 0;) {
    const anchor = anchors.get(ptr);
    const { next } = anchor;
    const path = anchorPath(anchor);
    const holds = PF_PARTS.some((_, part) => u32[(ptr >>> 2) + LISTS + part] !== 0);
    if (path === '' || holds || hasTables(pf, path)) previous = ptr;
    else {
      if (previous === 0) pf.anchors = next;
      else anchors.get(previous).next = next;
      anchors.free(ptr);
    }
    ptr = next;
  }
}

function hasTables(pf: Pf, path: string): boolean {
  let found = false;
  eachTable(pf, (table) => (found ||= tableAnchor(table) === path));
  return found;
}

/** Begins to load lists; what was being loaded by somebody else is thrown away. Returns the ticket. */
export function begin(
  pf: Pf,
  wanted: readonly { readonly anchor: string; readonly part: ListName }[],
): number {
  rollBack(pf);
  for (const { anchor: path, part } of wanted) {
    if (part === 'altq') storeAltq(pf, [], []);
    else u8[anchorAt(pf, path).replaces + (part === 'tables' ? TABLES : PART[part])] = 1;
  }
  pf.openTicket = ++pf.ticket;
  return pf.openTicket;
}

function expectTicket(pf: Pf, ticket: number): void {
  if (ticket === 0 || ticket !== pf.openTicket)
    throw new SystemError(ERRNO.EBUSY, `ticket ${ticket}: somebody else has begun to load rules meanwhile`);
}

function expectList(pf: Pf, path: string, slot: number): AnchorRecord {
  const ptr = findAnchor(pf, path);
  if (ptr === 0 || u8[anchors.get(ptr).replaces + slot] !== 1)
    throw new SystemError(ERRNO.EINVAL, `anchor "${path}": this list is not part of the transaction`);
  return anchors.get(ptr);
}

/** Appends rules to a list that is being loaded. */
export function addRules(
  pf: Pf,
  ticket: number,
  where: { readonly anchor: string; readonly part: PfPart },
  rules: readonly PfRule[],
  owner: { readonly uid: number; readonly pid: number },
): void {
  expectTicket(pf, ticket);
  const anchor = expectList(pf, where.anchor, PART[where.part]);
  const ptr = makeList(pf, rules, owner.uid, owner.pid);
  if (ptr === 0) throw noRoom(`${rules.length} more rules`);
  let at = (anchor.ptr >>> 2) + PENDING + PART[where.part];
  // The link of a list is its first word.
  while (u32[at] !== 0) at = u32[at]! >>> 2;
  u32[at] = ptr;
}

/** Defines tables that are being loaded. */
export function addTables(pf: Pf, ticket: number, anchor: string, wanted: readonly PfTable[]): void {
  expectTicket(pf, ticket);
  expectList(pf, anchor, TABLES);
  for (const { name, persist, const: constant, addresses } of wanted) {
    const path = SHADOW + anchor;
    const known = findTable(pf, path, name);
    const ptr = known !== 0 ? known : makeTable(pf, path, name, now());
    if (ptr === 0) throw noRoom('another table');
    const table = tables.get(ptr);
    table.persist = persist === true ? 1 : 0;
    table.const = constant === true ? 1 : 0;
    table.active = addresses === undefined ? 0 : 1;
    fill(pf, table, addresses ?? []);
  }
}

function fill(pf: Pf, table: Table, addresses: readonly PfTableAddress[]): void {
  const limit = limitOf(pf, 'table-entries');
  for (const address of addresses) {
    if (findEntry(table, address) !== 0) continue;
    if ((limit !== 0 && table.addresses >= limit) || !addEntry(table, address, now()))
      throw noRoom(`more addresses in table <${tableName(table)}>`);
  }
}

export function addTableAddresses(
  pf: Pf,
  ticket: number,
  anchor: string,
  name: string,
  addresses: readonly PfTableAddress[],
): void {
  expectTicket(pf, ticket);
  const ptr = findTable(pf, SHADOW + anchor, name);
  if (ptr === 0) throw new SystemError(ERRNO.ESRCH, `table <${name}> is not part of the transaction`);
  tables.get(ptr).active = 1;
  fill(pf, tables.get(ptr), addresses);
}

function storeAltq(pf: Pf, altqs: readonly PfAltq[], queues: readonly PfQueue[]): void {
  const stored = storeText(JSON.stringify({ altqs, queues }));
  if (stored === undefined) throw noRoom('queues');
  if (pf.altqPending !== 0) freePages(pf.altqPending);
  pf.altqPending = stored.page;
  pf.altqPendingBytes = stored.bytes;
}

export function addAltq(pf: Pf, ticket: number, altqs: readonly PfAltq[], queues: readonly PfQueue[]): void {
  expectTicket(pf, ticket);
  if (pf.altqPending === 0) throw new SystemError(ERRNO.EINVAL, 'queues are not part of the transaction');
  storeAltq(pf, altqs, queues);
}

/** All rules of a list that is being loaded. */
function pendingRules(anchor: AnchorRecord, part: number): PfRule[] {
  const rules: PfRule[] = [];
  for (let ptr = u32[(anchor.ptr >>> 2) + PENDING + part]!; ptr !== 0; ptr = lists.get(ptr).next) {
    const { text, bytes } = lists.get(ptr);
    rules.push(...(JSON.parse(loadText({ page: text, bytes })) as PfRule[]));
  }
  return rules;
}

function namesIn(rules: readonly PfRule[]): string[] {
  return rules.flatMap(({ tag, tagged, queue }) =>
    [tag, tagged?.name, queue?.name, queue?.priority].filter((name) => name !== undefined),
  );
}

/** Makes all that was loaded valid at once. */
export function commit(pf: Pf, ticket: number): void {
  expectTicket(pf, ticket);
  const made: { readonly at: number; readonly list: number }[] = [];
  try {
    eachAnchor(pf, (anchor) => prepare(pf, anchor, made));
  } catch (error) {
    made.forEach(({ list }) => list !== 0 && releaseList(list));
    rollBack(pf);
    throw error;
  }
  for (const { at, list } of made) {
    if (u32[at] !== 0) releaseList(u32[at]!);
    u32[at] = list;
  }
  eachAnchor(pf, (anchor) => {
    if (u8[anchor.replaces + TABLES] === 1) commitTables(pf, anchorPath(anchor));
  });
  if (pf.altqPending !== 0) {
    if (!enterNames(pf, pendingQueues(pf))) throw noRoom('more queues');
    if (pf.altq !== 0) freePages(pf.altq);
    pf.altq = pf.altqPending;
    pf.altqBytes = pf.altqPendingBytes;
    pf.altqPending = 0;
  }
  rollBack(pf);
  pf.generation = nextSerial();
}

/** Makes the lists of an anchor that are to take the place of others. */
function prepare(pf: Pf, anchor: AnchorRecord, made: { readonly at: number; readonly list: number }[]): void {
  PF_PARTS.forEach((_, part) => {
    if (u8[anchor.replaces + part] !== 1) return;
    const rules = pendingRules(anchor, part);
    if (!enterNames(pf, namesIn(rules))) throw noRoom('more tags and queues');
    const first = u32[(anchor.ptr >>> 2) + PENDING + part]!;
    const { uid, pid } = first === 0 ? { uid: 0, pid: 0 } : lists.get(first);
    const list = rules.length === 0 ? 0 : makeList(pf, rules, uid, pid);
    if (rules.length > 0 && list === 0) throw noRoom(`${rules.length} rules`);
    made.push({ at: (anchor.ptr >>> 2) + LISTS + part, list });
  });
}

/** The tables that were loaded take the place of those of the same name; others that nobody asked to keep go. */
function commitTables(pf: Pf, path: string): void {
  const loaded = new Set<string>();
  eachTable(pf, (shadow) => {
    if (tableAnchor(shadow) !== SHADOW + path) return;
    const name = tableName(shadow);
    loaded.add(name);
    takeOver(pf, path, shadow);
  });
  eachTable(pf, (table) => {
    if (tableAnchor(table) !== path || loaded.has(tableName(table)) || table.persist === 1) return;
    freeTable(pf, table.ptr);
  });
}

function takeOver(pf: Pf, path: string, shadow: Table): void {
  const known = findTable(pf, path, tableName(shadow));
  if (known === 0) {
    putText(shadow.anchor, ANCHOR_PATH, path);
    shadow.active = 1;
    return;
  }
  const table = tables.get(known);
  table.persist = shadow.persist;
  table.const = shadow.const;
  if (shadow.active === 1) {
    emptyTable(table);
    table.root4 = shadow.root4;
    table.root6 = shadow.root6;
    table.addresses = shadow.addresses;
    shadow.root4 = 0;
    shadow.root6 = 0;
  }
  table.active = 1;
  freeTable(pf, shadow.ptr);
}

/** Names of the queues that are being loaded. */
function pendingQueues(pf: Pf): string[] {
  const text = loadText({ page: pf.altqPending, bytes: pf.altqPendingBytes });
  return (JSON.parse(text) as { queues: PfQueue[] }).queues.map(({ name }) => name);
}

/** Queues as they are loaded. */
export function loadedAltq(pf: Pf): {
  readonly altqs: readonly PfAltq[];
  readonly queues: readonly PfQueue[];
} {
  if (pf.altq === 0) return { altqs: [], queues: [] };
  return JSON.parse(loadText({ page: pf.altq, bytes: pf.altqBytes })) as {
    altqs: PfAltq[];
    queues: PfQueue[];
  };
}

/** Frees all rules, anchors and tables: PF is unloaded. */
export function freeRules(pf: Pf): void {
  rollBack(pf);
  while (pf.anchors !== 0) {
    const anchor = anchors.get(pf.anchors);
    PF_PARTS.forEach((_, part) => {
      const list = u32[(anchor.ptr >>> 2) + LISTS + part]!;
      if (list !== 0) releaseList(list);
    });
    pf.anchors = anchor.next;
    anchors.free(anchor.ptr);
  }
  while (pf.tables !== 0) freeTable(pf, pf.tables);
  for (const page of [pf.altq, pf.fingerprints, pf.tags]) if (page !== 0) freePages(page);
}

/** True for a table that is being loaded only. */
export function isShadow(table: Table): boolean {
  return tableAnchor(table).startsWith(SHADOW);
}
