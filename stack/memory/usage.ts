/**
 * What of the one memory has been used: whoever opens a region that is mostly untouched says here how far it goes by now, and which records lie in it. What nobody
 * says anything about counts as used. Those who copy, compare or clear the memory ask here, so that they touch no page that nobody has touched.
 */
import { openedRegions } from './memory.ts';
import type { Region } from './memory.ts';
import type { Fields, Struct } from './struct.ts';

/** A part of the memory: addresses from `from` up to `to`, exclusive. */
export interface Extent {
  readonly from: number;
  readonly to: number;
}

/** Records of one struct, `stride` bytes apart. */
export interface RecordTable {
  readonly base: number;
  readonly stride: number;
  readonly struct: Struct<Fields>;
  /** Records from here on have never been used. */
  used(): number;
}

export interface RegionUsage {
  extents(): readonly Extent[];
  readonly records?: RecordTable;
}

const usages = new Map<string, RegionUsage>();

/** Says how far a region is used. */
export function declareUsage(region: string, usage: RegionUsage): void {
  usages.set(region, usage);
}

/** The parts of a region that may hold something. */
export function usedExtents({ name, address, bytes }: Region): readonly Extent[] {
  return usages.get(name)?.extents() ?? [{ from: address, to: address + bytes }];
}

/** The records that lie in a region, if it is known to hold any. */
export function recordsIn(region: string): RecordTable | undefined {
  return usages.get(region)?.records;
}

/** The region that an address lies in. */
export function regionAt(address: number): Region | undefined {
  return openedRegions().find(
    (region) => address >= region.address && address < region.address + region.bytes,
  );
}
