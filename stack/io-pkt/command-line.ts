/**
 * The command line of io-pkt (Utilities Reference, "io-pkt-*"): -d driver options, -p protocol options, -i instance, -t threads, -P priority, -v.
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

function wholeNumber(text: string, most: number): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && value <= most ? value : undefined;
}

/** Reads the words of a command line; a text that says what is wrong if it cannot. */
export function parseStackCommand(argv: readonly string[]): StackCommand | string {
  const rest: Words = { words: argv, at: 1 };
  const drivers: ModuleRequest[] = [];
  const protocols: ModuleRequest[] = [];
  let tcpip: ReadonlyMap<string, string> = new Map();
  let instance = 0;
  let threads: number | undefined;
  let verbose = false;
  while (rest.at < argv.length) {
    const word = argv[rest.at++]!;
    const letter = word[1] ?? '';
    if (!word.startsWith('-') || letter === '') return `'${word}' is too much; options begin with -`;
    if (WITHOUT_VALUE.includes(letter)) {
      verbose ||= letter === 'v';
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
    } else if (letter === 'i' || letter === 't') {
      const number = wholeNumber(value, letter === 'i' ? 255 : 64);
      if (number === undefined) return `-${letter} ${value}: not a number that is possible`;
      if (letter === 'i') instance = number;
      else threads = number;
    }
  }
  const prefix = (tcpip.get('prefix') ?? '').replace(/\/+$/, '');
  if (prefix !== '' && !prefix.startsWith('/')) return `prefix=${prefix}: a prefix begins with /`;
  const modules = [...drivers, ...protocols];
  return { variant: argv[0]!, instance, prefix, tcpip, modules, threads, verbose };
}
