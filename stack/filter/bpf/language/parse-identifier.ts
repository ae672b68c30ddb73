/** Identifiers of the filter language and the qualifiers before them: `tcp dst port 80 or (443 or not 8080)`. */
import type { TokenCursor } from './cursor.ts';
import { NESTING_LIMIT, atOperator, tooDeep } from './parse-arithmetic.ts';
import type { Direction, Expression, Identifier, IdentifierType, Qualifiers } from './syntax.ts';
import type { ProtocolWord } from './words.ts';

const IDENTIFIER_KINDS = ['name', 'dotted', 'ipv6', 'mac', 'arcnet'] as const;
const RELATIONS = ['>', '>=', '=', '<=', '<', '!='];
const SINGLE_DIRECTIONS = ['addr1', 'addr2', 'addr3', 'addr4', 'ra', 'ta'] as const;
const IDENTIFIER_TYPES = ['host', 'net', 'port', 'portrange'] as const;

/**
 * Reads qualifiers other than the protocol, which has been read.
 *
 * @returns undefined, having moved nowhere, if none follow.
 */
export function parseQualifiers(
  cursor: TokenCursor,
  protocol: ProtocolWord | undefined,
  column: number,
): Qualifiers | undefined {
  for (const type of ['proto', 'protochain', 'gateway'] as const) {
    if (!cursor.isWord(type)) continue;
    cursor.next();
    return { protocol, direction: undefined, type, column };
  }
  const direction = parseDirection(cursor);
  const type = parseType(cursor);
  return direction === undefined && type === undefined ? undefined : { protocol, direction, type, column };
}

function parseDirection(cursor: TokenCursor): Direction | undefined {
  for (const direction of SINGLE_DIRECTIONS) {
    if (!cursor.isWord(direction)) continue;
    cursor.next();
    return direction;
  }
  if (!cursor.isWord('src', 'dst')) return undefined;
  const first = cursor.next().text === 'src' ? 'src' : 'dst';
  const other = first === 'src' ? 'dst' : 'src';
  if (!cursor.isWord('and', 'or')) return first;
  const join = cursor.next().text === 'and' ? 'and' : 'or';
  if (!cursor.isWord(other)) throw cursor.fault(`'${other}'`);
  cursor.next();
  return join;
}

function parseType(cursor: TokenCursor): IdentifierType | undefined {
  for (const type of IDENTIFIER_TYPES) {
    if (!cursor.isWord(type)) continue;
    cursor.next();
    return type;
  }
  return undefined;
}

/**
 * Whether an identifier, rather than a primitive of its own, follows `and` or `or`: then it takes over the qualifiers before it. What stands first behind parentheses and
 * `not` decides; a number may begin arithmetic.
 */
export function atIdentifier(cursor: TokenCursor): boolean {
  let ahead = 0;
  for (;;) {
    const { kind, text } = cursor.peek(ahead);
    if (!(kind === 'sign' && text === '(') && !(kind === 'word' && text === 'not')) break;
    ahead++;
  }
  const { kind } = cursor.peek(ahead);
  if (kind !== 'number') return IDENTIFIER_KINDS.some((known) => known === kind);
  // Parentheses closed right behind the number may belong to arithmetic: `(5) + 3 = 8`.
  do ahead++;
  while (cursor.peek(ahead).kind === 'sign' && cursor.peek(ahead).text === ')');
  const after = cursor.peek(ahead);
  return !atOperator(cursor, ahead) && !(after.kind === 'sign' && RELATIONS.includes(after.text));
}

/** Reads an identifier, which may be negated or a list in parentheses. */
export function parseIdentifier(
  cursor: TokenCursor,
  qualifiers: Qualifiers | undefined,
  depth: number,
): Expression {
  if (depth > NESTING_LIMIT) throw tooDeep(cursor.peek().column);
  if (!cursor.isSign('(')) return parsePlainIdentifier(cursor, qualifiers, depth);
  cursor.next();
  const list = parseIdentifierList(cursor, qualifiers, depth + 1);
  cursor.expectSign(')');
  return list;
}

/** `a or b and c`, within parentheses; the first of them is in no further parentheses, unless it is a number. */
function parseIdentifierList(
  cursor: TokenCursor,
  qualifiers: Qualifiers | undefined,
  depth: number,
): Expression {
  let left = cursor.isSign('(')
    ? parseNumber(cursor, qualifiers, depth)
    : parsePlainIdentifier(cursor, qualifiers, depth);
  while (cursor.isWord('and', 'or')) {
    const operator = cursor.next().text === 'and' ? 'and' : 'or';
    left = join(operator, left, parseIdentifier(cursor, qualifiers, depth));
  }
  return left;
}

/** Puts one more operand behind an expression; runs of the same operator stay one list, so that long expressions are not deep. */
export function join(operator: 'and' | 'or', left: Expression, right: Expression): Expression {
  const operands =
    left.kind === 'join' && left.operator === operator ? [...left.operands, right] : [left, right];
  return { kind: 'join', operator, operands };
}

function parseNumber(cursor: TokenCursor, qualifiers: Qualifiers | undefined, depth: number): Expression {
  const { column } = cursor.peek();
  const value = parseBracketedNumber(cursor, depth);
  return { kind: 'identifier', qualifiers, identifier: { kind: 'number', value }, column };
}

/** A number, possibly within parentheses. */
export function parseBracketedNumber(cursor: TokenCursor, depth = 0): number {
  if (depth > NESTING_LIMIT) throw tooDeep(cursor.peek().column);
  if (!cursor.takeSign('(')) return cursor.expect('number', 'a number').value;
  const value = parseBracketedNumber(cursor, depth + 1);
  cursor.expectSign(')');
  return value;
}

function parsePlainIdentifier(
  cursor: TokenCursor,
  qualifiers: Qualifiers | undefined,
  depth: number,
): Expression {
  if (cursor.isWord('not')) {
    cursor.next();
    return { kind: 'not', operand: parseIdentifier(cursor, qualifiers, depth + 1) };
  }
  const { column } = cursor.peek();
  return { kind: 'identifier', qualifiers, identifier: parseBareIdentifier(cursor), column };
}

function parseBareIdentifier(cursor: TokenCursor): Identifier {
  const { kind, text, value } = cursor.peek();
  switch (kind) {
    case 'number':
      cursor.next();
      return { kind, value };
    case 'name':
    case 'mac':
    case 'arcnet':
      cursor.next();
      return { kind, text };
    case 'dotted':
      cursor.next();
      return parseDotted(cursor, text);
    case 'ipv6':
      cursor.next();
      return { kind, text, length: cursor.takeSign('/') ? prefixLength(cursor) : undefined };
    default:
      throw cursor.fault('a name, a number or an address');
  }
}

function parseDotted(cursor: TokenCursor, text: string): Identifier {
  if (cursor.takeSign('/')) return { kind: 'prefix', text, length: prefixLength(cursor) };
  if (!cursor.isWord('mask')) return { kind: 'dotted', text };
  cursor.next();
  return { kind: 'masked', text, mask: cursor.expect('dotted', 'a netmask as in 255.255.0.0').text };
}

function prefixLength(cursor: TokenCursor): number {
  return cursor.expect('number', 'a prefix length').value;
}
