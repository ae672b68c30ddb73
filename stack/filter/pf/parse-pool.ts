/** Pools of addresses: next hops of route-to and its kin, and what nat and rdr translate to (pf.conf(5), ROUTING and POOL OPTIONS). */
import { placeOf } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { checkInterfaceName, parseHost } from './parse-match.ts';
import type { PfPoolType } from './ruleset.ts';
import type { HostSyntax, PoolOptionsSyntax, PoolPortSyntax, RouteSyntax, Word } from './syntax.ts';

/** `fastroute`, `route-to`, `reply-to`, `dup-to`, or nothing. */
export function parseRoute(cursor: Cursor): RouteSyntax | undefined {
  const start = placeOf(cursor.peek());
  const kind = cursor.acceptAny(['fastroute', 'route-to', 'reply-to', 'dup-to']);
  if (kind === undefined) return undefined;
  if (kind === 'fastroute') return { kind, hosts: [], options: {}, ...start };
  const hosts = cursor.oneOrList(() => parseNextHop(cursor));
  return { kind, hosts, options: parsePoolOptions(cursor), ...start };
}

/** `if` or `(if addr)`. */
function parseNextHop(cursor: Cursor): { interface: Word; host?: HostSyntax } {
  if (!cursor.accept('(')) return { interface: checkInterfaceName(cursor.string('an interface')) };
  const name = checkInterfaceName(cursor.string('an interface'));
  const host = parseHost(cursor);
  cursor.expect(')');
  return { interface: name, host };
}

interface Options {
  type?: PfPoolType;
  key?: Word;
  sticky?: true;
  staticPort?: Place;
}

export function parsePoolOptions(cursor: Cursor): PoolOptionsSyntax {
  const options: Options = {};
  for (;;) {
    const start = placeOf(cursor.peek());
    const type = cursor.acceptAny(['bitmask', 'random', 'source-hash', 'round-robin']);
    if (type) {
      if (options.type) refuse(start, 'pool type cannot be redefined');
      options.type = type;
      if (type === 'source-hash' && cursor.atString()) options.key = cursor.strings('a key');
    } else if (cursor.accept('sticky-address')) {
      options.sticky = true;
    } else if (cursor.accept('static-port')) {
      if (options.staticPort) refuse(start, 'static-port cannot be redefined');
      options.staticPort = start;
    } else {
      return options;
    }
  }
}

/** What follows `port` behind `->`: one word `a`, `a:b` or `a:*`. */
export function parsePoolPort(cursor: Cursor): PoolPortSyntax {
  const word = cursor.string('a port');
  const place = placeOf(word);
  const [a = '', ...rest] = word.text.split(':');
  if (rest.length === 0) return { a: word };
  const b = rest.join(':');
  return b === '*'
    ? { a: { text: a, ...place }, open: true }
    : { a: { text: a, ...place }, b: { text: b, ...place } };
}
