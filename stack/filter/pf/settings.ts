/** `set` statements (pf.conf(5), OPTIONS): what they say for the rule set, and for the rules behind them. */
import type { CompileContext } from './compile-parts.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { INTERFACE_NAME_MAX } from './parse-match.ts';
import { PF_LIMITS, PF_TIMEOUTS } from './ruleset.ts';
import type { PfGeneration, PfLimit, PfOptions, PfTimeout } from './ruleset.ts';
import type { InterfaceSyntax, SettingSyntax, Word } from './syntax.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Writable = Omit<Mutable<PfOptions>, 'timeouts' | 'limits'> & {
  timeouts?: Partial<Record<PfTimeout, number>>;
  limits?: Partial<Record<PfLimit, number>>;
};

/** Time-outs of TCP that `set optimization` stands for, s. */
const TCP_TIMEOUTS = [
  'tcp.first',
  'tcp.opening',
  'tcp.established',
  'tcp.closing',
  'tcp.finwait',
  'tcp.closed',
  'tcp.tsdiff',
] as const;
const SLOW = [180, 35, 86_400, 905, 50, 95, 60];
const OPTIMIZATIONS: Readonly<Record<string, readonly number[]>> = {
  normal: [120, 30, 86_400, 900, 45, 90, 30],
  satellite: SLOW,
  'high-latency': SLOW,
  conservative: [3600, 900, 432_000, 3600, 600, 180, 60],
  aggressive: [30, 5, 18_000, 60, 30, 30, 10],
};
const DEBUG_LEVELS = ['none', 'urgent', 'misc', 'loud'] as const;
const RULESET_OPTIMIZATIONS = ['none', 'basic', 'profile'] as const;
/** Limits that 4.2 added. */
const LIMITS_42: readonly string[] = ['tables', 'table-entries'];
const NONE = 'none';
/** `set` statements that may stand anywhere. */
const UNORDERED: readonly string[] = [
  'require-order',
  'state-policy',
  'hostid',
  'skip',
  'ruleset-optimization',
];

export class Settings {
  readonly #options: Writable = {};
  readonly #context: CompileContext;
  readonly #generation: PfGeneration;
  readonly #readFile: ((path: string) => string | undefined) | undefined;
  #requireOrder = true;

  constructor(
    context: CompileContext,
    generation: PfGeneration,
    readFile: ((path: string) => string | undefined) | undefined,
  ) {
    this.#context = context;
    this.#generation = generation;
    this.#readFile = readFile;
  }

  get options(): PfOptions {
    return this.#options;
  }

  get requireOrder(): boolean {
    return this.#requireOrder;
  }

  /** Whether a statement must stand before all rules. */
  static isOrdered(setting: SettingSyntax): boolean {
    return !UNORDERED.includes(setting.option);
  }

  /** Takes a statement over; returns the lines that listings show for it. */
  apply(setting: SettingSyntax): string[] {
    switch (setting.option) {
      case 'optimization':
        return this.#optimization(setting.value);
      case 'ruleset-optimization':
        this.#options.rulesetOptimization = oneOf(
          setting.value,
          RULESET_OPTIMIZATIONS,
          'unknown ruleset-optimization',
        );
        return [];
      case 'loginterface':
        return this.#loginterface(setting.value);
      case 'fingerprints':
        return this.#fingerprints(setting.value);
      case 'debug':
        this.#options.debug = oneOf(setting.value, DEBUG_LEVELS, 'error setting debuglevel');
        return [`set debug ${setting.value.text}`];
      case 'timeout':
        return setting.values.map(({ name, value }) => this.#timeout(name, value));
      case 'limit':
        return setting.values.map(({ name, value }) => this.#limit(name, value));
      case 'hostid':
        return this.#hostid(setting.value, setting.value.value);
      case 'block-policy':
        this.#options.blockPolicy = setting.value;
        this.#context.blockPolicy = setting.value;
        return [`set block-policy ${setting.value}`];
      case 'state-policy':
        this.#options.statePolicy = setting.value;
        this.#context.statePolicy = setting.value;
        return [`set state-policy ${setting.value}`];
      case 'require-order':
        this.#options.requireOrder = setting.value;
        this.#requireOrder = setting.value;
        return [`set require-order ${setting.value ? 'yes' : 'no'}`];
      case 'skip':
        return [this.#skip(setting, setting.interfaces)];
    }
  }

  #optimization(name: Word): string[] {
    const optimization = oneOf(name, Object.keys(OPTIMIZATIONS), 'unknown optimization');
    const seconds = OPTIMIZATIONS[optimization] ?? [];
    const timeouts = Object.fromEntries(TCP_TIMEOUTS.map((timeout, index) => [timeout, seconds[index] ?? 0]));
    this.#options.optimization = optimization;
    this.#options.timeouts = { ...this.#options.timeouts, ...timeouts };
    return [`set optimization ${name.text}`];
  }

  #loginterface(name: Word): string[] {
    if (name.text.length > INTERFACE_NAME_MAX) refuse(name, `error setting loginterface ${name.text}`);
    this.#options.loginterface = name.text;
    return [`set loginterface ${name.text}`];
  }

  #fingerprints(file: Word): string[] {
    if (this.#readFile?.(file.text) === undefined) refuse(file, `error loading fingerprints ${file.text}`);
    this.#options.fingerprints = file.text;
    return [`set fingerprints ${this.#generation === '3.7' ? file.text : `"${file.text}"`}`];
  }

  #timeout(name: Word, value: number): string {
    const timeout = oneOf(name, PF_TIMEOUTS, 'unknown timeout');
    this.#options.timeouts = { ...this.#options.timeouts, [timeout]: value };
    return `set timeout ${name.text} ${value}`;
  }

  #limit(name: Word, value: number): string {
    const known = PF_LIMITS.filter((limit) => this.#generation === '4.2' || !LIMITS_42.includes(limit));
    const limit = known.find((one) => one === name.text.toLowerCase());
    if (!limit)
      return refuse(name, `unable to set limit ${name.text} ${value}: there are ${known.join(', ')}`);
    this.#options.limits = { ...this.#options.limits, [limit]: value };
    return `set limit ${name.text} ${value}`;
  }

  #hostid(place: Place, value: number): string[] {
    if (value === 0) refuse(place, 'hostid must be non-zero');
    this.#options.hostid = value;
    return [`set hostid 0x${value.toString(16).padStart(8, '0')}`];
  }

  /** `set skip on none`, or nothing behind `skip`, takes back those before. */
  #skip(place: Place, interfaces: readonly InterfaceSyntax[]): string {
    const [first] = interfaces;
    if (!first || (interfaces.length === 1 && first.name.text === NONE && !first.not)) {
      this.#options.skip = [];
      return `set skip on ${NONE}`;
    }
    if (interfaces.some(({ not }) => not)) refuse(place, 'skip on ! <interface> is not supported');
    const names = interfaces.map(({ name }) => name.text);
    this.#options.skip = [...new Set([...(this.#options.skip ?? []), ...names])];
    return `set skip on { ${names.join(' ')} }`;
  }
}

function oneOf<T extends string>(word: Word, known: readonly T[], message: string): T {
  return (
    known.find((name) => name === word.text.toLowerCase()) ??
    refuse(word, `${message} ${word.text}: there are ${known.join(', ')}`)
  );
}
