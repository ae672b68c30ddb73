/**
 * pf.conf(5) read whole: text in, rule set out, or the errors and nothing. Statements count in their order: macros before they are used, `set` before the rules
 * it is for, and all in the order options, scrub, queues, translation, filter unless `set require-order no` lifts that.
 */
import { addressBits } from './address.ts';
import { anchorPath } from './anchor-path.ts';
import { FilterCompiler } from './compile-filter.ts';
import { RuleParts } from './compile-parts.ts';
import { TranslationCompiler } from './compile-translation.ts';
import type { PfEnvironment } from './environment.ts';
import { ErrorList, refuse, StatementError } from './errors.ts';
import type { PfError } from './errors.ts';
import { Expander } from './expand.ts';
import type { Lists } from './expand.ts';
import { HostResolver } from './host.ts';
import type { ResolvedHost } from './host.ts';
import type { Place } from './lexer.ts';
import { Parser } from './parser.ts';
import { QueueTrees } from './queues.ts';
import type { PfGeneration, PfPart, PfRule, PfRuleSet, PfTable, PfTableAddress } from './ruleset.ts';
import type { PfListingItem } from './listing.ts';
import { Settings } from './settings.ts';
import type {
  AnchorRuleSyntax,
  FilterRuleSyntax,
  HostSyntax,
  Statement,
  TableSyntax,
  TranslationRuleSyntax,
} from './syntax.ts';
import { parseTableFile } from './table-file.ts';

export interface PfParseOptions {
  readonly generation: PfGeneration;
  /** Text of a file that the rules name, undefined if it cannot be read. Without it no file can. */
  readonly readFile?: (path: string) => string | undefined;
  /** Macros that stand whatever the file says (pfctl -D). */
  readonly macros?: Readonly<Record<string, string>>;
  /** Makes 32 hexadecimal digits for `source-hash` without a key; default: by the place of the rule. */
  readonly randomKey?: () => string;
}

export interface PfParsed {
  readonly ruleSet: PfRuleSet;
  /** What the file says in its order, for listings. */
  readonly listing: readonly PfListingItem[];
  /** What is allowed, but hardly meant. */
  readonly warnings: readonly PfError[];
}

export type PfParseResult = PfParsed | { readonly errors: readonly PfError[] };

/** Reads a pf.conf. Nothing is half-read: one error, and only errors come back. */
export function parsePfConf(
  text: string,
  environment: PfEnvironment,
  options: PfParseOptions,
): PfParseResult {
  return new ConfReader(text, environment, options).read();
}

/** Sections in the order that `require-order` wants. */
const SECTIONS = ['option', 'scrub', 'queue', 'translation', 'filter'] as const;
type Section = (typeof SECTIONS)[number];

type Lists5 = Record<PfPart, PfRule[]>;

interface AnchorLists extends Lists5 {
  /** By name, in the order of their last definitions. */
  readonly tables: Map<string, PfTable>;
  /** The number of its next rule. */
  number: number;
}

function emptyAnchor(): AnchorLists {
  return { tables: new Map(), scrub: [], nat: [], binat: [], rdr: [], filter: [], number: 0 };
}

class ConfReader {
  readonly #options: PfParseOptions;
  readonly #errors = new ErrorList();
  readonly #warnings: PfError[] = [];
  readonly #macros: Map<string, string>;
  readonly #fixedMacros: ReadonlySet<string>;
  readonly #parser: Parser;
  readonly #hosts: HostResolver;
  readonly #filter: FilterCompiler;
  readonly #translations: TranslationCompiler;
  readonly #expander: Expander;
  readonly #queues: QueueTrees;
  readonly #settings: Settings;
  readonly #listing: PfListingItem[] = [];
  readonly #anchors = new Map<string, AnchorLists>([['', emptyAnchor()]]);
  readonly #loads: { line: number; anchor: string; file: string }[] = [];
  #section = 0;
  /** Anchors in braces so far: those without a name are numbered. */
  #braces = 0;
  #fileNumber = 0;

  constructor(text: string, environment: PfEnvironment, options: PfParseOptions) {
    const { generation } = options;
    this.#options = options;
    this.#macros = new Map(Object.entries(options.macros ?? {}));
    this.#fixedMacros = new Set(this.#macros.keys());
    this.#parser = new Parser(text, generation, this.#macros, this.#errors);
    this.#hosts = new HostResolver(environment, generation);
    const parts = new RuleParts(environment, generation, this.#hosts, options.randomKey);
    this.#filter = new FilterCompiler(parts);
    this.#translations = new TranslationCompiler(parts);
    this.#expander = new Expander(environment, generation, this.#errors);
    const warn = (place: Place, message: string): void => {
      this.#warnings.push({ line: place.line, column: place.column, message });
    };
    this.#queues = new QueueTrees(environment, generation, this.#errors, warn);
    this.#settings = new Settings(parts.context, generation, options.readFile);
  }

  read(): PfParseResult {
    for (let statement = this.#parser.next(); statement; statement = this.#parser.next()) {
      this.#guarded(() => {
        this.#take(statement);
      });
      if (this.#errors.full) break;
    }
    this.#queues.finish();
    if (this.#errors.all.length > 0) return { errors: this.#errors.all };
    return { ruleSet: this.#ruleSet(), listing: this.#listing, warnings: this.#warnings };
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      this.#errors.add(error.error);
    }
  }

  #ruleSet(): PfRuleSet {
    const anchors = Object.fromEntries(
      [...this.#anchors].map(([path, { number: _number, tables, ...lists }]) => [
        path,
        { ...lists, tables: [...tables.values()] },
      ]),
    );
    return {
      generation: this.#options.generation,
      options: this.#settings.options,
      altqs: this.#queues.altqs,
      queues: this.#queues.queues,
      anchors,
      loads: this.#loads,
    };
  }

  #take(statement: Statement): void {
    switch (statement.kind) {
      case 'macro':
        this.#listing.push({ kind: 'macro', name: statement.name, value: statement.value });
        if (!this.#fixedMacros.has(statement.name)) this.#macros.set(statement.name, statement.value);
        return;
      case 'set':
        this.#set(statement);
        return;
      case 'table':
        this.#table(statement);
        return;
      case 'altq':
        this.#enter('queue', statement);
        for (const altq of this.#queues.addAltq(statement)) this.#listing.push({ kind: 'altq', altq });
        return;
      case 'queue':
        this.#enter('queue', statement);
        for (const item of this.#queues.addQueue(statement)) this.#listing.push({ kind: 'queue', ...item });
        return;
      case 'load':
        this.#loads.push({ line: statement.line, anchor: statement.anchor.text, file: statement.file.text });
        return;
      case 'scrub':
        this.#enter('scrub', statement);
        this.#add('scrub', '', this.#filter.scrub(statement));
        return;
      case 'nat':
      case 'rdr':
      case 'binat':
        this.#translation(statement);
        return;
      case 'anchor':
        this.#enter(statement.part === 'filter' ? 'filter' : 'translation', statement);
        this.#anchor(statement, '');
        return;
      case 'antispoof':
        this.#enter('filter', statement);
        for (const lists of this.#filter.antispoof(statement)) this.#add('filter', '', lists);
        return;
      case 'filter':
        this.#enter('filter', statement);
        this.#add('filter', '', this.#filter.filter(statement));
        return;
    }
  }

  #enter(section: Section, place: Place): void {
    const index = SECTIONS.indexOf(section);
    if (this.#settings.requireOrder && index < this.#section) {
      refuse(place, 'Rules must be in order: options, normalization, queueing, translation, filtering');
    }
    this.#section = index;
  }

  #set(statement: Statement & { kind: 'set' }): void {
    if (Settings.isOrdered(statement)) this.#enter('option', statement);
    for (const text of this.#settings.apply(statement)) this.#listing.push({ kind: 'option', text });
  }

  #translation(rule: TranslationRuleSyntax): void {
    this.#enter('translation', rule);
    const lists =
      rule.kind === 'binat' ? this.#translations.binat(rule) : this.#translations.translation(rule);
    this.#add(rule.kind, '', lists);
  }

  /** Multiplies a statement out into a list of an anchor. */
  #add(part: PfPart, path: string, lists: Lists): void {
    const anchor = this.#anchorAt(path);
    const counts = lists.template.action !== 'binat';
    const next = (): number => {
      if (!counts) return 0;
      return this.#options.generation === '3.7' ? this.#fileNumber++ : anchor.number++;
    };
    const rules = this.#expander.expand(lists, next);
    for (const rule of rules) {
      anchor[part].push(rule);
      if (path === '') this.#listing.push({ kind: 'rule', part, rule });
    }
  }

  #anchorAt(path: string): AnchorLists {
    let anchor = this.#anchors.get(path);
    if (!anchor) {
      anchor = emptyAnchor();
      this.#anchors.set(path, anchor);
    }
    return anchor;
  }

  #anchor(rule: AnchorRuleSyntax, parent: string): void {
    const number = rule.body ? ++this.#braces : 0;
    const name = rule.name?.text ?? `_${number}`;
    if (rule.body) this.#body(rule, rule.body, anchorPath(parent, name));
    this.#add(rule.part, parent, this.#filter.anchor(rule, name));
  }

  #body(place: Place, body: readonly (FilterRuleSyntax | AnchorRuleSyntax)[], path: string): void {
    if (this.#anchors.has(path)) refuse(place, `inline anchor '${path}' already exists`);
    this.#anchorAt(path);
    for (const rule of body) {
      this.#guarded(() => {
        if (rule.kind === 'anchor') this.#anchor(rule, path);
        else this.#add('filter', path, this.#filter.filter(rule));
      });
    }
  }

  #table(syntax: TableSyntax): void {
    const written = syntax.contents.map((part) =>
      'file' in part ? { file: part.file.text } : { addresses: this.#tableAddresses(part.hosts, syntax) },
    );
    const addresses = written.flatMap((part) =>
      'file' in part ? this.#fileAddresses(part.file, syntax) : part.addresses,
    );
    const files = written.flatMap((part) => ('file' in part ? [part.file] : []));
    const table: PfTable = {
      line: syntax.line,
      name: syntax.name.text,
      ...(syntax.persist && { persist: true }),
      ...(syntax.const && { const: true }),
      ...(written.length > 0 && { addresses, written }),
      ...(files.length > 0 && { files }),
    };
    const { tables } = this.#anchorAt('');
    // The last definition of a table is the one that counts.
    tables.delete(table.name);
    tables.set(table.name, table);
    this.#listing.push({ kind: 'table', table });
  }

  #tableAddresses(hosts: readonly HostSyntax[], place: Place): PfTableAddress[] {
    return this.#hosts.resolveAll(hosts).map((host) => tableAddress(host, place));
  }

  #fileAddresses(path: string, place: Place): PfTableAddress[] {
    const text = this.#options.readFile?.(path);
    if (text === undefined) return refuse(place, `cannot load "${path}": No such file or directory`);
    return parseTableFile(text).flatMap((word) => {
      try {
        return this.#hosts.resolveText(word, place).map((host) => tableAddress(host, place));
      } catch (error) {
        if (!(error instanceof StatementError)) throw error;
        return refuse(place, `file "${path}" contains bad data: ${error.message}`);
      }
    });
  }
}

/** A host as an entry of a table. */
export function tableAddress({ address, af, not }: ResolvedHost, place: Place): PfTableAddress {
  const marks = not ? ({ not: true } as const) : {};
  if (address.kind === 'network') {
    if (address.length > addressBits(address.af))
      refuse(place, 'cannot create address buffer: Invalid argument');
    return { af: address.af, address: address.address, length: address.length, ...marks };
  }
  if (address.kind !== 'any' || !af) return refuse(place, 'only addresses are permitted inside tables');
  return { af, address: af === 'inet' ? '0.0.0.0' : '::', length: 0, ...marks };
}
