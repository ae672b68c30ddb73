/**
 * The shell's lexer: splits a command line into words and operators after the rules of the POSIX shell (XCU 2.2 Quoting, 2.3 Token Recognition).
 * Words keep what was quoted, because quoted text is neither split nor taken as a pattern.
 */

export type WordPart =
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  /** `$NAME`, or `${NAME:-fallback}`. */
  | {
      readonly kind: 'variable';
      readonly name: string;
      readonly fallback?: string;
      readonly quoted: boolean;
    };

export type Operator = ';' | '&' | '|' | '&&' | '||' | '<' | '>' | '>>' | '>&';

export type Token =
  | {
      readonly kind: 'word';
      readonly parts: readonly WordPart[];
      readonly start: number;
      readonly end: number;
    }
  /** `fd` is the number written before a redirection. */
  | {
      readonly kind: 'operator';
      readonly operator: Operator;
      readonly fd?: number;
      readonly start: number;
      readonly end: number;
    };

/** The line cannot be understood. `incomplete`: more input could complete it (an open quote, a trailing `|`). */
export class ShellSyntaxError extends Error {
  readonly incomplete: boolean;

  constructor(message: string, incomplete = false) {
    super(message);
    this.name = 'ShellSyntaxError';
    this.incomplete = incomplete;
  }
}

// Longer operators first.
const OPERATORS: readonly Operator[] = ['&&', '||', '>>', '>&', ';', '&', '|', '<', '>'];
const SPECIAL_VARIABLES = '?$!0';
const BACKSLASH_IN_DOUBLE_QUOTES = '$"\\`';

/** The tokens of a line. Throws ShellSyntaxError. */
export function tokenize(line: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;

  function operatorHere(): Operator | undefined {
    if (line[at] === '\n') return ';';
    return OPERATORS.find((text) => line.startsWith(text, at));
  }

  function readOperator(operator: Operator, start: number, fd?: number): void {
    at += line[at] === '\n' ? 1 : operator.length;
    tokens.push({ kind: 'operator', operator, start, end: at, ...(fd === undefined ? {} : { fd }) });
  }

  function readSingleQuoted(): WordPart {
    const end = line.indexOf("'", at + 1);
    if (end < 0) throw new ShellSyntaxError("syntax error: no closing '", true);
    const text = line.slice(at + 1, end);
    at = end + 1;
    return { kind: 'text', text, quoted: true };
  }

  function readDoubleQuoted(): WordPart[] {
    const parts: WordPart[] = [];
    let text = '';
    at++;
    for (;;) {
      const char = line[at];
      if (char === undefined) throw new ShellSyntaxError('syntax error: no closing "', true);
      if (char === '"') break;
      const next = line[at + 1];
      if (char === '\\' && next !== undefined && BACKSLASH_IN_DOUBLE_QUOTES.includes(next)) {
        text += next;
        at += 2;
      } else if (char === '\\' && next === '\n') at += 2;
      else if (char === '$') {
        parts.push({ kind: 'text', text, quoted: true }, readDollar(true));
        text = '';
      } else {
        text += char;
        at++;
      }
    }
    at++;
    parts.push({ kind: 'text', text, quoted: true });
    return parts;
  }

  /** What stands after a `$`; a `$` that begins nothing is itself. */
  function readDollar(quoted: boolean): WordPart {
    const rest = line.slice(at + 1);
    if (rest.startsWith('('))
      throw new ShellSyntaxError('syntax error: $(command) is not supported by this shell');
    const braced = /^\{([A-Za-z_][A-Za-z0-9_]*|[?$!0])(?::-([^}]*))?\}/.exec(rest);
    if (braced !== null) {
      at += 1 + braced[0].length;
      const [, name, fallback] = braced;
      return { kind: 'variable', name: name!, quoted, ...(fallback === undefined ? {} : { fallback }) };
    }
    if (rest.startsWith('{')) {
      throw new ShellSyntaxError('syntax error: expected ${NAME} or ${NAME:-text}', !rest.includes('}'));
    }
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0] ?? '';
    const special = rest[0] !== undefined && SPECIAL_VARIABLES.includes(rest[0]) ? rest[0] : '';
    const found = name === '' ? special : name;
    at += 1 + found.length;
    if (found === '') return { kind: 'text', text: '$', quoted };
    return { kind: 'variable', name: found, quoted };
  }

  function readEscape(): WordPart | undefined {
    const next = line[at + 1];
    if (next === undefined) throw new ShellSyntaxError('syntax error: \\ at the end', true);
    at += 2;
    return next === '\n' ? undefined : { kind: 'text', text: next, quoted: true };
  }

  function readPlain(): WordPart {
    const start = at;
    while (at < line.length && !/[\s'"\\$;&|<>]/.test(line[at]!)) {
      if ('()`'.includes(line[at]!))
        throw new ShellSyntaxError(`syntax error: ${line[at]!} is not supported by this shell`);
      at++;
    }
    return { kind: 'text', text: line.slice(start, at), quoted: false };
  }

  function readPart(): WordPart[] {
    const char = line[at];
    if (char === "'") return [readSingleQuoted()];
    if (char === '"') return readDoubleQuoted();
    if (char === '$') return [readDollar(false)];
    if (char === '\\') return [readEscape()].filter((part) => part !== undefined);
    return [readPlain()];
  }

  function readWord(): void {
    const start = at;
    const parts: WordPart[] = [];
    while (at < line.length && !/\s/.test(line[at]!) && operatorHere() === undefined)
      parts.push(...readPart());
    const digits = line.slice(start, at);
    const operator = operatorHere();
    if (/^\d$/.test(digits) && operator !== undefined && /^[<>]/.test(operator)) {
      readOperator(operator, start, Number(digits));
    } else if (parts.length > 0) tokens.push({ kind: 'word', parts, start, end: at });
  }

  while (at < line.length) {
    const operator = operatorHere();
    if (operator !== undefined) readOperator(operator, at);
    else if (/\s/.test(line[at]!)) at++;
    else if (line[at] === '#') at = line.indexOf('\n', at) < 0 ? line.length : line.indexOf('\n', at);
    else readWord();
  }
  return tokens;
}
