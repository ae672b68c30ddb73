/**
 * The lab as boxes and lines: what the map draws, computed from the description alone. A link with more than two
 * ends becomes a hub, a small box of its own with a line to every end.
 */
import type { LabDescription, Position } from '../../main/api/model.ts';
import { layoutBoxes } from './layout.ts';
import { drawLinks, isHub, linkEdges } from './link-shapes.ts';
import { boxKey, type MapBox, type MapLinkShape, type MapScene } from './shapes.ts';

export const boxWidth = 178;
export const headerHeight = 44;
export const rowHeight = 20;
/** Interfaces listed in a node's box; more are counted in one last row. */
export const maxRows = 4;

export function buildScene(lab: LabDescription): MapScene {
  const sizes = measureBoxes(lab);
  const edges = lab.links.flatMap((link) => linkEdges(link));
  const fixed = stretchPositions(fixedPositions(lab), sizes, edges);
  const placed = layoutBoxes(sizes, edges);
  const boxes = sizes.map((size) => ({
    ...size,
    ...(fixed.get(size.key) ?? placed.get(size.key) ?? { x: 0, y: 0 }),
  }));
  const byKey = new Map(boxes.map((box) => [box.key, box]));
  const links = drawLinks(lab, byKey);
  return { boxes, links, bounds: boundsOf(boxes, links) };
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

/** Room between two linked boxes for the link and what is written beside it. */
const linkRoom = { x: 168, y: 76 };
const maxStretch = 4;

/** A lab file's positions may be closer than these boxes allow: then the whole arrangement is drawn larger. */
function stretchPositions(
  positions: ReadonlyMap<string, Position>,
  sizes: readonly BoxSize[],
  edges: readonly (readonly [string, string])[],
): ReadonlyMap<string, Position> {
  const bySize = new Map(sizes.map((size) => [size.key, size]));
  let [stretchX, stretchY] = [1, 1];
  for (const [first, second] of edges) {
    const [a, b] = [positions.get(first), positions.get(second)];
    const [sizeA, sizeB] = [bySize.get(first), bySize.get(second)];
    if (a === undefined || b === undefined || sizeA === undefined || sizeB === undefined) continue;
    const [dx, dy] = [Math.abs(a.x - b.x), Math.abs(a.y - b.y)];
    if (dx === 0 && dy === 0) continue;
    if (dx >= dy) stretchX = Math.max(stretchX, ((sizeA.width + sizeB.width) / 2 + linkRoom.x) / dx);
    else stretchY = Math.max(stretchY, ((sizeA.height + sizeB.height) / 2 + linkRoom.y) / dy);
  }
  const [fx, fy] = [Math.min(stretchX, maxStretch), Math.min(stretchY, maxStretch)];
  return new Map([...positions].map(([key, { x, y }]) => [key, { x: x * fx, y: y * fy }]));
}

/** Map units that a character of a label is wide, and lines of it are high; generous. */
const character = { width: 6.2, height: 28 };

function boundsOf(boxes: readonly MapBox[], links: readonly MapLinkShape[]): MapScene['bounds'] {
  if (boxes.length === 0) return { left: 0, top: 0, width: 0, height: 0 };
  // Not Math.min(...values): a lab may have more boxes than a call may have arguments.
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const include = (x: number, y: number, width: number, height: number): void => {
    left = Math.min(left, x);
    right = Math.max(right, x + width);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + height);
  };
  for (const { x, y, width, height } of boxes) include(x - width / 2, y - height / 2, width, height);
  for (const { link, name } of links) {
    const width = Math.max(link.name.length, link.impairments.length) * character.width;
    const before = { start: 0, middle: 0.5, end: 1 }[name.anchor];
    include(name.x - width * before, name.y - character.height, width, character.height);
  }
  return { left, top, width: right - left, height: bottom - top };
}
