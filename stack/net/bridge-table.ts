/**
 * The address cache of a bridge (IEEE 802.1D-1998 §7.8, §7.9): where stations are. Addresses are learned from the sources of frames and forgotten when they have
 * not been heard for a while, or permanent, or the bridge's own. Everything here is called with the bridge's lock held.
 */
import { be16, be32, f64 as sharedF64, i32 as sharedI32, u32 as sharedU32 } from '../memory/memory.ts';
import { hashFirst, hashInsert, hashRemove, mix3 } from '../memory/hash.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { SECOND } from '../runtime/clock.ts';
import { ADDRESS_BUCKETS, portsOf } from './bridge-record.ts';
import type { Bridge } from './bridge-record.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const f64 = sharedF64;
const i32 = sharedI32;
const u32 = sharedU32;

/** Why an address is in the cache. */
export const ADDRESS_LEARNED = 0;
export const ADDRESS_PERMANENT = 1;
/** The bridge's own: frames for it go up, frames from it have come round in a loop. */
export const ADDRESS_OWN = 2;

export const bridgeAddressStruct = struct('bridgeAddress', {
  next: 'ptr',
  nextpkt: 'ptr',
  /** The address: its first two bytes and its last four. */
  high: 'u32',
  low: 'i32',
  /** When it was last heard, ns; Infinity for those that do not age. */
  heard: 'f64',
  port: 'ptr',
  kind: 'u32',
});
export type BridgeAddress = ViewOf<typeof bridgeAddressStruct>;
export const bridgeAddresses = slab(bridgeAddressStruct, 65_536);

const LINK = bridgeAddressStruct.offsets.next;
const HIGH = bridgeAddressStruct.offsets.high >>> 2;
const LOW = bridgeAddressStruct.offsets.low >>> 2;
const HEARD = bridgeAddressStruct.offsets.heard >>> 3;
const PORT = bridgeAddressStruct.offsets.port >>> 2;
const KIND = bridgeAddressStruct.offsets.kind >>> 2;

/** The entry of an address, 0 if there is none. */
export function findAddress(bridge: Bridge, high: number, low: number): number {
  let at = hashFirst(bridge.table, ADDRESS_BUCKETS, mix3(high, low, 0));
  while (at !== 0) {
    const word = at >>> 2;
    if (i32[word + LOW] === low && u32[word + HIGH] === high) return at;
    at = u32[word]!;
  }
  return 0;
}

/** The port of an entry. */
export function addressPort(entry: number): number {
  return u32[(entry >>> 2) + PORT]!;
}

/** True for an entry of the bridge's own addresses. */
export function isOwnAddress(entry: number): boolean {
  return u32[(entry >>> 2) + KIND] === ADDRESS_OWN;
}

/** True if an entry has not been heard for so long that it counts no more. */
export function addressExpired(bridge: Bridge, entry: number, time: number): boolean {
  return time - f64[(entry >>> 3) + HEARD]! >= bridge.life;
}

/** The address `high`, `low`, whose entry is `entry` (0: none), was heard on a port. When the cache is full it is not learned. */
export function learnAddress(
  bridge: Bridge,
  entry: number,
  port: number,
  high: number,
  low: number,
  time: number,
): void {
  if (entry === 0) {
    addAddress(bridge, port, high, low, time);
    return;
  }
  if (u32[(entry >>> 2) + PORT] !== port && u32[(entry >>> 2) + KIND] === ADDRESS_LEARNED)
    u32[(entry >>> 2) + PORT] = port;
  if (time - f64[(entry >>> 3) + HEARD]! >= bridge.renewAfter) f64[(entry >>> 3) + HEARD] = time;
}

function addAddress(bridge: Bridge, port: number, high: number, low: number, time: number): void {
  if (bridge.addresses >= bridge.maxAddresses) sweepOneChain(bridge, time);
  if (bridge.addresses >= bridge.maxAddresses) return;
  const ptr = insert(bridge, high, low, port, ADDRESS_LEARNED);
  if (ptr === 0) return;
  bridgeAddresses.get(ptr).heard = time;
  bridge.addresses++;
}

function insert(bridge: Bridge, high: number, low: number, port: number, kind: number): number {
  const ptr = bridgeAddresses.alloc();
  if (ptr === 0) return 0;
  const entry = bridgeAddresses.get(ptr);
  entry.high = high;
  entry.low = low;
  entry.port = port;
  entry.kind = kind;
  entry.heard = Infinity;
  hashInsert(bridge.table, ADDRESS_BUCKETS, mix3(high, low, 0), ptr, LINK);
  return ptr;
}

/** Takes an entry out of the cache. */
export function removeAddress(bridge: Bridge, ptr: number): void {
  const { high, low, kind } = bridgeAddresses.get(ptr);
  hashRemove(bridge.table, ADDRESS_BUCKETS, mix3(high, low, 0), ptr, LINK);
  bridgeAddresses.free(ptr);
  if (kind !== ADDRESS_OWN) bridge.addresses--;
}

/** Removes the entries that `gone` names. */
function removeWhere(bridge: Bridge, gone: (entry: BridgeAddress) => boolean): void {
  for (const entry of allAddresses(bridge)) if (gone(entry)) removeAddress(bridge, entry.ptr);
}

function allAddresses(bridge: Bridge): BridgeAddress[] {
  const list: BridgeAddress[] = [];
  for (let bucket = 0; bucket < ADDRESS_BUCKETS; bucket++) {
    for (let at = hashFirst(bridge.table, ADDRESS_BUCKETS, bucket); at !== 0;) {
      const entry = bridgeAddresses.get(at);
      list.push(entry);
      at = entry.next;
    }
  }
  return list;
}

/** The cache is full: removes what has expired from one of its chains, the next one each time. */
function sweepOneChain(bridge: Bridge, time: number): void {
  const bucket = bridge.sweep++ & (ADDRESS_BUCKETS - 1);
  for (let at = hashFirst(bridge.table, ADDRESS_BUCKETS, bucket); at !== 0;) {
    const next = u32[at >>> 2]!;
    if (addressExpired(bridge, at, time)) removeAddress(bridge, at);
    at = next;
  }
}

/** The addresses that are learned or permanent and count at `time`, in the order of addresses. */
export function listAddresses(bridge: Bridge, time: number): BridgeAddress[] {
  return allAddresses(bridge)
    .filter((entry) => entry.kind !== ADDRESS_OWN && !addressExpired(bridge, entry.ptr, time))
    .sort((a, b) => a.high - b.high || (a.low >>> 0) - (b.low >>> 0));
}

/** Forgets the learned addresses, or with `all` the permanent ones as well, of one port or (0) of all. */
export function flushAddresses(bridge: Bridge, port: number, all: boolean): void {
  const most = all ? ADDRESS_PERMANENT : ADDRESS_LEARNED;
  removeWhere(bridge, (entry) => entry.kind <= most && (port === 0 || entry.port === port));
}

/** Makes an address permanent on a port: it takes the place of one that was learned. False when there is no room. */
export function setPermanent(bridge: Bridge, high: number, low: number, port: number): boolean {
  const known = findAddress(bridge, high, low);
  if (known === 0) {
    if (bridge.addresses >= bridge.maxAddresses || insert(bridge, high, low, port, ADDRESS_PERMANENT) === 0)
      return false;
    bridge.addresses++;
    return true;
  }
  const entry = bridgeAddresses.get(known);
  entry.kind = ADDRESS_PERMANENT;
  entry.port = port;
  entry.heard = Infinity;
  return true;
}

/** Enters the addresses of the ports as the bridge's own, in place of what there was. With equal ones the first port has it. */
export function setOwnAddresses(bridge: Bridge): void {
  removeWhere(bridge, (entry) => entry.kind === ADDRESS_OWN);
  for (const { mac, ptr } of portsOf(bridge)) {
    const high = be16(mac);
    const low = be32(mac + 2);
    const known = findAddress(bridge, high, low);
    if (known !== 0 && isOwnAddress(known)) continue;
    if (known !== 0) removeAddress(bridge, known);
    insert(bridge, high, low, ptr, ADDRESS_OWN);
  }
}

/** Forgets everything. */
export function clearAddresses(bridge: Bridge): void {
  removeWhere(bridge, () => true);
}

/** Sets how long addresses live: the ageing time, or after a change of the topology the forward delay (IEEE 802.1D-1998 §7.9.2, §8.3.5). */
export function setAddressLife(bridge: Bridge): void {
  const lasting = bridge.ageing === 0 ? Infinity : bridge.ageing;
  bridge.life =
    bridge.topologyChange === 0 ? lasting : Math.min(lasting, Math.max(bridge.forwardDelay, SECOND));
  bridge.renewAfter = Math.min(SECOND, bridge.life / 16);
}
