/**
 * Where boxes stand when the lab file does not say: deterministic and left to right. A tree grows from its centre
 * to both sides; a network with cycles is layered by distance from one end of its longest shortest path. Within a
 * column, boxes are ordered by the mean place of their neighbours (barycentre heuristic, Sugiyama et al. 1981).
 */
import type { Position } from '../../main/api/model.ts';
import { groupBy } from '../group-by.ts';
import { findClusters, type Clusters, type LayoutBox, type Neighbours } from './clusters.ts';

const columnGap = 168;
const rowGap = 40;
const groupGap = 90;
/** Boxes in a column before it is broken into several. */
const shortColumn = 7;
/** Columns in a row before it is broken into several. */
const longRow = 12;

export function layoutBoxes(
  boxes: readonly LayoutBox[],
  edges: readonly (readonly [string, string])[],
): ReadonlyMap<string, Position> {
  const clusters = findClusters(boxes, collectNeighbours(boxes, edges));
  const sizes = new Map(clusters.boxes.map((box) => [box.key, box]));
  const neighbours = collectNeighbours(clusters.boxes, edges);
  const groups = connectedGroups(clusters.boxes, neighbours).map((keys) => {
    const columns = breakColumns(orderColumns(assignColumns(keys, neighbours), neighbours));
    return stackRows(wrapColumns(columns).map((row) => placeColumns(row, sizes)));
  });
  return openBlocks(packGroups(groups), clusters, sizes);
}

/** Puts the contents of each block where the block is. */
function openBlocks(
  positions: ReadonlyMap<string, Position>,
  clusters: Clusters,
  sizes: ReadonlyMap<string, LayoutBox>,
): ReadonlyMap<string, Position> {
  const all = new Map(positions);
  for (const [key, places] of clusters.blocks) {
    const [centre, size] = [positions.get(key), sizes.get(key)];
    if (centre === undefined || size === undefined) continue;
    for (const [inner, { x, y }] of places) {
      all.set(inner, { x: centre.x - size.width / 2 + x, y: centre.y - size.height / 2 + y });
    }
  }
  return all;
}

function collectNeighbours(
  boxes: readonly LayoutBox[],
  edges: readonly (readonly [string, string])[],
): Neighbours {
  const sets = new Map(boxes.map((box) => [box.key, new Set<string>()]));
  for (const [a, b] of edges) {
    if (a === b) continue;
    sets.get(a)?.add(b);
    sets.get(b)?.add(a);
  }
  return new Map([...sets].map(([key, set]) => [key, [...set].filter((other) => sets.has(other))]));
}

/** Breadth-first: every reachable key with its distance and the key it was reached from, in order of distance. */
function search(
  start: string,
  neighbours: Neighbours,
): ReadonlyMap<string, { distance: number; parent: string }> {
  const found = new Map([[start, { distance: 0, parent: start }]]);
  for (const [key, { distance }] of found) {
    for (const next of neighbours.get(key) ?? []) {
      if (!found.has(next)) found.set(next, { distance: distance + 1, parent: key });
    }
  }
  return found;
}

function connectedGroups(
  boxes: readonly LayoutBox[],
  neighbours: Neighbours,
): readonly (readonly string[])[] {
  const seen = new Set<string>();
  const groups: (readonly string[])[] = [];
  for (const { key } of boxes) {
    if (seen.has(key)) continue;
    const reached = search(key, neighbours);
    for (const other of reached.keys()) seen.add(other);
    groups.push(boxes.filter((box) => reached.has(box.key)).map((box) => box.key));
  }
  return groups;
}

/** The columns of one connected group, left to right. */
function assignColumns(keys: readonly string[], neighbours: Neighbours): readonly (readonly string[])[] {
  const first = keys[0] ?? '';
  const oneEnd = [...search(first, neighbours).keys()].at(-1) ?? first;
  const path = fromEarlierEnd(pathToFarthest(oneEnd, neighbours), keys);
  const edgeCount = keys.reduce((sum, key) => sum + (neighbours.get(key)?.length ?? 0), 0) / 2;
  const places =
    edgeCount === keys.length - 1
      ? placesFromCentre(path[Math.floor((path.length - 1) / 2)] ?? first, keys, neighbours)
      : placesFromEnd(path[0] ?? first, neighbours);
  const byPlace = groupBy(keys, (key) => places.get(key) ?? 0);
  return [...byPlace].sort(([a], [b]) => a - b).map(([, column]) => column);
}

/** A longest shortest path from `start`. In a tree whose far end is `start` this is a diameter. */
function pathToFarthest(start: string, neighbours: Neighbours): readonly string[] {
  const found = search(start, neighbours);
  const path: string[] = [];
  let key = [...found.keys()].at(-1) ?? start;
  while (key !== start) {
    path.push(key);
    key = found.get(key)?.parent ?? start;
  }
  return [...path, start].reverse();
}

/** The path in the direction that begins with the end which the lab declares first. */
function fromEarlierEnd(path: readonly string[], keys: readonly string[]): readonly string[] {
  return keys.indexOf(path[0] ?? '') <= keys.indexOf(path.at(-1) ?? '') ? path : path.toReversed();
}

function placesFromEnd(end: string, neighbours: Neighbours): ReadonlyMap<string, number> {
  return new Map([...search(end, neighbours)].map(([key, { distance }]) => [key, distance]));
}

/** Branches of the centre go left until half of the boxes are there, in the order the lab declares them. */
function placesFromCentre(
  centre: string,
  keys: readonly string[],
  neighbours: Neighbours,
): ReadonlyMap<string, number> {
  const found = search(centre, neighbours);
  const branchOf = new Map<string, string>();
  for (const [key, { distance, parent }] of found) {
    if (distance > 0) branchOf.set(key, distance === 1 ? key : (branchOf.get(parent) ?? key));
  }
  const branches = groupBy(
    keys.filter((key) => key !== centre),
    (key) => branchOf.get(key) ?? key,
  );
  const places = new Map([[centre, 0]]);
  // A branch stays left if most of it fits into the left half.
  const half = (keys.length - 1) / 2;
  let left = 0;
  for (const branch of branches.values()) {
    const side = keys.length > 2 && left + branch.length / 2 <= half ? -1 : 1;
    if (side < 0) left += branch.length;
    for (const key of branch) places.set(key, side * (found.get(key)?.distance ?? 0));
  }
  return places;
}

function orderColumns(
  columns: readonly (readonly string[])[],
  neighbours: Neighbours,
): readonly (readonly string[])[] {
  let ordered = columns;
  for (let sweep = 0; sweep < 2; sweep++) {
    const places = new Map<string, number>();
    for (const column of ordered) {
      column.forEach((key, index) => places.set(key, index - (column.length - 1) / 2));
    }
    const weight = (key: string): number => {
      const around = (neighbours.get(key) ?? []).map((other) => places.get(other) ?? 0);
      return around.length === 0 ? 0 : around.reduce((sum, place) => sum + place, 0) / around.length;
    };
    ordered = ordered.map((column) => column.toSorted((a, b) => weight(a) - weight(b)));
  }
  return ordered;
}

/** A column of hundreds becomes a block about as wide as it is high. */
function breakColumns(columns: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return columns.flatMap((column) => {
    if (column.length <= shortColumn) return [column];
    const rows = Math.max(shortColumn, Math.ceil(Math.sqrt(column.length * 2.5)));
    const parts = Math.ceil(column.length / rows);
    return Array.from({ length: parts }, (_, part) => column.slice(part * rows, (part + 1) * rows));
  });
}

/** Very many columns continue in a second row, and so on, until the whole is not much wider than high. */
function wrapColumns(columns: readonly (readonly string[])[]): readonly (readonly (readonly string[])[])[] {
  if (columns.length <= longRow) return [columns];
  const perRow = Math.max(4, Math.ceil(Math.sqrt(columns.length * 1.5)));
  const rows = Math.ceil(columns.length / perRow);
  return Array.from({ length: rows }, (_, row) => columns.slice(row * perRow, (row + 1) * perRow));
}

function stackRows(rows: readonly PlacedGroup[]): PlacedGroup {
  const positions = new Map<string, Position>();
  let top = 0;
  for (const row of rows) {
    for (const [key, { x, y }] of row.positions) positions.set(key, { x, y: top + y });
    top += row.height + groupGap;
  }
  return { positions, width: Math.max(...rows.map(({ width }) => width)), height: top - groupGap };
}

interface PlacedGroup {
  readonly positions: ReadonlyMap<string, Position>;
  readonly width: number;
  readonly height: number;
}

/** Places a group with its upper left corner at the origin. */
function placeColumns(
  columns: readonly (readonly string[])[],
  sizes: ReadonlyMap<string, LayoutBox>,
): PlacedGroup {
  const heightOf = (key: string): number => sizes.get(key)?.height ?? 0;
  const heights = columns.map((column) => column.reduce((sum, key) => sum + heightOf(key) + rowGap, -rowGap));
  const height = heights.reduce((a, b) => Math.max(a, b), 0);
  const positions = new Map<string, Position>();
  let left = 0;
  columns.forEach((column, index) => {
    const width = column.reduce((widest, key) => Math.max(widest, sizes.get(key)?.width ?? 0), 0);
    let top = (height - (heights[index] ?? 0)) / 2;
    for (const key of column) {
      positions.set(key, { x: left + width / 2, y: top + heightOf(key) / 2 });
      top += heightOf(key) + rowGap;
    }
    left += width + columnGap;
  });
  return { positions, width: left - columnGap, height };
}

/** Groups stand in rows, each row about as wide as the whole is high. */
function packGroups(groups: readonly PlacedGroup[]): ReadonlyMap<string, Position> {
  const area = groups.reduce((sum, group) => sum + (group.width + groupGap) * (group.height + groupGap), 0);
  const widest = groups.reduce((width, group) => Math.max(width, group.width), 0);
  const rowWidth = Math.max(widest, Math.sqrt(area) * 1.5);
  const all = new Map<string, Position>();
  let [left, top, rowHeight] = [0, 0, 0];
  for (const group of groups) {
    if (left > 0 && left + group.width > rowWidth) {
      top += rowHeight + groupGap;
      left = 0;
      rowHeight = 0;
    }
    for (const [key, { x, y }] of group.positions) all.set(key, { x: left + x, y: top + y });
    left += group.width + groupGap;
    rowHeight = Math.max(rowHeight, group.height);
  }
  return all;
}
