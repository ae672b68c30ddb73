/**
 * Words of a pf.conf (pf.conf(5), GRAMMAR). A macro is put in where its `$name` stands, letter by letter, so that `$ext_if:network` is one word; in quotes and
 * inside macros nothing is put in. A backslash at the end joins lines, `#` begins a comment, quotes keep a word together.
 */
import type { PfGeneration } from './ruleset.ts';

/** Where something stands in the file; both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type TokenKind =
  /** A word that is no keyword, or anything in quotes. */
  | 'string'
  | 'keyword'
  /** `->`, `><`, `<>`, or any other single character. */
  | 'mark'
  | 'newline'
  | 'end'
  /** What cannot be read at all; `text` says why. The rest of the line is gone. */
  | 'bad';

export interface Token extends Place {
  readonly kind: TokenKind;
  readonly text: string;
  /** In quotes. */
  readonly quoted?: true;
}

const COMMON_KEYWORDS = [
  'all allow-opts altq anchor antispoof any bandwidth binat binat-anchor bitmask block block-policy cbq code crop debug',
  'drop drop-ovl dup-to fastroute file fingerprints flags floating flush for fragment from global group hfsc hostid',
  'icmp-type icmp6-type if-bound in inet inet6 keep label limit linkshare load log loginterface max max-mss max-src-conn',
  'max-src-conn-rate max-src-nodes max-src-states min-ttl modulate nat nat-anchor no no-df no-route no-sync on',
  'optimization os out overload pass port priority priq probability proto qlimit queue quick random random-id rdr',
  'rdr-anchor realtime reassemble reply-to require-order return return-icmp return-icmp6 return-rst round-robin route',
  'route-to rule scrub set skip source-hash source-track state state-policy static-port sticky-address synproxy table',
  'tag tagged tbrsize timeout to tos ttl upperlimit user',
]
  .join(' ')
  .split(' ');

const KEYWORDS: Readonly<Record<PfGeneration, ReadonlySet<string>>> = {
  '3.7': new Set([...COMMON_KEYWORDS, 'group-bound', 'log-all']),
  '4.2': new Set([...COMMON_KEYWORDS, 'rtable', 'ruleset-optimization', 'urpf-failed']),
};

/** Letters of a word at most. */
const WORD_MAX = 8000;
const END = '';
const BEGINS_WORD = /[A-Za-z0-9:_]/;
const IN_WORD = /[A-Za-z0-9\x22$%&'*+\-.:;?@[\\\]^_`|~]/;
const BACKSLASH = 0x5c;
/** Letters that need no look at what stands behind them. */
const PLAIN_IN_WORD = Array.from(
  { length: 128 },
  (_, code) => code !== BACKSLASH && IN_WORD.test(String.fromCharCode(code)),
);
const IN_MACRO_NAME = /[A-Za-z0-9_]/;

export class Lexer {
  readonly #text: string;
  readonly #keywords: ReadonlySet<string>;
  readonly #generation: PfGeneration;
  readonly #macros: ReadonlyMap<string, string>;

  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** Where the letter before the next one of the file began, to take it back. */
  #before = { at: 0, line: 1, lineStart: 0 };

  /** Text of the macro being read, and where its name stands. */
  #macro: { readonly text: string; at: number; readonly place: Place } | undefined;
  #lastFromMacro = false;

  /** @param macros values by name; the parser adds to it as it meets definitions. */
  constructor(text: string, generation: PfGeneration, macros: ReadonlyMap<string, string>) {
    this.#text = text;
    this.#generation = generation;
    this.#keywords = KEYWORDS[generation];
    this.#macros = macros;
  }

  next(): Token {
    for (;;) {
      let letter = this.#read();
      while (letter === ' ' || letter === '\t') letter = this.#read();
      if (letter === '#') letter = this.#skipComment();
      if (letter === '$' && !this.#lastFromMacro) {
        const bad = this.#enterMacro();
        if (bad) return bad;
        continue;
      }
      return this.#token(letter);
    }
  }

  #token(letter: string): Token {
    const place = this.#lastPlace();
    if (letter === END) return { kind: 'end', text: 'end of file', ...place };
    if (letter === '\n') return { kind: 'newline', text: 'end of line', ...place };
    if (letter === '"' || letter === "'") return this.#quoted(letter, place);
    if (BEGINS_WORD.test(letter)) return this.#word(letter, place);
    return { kind: 'mark', text: this.#mark(letter), ...place };
  }

  /** Two letters that belong together, or one. */
  #mark(letter: string): string {
    if (letter !== '<' && letter !== '>' && letter !== '-') return letter;
    const second = this.#read();
    const both = letter + second;
    if (both === '<>' || both === '><' || both === '->') return both;
    this.#unread();
    return letter;
  }

  #word(first: string, place: Place): Token {
    let text = first + this.#plainLetters();
    for (let letter = this.#read(); letter !== END && IN_WORD.test(letter); letter = this.#read()) {
      text += letter + this.#plainLetters();
      if (text.length > WORD_MAX) return this.#bad('string too long', place);
    }
    this.#unread();
    return { kind: this.#keywords.has(text) ? 'keyword' : 'string', text, ...place };
  }

  /** Letters of the file that go on with a word as they are: most of them, so they are taken at once. */
  #plainLetters(): string {
    if (this.#macro) return '';
    const start = this.#at;
    while (PLAIN_IN_WORD[this.#text.charCodeAt(this.#at)]) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #quoted(quote: string, place: Place): Token {
    let text = '';
    for (let letter = this.#read(); letter !== quote; letter = this.#read()) {
      if (letter === END) return this.#bad(`no closing ${quote}`, place);
      if (letter !== '\n') text += letter;
      if (text.length > WORD_MAX) return this.#bad('string too long', place);
    }
    return { kind: 'string', text, quoted: true, ...place };
  }

  #enterMacro(): Token | undefined {
    const place = this.#lastPlace();
    let name = '';
    let letter = this.#read();
    for (; letter !== END && IN_MACRO_NAME.test(letter); letter = this.#read()) name += letter;
    this.#unread();
    const text = this.#macros.get(name);
    if (text === undefined) return this.#bad(`macro '${name}' not defined`, place);
    this.#macro = { text, at: 0, place };
    return undefined;
  }

  #skipComment(): string {
    let letter = this.#read();
    while (letter !== '\n' && letter !== END) letter = this.#read();
    return letter;
  }

  #bad(text: string, place: Place): Token {
    this.#macro = undefined;
    const end = this.#text.indexOf('\n', this.#at);
    // The end of the line stays: the parser goes on behind it.
    this.#at = end < 0 ? this.#text.length : end;
    return { kind: 'bad', text, ...place };
  }

  #lastPlace(): Place {
    if (this.#lastFromMacro && this.#macro) return this.#macro.place;
    return { line: this.#before.line, column: this.#before.at - this.#before.lineStart + 1 };
  }

  /** The next letter, of the macro being read or of the file with its lines joined; END behind the last. */
  #read(): string {
    const macro = this.#macro;
    if (macro && macro.at < macro.text.length) {
      this.#lastFromMacro = true;
      return macro.text.charAt(macro.at++);
    }
    this.#macro = undefined;
    this.#lastFromMacro = false;
    this.#joinLines();
    this.#before = { at: this.#at, line: this.#line, lineStart: this.#lineStart };
    return this.#readFile();
  }

  #readFile(): string {
    let letter = this.#text.charAt(this.#at++);
    if (letter === '\\' && this.#generation === '4.2') letter = this.#text.charAt(this.#at++);
    if (letter === '\r' && this.#text.charAt(this.#at) === '\n') letter = this.#text.charAt(this.#at++);
    if (letter === '\n') {
      this.#line++;
      this.#lineStart = this.#at;
    } else if (letter === ' ' || letter === '\t') {
      // Blanks count as one, in quotes, too.
      while (this.#text.charAt(this.#at) === ' ' || this.#text.charAt(this.#at) === '\t') this.#at++;
      letter = ' ';
    }
    return letter;
  }

  #joinLines(): void {
    for (;;) {
      if (this.#text.charAt(this.#at) !== '\\') return;
      const carriage = this.#text.charAt(this.#at + 1) === '\r' ? 1 : 0;
      if (this.#text.charAt(this.#at + 1 + carriage) !== '\n') return;
      this.#at += 2 + carriage;
      this.#line++;
      this.#lineStart = this.#at;
    }
  }

  /** Takes the last letter back. */
  #unread(): void {
    if (this.#lastFromMacro && this.#macro) {
      this.#macro.at--;
      return;
    }
    this.#at = this.#before.at;
    this.#line = this.#before.line;
    this.#lineStart = this.#before.lineStart;
  }
}
