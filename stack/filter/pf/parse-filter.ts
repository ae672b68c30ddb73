/** Filter rules: `pass` and `block` with their options, in any order behind the hosts (pf.conf(5), PACKET FILTERING). */
import { placeOf } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { parseTcpFlags, parseTos } from './names.ts';
import { parseFamily, parseFromTo, parseOn, parseOperator, parseProtocols } from './parse-match.ts';
import { parseRoute } from './parse-pool.ts';
import { parseState } from './parse-state.ts';
import type {
  FilterOptionsSyntax,
  FilterRuleSyntax,
  IcmpSyntax,
  LogSyntax,
  ReturnSyntax,
  Word,
} from './syntax.ts';

const RTABLE_MAX = 255;
const PFLOG_MAX = 255;

/** A rule whose `pass` or `block` has been taken. */
export function parseFilterRule(cursor: Cursor, action: 'pass' | 'block', start: Place): FilterRuleSyntax {
  const answer = action === 'block' ? parseReturn(cursor) : undefined;
  const direction = parseDirection(cursor);
  const logQuick = parseLogQuick(cursor);
  const interfaces = parseOn(cursor);
  const route = parseRoute(cursor);
  const af = parseFamily(cursor);
  const protocols = parseProtocols(cursor);
  const fromTo = parseFromTo(cursor);
  const options = parseFilterOptions(cursor);
  return {
    kind: 'filter',
    action,
    ...start,
    ...(answer && { return: answer }),
    ...(direction && { direction }),
    ...logQuick,
    interfaces,
    ...(route && { route }),
    ...(af && { af }),
    protocols,
    fromTo,
    options,
  };
}

function parseReturn(cursor: Cursor): ReturnSyntax {
  const word = cursor.acceptAny(['drop', 'return', 'return-rst', 'return-icmp', 'return-icmp6']);
  if (word === undefined) return { kind: 'policy' };
  if (word === 'drop') return { kind: word };
  if (word === 'return') return { kind: word };
  if (word === 'return-rst') return { kind: word, ...parseReturnTtl(cursor) };
  if (!cursor.accept('(')) return { kind: 'return-icmp' };
  const first = cursor.string('an ICMP code');
  if (word === 'return-icmp6') {
    cursor.expect(')');
    return { kind: 'return-icmp', icmp6: first };
  }
  if (cursor.accept(')')) return { kind: 'return-icmp', icmp: first };
  cursor.accept(',');
  const icmp6 = cursor.string('an ICMPv6 code');
  cursor.expect(')');
  return { kind: 'return-icmp', icmp: first, icmp6 };
}

function parseReturnTtl(cursor: Cursor): { ttl?: number } {
  if (!cursor.accept('(')) return {};
  cursor.expect('ttl');
  const ttl = cursor.number();
  if (ttl.value > 255) refuse(ttl, `illegal ttl value ${ttl.value}`);
  cursor.expect(')');
  return ttl.value === 0 ? {} : { ttl: ttl.value };
}

export function parseDirection(cursor: Cursor): 'in' | 'out' | undefined {
  return cursor.acceptAny(['in', 'out']);
}

/** `log` and `quick` in either order. */
export function parseLogQuick(cursor: Cursor): { log?: LogSyntax; quick?: true } {
  const before = parseLog(cursor);
  const quick = cursor.accept('quick') !== undefined;
  const log = before ?? (quick ? parseLog(cursor) : undefined);
  return { ...(log && { log }), ...(quick && { quick }) };
}

/** `log`, in 3.7 `log-all`, in 4.2 `log (all, user, to pflog1)`. */
export function parseLog(cursor: Cursor): LogSyntax | undefined {
  if (cursor.accept('log-all')) return { all: true };
  if (!cursor.accept('log')) return undefined;
  if (cursor.generation === '3.7' || !cursor.accept('(')) return {};
  let log = parseLogOption(cursor);
  while (!cursor.accept(')')) {
    cursor.accept(',');
    log = { ...log, ...parseLogOption(cursor) };
  }
  return log;
}

function parseLogOption(cursor: Cursor): LogSyntax {
  if (cursor.accept('all')) return { all: true };
  if (cursor.acceptAny(['user', 'group'])) return { user: true };
  if (!cursor.accept('to')) return cursor.syntaxError("'all', 'user' or 'to'");
  const name = cursor.strings('a pflog interface');
  if (!name.text.startsWith('pflog')) refuse(name, `${name.text}: should be a pflog interface`);
  const number = name.text.slice('pflog'.length);
  if (!/^\d+$/.test(number) || Number(number) > PFLOG_MAX) {
    refuse(name, `${name.text}: should be pflog0 to pflog${PFLOG_MAX}`);
  }
  return Number(number) === 0 ? {} : { interface: Number(number) };
}

export function parseFilterOptions(cursor: Cursor): FilterOptionsSyntax {
  const options: FilterOptionsSyntax = { users: [], groups: [] };
  while (parseFilterOption(cursor, options));
  return options;
}

function once(place: Place, given: unknown, what: string): void {
  if (given !== undefined) refuse(place, `${what} cannot be redefined`);
}

/** One option, put into `options`; false if none comes next. */
function parseFilterOption(cursor: Cursor, options: FilterOptionsSyntax): boolean {
  const start = placeOf(cursor.peek());
  const word = cursor.acceptAny(FILTER_WORDS[cursor.generation]);
  switch (word) {
    case undefined:
      return parseStateOption(cursor, options, start) || parseTagged(cursor, options);
    case 'user':
      // Those of a later `user` come first.
      options.users = [...cursor.oneOrList(() => parseOperator(cursor, 'a user')), ...options.users];
      return true;
    case 'group':
      options.groups = [...cursor.oneOrList(() => parseOperator(cursor, 'a group')), ...options.groups];
      return true;
    case 'flags':
      once(start, options.flags, 'flags');
      options.flags = { ...start, ...parseFlags(cursor) };
      return true;
    case 'icmp-type':
    case 'icmp6-type':
      once(start, options.icmp, 'icmp-type');
      options.icmp = {
        af: word === 'icmp-type' ? 'inet' : 'inet6',
        list: cursor.oneOrList(() => parseIcmp(cursor)),
      };
      return true;
    case 'tos':
      once(start, options.tos, 'tos');
      options.tos = parseTosOption(cursor);
      return true;
    case 'fragment':
      options.fragment = true;
      return true;
    case 'allow-opts':
      options.allowOpts = true;
      return true;
    case 'label':
      once(start, options.label, 'label');
      options.label = cursor.string('a label');
      return true;
    case 'queue':
      once(start, options.queue, 'queue');
      options.queue = parseQueueOption(cursor);
      return true;
    case 'tag':
      options.tag = cursor.strings('a tag');
      return true;
    case 'probability':
      options.probability = parseProbability(cursor);
      return true;
    case 'rtable':
      options.rtable = parseRtable(cursor);
      return true;
  }
}

const FILTER_WORDS = {
  '3.7': [
    'user',
    'group',
    'flags',
    'icmp-type',
    'icmp6-type',
    'tos',
    'fragment',
    'allow-opts',
    'label',
    'queue',
    'tag',
    'probability',
  ],
  '4.2': [
    'user',
    'group',
    'flags',
    'icmp-type',
    'icmp6-type',
    'tos',
    'fragment',
    'allow-opts',
    'label',
    'queue',
    'tag',
    'probability',
    'rtable',
  ],
} as const;

function parseStateOption(cursor: Cursor, options: FilterOptionsSyntax, start: Place): boolean {
  const state = parseState(cursor);
  if (!state) return false;
  if (options.state) refuse(start, 'modulate or keep cannot be redefined');
  options.state = state;
  return true;
}

function parseTagged(cursor: Cursor, options: FilterOptionsSyntax): boolean {
  const tagged = acceptTagged(cursor);
  if (tagged) options.tagged = tagged;
  return tagged !== undefined;
}

/** `tagged name` or `! tagged name`. */
export function acceptTagged(cursor: Cursor): { name: Word; not?: true } | undefined {
  if (cursor.accept('!')) {
    cursor.expect('tagged');
    return { name: cursor.strings('a tag'), not: true };
  }
  return cursor.accept('tagged') ? { name: cursor.strings('a tag') } : undefined;
}

/** `a/b`, `/b`, in 4.2 also `any`. */
function parseFlags(cursor: Cursor): { set: number; of: number } {
  if (cursor.generation === '4.2' && cursor.accept('any')) return { set: 0, of: 0 };
  const place = placeOf(cursor.peek());
  const set = cursor.at('/') ? 0 : parseFlagWord(cursor);
  cursor.expect('/');
  const of = parseFlagWord(cursor);
  if ((set & of) !== set) refuse(place, 'flags always false');
  return { set, of };
}

function parseFlagWord(cursor: Cursor): number {
  const word = cursor.string('TCP flags of FSRPAUEW');
  return parseTcpFlags(word.text) ?? refuse(word, `bad flags ${word.text}`);
}

function parseIcmp(cursor: Cursor): IcmpSyntax {
  const type = cursor.string('an ICMP type');
  return cursor.accept('code') ? { type, code: cursor.string('an ICMP code') } : { type };
}

function parseTosOption(cursor: Cursor): number {
  const word = cursor.string('a type of service');
  return parseTos(word.text) ?? refuse(word, `illegal tos value ${word.text}`);
}

function parseQueueOption(cursor: Cursor): { name: Word; priority?: Word } {
  if (!cursor.accept('(')) return { name: cursor.string('a queue') };
  const name = cursor.string('a queue');
  if (cursor.accept(')')) return { name };
  cursor.accept(',');
  const priority = cursor.string('a queue');
  cursor.expect(')');
  return { name, priority };
}

/** Parts that probabilities are counted in. */
const PROBABILITY_PARTS = 2 ** 32;

/** A share, `0.25` or `25%`, as a multiple of 2^-32. */
function parseProbability(cursor: Cursor): number {
  const word = cursor.string('a probability');
  const match = /^((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(%?)$/.exec(word.text);
  const share = Number(match?.[1]) * (match?.[2] === '%' ? 0.01 : 1);
  const parts = Math.floor(share * PROBABILITY_PARTS + 0.5);
  if (!(parts >= 1 && parts < PROBABILITY_PARTS)) refuse(word, `invalid probability: ${word.text}`);
  return parts / PROBABILITY_PARTS;
}

/** Number of a routing table; `rtable` has been taken. */
export function parseRtable(cursor: Cursor): number {
  const table = cursor.number();
  if (table.value > RTABLE_MAX) refuse(table, 'invalid rtable id');
  return table.value;
}
