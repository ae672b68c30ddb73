/**
 * The lab as boxes and lines: what the map draws, computed from the description alone. A link with more than two
 * ends becomes a hub, a small box of its own with a line to every end.
 */
import type { LabDescription, LinkDescription, Position } from '../../main/api/model.ts';
import { linkEndText, type LabObject } from '../stores/topology.ts';
import { groupBy } from '../group-by.ts';
import { layoutBoxes } from './layout.ts';

export interface MapBox {
  /** Unique in the scene: `node:alpha`. */
  readonly key: string;
  readonly kind: 'node' | 'switch' | 'port' | 'hub';
  readonly name: string;
  /** The centre. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One line of a link, from a box's border to another's. */
export interface MapSegment {
  readonly key: string;
  readonly link: string;
  readonly from: Position;
  readonly to: Position;
  /** Indices of the link's ends whose traffic enters at `from` and at `to`; a hub's side has none. */
  readonly fromEnd: number;
  readonly toEnd: number | undefined;
  /** The interface's name to write beside an end that would otherwise be ambiguous. */
  readonly fromLabel: string;
  readonly toLabel: string;
}

export interface MapLinkShape {
  readonly link: LinkDescription;
  readonly segments: readonly MapSegment[];
  /** Where its name stands. */
  readonly label: Position;
}

export interface MapScene {
  readonly boxes: readonly MapBox[];
  readonly links: readonly MapLinkShape[];
  readonly bounds: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
}

export const boxWidth = 178;
export const headerHeight = 44;
export const rowHeight = 20;
/** Interfaces listed in a node's box; more are counted in one last row. */
export const maxRows = 4;

/** Distance between parallel links of the same two boxes. */
const parallelGap = 26;

export function boxKey(kind: MapBox['kind'], name: string): string {
  return `${kind}:${name}`;
}

/** What a box stands for in the outline and the details; a hub is its link. */
export function boxObject(box: MapBox): LabObject {
  return { kind: box.kind === 'hub' ? 'link' : box.kind, name: box.name };
}

export function buildScene(lab: LabDescription): MapScene {
  const sizes = measureBoxes(lab);
  const edges = lab.links.flatMap((link) => linkEdges(link));
  const fixed = fixedPositions(lab);
  const placed = layoutBoxes(sizes, edges);
  const boxes = sizes.map((size) => ({
    ...size,
    ...(fixed.get(size.key) ?? placed.get(size.key) ?? { x: 0, y: 0 }),
  }));
  const byKey = new Map(boxes.map((box) => [box.key, box]));
  const links = drawLinks(lab, byKey);
  return { boxes, links, bounds: boundsOf(boxes) };
}

type BoxSize = Omit<MapBox, 'x' | 'y'>;

function measureBoxes(lab: LabDescription): readonly BoxSize[] {
  const box = (kind: MapBox['kind'], name: string, width: number, height: number): BoxSize => ({
    key: boxKey(kind, name),
    kind,
    name,
    width,
    height,
  });
  return [
    ...lab.nodes.map((node) => {
      const rows = Math.min(node.interfaces.length, maxRows + 1);
      return box('node', node.name, boxWidth, headerHeight + rows * rowHeight + (rows > 0 ? 8 : 0));
    }),
    ...lab.switches.map(({ name }) => box('switch', name, 132, 46)),
    ...lab.ports.map(({ name }) => box('port', name, boxWidth, headerHeight + rowHeight + 8)),
    ...lab.links.filter(isHub).map(({ name }) => box('hub', name, 40, 40)),
  ];
}

function isHub(link: LinkDescription): boolean {
  return link.ends.length !== 2;
}

function linkEdges(link: LinkDescription): readonly (readonly [string, string])[] {
  const keys = link.ends.map((end) => boxKey(end.kind, end.name));
  if (isHub(link)) return keys.map((key) => [boxKey('hub', link.name), key] as const);
  const [a, b] = keys;
  return a === undefined || b === undefined ? [] : [[a, b]];
}

function fixedPositions(lab: LabDescription): ReadonlyMap<string, Position> {
  const fixed = new Map<string, Position>();
  const add = (
    kind: MapBox['kind'],
    objects: readonly { name: string; position?: Position | undefined }[],
  ): void => {
    for (const { name, position } of objects)
      if (position !== undefined) fixed.set(boxKey(kind, name), position);
  };
  add('node', lab.nodes);
  add('switch', lab.switches);
  add('port', lab.ports);
  add('hub', lab.links);
  return fixed;
}

function drawLinks(lab: LabDescription, boxes: ReadonlyMap<string, MapBox>): readonly MapLinkShape[] {
  const lanes = countLanes(lab.links);
  return lab.links.map((link) => {
    const segments = isHub(link)
      ? hubSegments(link, boxes)
      : lineSegments(link, boxes, lanes.get(link.name) ?? 0);
    const hub = boxes.get(boxKey('hub', link.name));
    const line = segments[0];
    const middle = line === undefined ? { x: 0, y: 0 } : midpoint(line.from, line.to);
    return { link, segments, label: hub === undefined ? middle : { x: hub.x, y: hub.y - 32 } };
  });
}

/** For each link its sideways offset among the links between the same two boxes. */
function countLanes(links: readonly LinkDescription[]): ReadonlyMap<string, number> {
  const groups = groupBy(
    links.filter((link) => !isHub(link)),
    (link) => pairKey(link),
  );
  const lanes = new Map<string, number>();
  for (const group of groups.values()) {
    group.forEach((link, index) => lanes.set(link.name, (index - (group.length - 1) / 2) * parallelGap));
  }
  return lanes;
}

function pairKey(link: LinkDescription): string {
  return link.ends
    .map((end) => boxKey(end.kind, end.name))
    .sort()
    .join(' ');
}

function lineSegments(
  link: LinkDescription,
  boxes: ReadonlyMap<string, MapBox>,
  lane: number,
): readonly MapSegment[] {
  const [first, second] = link.ends;
  if (first === undefined || second === undefined) return [];
  const a = boxes.get(boxKey(first.kind, first.name));
  const b = boxes.get(boxKey(second.kind, second.name));
  if (a === undefined || b === undefined) return [];
  // The offset is taken in the direction of the sorted pair, so that both ends agree on the side.
  const side = a.key <= b.key ? lane : -lane;
  const shift = perpendicular(a, b, side);
  return [
    {
      key: link.name,
      link: link.name,
      from: borderPoint(a, b, shift),
      to: borderPoint(b, a, shift),
      fromEnd: 0,
      toEnd: 1,
      fromLabel: first.interface ?? '',
      toLabel: second.interface ?? '',
    },
  ];
}

function hubSegments(link: LinkDescription, boxes: ReadonlyMap<string, MapBox>): readonly MapSegment[] {
  const hub = boxes.get(boxKey('hub', link.name));
  if (hub === undefined) return [];
  return link.ends.flatMap((end, index) => {
    const box = boxes.get(boxKey(end.kind, end.name));
    if (box === undefined) return [];
    const none = { x: 0, y: 0 };
    return [
      {
        key: `${link.name} ${linkEndText(end)}`,
        link: link.name,
        from: borderPoint(box, hub, none),
        to: borderPoint(hub, box, none),
        fromEnd: index,
        toEnd: undefined,
        fromLabel: end.interface ?? '',
        toLabel: '',
      },
    ];
  });
}

function perpendicular(a: Position, b: Position, distance: number): Position {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  return { x: (-(b.y - a.y) / length) * distance, y: ((b.x - a.x) / length) * distance };
}

/** Where the line from `box` towards `other`, moved sideways by `shift`, leaves the box. */
function borderPoint(box: MapBox, other: Position, shift: Position): Position {
  const dx = other.x - box.x;
  const dy = other.y - box.y;
  const reach = Math.min(
    dx === 0 ? Infinity : (box.width / 2 - Math.sign(dx) * shift.x) / Math.abs(dx),
    dy === 0 ? Infinity : (box.height / 2 - Math.sign(dy) * shift.y) / Math.abs(dy),
  );
  const along = Number.isFinite(reach) ? reach : 0;
  return { x: box.x + shift.x + dx * along, y: box.y + shift.y + dy * along };
}

function midpoint(a: Position, b: Position): Position {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function boundsOf(boxes: readonly MapBox[]): MapScene['bounds'] {
  if (boxes.length === 0) return { left: 0, top: 0, width: 0, height: 0 };
  // Not Math.min(...values): a lab may have more boxes than a call may have arguments.
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const box of boxes) {
    left = Math.min(left, box.x - box.width / 2);
    right = Math.max(right, box.x + box.width / 2);
    top = Math.min(top, box.y - box.height / 2);
    bottom = Math.max(bottom, box.y + box.height / 2);
  }
  return { left, top, width: right - left, height: bottom - top };
}
