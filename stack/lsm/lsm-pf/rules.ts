/**
 * Rules as this thread evaluates them: made from the text of their list when first needed, kept until the list is replaced. What is compared for every packet is a number
 * in a field; where the next rule begins that differs in one of the eight first criteria is known (skip steps).
 */
import { interfaceName } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import type { PfAddress, PfHost, PfOperator, PfPool, PfRule, PfTimeout } from '../../filter/pf/ruleset.ts';
import { PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';
import { address4, mask4 } from './address.ts';
import { RULES_PER_PAGE, lists, pages, ruleStruct } from './records.ts';
import type { ListRecord, RuleRecord } from './records.ts';
import { loadText } from './text.ts';

export const ACTION = { pass: 0, block: 1, scrub: 2, translate: 3, anchor: 4 } as const;
export const ADDRESS = {
  any: 0,
  network: 1,
  table: 2,
  dynamic: 3,
  range: 4,
  noRoute: 5,
  urpf: 6,
  never: 7,
} as const;
export const OPERATOR = {
  none: 0,
  '=': 1,
  '!=': 2,
  '<': 3,
  '<=': 4,
  '>': 5,
  '>=': 6,
  ':': 7,
  '><': 8,
  '<>': 9,
} as const;
export const DIRECTION = { any: 0, in: 1, out: 2 } as const;
export const STATE = { no: 0, keep: 1, modulate: 2, synproxy: 3 } as const;
export const RETURN = { drop: 0, return: 1, 'return-rst': 2, 'return-icmp': 3 } as const;

/** One end of a rule. */
export class HostTest {
  readonly kind: number;
  readonly not: boolean;
  readonly address: number;
  readonly mask: number;
  readonly portOperator: number;
  readonly portA: number;
  readonly portB: number;
  readonly source: PfAddress;
  /** False if any address will do. */
  readonly tested: boolean;
  /** Of a table: where it was found, valid for this generation of its PF. */
  table = 0;
  tableGeneration = -1;

  constructor({ address, not, port }: PfHost) {
    this.source = address;
    this.not = not === true;
    let kind: number = ADDRESS.any;
    let first = 0;
    let second = 0;
    switch (address.kind) {
      case 'any':
        break;
      case 'network':
        // A rule for IPv6 never meets a packet of this stack.
        kind = address.af === 'inet' ? ADDRESS.network : ADDRESS.never;
        second = mask4(address.length);
        first = address.af === 'inet' ? (address4(address.address) & second) >>> 0 : 0;
        break;
      case 'range':
        kind = address.af === 'inet' ? ADDRESS.range : ADDRESS.never;
        first = address.af === 'inet' ? address4(address.first) : 0;
        second = address.af === 'inet' ? address4(address.last) : 0;
        break;
      case 'table':
        kind = ADDRESS.table;
        break;
      case 'dynamic':
        kind = ADDRESS.dynamic;
        break;
      case 'no-route':
        kind = ADDRESS.noRoute;
        break;
      case 'urpf-failed':
        kind = ADDRESS.urpf;
        break;
      case 'route-label':
        kind = ADDRESS.never;
        break;
    }
    this.kind = kind;
    this.tested = kind !== ADDRESS.any || this.not;
    this.address = first;
    this.mask = second;
    this.portOperator = port === undefined ? OPERATOR.none : OPERATOR[port.op];
    this.portA = port?.a ?? 0;
    this.portB = port?.b ?? 0;
  }
}

/** True if `value` meets a condition. */
export function meets(operator: number, a: number, b: number, value: number): boolean {
  switch (operator) {
    case OPERATOR.none:
      return true;
    case OPERATOR['=']:
      return value === a;
    case OPERATOR['!=']:
      return value !== a;
    case OPERATOR['<']:
      return value < a;
    case OPERATOR['<=']:
      return value <= a;
    case OPERATOR['>']:
      return value > a;
    case OPERATOR['>=']:
      return value >= a;
    case OPERATOR[':']:
      return value >= a && value <= b;
    case OPERATOR['><']:
      return value > a && value < b;
    default:
      return value < a || value > b;
  }
}

/** A condition on users or groups. */
export interface IdTest {
  readonly operator: number;
  readonly a: number;
  readonly b: number;
}

function idTest(operator: PfOperator | undefined): IdTest | undefined {
  if (operator === undefined) return undefined;
  return { operator: OPERATOR[operator.op], a: operator.a, b: operator.b ?? 0 };
}

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

/** A rule. Numbers that are compared for every packet come first. */
export class Rule {
  readonly source: PfRule;
  readonly record: RuleRecord;
  readonly number: number;
  readonly action: number;
  readonly direction: number;
  /** Which of the interface conditions of its list it has (InterfaceTest). */
  interfaceIndex = 0;
  /** Where its evaluations are counted, as a word of f64. */
  readonly evaluations: number;
  /** 0 any; 1 IPv4; 2 IPv6, which no packet here is. */
  readonly family: number;
  /** -1 any. */
  readonly protocol: number;
  readonly src: HostTest;
  readonly dst: HostTest;
  readonly tos: number;
  readonly flagsSet: number;
  readonly flagsOf: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly fragment: boolean;
  readonly quick: boolean;
  readonly log: number;
  readonly probability: number;
  readonly user: IdTest | undefined;
  readonly group: IdTest | undefined;
  readonly tag: number;
  readonly tagged: number;
  readonly taggedNot: boolean;
  readonly state: number;
  readonly allowOpts: boolean;
  readonly returns: number;
  /** Time-outs of its states by index of PF_TIMEOUTS; -1: those of all. */
  readonly timeouts: readonly number[];
  /** True if one of the remaining criteria is to be looked at. */
  readonly special: boolean;
  /** Index of the next rule that differs in interface, direction, family, protocol, source address and port, destination address and port. */
  readonly skip: Int32Array = new Int32Array(8);
  readonly queue: number;
  readonly priorityQueue: number;

  constructor(source: PfRule, record: RuleRecord, number: number, numbers: RuleNumbers) {
    this.source = source;
    this.record = record;
    this.number = number;
    this.action =
      source.action === 'nat' || source.action === 'rdr' || source.action === 'binat'
        ? ACTION.translate
        : ACTION[source.action];
    this.direction = DIRECTION[source.direction ?? 'any'];
    this.evaluations = (record.ptr + ruleStruct.offsets.evaluations) >>> 3;
    this.family = source.af === undefined ? 0 : source.af === 'inet' ? 1 : 2;
    this.protocol = source.protocol ?? -1;
    this.src = new HostTest(source.source);
    this.dst = new HostTest(source.destination);
    this.tos = source.tos ?? -1;
    this.flagsSet = source.flags?.set ?? 0;
    this.flagsOf = source.flags?.of ?? 0;
    this.icmpType = source.icmp?.type ?? -1;
    this.icmpCode = source.icmp?.code ?? -1;
    this.fragment = source.fragment === true;
    this.quick = source.quick === true;
    this.log = source.log === undefined ? 0 : source.log === 'log' ? 1 : 2;
    this.probability = source.probability ?? 1;
    this.user = idTest(source.user);
    this.group = idTest(source.group);
    this.tag = source.tag === undefined ? 0 : numbers.tag(source.tag);
    this.tagged = source.tagged === undefined ? 0 : numbers.tag(source.tagged.name);
    this.taggedNot = source.tagged?.not === true;
    this.state = STATE[source.state ?? 'no'];
    this.allowOpts = source.allowOpts === true;
    this.returns = RETURN[source.return?.kind ?? 'drop'];
    const { timeouts } = source.stateOptions ?? {};
    this.timeouts = PF_TIMEOUTS.map((timeout: PfTimeout) => timeouts?.[timeout] ?? -1);
    this.queue = source.queue === undefined ? 0 : numbers.queue(source.queue.name);
    this.priorityQueue = source.queue?.priority === undefined ? 0 : numbers.queue(source.queue.priority);
    this.special =
      this.tos >= 0 ||
      this.fragment ||
      this.flagsOf !== 0 ||
      this.icmpType >= 0 ||
      this.probability < 1 ||
      this.user !== undefined ||
      this.group !== undefined ||
      source.tagged !== undefined ||
      source.os !== undefined;
  }

  get pool(): PfPool | undefined {
    return this.source.pool;
  }
}

/** Numbers that rules use for names. */
export interface RuleNumbers {
  tag(name: string): number;
  queue(name: string): number;
}

/** The rules of one list. */
export class RuleList {
  readonly rules: readonly Rule[];
  /** Path of the anchor it belongs to. */
  readonly anchor: string;
  readonly #tests: readonly InterfaceTest[];
  /** For the interface that was asked about last: 1 for each test that it meets. */
  readonly #met: Uint8Array;
  #metFor = 0;
  #metGeneration = -1;

  constructor(rules: readonly Rule[], anchor: string) {
    this.rules = rules;
    this.anchor = anchor;
    const tests = new Map<string, number>();
    const list: InterfaceTest[] = [];
    for (const rule of rules) {
      const key = JSON.stringify(rule.source.interface ?? {});
      let index = tests.get(key);
      if (index === undefined) {
        index = list.push(new InterfaceTest(rule.source)) - 1;
        tests.set(key, index);
      }
      rule.interfaceIndex = index;
    }
    this.#tests = list;
    this.#met = new Uint8Array(list.length);
  }

  /** Which tests (by a rule's interfaceIndex) an interface meets: valid until the next call. `generation` changes when interfaces come or go. */
  interfacesMet(ifp: Ifnet, generation: number): Uint8Array {
    if (this.#metFor !== ifp.ptr || this.#metGeneration !== generation) {
      const name = interfaceName(ifp);
      this.#tests.forEach((test, i) => (this.#met[i] = test.matches(name) ? 1 : 0));
      this.#metFor = ifp.ptr;
      this.#metGeneration = generation;
    }
    return this.#met;
  }
}

export const SKIP = {
  interface: 0,
  direction: 1,
  family: 2,
  protocol: 3,
  sourceAddress: 4,
  sourcePort: 5,
  destinationAddress: 6,
  destinationPort: 7,
} as const;

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
export function rulesOf(ptr: number, anchor: string, numbers: () => RuleNumbers): RuleList {
  const index = lists.indexOf(ptr);
  const list = lists.get(ptr);
  const known = cache[index];
  if (known?.serial === list.serial) return known.made;
  const sources = JSON.parse(loadText({ page: list.text, bytes: list.bytes })) as PfRule[];
  const records = recordsOf(list);
  const names = numbers();
  const rules = sources.map((source, i) => new Rule(source, ruleStruct.at(records[i]!), i, names));
  linkRules(rules);
  while (cache.length <= index) cache.push(undefined);
  const made = new RuleList(rules, anchor);
  cache[index] = { serial: list.serial, made };
  return made;
}
