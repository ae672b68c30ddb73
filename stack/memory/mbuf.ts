/**
 * mbufs: packet buffers in the one memory, after BSD's mbuf(9): a 256-byte record with 64 bytes of header and room for small
 * packets, or a window on a shared, reference-counted 2 KiB cluster. An mbuf has one owner; clusters are what is shared.
 */
import {
  debugPool as sharedDebugPool,
  f64 as sharedF64,
  i32 as sharedI32,
  region,
  u32 as sharedU32,
} from './memory.ts';
import { breakLock } from './lock.ts';
import { giveTo, limitPool, openPool, poolReport, reclaimMagazine, takeFrom } from './buffer-pool.ts';
import { struct } from './struct.ts';
import type { ViewOf } from './struct.ts';
import type { SlabReport } from './slab.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const debugPool = sharedDebugPool;
const f64 = sharedF64;
const i32 = sharedI32;
const u32 = sharedU32;

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
  /** Bytes of TCP data in each frame that this one stands for (net/segmentation.ts); 0 for what is a single frame. */
  segment: 'u32',
});

export type Mbuf = ViewOf<typeof mbufStruct>;

/** First buffer of a packet. */
export const M_PKTHDR = 0x0002;
/** Received as link-level broadcast, multicast. */
export const M_BCAST = 0x0100;
export const M_MCAST = 0x0200;
/** It could be followed and another was chosen (net/journey.ts): the question is not asked again on its way. */
export const M_PASSED_OVER = 0x0400;
/** The buffer is on a free list: a second free is a fault. */
const M_FREE = 0x8000_0000 | 0;

/** The header checksum of IP, and of TCP or UDP, have been found good (by a device, or because the packet never left the process). */
export const CSUM_IP_GOOD = 1;
export const CSUM_TRANSPORT_GOOD = 2;

/** Marks of the packet filter, beside the checksum state: the filter has made the packet itself; a tag; a queue of the interface it goes out by (altq) by number. */
export const PF_GENERATED = 4;
const PF_TAG_SHIFT = 8;
const PF_TAG_MASK = 0xfff;
const PF_QUEUE_SHIFT = 20;

/** The tag that a filter rule has put on a packet, 0 for none. */
export function filterTag(view: Mbuf): number {
  return (view.csum >>> PF_TAG_SHIFT) & PF_TAG_MASK;
}

export function setFilterTag(view: Mbuf, tag: number): void {
  view.csum = (view.csum & ~(PF_TAG_MASK << PF_TAG_SHIFT)) | (tag << PF_TAG_SHIFT);
}

/** The queue that a filter rule has chosen, 0 for none. */
export function filterQueue(view: Mbuf): number {
  return view.csum >>> PF_QUEUE_SHIFT;
}

export function setFilterQueue(view: Mbuf, queue: number): void {
  view.csum = (view.csum & ~(-1 << PF_QUEUE_SHIFT)) | (queue << PF_QUEUE_SHIFT);
}
/** Greatest number of a tag, and of a queue. */
export const MOST_FILTER_TAGS = PF_TAG_MASK;
export const MOST_FILTER_QUEUES = 0xfff;

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
  'output',
  'icmp',
  'message',
  'program',
  'tcp reassembly',
  'module',
  'test',
  'bpf',
] as const;
export type Owner = (typeof OWNERS)[number];
const ownerIds = new Map<string, number>(OWNERS.map((name, id) => [name, id]));

/** The tag of an owner: look it up once, at module level. */
export function ownerTag(owner: Owner): number {
  return ownerIds.get(owner) ?? 0;
}

export const mbufCapacity = 131_072;
export const clusterCapacity = 65_536;

const mbufs = openPool('mbuf', MSIZE, mbufCapacity, mbufStruct);
const clusters = openPool('mbuf cluster', MCLBYTES, clusterCapacity);
const clusterRefs = region('cluster references', clusterCapacity * 4) >>> 2;
const mbufBase = mbufs.base;
const clusterBase = clusters.base;

/** Where the reference count of a cluster is, as a word. */
function refWord(cluster: number): number {
  return clusterRefs + ((cluster - clusterBase) >>> 11);
}

const views: Mbuf[] = [];

/** The view of an mbuf; one per buffer and thread. */
export function mbuf(m: number): Mbuf {
  const index = (m - mbufBase) >>> 8;
  return index < views.length ? views[index]! : growViews(index);
}

function growViews(index: number): Mbuf {
  if (!(index < mbufCapacity))
    throw new Error(`no mbuf has the index ${index}: a null or stray address was followed`);
  for (let i = views.length; i <= index; i++) views.push(mbufStruct.at(mbufBase + i * MSIZE));
  return views[index]!;
}

// An mbuf's fields by word, for the paths that every packet takes.
const NEXTPKT = mbufStruct.offsets.nextpkt >>> 2;
const DATA = mbufStruct.offsets.data >>> 2;
const LEN = mbufStruct.offsets.len >>> 2;
const EXT = mbufStruct.offsets.ext >>> 2;
const FLAGS = mbufStruct.offsets.flags >>> 2;
const PKTLEN = mbufStruct.offsets.pktLen >>> 2;
const RCVIF = mbufStruct.offsets.rcvif >>> 2;
const AUX = mbufStruct.offsets.aux >>> 2;
const AUX2 = mbufStruct.offsets.aux2 >>> 2;
const OWNER = mbufStruct.offsets.owner >>> 2;
const CSUM = mbufStruct.offsets.csum >>> 2;
const TIME = mbufStruct.offsets.time >>> 3;
const JOURNEY = mbufStruct.offsets.journey >>> 2;
const SEGMENT = mbufStruct.offsets.segment >>> 2;

const POISON_WORD = 0xdbdbdbdb | 0;
/** Reference count of a free cluster whose bytes are poison. */
const REF_POISONED = -1;

/** Throws if a word of a freed buffer has changed since poison() was there. */
function checkPoison(kind: string, ptr: number, from: number, bytes: number): void {
  for (let word = from >>> 2; word < (from + bytes) >>> 2; word++) {
    if (i32[word] !== POISON_WORD) {
      throw new Error(`${kind} ${ptr}: written to at offset ${word * 4 - ptr} after it was freed`);
    }
  }
}

function poisonMbuf(m: number): void {
  const word = m >>> 2;
  const owner = u32[word + OWNER]!;
  i32.fill(POISON_WORD, word + NEXTPKT, word + MSIZE / 4);
  u32[word + FLAGS] = M_FREE;
  u32[word + OWNER] = owner;
}

/** Checks a buffer that is about to be handed out, unless it never was before (`data` is 0 then). */
function checkFreeMbuf(m: number): void {
  const word = m >>> 2;
  if (u32[word + DATA] === 0) return;
  if (i32[word + FLAGS] !== M_FREE) throw new Error(`mbuf ${m}: flags were written to after it was freed`);
  checkPoison('mbuf', m, m + NEXTPKT * 4, (FLAGS - NEXTPKT) * 4);
  checkPoison('mbuf', m, m + PKTLEN * 4, (OWNER - PKTLEN) * 4);
  checkPoison('mbuf', m, m + CSUM * 4, MSIZE - CSUM * 4);
}

/**
 * A packet's first buffer without a cluster, `data` at the start of its own area plus `lead` bytes, length 0. 0 when there is none (ENOBUFS).
 */
export function mGetHeader(owner: number, lead: number): number {
  const m = takeFrom(mbufs);
  if (m === 0) return 0;
  if (debugPool) checkFreeMbuf(m);
  initHeader(m, owner, m + MHEADER + lead, 0);
  return m;
}

function initHeader(m: number, owner: number, data: number, ext: number): void {
  const word = m >>> 2;
  u32[word] = 0;
  u32[word + NEXTPKT] = 0;
  u32[word + DATA] = data;
  u32[word + LEN] = 0;
  u32[word + EXT] = ext;
  u32[word + FLAGS] = M_PKTHDR;
  u32[word + PKTLEN] = 0;
  u32[word + RCVIF] = 0;
  i32[word + AUX] = 0;
  i32[word + AUX2] = 0;
  u32[word + OWNER] = owner;
  u32[word + CSUM] = 0;
  f64[(m >>> 3) + TIME] = 0;
  u32[word + JOURNEY] = 0;
  u32[word + SEGMENT] = 0;
}

/** A packet's first buffer with a cluster of its own, `data` at its start plus `lead` bytes. 0 when either is exhausted. */
export function mGetCluster(owner: number, lead: number): number {
  const m = takeFrom(mbufs);
  if (m === 0) return 0;
  const cluster = takeFrom(clusters);
  if (cluster === 0) {
    giveTo(mbufs, m);
    return 0;
  }
  const ref = refWord(cluster);
  if (debugPool) {
    checkFreeMbuf(m);
    // The free list is linked through the first word.
    if (i32[ref] === REF_POISONED) checkPoison('cluster', cluster, cluster + 4, MCLBYTES - 4);
  }
  i32[ref] = 1;
  initHeader(m, owner, cluster + lead, cluster);
  return m;
}

function releaseCluster(cluster: number): void {
  const ref = refWord(cluster);
  // Whoever finds a count of 1 is the only owner, so a plain load does: no other thread can change it any more.
  if (i32[ref] !== 1) {
    const before = Atomics.sub(i32, ref, 1);
    if (before < 1) throw new Error(`cluster ${cluster}: freed twice`);
    if (before !== 1) return;
  }
  if (debugPool) i32.fill(POISON_WORD, cluster >>> 2, (cluster + MCLBYTES) >>> 2);
  i32[ref] = debugPool ? REF_POISONED : 0;
  giveTo(clusters, cluster);
}

/** Frees one buffer of a chain and drops its reference to its cluster. */
export function mFreeOne(m: number): void {
  const word = m >>> 2;
  if (i32[word + FLAGS] === M_FREE) {
    throw new Error(`mbuf ${m}: freed twice (owner ${OWNERS[u32[word + OWNER]!] ?? '?'})`);
  }
  const ext = u32[word + EXT]!;
  u32[word + FLAGS] = M_FREE;
  if (ext !== 0) releaseCluster(ext);
  if (debugPool) poisonMbuf(m);
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
    const nextpkt = u32[(m >>> 2) + NEXTPKT]!;
    mFree(m);
    m = nextpkt;
  }
}

/** Notes who holds a packet (debug pool). */
export function mOwn(m: number, owner: number): void {
  u32[(m >>> 2) + OWNER] = owner;
}

/** True for the handle of a packet's first buffer that is in use. */
export function isPacket(m: number): boolean {
  const known = m >= mbufBase && m < mbufBase + mbufs.header.fresh * MSIZE && m % MSIZE === mbufBase % MSIZE;
  return known && i32[(m >>> 2) + FLAGS] !== M_FREE && (i32[(m >>> 2) + FLAGS]! & M_PKTHDR) !== 0;
}

/** Frees all packets that `owner` holds with this `aux2`, and says how many that were. Call it while no thread runs. */
export function mReclaim(owner: number, aux2: number): number {
  let reclaimed = 0;
  for (let i = 0; i < mbufs.header.fresh; i++) {
    const m = mbufBase + i * MSIZE;
    if (u32[(m >>> 2) + OWNER] !== owner || i32[(m >>> 2) + AUX2] !== aux2 || !isPacket(m)) continue;
    mFree(m);
    reclaimed++;
  }
  return reclaimed;
}

/** Another window on the same cluster: `to` becomes a buffer of `len` bytes at `data` in the cluster of `from`. */
export function mShareCluster(from: Mbuf, to: Mbuf, data: number, len: number): void {
  Atomics.add(i32, refWord(from.ext), 1);
  to.ext = from.ext;
  to.data = data;
  to.len = len;
}

/** True if nobody else can see the bytes of this buffer, so that they may be changed. */
export function mWritable(view: Mbuf): boolean {
  return view.ext === 0 || Atomics.load(i32, refWord(view.ext)) === 1;
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

/** Figures of the two pools for `netstat -m`. */
export function mbufReports(): SlabReport[] {
  return [poolReport(mbufs), poolReport(clusters)];
}

/** Lowers how many buffers exist, to show what exhaustion does. Only lowers what has never been handed out. */
export function limitMbufs(mbufCount: number, clusterCount: number): void {
  limitPool(mbufs, mbufCount);
  limitPool(clusters, clusterCount);
}

/** Puts what a dead thread kept in its magazines back on the shared lists. */
export function reclaimMagazines(thread: number): void {
  reclaimMagazine(mbufs, thread);
  reclaimMagazine(clusters, thread);
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

/** Frees the locks of the shared lists that a dead thread holds. */
export function breakBufferLocks(thread: number): void {
  breakLock(mbufs.header.ptr, thread);
  breakLock(clusters.header.ptr, thread);
}
