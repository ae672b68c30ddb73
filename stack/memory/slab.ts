/**
 * Slabs: fixed arrays of records of one struct in the one memory, with a free list.
 * A full slab is an ordinary answer (address 0) that its caller turns into ENOBUFS; it is counted and shown by `netstat -m`.
 */
import { debugPool, region, u32, u8 } from './memory.ts';
import { breakLock, lock, unlock } from './lock.ts';
import { struct } from './struct.ts';
import type { Fields, Struct, View } from './struct.ts';
import { declareUsage } from './usage.ts';

const slabHeader = struct('slabHeader', {
  lock: 'i32',
  /** First free record that has been used before, linked through its first word. */
  free: 'ptr',
  /** Records from here on have never been used: their pages are untouched. */
  fresh: 'u32',
  inUse: 'u32',
  highWater: 'u32',
  failures: 'u32',
});

/** The figures of a slab or a buffer pool that `netstat -m` shows. */
export interface SlabReport {
  readonly name: string;
  readonly recordBytes: number;
  readonly capacity: number;
  readonly inUse: number;
  readonly highWater: number;
  readonly failures: number;
}

export interface Slab<F extends Fields> {
  readonly name: string;
  readonly capacity: number;
  readonly base: number;
  readonly struct: Struct<F>;
  /** A zeroed record, or 0 when the slab is exhausted. */
  alloc(): number;
  /** Gives a record back. Throws on an address that is not in use: that is a fault of the stack itself. */
  free(ptr: number): void;
  /** The view of a record; one per record and thread, made on first use. */
  get(ptr: number): View<F>;
  /** Position of a record in the slab, 0-based. */
  indexOf(ptr: number): number;
  /** Calls back for each record in use. */
  each(visit: (record: View<F>) => void): void;
  report(): SlabReport;
}

const known: (() => SlabReport)[] = [];
const locks: number[] = [];
const ceilings = new Map<string, number>();

/** Reports of all slabs this thread has opened, in the order in which they were declared. */
export function slabReports(): SlabReport[] {
  return known.map((report) => report());
}

/** Frees the locks of slabs that a dead thread holds. */
export function breakSlabLocks(thread: number): void {
  for (const at of locks) breakLock(at, thread);
}

/** Lowers how many records a slab hands out, to show what exhaustion does; undefined restores it. Holds for this thread. */
export function limitSlab(name: string, records: number | undefined): void {
  if (records === undefined) ceilings.delete(name);
  else ceilings.set(name, records);
}

const POISON = 0xdb;

/** Opens the slab `s.name` with room for `capacity` records. All threads must give the same capacity. */
export function slab<F extends Fields>(s: Struct<F>, capacity: number): Slab<F> {
  // The byte map says which records are in use: 1 in use, 0 free.
  const regionName = `slab:${s.name}`;
  const place = region(regionName, slabHeader.size + capacity + 64 + s.size * capacity);
  const header = slabHeader.at(place);
  const used = place + slabHeader.size;
  const base = (used + capacity + 63) & ~63;
  const size = s.size;
  const views: View<F>[] = [];
  const lockAt = header.ptr;
  const name = s.name;

  // A multiplication is several times as fast as a division; the half keeps its rounding from falling short of a whole number.
  const perByte = 1 / size;

  function indexOf(ptr: number): number {
    return ((ptr - base) * perByte + 0.5) | 0;
  }

  function isUsed(ptr: number): boolean {
    const index = indexOf(ptr);
    return index >= 0 && index < capacity && base + index * size === ptr && u8[used + index] === 1;
  }

  function checkRecycled(ptr: number): void {
    // The first word links the free list.
    for (let p = ptr + 4; p < ptr + size; p++) {
      if (u8[p] !== POISON)
        throw new Error(`${name} ${ptr}: written to at offset ${p - ptr} after it was freed`);
    }
  }

  function take(): number {
    if (header.inUse >= (ceilings.get(name) ?? capacity)) return 0;
    const recycled = header.free;
    if (recycled !== 0) {
      header.free = u32[recycled >>> 2]!;
      return recycled;
    }
    if (header.fresh === capacity) return 0;
    return base + size * header.fresh++;
  }

  function alloc(): number {
    lock(lockAt);
    const fresh = header.fresh;
    const ptr = take();
    if (ptr === 0) {
      header.failures++;
      unlock(lockAt);
      return 0;
    }
    const recycled = header.fresh === fresh;
    if (++header.inUse > header.highWater) header.highWater = header.inUse;
    unlock(lockAt);
    if (debugPool && recycled) checkRecycled(ptr);
    if (recycled) u32.fill(0, ptr >>> 2, (ptr + size) >>> 2);
    // Last, so that each() in another thread shows no record that is not clean yet.
    u8[used + indexOf(ptr)] = 1;
    return ptr;
  }

  function free(ptr: number): void {
    lock(lockAt);
    if (!isUsed(ptr)) {
      unlock(lockAt);
      throw new Error(`${name}: record ${ptr} is freed but not in use`);
    }
    u8[used + indexOf(ptr)] = 0;
    if (debugPool) u8.fill(POISON, ptr, ptr + size);
    u32[ptr >>> 2] = header.free;
    header.free = ptr;
    header.inUse--;
    unlock(lockAt);
  }

  function get(ptr: number): View<F> {
    return views[((ptr - base) * perByte + 0.5) | 0] ?? growViews(ptr);
  }

  function growViews(ptr: number): View<F> {
    const index = indexOf(ptr);
    if (!(ptr >= base && index < capacity)) throw new Error(`${name}: there is no record at ${ptr}`);
    // Filled upwards without holes, so that the array stays of the packed kind.
    for (let i = views.length; i <= index; i++) views.push(s.at(base + i * size));
    return views[index]!;
  }

  const report = (): SlabReport => ({
    name,
    recordBytes: size,
    capacity,
    inUse: header.inUse,
    highWater: header.highWater,
    failures: header.failures,
  });
  declareUsage(regionName, {
    extents: () => [
      { from: place, to: used + header.fresh },
      { from: base, to: base + size * header.fresh },
    ],
    records: { base, stride: size, struct: s, used: () => header.fresh },
  });
  known.push(report);
  locks.push(lockAt);
  return {
    name,
    capacity,
    base,
    struct: s,
    alloc,
    free,
    get,
    indexOf,
    each(visit) {
      const end = header.fresh;
      for (let i = 0; i < end; i++) if (u8[used + i] === 1) visit(get(base + i * size));
    },
    report,
  };
}
