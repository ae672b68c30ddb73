/**
 * Completion of the word before the cursor: commands, files, variables, and what a command's own completer offers.
 */
import { readdir } from '../../kernel/files.ts';
import { findProgram, programNames } from '../../kernel/program-table.ts';
import { SystemError } from '../../runtime/messages/errno.ts';
import { builtinNames } from './builtins.ts';
import type { Shell } from './state.ts';

export interface Completion {
  /** The end of the line that the insertions replace, as it was typed. */
  readonly typed: string;
  /** What the user is shown when there are several. */
  readonly candidates: readonly string[];
  /** What would be inserted for each, quoted where the shell needs it. */
  readonly insertions: readonly string[];
  /** What follows when there is only one: a blank, or nothing after a directory. */
  readonly suffix: string;
}

/** The command that is being typed: its words so far, the last one possibly empty, and how that one was typed. */
interface Context {
  readonly words: readonly string[];
  readonly typed: string;
  readonly isFile: boolean;
}

/** Reads the text before the cursor leniently: quotes may be open. */
function contextOf(before: string): Context {
  let words: string[] = [];
  let word = '';
  let started = 0;
  let quote = '';
  let isFile = false;
  const endWord = (next: number): void => {
    if (started < next) words.push(word);
    word = '';
  };
  for (let at = 0; at < before.length; at++) {
    const char = before[at]!;
    if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '\\') word += before[++at] ?? '';
    else if (char === "'" || char === '"') quote = char;
    else if (/[\s;&|<>]/.test(char)) {
      endWord(at);
      if (/[;&|]/.test(char)) words = [];
      if (!/\s/.test(char)) isFile = char === '<' || char === '>';
      else if (started < at) isFile = false;
      started = at + 1;
    } else word += char;
  }
  return { words: [...words, word], typed: before.slice(started), isFile };
}

const NEEDS_QUOTE = /[\s'"\\$;&|<>()`*?[\]#~!]/g;

function result(
  typed: string,
  candidates: readonly string[],
  suffixOf = (_only: string): string => ' ',
): Completion {
  const unique = [...new Set(candidates)].sort();
  return {
    typed,
    candidates: unique.map((path) => /[^/]*\/?$/.exec(path)?.[0] ?? path),
    insertions: unique.map((text) => text.replace(NEEDS_QUOTE, '\\$&')),
    suffix: unique.length === 1 ? suffixOf(unique[0]!) : '',
  };
}

async function filesFor(shell: Shell, word: string): Promise<string[]> {
  const directory = word.slice(0, word.lastIndexOf('/') + 1);
  const start = word.slice(directory.length);
  try {
    const entries = await readdir(shell.self, directory === '' ? '.' : directory);
    return entries
      .filter(({ name }) => name.startsWith(start) && (start.startsWith('.') || !name.startsWith('.')))
      .map(({ name, kind }) => directory + name + (kind === 'directory' ? '/' : ''));
  } catch (error) {
    if (error instanceof SystemError) return [];
    throw error;
  }
}

const afterFile = (path: string): string => (path.endsWith('/') ? '' : ' ');

/** Finds what the text before the cursor could become. */
export async function completeLine(shell: Shell, before: string): Promise<Completion> {
  const { words, typed, isFile } = contextOf(before);
  const word = words.at(-1)!;
  const variable = /\$([A-Za-z_][A-Za-z0-9_]*|)$/.exec(typed);
  if (variable !== null) {
    const names = [...shell.self.env.keys(), ...shell.variables.keys()].filter((name) =>
      name.startsWith(variable[1]!),
    );
    return { ...result(variable[1]!, names) };
  }
  const command = words.findIndex((each) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(each));
  if (isFile || (command >= 0 && words.length - 1 > command))
    return completeArgument(shell, words.slice(command), typed, isFile);
  if (word.includes('/')) return result(typed, await filesFor(shell, word), afterFile);
  return result(
    typed,
    [...programNames(), ...builtinNames()].filter((name) => name.startsWith(word)),
  );
}

async function completeArgument(
  shell: Shell,
  words: readonly string[],
  typed: string,
  isFile: boolean,
): Promise<Completion> {
  const word = words.at(-1)!;
  const own = isFile ? undefined : findProgram(words[0]!)?.complete;
  if (own !== undefined) {
    const offered = await own(words, words.length - 1, shell.self);
    const fitting = offered.filter((candidate) => candidate.startsWith(word));
    if (fitting.length > 0) return result(typed, fitting);
  }
  return result(typed, await filesFor(shell, word), afterFile);
}
