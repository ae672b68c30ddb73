/**
 * Large labs are mostly switches with many nodes that lead nowhere else. Such a switch and its nodes are laid out as
 * one block: the nodes in a grid, the switch above its middle.
 */
import type { Position } from '../../main/api/model.ts';

export interface LayoutBox {
  readonly key: string;
  readonly width: number;
  readonly height: number;
}

/** The keys that each key is linked to. */
export type Neighbours = ReadonlyMap<string, readonly string[]>;

/** So many boxes with no other neighbour make a block. */
const blockSize = 8;
/** A lab that is one star alone looks better with nodes on both sides until it has this many. */
const starSize = 15;
const gap = { x: 24, y: 24, below: 60 };
/** How much wider than high a block shall be. */
const aspect = 1.6;

export interface Clusters {
  /** The boxes to lay out: blocks in place of what they contain. A block has the key of its middle. */
  readonly boxes: readonly LayoutBox[];
  /** Places within each block, from its upper left corner. */
  readonly blocks: ReadonlyMap<string, ReadonlyMap<string, Position>>;
}

export function findClusters(boxes: readonly LayoutBox[], neighbours: Neighbours): Clusters {
  const sizes = new Map(boxes.map((box) => [box.key, box]));
  const blocks = new Map<string, ReadonlyMap<string, Position>>();
  const inside = new Set<string>();
  const outer = new Map<string, LayoutBox>();
  for (const box of boxes) {
    const leaves = (neighbours.get(box.key) ?? []).filter((key) => neighbours.get(key)?.length === 1);
    const isStar = leaves.length === neighbours.get(box.key)?.length;
    if (leaves.length < (isStar ? starSize : blockSize)) continue;
    const members = leaves.flatMap((key) => sizes.get(key) ?? []);
    const { places, width, height } = arrange(box, members);
    blocks.set(box.key, places);
    outer.set(box.key, { key: box.key, width, height });
    for (const { key } of members) inside.add(key);
  }
  const kept = boxes.filter(({ key }) => !inside.has(key)).map((box) => outer.get(box.key) ?? box);
  return { boxes: kept, blocks };
}

function arrange(
  middle: LayoutBox,
  members: readonly LayoutBox[],
): { readonly places: ReadonlyMap<string, Position>; readonly width: number; readonly height: number } {
  const cell = members.reduce(
    (largest, { width, height }) => ({
      width: Math.max(largest.width, width + gap.x),
      height: Math.max(largest.height, height + gap.y),
    }),
    { width: 0, height: 0 },
  );
  const columns = Math.ceil(Math.sqrt((members.length * cell.height * aspect) / cell.width));
  const rows = Math.ceil(members.length / columns);
  const top = middle.height + gap.below;
  const places = new Map<string, Position>([
    [middle.key, { x: (columns * cell.width) / 2, y: middle.height / 2 }],
  ]);
  members.forEach(({ key }, index) => {
    const [column, row] = [index % columns, Math.floor(index / columns)];
    places.set(key, { x: (column + 0.5) * cell.width, y: top + (row + 0.5) * cell.height });
  });
  return { places, width: columns * cell.width, height: top + rows * cell.height };
}
