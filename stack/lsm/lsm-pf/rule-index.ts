/**
 * The rule that a record of counters belongs to, for states, which know the record only. A rule that is no longer loaded is found as long as a state holds its list.
 */
import { getText } from '../../memory/memory.ts';
import { nameNumbers } from './names.ts';
import { ANCHOR_PATH, anchors, lists, pfs, ruleStruct } from './records.ts';
import type { RuleRecord } from './records.ts';
import { rulesOf } from './rule-list.ts';
import type { Rule } from './rules.ts';
import { setRuleTimeout } from './states.ts';
import { listOfAnchor } from './view.ts';

const records = new Map<number, RuleRecord>();

/** The counters at an address; one view for each place and thread. */
export function recordOf(ptr: number): RuleRecord {
  let record = records.get(ptr);
  if (record === undefined) {
    record = ruleStruct.at(ptr);
    records.set(ptr, record);
  }
  return record;
}

/** The rule of a record. */
export function ruleByRecord(ptr: number): Rule {
  const record = recordOf(ptr);
  const list = lists.get(record.list);
  const pf = pfs.get(list.pf);
  const anchor = (): string => anchorOfRecord(ptr) ?? '';
  return rulesOf(record.list, anchor, () => nameNumbers(pf)).rules[record.number]!;
}

/** The path of the anchor that a record's list is loaded into; undefined if it is not any more. */
export function anchorOfRecord(ptr: number): string | undefined {
  const { list } = recordOf(ptr);
  const pf = pfs.get(lists.get(list).pf);
  for (let at = pf.anchors; at !== 0; at = anchors.get(at).next)
    for (let part = 0; part < 5; part++)
      if (listOfAnchor(anchors.get(at), part) === list) return getText(anchors.get(at).path, ANCHOR_PATH);
  return undefined;
}

setRuleTimeout((rule, index) => ruleByRecord(rule).timeouts[index]!);
