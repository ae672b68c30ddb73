/**
 * The parser of the filter language (pcap-filter(7)): from text to the tree of syntax.ts. `and` and `or` rank equally and go from left to right, `not` binds before them;
 * an identifier without qualifiers takes those of the one before it.
 */
import { TokenCursor } from './cursor.ts';
import { FilterFault } from './error.ts';
import { tokenize } from './lexer.ts';
import {
  NESTING_LIMIT,
  atOperator,
  continueArithmetic,
  parseArithmetic,
  tooDeep,
} from './parse-arithmetic.ts';
import {
  atIdentifier,
  join,
  parseBracketedNumber,
  parseIdentifier,
  parseQualifiers,
} from './parse-identifier.ts';
import type { Arithmetic, Expression, Qualifiers, Relation } from './syntax.ts';
import { SS7_WORDS, SUNATM_WORDS, isProtocolWord } from './words.ts';
import type { ProtocolWord } from './words.ts';

/** What a part of an expression turned out to be. Only in parentheses may it be arithmetic that is not yet compared with anything. */
type Parsed =
  | {
      readonly kind: 'expression';
      readonly expression: Expression;
      readonly qualifiers: Qualifiers | undefined;
    }
  | { readonly kind: 'arithmetic'; readonly arithmetic: Arithmetic };

/** How often `and` and `or` may take turns without parentheses. */
const CHANGE_LIMIT = 1000;

const PRIMITIVE = 'a primitive such as host, port, ip or tcp[13]';

/**
 * Parses an expression.
 *
 * @returns undefined for one without any token, which accepts every packet.
 * @throws FilterFault with the place of what is wrong.
 */
export function parseFilter(text: string): Expression | undefined {
  const cursor = new TokenCursor(tokenize(text));
  if (cursor.isKind('end')) return undefined;
  const parsed = parseJoined(cursor, undefined, 0);
  if (parsed.kind === 'arithmetic') throw cursor.fault('a comparison such as = or >');
  if (!cursor.isKind('end')) throw cursor.fault("'and', 'or' or the end of the expression");
  return parsed.expression;
}

/** Operands joined by `and` and `or`; `before` are the qualifiers that the first of them could take over. */
function parseJoined(cursor: TokenCursor, before: Qualifiers | undefined, depth: number): Parsed {
  const first = parseTerm(cursor, before, depth);
  if (first.kind === 'arithmetic') return first;
  let { expression, qualifiers } = first;
  let changes = 0;
  while (cursor.isWord('and', 'or')) {
    const { text, column } = cursor.next();
    const operator = text === 'and' ? 'and' : 'or';
    // Every change of the operator is one more level of the tree.
    if (expression.kind !== 'join' || expression.operator !== operator) changes++;
    if (changes > CHANGE_LIMIT)
      throw new FilterFault(`'and' and 'or' take turns more than ${CHANGE_LIMIT} times`, column);
    if (atIdentifier(cursor)) {
      expression = join(operator, expression, parseIdentifier(cursor, qualifiers, depth + 1));
      continue;
    }
    const right = parseTerm(cursor, qualifiers, depth);
    if (right.kind === 'arithmetic') throw cursor.fault('a comparison such as = or >');
    expression = join(operator, expression, right.expression);
    qualifiers = right.qualifiers;
  }
  return { kind: 'expression', expression, qualifiers };
}

function parseTerm(cursor: TokenCursor, before: Qualifiers | undefined, depth: number): Parsed {
  const { kind, text, column } = cursor.peek();
  if (depth > NESTING_LIMIT) throw tooDeep(column);
  if (cursor.takeSign('(')) return parseBracketed(cursor, before, depth);
  if (kind === 'number' || cursor.isSign('-') || cursor.isWord('len'))
    return parseRelation(cursor, parseArithmetic(cursor, depth));
  if (kind !== 'word') throw cursor.fault(PRIMITIVE);
  if (text === 'not') return parseNot(cursor, before, depth);
  if (isProtocolWord(text)) {
    const next = cursor.peek(1);
    if (next.kind === 'sign' && next.text === '[')
      return parseRelation(cursor, parseArithmetic(cursor, depth));
    cursor.next();
    return parseQualified(cursor, text, column, depth);
  }
  return parseQualified(cursor, undefined, column, depth);
}

function parseNot(cursor: TokenCursor, before: Qualifiers | undefined, depth: number): Parsed {
  cursor.next();
  const operand = parseTerm(cursor, before, depth + 1);
  if (operand.kind === 'arithmetic') throw cursor.fault('a comparison such as = or >');
  return { ...operand, expression: { kind: 'not', operand: operand.expression } };
}

/** What stands in parentheses: an expression, or arithmetic, which goes on behind them. Behind parentheses the qualifiers before them are taken over. */
function parseBracketed(cursor: TokenCursor, before: Qualifiers | undefined, depth: number): Parsed {
  const inner = parseJoined(cursor, before, depth + 1);
  cursor.expectSign(')');
  if (inner.kind === 'expression') return { ...inner, qualifiers: before };
  return parseRelation(cursor, continueArithmetic(cursor, inner.arithmetic, depth));
}

/** The comparison that follows arithmetic; within parentheses it may be missing. */
function parseRelation(cursor: TokenCursor, left: Arithmetic): Parsed {
  const { text, column } = cursor.peek();
  if (!cursor.isSign('>', '>=', '=', '<=', '<', '!=')) {
    if (cursor.isSign(')')) return { kind: 'arithmetic', arithmetic: left };
    throw cursor.fault(atOperator(cursor) ? 'an operand' : 'an operator or a comparison such as = or >');
  }
  cursor.next();
  const right = parseArithmetic(cursor, 0);
  return plain({ kind: 'relation', relation: text as Relation, left, right, column });
}

/** A primitive that leaves no qualifiers for identifiers behind it. */
function plain(expression: Expression): Parsed {
  return { kind: 'expression', expression, qualifiers: undefined };
}

/** What may follow a protocol, or begin where one could stand. */
function parseQualified(
  cursor: TokenCursor,
  protocol: ProtocolWord | undefined,
  column: number,
  depth: number,
): Parsed {
  const { text } = cursor.peek();
  if (cursor.isWord('broadcast', 'multicast')) {
    cursor.next();
    return plain({ kind: text === 'broadcast' ? 'broadcast' : 'multicast', protocol, column });
  }
  if (cursor.isWord('type', 'subtype', 'dir')) return plain(parseFrameKind(cursor, column));
  const qualifiers = parseQualifiers(cursor, protocol, column);
  if (qualifiers !== undefined) {
    const expression = parseIdentifier(cursor, qualifiers, depth + 1);
    return { kind: 'expression', expression, qualifiers };
  }
  if (protocol === undefined) return plain(parseWord(cursor));
  // A name or an address behind a protocol asks for a host, but pcap-filter wants the qualifier to be written.
  return plain({ kind: 'protocol', protocol, column });
}

/** `type mgt subtype beacon`, `dir tods` (IEEE 802.11). */
function parseFrameKind(cursor: TokenCursor, column: number): Expression {
  const word = cursor.next().text;
  if (word === 'dir')
    return { kind: 'frameDirection', direction: nameOrNumber(cursor, 'a direction such as tods'), column };
  if (word === 'subtype') {
    // A number needs its type beside it.
    const subtype = cursor.expect('name', 'a frame subtype such as beacon').text;
    return { kind: 'frameType', type: undefined, subtype, column };
  }
  const type = nameOrNumber(cursor, 'a frame type: mgt, ctl or data');
  if (!cursor.isWord('subtype')) return { kind: 'frameType', type, subtype: undefined, column };
  cursor.next();
  return { kind: 'frameType', type, subtype: nameOrNumber(cursor, 'a frame subtype such as beacon'), column };
}

function nameOrNumber(cursor: TokenCursor, expected: string): string | number {
  const { kind, text, value } = cursor.peek();
  if (kind !== 'name' && kind !== 'number') throw cursor.fault(expected);
  cursor.next();
  return kind === 'name' ? text : value;
}

/** Primitives that are a word of their own. */
function parseWord(cursor: TokenCursor): Expression {
  const { text: word, column } = cursor.peek();
  if ((SUNATM_WORDS as readonly string[]).includes(word)) throw foreign(word, 'SUNATM', column);
  if ((SS7_WORDS as readonly string[]).includes(word)) throw foreign(word, 'SS7', column);
  const number = (): number => cursor.expect('number', 'a number').value;
  switch (word) {
    case 'less':
    case 'greater':
      cursor.next();
      return { kind: word, length: number(), column };
    case 'byte':
      cursor.next();
      return parseByte(cursor, column);
    case 'inbound':
    case 'outbound':
    case 'pppoed':
      cursor.next();
      return { kind: word, column };
    case 'ifindex':
      cursor.next();
      return { kind: word, index: number(), column };
    case 'vlan':
    case 'mpls':
    case 'pppoes':
    case 'geneve':
    case 'vxlan':
      cursor.next();
      return { kind: word, number: optionalNumber(cursor), column };
    case 'llc':
      cursor.next();
      return { kind: word, type: llcType(cursor), column };
    default:
      return parsePflogWord(cursor, word, column);
  }
}

function foreign(word: string, link: string, column: number): FilterFault {
  return new FilterFault(`'${word}' supported only on ${link}`, column);
}

function optionalNumber(cursor: TokenCursor): number | undefined {
  return cursor.isKind('number') || cursor.isSign('(') ? parseBracketedNumber(cursor) : undefined;
}

function llcType(cursor: TokenCursor): string | undefined {
  // `rnr` is a keyword of pflog, too.
  return cursor.isKind('name') || cursor.isWord('rnr') ? cursor.next().text : undefined;
}

/** `byte 8 & 5`: a byte of the packet against a number. */
function parseByte(cursor: TokenCursor, column: number): Expression {
  const offset = cursor.expect('number', 'an offset').value;
  const operator = cursor.peek().text;
  if (!cursor.isSign('=', '<', '>', '&', '|')) throw cursor.fault("'=', '<', '>', '&' or '|'");
  cursor.next();
  const value = cursor.expect('number', 'a number').value;
  return { kind: 'byte', offset, operator: operator as '=' | '<' | '>' | '&' | '|', value, column };
}

/** Words for what pf(4) logs. */
function parsePflogWord(cursor: TokenCursor, word: string, column: number): Expression {
  switch (word) {
    case 'ifname':
    case 'rset':
      cursor.next();
      return { kind: word, name: cursor.expect('name', 'a name').text, column };
    case 'rnr':
    case 'srnr':
      cursor.next();
      return { kind: word, rule: cursor.expect('number', 'a rule number').value, column };
    case 'reason':
      cursor.next();
      return { kind: word, code: nameOrNumber(cursor, 'a reason such as match'), column };
    case 'action':
      cursor.next();
      return { kind: word, code: cursor.expect('name', 'an action such as pass').text, column };
    default:
      throw cursor.fault(PRIMITIVE);
  }
}
