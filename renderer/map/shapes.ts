/** What the map is made of: boxes, and links as lines between them. Map units are CSS pixels at 100 %. */
import type { LinkDescription, Position } from '../../main/api/model.ts';
import type { LabObject } from '../stores/topology.ts';

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

/** Lines of text beside a link: `y` is the baseline of the last line if it grows upwards, else of the first. */
export interface TextPlace extends Position {
  readonly anchor: 'start' | 'middle' | 'end';
  readonly grows: 'up' | 'down';
}

export interface MapLinkShape {
  readonly link: LinkDescription;
  readonly segments: readonly MapSegment[];
  readonly middle: Position;
  /** Where its name and impairments stand: on one side of the line, away from it. */
  readonly name: TextPlace;
  /** Where its rates stand, on the other side; a hub's rates stand on its lines. */
  readonly rates: TextPlace;
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

export function boxKey(kind: MapBox['kind'], name: string): string {
  return `${kind}:${name}`;
}

/** What a box stands for in the outline and the details; a hub is its link. */
export function boxObject(box: MapBox): LabObject {
  return { kind: box.kind === 'hub' ? 'link' : box.kind, name: box.name };
}
