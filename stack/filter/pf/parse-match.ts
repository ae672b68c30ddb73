/** What all rules match on: interfaces, family, protocols, hosts, ports (pf.conf(5), PACKET FILTERING, PARAMETERS). */
import { placeOf } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import type { PfFamily, PfInterfaceModifier, PfOperatorName } from './ruleset.ts';
import type { EndSyntax, FromToSyntax, HostSyntax, InterfaceSyntax, OperatorSyntax, Word } from './syntax.ts';

export const INTERFACE_NAME_MAX = 15;
export const TABLE_NAME_MAX = 31;
const ROUTE_LABEL_MAX = 31;
const MODIFIERS: readonly string[] = ['network', 'broadcast', 'peer', '0'];

export function checkInterfaceName(name: Word): Word {
  if (name.text.length > INTERFACE_NAME_MAX) {
    refuse(name, `interface name too long, max ${INTERFACE_NAME_MAX} chars: ${name.text}`);
  }
  return name;
}

export function parseInterface(cursor: Cursor): InterfaceSyntax {
  const not = cursor.accept('!');
  const name = checkInterfaceName(cursor.string('an interface'));
  return { name, ...(not && { not: true }) };
}

/** `on if`, `on { if, ! if }`, or nothing. */
export function parseOn(cursor: Cursor): InterfaceSyntax[] {
  return cursor.accept('on') ? cursor.oneOrList(() => parseInterface(cursor)) : [];
}

export function parseFamily(cursor: Cursor): PfFamily | undefined {
  return cursor.acceptAny(['inet', 'inet6']);
}

export function parseProtocols(cursor: Cursor): Word[] {
  return cursor.accept('proto') ? cursor.oneOrList(() => cursor.string('a protocol')) : [];
}

/** `all`, or `from` with what follows, `os`, and `to`: each may be left out. */
export function parseFromTo(cursor: Cursor): FromToSyntax {
  const any: EndSyntax = { hosts: [], ports: [] };
  if (cursor.accept('all')) return { source: any, os: [], destination: any };
  const source = cursor.accept('from') ? parseEnd(cursor) : any;
  const os = cursor.accept('os') ? cursor.oneOrList(() => cursor.string('an operating system')) : [];
  const destination = cursor.accept('to') ? parseEnd(cursor) : any;
  const failed = destination.hosts.find(({ kind }) => kind === 'urpf-failed');
  if (failed) refuse(failed, '"urpf-failed" is not permitted in a destination address');
  return { source, os, destination };
}

function parseEnd(cursor: Cursor): EndSyntax {
  const hosts = cursor.at('port') ? [] : parseHosts(cursor);
  const ports = cursor.accept('port') ? cursor.oneOrList(() => parsePort(cursor)) : [];
  return { hosts, ports };
}

/** Lists of hosts within each other. */
const LIST_DEPTH_MAX = 32;

/** `any` (no hosts), one host, or a list. */
export function parseHosts(cursor: Cursor, depth = 0): HostSyntax[] {
  if (cursor.accept('any')) return [];
  const brace = cursor.accept('{');
  if (!brace) return [parseHostOrNot(cursor)];
  if (depth >= LIST_DEPTH_MAX) refuse(brace, `lists nested more than ${LIST_DEPTH_MAX} deep`);
  // In 4.2 lists may be nested, and hold `any`, which adds nothing.
  const item =
    cursor.generation === '4.2' ? () => parseHosts(cursor, depth + 1) : () => [parseHostOrNot(cursor)];
  return cursor.listToBrace(item).flat();
}

/** A host, perhaps with `!`, or one of the words for the state of its route. */
function parseHostOrNot(cursor: Cursor): HostSyntax {
  const start = placeOf(cursor.peek());
  const not = cursor.accept('!') ? ({ not: true } as const) : {};
  const special = cursor.acceptAny(['no-route', 'urpf-failed']);
  if (special && not.not && cursor.generation === '3.7') refuse(start, `'!' cannot be used with ${special}`);
  if (special) return { kind: special, ...not, ...start };
  return { ...parseHost(cursor), ...not };
}

/** `a.b.c.d/n`, a name, `(if)`, `<table>` or `route label`. */
export function parseHost(cursor: Cursor): HostSyntax {
  const start = placeOf(cursor.peek());
  if (cursor.accept('(')) return parseDynamic(cursor, start);
  if (cursor.accept('<')) return { kind: 'table', name: parseTableName(cursor).text, ...start };
  if (cursor.accept('route')) {
    const label = cursor.string('a route label').text;
    if (label.length > ROUTE_LABEL_MAX) refuse(start, `route label too long, max ${ROUTE_LABEL_MAX} chars`);
    return { kind: 'route-label', label, ...start };
  }
  const { text } = cursor.string('an address');
  return { kind: 'name', name: text, ...parseLength(cursor), ...start };
}

/** The rest of `<table>`. */
export function parseTableName(cursor: Cursor): Word {
  const name = cursor.string('the name of a table');
  if (name.text.length > TABLE_NAME_MAX) refuse(name, `table name too long, max ${TABLE_NAME_MAX} chars`);
  cursor.expect('>');
  return name;
}

function parseLength(cursor: Cursor): { length?: number } {
  if (!cursor.accept('/')) return {};
  const { value, line, column } = cursor.number('a prefix length');
  if (value > 128) refuse({ line, column }, `invalid netmask '/${value}'`);
  return { length: value };
}

/** The rest of `(if:network)/n`. */
function parseDynamic(cursor: Cursor, start: Place): HostSyntax {
  const word = cursor.string('an interface');
  if (!/^[A-Za-z]/.test(word.text)) refuse(word, `invalid interface name '${word.text}'`);
  const { name, modifiers } = splitModifiers(word.text);
  if (modifiers === undefined) refuse(word, `interface ${word.text} has bad modifier`);
  if (modifiers.filter((modifier) => modifier !== '0').length > 1) {
    refuse(word, 'illegal combination of interface modifiers');
  }
  checkInterfaceName({ ...word, text: name });
  cursor.expect(')');
  return { kind: 'dynamic', interface: name, modifiers, ...parseLength(cursor), ...start };
}

/** `if:network:0` taken apart; `modifiers` is undefined if one is unknown. Each is kept once. */
export function splitModifiers(text: string): { name: string; modifiers: PfInterfaceModifier[] | undefined } {
  const [name = '', ...words] = text.split(':');
  const known = words.every((word) => MODIFIERS.includes(word));
  const order = MODIFIERS.filter((modifier) => words.includes(modifier));
  return { name, modifiers: known ? (order as PfInterfaceModifier[]) : undefined };
}

const UNARY: readonly PfOperatorName[] = ['=', '<', '>'];

/** `=`, `!=`, `<`, `<=`, `>`, `>=`, or nothing. */
function parseUnary(cursor: Cursor): PfOperatorName | undefined {
  if (cursor.accept('!')) {
    cursor.expect('=');
    return '!=';
  }
  const op = cursor.acceptAny(UNARY);
  if (op === '<' && cursor.accept('=')) return '<=';
  if (op === '>' && cursor.accept('=')) return '>=';
  return op;
}

/** A condition on one or two names or numbers: `> 1024`, `1 >< 10`, `root`. */
export function parseOperator(cursor: Cursor, what: string): OperatorSyntax {
  const unary = parseUnary(cursor);
  const a = cursor.string(what);
  if (unary) return { op: unary, a };
  const binary = cursor.acceptAny(['><', '<>']);
  return binary ? { op: binary, a, b: cursor.string(what) } : { op: '=', a };
}

/** A port or a condition on ports; `a:b` is one word. */
function parsePort(cursor: Cursor): OperatorSyntax {
  const equals = cursor.at('=');
  const operator = parseOperator(cursor, 'a port');
  const range = operator.a.text.includes(':') || operator.b?.text.includes(':');
  if (!range) return operator;
  const [a = '', ...rest] = operator.a.text.split(':');
  if (equals || operator.op !== '=' || operator.b) {
    return refuse(operator.a, "':' cannot be used with an other port operator");
  }
  const place = placeOf(operator.a);
  return { op: ':', a: { text: a, ...place }, b: { text: rest.join(':'), ...place } };
}
