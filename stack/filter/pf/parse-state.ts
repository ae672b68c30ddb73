/** `keep state` and its kin, with their options (pf.conf(5), STATEFUL INSPECTION and STATEFUL TRACKING OPTIONS). */
import { placeOf } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { parseTableName } from './parse-match.ts';
import { PF_TIMEOUTS } from './ruleset.ts';
import type { StateOptionSyntax, StateSyntax } from './syntax.ts';

export type Binding = 'if-bound' | 'group-bound' | 'floating';

/** `keep state (...)`, `modulate state`, `synproxy state`, in 4.2 `no state`; undefined if none comes next. */
export function parseState(cursor: Cursor): StateSyntax | undefined {
  if (cursor.generation === '4.2' && cursor.accept('no')) {
    cursor.expect('state');
    return { kind: 'no', options: [] };
  }
  const kind = cursor.acceptAny(['keep', 'modulate', 'synproxy']);
  if (kind === undefined) return undefined;
  cursor.expect('state');
  if (!cursor.accept('(')) return { kind, options: [] };
  const options = [parseStateOption(cursor)];
  while (!cursor.accept(')')) {
    cursor.accept(',');
    options.push(parseStateOption(cursor));
  }
  return { kind, options };
}

export function parseBinding(cursor: Cursor): Binding | undefined {
  return cursor.acceptAny(
    cursor.generation === '3.7' ? ['if-bound', 'group-bound', 'floating'] : ['if-bound', 'floating'],
  );
}

function parseStateOption(cursor: Cursor): StateOptionSyntax {
  const start = placeOf(cursor.peek());
  const binding = parseBinding(cursor);
  if (binding) return { kind: 'binding', binding, ...start };
  const word = cursor.acceptAny([
    'max',
    'max-src-states',
    'max-src-conn',
    'max-src-nodes',
    'max-src-conn-rate',
    'no-sync',
    'source-track',
    'overload',
  ]);
  switch (word) {
    case undefined:
      return parseTimeout(cursor, start);
    case 'max-src-conn-rate': {
      const limit = cursor.number().value;
      cursor.expect('/');
      return { kind: word, limit, seconds: cursor.number().value, ...start };
    }
    case 'no-sync':
      return { kind: word, ...start };
    case 'source-track': {
      const scope = cursor.acceptAny(['rule', 'global']);
      return { kind: word, ...(scope && { scope }), ...start };
    }
    case 'overload': {
      cursor.expect('<');
      const table = parseTableName(cursor);
      if (!cursor.accept('flush')) return { kind: word, table, ...start };
      return { kind: word, table, flush: cursor.accept('global') ? 'global' : 'rule', ...start };
    }
    default:
      return { kind: word, value: cursor.number().value, ...start };
  }
}

function parseTimeout(cursor: Cursor, start: Place): StateOptionSyntax {
  const name = cursor.string('an option of states').text;
  if (!(PF_TIMEOUTS as readonly string[]).includes(name)) refuse(start, `illegal timeout name ${name}`);
  if (!name.includes('.')) refuse(start, `illegal state timeout ${name}`);
  return { kind: 'timeout', name, value: cursor.number().value, ...start };
}
