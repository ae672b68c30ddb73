/** The words of a pf.conf with one word of look-ahead, and the small productions that all statements share: names, numbers, lists. */
import { parseCNumber } from './address.ts';
import { refuse, StatementError } from './errors.ts';
import type { Lexer, Place, Token } from './lexer.ts';
import type { PfGeneration } from './ruleset.ts';
import type { NumberWord, Word } from './syntax.ts';

const NUMBER_MAX = 0xffff_ffff;

export class Cursor {
  readonly generation: PfGeneration;
  readonly #lexer: Lexer;
  #token: Token | undefined;

  constructor(lexer: Lexer, generation: PfGeneration) {
    this.#lexer = lexer;
    this.generation = generation;
  }

  /** The next word, not taken. One that cannot be read leaves the statement. */
  peek(): Token {
    this.#token ??= this.#lexer.next();
    if (this.#token.kind !== 'bad') return this.#token;
    const { text, line, column } = this.#token;
    this.#token = undefined;
    return refuse({ line, column }, text);
  }

  take(): Token {
    const token = this.peek();
    // The end stays.
    if (token.kind !== 'end') this.#token = undefined;
    return token;
  }

  /** Whether the next word is this keyword or mark. */
  at(text: string): boolean {
    const token = this.peek();
    return token.text === text && (token.kind === 'keyword' || token.kind === 'mark');
  }

  /** Whether the next word is a name, number or anything in quotes. */
  atString(): boolean {
    return this.peek().kind === 'string';
  }

  atLineEnd(): boolean {
    const { kind } = this.peek();
    return kind === 'newline' || kind === 'end';
  }

  /** Takes the next word if it is this keyword or mark. */
  accept(text: string): Token | undefined {
    return this.at(text) ? this.take() : undefined;
  }

  /** Takes the one of these keywords that comes next, if any does. */
  acceptAny<T extends string>(texts: readonly T[]): T | undefined {
    const found = texts.find((text) => this.at(text));
    if (found !== undefined) this.take();
    return found;
  }

  expect(text: string): Token {
    return this.accept(text) ?? this.syntaxError(`'${text}'`);
  }

  /** Takes a word that is no keyword. @param what names it, for the error. */
  string(what: string): Word {
    return this.atString() ? this.take() : this.syntaxError(what);
  }

  /** Takes words that are no keywords, and joins them with blanks. */
  strings(what: string): Word {
    const first = this.string(what);
    let text = first.text;
    while (this.atString()) text += ` ${this.take().text}`;
    return { text, line: first.line, column: first.column };
  }

  /** Takes an unsigned number of 32 bits: decimal, 0 octal, 0x hexadecimal. */
  number(what = 'a number'): NumberWord {
    const { text, line, column } = this.string(what);
    const value = parseCNumber(text);
    if (value === undefined || value > NUMBER_MAX) return refuse({ line, column }, `${text} is not a number`);
    return { value, line, column };
  }

  /** One item, or some in braces; commas between them may be left out. */
  oneOrList<T>(item: () => T): T[] {
    return this.accept('{') ? this.listToBrace(item) : [item()];
  }

  /** Items up to the closing brace, at least one. */
  listToBrace<T>(item: () => T): T[] {
    const list = [item()];
    while (!this.accept('}')) {
      this.accept(',');
      list.push(item());
    }
    return list;
  }

  /** Leaves the statement: the next word cannot stand here. */
  syntaxError(expected: string): never {
    const { kind, text, line, column } = this.peek();
    const found = kind === 'newline' || kind === 'end' ? text : `'${text}'`;
    throw new StatementError({
      line,
      column,
      message: 'syntax error',
      expected: `${expected} instead of ${found}`,
    });
  }

  /** Goes on behind the end of this line. */
  skipLine(): void {
    for (;;) {
      this.#token ??= this.#lexer.next();
      const { kind } = this.#token;
      if (kind === 'end') return;
      this.#token = undefined;
      if (kind === 'newline') return;
    }
  }
}

/** Place of a word alone. */
export function placeOf({ line, column }: Place): Place {
  return { line, column };
}
