/** A pf.conf in its normal form, as `pfctl -nv` lists it: what was written, in the order in which pfctl of the generation tells it. */
import type { PfEnvironment } from './environment.ts';
import { anchorPath } from './anchor-path.ts';
import { AUTOMATIC_TABLE } from './optimize.ts';
import { printRule } from './print-rule.ts';
import { printAltq, printQueue } from './print-queue.ts';
import { printTable } from './print-table.ts';
import { PF_PARTS } from './ruleset.ts';
import type { PfAltq, PfGeneration, PfPart, PfQueue, PfRule, PfRuleSet, PfTable } from './ruleset.ts';

/** One thing that a file says. */
export type PfListingItem =
  | { readonly kind: 'macro'; readonly name: string; readonly value: string }
  | { readonly kind: 'option'; readonly text: string }
  | { readonly kind: 'table'; readonly table: PfTable }
  | { readonly kind: 'altq'; readonly altq: PfAltq }
  | { readonly kind: 'queue'; readonly queue: PfQueue; readonly withInterface: boolean }
  | { readonly kind: 'rule'; readonly part: PfPart; readonly rule: PfRule };

export interface PfListingOptions {
  /** Each rule with its number, as with -vv. */
  readonly numbers?: boolean;
}

/** The order in which 4.2 lists the rules of an anchor. */
const PARTS_42: readonly PfPart[] = ['scrub', 'nat', 'rdr', 'binat', 'filter'];

/** Lines of a rule set; without `listing` those of its rules alone. */
export function printRuleSet(
  ruleSet: PfRuleSet,
  listing: readonly PfListingItem[],
  environment: PfEnvironment,
  options: PfListingOptions = {},
): string[] {
  const printer = new ListingPrinter(ruleSet, environment, options);
  const said = listing.flatMap((item) => (item.kind === 'rule' ? [] : printItem(item, ruleSet.generation)));
  if (ruleSet.generation === '4.2') return [...said, ...printer.anchor('', 0)];
  return listing.flatMap((item) =>
    item.kind === 'rule' ? printer.rule('', item.part, item.rule, 0) : printItem(item, ruleSet.generation),
  );
}

function printItem(item: Exclude<PfListingItem, { kind: 'rule' }>, generation: PfGeneration): string[] {
  switch (item.kind) {
    case 'macro':
      return [`${item.name} = "${item.value}"`];
    case 'option':
      return [item.text];
    case 'table':
      return [printTable(item.table)];
    case 'altq':
      return [printAltq(item.altq)];
    case 'queue':
      return [printQueue(item.queue, item.withInterface, generation)];
  }
}

class ListingPrinter {
  readonly #ruleSet: PfRuleSet;
  readonly #environment: PfEnvironment;
  readonly #options: PfListingOptions;

  constructor(ruleSet: PfRuleSet, environment: PfEnvironment, options: PfListingOptions) {
    this.#ruleSet = ruleSet;
    this.#environment = environment;
    this.#options = options;
  }

  anchor(path: string, depth: number): string[] {
    const rules = this.#ruleSet.anchors[path];
    if (!rules) return [];
    const automatic = rules.tables.filter(({ name }) => name.startsWith(AUTOMATIC_TABLE)).map(printTable);
    const parts = this.#ruleSet.generation === '4.2' ? PARTS_42 : PF_PARTS;
    return [
      ...automatic,
      ...parts.flatMap((part) => rules[part].flatMap((rule) => this.rule(path, part, rule, depth))),
    ];
  }

  rule(path: string, part: PfPart, rule: PfRule, depth: number): string[] {
    const indent = this.#options.numbers ? '' : '  '.repeat(depth);
    const number = this.#options.numbers ? `@${rule.number ?? 0} ` : '';
    const { generation } = this.#ruleSet;
    const shortAnchors = generation === '4.2';
    const text = indent + number + printRule(rule, this.#environment, { generation, shortAnchors, part });
    if (!rule.inline || rule.anchor === undefined) return [text];
    return [`${text} {`, ...this.anchor(anchorPath(path, rule.anchor), depth + 1), `${indent}}`];
  }
}
