/**
 * Word expansion of the shell (XCU 2.6): variables, field splitting, pathname patterns over the node's files, `~`.
 */
import { exists, readdir } from '../../kernel/files.ts';
import type { Process } from '../../kernel/process.ts';
import { SystemError } from '../../runtime/messages/errno.ts';
import type { WordPart } from './lexer.ts';
import type { Word } from './parser.ts';

/** What words are expanded with. */
export interface Expansion {
  readonly self: Process;
  /** Value of a variable, `?`, `$` and `!` included; undefined when unset. */
  lookup(name: string): string | undefined;
}

/** A piece of a field: quoted text is never a pattern. */
interface Piece {
  readonly text: string;
  readonly quoted: boolean;
}

function valueOf(part: Extract<WordPart, { kind: 'variable' }>, expansion: Expansion): string {
  const value = expansion.lookup(part.name);
  if (part.fallback !== undefined && (value === undefined || value === '')) return part.fallback;
  return value ?? '';
}

/** A word as one string: for assignments and redirections. */
export function expandToText(word: Word, expansion: Expansion): string {
  const parts = withHome(word, expansion);
  return parts.map((part) => (part.kind === 'text' ? part.text : valueOf(part, expansion))).join('');
}

/** `~` and `~/...` at the start of a word stand for $HOME. */
function withHome(word: Word, expansion: Expansion): Word {
  const [first, ...more] = word;
  if (first?.kind !== 'text' || first.quoted || !/^~(\/|$)/.test(first.text)) return word;
  if (first.text === '~' && more.length > 0) return word;
  const home = expansion.lookup('HOME') ?? '/';
  return [{ kind: 'text', text: home + first.text.slice(1), quoted: false }, ...more];
}

/** The fields that the words of a command become. */
export async function expandWords(words: readonly Word[], expansion: Expansion): Promise<string[]> {
  const fields: string[] = [];
  for (const word of words) {
    for (const field of splitFields(withHome(word, expansion), expansion)) {
      fields.push(...(await expandPattern(field, expansion.self)));
    }
  }
  return fields;
}

function splitFields(word: Word, expansion: Expansion): Piece[][] {
  const fields: Piece[][] = [];
  let field: Piece[] | undefined;
  const add = (piece: Piece): void => {
    field = [...(field ?? []), piece];
  };
  const endField = (): void => {
    if (field !== undefined) fields.push(field);
    field = undefined;
  };
  for (const part of word) {
    if (part.kind === 'text') add(part);
    else if (part.quoted) add({ text: valueOf(part, expansion), quoted: true });
    else {
      const [head = '', ...tail] = valueOf(part, expansion).split(/[ \t\n]+/);
      if (head !== '') add({ text: head, quoted: false });
      for (const text of tail) {
        endField();
        if (text !== '') add({ text, quoted: false });
      }
    }
  }
  endField();
  return fields;
}

const PATTERN = /[*?[]/;

async function expandPattern(field: readonly Piece[], self: Process): Promise<string[]> {
  const literal = field.map(({ text }) => text).join('');
  if (!field.some(({ text, quoted }) => !quoted && PATTERN.test(text))) return [literal];
  const matches = await matchPaths(field, self);
  return matches.length > 0 ? matches : [literal];
}

/** Splits a field into the parts between slashes. */
function pathParts(field: readonly Piece[]): Piece[][] {
  const parts: Piece[][] = [[]];
  for (const { text, quoted } of field) {
    const [head = '', ...tail] = text.split('/');
    parts.at(-1)!.push({ text: head, quoted });
    for (const part of tail) parts.push([{ text: part, quoted }]);
  }
  return parts;
}

async function matchPaths(field: readonly Piece[], self: Process): Promise<string[]> {
  let found = [''];
  let hadPattern = false;
  const parts = pathParts(field);
  for (const [index, part] of parts.entries()) {
    const separator = index === 0 ? '' : '/';
    const literal = part.map(({ text }) => text).join('');
    const isPattern = part.some(({ text, quoted }) => !quoted && PATTERN.test(text));
    if (!isPattern) {
      const paths = found.map((path) => path + separator + literal);
      // Only a path with a pattern before can fail to exist without saying so.
      found = literal !== '' && hadPattern ? await existing(self, paths) : paths;
      continue;
    }
    hadPattern = true;
    const next: string[] = [];
    for (const path of found) {
      const directory = path + separator;
      const names = await namesIn(self, directory === '' ? '.' : directory);
      const pattern = toRegExp(part);
      for (const name of names) {
        if (pattern?.test(name) === true && (literal.startsWith('.') || !name.startsWith('.')))
          next.push(directory + name);
      }
    }
    found = next;
  }
  return found;
}

async function existing(self: Process, paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if (await exists(self, path)) found.push(path);
  return found;
}

async function namesIn(self: Process, directory: string): Promise<string[]> {
  try {
    return (await readdir(self, directory)).map(({ name }) => name);
  } catch (error) {
    if (error instanceof SystemError) return [];
    throw error;
  }
}

/** A pattern (XCU 2.13) as a regular expression. */
function toRegExp(pieces: readonly Piece[]): RegExp | undefined {
  let source = '';
  for (const { text, quoted } of pieces) {
    if (quoted) source += escape(text);
    else {
      source += text.replace(
        /\[(!?)([^\]]+)\]|[*?]|[^*?[]+|\[/g,
        (match, not: string | undefined, set: string | undefined) => {
          if (match === '*') return '.*';
          if (match === '?') return '.';
          if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replace(/[\\\]^]/g, '\\$&')}]`;
          return escape(match);
        },
      );
    }
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    // A range that runs backwards, [z-a], matches nothing.
    return undefined;
  }
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
