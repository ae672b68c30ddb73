/**
 * What `pfctl -T` does to tables (pf(4), DIOCR*): adding, deleting, replacing and testing addresses, each with what became of it.
 */
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { SECOND, now } from '../../runtime/clock.ts';
import type { PfFeedback, PfTableInfo, PfTableResult } from '../../filter/pf/ioctl.ts';
import type { PfTableAddress } from '../../filter/pf/ruleset.ts';
import { address4 } from './address.ts';
import type { Pf } from './records.ts';
import { nextSerial } from './serial.ts';
import { limitOf } from './states.ts';
import {
  addEntry,
  clearEntry,
  clearTable,
  eachEntry,
  eachTable,
  emptyTable,
  entryAddress,
  entryTraffic,
  findEntry,
  findTable,
  freeTable,
  isNegated,
  lookup4,
  makeTable,
  removeEntry,
  setNegated,
  tableAnchor,
  tableName,
  tableTraffic,
  tables,
} from './tables.ts';
import type { Table } from './tables.ts';
import { isShadow } from './transaction.ts';

/** A table in an anchor. */
export interface TableRef {
  readonly anchor: string;
  readonly table: string;
}

/** The table; ESRCH if there is none, EPERM if it is constant and is to be changed. */
function tableAt(pf: Pf, { anchor, table: name }: TableRef, forChange: boolean): Table {
  const ptr = findTable(pf, anchor, name);
  if (ptr === 0) throw new SystemError(ERRNO.ESRCH, `table <${name}> does not exist`);
  const table = tables.get(ptr);
  if (forChange && table.const === 1) throw new SystemError(ERRNO.EPERM, `table <${name}> is constant`);
  return table;
}

function tableOrNew(
  pf: Pf,
  ref: TableRef,
  create: boolean,
): { readonly table: Table; readonly created: boolean } {
  if (findTable(pf, ref.anchor, ref.table) !== 0 || !create)
    return { table: tableAt(pf, ref, true), created: false };
  const ptr = makeTable(pf, ref.anchor, ref.table, now());
  if (ptr === 0) throw new SystemError(ERRNO.ENOBUFS, 'no room for another table');
  tables.get(ptr).persist = 1;
  tables.get(ptr).active = 1;
  pf.generation = nextSerial();
  return { table: tables.get(ptr), created: true };
}

/** What became of addresses, and how many were added, deleted and changed. */
class Tally {
  added = 0;
  deleted = 0;
  changed = 0;
  readonly feedback: { address: PfTableAddress; result: PfFeedback }[] = [];

  note(address: PfTableAddress, result: PfFeedback): void {
    if (result === 'added') this.added++;
    else if (result === 'deleted') this.deleted++;
    else if (result === 'changed') this.changed++;
    this.feedback.push({ address, result });
  }

  get result(): PfTableResult {
    const { added, deleted, changed, feedback } = this;
    return { added, deleted, changed, feedback };
  }
}

/** Adds an address, or turns it round if it is there with the other sign. */
function addOne(pf: Pf, table: Table, address: PfTableAddress, dryRun: boolean, turn: boolean): PfFeedback {
  const entry = findEntry(table, address);
  if (entry !== 0) {
    if (isNegated(entry) === (address.not === true)) return 'none';
    if (!turn) return 'changed';
    if (!dryRun) setNegated(entry, address.not === true);
    return 'changed';
  }
  if (dryRun) return 'added';
  const limit = limitOf(pf, 'table-entries');
  if ((limit !== 0 && table.addresses >= limit) || !addEntry(table, address, now()))
    throw new SystemError(ERRNO.ENOBUFS, `no room for more addresses in table <${tableName(table)}>`);
  return 'added';
}

const keyOf = ({ af, address, length }: PfTableAddress): string => `${af} ${address}/${length}`;

export function addAddresses(
  pf: Pf,
  ref: TableRef,
  addresses: readonly PfTableAddress[],
  create: boolean,
  dryRun: boolean,
): PfTableResult & { created: boolean } {
  const { table, created } = tableOrNew(pf, ref, create);
  const tally = new Tally();
  const seen = new Set<string>();
  for (const address of addresses) {
    const key = keyOf(address);
    if (seen.has(key)) tally.note(address, 'duplicate');
    else tally.note(address, addOne(pf, table, address, dryRun, true));
    seen.add(key);
  }
  return { ...tally.result, created };
}

export function deleteAddresses(
  pf: Pf,
  ref: TableRef,
  addresses: readonly PfTableAddress[],
  dryRun: boolean,
): PfTableResult {
  const table = tableAt(pf, ref, true);
  const tally = new Tally();
  for (const address of addresses) {
    const entry = findEntry(table, address);
    const same = entry !== 0 && isNegated(entry) === (address.not === true);
    if (same && !dryRun) removeEntry(table, address);
    tally.note(address, same ? 'deleted' : 'none');
  }
  return tally.result;
}

/** The table has exactly these addresses afterwards. */
export function setAddresses(
  pf: Pf,
  ref: TableRef,
  addresses: readonly PfTableAddress[],
  create: boolean,
  dryRun: boolean,
): PfTableResult & { created: boolean } {
  const { table, created } = tableOrNew(pf, ref, create);
  const tally = new Tally();
  const wanted = new Set(addresses.map(keyOf));
  const gone: PfTableAddress[] = [];
  eachEntry(table, (entry, af) => {
    const address = entryAddress(entry, af);
    if (!wanted.has(keyOf(address))) gone.push(address);
  });
  for (const address of gone) {
    if (!dryRun) removeEntry(table, address);
    tally.note(address, 'deleted');
  }
  for (const address of addresses) tally.note(address, addOne(pf, table, address, dryRun, true));
  return { ...tally.result, created };
}

export function clearAddresses(pf: Pf, ref: TableRef, dryRun: boolean): number {
  const table = tableAt(pf, ref, true);
  const { addresses } = table;
  if (!dryRun) emptyTable(table);
  return addresses;
}

/** Addresses of a table with their counters: `count` from number `first` on. */
export function listAddresses(pf: Pf, ref: TableRef, first: number, count: number) {
  const table = tableAt(pf, ref, false);
  let number = 0;
  const list: (PfTableAddress & ReturnType<typeof entryTraffic>)[] = [];
  eachEntry(table, (entry, af) => {
    if (number >= first && list.length < count) {
      const { cleared, traffic } = entryTraffic(entry);
      list.push({ ...entryAddress(entry, af), cleared: cleared / SECOND, traffic });
    }
    number++;
  });
  return { total: number, addresses: list };
}

export function clearAddressCounters(
  pf: Pf,
  ref: TableRef,
  addresses: readonly PfTableAddress[],
): PfTableResult {
  const table = tableAt(pf, ref, false);
  const tally = new Tally();
  for (const address of addresses) {
    const entry = findEntry(table, address);
    if (entry !== 0) clearEntry(entry, now());
    tally.note(address, entry === 0 ? 'none' : 'cleared');
  }
  return tally.result;
}

/** Whether addresses are in the table. Networks are in it if it has exactly them. */
export function testAddresses(
  pf: Pf,
  ref: TableRef,
  addresses: readonly PfTableAddress[],
): { matched: number; feedback: PfTableResult['feedback'] } {
  const table = tableAt(pf, ref, false);
  const tally = new Tally();
  let matched = 0;
  for (const address of addresses) {
    const single = address.af === 'inet' && address.length === 32;
    const entry = single ? lookup4(table, address4(address.address)) : findEntry(table, address);
    const found = entry !== 0 && !isNegated(entry);
    if (found) matched++;
    tally.note(address, found ? 'match' : 'no match');
  }
  return { matched, feedback: tally.feedback };
}

/** Removes addresses whose counters are older than some time; says how many. */
export function expireAddresses(pf: Pf, ref: TableRef, seconds: number, dryRun: boolean): number {
  const table = tableAt(pf, ref, true);
  const old: PfTableAddress[] = [];
  eachEntry(table, (entry, af) => {
    if (entryTraffic(entry).cleared + seconds * SECOND <= now()) old.push(entryAddress(entry, af));
  });
  if (!dryRun) old.forEach((address) => removeEntry(table, address));
  return old.length;
}

/** Tables as those who ask are told of them; `rules`: by how many rules a table is named. */
export function listTables(
  pf: Pf,
  anchor: string,
  name: string | undefined,
  rules: (table: Table) => number,
): PfTableInfo[] {
  const list: PfTableInfo[] = [];
  eachTable(pf, (table) => {
    if (isShadow(table) || tableAnchor(table) !== anchor || (name !== undefined && tableName(table) !== name))
      return;
    const used = rules(table);
    list.push({
      name: tableName(table),
      anchor,
      const: table.const === 1,
      persist: table.persist === 1,
      active: table.active === 1,
      inactive: false,
      referenced: used > 0,
      hidden: anchor !== '' && findTable(pf, '', tableName(table)) !== 0,
      addresses: table.addresses,
      cleared: table.cleared / SECOND,
      references: { anchors: 0, rules: used },
      match: table.match,
      noMatch: table.noMatch,
      traffic: tableTraffic(table),
    });
  });
  return list.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Zeroes the counters of a table, or of all of an anchor; says of how many. */
export function clearTables(pf: Pf, anchor: string, name: string | undefined): number {
  let cleared = 0;
  eachTable(pf, (table) => {
    if (isShadow(table) || tableAnchor(table) !== anchor || (name !== undefined && tableName(table) !== name))
      return;
    clearTable(table, now());
    eachEntry(table, (entry) => clearEntry(entry, now()));
    cleared++;
  });
  return cleared;
}

/** Kills a table, or all of an anchor; those that rules name stay, without addresses. */
export function killTables(
  pf: Pf,
  anchor: string,
  name: string | undefined,
  dryRun: boolean,
  rules: (table: Table) => number,
): number {
  let deleted = 0;
  eachTable(pf, (table) => {
    if (isShadow(table) || tableAnchor(table) !== anchor || (name !== undefined && tableName(table) !== name))
      return;
    deleted++;
    if (dryRun) return;
    if (rules(table) === 0) freeTable(pf, table.ptr);
    else {
      emptyTable(table);
      table.active = 0;
    }
  });
  if (deleted > 0 && !dryRun) pf.generation = nextSerial();
  return deleted;
}
