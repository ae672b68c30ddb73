/**
 * Pools of buffers of one size in the one memory, after Bonwick and Adams' magazines (USENIX 2001): each thread takes and gives buffers
 * from a magazine of its own without a lock and exchanges 32 at a time with a list that all threads share.
 */
import { maxThreads, region, selfThread, u32 as sharedU32 } from './memory.ts';
import { breakLock, lock, unlock } from './lock.ts';
import { struct } from './struct.ts';
import type { Fields, Struct, ViewOf } from './struct.ts';
import type { SlabReport } from './slab.ts';
import { declareUsage } from './usage.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u32 = sharedU32;

const poolStruct = struct('bufferPool', {
  lock: 'i32',
  free: 'ptr',
  fresh: 'u32',
  shared: 'u32',
  highWater: 'u32',
  failures: 'u32',
  /** Buffers kept back by limitMbufs. */
  withheld: 'u32',
});
const magazineStruct = struct('magazine', { count: 'u32', slots: { bytes: 64 * 4 } });
const MAGAZINE = 64;
const EXCHANGE = 32;
const SLOTS = magazineStruct.offsets.slots >>> 2;

/** One kind of buffer: its storage and the shared list behind the magazines. */
export interface BufferPool {
  readonly name: string;
  readonly size: number;
  readonly capacity: number;
  readonly base: number;
  readonly header: ViewOf<typeof poolStruct>;
  readonly magazines: number;
  /** This thread's magazine, as a word: `count` is there, SLOTS behind it. */
  readonly mine: number;
}

/** Opens the pool called `name` of `capacity` buffers of `size` bytes, which begin at a multiple of 2048. @param struct what lies at the start of each. */
export function openPool(name: string, size: number, capacity: number, struct?: Struct<Fields>): BufferPool {
  const header = poolStruct.at(region(`pool:${name}`, poolStruct.size));
  const magazines = region(`magazines:${name}`, magazineStruct.size * maxThreads);
  const buffers = `buffers:${name}`;
  const base = (region(buffers, size * capacity + 2048) + 2047) & ~2047;
  const used = (): number => header.fresh;
  declareUsage(buffers, {
    extents: () => [{ from: base, to: base + size * used() }],
    ...(struct !== undefined && { records: { base, stride: size, struct, used } }),
  });
  const mine = (magazines + selfThread * magazineStruct.size) >>> 2;
  return { name, size, capacity, base, header, magazines, mine };
}

/** Moves up to 32 buffers from the shared list to this thread's empty magazine; returns how many. */
function refill(pool: BufferPool): number {
  const { header, mine } = pool;
  const ceiling = pool.capacity - header.withheld;
  lock(header.ptr);
  let count = 0;
  while (count < EXCHANGE) {
    let ptr = header.free;
    if (ptr !== 0) {
      header.free = u32[ptr >>> 2]!;
      header.shared--;
    } else if (header.fresh < ceiling) {
      ptr = pool.base + pool.size * header.fresh++;
    } else break;
    u32[mine + SLOTS + count++] = ptr;
  }
  u32[mine] = count;
  if (count === 0) header.failures++;
  const out = header.fresh - header.shared;
  if (out > header.highWater) header.highWater = out;
  unlock(header.ptr);
  return count;
}

/** Moves 32 buffers from this thread's full magazine to the shared list. */
function spill(pool: BufferPool): void {
  const { header, mine } = pool;
  lock(header.ptr);
  for (let n = 0; n < EXCHANGE; n++) {
    // Out of the magazine first: a thread that is stopped here loses a buffer, but leaves none in two places.
    const count = u32[mine]! - 1;
    u32[mine] = count;
    const ptr = u32[mine + SLOTS + count]!;
    u32[ptr >>> 2] = header.free;
    header.free = ptr;
    header.shared++;
  }
  unlock(header.ptr);
}

/** A buffer, or 0 when all are in use (counted). */
export function takeFrom(pool: BufferPool): number {
  const mine = pool.mine;
  const had = u32[mine]!;
  const count = had === 0 ? refill(pool) : had;
  if (count === 0) return 0;
  u32[mine] = count - 1;
  return u32[mine + SLOTS + count - 1]!;
}

/** Gives a buffer back. */
export function giveTo(pool: BufferPool, ptr: number): void {
  const mine = pool.mine;
  if (u32[mine] === MAGAZINE) spill(pool);
  const count = u32[mine]!;
  u32[mine + SLOTS + count] = ptr;
  u32[mine] = count + 1;
}

/** Buffers that are neither on the shared list nor in a magazine. Exact while no thread takes or gives. */
function inUse(pool: BufferPool): number {
  let count = pool.header.fresh - pool.header.shared;
  for (let thread = 0; thread < maxThreads; thread++) {
    count -= u32[(pool.magazines + thread * magazineStruct.size) >>> 2]!;
  }
  return count;
}

/** Figures for `netstat -m`; what waits in magazines counts as used in the high-water mark. */
export function poolReport(pool: BufferPool): SlabReport {
  const used = inUse(pool);
  const { header } = pool;
  return {
    name: pool.name,
    recordBytes: pool.size,
    capacity: pool.capacity - header.withheld,
    inUse: used,
    highWater: header.highWater,
    failures: header.failures,
  };
}

/** Lowers how many buffers exist to `count`. Only those can be kept back that were never handed out. */
export function limitPool(pool: BufferPool, count: number): void {
  pool.header.withheld = Math.max(0, pool.capacity - count);
}

/** Puts what a dead thread kept in its magazine back on the shared list, and frees the lock of that if it died with it. */
export function reclaimMagazine(pool: BufferPool, thread: number): void {
  const { header } = pool;
  const magazine = magazineStruct.at(pool.magazines + thread * magazineStruct.size);
  breakLock(header.ptr, thread);
  lock(header.ptr);
  for (let i = 0; i < magazine.count; i++) {
    const ptr = u32[(magazine.slots >>> 2) + i]!;
    u32[ptr >>> 2] = header.free;
    header.free = ptr;
    header.shared++;
  }
  magazine.count = 0;
  unlock(header.ptr);
}
