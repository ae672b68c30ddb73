/** The lab as a tree of lines: the path through it for the keyboard and for screen readers. */
import type { InterfaceRates, LabDescription } from '../../main/api/model.ts';
import { interfaceState, type InterfaceState } from '../interface-state.ts';
import { interfaceKey, linkEndText, type LabObject } from '../stores/topology.ts';
import type { RunState } from '../../main/api/model.ts';

export interface OutlineItem {
  readonly key: string;
  readonly level: 1 | 2 | 3;
  readonly label: string;
  /** Quieter text after the label. */
  readonly detail: string;
  readonly state: InterfaceState | RunState | undefined;
  /** What it stands for; a heading stands for nothing. */
  readonly object: LabObject | undefined;
  /** Undefined for a leaf. */
  readonly expanded: boolean | undefined;
  readonly parent: string | undefined;
}

/** The visible lines. `closed` holds the keys of folded lines; a filter opens everything and keeps what matches. */
export function outlineItems(
  lab: LabDescription,
  rates: ReadonlyMap<string, InterfaceRates>,
  closed: ReadonlySet<string>,
  filter: string,
): readonly OutlineItem[] {
  const wanted = filter.trim().toLowerCase();
  const items = [...nodeItems(lab, rates), ...switchItems(lab), ...portItems(lab), ...linkItems(lab)];
  const kept = wanted === '' ? items : matching(items, wanted);
  const counted = kept.map((item) => ({
    ...item,
    expanded: hasChildren(kept, item) ? wanted !== '' || !closed.has(item.key) : undefined,
  }));
  return wanted === '' ? visible(counted) : counted;
}

type RawItem = Omit<OutlineItem, 'expanded'>;

function heading(key: string, label: string, count: number): readonly RawItem[] {
  if (count === 0) return [];
  return [
    { key, level: 1, label, detail: String(count), state: undefined, object: undefined, parent: undefined },
  ];
}

function nodeItems(lab: LabDescription, rates: ReadonlyMap<string, InterfaceRates>): readonly RawItem[] {
  const nodes = lab.nodes.flatMap((node): RawItem[] => {
    const key = `node:${node.name}`;
    const interfaces = node.interfaces.map((entry): RawItem => {
      const name = interfaceKey(node.name, entry.name);
      const state = interfaceState(entry, rates.get(name));
      const addresses = entry.addresses.join(' ');
      return {
        key: `interface:${name}`,
        level: 3,
        label: entry.name,
        detail: state === 'up' ? addresses : [state, addresses].filter(Boolean).join(' · '),
        state,
        object: { kind: 'interface', name },
        parent: key,
      };
    });
    const object: LabObject = { kind: 'node', name: node.name };
    return [
      { key, level: 2, label: node.name, detail: node.stack, state: node.state, object, parent: 'nodes' },
      ...interfaces,
    ];
  });
  return [...heading('nodes', 'Nodes', lab.nodes.length), ...nodes];
}

function switchItems(lab: LabDescription): readonly RawItem[] {
  return [
    ...heading('switches', 'Switches', lab.switches.length),
    ...lab.switches.map(({ name }) => leaf('switches', { kind: 'switch', name }, '', undefined)),
  ];
}

function portItems(lab: LabDescription): readonly RawItem[] {
  return [
    ...heading('ports', 'Ports', lab.ports.length),
    ...lab.ports.map((port) =>
      leaf(
        'ports',
        { kind: 'port', name: port.name },
        `${port.kind} ${port.device}`,
        port.carrier ? 'up' : 'no carrier',
      ),
    ),
  ];
}

function linkItems(lab: LabDescription): readonly RawItem[] {
  return [
    ...heading('links', 'Links', lab.links.length),
    ...lab.links.map(({ name, ends }) =>
      leaf('links', { kind: 'link', name }, ends.map((end) => linkEndText(end)).join(' – '), undefined),
    ),
  ];
}

function leaf(parent: string, object: LabObject, detail: string, state: OutlineItem['state']): RawItem {
  return {
    key: `${object.kind}:${object.name}`,
    level: 2,
    label: object.name,
    detail,
    state,
    object,
    parent,
  };
}

function hasChildren(items: readonly RawItem[], item: RawItem): boolean {
  return items[items.indexOf(item) + 1]?.parent === item.key;
}

/** Matching lines, with the lines above and below that give them their place. */
function matching(items: readonly RawItem[], wanted: string): readonly RawItem[] {
  const kept = new Set<string>();
  const byKey = new Map(items.map((item) => [item.key, item]));
  const keepUpwards = (item: RawItem | undefined): void => {
    if (item === undefined || kept.has(item.key)) return;
    kept.add(item.key);
    keepUpwards(item.parent === undefined ? undefined : byKey.get(item.parent));
  };
  for (const item of items) {
    const matches =
      item.object !== undefined && `${item.label} ${item.detail}`.toLowerCase().includes(wanted);
    const parentMatches =
      item.level === 3 && (byKey.get(item.parent ?? '')?.label ?? '').toLowerCase().includes(wanted);
    if (matches || parentMatches) keepUpwards(item);
  }
  return items.filter((item) => kept.has(item.key));
}

function visible(items: readonly OutlineItem[]): readonly OutlineItem[] {
  const hidden = new Set<string>();
  return items.filter((item) => {
    const folded = item.parent !== undefined && hidden.has(item.parent);
    if (folded || item.expanded === false) hidden.add(item.key);
    return !folded;
  });
}
