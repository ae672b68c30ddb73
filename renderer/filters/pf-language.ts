/** pf.conf(5) for CodeMirror: colours by the grammar beside this file, folding of lists, `#` comments, and completion of what may be meant. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { LRLanguage, LanguageSupport, foldInside, foldNodeProp, syntaxTree } from '@codemirror/language';
import { styleTags, tags } from '@lezer/highlight';
import { parser } from './pf.grammar';

export const pfLanguage: LRLanguage = LRLanguage.define({
  name: 'pf.conf',
  parser: parser.configure({
    props: [
      styleTags({
        Comment: tags.lineComment,
        Text: tags.string,
        Macro: tags.variableName,
        TableName: tags.typeName,
        Number: tags.number,
        Operator: tags.operator,
        Action: tags.keyword,
        Keyword: tags.modifier,
        Option: tags.propertyName,
        Identifier: tags.name,
      }),
      foldNodeProp.add({ List: foldInside }),
    ],
  }),
  languageData: { commentTokens: { line: '#' }, closeBrackets: { brackets: ['(', '{', '"'] } },
});

/** Words by the group that they belong to. */
const STATEMENTS = [
  'pass',
  'block',
  'scrub',
  'nat',
  'rdr',
  'binat',
  'anchor',
  'nat-anchor',
  'rdr-anchor',
  'antispoof',
  'table',
  'set',
  'altq',
  'queue',
  'load anchor',
] as const;
const KEYWORDS = [
  'in',
  'out',
  'log',
  'quick',
  'on',
  'inet',
  'inet6',
  'proto',
  'from',
  'to',
  'port',
  'any',
  'all',
  'no-route',
  'self',
  'flags S/SA',
  'keep state',
  'modulate state',
  'synproxy state',
  'icmp-type',
  'tos',
  'user',
  'group',
  'label',
  'tag',
  'tagged',
  'allow-opts',
  'fragment',
  'probability',
  'queue',
  'route-to',
  'reply-to',
  'dup-to',
  'drop',
  'return',
  'return-rst',
  'return-icmp',
  'round-robin',
  'random',
  'source-hash',
  'bitmask',
  'sticky-address',
  'static-port',
] as const;
const SETTINGS = [
  'timeout',
  'limit',
  'optimization',
  'block-policy',
  'state-policy',
  'loginterface',
  'require-order',
  'fingerprints',
  'debug',
  'skip on',
] as const;

/** Names that only the host knows. */
export interface PfNames {
  readonly interfaces: readonly string[];
  readonly services: readonly string[];
  readonly protocols: readonly string[];
}

const options = (words: readonly string[], type: string): Completion[] =>
  words.map((label) => ({ label, type }));

/** Macros and tables that the text itself defines. */
function definedNames(text: string): Completion[] {
  const macros = [...text.matchAll(/^\s*([A-Za-z_]\w*)\s*=/gm)].map(([, name]) => `$${name!}`);
  const tables = [...text.matchAll(/^\s*table\s+(<[^>\s]+>)/gm)].map(([, name]) => name!);
  return [...options([...new Set(macros)], 'variable'), ...options([...new Set(tables)], 'type')];
}

/** What fits behind the words of the line so far. */
function candidates(before: string, text: string, names: PfNames): Completion[] {
  const last = /(\S+)\s+\S*$/.exec(before)?.[1] ?? '';
  if (before.trim() === '' || /^\s*\S*$/.test(before))
    return [...options(STATEMENTS, 'keyword'), ...definedNames(text)];
  if (last === 'on' || last === 'for' || last === 'loginterface')
    return [...options(names.interfaces, 'class'), ...definedNames(text)];
  if (last === 'proto') return options(names.protocols, 'constant');
  if (last === 'port' || last === '=' || last === '!=')
    return [...options(names.services, 'constant'), ...definedNames(text)];
  if (last === 'set') return options(SETTINGS, 'property');
  return [...options(KEYWORDS, 'keyword'), ...definedNames(text), ...options(names.interfaces, 'class')];
}

/** Completes at the cursor, except in comments and texts. */
export function completePf(names: () => PfNames): (context: CompletionContext) => CompletionResult | null {
  return (context) => {
    const node = syntaxTree(context.state).resolveInner(context.pos, -1).name;
    if (node === 'Comment' || node === 'Text') return null;
    const word = context.matchBefore(/[$<]?[\w-]*/);
    if (word === null || (word.from === word.to && !context.explicit)) return null;
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, context.pos - line.from);
    return {
      from: word.from,
      options: candidates(before, context.state.doc.toString(), names()),
      validFor: /^[$<]?[\w-]*$/,
    };
  };
}

export function pfSupport(names: () => PfNames): LanguageSupport {
  return new LanguageSupport(pfLanguage, pfLanguage.data.of({ autocomplete: completePf(names) }));
}
