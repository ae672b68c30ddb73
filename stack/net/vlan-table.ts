/**
 * Which interface takes the frames of a VLAN: a table by parent and VLAN identifier for those that receive, on any thread; for the stack context also a list
 * of the VLANs of each parent. A record lives as long as its interface, which is freed while no thread works.
 */
import { mix3 } from '../memory/hash.ts';
import { breakLock, lock, unlock } from '../memory/lock.ts';
import { region, u32 } from '../memory/memory.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { ifnets } from './ifnet.ts';

export const vlanStruct = struct('vlan', {
  /** Next VLAN of the same parent. */
  next: 'ptr',
  nextpkt: 'ptr',
  /** Next record of the same bucket; under its lock. */
  chain: 'ptr',
  /** Its own interface, and the one that its frames come and go by; 0 while it has none. */
  interface: 'ptr',
  parent: 'ptr',
  /** VLAN identifier, 1 to 4094; 0 while it has none. */
  vid: 'u16',
  /** Priority code point of what is sent, 0 to 7. */
  priority: 'u8',
  /** MTU of the parent when it was looked at last. */
  parentMtu: 'u32',
});
export type Vlan = ViewOf<typeof vlanStruct>;
export const vlans = slab(vlanStruct, 8192);

const BUCKETS = 1024;
/** A lock and the first record. */
const BUCKET_BYTES = 8;
const table = region('vlan table', BUCKETS * BUCKET_BYTES);

function bucketOf(parent: number, vid: number): number {
  return table + (mix3(parent, vid, 0) & (BUCKETS - 1)) * BUCKET_BYTES;
}

function firstIn(bucket: number): number {
  return u32[(bucket + 4) >>> 2]!;
}

/** The record of a VLAN of a parent, 0 if there is none. From any thread. */
export function findVlan(parent: number, vid: number): number {
  const bucket = bucketOf(parent, vid);
  lock(bucket);
  let ptr = firstIn(bucket);
  while (ptr !== 0) {
    const vlan = vlans.get(ptr);
    if (vlan.vid === vid && vlan.parent === parent) break;
    ptr = vlan.chain;
  }
  unlock(bucket);
  return ptr;
}

/** Gives a record that has no parent one. In the stack context. */
export function linkVlan(vlan: Vlan, parent: number, vid: number): void {
  const ifp = ifnets.get(parent);
  vlan.next = ifp.vlans;
  ifp.vlans = vlan.ptr;
  const bucket = bucketOf(parent, vid);
  lock(bucket);
  vlan.parent = parent;
  vlan.vid = vid;
  vlan.chain = firstIn(bucket);
  u32[(bucket + 4) >>> 2] = vlan.ptr;
  unlock(bucket);
}

/** Takes a record from its parent. In the stack context, or while no thread works. */
export function unlinkVlan(vlan: Vlan): void {
  const ifp = ifnets.get(vlan.parent);
  if (ifp.vlans === vlan.ptr) ifp.vlans = vlan.next;
  else {
    let at = vlans.get(ifp.vlans);
    while (at.next !== vlan.ptr) at = vlans.get(at.next);
    at.next = vlan.next;
  }
  const bucket = bucketOf(vlan.parent, vlan.vid);
  lock(bucket);
  let word = (bucket + 4) >>> 2;
  while (u32[word] !== vlan.ptr) word = (u32[word]! + vlanStruct.offsets.chain) >>> 2;
  u32[word] = vlan.chain;
  vlan.parent = 0;
  vlan.vid = 0;
  unlock(bucket);
}

/** Frees the locks that a dead thread holds. */
export function breakVlanLocks(thread: number): void {
  for (let i = 0; i < BUCKETS; i++) breakLock(table + i * BUCKET_BYTES, thread);
}
