/**
 * A rule as this thread evaluates it: what is compared for every packet is a number in a field.
 */
import type { PfAddress, PfHost, PfOperator, PfPool, PfRule, PfTimeout } from '../../filter/pf/ruleset.ts';
import { PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';
import { address4, mask4 } from './address.ts';
import { ruleStruct } from './records.ts';
import type { RuleRecord } from './records.ts';

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

/** The criteria by which rules are skipped, in the order in which they are looked at. */
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
export const SKIPS = 8;

/** A rule. */
export class Rule {
  readonly source: PfRule;
  readonly record: RuleRecord;
  readonly number: number;
  readonly action: number;
  readonly direction: number;
  /** Path of the anchor that it is in. */
  anchor = '';
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
  /** Where is noted how often a walk along the list began at it or went over it, less those that ended before it (rule-list.ts), as a word of f64. */
  readonly passedOver: number;
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
    this.passedOver = (record.ptr + ruleStruct.offsets.passedOver) >>> 3;
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
