/**
 * Cuts a filter expression into tokens (pcap-filter(7)): keywords, numbers, addresses in their written forms, names and signs. The longest reading of the characters at a
 * place wins, as lex does it: `tcp-syn` is one word, and so is `25-smtp`.
 */
import { FilterFault } from './error.ts';
import { KEYWORDS, NAMED_NUMBERS } from './words.ts';

export type TokenKind =
  /** A keyword; its text is the spelling the parser knows. */
  | 'word'
  | 'number'
  /** Two to four numbers with dots between: an IPv4 address or the beginning of one, or a DECnet address. */
  | 'dotted'
  | 'ipv6'
  /** An Ethernet address. */
  | 'mac'
  /** An ARCnet address, `$` and one or two hexadecimal digits. */
  | 'arcnet'
  | 'name'
  | 'sign'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** The characters, or the usual spelling of a keyword or sign. */
  readonly text: string;
  /** The value of a number, unsigned 32 bits. */
  readonly value: number;
  /** Where it begins, counted from 1. */
  readonly column: number;
}

/** The most characters of an expression; what is longer is refused before any work is spent on it. */
const MAXIMUM_LENGTH = 1 << 20;

/**
 * All tokens of an expression; the last one is of kind `end`.
 *
 * @throws FilterFault for characters that begin no token and for numbers beyond 32 bits.
 */
export function tokenize(expression: string): Token[] {
  if (expression.length > MAXIMUM_LENGTH)
    throw new FilterFault(`an expression has at most ${MAXIMUM_LENGTH} characters`, 1);
  const tokens: Token[] = [];
  let position = 0;
  for (;;) {
    position = skipSpace(expression, position);
    if (position >= expression.length) break;
    const { token, length } = tokenAt(expression, position);
    tokens.push(token);
    position += length;
  }
  tokens.push({ kind: 'end', text: '', value: 0, column: expression.length + 1 });
  return tokens;
}

function skipSpace(expression: string, from: number): number {
  let position = from;
  while (' \t\n\r'.includes(expression.charAt(position)) && position < expression.length) position++;
  return position;
}

interface Cut {
  readonly token: Token;
  readonly length: number;
}

const SIGN = /&&|\|\||>=|<=|!=|==|<<|>>|[-+*/%&|^!:<>=()[\]]/y;
const ESCAPED = /\\([^ !()\n\t\r]+)/y;
const ARCNET = /\$[0-9A-Fa-f]{1,2}/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|[0-9]+/y;
const DOTTED = /[0-9]+(?:\.[0-9]+){1,3}/y;
const MAC =
  /[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(?:-[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(?:\.[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}|[0-9A-Fa-f]{12}/y;
const NAME = /[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y;
const IPV6_RUN = /[0-9A-Fa-f]*:[0-9A-Fa-f:.]*/y;
const IPV4_TAIL = /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/;

function tokenAt(expression: string, position: number): Cut {
  const longest = (pattern: RegExp): string => {
    pattern.lastIndex = position;
    return pattern.exec(expression)?.[0] ?? '';
  };
  // Of readings of equal length the first one wins.
  const readings: readonly (readonly [TokenKind, string])[] = [
    ['sign', longest(SIGN)],
    ['arcnet', longest(ARCNET)],
    ['mac', longest(MAC)],
    ['number', longest(NUMBER)],
    ['dotted', longest(DOTTED)],
    ['ipv6', longestIpv6(longest(IPV6_RUN))],
    ['name', longest(NAME)],
  ];
  let [kind, text] = readings[0] ?? ['end', ''];
  for (const [otherKind, other] of readings)
    if (other.length > text.length) [kind, text] = [otherKind, other];
  const column = position + 1;
  if (text === '') return escapedName(longest(ESCAPED), expression, column);
  const keyword = kind === 'name' || kind === 'mac' ? keywordToken(text, column) : undefined;
  if (keyword !== undefined) return { token: keyword, length: text.length };
  const value = kind === 'number' ? numberValue(text, column) : 0;
  return { token: signedOff(kind, text, value, column), length: text.length };
}

/** `\name`: a name even where it would be a keyword. */
function escapedName(text: string, expression: string, column: number): Cut {
  if (text !== '')
    return { token: { kind: 'name', text: text.slice(1), value: 0, column }, length: text.length };
  const character = String.fromCodePoint(expression.codePointAt(column - 1) ?? 0);
  throw new FilterFault(`illegal character '${character}'`, column, 'a word, a number or an operator');
}

function keywordToken(text: string, column: number): Token | undefined {
  const value = NAMED_NUMBERS.get(text);
  if (value !== undefined) return { kind: 'number', text, value, column };
  const word = KEYWORDS.get(text);
  return word === undefined ? undefined : { kind: 'word', text: word, value: 0, column };
}

const SIGN_WORDS: Readonly<Record<string, string>> = { '&&': 'and', '||': 'or', '!': 'not' };

/** The token of a reading; signs that are another spelling of a word become that word. */
function signedOff(kind: TokenKind, text: string, value: number, column: number): Token {
  const word = kind === 'sign' ? SIGN_WORDS[text] : undefined;
  if (word !== undefined) return { kind: 'word', text: word, value, column };
  return { kind, text: text === '==' ? '=' : text, value, column };
}

/** Whether a text as a whole is a number as expressions write it. */
export function isNumber(text: string): boolean {
  return /^(0x[0-9a-f]+|[0-9]+)$/i.test(text);
}

/**
 * A number in decimal, octal (0…) or hexadecimal (0x…).
 *
 * @throws FilterFault if it is no octal number or too large.
 */
export function numberValue(text: string, column: number): number {
  const hexadecimal = /^0x/i.test(text);
  const octal = !hexadecimal && text.length > 1 && text.startsWith('0');
  if (octal && /[89]/.test(text)) throw new FilterFault(`number ${text} contains non-octal digit`, column);
  const value = octal ? parseInt(text, 8) : Number(text);
  if (value <= 0xffffffff) return value;
  const kind = hexadecimal ? 'hexadecimal' : octal ? 'octal' : 'decimal';
  throw new FilterFault(`${kind} number ${text} overflows 32 bits`, column, 'a number up to 0xffffffff');
}

/** The longest beginning of a run of hexadecimal digits, colons and dots that has the form of an IPv6 address (RFC 4291 §2.2). */
function longestIpv6(run: string): string {
  // No address is longer than six groups and a dotted quad of long numbers.
  for (let length = Math.min(run.length, 64); length >= 2; length--) {
    const text = run.slice(0, length);
    if (isIpv6Form(text)) return text;
  }
  return '';
}

function isIpv6Form(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const [head = '', tail] = halves;
  const headGroups = groupCount(head, tail === undefined);
  const tailGroups = tail === undefined ? 0 : groupCount(tail, true);
  if (headGroups === undefined || tailGroups === undefined) return false;
  const groups = headGroups + tailGroups;
  return tail === undefined ? groups === 8 : groups <= 7;
}

/** How many groups of 16 bits a list of them has; a dotted quad at the end counts for two. */
function groupCount(list: string, mayEndDotted: boolean): number | undefined {
  if (list === '') return 0;
  const groups = list.split(':');
  const last = groups[groups.length - 1] ?? '';
  const dotted = mayEndDotted && IPV4_TAIL.test(last);
  const plain = dotted ? groups.slice(0, -1) : groups;
  if (!plain.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  return plain.length + (dotted ? 2 : 0);
}
