/**
 * What the network utilities have in common: options as getopt(3) reads them, `--help`, and errors as BSD commands report them.
 */
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import type { Completer, ProgramEntry } from '../kernel/program-table.ts';

/** The thing asked for failed for a reason that is not an error number: `NAME: TEXT` on standard error, then this exit status. */
export class CommandError extends Error {
  readonly status: number;

  constructor(text: string, status = 1) {
    super(text);
    this.name = 'CommandError';
    this.status = status;
  }
}

/** A command line taken apart. */
export interface Arguments {
  has(option: string): boolean;
  /** Argument of an option, the last one if it was given several times. */
  value(option: string): string | undefined;
  /** All arguments of an option in order; as many empty ones as an option without argument was given. */
  values(option: string): readonly string[];
  /** What stands after the options. */
  readonly operands: readonly string[];
}

/**
 * getopt(3): options come first, `--` ends them, `-` alone is an operand, an argument may follow its letter directly.
 * @param letters options; a colon follows those that take an argument
 * @throws UsageError with BSD's texts
 */
export function getopt(words: readonly string[], letters: string): Arguments {
  const found = new Map<string, string[]>();
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') {
      at++;
      break;
    }
    if (!word.startsWith('-') || word === '-') break;
    at = takeCluster(word, words, at, letters, found);
  }
  return {
    has: (option) => found.has(option),
    value: (option) => found.get(option)?.at(-1),
    values: (option) => found.get(option) ?? [],
    operands: words.slice(at),
  };
}

/** Reads one word of options; returns the index of the last word used. */
function takeCluster(
  word: string,
  words: readonly string[],
  at: number,
  letters: string,
  found: Map<string, string[]>,
): number {
  for (let i = 1; i < word.length; i++) {
    const letter = word[i]!;
    const known = letter === ':' ? -1 : letters.indexOf(letter);
    if (known < 0) throw new UsageError(`unknown option -- ${letter}`);
    const given = found.get(letter) ?? [];
    found.set(letter, given);
    if (letters[known + 1] !== ':') {
      given.push('');
      continue;
    }
    const argument = i + 1 < word.length ? word.slice(i + 1) : words[++at];
    if (argument === undefined) throw new UsageError(`option requires an argument -- ${letter}`);
    given.push(argument);
    break;
  }
  return at;
}

/** As getopt, but options may also stand between and behind the operands. */
export function getoptAnywhere(words: readonly string[], letters: string): Arguments {
  const parts: Arguments[] = [];
  const operands: string[] = [];
  for (let rest = words; ;) {
    const part = getopt(rest, letters);
    parts.push(part);
    const [operand, ...more] = part.operands;
    if (operand === undefined) break;
    operands.push(operand);
    rest = more;
  }
  return {
    has: (option) => parts.some((part) => part.has(option)),
    value: (option) => parts.map((part) => part.value(option)).findLast((value) => value !== undefined),
    values: (option) => parts.flatMap((part) => part.values(option)),
    operands,
  };
}

/** A number given by the user. Throws UsageError naming what it is for and what it may be. */
export function numberIn(text: string, what: string, min: number, max: number, whole = true): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  throw new UsageError(
    `${what} must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}, not '${text}'`,
  );
}

/** A numeric option's value, or `fallback` when it was not given. */
export function numberOption(
  args: Arguments,
  letter: string,
  { min, max, fallback, whole = true }: { min: number; max: number; fallback: number; whole?: boolean },
): number {
  const text = args.value(letter);
  return text === undefined ? fallback : numberIn(text, `-${letter}`, min, max, whole);
}

/** What a network utility is. */
export interface CommandSpec {
  readonly name: string;
  /** Synopsis without the name; further forms on lines of their own. */
  readonly usage: string;
  readonly summary: string;
  /** getopt letters. */
  readonly options: string;
  /** Options may also follow operands. */
  readonly optionsAnywhere?: boolean;
  /** Exit status of a usage error; BSD's older commands have 1. */
  readonly usageStatus?: number;
  readonly run: (self: Process, args: Arguments) => Promise<number>;
  readonly complete?: Completer;
}

/** Usage as BSD prints it: every form with the command's name; a line that starts with a blank goes on with the form above. */
export function usageText(name: string, usage: string): string {
  const lines = usage
    .split('\n')
    .map(
      (form, i) =>
        `${i === 0 ? 'usage:' : '      '} ${form.startsWith(' ') ? ' '.repeat(name.length) : name} ${form}`,
    );
  return `${lines.join('\n')}\n`;
}

async function runCommand(spec: CommandSpec, self: Process): Promise<number> {
  const words = self.argv.slice(1);
  if (words[0] === '--help') {
    await self.stdout.write(`${spec.name}: ${spec.summary}\n${usageText(spec.name, spec.usage)}`);
    return 0;
  }
  try {
    const read = spec.optionsAnywhere === true ? getoptAnywhere : getopt;
    return await spec.run(self, read(words, spec.options));
  } catch (error) {
    if (error instanceof CommandError) {
      await self.stderr.write(`${spec.name}: ${error.message}\n`);
      return error.status;
    }
    if (!(error instanceof UsageError)) throw error;
    const reason = error.message === '' ? '' : `${spec.name}: ${error.message}\n`;
    await self.stderr.write(reason + usageText(spec.name, spec.usage));
    return spec.usageStatus ?? 2;
  }
}

/** Makes a program of a command. */
export function command(spec: CommandSpec): ProgramEntry {
  return {
    name: spec.name,
    usage: spec.usage,
    summary: spec.summary,
    run: (self) => runCommand(spec, self),
    ...(spec.complete === undefined ? {} : { complete: spec.complete }),
  };
}
