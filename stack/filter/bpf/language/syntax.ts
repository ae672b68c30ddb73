/** The tree of a filter expression, as the parser gives it to the code generator. Columns count from 1. */
import type { ProtocolWord } from './words.ts';

/** The direction words; `or` and `and` stand for `src or dst` and `src and dst`. */
export type Direction = 'src' | 'dst' | 'or' | 'and' | 'addr1' | 'addr2' | 'addr3' | 'addr4' | 'ra' | 'ta';

/** What kind of thing an identifier is. */
export type IdentifierType = 'host' | 'net' | 'port' | 'portrange' | 'gateway' | 'proto' | 'protochain';

/** What stands before an identifier, or was carried over from an earlier one. */
export interface Qualifiers {
  readonly protocol: ProtocolWord | undefined;
  readonly direction: Direction | undefined;
  readonly type: IdentifierType | undefined;
  readonly column: number;
}

/** An identifier: a number, an address with or without its mask, or a name. */
export type Identifier =
  | { readonly kind: 'number'; readonly value: number }
  /** A beginning of an IPv4 address, or a DECnet address. */
  | { readonly kind: 'dotted'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string; readonly length: number }
  | { readonly kind: 'masked'; readonly text: string; readonly mask: string }
  | { readonly kind: 'ipv6'; readonly text: string; readonly length: number | undefined }
  | { readonly kind: 'mac'; readonly text: string }
  | { readonly kind: 'arcnet'; readonly text: string }
  | { readonly kind: 'name'; readonly text: string };

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';

/** An arithmetic expression over the packet. */
export type Arithmetic =
  | { readonly kind: 'number'; readonly value: number; readonly column: number }
  | { readonly kind: 'length'; readonly column: number }
  | { readonly kind: 'negate'; readonly operand: Arithmetic; readonly column: number }
  | {
      readonly kind: 'binary';
      readonly operator: ArithmeticOperator;
      readonly left: Arithmetic;
      readonly right: Arithmetic;
      readonly column: number;
    }
  | {
      readonly kind: 'index';
      readonly protocol: ProtocolWord;
      readonly offset: Arithmetic;
      readonly size: number;
      readonly column: number;
    };

export type Relation = '>' | '>=' | '=' | '<=' | '<' | '!=';

/** Words that stand for a test without further data, and those that take one optional number. */
export type CountedWord = 'vlan' | 'mpls' | 'pppoes' | 'geneve' | 'vxlan';

/** A filter expression. */
export type Expression =
  | { readonly kind: 'join'; readonly operator: 'and' | 'or'; readonly operands: readonly Expression[] }
  | { readonly kind: 'not'; readonly operand: Expression }
  | {
      readonly kind: 'identifier';
      /** Undefined where none were given and there was nothing to carry over. */
      readonly qualifiers: Qualifiers | undefined;
      readonly identifier: Identifier;
      readonly column: number;
    }
  | { readonly kind: 'protocol'; readonly protocol: ProtocolWord; readonly column: number }
  | {
      readonly kind: 'relation';
      readonly relation: Relation;
      readonly left: Arithmetic;
      readonly right: Arithmetic;
      readonly column: number;
    }
  | {
      readonly kind: 'broadcast' | 'multicast';
      readonly protocol: ProtocolWord | undefined;
      readonly column: number;
    }
  | { readonly kind: 'less' | 'greater'; readonly length: number; readonly column: number }
  | {
      readonly kind: 'byte';
      readonly offset: number;
      readonly operator: '=' | '<' | '>' | '&' | '|';
      readonly value: number;
      readonly column: number;
    }
  | { readonly kind: 'inbound' | 'outbound'; readonly column: number }
  | { readonly kind: 'ifindex'; readonly index: number; readonly column: number }
  | { readonly kind: 'pppoed'; readonly column: number }
  | { readonly kind: CountedWord; readonly number: number | undefined; readonly column: number }
  | { readonly kind: 'llc'; readonly type: string | undefined; readonly column: number }
  | { readonly kind: 'ifname' | 'rset'; readonly name: string; readonly column: number }
  | { readonly kind: 'rnr' | 'srnr'; readonly rule: number; readonly column: number }
  | { readonly kind: 'reason' | 'action'; readonly code: string | number; readonly column: number }
  | {
      readonly kind: 'frameType';
      readonly type: string | number | undefined;
      readonly subtype: string | number | undefined;
      readonly column: number;
    }
  | { readonly kind: 'frameDirection'; readonly direction: string | number; readonly column: number };
