/**
 * The script of `run --control`: what the time of a lab is told, one command on a line, with `#` for remarks.
 */
import { parseDuration } from '../lab/file/units.ts';
import type { Target } from '../lab/time/timeline.ts';
import { parseNodeCommand } from './lab-options.ts';
import type { NodeCommand } from './lab-options.ts';
import { messageOf } from './failure.ts';

export type TimeCommand =
  | { readonly kind: 'pause' | 'resume' | 'where' }
  | { readonly kind: 'step' | 'next'; readonly count: number }
  | { readonly kind: 'speed'; readonly speed: number }
  /** ns of the lab's clock; from now on with `relative`. */
  | { readonly kind: 'to'; readonly time: number; readonly relative: boolean }
  | { readonly kind: 'back'; readonly by: number }
  | { readonly kind: 'back-to'; readonly target: Target }
  | { readonly kind: 'snapshot'; readonly file: string }
  | ({ readonly kind: 'exec' } & NodeCommand);

const MOST_COUNT = 1e9;
const [SLOWEST, FASTEST] = [0.001, 1000];

/** Each command with what is expected behind it, for messages. */
const USAGE: Readonly<Record<TimeCommand['kind'], string>> = {
  pause: 'pause',
  resume: 'resume',
  where: 'where',
  step: 'step [EVENTS]',
  next: 'next [PACKETS]',
  speed: `speed FACTOR|max, from ${SLOWEST} to ${FASTEST}`,
  to: 'to TIME, such as 2s, or to +TIME from where it is',
  back: 'back TIME, such as 2s',
  'back-to': 'back-to TIME or back-to event N',
  snapshot: 'snapshot FILE',
  exec: 'exec NODE: COMMAND',
};

function isKind(word: string): word is TimeCommand['kind'] {
  return Object.hasOwn(USAGE, word);
}

/** Reads a line; undefined if there is nothing on it. Throws an Error that says what would be right. */
export function parseTimeCommand(line: string): TimeCommand | undefined {
  const text = line.replace(/(^|\s)#.*$/, '').trim();
  if (text === '') return undefined;
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text)!;
  if (!isKind(word))
    throw new Error(`there is no command '${word}'; there are: ${Object.keys(USAGE).join(', ')}`);
  const command = parseArguments(word, rest);
  if (command === undefined) throw new Error(`'${text}' is not: ${USAGE[word]}`);
  return command;
}

function parseArguments(kind: TimeCommand['kind'], rest: string): TimeCommand | undefined {
  switch (kind) {
    case 'pause':
    case 'resume':
    case 'where':
      return rest === '' ? { kind } : undefined;
    case 'step':
    case 'next': {
      const count = rest === '' ? 1 : wholeNumber(rest, 1);
      return count === undefined ? undefined : { kind, count };
    }
    case 'speed': {
      const speed = rest === 'max' ? Infinity : Number(rest);
      const isSpeed = rest !== '' && (speed === Infinity || (speed >= SLOWEST && speed <= FASTEST));
      return isSpeed ? { kind, speed } : undefined;
    }
    case 'to': {
      const relative = rest.startsWith('+');
      const time = duration(relative ? rest.slice(1) : rest);
      return time === undefined ? undefined : { kind, time, relative };
    }
    case 'back': {
      const by = duration(rest);
      return by === undefined ? undefined : { kind, by };
    }
    case 'back-to': {
      const target = parseTarget(rest);
      return target && { kind, target };
    }
    case 'snapshot':
      return rest === '' ? undefined : { kind, file: rest };
    case 'exec':
      return parseExec(rest);
  }
}

function parseTarget(text: string): Target | undefined {
  const [, number] = /^event\s+(\S+)$/.exec(text) ?? [];
  if (number !== undefined) {
    const events = wholeNumber(number, 0);
    return events === undefined ? undefined : { events };
  }
  const time = duration(text);
  return time === undefined ? undefined : { time };
}

function parseExec(text: string): TimeCommand | undefined {
  try {
    return { kind: 'exec', ...parseNodeCommand(text) };
  } catch {
    return undefined;
  }
}

function duration(text: string): number | undefined {
  const read = parseDuration(text.trim());
  return read.ok ? read.value : undefined;
}

function wholeNumber(text: string, least: number): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= least && value <= MOST_COUNT ? value : undefined;
}

/** Reads a whole script. @returns the commands with the numbers of their lines, or a line for each mistake. */
export function parseTimeScript(
  text: string,
  name: string,
):
  | { readonly ok: true; readonly commands: readonly (readonly [line: number, command: TimeCommand])[] }
  | { readonly ok: false; readonly problems: readonly string[] } {
  const commands: (readonly [number, TimeCommand])[] = [];
  const problems: string[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    try {
      const command = parseTimeCommand(line);
      if (command !== undefined) commands.push([i + 1, command]);
    } catch (error) {
      problems.push(`${name}:${i + 1}: ${messageOf(error)}`);
    }
  }
  return problems.length === 0 ? { ok: true, commands } : { ok: false, problems };
}
