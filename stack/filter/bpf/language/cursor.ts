/** A place in the tokens of an expression, and the parser's ways to move on and to complain. */
import { FilterFault } from './error.ts';
import type { Token, TokenKind } from './lexer.ts';

export class TokenCursor {
  readonly #tokens: readonly Token[];
  #position = 0;

  /** @param tokens at least the `end`. */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The token `ahead` of the next one, without moving; the end stays the end. */
  peek(ahead = 0): Token {
    const token = this.#tokens[Math.min(this.#position + ahead, this.#tokens.length - 1)];
    if (token === undefined) throw new Error('there are no tokens, not even an end');
    return token;
  }

  /** Takes the next token. */
  next(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#position++;
    return token;
  }

  isKind(kind: TokenKind): boolean {
    return this.peek().kind === kind;
  }

  /** Whether the next token is one of these keywords. */
  isWord(...words: readonly string[]): boolean {
    return this.peek().kind === 'word' && words.includes(this.peek().text);
  }

  /** Whether the next token is one of these signs. */
  isSign(...signs: readonly string[]): boolean {
    return this.peek().kind === 'sign' && signs.includes(this.peek().text);
  }

  /** Takes the next token if it is this sign. */
  takeSign(sign: string): boolean {
    if (!this.isSign(sign)) return false;
    this.next();
    return true;
  }

  /** Takes the next token, which must be this sign. */
  expectSign(sign: string): void {
    if (!this.takeSign(sign)) throw this.fault(`'${sign}'`);
  }

  /** Takes the next token, which must be of this kind. */
  expect(kind: TokenKind, expected: string): Token {
    if (!this.isKind(kind)) throw this.fault(expected);
    return this.next();
  }

  /** The complaint that something else must stand here. */
  fault(expected: string): FilterFault {
    const { kind, text, column } = this.peek();
    const found = kind === 'end' ? 'the expression ends too early' : `'${text}' cannot stand here`;
    return new FilterFault(`syntax error: ${found}`, column, expected);
  }
}
