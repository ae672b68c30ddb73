/**
 * mbufs: packet buffers in the one memory, after BSD's mbuf(9): a 256-byte record with 64 bytes of header and room for small
 * packets, or a window on a shared, reference-counted 2 KiB cluster. Threads allocate from magazines of their own and exchange
 * 32 buffers at a time with a shared list. An mbuf has one owner; clusters are what is shared.
 */
import { debugPool, f64, i32, maxThreads, region, selfThread, u32, u8 } from './memory.ts';
import { lock, unlock } from './lock.ts';
import { struct } from './struct.ts';
import type { View, ViewOf } from './struct.ts';
import type { SlabReport } from './slab.ts';

/** Bytes of an mbuf record and of its header; the rest is its own data area. */
export const MSIZE = 256;
export const MHEADER = 64;
export const MLEN = MSIZE - MHEADER;
/** Bytes of a cluster. */
export const MCLBYTES = 2048;
/** Where a frame starts in its cluster, so that the IP header behind 14 bytes of Ethernet is 4-aligned. */
export const ETHER_ALIGN = 2;
/** Room kept in front of a packet's payload for the headers of all layers: 2 + 14 Ethernet + 4 VLAN + 60 IP, rounded. */
export const HEADROOM = 80;

export const mbufStruct = struct('mbuf', {
  /** Next buffer of the same packet. */
  next: 'ptr',
  /** Next packet of a queue; the same offset in every record that can be queued (queue.ts). */
  nextpkt: 'ptr',
  /** Address of the first byte, and how many there are in this buffer. */
  data: 'ptr',
  len: 'u32',
  /** Base of the cluster that `data` points into, or 0 for the buffer's own area. */
  ext: 'ptr',
  /** M_* flags. */
  flags: 'u32',
  /** Bytes of the whole packet; valid with M_PKTHDR. */
  pktLen: 'u32',
  /** Interface on which the packet was received. */
  rcvif: 'ptr',
  /** Free for the layer that owns the packet (a checksum, a sequence number, an address). */
  aux: 'i32',
  aux2: 'i32',
  /** Owner's tag (debug pool): who leaks it. */
  owner: 'u32',
  /** Checksum state: CSUM_* bits. */
  csum: 'u32',
  /** Time in ns of the lab's clock: of receipt, or of delivery while on a link. */
  time: 'f64',
  /** Identity for the journey of a packet; 0 when it is not followed. */
  journey: 'u32',
});

export type Mbuf = ViewOf<typeof mbufStruct>;

/** First buffer of a packet. */
export const M_PKTHDR = 0x0002;
/** Received as link-level broadcast, multicast. */
export const M_BCAST = 0x0100;
export const M_MCAST = 0x0200;
/** The buffer is on a free list: a second free is a fault. */
const M_FREE = 0x8000_0000 | 0;

/** The header checksum of IP, and of TCP or UDP, have been found good (by a device, or because the packet never left the process). */
export const CSUM_IP_GOOD = 1;
export const CSUM_TRANSPORT_GOOD = 2;

/** Who holds a buffer, for the leak report. */
export const OWNERS = [
  'none',
  'driver',
  'link',
  'interface queue',
  'stack queue',
  'arp hold',
  'reassembly',
  'socket send',
  'socket receive',
  'tcp output',
  'icmp',
  'message',
  'program',
  'tcp reassembly',
  'test',
] as const;
export type Owner = (typeof OWNERS)[number];
const ownerIds = new Map<string, number>(OWNERS.map((name, id) => [name, id]));

/** The tag of an owner: look it up once, at module level. */
export function ownerTag(owner: Owner): number {
  return ownerIds.get(owner) ?? 0;
}

export const mbufCapacity = 131_072;
export const clusterCapacity = 65_536;

/** One kind of buffer: its storage and the shared list behind the magazines. */
const poolStruct = struct('bufferPool', {
  lock: 'i32',
  free: 'ptr',
  fresh: 'u32',
  shared: 'u32',
  highWater: 'u32',
  failures: 'u32',
  ceiling: 'u32',
});
const magazineStruct = struct('magazine', { count: 'u32', allocated: 'i32', slots: { bytes: 64 * 4 } });
const MAGAZINE = 64;
const EXCHANGE = 32;

interface BufferPool {
  readonly name: string;
  readonly size: number;
  readonly capacity: number;
  readonly base: number;
  readonly header: ViewOf<typeof poolStruct>;
  readonly magazines: number;
  readonly mine: ViewOf<typeof magazineStruct>;
}

function openPool(name: string, size: number, capacity: number): BufferPool {
  const header = poolStruct.at(region(`pool:${name}`, poolStruct.size));
  const magazines = region(`magazines:${name}`, magazineStruct.size * maxThreads);
  const base = (region(`buffers:${name}`, size * capacity + 2048) + 2047) & ~2047;
  if (header.ceiling === 0) header.ceiling = capacity;
  const mine = magazineStruct.at(magazines + selfThread * magazineStruct.size);
  return { name, size, capacity, base, header, magazines, mine };
}

const mbufs = openPool('mbuf', MSIZE, mbufCapacity);
const clusters = openPool('mbuf cluster', MCLBYTES, clusterCapacity);
const clusterRefs = region('cluster references', clusterCapacity * 4);
const mbufBase = mbufs.base;
const clusterBase = clusters.base;

/** Moves up to 32 buffers from the shared list to this thread's magazine; says whether there is one now. */
function refill(pool: BufferPool): boolean {
  const { header, mine } = pool;
  const slots = mine.slots >>> 2;
  lock(header.ptr);
  let count = mine.count;
  for (let n = 0; n < EXCHANGE; n++) {
    let ptr = header.free;
    if (ptr !== 0) {
      header.free = u32[ptr >>> 2]!;
      header.shared--;
    } else if (header.fresh < header.ceiling) {
      ptr = pool.base + pool.size * header.fresh++;
    } else break;
    u32[slots + count++] = ptr;
  }
  mine.count = count;
  if (count === 0) header.failures++;
  unlock(header.ptr);
  return count > 0;
}

function spill(pool: BufferPool): void {
  const { header, mine } = pool;
  const slots = mine.slots >>> 2;
  lock(header.ptr);
  let count = mine.count;
  for (let n = 0; n < EXCHANGE; n++) {
    const ptr = u32[slots + --count]!;
    u32[ptr >>> 2] = header.free;
    header.free = ptr;
  }
  header.shared += EXCHANGE;
  mine.count = count;
  unlock(header.ptr);
}

function takeFrom(pool: BufferPool): number {
  const mine = pool.mine;
  if (mine.count === 0 && !refill(pool)) return 0;
  const count = mine.count - 1;
  mine.count = count;
  mine.allocated++;
  return u32[(mine.slots >>> 2) + count]!;
}

function giveTo(pool: BufferPool, ptr: number): void {
  const mine = pool.mine;
  if (mine.count === MAGAZINE) spill(pool);
  const count = mine.count;
  u32[(mine.slots >>> 2) + count] = ptr;
  mine.count = count + 1;
  mine.allocated--;
}

const views: Mbuf[] = [];

/** The view of an mbuf; one per buffer and thread. */
export function mbuf(m: number): Mbuf {
  const index = (m - mbufBase) >>> 8;
  return index < views.length ? views[index]! : growViews(index);
}

function growViews(index: number): Mbuf {
  for (let i = views.length; i <= index; i++) views.push(mbufStruct.at(mbufBase + i * MSIZE));
  return views[index]!;
}

const POISON = 0xdb;
const POISON_WORD = 0xdbdbdbdb | 0;

function checkPoison(kind: string, from: number, bytes: number): void {
  for (let word = from >>> 2; word < (from + bytes) >>> 2; word++) {
    if (i32[word] !== POISON_WORD) throw new Error(`${kind} ${from}: written to after it was freed`);
  }
}

/**
 * A packet's first buffer without a cluster, `data` at the start of its own area plus `lead` bytes, length 0. 0 when there is none (ENOBUFS).
 */
export function mGetHeader(owner: number, lead: number): number {
  const m = takeFrom(mbufs);
  if (m === 0) return 0;
  if (debugPool) debugTaken(m);
  const w = m >>> 2;
  u32[w] = 0;
  u32[w + 1] = 0;
  u32[w + 2] = m + MHEADER + lead;
  u32[w + 3] = 0;
  u32[w + 4] = 0;
  u32[w + 5] = M_PKTHDR;
  u32[w + 6] = 0;
  u32[w + 7] = 0;
  i32[w + 8] = 0;
  i32[w + 9] = 0;
  u32[w + 10] = owner;
  u32[w + 11] = 0;
  f64[m >>> 3 | 6] = 0;
  u32[w + 14] = 0;
  return m;
}

function debugTaken(m: number): void {
  if (u32[(m + mbufStruct.offsets.flags) >>> 2] === M_FREE >>> 0) checkPoison('mbuf', m + MHEADER, MLEN);
}

/** A packet's first buffer with a cluster of its own, `data` at its start plus `lead` bytes. 0 when either is exhausted. */
export function mGetCluster(owner: number, lead: number): number {
  const m = mGetHeader(owner, 0);
  if (m === 0) return 0;
  const cluster = takeFrom(clusters);
  if (cluster === 0) {
    mFreeOne(m);
    return 0;
  }
  const ref = (clusterRefs >>> 2) + ((cluster - clusterBase) >>> 11);
  if (debugPool && i32[ref] === -1) checkPoison('cluster', cluster + 4, MCLBYTES - 4);
  i32[ref] = 1;
  const view = mbuf(m);
  view.ext = cluster;
  view.data = cluster + lead;
  return m;
}

function releaseCluster(cluster: number): void {
  const ref = (clusterRefs >>> 2) + ((cluster - clusterBase) >>> 11);
  const before = Atomics.load(i32, ref) === 1 ? 1 : Atomics.sub(i32, ref, 1);
  if (before !== 1) {
    if (before < 1) throw new Error(`cluster ${cluster}: freed twice`);
    return;
  }
  i32[ref] = 0;
  if (debugPool) {
    u8.fill(POISON, cluster, cluster + MCLBYTES);
    i32[ref] = -1;
  }
  giveTo(clusters, cluster);
}

/** Frees one buffer of a chain and drops its reference to its cluster. */
export function mFreeOne(m: number): void {
  const view = mbuf(m);
  if ((view.flags & M_FREE) !== 0) throw new Error(`mbuf ${m}: freed twice (owner ${OWNERS[view.owner] ?? '?'})`);
  const ext = view.ext;
  view.flags = M_FREE;
  if (ext !== 0) releaseCluster(ext);
  if (debugPool) u8.fill(POISON, m + MHEADER, m + MSIZE);
  giveTo(mbufs, m);
}

/** Frees a whole packet. */
export function mFree(m: number): void {
  while (m !== 0) {
    const next = u32[m >>> 2]!;
    mFreeOne(m);
    m = next;
  }
}

/** Frees a list of packets linked by nextpkt. */
export function mFreeList(m: number): void {
  while (m !== 0) {
    const nextpkt = u32[(m >>> 2) + 1]!;
    mFree(m);
    m = nextpkt;
  }
}

/** Notes who holds a packet (debug pool). */
export function mOwn(m: number, owner: number): void {
  u32[(m + mbufStruct.offsets.owner) >>> 2] = owner;
}

/** Another window on the same cluster: `to` becomes a buffer of `len` bytes at `data` in the cluster of `from`. */
export function mShareCluster(from: Mbuf, to: Mbuf, data: number, len: number): void {
  const ref = (clusterRefs >>> 2) + ((from.ext - clusterBase) >>> 11);
  Atomics.add(i32, ref, 1);
  to.ext = from.ext;
  to.data = data;
  to.len = len;
}

/** True if nobody else can see the bytes of this buffer, so that they may be changed. */
export function mWritable(view: Mbuf): boolean {
  return view.ext === 0 || Atomics.load(i32, (clusterRefs >>> 2) + ((view.ext - clusterBase) >>> 11)) === 1;
}

/** Bytes free behind the data of a buffer. */
export function mTrailing(view: Mbuf): number {
  const end = view.ext === 0 ? view.ptr + MSIZE : view.ext + MCLBYTES;
  return end - view.data - view.len;
}

/** Bytes free in front of the data of a buffer. */
export function mLeading(view: Mbuf): number {
  return view.data - (view.ext === 0 ? view.ptr + MHEADER : view.ext);
}

function inUse(pool: BufferPool): number {
  let sum = 0;
  for (let thread = 0; thread < maxThreads; thread++) {
    sum += i32[(pool.magazines + thread * magazineStruct.size + magazineStruct.offsets.allocated) >>> 2]!;
  }
  return sum;
}

function poolReport(pool: BufferPool): SlabReport {
  const used = inUse(pool);
  const { header } = pool;
  if (used > header.highWater) header.highWater = used;
  return {
    name: pool.name,
    recordBytes: pool.size,
    capacity: header.ceiling,
    inUse: used,
    highWater: header.highWater,
    failures: header.failures,
  };
}

/** Figures of the two pools for `netstat -m`; their high-water marks are as of the reports taken. */
export function mbufReports(): SlabReport[] {
  return [poolReport(mbufs), poolReport(clusters)];
}

/** Lowers how many buffers exist, to show what exhaustion does. Only lowers what has never been handed out. */
export function limitMbufs(mbufCount: number, clusterCount: number): void {
  mbufs.header.ceiling = Math.min(mbufCount, mbufCapacity);
  clusters.header.ceiling = Math.min(clusterCount, clusterCapacity);
}

/** Puts what a dead thread kept in its magazines back on the shared lists. */
export function reclaimMagazines(thread: number): void {
  for (const pool of [mbufs, clusters]) {
    const magazine: View<typeof magazineStruct.fields> = magazineStruct.at(
      pool.magazines + thread * magazineStruct.size,
    );
    lock(pool.header.ptr);
    for (let i = 0; i < magazine.count; i++) {
      const ptr = u32[(magazine.slots >>> 2) + i]!;
      u32[ptr >>> 2] = pool.header.free;
      pool.header.free = ptr;
      pool.header.shared++;
    }
    magazine.count = 0;
    unlock(pool.header.ptr);
  }
}

/** Buffers that are in use, counted by owner: empty when nothing leaks. Call it while no thread runs. */
export function leakReport(): Map<string, number> {
  const leaks = new Map<string, number>();
  for (let i = 0; i < mbufs.header.fresh; i++) {
    const view = mbuf(mbufBase + i * MSIZE);
    if (view.data === 0 || (view.flags & M_FREE) !== 0) continue;
    const owner = OWNERS[view.owner] ?? 'unknown';
    leaks.set(owner, (leaks.get(owner) ?? 0) + 1);
  }
  return leaks;
}
