/**
 * The command line of io-pkt (Utilities Reference, "io-pkt-*"): -d driver options, -p protocol options, -i instance, -t threads, -P priority, -D, -v.
 */
import { parseOptions } from '../net/module-options.ts';

/** A module that -d or -p names. */
export interface ModuleRequest {
  readonly option: '-d' | '-p';
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
}

export interface StackCommand {
  readonly variant: string;
  /** N of -iN, 0 without. */
  readonly instance: number;
  /** prefix= of -ptcpip; '' without. */
  readonly prefix: string;
  /** Options of -ptcpip, which is built in. */
  readonly tcpip: ReadonlyMap<string, string>;
  /** Drivers, then protocols, each in the order in which they are named. */
  readonly modules: readonly ModuleRequest[];
  /** Threads asked for; undefined: as the lab has. */
  readonly threads: number | undefined;
  /** Of the stack's own work; undefined: the default. */
  readonly priority: number | undefined;
  /** -D: a thread of its own for the stack context. */
  readonly dedicated: boolean;
  readonly verbose: boolean;
}

/** Letters that take a value; the value follows directly or as the next word. */
const WITH_VALUE = 'dpitPUqruw';
const WITHOUT_VALUE = 'SvDI';

interface Words {
  readonly words: readonly string[];
  at: number;
}

function valueOf(letter: string, attached: string, rest: Words): string | undefined {
  if (attached !== '') return attached;
  const next = rest.words[rest.at];
  if (next === undefined || (next.startsWith('-') && letter !== 'P')) return undefined;
  rest.at++;
  return next;
}

/** A module's options are the word behind its name, if that is no option itself. */
function moduleOf(option: '-d' | '-p', name: string, rest: Words): ModuleRequest {
  const next = rest.words[rest.at];
  if (next === undefined || next.startsWith('-')) return { option, name, options: new Map() };
  rest.at++;
  return { option, name, options: parseOptions(next) };
}

/** Options whose value is a number, with the least and the greatest. */
const NUMBERS: Readonly<Record<string, readonly [number, number]>> = {
  i: [0, 255],
  t: [1, 64],
  P: [1, 63],
};

/** Reads the number of an option; a text that says what is wrong if it is none. */
function numberOf(letter: string, text: string): number | string {
  const [least, most] = NUMBERS[letter]!;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  return `-${letter} ${text}: not a whole number from ${least} to ${most}`;
}

/** Reads the words of a command line; a text that says what is wrong if it cannot. */
export function parseStackCommand(argv: readonly string[]): StackCommand | string {
  const rest: Words = { words: argv, at: 1 };
  const drivers: ModuleRequest[] = [];
  const protocols: ModuleRequest[] = [];
  let tcpip: ReadonlyMap<string, string> = new Map();
  const numbers: Record<string, number> = {};
  const flags = new Set<string>();
  while (rest.at < argv.length) {
    const word = argv[rest.at++]!;
    const letter = word[1] ?? '';
    if (!word.startsWith('-') || letter === '') return `'${word}' is too much; options begin with -`;
    if (WITHOUT_VALUE.includes(letter)) {
      for (const flag of word.slice(1)) {
        if (!WITHOUT_VALUE.includes(flag)) return `unknown option -${flag}`;
        flags.add(flag);
      }
      continue;
    }
    if (!WITH_VALUE.includes(letter)) return `unknown option -${letter}`;
    const value = valueOf(letter, word.slice(2), rest);
    if (value === undefined) return `-${letter}: a value is missing`;
    if (letter === 'd') drivers.push(moduleOf('-d', value, rest));
    else if (letter === 'p') {
      const protocol = moduleOf('-p', value, rest);
      if (value === 'tcpip') tcpip = protocol.options;
      else protocols.push(protocol);
    } else if (NUMBERS[letter] !== undefined) {
      const number = numberOf(letter, value);
      if (typeof number === 'string') return number;
      numbers[letter] = number;
    }
  }
  const prefix = (tcpip.get('prefix') ?? '').replace(/\/+$/, '');
  if (prefix !== '' && !prefix.startsWith('/')) return `prefix=${prefix}: a prefix begins with /`;
  return {
    variant: argv[0]!,
    instance: numbers['i'] ?? 0,
    prefix,
    tcpip,
    modules: [...drivers, ...protocols],
    threads: numbers['t'],
    priority: numbers['P'],
    dedicated: flags.has('D'),
    verbose: flags.has('v'),
  };
}
