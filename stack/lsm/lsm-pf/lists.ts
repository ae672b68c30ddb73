/**
 * Lists of rules in the one memory: made of the rules' text, freed when they are replaced and no state refers to their counters any more.
 */
import type { PfRule } from '../../filter/pf/ruleset.ts';
import { RULES_PER_PAGE, lists, ruleStruct } from './records.ts';
import type { Pf } from './records.ts';
import { recordsOf } from './rule-list.ts';
import { nextSerial } from './serial.ts';
import { allocPages, freePages, storeText } from './text.ts';

/** Makes a list of rules; 0 when there is no room. `references` is 1: whoever asked for it holds it. */
export function makeList(pf: Pf, rules: readonly PfRule[], uid: number, pid: number): number {
  const ptr = lists.alloc();
  if (ptr === 0) return 0;
  const list = lists.get(ptr);
  const text = storeText(JSON.stringify(rules));
  const records = text === undefined ? 0 : allocPages(Math.ceil(rules.length / RULES_PER_PAGE));
  if (text === undefined || records === 0) {
    if (text !== undefined) freePages(text.page);
    lists.free(ptr);
    return 0;
  }
  list.pf = pf.ptr;
  list.text = text.page;
  list.bytes = text.bytes;
  list.records = records;
  list.count = rules.length;
  list.serial = nextSerial();
  list.references = 1;
  list.uid = uid;
  list.pid = pid;
  recordsOf(list).forEach((at, number) => {
    const record = ruleStruct.at(at);
    record.list = ptr;
    record.number = number;
  });
  return ptr;
}

/** A rule of the list is referred to once more. */
export function holdList(ptr: number): void {
  lists.get(ptr).references++;
}

/** One reference less; the last one frees the list. */
export function releaseList(ptr: number): void {
  const list = lists.get(ptr);
  if (--list.references > 0) return;
  freePages(list.text);
  freePages(list.records);
  lists.free(ptr);
}
