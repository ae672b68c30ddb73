/**
 * Rules that differ in one address or one port only, as long lists of hosts and services make them: the next one that matches is looked up instead of walked to. What PF counts stays
 * what it counts: the rules in between are looked at, all of them, as far as it says.
 */
import { mix3 } from '../../memory/hash.ts';
import { ADDRESS, OPERATOR, SKIP } from './rules.ts';
import type { HostTest, Rule } from './rules.ts';

/** Shorter runs are walked sooner than looked up. */
const LEAST_RUN = 8;
const PORT_MASK = 0xffff;

/** What a rule of a run compares: `(packet & mask) === value`. */
interface Key {
  readonly value: number;
  readonly mask: number;
}

/** A list of rules with skip steps (RuleList). */
interface SkippedRules {
  readonly rules: readonly Rule[];
  skip(i: number, step: number): number;
  noteFrom(i: number): void;
  noteTo(i: number): void;
}

type KeyOf = (rule: Rule) => Key | undefined;

/** Rules one after the other with everything before a criterion in common, and that criterion a different network or port in neighbours. */
export class RuleRun {
  readonly #list: SkippedRules;
  readonly #end: number;
  /** Where a walk goes on that the last rule of the run has not met: beyond #end if rules behind the run are like it. */
  readonly #after: number;
  readonly #masks: Int32Array;
  /** A hash table with open addressing: 1 + index of a group, 0 for none. */
  readonly #slots: Int32Array;
  /** Rules with the same key are a group: value, mask, and where in `positions` it begins. */
  readonly #groups: Int32Array;
  /** Numbers of rules, group by group, each rising. */
  readonly #positions: Int32Array;

  constructor(list: SkippedRules, from: number, end: number, step: number, keyOf: KeyOf) {
    this.#list = list;
    this.#end = end;
    this.#after = list.skip(end - 1, step);
    const groups = new Map<string, { key: Key; positions: number[] }>();
    for (let i = from; i < end; i++) {
      const key = keyOf(list.rules[i]!)!;
      const name = `${key.value} ${key.mask}`;
      const group = groups.get(name) ?? { key, positions: [] };
      group.positions.push(i);
      groups.set(name, group);
    }
    this.#masks = Int32Array.from(new Set([...groups.values()].map(({ key }) => key.mask | 0)));
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * groups.size)));
    this.#groups = new Int32Array(3 * groups.size + 3);
    this.#positions = new Int32Array(end - from);
    let group = 0;
    let start = 0;
    for (const { key, positions } of groups.values()) {
      this.#groups.set([key.value | 0, key.mask | 0, start], 3 * group);
      this.#positions.set(positions, start);
      this.#slots[this.#slotOf(key.value | 0, key.mask | 0)] = ++group;
      start += positions.length;
    }
    this.#groups[3 * group + 2] = start;
  }

  /** The slot of a key, or the free one where it would be. */
  #slotOf(value: number, mask: number): number {
    const last = this.#slots.length - 1;
    let slot = mix3(value, mask, 0) & last;
    for (;;) {
      const at = 3 * (this.#slots[slot]! - 1);
      if (at < 0 || (this.#groups[at] === value && this.#groups[at + 1] === mask)) return slot;
      slot = (slot + 1) & last;
    }
  }

  /** The first rule of a group that is not before `from`; the end of the run if there is none. */
  #firstOf(group: number, from: number): number {
    let low = this.#groups[3 * group + 2]!;
    const end = this.#groups[3 * group + 5]!;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#positions[middle]! < from) low = middle + 1;
      else high = middle;
    }
    return low === end ? this.#end : this.#positions[low]!;
  }

  /** The next rule from `from` on whose network or port has `packet`, or where to go on behind the run. Counts those before it. */
  next(from: number, packet: number): number {
    if (from >= this.#end) return from;
    let found = this.#end;
    for (let i = 0; i < this.#masks.length; i++) {
      const mask = this.#masks[i]!;
      const group = this.#slots[this.#slotOf(packet & mask, mask)]!;
      if (group !== 0) found = Math.min(found, this.#firstOf(group - 1, from));
    }
    if (found === this.#end) return this.behind(from);
    this.#passOver(from, found);
    return found;
  }

  /** Where to go on if no rule of the run can match. Counts those from `from` on. */
  behind(from: number): number {
    this.#passOver(from, this.#end);
    return this.#after;
  }

  /** Notes that the rules from `from` to before `to` have been looked at. */
  #passOver(from: number, to: number): void {
    if (from >= to) return;
    this.#list.noteFrom(from);
    this.#list.noteTo(to);
  }
}

function networkKey({ kind, not, address, mask }: HostTest): Key | undefined {
  return kind === ADDRESS.network && !not ? { value: address, mask } : undefined;
}

function portKey({ portOperator, portA }: HostTest): Key | undefined {
  return portOperator === OPERATOR['='] ? { value: portA, mask: PORT_MASK } : undefined;
}

const KEYS: readonly (readonly [number, KeyOf])[] = [
  [SKIP.sourceAddress, ({ src }) => networkKey(src)],
  [SKIP.sourcePort, ({ src }) => portKey(src)],
  [SKIP.destinationAddress, ({ dst }) => networkKey(dst)],
  [SKIP.destinationPort, ({ dst }) => portKey(dst)],
];

/** True if rule `i` and the next one are neighbours in a run over a criterion. */
function runsOn(list: SkippedRules, i: number, step: number, keyOf: KeyOf): boolean {
  const next = list.rules[i + 1];
  if (next === undefined || keyOf(list.rules[i]!) === undefined || keyOf(next) === undefined) return false;
  for (let before = 0; before < step; before++) if (list.skip(i, before) === i + 1) return false;
  return list.skip(i, step) === i + 1;
}

/** Finds the runs of a list whose skip steps are known, and tells which rules are in them. */
export function findRuns(
  list: SkippedRules,
  found: (rule: number, step: number, run: RuleRun) => void,
): void {
  for (const [step, keyOf] of KEYS)
    for (let from = 0; from < list.rules.length;) {
      let last = from;
      while (runsOn(list, last, step, keyOf)) last++;
      const end = last + 1;
      const run = end - from >= LEAST_RUN ? new RuleRun(list, from, end, step, keyOf) : undefined;
      if (run !== undefined) for (let i = from; i < end; i++) found(i, step, run);
      from = end;
    }
}
