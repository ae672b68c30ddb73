/**
 * Interfaces as PF knows them, by name: whether they are filtered (`set skip`), and what has passed and was blocked there. One record a name, kept while PF is loaded.
 */
import { f64, getText, putText } from '../../memory/memory.ts';
import { PFIL_IN } from '../../net/pfil.ts';
import { ifnets, interfaceName } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import { now } from '../../runtime/clock.ts';
import { IFNAME, kifStruct, kifs } from './records.ts';
import type { Kif, Pf } from './records.ts';

interface Cached {
  readonly generation: number;
  readonly ifp: number;
  readonly kif: Kif | undefined;
}
const cache: (Cached | undefined)[] = [];

/** The record of a name, 0 if there is none. */
export function findKif(pf: Pf, name: string): number {
  for (let ptr = pf.kifs; ptr !== 0; ptr = kifs.get(ptr).next)
    if (getText(kifs.get(ptr).name, IFNAME) === name) return ptr;
  return 0;
}

/** The record of a name, made if there is none; 0 when there is no room. */
export function makeKif(pf: Pf, name: string): number {
  const known = findKif(pf, name);
  if (known !== 0) return known;
  const ptr = kifs.alloc();
  if (ptr === 0) return 0;
  const kif = kifs.get(ptr);
  putText(kif.name, IFNAME, name);
  kif.cleared = now();
  kif.next = pf.kifs;
  pf.kifs = ptr;
  return ptr;
}

/** The record of an interface; undefined when there is no room for one. */
export function kifOf(pf: Pf, ifp: Ifnet): Kif | undefined {
  const index = ifnets.indexOf(ifp.ptr);
  const known = cache[index];
  if (known?.generation === pf.generation) return known.kif;
  const ptr = makeKif(pf, interfaceName(ifp));
  const kif = ptr === 0 ? undefined : kifs.get(ptr);
  while (cache.length <= index) cache.push(undefined);
  cache[index] = { generation: pf.generation, ifp: ifp.ptr, kif };
  return kif;
}

const { inPass, inBlock, outPass, outBlock } = kifStruct.offsets;

/** Counts a packet on an interface. */
export function countKif(kif: Kif | undefined, direction: number, passed: boolean, bytes: number): void {
  if (kif === undefined) return;
  const offset = direction === PFIL_IN ? (passed ? inPass : inBlock) : passed ? outPass : outBlock;
  f64[(kif.ptr + offset) >>> 3]!++;
  f64[((kif.ptr + offset) >>> 3) + 1]! += bytes;
}

/** Frees all. */
export function freeKifs(pf: Pf): void {
  while (pf.kifs !== 0) {
    const { next } = kifs.get(pf.kifs);
    kifs.free(pf.kifs);
    pf.kifs = next;
  }
}
