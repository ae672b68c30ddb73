/** Rules before the filter: nat, rdr and binat (pf.conf(5), TRANSLATION), and scrub (TRAFFIC NORMALIZATION). */
import { placeOf } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { acceptTagged, parseDirection, parseLog, parseLogQuick, parseRtable } from './parse-filter.ts';
import { parseFamily, parseFromTo, parseHost, parseHosts, parseOn, parseProtocols } from './parse-match.ts';
import { parsePoolOptions, parsePoolPort } from './parse-pool.ts';
import { parseBinding } from './parse-state.ts';
import type {
  FromToSyntax,
  LogSyntax,
  RedirectSyntax,
  ScrubOptionsSyntax,
  ScrubRuleSyntax,
  TranslationRuleSyntax,
  Word,
} from './syntax.ts';

/** A rule whose `nat` or `rdr` has been taken, perhaps with `no` before it. */
export function parseTranslation(
  cursor: Cursor,
  kind: 'nat' | 'rdr',
  no: boolean,
  start: Place,
): TranslationRuleSyntax {
  const pass = parsePassLog(cursor, no);
  const interfaces = parseOn(cursor);
  const af = parseFamily(cursor);
  const protocols = parseProtocols(cursor);
  const fromTo = parseFromTo(cursor);
  const tags = parseTags(cursor);
  const redirect = parseRedirect(cursor, true);
  const options = parsePoolOptions(cursor);
  const binding = parseBinding(cursor);
  return {
    kind,
    ...start,
    ...(no && { no }),
    ...pass,
    interfaces,
    ...(af && { af }),
    protocols,
    fromTo,
    ...tags,
    ...(redirect && { redirect }),
    options,
    ...(binding && { binding }),
  };
}

/** A rule whose `binat` has been taken: one source, one destination, one target. */
export function parseBinat(cursor: Cursor, no: boolean, start: Place): TranslationRuleSyntax {
  const pass = parsePassLog(cursor, no);
  const interfaces = parseOn(cursor);
  if (interfaces.length > 1) refuse(start, "interface list expansion not supported in 'binat'");
  const af = parseFamily(cursor);
  const protocols = parseProtocols(cursor);
  if (protocols.length > 1) refuse(start, "proto list expansion not supported in 'binat'");
  const fromTo = parseBinatHosts(cursor);
  const tags = parseTags(cursor);
  const redirect = parseRedirect(cursor, false);
  return {
    kind: 'binat',
    ...start,
    ...(no && { no }),
    ...pass,
    interfaces,
    ...(af && { af }),
    protocols,
    fromTo,
    ...tags,
    ...(redirect && { redirect }),
    options: {},
  };
}

function parseBinatHosts(cursor: Cursor): FromToSyntax {
  cursor.expect('from');
  const source = parseHost(cursor);
  cursor.expect('to');
  const destination = parseHosts(cursor);
  const failed = destination.find(({ kind }) => kind === 'urpf-failed');
  if (failed) refuse(failed, '"urpf-failed" is not permitted as a binat destination');
  return { source: { hosts: [source], ports: [] }, os: [], destination: { hosts: destination, ports: [] } };
}

/** `pass`, `pass log`, `log`, or nothing. */
function parsePassLog(cursor: Cursor, no: boolean): { pass?: true; log?: LogSyntax } {
  const place = placeOf(cursor.peek());
  const pass = cursor.accept('pass') !== undefined;
  if (pass && no) refuse(place, '"pass" not valid with "no"');
  const log = parseLog(cursor);
  return { ...(pass && { pass }), ...(log && { log }) };
}

interface Tags {
  tag?: Word;
  tagged?: { name: Word; not?: true };
  rtable?: number;
}

function parseTags(cursor: Cursor): Tags {
  const tags: Tags = {};
  if (cursor.accept('tag')) tags.tag = cursor.string('a tag');
  const tagged = acceptTagged(cursor);
  if (tagged) tags.tagged = tagged;
  if (cursor.generation === '4.2' && cursor.accept('rtable')) tags.rtable = parseRtable(cursor);
  return tags;
}

/** `-> host`, `-> { hosts }` if a list may be given, with or without a port; or nothing. */
function parseRedirect(cursor: Cursor, list: boolean): RedirectSyntax | undefined {
  const start = placeOf(cursor.peek());
  if (!cursor.accept('->')) return undefined;
  const hosts = list ? cursor.oneOrList(() => parseHost(cursor)) : [parseHost(cursor)];
  return { hosts, ...(cursor.accept('port') && { port: parsePoolPort(cursor) }), ...start };
}

/** A rule whose `scrub` has been taken, perhaps with `no` before it. */
export function parseScrub(cursor: Cursor, no: boolean, start: Place): ScrubRuleSyntax {
  const direction = parseDirection(cursor);
  const logQuick = parseLogQuick(cursor);
  if (logQuick.quick) refuse(start, "scrub rules do not support 'quick'");
  const interfaces = parseOn(cursor);
  const af = parseFamily(cursor);
  const protocols = parseProtocols(cursor);
  const fromTo = parseFromTo(cursor);
  const options = parseScrubOptions(cursor);
  if (options.reassembleTcp && direction) {
    refuse(options.reassembleTcp, 'reassemble tcp rules can not specify direction');
  }
  return {
    kind: 'scrub',
    ...start,
    ...(no && { no }),
    ...(direction && { direction }),
    ...(logQuick.log && { log: logQuick.log }),
    interfaces,
    ...(af && { af }),
    protocols,
    fromTo,
    options,
  };
}

function parseScrubOptions(cursor: Cursor): ScrubOptionsSyntax {
  const options: ScrubOptionsSyntax = {};
  while (parseScrubOption(cursor, options));
  return options;
}

function once(place: Place, given: unknown, what: string): void {
  if (given !== undefined) refuse(place, `${what} cannot be respecified`);
}

/** One option, put into `options`; false if none comes next. */
function parseScrubOption(cursor: Cursor, options: ScrubOptionsSyntax): boolean {
  const start = placeOf(cursor.peek());
  const word = cursor.acceptAny(['no-df', 'random-id', 'min-ttl', 'max-mss', 'fragment', 'reassemble']);
  switch (word) {
    case undefined:
      if (cursor.generation !== '4.2' || !cursor.accept('rtable')) return false;
      options.rtable = parseRtable(cursor);
      return true;
    case 'no-df':
      once(start, options.noDf, word);
      options.noDf = true;
      return true;
    case 'random-id':
      once(start, options.randomId, word);
      options.randomId = true;
      return true;
    case 'min-ttl':
      once(start, options.minTtl, word);
      options.minTtl = parseLimited(cursor, word, 255);
      return true;
    case 'max-mss':
      once(start, options.maxMss, word);
      options.maxMss = parseLimited(cursor, word, 65_535);
      return true;
    case 'fragment':
      once(start, options.fragment, 'fragcache');
      options.fragment =
        cursor.acceptAny(['reassemble', 'crop', 'drop-ovl']) ??
        cursor.syntaxError("'reassemble', 'crop' or 'drop-ovl'");
      return true;
    case 'reassemble': {
      once(start, options.reassembleTcp, 'reassemble tcp');
      const what = cursor.string("'tcp'");
      if (what.text.toLowerCase() !== 'tcp') {
        refuse(what, `scrub reassemble supports only tcp, not '${what.text}'`);
      }
      options.reassembleTcp = start;
      return true;
    }
  }
}

function parseLimited(cursor: Cursor, what: string, max: number): number {
  const number = cursor.number();
  if (number.value > max) refuse(number, `illegal ${what} value ${number.value}`);
  return number.value;
}
