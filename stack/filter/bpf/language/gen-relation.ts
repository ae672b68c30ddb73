/** Arithmetic over the packet, `byte`, `less` and `greater`, and comparisons of them. */
import {
  BPF_ADD,
  BPF_AND,
  BPF_DIV,
  BPF_LSH,
  BPF_MOD,
  BPF_MUL,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_XOR,
} from '../instruction.ts';
import { FilterFault } from './error.ts';
import {
  constant,
  equals,
  ipv4TransportPlace,
  ipv6TransportPlace,
  load,
  networkPlace,
} from './generation.ts';
import type { Generation } from './generation.ts';
import { linkTypeIs } from './gen-link-type.ts';
import { isFirstFragment } from './gen-port.ts';
import { LINK_PROTOCOLS, atMost, isProtocol } from './gen-protocol.ts';
import type { Place } from './link-state.ts';
import { ETHERTYPE_IP, ETHERTYPE_IPV6, IPPROTO_ICMPV6 } from './numbers.ts';
import { NO_CONDITION, and, equal, greater, greaterOrEqual, not } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { Arithmetic, ArithmeticOperator, Expression, Relation } from './syntax.ts';
import type { LoadSize, Value } from './value.ts';
import type { ProtocolWord } from './words.ts';

const OPERATIONS: Readonly<Record<ArithmeticOperator, number>> = {
  '+': BPF_ADD,
  '-': BPF_SUB,
  '*': BPF_MUL,
  '/': BPF_DIV,
  '%': BPF_MOD,
  '&': BPF_AND,
  '|': BPF_OR,
  '^': BPF_XOR,
  '<<': BPF_LSH,
  '>>': BPF_RSH,
};

/** A value, and what must hold of a packet for it to have one. */
interface Computed {
  readonly value: Value;
  readonly given: Predicate;
}

/** `left relation right`. */
export function isRelated(g: Generation, relation: Relation, left: Arithmetic, right: Arithmetic): Predicate {
  const first = compute(g, left);
  const second = compute(g, right);
  return and(first.given, second.given, compared(relation, first.value, second.value));
}

function compared(relation: Relation, left: Value, right: Value): Predicate {
  switch (relation) {
    case '=':
      return equal(left, right);
    case '!=':
      return not(equal(left, right));
    case '>':
      return greater(left, right);
    case '>=':
      return greaterOrEqual(left, right);
    case '<':
      return not(greaterOrEqual(left, right));
    case '<=':
      return not(greater(left, right));
  }
}

function compute(g: Generation, arithmetic: Arithmetic): Computed {
  switch (arithmetic.kind) {
    case 'number':
      return { value: constant(g, arithmetic.value), given: NO_CONDITION };
    case 'length':
      return { value: g.values.length(), given: NO_CONDITION };
    case 'negate': {
      const { value, given } = compute(g, arithmetic.operand);
      return { value: g.values.negate(value), given };
    }
    case 'binary': {
      const left = compute(g, arithmetic.left);
      const right = compute(g, arithmetic.right);
      refuseConstant(arithmetic, right.value);
      const value = g.values.alu(OPERATIONS[arithmetic.operator], left.value, right.value);
      // As libpcap does: the right side is computed whether or not the packet has that protocol.
      return { value, given: left.given };
    }
    case 'index':
      return index(g, arithmetic.protocol, compute(g, arithmetic.offset), arithmetic.size, arithmetic.column);
  }
}

/** What nobody can mean: a division by a constant zero, and a shift by a number that is too large for it. */
function refuseConstant(
  { operator, right, column }: Extract<Arithmetic, { kind: 'binary' }>,
  value: Value,
): void {
  const isZero = value.kind === 'constant' && value.k === 0;
  if (operator === '/' && isZero) throw new FilterFault('division by zero', column);
  if (operator === '%' && isZero) throw new FilterFault('modulus by zero', column);
  if ((operator === '<<' || operator === '>>') && right.kind === 'number' && right.value > 31)
    throw new FilterFault('shift by more than 31 bits', column, 'a shift from 0 to 31');
}

/** Bytes of a header: which protocol it must be, and where its header begins. */
function index(
  g: Generation,
  protocol: ProtocolWord,
  offset: Computed,
  size: number,
  column: number,
): Computed {
  if (size !== 1 && size !== 2 && size !== 4)
    throw new FilterFault('data size must be 1, 2, or 4', column, '1, 2 or 4');
  const { place, given } = headerOf(g, protocol, column);
  return { value: loadIndexed(g, place, offset.value, size), given: and(offset.given, given) };
}

/** A constant index is part of the offset; any other is added to where the header begins. */
function loadIndexed(g: Generation, place: Place, offset: Value, size: LoadSize): Value {
  if (offset.kind === 'constant') return load(g, place, offset.k, size);
  const base = place.base === undefined ? offset : g.values.alu(BPF_ADD, place.base, offset);
  return g.values.load(size, base, place.offset);
}

function headerOf(
  g: Generation,
  protocol: ProtocolWord,
  column: number,
): { readonly place: Place; readonly given: Predicate } {
  switch (protocol) {
    case 'link':
      return { place: g.link.header, given: NO_CONDITION };
    case 'radio':
      throw new FilterFault('radio information not present in capture', column);
    case 'sctp':
    case 'tcp':
    case 'udp':
    case 'icmp':
    case 'igmp':
    case 'igrp':
    case 'pim':
    case 'vrrp':
    case 'carp': {
      const isIpv4 = linkTypeIs(g, ETHERTYPE_IP, column);
      const given = and(isIpv4, isProtocol(g, protocol, column), isFirstFragment(g));
      return { place: ipv4TransportPlace(g), given };
    }
    case 'icmp6': {
      const isNext = equals(g, load(g, networkPlace(g), 6, 1), IPPROTO_ICMPV6);
      return { place: ipv6TransportPlace(g), given: and(linkTypeIs(g, ETHERTYPE_IPV6, column), isNext) };
    }
    case 'ip':
    case 'ip6':
    case 'arp':
    case 'rarp':
    case 'atalk':
    case 'decnet':
    case 'lat':
    case 'sca':
    case 'moprc':
    case 'mopdl':
      return { place: networkPlace(g), given: linkTypeIs(g, LINK_PROTOCOLS[protocol] ?? 0, column) };
    default:
      throw new FilterFault(`'${protocol}' does not support the index operation`, column);
  }
}

/** `less` and `greater`, both of which include the length itself. */
export function hasLength(g: Generation, kind: 'less' | 'greater', length: number): Predicate {
  const packet = g.values.length();
  return kind === 'less'
    ? not(greater(packet, constant(g, length)))
    : greaterOrEqual(packet, constant(g, length));
}

/** `byte offset operator value`, counted from the link-layer header. */
export function isByte(
  g: Generation,
  { offset, operator, value, column }: Extract<Expression, { kind: 'byte' }>,
): Predicate {
  const number = constant(g, atMost(value, 255, 'byte argument', column));
  const byte = load(g, g.link.header, offset, 1);
  switch (operator) {
    case '=':
      return equal(byte, number);
    case '<':
      return not(greaterOrEqual(byte, number));
    case '>':
      return greater(byte, number);
    case '&':
      return not(equal(g.values.alu(BPF_AND, byte, number), constant(g, 0)));
    case '|':
      return not(equal(g.values.alu(BPF_OR, byte, number), constant(g, 0)));
  }
}
