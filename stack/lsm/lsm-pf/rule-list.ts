/**
 * The rules of a list as this thread evaluates them: made from the text of the list when first needed, kept until the list is replaced. Where the next rule begins that differs
 * in one of the eight first criteria is known (skip steps).
 *
 * Evaluations are not counted rule by rule: a stretch of rules that are looked at one after the other is noted at both of its ends, and added up when somebody asks.
 */
import { f64 } from '../../memory/memory.ts';
import { interfaceName } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import type { PfHost, PfRule } from '../../filter/pf/ruleset.ts';
import { RULES_PER_PAGE, lists, pages, ruleStruct } from './records.ts';
import type { ListRecord } from './records.ts';
import { findRuns } from './rule-runs.ts';
import type { RuleRun } from './rule-runs.ts';
import { BIT_RUN, WORD, WORDS, wordsOf } from './rule-words.ts';
import { Rule, SKIPS } from './rules.ts';
import type { RuleNumbers } from './rules.ts';
import { loadText } from './text.ts';

/** Which interfaces the rules of a list name: one test for all rules that name the same, asked once for each interface. */
export class InterfaceTest {
  readonly name: string | undefined;
  readonly not: boolean;

  constructor({ interface: named }: PfRule) {
    this.name = named?.name === 'any' ? undefined : named?.name;
    this.not = named?.not === true;
  }

  /** True for the interface that is named, or those of the kind if the name has no number. */
  matches(interfaceName: string): boolean {
    const { name } = this;
    if (name === undefined) return true;
    const found = /\d$/.test(name) ? interfaceName === name : interfaceName.replace(/\d+$/, '') === name;
    return found !== this.not;
  }
}

/** The rules of one list. */
export class RuleList {
  readonly rules: readonly Rule[];
  /** Path of the anchor it belongs to. */
  readonly anchor: string;
  /** What is compared (rule-words.ts). */
  readonly words: Int32Array;
  /** For each rule and criterion of SKIP the next rule that differs in it. */
  readonly #skips: Int32Array;
  /** Runs that rules are in, by index in #skips. */
  readonly #runs = new Map<number, RuleRun>();
  readonly #tests: readonly InterfaceTest[];
  /** By interface: 1 for each test that it meets. */
  readonly #met = new Map<number, Uint8Array>();
  #generation = -1;
  /** By number of an anchor rule, the lists that it leads to. */
  readonly #behind = new Map<number, readonly RuleList[]>();
  #behindGeneration = -1;

  constructor(rules: readonly Rule[], anchor: string) {
    this.rules = rules;
    this.anchor = anchor;
    const tests = new Map<string, number>();
    const list: InterfaceTest[] = [];
    for (const rule of rules) rule.anchor = anchor;
    const interfaces = rules.map(({ source }) => {
      const key = JSON.stringify(source.interface ?? {});
      const index = tests.get(key) ?? list.push(new InterfaceTest(source)) - 1;
      tests.set(key, index);
      return index;
    });
    this.#tests = list;
    this.words = wordsOf(rules, interfaces);
    this.#skips = skipSteps(rules);
    findRuns(this, (i, step, run) => {
      this.#runs.set(i * SKIPS + step, run);
      this.words[i * WORDS + WORD.bits]! |= BIT_RUN << step;
    });
  }

  /** By number of an anchor rule, the lists that it is known to lead to. `generation` changes when anchors do. */
  behind(generation: number): Map<number, readonly RuleList[]> {
    if (this.#behindGeneration !== generation) {
      this.#behind.clear();
      this.#behindGeneration = generation;
    }
    return this.#behind;
  }

  /** The next rule behind `i` that differs from it in a criterion of SKIP; the number of rules if none does. */
  skip(i: number, step: number): number {
    return this.#skips[i * SKIPS + step]!;
  }

  /** The run over a criterion that a rule is in; it has BIT_RUN if it is in one. */
  run(i: number, step: number): RuleRun {
    return this.#runs.get(i * SKIPS + step)!;
  }

  /** Notes that rules are looked at, from `i` on. */
  noteFrom(i: number): void {
    if (i < this.rules.length) f64[this.rules[i]!.passedOver]!++;
  }

  /** Notes that the rules that are looked at end before `i`. */
  noteTo(i: number): void {
    if (i < this.rules.length) f64[this.rules[i]!.passedOver]!--;
  }

  /** Which tests (WORD.interface) an interface meets. `generation` changes when interfaces come or go. */
  interfacesMet(ifp: Ifnet, generation: number): Uint8Array {
    if (this.#generation !== generation) {
      this.#met.clear();
      this.#generation = generation;
    }
    return this.#met.get(ifp.ptr) ?? this.#learn(ifp);
  }

  #learn(ifp: Ifnet): Uint8Array {
    const name = interfaceName(ifp);
    const met = Uint8Array.from(this.#tests, (test) => (test.matches(name) ? 1 : 0));
    this.#met.set(ifp.ptr, met);
    return met;
  }
}

/** What two neighbours must have in common to be skipped together, in the order of SKIP. */
const CRITERIA: readonly ((rule: Rule) => string | number)[] = [
  ({ source }) => `${source.interface?.name ?? ''} ${source.interface?.not === true}`,
  ({ direction }) => direction,
  ({ family }) => family,
  ({ protocol }) => protocol,
  ({ source }) => hostKey(source.source),
  ({ source }) => portKey(source.source),
  ({ source }) => hostKey(source.destination),
  ({ source }) => portKey(source.destination),
];

function hostKey({ address, not }: PfHost): string {
  return `${not === true ? '!' : ''}${JSON.stringify(address)}`;
}

function portKey({ port }: PfHost): string {
  return port === undefined ? '' : `${port.op} ${port.a} ${port.b ?? ''}`;
}

/** The skip steps of all rules, worked out from the last rule to the first. */
function skipSteps(rules: readonly Rule[]): Int32Array {
  const skips = new Int32Array(SKIPS * rules.length);
  CRITERIA.forEach((criterion, step) => {
    let end = rules.length;
    let later: string | number | undefined;
    for (let i = rules.length - 1; i >= 0; i--) {
      const key = criterion(rules[i]!);
      if (later !== undefined && key !== later) end = i + 1;
      later = key;
      skips[i * SKIPS + step] = end;
    }
  });
  return skips;
}

/** Gives every rule of a list the evaluations that were noted at the ends of stretches: before counters are read or cleared. */
export function addUpEvaluations(rules: readonly Rule[]): void {
  let looks = 0;
  for (const { evaluations, passedOver } of rules) {
    looks += f64[passedOver]!;
    f64[passedOver] = 0;
    f64[evaluations]! += looks;
  }
}

/** The addresses of all counters of a list, in order. */
export function recordsOf(list: ListRecord): number[] {
  const found: number[] = [];
  for (let page = list.records; found.length < list.count; page = pages.get(page).next)
    for (let i = 0; i < RULES_PER_PAGE && found.length < list.count; i++)
      found.push(pages.get(page).data + i * ruleStruct.size);
  return found;
}

interface Cached {
  readonly serial: number;
  readonly made: RuleList;
}
const cache: (Cached | undefined)[] = [];

/** The rules of a list, made on first use by this thread. */
export function rulesOf(ptr: number, anchor: () => string, numbers: () => RuleNumbers): RuleList {
  const index = lists.indexOf(ptr);
  const list = lists.get(ptr);
  const known = cache[index];
  if (known?.serial === list.serial) return known.made;
  const sources = JSON.parse(loadText({ page: list.text, bytes: list.bytes })) as PfRule[];
  const records = recordsOf(list);
  const names = numbers();
  const rules = sources.map((source, i) => new Rule(source, ruleStruct.at(records[i]!), i, names));
  while (cache.length <= index) cache.push(undefined);
  const made = new RuleList(rules, anchor());
  cache[index] = { serial: list.serial, made };
  return made;
}
