/** Statements that are no rules: macros, `set`, tables, `load anchor` (pf.conf(5), MACROS, TABLES and OPTIONS). */
import { placeOf } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { parseHosts, parseInterface, parseOn, parseTableName } from './parse-match.ts';
import { parseBinding } from './parse-state.ts';
import type {
  HostSyntax,
  InterfaceSyntax,
  LoadSyntax,
  MacroSyntax,
  SettingSyntax,
  TableSyntax,
  Word,
} from './syntax.ts';

/** `name = value ...`. */
export function parseMacro(cursor: Cursor): MacroSyntax {
  const name = cursor.string('a statement');
  if (!cursor.accept('=')) cursor.syntaxError(`'=' behind the macro ${name.text}`);
  const value = cursor.strings('the value of a macro').text;
  return { kind: 'macro', ...placeOf(name), name: name.text, value };
}

/** `set` has been taken. */
export function parseSetting(cursor: Cursor, start: Place): SettingSyntax {
  const option = cursor.acceptAny([
    'optimization',
    'loginterface',
    'fingerprints',
    'debug',
    'ruleset-optimization',
    'timeout',
    'limit',
    'hostid',
    'block-policy',
    'state-policy',
    'require-order',
    'skip',
  ]);
  const kind = 'set';
  switch (option) {
    case undefined:
      return cursor.syntaxError('an option');
    case 'timeout':
    case 'limit':
      return { kind, ...start, option, values: cursor.oneOrList(() => parsePair(cursor, option)) };
    case 'hostid':
      return { kind, ...start, option, value: cursor.number() };
    case 'block-policy': {
      const value = cursor.acceptAny(['drop', 'return']) ?? cursor.syntaxError("'drop' or 'return'");
      return { kind, ...start, option, value };
    }
    case 'state-policy': {
      const value = parseBinding(cursor) ?? cursor.syntaxError("'if-bound' or 'floating'");
      return { kind, ...start, option, value };
    }
    case 'require-order':
      return { kind, ...start, option, value: parseYesNo(cursor) };
    case 'skip':
      return { kind, ...start, option, interfaces: parseOn(cursor) };
    default:
      return { kind, ...start, option, value: cursor.string(`a value of ${option}`) };
  }
}

function parsePair(cursor: Cursor, option: string): { name: Word; value: number } {
  return { name: cursor.string(`the name of a ${option}`), value: cursor.number().value };
}

function parseYesNo(cursor: Cursor): boolean {
  if (cursor.accept('no')) return false;
  const word = cursor.string("'yes' or 'no'");
  if (word.text !== 'yes') refuse(word, `invalid value '${word.text}', expected 'yes' or 'no'`);
  return true;
}

/** `table` has been taken. */
export function parseTable(cursor: Cursor, start: Place): TableSyntax {
  cursor.expect('<');
  const name = parseTableName(cursor);
  let persist = false;
  let isConst = false;
  const contents: ({ hosts: readonly HostSyntax[] } | { file: Word })[] = [];
  while (!cursor.atLineEnd()) {
    if (cursor.accept('{')) contents.push({ hosts: parseTableHosts(cursor) });
    else if (cursor.accept('file')) contents.push({ file: cursor.string('the name of a file') });
    else {
      const option = cursor.string("'persist', 'const', 'file' or '{'");
      if (option.text === 'persist') persist = true;
      else if (option.text === 'const') isConst = true;
      else refuse(option, `invalid table option '${option.text}'`);
    }
  }
  return {
    kind: 'table',
    ...start,
    name,
    ...(persist && { persist }),
    ...(isConst && { const: isConst }),
    contents,
  };
}

function parseTableHosts(cursor: Cursor): HostSyntax[] {
  if (cursor.accept('}')) return [];
  const hosts = cursor.listToBrace(() => {
    const place = placeOf(cursor.peek());
    if (cursor.generation === '3.7' && (cursor.at('any') || cursor.at('{'))) {
      return cursor.syntaxError('an address');
    }
    return parseHosts(cursor).map((host) => checkTableHost(host, place));
  });
  return hosts.flat();
}

function checkTableHost(host: HostSyntax, place: Place): HostSyntax {
  if (host.kind === 'dynamic') refuse(place, 'dynamic addresses are not permitted inside tables');
  if (host.kind === 'table') refuse(place, 'tables cannot contain tables');
  if (host.kind === 'route-label') refuse(place, 'route labels are not permitted inside tables');
  if (host.kind !== 'name') refuse(place, `"${host.kind}" is not permitted inside tables`);
  return host;
}

/** `load` has been taken. */
export function parseLoad(cursor: Cursor, start: Place): LoadSyntax {
  cursor.expect('anchor');
  const anchor = cursor.strings('the name of an anchor');
  cursor.expect('from');
  return { kind: 'load', ...start, anchor, file: cursor.strings('the name of a file') };
}

/** An interface of antispoof: `if` or `(if)`. */
export function parseAntispoofInterface(cursor: Cursor): InterfaceSyntax {
  if (!cursor.accept('(')) {
    if (cursor.at('!')) cursor.syntaxError('an interface');
    return parseInterface(cursor);
  }
  const item = parseInterface(cursor);
  cursor.expect(')');
  return { ...item, dynamic: true };
}
