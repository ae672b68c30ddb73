/**
 * The statements of a pf.conf (pf.conf(5), GRAMMAR), one at a time by recursive descent. The grammars of OpenBSD 3.7 and 4.2 differ in the places that ask for
 * the generation.
 */
import { Cursor, placeOf } from './cursor.ts';
import type { ErrorList } from './errors.ts';
import { refuse, StatementError } from './errors.ts';
import { Lexer } from './lexer.ts';
import type { Place } from './lexer.ts';
import {
  parseDirection,
  parseFilterOptions,
  parseFilterRule,
  parseLogQuick,
  parseRtable,
} from './parse-filter.ts';
import { parseFamily, parseFromTo, parseOn, parseProtocols } from './parse-match.ts';
import { parseAltq, parseQueue } from './parse-queue.ts';
import {
  parseAntispoofInterface,
  parseLoad,
  parseMacro,
  parseSetting,
  parseTable,
} from './parse-settings.ts';
import { parseBinat, parseScrub, parseTranslation } from './parse-translation.ts';
import type { PfGeneration } from './ruleset.ts';
import type { AnchorRuleSyntax, AntispoofSyntax, FilterRuleSyntax, Statement, Word } from './syntax.ts';

/** Anchors in braces within each other. */
const DEPTH_MAX = 64;
const ANCHOR_NAME_MAX = 63;

export class Parser {
  readonly #cursor: Cursor;
  readonly #errors: ErrorList;
  #depth = 0;

  constructor(
    text: string,
    generation: PfGeneration,
    macros: ReadonlyMap<string, string>,
    errors: ErrorList,
  ) {
    this.#cursor = new Cursor(new Lexer(text, generation, macros), generation);
    this.#errors = errors;
  }

  /** The next statement that can be understood, undefined at the end. What cannot is reported and passed over. */
  next(): Statement | undefined {
    for (;;) {
      try {
        while (this.#cursor.peek().kind === 'newline') this.#cursor.take();
        if (this.#cursor.peek().kind === 'end') return undefined;
        const statement = this.#statement();
        if (!this.#cursor.atLineEnd()) this.#cursor.syntaxError('the end of the line');
        this.#cursor.take();
        return statement;
      } catch (error) {
        this.#recover(error);
        if (this.#errors.full) return undefined;
      }
    }
  }

  #recover(error: unknown): void {
    if (!(error instanceof StatementError)) throw error;
    this.#errors.add(error.error);
    this.#cursor.skipLine();
  }

  #statement(): Statement {
    const cursor = this.#cursor;
    const start = placeOf(cursor.peek());
    const no = cursor.accept('no') !== undefined;
    const translation = cursor.acceptAny(['nat', 'rdr']);
    if (translation) return parseTranslation(cursor, translation, no, start);
    if (cursor.accept('binat')) return parseBinat(cursor, no, start);
    if (cursor.accept('scrub')) return parseScrub(cursor, no, start);
    if (no) return cursor.syntaxError("'nat', 'rdr', 'binat' or 'scrub'");
    return this.#ruleOrAnchor(start) ?? this.#other(start);
  }

  /** What may stand in the braces of an anchor, too. */
  #ruleOrAnchor(start: Place): FilterRuleSyntax | AnchorRuleSyntax | undefined {
    const action = this.#cursor.acceptAny(['pass', 'block']);
    if (action) return parseFilterRule(this.#cursor, action, start);
    return this.#cursor.accept('anchor') ? this.#anchor(start) : undefined;
  }

  #other(start: Place): Statement {
    const cursor = this.#cursor;
    if (cursor.accept('set')) return parseSetting(cursor, start);
    if (cursor.accept('table')) return parseTable(cursor, start);
    if (cursor.accept('altq')) return parseAltq(cursor, start);
    if (cursor.accept('queue')) return parseQueue(cursor, start);
    if (cursor.accept('antispoof')) return this.#antispoof(start);
    if (cursor.accept('load')) return parseLoad(cursor, start);
    const anchor = cursor.acceptAny(['nat-anchor', 'rdr-anchor', 'binat-anchor']);
    if (anchor) return this.#translationAnchor(anchor, start);
    return parseMacro(cursor);
  }

  #anchor(start: Place): AnchorRuleSyntax {
    const cursor = this.#cursor;
    const braces = cursor.generation === '4.2';
    const name = this.#anchorName(braces);
    const direction = parseDirection(cursor);
    const quick = braces && cursor.accept('quick') !== undefined;
    const interfaces = parseOn(cursor);
    const af = parseFamily(cursor);
    const protocols = parseProtocols(cursor);
    const fromTo = parseFromTo(cursor);
    const options = parseFilterOptions(cursor);
    const body = braces && cursor.accept('{') ? this.#body() : undefined;
    if (!name && !body) refuse(start, 'anchors without explicit rules must specify a name');
    return {
      kind: 'anchor',
      part: 'filter',
      ...start,
      ...(name && { name }),
      ...(direction && { direction }),
      ...(quick && { quick }),
      interfaces,
      ...(af && { af }),
      protocols,
      fromTo,
      options,
      ...(body && { body }),
    };
  }

  #anchorName(braces: boolean): Word | undefined {
    const cursor = this.#cursor;
    if (!braces) return checkAnchorName(cursor.strings('the name of an anchor'));
    if (!cursor.atString()) return undefined;
    const name = checkAnchorName(cursor.string('the name of an anchor'));
    if (name.text.startsWith('_') || name.text.includes('/_')) {
      refuse(name, "anchor names beginning with '_' are reserved for internal use");
    }
    return name;
  }

  /** Rules up to the closing brace, from the next line on. */
  #body(): (FilterRuleSyntax | AnchorRuleSyntax)[] {
    const cursor = this.#cursor;
    const start = placeOf(cursor.peek());
    if (++this.#depth > DEPTH_MAX) refuse(start, `anchors nested more than ${DEPTH_MAX} deep`);
    if (cursor.peek().kind !== 'newline') cursor.syntaxError("the end of the line behind '{'");
    cursor.take();
    const rules: (FilterRuleSyntax | AnchorRuleSyntax)[] = [];
    while (!cursor.accept('}')) this.#bodyRule(rules);
    if (rules.length === 0) refuse(start, 'an anchor in braces needs rules');
    this.#depth--;
    return rules;
  }

  /** A wrong rule is reported alone: those behind it belong to the same anchor. */
  #bodyRule(rules: (FilterRuleSyntax | AnchorRuleSyntax)[]): void {
    const cursor = this.#cursor;
    const depth = this.#depth;
    try {
      if (cursor.peek().kind === 'end') cursor.syntaxError("'}'");
      const rule =
        this.#ruleOrAnchor(placeOf(cursor.peek())) ?? cursor.syntaxError("a filter rule, an anchor or '}'");
      rules.push(rule);
      while (cursor.peek().kind === 'newline') cursor.take();
    } catch (error) {
      if (this.#errors.full || cursor.peek().kind === 'end') throw error;
      this.#recover(error);
      this.#depth = depth;
      while (cursor.peek().kind === 'newline') cursor.take();
    }
  }

  #translationAnchor(word: 'nat-anchor' | 'rdr-anchor' | 'binat-anchor', start: Place): AnchorRuleSyntax {
    const cursor = this.#cursor;
    const part = ({ 'nat-anchor': 'nat', 'rdr-anchor': 'rdr', 'binat-anchor': 'binat' } as const)[word];
    const name = checkAnchorName(cursor.strings('the name of an anchor'));
    const interfaces = parseOn(cursor);
    const af = parseFamily(cursor);
    const protocols = parseProtocols(cursor);
    const fromTo = parseFromTo(cursor);
    const rtable = cursor.generation === '4.2' && cursor.accept('rtable') ? parseRtable(cursor) : undefined;
    return {
      kind: 'anchor',
      part,
      ...start,
      name,
      interfaces,
      ...(af && { af }),
      protocols,
      fromTo,
      options: { users: [], groups: [], ...(rtable !== undefined && { rtable }) },
    };
  }

  #antispoof(start: Place): AntispoofSyntax {
    const cursor = this.#cursor;
    const logQuick = parseLogQuick(cursor);
    cursor.expect('for');
    const interfaces = cursor.oneOrList(() => parseAntispoofInterface(cursor));
    const af = parseFamily(cursor);
    let label: Word | undefined;
    let rtable: number | undefined;
    for (;;) {
      const place = placeOf(cursor.peek());
      if (cursor.accept('label')) {
        if (label) refuse(place, 'label cannot be redefined');
        label = cursor.string('a label');
      } else if (cursor.generation === '4.2' && cursor.accept('rtable')) {
        rtable = parseRtable(cursor);
      } else {
        break;
      }
    }
    return {
      kind: 'antispoof',
      ...start,
      ...logQuick,
      interfaces,
      ...(af && { af }),
      ...(label && { label }),
      ...(rtable !== undefined && { rtable }),
    };
  }
}

function checkAnchorName(name: Word): Word {
  const long = name.text.split('/').find((part) => part.length > ANCHOR_NAME_MAX);
  if (long !== undefined) refuse(name, `anchor name ${long} too long, max ${ANCHOR_NAME_MAX} chars`);
  return name;
}
