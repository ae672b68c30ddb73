/**
 * Which port a frame leaves by (IEEE 802.1AX-2008 §5.2.4): a hash of its addresses, its VLAN, and for IPv4 of the addresses and ports inside, so that the frames of
 * a conversation keep their order. Fragments go by addresses alone. Hashes fall into classes, and each class belongs to the port with the highest random weight:
 * when a port comes or goes only the conversations that it gets or had are moved.
 */
import { lock, unlock } from '../memory/lock.ts';
import { be16, be32, maxThreads, region, selfThread, u32, u8 } from '../memory/memory.ts';
import { mbuf } from '../memory/mbuf.ts';
import { mCopyOut } from '../memory/mbuf-chain.ts';
import { mix3 } from '../memory/hash.ts';
import { CLASSES, MOST_PORTS } from './agr-record.ts';
import type { Agr } from './agr-record.ts';
import { ETHERTYPE_IP, ETHERTYPE_VLAN, ETHER_HEADER, ETHER_TAG } from './ethernet.ts';
import { ifnetStruct, ifnets } from './ifnet.ts';

const TX_LOCK = ifnetStruct.offsets.txLock;
const IP_HEADER = 20;
const PORTS = 4;
/** More fragments, and the offset. */
const FRAGMENT = 0x3fff;
const TCP = 6;
const UDP = 17;

/** Most bytes that are looked at: a tag and IP options included. */
const LOOK = ETHER_HEADER + ETHER_TAG + 60 + PORTS;
const scratch = region('agr headers', 96 * maxThreads) + 96 * selfThread;

/** The address of the first bytes of a frame, of which `wanted` are to be contiguous if it has so many. */
function front(m: number, wanted: number): number {
  const { data, len, pktLen } = mbuf(m);
  if (len >= wanted || len === pktLen) return data;
  mCopyOut(m, 0, Math.min(LOOK, pktLen), scratch);
  return scratch;
}

/** Hash of what an IPv4 packet at `off` tells of its conversation. */
function hashIp(m: number, off: number, hash: number): number {
  const { pktLen } = mbuf(m);
  let p = front(m, off + IP_HEADER + PORTS) + off;
  const header = (u8[p]! & 15) * 4;
  const addresses = mix3(hash, be32(p + 12), be32(p + 16));
  const protocol = u8[p + 9]!;
  const hasPorts = (protocol === TCP || protocol === UDP) && (be16(p + 6) & FRAGMENT) === 0;
  if (!hasPorts || header < IP_HEADER || pktLen < off + header + PORTS) return addresses;
  p = front(m, off + header + PORTS) + off;
  return mix3(addresses, be32(p + header), protocol);
}

/** Hash of the conversation that a frame belongs to. */
export function conversationHash(m: number): number {
  const { pktLen } = mbuf(m);
  let p = front(m, ETHER_HEADER);
  let hash = mix3(be32(p), be32(p + 4), be32(p + 8));
  let off = ETHER_HEADER;
  let type = be16(p + 12);
  if (type === ETHERTYPE_VLAN && pktLen >= ETHER_HEADER + ETHER_TAG) {
    p = front(m, ETHER_HEADER + ETHER_TAG);
    hash = mix3(hash, be16(p + 14) & 0xfff, 0);
    type = be16(p + 16);
    off += ETHER_TAG;
  }
  return type === ETHERTYPE_IP && pktLen >= off + IP_HEADER ? hashIp(m, off, hash) : hash;
}

/** The interface of the port that a frame leaves by. Some port distributes; with the transmit lock held. */
export function portFor(agr: Agr, m: number, inTurn: boolean): number {
  const { distributing } = agr;
  if (distributing === 1) return u32[agr.members >>> 2]!;
  const index = inTurn ? agr.turn++ % distributing : u8[agr.classes + (conversationHash(m) & (CLASSES - 1))]!;
  return u32[(agr.members >>> 2) + index]!;
}

/** Says which ports distribute, as interfaces. */
export function distributeOver(agr: Agr, members: readonly number[]): void {
  const list = members.slice(0, MOST_PORTS);
  const txLock = agr.interface + TX_LOCK;
  lock(txLock);
  agr.distributing = list.length;
  list.forEach((ifp, i) => (u32[(agr.members >>> 2) + i] = ifp));
  for (let i = 0; i < CLASSES; i++) u8[agr.classes + i] = heaviest(list, i);
  unlock(txLock);
}

function heaviest(members: readonly number[], conversation: number): number {
  const weights = members.map((ifp) => mix3(ifnets.get(ifp).index, conversation, 0) >>> 0);
  return weights.length === 0 ? 0 : weights.indexOf(Math.max(...weights));
}
