/**
 * The rule set optimiser of 4.2 (`set ruleset-optimization basic`, pf.conf(5)): filter rules that say the same are merged, rules that differ in one address become a
 * rule with a table, and what is left is put in an order that lets the walk skip more. Only rules next to each other that do the same are touched: what a packet meets
 * stays as it was.
 */
import { covers, sameAddress, samenessKey, sharedKey } from './rule-cover.ts';
import type { PfAnchorRules, PfHost, PfRule, PfRuleSet, PfTable, PfTableAddress } from './ruleset.ts';
import { reorderForSkipSteps } from './skip-order.ts';

/** Prefix of the tables that the optimiser makes. */
export const AUTOMATIC_TABLE = '__automatic_';
/** Rules from which on a table is faster than they are. */
const TABLE_THRESHOLD = 6;
/** In longer blocks rules are compared with their like only, not each with each. */
const PAIRWISE_MAX = 1000;

/** The rule set with the filter rules of all its anchors optimised. */
export function optimizeRuleSet(ruleSet: PfRuleSet): PfRuleSet {
  const optimizer = new Optimizer();
  const anchors = Object.fromEntries(
    Object.entries(ruleSet.anchors).map(([path, rules]) => [path, optimizer.anchor(rules)]),
  );
  return { ...ruleSet, anchors };
}

/** Addresses that rules which are otherwise the same have at one end. */
interface Gathered {
  readonly end: 'source' | 'destination';
  readonly name: string;
  readonly addresses: PfTableAddress[];
  used: boolean;
}

interface Entry {
  rule: PfRule;
  table?: Gathered;
}

class Optimizer {
  #tables = 0;

  anchor(rules: PfAnchorRules): PfAnchorRules {
    const tables: PfTable[] = [...rules.tables];
    const filter = blocksOf(rules.filter).flatMap((block) =>
      block.length === 1 ? block : this.#block(block, tables),
    );
    return { ...rules, tables, filter: filter.map((rule, number) => ({ ...rule, number })) };
  }

  #block(block: readonly PfRule[], tables: PfTable[]): PfRule[] {
    const distinct = removeCovered(block);
    const combined = this.#combine(distinct, tables);
    return reorderForSkipSteps(combined);
  }

  /** Rules that differ in one address only become one, if there are enough of them. */
  #combine(rules: readonly PfRule[], tables: PfTable[]): PfRule[] {
    const entries: Entry[] = rules.map((rule) => ({ rule }));
    const groups = new Map<string, Entry[]>();
    for (const entry of entries) {
      const key = sharedKey(entry.rule);
      const group = groups.get(key);
      if (group) group.push(entry);
      else groups.set(key, [entry]);
    }
    for (const group of groups.values()) this.#gather(group);
    return entries.flatMap((entry) => withTable(entry, tables));
  }

  #gather(group: readonly Entry[]): void {
    for (const [index, first] of group.entries()) {
      for (const other of group.slice(index + 1)) {
        if (other.table) continue;
        const end = differingEnd(first.rule, other.rule);
        if (!end || (first.table && first.table.end !== end)) continue;
        const table = (first.table ??= this.#table(end, first.rule[end]));
        addAddress(table, other.rule[end]);
        other.table = table;
      }
    }
  }

  #table(end: Gathered['end'], host: PfHost): Gathered {
    const table = { end, name: `${AUTOMATIC_TABLE}${this.#tables++}`, addresses: [], used: false };
    addAddress(table, host);
    return table;
  }
}

function addAddress(table: Gathered, { address }: PfHost): void {
  if (address.kind !== 'network') return;
  table.addresses.push({ af: address.af, address: address.address, length: address.length });
}

/** The end at which two rules have different plain addresses, if it is one of them alone. */
function differingEnd(a: PfRule, b: PfRule): Gathered['end'] | undefined {
  const source = sameAddress(a.source, b.source);
  const destination = sameAddress(a.destination, b.destination);
  if (source === destination) return undefined;
  const end = source ? 'destination' : 'source';
  const plain = ({ address, not }: PfHost): boolean => address.kind === 'network' && !not;
  return plain(a[end]) && plain(b[end]) ? end : undefined;
}

/** The rule itself, or with its table in place of the address; nothing if an earlier one stands for it. */
function withTable({ rule, table }: Entry, tables: PfTable[]): PfRule[] {
  if (!table || table.addresses.length < TABLE_THRESHOLD) return [rule];
  if (table.used) return [];
  table.used = true;
  tables.push({ line: rule.line, name: table.name, const: true, addresses: table.addresses });
  return [{ ...rule, [table.end]: { ...rule[table.end], address: { kind: 'table', name: table.name } } }];
}

/** Whether a rule stands alone: what it counts or where it leads depends on its place. */
function standsAlone({ label, probability, anchor, stateOptions }: PfRule): boolean {
  const limits = stateOptions ?? {};
  return (
    label !== undefined ||
    probability !== undefined ||
    anchor !== undefined ||
    limits.max !== undefined ||
    limits.maxSrcNodes !== undefined ||
    limits.maxSrcStates !== undefined ||
    limits.maxSrcConn !== undefined ||
    limits.maxSrcConnRate !== undefined ||
    limits.sourceTrack === 'rule'
  );
}

/** Names of interfaces end with a number, those of groups of them do not. */
function groupOf({ interface: on }: PfRule): string | undefined {
  return on && !/\d$/.test(on.name) ? on.name : undefined;
}

/** Runs of rules that do the same: they may trade places. */
function blocksOf(rules: readonly PfRule[]): PfRule[][] {
  const blocks: PfRule[][] = [];
  let block: PfRule[] = [];
  for (const rule of rules) {
    const [first] = block;
    const joins =
      first !== undefined &&
      !standsAlone(rule) &&
      !standsAlone(first) &&
      groupsFit(first, rule) &&
      samenessKey(first) === samenessKey(rule);
    if (joins) block.push(rule);
    else blocks.push((block = [rule]));
  }
  return blocks;
}

/** An interface may belong to a group by the time the rules are in use. */
function groupsFit(a: PfRule, b: PfRule): boolean {
  if (groupOf(a) === undefined && groupOf(b) === undefined) return true;
  return a.interface?.name.toLowerCase() === b.interface?.name.toLowerCase();
}

/** The rules without those that another one of them makes needless. */
function removeCovered(block: readonly PfRule[]): PfRule[] {
  if (block.length > PAIRWISE_MAX) return removeRepeated(block);
  const kept: (PfRule | undefined)[] = [...block];
  for (const [i, one] of block.entries()) {
    for (let j = i + 1; j < block.length && kept[i]; j++) {
      const other = kept[j];
      if (!other) continue;
      if (covers(one, other)) kept[j] = undefined;
      else if (covers(other, one)) kept[i] = undefined;
    }
  }
  return kept.filter((rule) => rule !== undefined);
}

function removeRepeated(block: readonly PfRule[]): PfRule[] {
  const seen = new Set<string>();
  return block.filter(({ line: _line, number: _number, ...said }) => {
    const key = JSON.stringify(said);
    return !seen.has(key) && seen.add(key);
  });
}
