/**
 * The shell's grammar (XCU 2.10, without compound commands): lists of and-or lists of pipelines of simple commands.
 */
import { ShellSyntaxError, tokenize } from './lexer.ts';
import type { Operator, Token, WordPart } from './lexer.ts';

export type Word = readonly WordPart[];

export interface Redirection {
  /** Descriptor that is redirected: 0, 1 or 2. */
  readonly fd: number;
  readonly kind: 'read' | 'truncate' | 'append' | 'duplicate';
  readonly target: Word;
}

export interface SimpleCommand {
  readonly assignments: readonly { readonly name: string; readonly value: Word }[];
  readonly words: readonly Word[];
  readonly redirections: readonly Redirection[];
}

export interface Pipeline {
  readonly commands: readonly SimpleCommand[];
  /** `! pipeline`: the status is inverted. */
  readonly negated: boolean;
}

export interface AndOr {
  /** The first pipeline's `after` is ';'. */
  readonly pipelines: readonly { readonly after: ';' | '&&' | '||'; readonly pipeline: Pipeline }[];
  readonly background: boolean;
  /** The source, for the list of jobs. */
  readonly text: string;
}

const REDIRECTIONS: Partial<Record<Operator, { kind: Redirection['kind']; fd: number }>> = {
  '<': { kind: 'read', fd: 0 },
  '>': { kind: 'truncate', fd: 1 },
  '>>': { kind: 'append', fd: 1 },
  '>&': { kind: 'duplicate', fd: 1 },
};

/** Parses a command line of any number of lines. Throws ShellSyntaxError. */
export function parseCommandLine(line: string): AndOr[] {
  const tokens = tokenize(line);
  const lists: AndOr[] = [];
  let at = 0;

  const operatorAt = (index: number): Operator | undefined => {
    const token = tokens[index];
    return token?.kind === 'operator' ? token.operator : undefined;
  };
  function unexpected(token: Token | undefined, expected: string): ShellSyntaxError {
    if (token === undefined)
      return new ShellSyntaxError(`syntax error: ${expected} expected at the end`, true);
    return new ShellSyntaxError(
      `syntax error: ${line.slice(token.start, token.end).trim() || 'end of line'} where ${expected} was expected`,
    );
  }

  function readRedirection(
    token: Extract<Token, { kind: 'operator' }>,
    kind: Redirection['kind'],
    fd: number,
  ): Redirection {
    const target = tokens[at];
    if (target?.kind !== 'word')
      throw unexpected(target, kind === 'duplicate' ? 'a descriptor' : 'a file name');
    at++;
    const redirected = token.fd ?? fd;
    if (redirected > 2)
      throw new ShellSyntaxError(`syntax error: descriptor ${redirected}: only 0, 1 and 2 can be redirected`);
    return { fd: redirected, kind, target: target.parts };
  }

  function readCommand(): SimpleCommand {
    const assignments: SimpleCommand['assignments'][number][] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (;;) {
      const token = tokens[at];
      if (token === undefined) break;
      if (token.kind === 'operator') {
        const redirection = REDIRECTIONS[token.operator];
        if (redirection === undefined) break;
        at++;
        redirections.push(readRedirection(token, redirection.kind, redirection.fd));
        continue;
      }
      at++;
      const assignment = words.length === 0 ? assignmentOf(token.parts) : undefined;
      if (assignment === undefined) words.push(token.parts);
      else assignments.push(assignment);
    }
    if (assignments.length + words.length + redirections.length === 0)
      throw unexpected(tokens[at], 'a command');
    return { assignments, words, redirections };
  }

  function readPipeline(): Pipeline {
    let negated = false;
    while (isBang(tokens[at])) {
      negated = !negated;
      at++;
    }
    const commands = [readCommand()];
    while (operatorAt(at) === '|') {
      at++;
      skipNewlines();
      commands.push(readCommand());
    }
    return { commands, negated };
  }

  /** After `|`, `&&` and `||` a line may end. */
  function skipNewlines(): void {
    for (let token = tokens[at]; token?.kind === 'operator' && line[token.start] === '\n'; token = tokens[at])
      at++;
  }

  function readAndOr(): void {
    const start = tokens[at]!.start;
    const pipelines: AndOr['pipelines'][number][] = [{ after: ';', pipeline: readPipeline() }];
    for (let after = operatorAt(at); after === '&&' || after === '||'; after = operatorAt(at)) {
      at++;
      skipNewlines();
      pipelines.push({ after, pipeline: readPipeline() });
    }
    const end = tokens[at - 1]!.end;
    const separator = operatorAt(at);
    if (at < tokens.length && separator !== ';' && separator !== '&') throw unexpected(tokens[at], '; or &');
    at++;
    lists.push({ pipelines, background: separator === '&', text: line.slice(start, end) });
  }

  while (at < tokens.length) {
    const token = tokens[at]!;
    if (token.kind === 'operator' && line[token.start] === '\n') at++;
    else readAndOr();
  }
  return lists;
}

function isBang(token: Token | undefined): boolean {
  if (token?.kind !== 'word' || token.parts.length !== 1) return false;
  const [part] = token.parts;
  return part?.kind === 'text' && part.text === '!' && !part.quoted;
}

function assignmentOf(parts: Word): SimpleCommand['assignments'][number] | undefined {
  const [first, ...more] = parts;
  if (first?.kind !== 'text' || first.quoted) return undefined;
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(first.text);
  if (match === null) return undefined;
  return { name: match[1]!, value: [{ kind: 'text', text: match[2]!, quoted: false }, ...more] };
}
