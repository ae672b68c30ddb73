/**
 * What lies in the one memory without being part of a lab: places where somebody only looks on. A run is the same run whether packets are captured, followed and
 * traced or not, so images, digests and comparisons of the memory leave these out. Everything else is part of the lab.
 */
import { mbufStruct } from '../../../stack/memory/mbuf.ts';
import type { Fields, Struct } from '../../../stack/memory/struct.ts';
import { ifnetStruct } from '../../../stack/net/ifnet.ts';
import { linkStruct } from '../link-record.ts';

/** Regions that a new lab finds as its predecessor has left them: rings whose readers know how far they have read. */
const RINGS: ReadonlySet<string> = new Set([
  'trace header',
  'trace entries',
  'journey header',
  'journey entries',
  'capture ring',
]);

/** Regions that are cleared for a new lab and otherwise not looked at: the capture points, and whether thread 0 has been rung. */
const PASSING: ReadonlySet<string> = new Set(['capture ring header', 'slab:tap', 'bell']);

interface ObserverField {
  readonly struct: Struct<Fields>;
  readonly field: string;
}

/** Fields of records that belong to observers: the heads of lists of capture points, the number under which a packet is followed. All are 32 bits wide. */
export const OBSERVER_FIELDS: readonly ObserverField[] = [
  { struct: ifnetStruct, field: 'taps' },
  { struct: linkStruct, field: 'taps' },
  { struct: mbufStruct, field: 'journey' },
];

/** True if a region stays as it is when the memory is cleared. */
export function survivesReset(region: string): boolean {
  return RINGS.has(region);
}

/** True if a region is no part of the lab's state. */
export function isObservers(region: string): boolean {
  return RINGS.has(region) || PASSING.has(region);
}
