/**
 * The rules of a list as this thread evaluates them: made from the text of the list when first needed, kept until the list is replaced. Where the next rule begins that differs
 * in one of the eight first criteria is known (skip steps).
 */
import { interfaceName } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import type { PfHost, PfRule } from '../../filter/pf/ruleset.ts';
import { RULES_PER_PAGE, lists, pages, ruleStruct } from './records.ts';
import type { ListRecord } from './records.ts';
import { findRuns } from './rule-runs.ts';
import { Rule } from './rules.ts';
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
  readonly #tests: readonly InterfaceTest[];
  /** By interface: 1 for each test that it meets. */
  readonly #met = new Map<number, Uint8Array>();
  #generation = -1;

  constructor(rules: readonly Rule[], anchor: string) {
    this.rules = rules;
    this.anchor = anchor;
    const tests = new Map<string, number>();
    const list: InterfaceTest[] = [];
    for (const rule of rules) {
      rule.anchor = anchor;
      const key = JSON.stringify(rule.source.interface ?? {});
      let index = tests.get(key);
      if (index === undefined) {
        index = list.push(new InterfaceTest(rule.source)) - 1;
        tests.set(key, index);
      }
      rule.interfaceIndex = index;
    }
    this.#tests = list;
  }

  /** Which tests (by a rule's interfaceIndex) an interface meets. `generation` changes when interfaces come or go. */
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

/** Works out the skip steps, from the last rule to the first. */
function linkRules(rules: readonly Rule[]): void {
  CRITERIA.forEach((criterion, step) => {
    let end = rules.length;
    let later: string | number | undefined;
    for (let i = rules.length - 1; i >= 0; i--) {
      const key = criterion(rules[i]!);
      if (later !== undefined && key !== later) end = i + 1;
      later = key;
      rules[i]!.skip[step] = end;
    }
  });
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
  linkRules(rules);
  findRuns(rules);
  while (cache.length <= index) cache.push(undefined);
  const made = new RuleList(rules, anchor());
  cache[index] = { serial: list.serial, made };
  return made;
}
