/** The code generator's walk over the tree of an expression, from left to right, for words shift the headers of what comes behind them. */
import { BPF_ADD, BPF_AND } from '../instruction.ts';
import { FilterFault } from './error.ts';
import { anyBit, constant } from './generation.ts';
import type { Generation } from './generation.ts';
import { encapsulation, pppoed } from './gen-encapsulation.ts';
import { hasDirection, isFrameDirection, isFrameType, isLlc } from './gen-frame.ts';
import { isIdentified } from './gen-identifier.ts';
import { isBroadcast, isMulticast } from './gen-mac.ts';
import { isPflogCode, isPflogName, isPflogRule } from './gen-pflog.ts';
import { isProtocol } from './gen-protocol.ts';
import { hasLength, isByte, isRelated } from './gen-relation.ts';
import { DLT_PFLOG, initialState } from './link-state.ts';
import { NO_CONDITION, and, assign, not } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { FilterResolver } from './resolver.ts';
import type { Expression } from './syntax.ts';
import type { Values } from './value.ts';

/** What an expression became. */
export interface Generated {
  readonly predicate: Predicate;
  /** Whether it contains something that cannot be optimized. */
  readonly fixed: boolean;
  /** Computes the length of a link-layer header that varies, before everything else, if it is needed. */
  readonly prologue: { readonly register: number; readonly predicate: Predicate } | undefined;
}

/**
 * Generates the condition of an expression.
 *
 * @throws FilterFault for what the link type has not, numbers out of range, unknown names.
 */
export function generate(
  expression: Expression | undefined,
  linkType: number,
  values: Values,
  resolver: FilterResolver,
  netmask: number | undefined,
): Generated {
  let register: number | undefined;
  const link = initialState(linkType, () => {
    register = values.newRegister() ?? 0;
    return values.register(register);
  });
  const g: Generation = { values, resolver, netmask, link, fixed: false };
  const prologue =
    register === undefined ? undefined : { register, predicate: headerLength(g, linkType, register) };
  const predicate = expression === undefined ? NO_CONDITION : generated(g, expression);
  return { predicate, fixed: g.fixed, prologue };
}

function generated(g: Generation, expression: Expression): Predicate {
  switch (expression.kind) {
    case 'join':
      return {
        kind: expression.operator,
        operands: expression.operands.map((operand) => generated(g, operand)),
      };
    case 'not':
      return not(generated(g, expression.operand));
    case 'identifier':
      return isIdentified(g, expression.identifier, expression.qualifiers, expression.column);
    case 'protocol':
      return isProtocol(g, expression.protocol, expression.column);
    case 'relation':
      return isRelated(g, expression.relation, expression.left, expression.right);
    case 'broadcast':
      return isBroadcast(g, expression.protocol, expression.column);
    case 'multicast':
      return isMulticast(g, expression.protocol, expression.column);
    case 'less':
    case 'greater':
      return hasLength(g, expression.kind, expression.length);
    case 'byte':
      return isByte(g, expression);
    case 'inbound':
    case 'outbound':
      return hasDirection(g, expression.kind, expression.column);
    case 'ifindex':
      throw new FilterFault("not a live capture, 'ifindex' not supported", expression.column);
    case 'pppoed':
      return pppoed(g, expression.column);
    case 'vlan':
    case 'mpls':
    case 'pppoes':
    case 'geneve':
    case 'vxlan':
      return encapsulation(g, expression.kind, expression.number, expression.column);
    case 'llc':
      return isLlc(g, expression.type, expression.column);
    case 'ifname':
    case 'rset':
      return isPflogName(g, expression.kind, expression.name, expression.column);
    case 'rnr':
    case 'srnr':
      return isPflogRule(g, expression.kind, expression.rule, expression.column);
    case 'reason':
    case 'action':
      return isPflogCode(g, expression.kind, expression.code, expression.column);
    case 'frameType':
      return isFrameType(g, expression.type, expression.subtype, expression.column);
    case 'frameDirection':
      return isFrameDirection(g, expression.direction, expression.column);
  }
}

/** Length of the header of pflog, which says it itself without padding, or of an IEEE 802.11 data frame: 24 bytes, two more with quality of service. */
function headerLength(g: Generation, linkType: number, register: number): Predicate {
  const first = g.values.load(1, undefined, 0);
  if (linkType === DLT_PFLOG) {
    const rounded = g.values.alu(BPF_ADD, first, constant(g, 3));
    return assign(register, g.values.alu(BPF_AND, rounded, constant(g, 0xfffffffc)));
  }
  const isQosData = and(anyBit(g, first, 0x08), not(anyBit(g, first, 0x04)), anyBit(g, first, 0x80));
  const probe: Predicate = { kind: 'probe', value: first };
  return and(probe, {
    kind: 'or',
    operands: [and(isQosData, assign(register, constant(g, 26))), assign(register, constant(g, 24))],
  });
}
