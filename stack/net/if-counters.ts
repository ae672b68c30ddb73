/**
 * Resetting what an interface has counted (nicinfo -r).
 */
import { f64, i32 } from '../memory/memory.ts';
import { ifnetStruct } from './ifnet.ts';
import type { Ifnet } from './ifnet.ts';

/** Resets the counters of an interface. */
export function clearCounters(ifp: Ifnet): void {
  for (const field of [
    'ipackets',
    'ierrors',
    'ibytes',
    'imcasts',
    'iqdrops',
    'noproto',
    'opackets',
    'oerrors',
    'obytes',
    'omcasts',
    'collisions',
  ] as const) {
    f64[(ifp.ptr + ifnetStruct.offsets[field]) >>> 3] = 0;
  }
  i32[(ifp.ptr + ifnetStruct.offsets.send + DROPS) >>> 2] = 0;
}
const DROPS = 20;
