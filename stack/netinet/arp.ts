/**
 * ARP for IPv4 over Ethernet (RFC 826, RFC 1122 §2.3.2, RFC 5227 §1.1 on announcements): a table of neighbours with a queue of packets that wait for an
 * answer, retries, ageing; answers to those who ask for our addresses or for published ones.
 */
import { be16, be32, putBe16, putBe32, u8 } from '../memory/memory.ts';
import { hashFirst, hashInsert, hashRemove, mix3 } from '../memory/hash.ts';
import { M_BCAST, mFree, mFreeList, mGetHeader, mOwn, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mPullup } from '../memory/mbuf-chain.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { now, SECOND } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { CALLOUT_BYTES, calloutInit } from '../runtime/wheel.ts';
import { areBridged } from '../net/bridge-members.ts';
import { CALLOUT, setCalloutHandler } from '../net/callouts.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IP,
  ETHER_ADDRESS,
  copyMac,
  etherOutput,
  sameMac,
} from '../net/ethernet.ts';
import { findAddress, ifaddrs, ifnets, interfaceWithAddress, onInterfaceEvent } from '../net/ifnet.ts';
import type { Ifaddr, Ifnet, InterfaceEvent } from '../net/ifnet.ts';
import { STATION, station } from '../net/journey.ts';
import { setInputHandler } from '../net/netisr.ts';
import {
  NEIGHBOUR_BUCKETS,
  cancelCallout,
  count,
  countBy,
  setCallout,
  stacks,
  sysctlValue,
} from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { isLinkLocal } from './ip.ts';

/** State of a neighbour. */
export const ARP_INCOMPLETE = 0;
export const ARP_REACHABLE = 1;
/** Nobody answered: packets are refused until it expires. */
export const ARP_DOWN = 2;

export const neighbourStruct = struct('neighbour', {
  next: 'ptr',
  nextpkt: 'ptr',
  stack: 'ptr',
  interface: 'ptr',
  address: 'u32',
  state: 'u8',
  permanent: 'u8',
  published: 'u8',
  tries: 'u8',
  mac: { bytes: 8 },
  /** Packets that wait for the answer, linked by nextpkt. */
  held: 'ptr',
  heldLast: 'ptr',
  heldCount: 'u32',
  /** When it expires, ns. */
  expires: 'f64',
  timer: { bytes: CALLOUT_BYTES },
});
export type Neighbour = ViewOf<typeof neighbourStruct>;
export const neighbours = slab(neighbourStruct, 65_536);
const LINK = neighbourStruct.offsets.next;

const HOLD = ownerTag('arp hold');
const ARP = ownerTag('output');
const MAX_HELD = 8;
const MAX_TRIES = 5;
const RETRY = SECOND;
/** RFC 5227 §1.1. */
const DEFEND_INTERVAL = 10 * SECOND;

const ARP_BYTES = 28;
const OP_REQUEST = 1;
const OP_REPLY = 2;
// Offsets in the packet.
const AT_OP = 6;
const AT_SENDER_MAC = 8;
const AT_SENDER = 14;
const AT_TARGET_MAC = 18;
const AT_TARGET = 24;

/** What a packet of ARP says, as a module that watches ARP sees it. */
export const ARP_FIELDS = {
  bytes: ARP_BYTES,
  senderMac: AT_SENDER_MAC,
  sender: AT_SENDER,
  target: AT_TARGET,
} as const;

/** The entry of a neighbour, 0 if there is none. */
export function findNeighbour(stack: Stack, address: number): number {
  for (let ptr = hashFirst(stack.neighbours, NEIGHBOUR_BUCKETS, mix3(address, 0, 0)); ptr !== 0;) {
    const entry = neighbours.get(ptr);
    if (entry.address === address) return ptr;
    ptr = entry.next;
  }
  return 0;
}

function addNeighbour(stack: Stack, ifp: Ifnet, address: number): number {
  const ptr = neighbours.alloc();
  if (ptr === 0) return 0;
  const entry = neighbours.get(ptr);
  entry.stack = stack.ptr;
  entry.interface = ifp.ptr;
  entry.address = address;
  calloutInit(entry.timer, CALLOUT.arp, ptr);
  hashInsert(stack.neighbours, NEIGHBOUR_BUCKETS, mix3(address, 0, 0), ptr, LINK);
  return ptr;
}

/** Forgets a neighbour; packets that wait for it are dropped. */
export function removeNeighbour(entry: Neighbour): void {
  const stack = stacks.get(entry.stack);
  cancelCallout(entry.stack, entry.timer);
  dropHeld(entry);
  if (entry.state === ARP_REACHABLE) stack.routeGeneration++;
  hashRemove(stack.neighbours, NEIGHBOUR_BUCKETS, mix3(entry.address, 0, 0), entry.ptr, LINK);
  neighbours.free(entry.ptr);
}

function dropHeld(entry: Neighbour): void {
  countBy(entry.stack, STAT.arpHoldDropped, entry.heldCount);
  mFreeList(takeHeld(entry));
}

/** All neighbours of a stack. */
export function eachNeighbour(stack: Stack): Neighbour[] {
  const list: Neighbour[] = [];
  for (let bucket = 0; bucket < NEIGHBOUR_BUCKETS; bucket++) {
    for (let ptr = hashFirst(stack.neighbours, NEIGHBOUR_BUCKETS, bucket); ptr !== 0;) {
      const entry = neighbours.get(ptr);
      list.push(entry);
      ptr = entry.next;
    }
  }
  return list.sort((a, b) => a.address - b.address);
}

/** Forgets the neighbours on an interface. */
export function removeNeighboursOn(stack: Stack, ifp: number): void {
  for (const entry of eachNeighbour(stack)) if (entry.interface === ifp) removeNeighbour(entry);
}

/** The hardware address of a neighbour, as its address in the one memory; 0 while it is not known. */
export function reachableMac(stack: Stack, address: number): number {
  const ptr = findNeighbour(stack, address);
  if (ptr === 0) return 0;
  const entry = neighbours.get(ptr);
  const known = entry.state === ARP_REACHABLE && (entry.permanent !== 0 || entry.expires > now());
  return known ? entry.mac : 0;
}

/** Sends an IPv4 packet to a neighbour, once its hardware address is known. Returns 0 or an errno; the packet is gone or held. */
export function arpResolve(ifp: Ifnet, m: number, address: number): number {
  const stack = stacks.get(ifp.stack);
  const known = findNeighbour(stack, address);
  if (known !== 0) {
    const entry = neighbours.get(known);
    if (entry.state === ARP_REACHABLE && (entry.permanent !== 0 || entry.expires > now())) {
      return etherOutput(ifp, m, entry.mac, ETHERTYPE_IP);
    }
    return waitFor(ifp, entry, m);
  }
  if ((ifp.flags & IFF.NOARP) !== 0) {
    mFree(m);
    return ERRNO.EHOSTUNREACH;
  }
  const ptr = addNeighbour(stack, ifp, address);
  if (ptr === 0) {
    mFree(m);
    return ERRNO.ENOBUFS;
  }
  return waitFor(ifp, neighbours.get(ptr), m);
}

function waitFor(ifp: Ifnet, entry: Neighbour, m: number): number {
  if (entry.state === ARP_DOWN) {
    if (entry.expires > now()) {
      mFree(m);
      return ERRNO.EHOSTDOWN;
    }
    entry.tries = 0;
  }
  if (entry.state !== ARP_INCOMPLETE) {
    entry.state = ARP_INCOMPLETE;
    entry.tries = 0;
    cancelCallout(entry.stack, entry.timer);
  }
  hold(entry, m);
  if (entry.tries === 0) ask(ifp, entry);
  return 0;
}

/** Keeps a packet until the answer comes; the oldest makes room. */
function hold(entry: Neighbour, m: number): void {
  count(entry.stack, STAT.arpHeld);
  mOwn(m, HOLD);
  station(m, STATION.arpHold, entry.interface, 0);
  const view = mbuf(m);
  view.nextpkt = 0;
  if (entry.heldCount === MAX_HELD) {
    const oldest = entry.held;
    entry.held = mbuf(oldest).nextpkt;
    entry.heldCount--;
    count(entry.stack, STAT.arpHoldDropped);
    station(oldest, STATION.drop, entry.stack, STAT.arpHoldDropped);
    mFree(oldest);
  }
  if (entry.heldCount === 0) entry.held = m;
  else mbuf(entry.heldLast).nextpkt = m;
  entry.heldLast = m;
  entry.heldCount++;
}

function ask(ifp: Ifnet, entry: Neighbour): void {
  entry.tries++;
  sendRequest(ifp, entry.address);
  setCallout(entry.stack, entry.timer, now() + RETRY);
}

/** Own address to ask with: one on the neighbour's network. */
function senderAddress(ifp: Ifnet, target: number): number {
  for (let ptr = ifp.addresses; ptr !== 0; ptr = ifaddrs.get(ptr).next) {
    const entry = ifaddrs.get(ptr);
    if (((entry.address ^ target) & entry.netmask) === 0) return entry.address;
  }
  return ifp.addresses === 0 ? 0 : ifaddrs.get(ifp.addresses).address;
}

function sendRequest(ifp: Ifnet, target: number): void {
  count(ifp.stack, STAT.arpOutRequests);
  sendArp(ifp, OP_REQUEST, senderAddress(ifp, target), ifp.mac, target, 0, 0);
}

/** Announces an own address (gratuitous ARP): neighbours that know another hardware address for it learn the new one. */
export function announceAddress(ifp: Ifnet, address: number): void {
  count(ifp.stack, STAT.arpOutRequests);
  sendArp(ifp, OP_REQUEST, address, ifp.mac, address, 0, 0);
}

/** Asks whether somebody has an address that is not ours yet: an ARP probe, whose sender is unspecified (RFC 5227 §2.1.1). */
export function probeAddress(ifp: Ifnet, address: number): void {
  count(ifp.stack, STAT.arpOutRequests);
  sendArp(ifp, OP_REQUEST, 0, ifp.mac, address, 0, 0);
}

/** An interface has begun to work, or has another hardware address: neighbours learn where its addresses are. */
function onInterface(ifp: Ifnet, event: InterfaceEvent): void {
  // Flows that are forwarded fast carry the old address.
  if (event === 'mac') stacks.get(ifp.stack).routeGeneration++;
  if ((event !== 'up' && event !== 'mac') || (ifp.flags & IFF.BROADCAST) === 0) return;
  if ((ifp.flags & IFF.UP) === 0) return;
  for (let ptr = ifp.addresses; ptr !== 0; ptr = ifaddrs.get(ptr).next)
    announceAddress(ifp, ifaddrs.get(ptr).address);
}

/**
 * Sends a packet of ARP; `targetMac` and `to` (the frame's destination) are addresses of 6 bytes, 0 for zeros and for the broadcast address. With a link-local sender all
 * are broadcast, so that conflicts show (RFC 3927 §2.5).
 */
function sendArp(
  ifp: Ifnet,
  op: number,
  sender: number,
  senderMac: number,
  target: number,
  targetMac: number,
  to: number,
): void {
  const m = mGetHeader(ARP, 16);
  if (m === 0) return;
  const view = mbuf(m);
  const p = view.data;
  view.len = ARP_BYTES;
  view.pktLen = ARP_BYTES;
  putBe16(p, 1);
  putBe16(p + 2, ETHERTYPE_IP);
  u8[p + 4] = ETHER_ADDRESS;
  u8[p + 5] = 4;
  putBe16(p + AT_OP, op);
  copyMac(p + AT_SENDER_MAC, senderMac);
  putBe32(p + AT_SENDER, sender);
  if (targetMac === 0) u8.fill(0, p + AT_TARGET_MAC, p + AT_TARGET_MAC + ETHER_ADDRESS);
  else copyMac(p + AT_TARGET_MAC, targetMac);
  putBe32(p + AT_TARGET, target);
  const all = to === 0 || isLinkLocal(sender);
  if (all) view.flags |= M_BCAST;
  etherOutput(ifp, m, all ? 0 : to, ETHERTYPE_ARP);
}

/** No answer came in time, or the entry has grown old. */
function onTimer(ptr: number): void {
  const entry = neighbours.get(ptr);
  const ifp = ifnets.get(entry.interface);
  if (entry.state !== ARP_INCOMPLETE) {
    removeNeighbour(entry);
    return;
  }
  if (entry.tries < MAX_TRIES) {
    ask(ifp, entry);
    return;
  }
  count(entry.stack, STAT.arpFailed);
  entry.state = ARP_DOWN;
  const down = now() + sysctlValue(entry.stack, SYSCTL.arpDown) * SECOND;
  entry.expires = down;
  setCallout(entry.stack, entry.timer, down);
  // Last of all: who is told may only be reached through this very neighbour.
  unreachable(entry.stack, takeHeld(entry));
}

/** Takes the packets that wait, as a list. */
function takeHeld(entry: Neighbour): number {
  const list = entry.held;
  entry.held = 0;
  entry.heldLast = 0;
  entry.heldCount = 0;
  return list;
}

let onUnreachable: (stack: number, m: number) => void = (_stack, m) => mFree(m);

/** Says what becomes of a packet whose next hop did not answer (an ICMP error if it was forwarded). */
export function setUnreachableHandler(handler: (stack: number, m: number) => void): void {
  onUnreachable = handler;
}

function unreachable(stack: number, list: number): void {
  for (let m = list; m !== 0;) {
    const view = mbuf(m);
    const next = view.nextpkt;
    view.nextpkt = 0;
    count(stack, STAT.arpHoldDropped);
    onUnreachable(stack, m);
    m = next;
  }
}

/** Learns a hardware address and sends what waited for it. */
function learn(entry: Neighbour, ifp: Ifnet, mac: number): void {
  // What was looked up with the old address is stale.
  if (entry.state === ARP_REACHABLE && !sameMac(entry.mac, mac)) stacks.get(entry.stack).routeGeneration++;
  copyMac(entry.mac, mac);
  entry.state = ARP_REACHABLE;
  entry.tries = 0;
  entry.interface = ifp.ptr;
  entry.expires = now() + sysctlValue(entry.stack, SYSCTL.arpKeep) * SECOND;
  setCallout(entry.stack, entry.timer, entry.expires);
  for (let m = takeHeld(entry); m !== 0;) {
    const view = mbuf(m);
    const next = view.nextpkt;
    view.nextpkt = 0;
    count(entry.stack, STAT.arpHoldSent);
    etherOutput(ifp, m, entry.mac, ETHERTYPE_IP);
    m = next;
  }
}

function arpInput(stack: number, packet: number): void {
  count(stack, STAT.arpInTotal);
  station(packet, STATION.consumed, stack, ETHERTYPE_ARP);
  const ifp = ifnets.get(mbuf(packet).rcvif);
  const m = mPullup(packet, ARP_BYTES);
  if (m === 0) {
    count(stack, STAT.arpBad);
    return;
  }
  const p = mbuf(m).data;
  const wellFormed =
    be16(p) === 1 && be16(p + 2) === ETHERTYPE_IP && u8[p + 4] === ETHER_ADDRESS && u8[p + 5] === 4;
  if (!wellFormed || (u8[p + AT_SENDER_MAC]! & 1) !== 0) count(stack, STAT.arpBad);
  else if ((ifp.flags & IFF.NOARP) === 0) handleArp(stacks.get(stack), ifp, p);
  mFree(m);
}

function handleArp(stack: Stack, ifp: Ifnet, p: number): void {
  const sender = be32(p + AT_SENDER) >>> 0;
  const target = be32(p + AT_TARGET) >>> 0;
  const request = be16(p + AT_OP) === OP_REQUEST;
  count(stack.ptr, request ? STAT.arpInRequests : STAT.arpInReplies);
  if (sameMac(p + AT_SENDER_MAC, ifp.mac)) return;
  const holder = sender === 0 ? 0 : interfaceWithAddress(stack, sender);
  if (holder !== 0) {
    // Somebody else uses our address.
    count(stack.ptr, STAT.arpDuplicate);
    if (request && target === sender) defend(ifp, ifaddrs.get(findAddress(ifnets.get(holder), sender)));
    return;
  }
  const own = interfaceAsked(stack, ifp, target);
  const forUs = findAddress(own, target) !== 0;
  updateSender(stack, own, sender, p + AT_SENDER_MAC, forUs);
  if (request) answer(stack, own, sender, target, p, forUs);
}

/** Defends an own address, unless that was done a moment ago: two hosts that insist would never end (RFC 5227 §2.4 b). */
function defend(ifp: Ifnet, entry: Ifaddr): void {
  if (entry.defended !== 0 && now() - entry.defended < DEFEND_INTERVAL) return;
  entry.defended = now();
  announceAddress(ifp, entry.address);
}

/** The interface that is asked: the one the packet came in by, or another member of the same bridge that has the address. */
function interfaceAsked(stack: Stack, ifp: Ifnet, target: number): Ifnet {
  if (ifp.bridge === 0 || findAddress(ifp, target) !== 0) return ifp;
  const other = interfaceWithAddress(stack, target);
  return other !== 0 && areBridged(ifp, ifnets.get(other)) ? ifnets.get(other) : ifp;
}

/** RFC 826: an entry that exists is brought up to date; a new one is made only if we were asked. */
function updateSender(stack: Stack, ifp: Ifnet, sender: number, mac: number, forUs: boolean): void {
  if (sender === 0) return;
  let ptr = findNeighbour(stack, sender);
  if (ptr === 0 && forUs) ptr = addNeighbour(stack, ifp, sender);
  if (ptr === 0) return;
  const entry = neighbours.get(ptr);
  if (entry.permanent === 0) learn(entry, ifp, mac);
}

function answer(stack: Stack, ifp: Ifnet, sender: number, target: number, p: number, forUs: boolean): void {
  let mac = ifp.mac;
  if (!forUs) {
    const ptr = findNeighbour(stack, target);
    if (ptr === 0 || neighbours.get(ptr).published === 0) return;
    mac = neighbours.get(ptr).mac;
  }
  count(stack.ptr, STAT.arpOutReplies);
  sendArp(ifp, OP_REPLY, target, mac, sender, p + AT_SENDER_MAC, p + AT_SENDER_MAC);
}

/** Enters a neighbour by hand (arp -s). Returns 0 or ENOBUFS. */
export function setNeighbour(
  stack: Stack,
  ifp: Ifnet,
  address: number,
  mac: number,
  permanent: boolean,
  publish: boolean,
): number {
  let ptr = findNeighbour(stack, address);
  if (ptr === 0) ptr = addNeighbour(stack, ifp, address);
  if (ptr === 0) return ERRNO.ENOBUFS;
  const entry = neighbours.get(ptr);
  learn(entry, ifp, mac);
  entry.permanent = permanent ? 1 : 0;
  entry.published = publish ? 1 : 0;
  if (permanent) cancelCallout(stack.ptr, entry.timer);
  return 0;
}

/** Makes ARP part of the stack in this thread. */
export function installArp(): void {
  setInputHandler(ETHERTYPE_ARP, arpInput);
  setCalloutHandler(CALLOUT.arp, onTimer);
  onInterfaceEvent(onInterface);
}
