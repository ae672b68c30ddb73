/**
 * The rule lists of a PF as this thread has them: by the path of their anchor. Looked up anew when something was loaded (the generation of the PF has changed).
 */
import { getText, u32 } from '../../memory/memory.ts';
import { PF_PARTS } from '../../filter/pf/ruleset.ts';
import type { PfPart } from '../../filter/pf/ruleset.ts';
import { nameNumbers } from './names.ts';
import { ANCHOR_PATH, anchorStruct, anchors, pfs } from './records.ts';
import type { AnchorRecord, Pf } from './records.ts';
import { rulesOf } from './rule-list.ts';
import type { RuleList } from './rule-list.ts';
import { resolveTable, tables } from './tables.ts';
import type { Table } from './tables.ts';
import type { HostTest, Rule } from './rules.ts';

export const PART = Object.fromEntries(PF_PARTS.map((part, i) => [part, i])) as Record<PfPart, number>;
const LISTS = anchorStruct.offsets.lists >>> 2;

interface AnchorView {
  readonly path: string;
  readonly lists: readonly (RuleList | undefined)[];
}

interface PfView {
  readonly generation: number;
  readonly anchors: ReadonlyMap<string, AnchorView>;
  /** Those of the main rule set, by part. */
  readonly main: readonly (RuleList | undefined)[];
  /** Paths directly below a path that have rules, sorted by name. */
  readonly below: Map<string, readonly string[]>;
}

const views: (PfView | undefined)[] = [];

/** The path of an anchor's record. */
export function anchorPath(anchor: AnchorRecord): string {
  return getText(anchor.path, ANCHOR_PATH);
}

/** The list of an anchor's record, 0 if it has none of this part. */
export function listOfAnchor(anchor: AnchorRecord, part: number): number {
  return u32[(anchor.ptr >>> 2) + LISTS + part]!;
}

/** All anchors of a PF. */
export function eachAnchor(pf: Pf, visit: (anchor: AnchorRecord) => void): void {
  for (let ptr = pf.anchors; ptr !== 0;) {
    const anchor = anchors.get(ptr);
    ptr = anchor.next;
    visit(anchor);
  }
}

function viewOf(pf: Pf): PfView {
  const index = pfs.indexOf(pf.ptr);
  const known = views[index];
  if (known?.generation === pf.generation) return known;
  const found = new Map<string, AnchorView>();
  eachAnchor(pf, (anchor) => {
    const path = anchorPath(anchor);
    const lists = PF_PARTS.map((_, part) => {
      const list = listOfAnchor(anchor, part);
      return list === 0
        ? undefined
        : rulesOf(
            list,
            () => path,
            () => nameNumbers(pf),
          );
    });
    found.set(path, { path, lists });
  });
  while (views.length <= index) views.push(undefined);
  const main = found.get('')?.lists ?? PF_PARTS.map(() => undefined);
  const below = new Map<string, readonly string[]>();
  const view = { generation: pf.generation, anchors: found, main, below };
  views[index] = view;
  return view;
}

/** The rules of a part of the main rule set; undefined if it has none. */
export function mainRules(pf: Pf, part: number): RuleList | undefined {
  return viewOf(pf).main[part];
}

/** The rules of a part of an anchor; undefined if it has none. */
export function rulesAt(pf: Pf, path: string, part: number): RuleList | undefined {
  return viewOf(pf).anchors.get(path)?.lists[part];
}

/** Paths of the anchors directly below `path` ('' for those at the top), sorted by name. */
export function anchorsBelow(pf: Pf, path: string): readonly string[] {
  const view = viewOf(pf);
  const known = view.below.get(path);
  if (known !== undefined) return known;
  const front = path === '' ? '' : `${path}/`;
  const names = new Set<string>();
  for (const other of view.anchors.keys())
    if (other !== '' && other.startsWith(front) && other !== path)
      names.add(other.slice(front.length).split('/')[0]!);
  const paths = [...names].sort().map((name) => front + name);
  view.below.set(path, paths);
  return paths;
}

/** The table that a rule's host names; undefined if there is none yet. */
export function tableOf(pf: Pf, anchor: string, host: HostTest): Table | undefined {
  if (host.tableGeneration !== pf.generation) {
    host.table = host.source.kind === 'table' ? resolveTable(pf, anchor, host.source.name) : 0;
    host.tableGeneration = pf.generation;
  }
  return host.table === 0 ? undefined : tables.get(host.table);
}

/** Visits all lists of rules with the path of their anchor. */
export function eachList(pf: Pf, visit: (rules: readonly Rule[], anchor: string) => void): void {
  eachAnchor(pf, (anchor) => {
    const path = anchorPath(anchor);
    for (const part of Object.values(PART)) visit(rulesAt(pf, path, part)?.rules ?? [], path);
  });
}

/** Visits all rules with the path of their anchor. */
export function eachRule(pf: Pf, visit: (rule: Rule, anchor: string) => void): void {
  eachList(pf, (rules, anchor) => rules.forEach((rule) => visit(rule, anchor)));
}
