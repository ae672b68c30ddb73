/**
 * The arithmetic of the filter language: which operator binds its operands first (pcap-filter(7), "expr1 relop expr2").
 *
 * `*` and `/` bind before `+` and `-`, then shifts, then `&`, then `|`; those of one rank go from left to right. `%` and `^` have no rank: whatever follows them, and they
 * themselves after any other, bind first, so that `a*b%c` is `a*(b%c)` and `a%b*c` is `a%(b*c)`. This is how libpcap reads them.
 */
import type { TokenCursor } from './cursor.ts';
import type { Arithmetic, ArithmeticOperator } from './syntax.ts';
import { FilterFault } from './error.ts';
import { isProtocolWord } from './words.ts';

/** Depth of parentheses, indices and signs that an expression may have. */
export const NESTING_LIMIT = 400;

const RANKS: Readonly<Record<ArithmeticOperator, number | undefined>> = {
  '|': 1,
  '&': 2,
  '<<': 3,
  '>>': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': undefined,
  '^': undefined,
};

/** What binds its operand: an operator, or the sign of a negative number before everything that has a rank. */
interface Binding {
  readonly rank: number | undefined;
}

const NEGATION: Binding = { rank: 6 };
const NOTHING: Binding = { rank: 0 };

const OPERATORS = Object.keys(RANKS);

function isOperator(text: string): text is ArithmeticOperator {
  return OPERATORS.includes(text);
}

/** Whether the next token continues an arithmetic expression. */
export function atOperator(cursor: TokenCursor, ahead = 0): boolean {
  const { kind, text } = cursor.peek(ahead);
  return kind === 'sign' && isOperator(text);
}

/** Reads a whole arithmetic expression. */
export function parseArithmetic(cursor: TokenCursor, depth: number): Arithmetic {
  return continueArithmetic(cursor, parseOperand(cursor, depth), depth);
}

/** Reads what follows an operand that was already read. */
export function continueArithmetic(cursor: TokenCursor, first: Arithmetic, depth: number): Arithmetic {
  return continueBinding(cursor, first, NOTHING, depth);
}

function continueBinding(cursor: TokenCursor, first: Arithmetic, outer: Binding, depth: number): Arithmetic {
  let left = first;
  for (let operators = 0; ; operators++) {
    const { kind, text, column } = cursor.peek();
    if (kind !== 'sign' || !isOperator(text)) return left;
    const rank = RANKS[text];
    if (outer.rank !== undefined && rank !== undefined && rank <= outer.rank) return left;
    if (depth + operators > NESTING_LIMIT) throw tooDeep(column);
    cursor.next();
    const operand = parseOperand(cursor, depth + 1);
    const right = continueBinding(cursor, operand, { rank }, depth + 1);
    left = { kind: 'binary', operator: text, left, right, column };
  }
}

function parseOperand(cursor: TokenCursor, depth: number): Arithmetic {
  const token = cursor.peek();
  if (depth > NESTING_LIMIT) throw tooDeep(token.column);
  if (cursor.takeSign('(')) {
    const inner = parseArithmetic(cursor, depth + 1);
    cursor.expectSign(')');
    return inner;
  }
  if (cursor.takeSign('-')) {
    const operand = continueBinding(cursor, parseOperand(cursor, depth + 1), NEGATION, depth + 1);
    return { kind: 'negate', operand, column: token.column };
  }
  return parsePrimary(cursor, depth);
}

/** A number, the length of the packet, or bytes of it. */
function parsePrimary(cursor: TokenCursor, depth: number): Arithmetic {
  const { kind, text, value, column } = cursor.peek();
  if (kind === 'number') {
    cursor.next();
    return { kind: 'number', value, column };
  }
  if (kind !== 'word' || (text !== 'len' && !isProtocolWord(text)))
    throw cursor.fault("a number, 'len' or bytes of the packet as in ip[8] or tcp[2:2]");
  cursor.next();
  return isProtocolWord(text) ? parseIndex(cursor, text, column, depth) : { kind: 'length', column };
}

function parseIndex(
  cursor: TokenCursor,
  protocol: Extract<Arithmetic, { kind: 'index' }>['protocol'],
  column: number,
  depth: number,
): Arithmetic {
  cursor.expectSign('[');
  const offset = parseArithmetic(cursor, depth + 1);
  const size = cursor.takeSign(':') ? cursor.expect('number', 'a size: 1, 2 or 4').value : 1;
  cursor.expectSign(']');
  return { kind: 'index', protocol, offset, size, column };
}

/** The complaint about an expression that is nested beyond what a program could need. */
export function tooDeep(column: number): FilterFault {
  return new FilterFault(`the expression is nested deeper than ${NESTING_LIMIT} levels here`, column);
}
