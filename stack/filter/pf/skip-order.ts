/**
 * An order of rules in which more of them can be skipped: when a rule does not match for its interface, say, the walk goes on at the next one with another interface.
 * The largest group of rules that have such a field in common is put together, then the next largest of what is left; groups are sorted within in the same way.
 */
import { sameAddress } from './rule-cover.ts';
import type { PfHost, PfOperator, PfRule } from './ruleset.ts';

type Same = (a: PfRule, b: PfRule) => boolean;

/** Whether two rules let the walk skip both, field by field in the order of the walk. A field that is not said skips nothing. */
const FIELDS: readonly Same[] = [
  (a, b) =>
    a.interface !== undefined &&
    a.interface.name === b.interface?.name &&
    a.interface.not === b.interface.not,
  (a, b) => a.direction !== undefined && a.direction === b.direction,
  (a, b) => a.af !== undefined && a.af === b.af,
  (a, b) => a.protocol !== undefined && a.protocol === b.protocol,
  (a, b) => sameHost(a.source, b.source),
  (a, b) => samePort(a.source.port, b.source.port),
  (a, b) => sameHost(a.destination, b.destination),
  (a, b) => samePort(a.destination.port, b.destination.port),
];

function sameHost(a: PfHost, b: PfHost): boolean {
  return a.address.kind !== 'any' && sameAddress(a, b);
}

function samePort(a: PfOperator | undefined, b: PfOperator | undefined): boolean {
  return a !== undefined && a.op === b?.op && a.a === b.a && a.b === b.b;
}

/** Rules with a field in common. */
interface Group {
  readonly rules: Set<PfRule>;
  /** Rules that count; 0 once the group says nothing. */
  count: number;
}

/** Groups by a field, the largest first, those of one size in the order in which they got it. */
function groupBy(rules: readonly PfRule[], same: Same): Group[] {
  const groups: Group[] = [];
  for (const rule of rules) {
    let index = groups.findIndex((group) => {
      const [first] = group.rules;
      return first !== undefined && same(rule, first);
    });
    if (index < 0) index = groups.push({ rules: new Set(), count: 0 }) - 1;
    const group = groups[index];
    if (!group) continue;
    group.rules.add(rule);
    group.count++;
    moveUp(groups, index);
  }
  return groups;
}

function moveUp(groups: Group[], from: number): void {
  for (let i = from; i > 0; i--) {
    const [before, group] = [groups[i - 1], groups[i]];
    if (!before || !group || before.count >= group.count) return;
    groups[i - 1] = group;
    groups[i] = before;
  }
}

function moveDown(groups: Group[], from: number): void {
  for (let i = from; i + 1 < groups.length; i++) {
    const [group, after] = [groups[i], groups[i + 1]];
    if (!after || !group || after.count <= group.count) return;
    groups[i] = after;
    groups[i + 1] = group;
  }
}

/** Groups of so many rules are sorted within, too. */
const SPLIT_FROM = 3;
/** Blocks of more rules stay as they are: to sort them takes longer than it saves. */
const RULES_MAX = 2000;

export function reorderForSkipSteps(rules: readonly PfRule[]): PfRule[] {
  if (rules.length > RULES_MAX) return [...rules];
  const fields = FIELDS.map((same) => groupBy(rules, same));
  // What all rules have in common, or no two, says nothing.
  for (const [first] of fields) {
    if (first && (first.count === rules.length || first.count === 1)) first.count = 0;
  }
  if (fields.every(([first]) => !first || first.count === 0)) return [...rules];

  const left = new Set(rules);
  const groups: PfRule[] = [];
  const pairs: PfRule[] = [];
  while (left.size > 0) {
    const best = largest(fields);
    if (!best) {
      pairs.push(...left);
      break;
    }
    const together = [...best.rules];
    for (const rule of together) {
      left.delete(rule);
      forget(fields, rule);
    }
    if (together.length >= SPLIT_FROM) groups.push(...reorderForSkipSteps(together));
    else pairs.push(...together);
  }
  return [...groups, ...pairs];
}

/** Takes out the largest group of all fields, undefined if none has two rules. */
function largest(fields: readonly Group[][]): Group | undefined {
  let best: Group[] | undefined;
  let count = 1;
  for (const field of fields) {
    const first = field[0]?.count ?? 0;
    if (first <= count) continue;
    count = first;
    best = field;
  }
  return best?.shift();
}

function forget(fields: readonly Group[][], rule: PfRule): void {
  for (const groups of fields) {
    if ((groups[0]?.count ?? 0) <= 1) continue;
    const index = groups.findIndex((group) => group.rules.has(rule));
    const group = groups[index];
    if (!group) continue;
    group.rules.delete(rule);
    group.count--;
    moveDown(groups, index);
  }
}
