/** Links as lines between boxes, and where the text beside each line has room. */
import type { LabDescription, LinkDescription, LinkEnd, Position } from '../../main/api/model.ts';
import { groupBy } from '../group-by.ts';
import { linkEndText } from '../stores/topology.ts';
import { boxKey, type MapBox, type MapLinkShape, type MapSegment, type TextPlace } from './shapes.ts';

const noShift: Position = { x: 0, y: 0 };

/** Distance between parallel links of the same two boxes. */
const parallelGap = 26;

/** More than two ends are joined in a hub; fewer are shown as one, too. */
export function isHub(link: LinkDescription): boolean {
  return link.ends.length !== 2;
}

/** Which boxes a link joins, as pairs of keys. */
export function linkEdges(link: LinkDescription): readonly (readonly [string, string])[] {
  const keys = link.ends.map((end) => boxKey(end.kind, end.name));
  if (isHub(link)) return keys.map((key) => [boxKey('hub', link.name), key] as const);
  const [a, b] = keys;
  return a === undefined || b === undefined ? [] : [[a, b]];
}

/** @param lab its links, drawn between `boxes` by their keys. */
export function drawLinks(lab: LabDescription, boxes: ReadonlyMap<string, MapBox>): readonly MapLinkShape[] {
  const lanes = countLanes(lab.links);
  const endLabel = endLabels(lab);
  return lab.links.map((link) => {
    const segments = isHub(link)
      ? hubSegments(link, boxes, endLabel)
      : lineSegments(link, boxes, lanes.get(link.name) ?? 0, endLabel);
    const hub = boxes.get(boxKey('hub', link.name));
    const line = segments[0];
    const middle = hub ?? (line === undefined ? { x: 0, y: 0 } : midpoint(line.from, line.to));
    return { link, segments, middle: { x: middle.x, y: middle.y }, ...textPlaces(hub, line, middle) };
  });
}

type EndLabel = (end: LinkEnd) => string;

/** Names the interface where a node has several; where it has one, its box says which. */
function endLabels(lab: LabDescription): EndLabel {
  const several = new Set(
    lab.nodes.filter(({ interfaces }) => interfaces.length > 1).map(({ name }) => name),
  );
  return (end) => (several.has(end.name) ? (end.interface ?? '') : '');
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
  endLabel: EndLabel,
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
      fromLabel: endLabel(first),
      toLabel: endLabel(second),
    },
  ];
}

function hubSegments(
  link: LinkDescription,
  boxes: ReadonlyMap<string, MapBox>,
  endLabel: EndLabel,
): readonly MapSegment[] {
  const hub = boxes.get(boxKey('hub', link.name));
  if (hub === undefined) return [];
  return link.ends.flatMap((end, index) => {
    const box = boxes.get(boxKey(end.kind, end.name));
    if (box === undefined) return [];
    return [
      {
        key: `${link.name} ${linkEndText(end)}`,
        link: link.name,
        from: borderPoint(box, hub, noShift),
        to: borderPoint(hub, box, noShift),
        fromEnd: index,
        toEnd: undefined,
        fromLabel: endLabel(end),
        toLabel: '',
      },
    ];
  });
}

/** A line less steep than this counts as level: its texts are centred and lifted clear of it. */
const levelSlope = 0.6;
const textHalfWidth = 44;

/** Beside a level line texts stand above and below it, beside a steep one right and left, else in its free corners. */
function textPlaces(
  hub: MapBox | undefined,
  line: MapSegment | undefined,
  middle: Position,
): Pick<MapLinkShape, 'name' | 'rates'> {
  const { x, y } = middle;
  if (hub !== undefined || line === undefined) {
    const name: TextPlace = { x, y: y - 28, anchor: 'middle', grows: 'up' };
    return { name, rates: { x, y: y + 38, anchor: 'middle', grows: 'down' } };
  }
  const [dx, dy] = [line.to.x - line.from.x, line.to.y - line.from.y];
  if (Math.abs(dy) < Math.abs(dx) * levelSlope) {
    const lift = (Math.abs(dy) / Math.abs(dx)) * textHalfWidth;
    const name: TextPlace = { x, y: y - 9 - lift, anchor: 'middle', grows: 'up' };
    return { name, rates: { x, y: y + 19 + lift, anchor: 'middle', grows: 'down' } };
  }
  if (Math.abs(dx) < Math.abs(dy) * 0.2) {
    const name: TextPlace = { x: x + 12, y: y + 2, anchor: 'start', grows: 'up' };
    return { name, rates: { x: x - 12, y: y - 3, anchor: 'end', grows: 'down' } };
  }
  const falling = dx * dy > 0;
  const name: TextPlace = {
    x: x + (falling ? 10 : -10),
    y: y - 4,
    anchor: falling ? 'start' : 'end',
    grows: 'up',
  };
  const rates: TextPlace = {
    x: x + (falling ? -10 : 10),
    y: y + 13,
    anchor: falling ? 'end' : 'start',
    grows: 'down',
  };
  return { name, rates };
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
