/** `altq on` and `queue` (pf.conf(5), QUEUEING). */
import { placeOf } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { parseOn } from './parse-match.ts';
import type { PfQueueFlag, PfScheduler } from './ruleset.ts';
import type {
  AltqSyntax,
  BandwidthSyntax,
  CurveSyntax,
  QueueOptionsSyntax,
  QueueSyntax,
  SchedulerSyntax,
  Word,
} from './syntax.ts';

export const QUEUE_NAME_MAX = 63;

/** `altq` has been taken. */
export function parseAltq(cursor: Cursor, start: Place): AltqSyntax {
  const interfaces = parseOn(cursor);
  const options = parseQueueOptions(cursor);
  cursor.expect('queue');
  return { kind: 'altq', ...start, interfaces, options, queues: parseQueueNames(cursor) };
}

/** `queue` has been taken. */
export function parseQueue(cursor: Cursor, start: Place): QueueSyntax {
  const name = checkName(cursor.string('the name of a queue'));
  const interfaces = parseOn(cursor);
  const options = parseQueueOptions(cursor);
  return { kind: 'queue', ...start, name, interfaces, options, children: parseQueueNames(cursor) };
}

function checkName(name: Word): Word {
  if (name.text.length > QUEUE_NAME_MAX) {
    refuse(name, `queue name '${name.text}' too long (max ${QUEUE_NAME_MAX} chars)`);
  }
  return name;
}

/** Nothing, a name, or a list. */
function parseQueueNames(cursor: Cursor): Word[] {
  if (!cursor.at('{') && !cursor.atString()) return [];
  return cursor.oneOrList(() => checkName(cursor.string('the name of a queue')));
}

function parseQueueOptions(cursor: Cursor): QueueOptionsSyntax {
  const options: QueueOptionsSyntax = {};
  for (;;) {
    const start = placeOf(cursor.peek());
    const once = (given: unknown, what: string): void => {
      if (given !== undefined) refuse(start, `${what} cannot be respecified`);
    };
    const word = cursor.acceptAny(['bandwidth', 'priority', 'qlimit', 'tbrsize']);
    if (word === 'bandwidth') {
      once(options.bandwidth, word);
      options.bandwidth = parseBandwidth(cursor);
    } else if (word === 'priority') {
      once(options.priority, word);
      options.priority = parseLimited(cursor, 255, 'priority out of range: max 255');
    } else if (word === 'qlimit') {
      once(options.qlimit, word);
      options.qlimit = parseLimited(cursor, 65_535, 'qlimit out of range: max 65535');
    } else if (word === 'tbrsize') {
      once(options.tbrsize, word);
      options.tbrsize = parseLimited(cursor, 65_535, 'tbrsize too big: max 65535');
    } else {
      const scheduler = parseScheduler(cursor);
      if (!scheduler) return options;
      once(options.scheduler, 'scheduler');
      options.scheduler = scheduler;
    }
  }
}

function parseLimited(cursor: Cursor, max: number, message: string): number {
  const number = cursor.number();
  if (number.value > max) refuse(number, message);
  return number.value;
}

const UNITS: Readonly<Record<string, number>> = { b: 1, Kb: 1e3, Mb: 1e6, Gb: 1e9 };

/** A number with its unit, b, Kb, Mb, Gb or %, in one word. */
function parseBandwidth(cursor: Cursor): BandwidthSyntax {
  const word = cursor.string('a bandwidth');
  const match = /^(\d+\.?\d*|\.\d+)(.*)$/.exec(word.text);
  const amount = Number(match?.[1] ?? 0);
  const unit = match?.[2] ?? word.text;
  if (unit === '%') {
    if (amount > 100) refuse(word, 'bandwidth spec out of range');
    return { percent: Math.floor(amount) };
  }
  const factor = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  if (factor === undefined) return refuse(word, `unknown unit ${unit}`);
  return { bits: Math.floor(amount * factor) };
}

const FLAGS: Readonly<Record<PfScheduler, readonly PfQueueFlag[]>> = {
  cbq: ['default', 'borrow', 'red', 'ecn', 'rio'],
  priq: ['default', 'red', 'ecn', 'rio'],
  hfsc: ['default', 'red', 'ecn', 'rio'],
};
const CURVES = ['realtime', 'linkshare', 'upperlimit'] as const;
type Curves = Partial<Record<(typeof CURVES)[number], CurveSyntax>>;

function parseScheduler(cursor: Cursor): SchedulerSyntax | undefined {
  const kind = cursor.acceptAny(['cbq', 'priq', 'hfsc']);
  if (kind === undefined) return undefined;
  const flags = new Set<PfQueueFlag>();
  const curves: Curves = {};
  if (!cursor.accept('(')) return { kind, flags: [] };
  do {
    cursor.accept(',');
    const curve = kind === 'hfsc' ? parseCurveOption(cursor, curves) : false;
    if (!curve) for (const flag of parseFlag(cursor, kind)) flags.add(flag);
  } while (!cursor.accept(')'));
  return { kind, flags: [...flags], ...curves };
}

function parseFlag(cursor: Cursor, kind: PfScheduler): PfQueueFlag[] {
  const word = cursor.string(`a flag of ${kind}`);
  const flag = FLAGS[kind].find((name) => name === word.text);
  if (flag === undefined) return refuse(word, `unknown ${kind} flag "${word.text}"`);
  return flag === 'ecn' ? ['red', 'ecn'] : [flag];
}

function parseCurveOption(cursor: Cursor, curves: Curves): boolean {
  const start = placeOf(cursor.peek());
  const name = cursor.acceptAny(CURVES);
  if (name === undefined) return false;
  if (curves[name]) refuse(start, `${name} already specified`);
  curves[name] = parseCurve(cursor);
  return true;
}

/** `m2` or `(m1 d m2)`. */
function parseCurve(cursor: Cursor): CurveSyntax {
  if (!cursor.accept('(')) return { m2: parseBandwidth(cursor) };
  const m1 = parseBandwidth(cursor);
  cursor.accept(',');
  const d = cursor.number().value;
  cursor.accept(',');
  const m2 = parseBandwidth(cursor);
  cursor.expect(')');
  return { m1, d, m2 };
}
