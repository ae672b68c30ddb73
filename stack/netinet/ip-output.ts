/**
 * Sending IPv4 packets (RFC 791, RFC 1122 §3.3): fills the header, finds route and next hop, fragments what is too long for the interface.
 */
import { be16, maxThreads, putBe16, putBe32, region, selfThread, u8 } from '../memory/memory.ts';
import { putChecksum, sumBytes } from '../memory/checksum.ts';
import {
  CSUM_IP_GOOD,
  M_BCAST,
  M_MCAST,
  M_PASSED_OVER,
  mFree,
  mGetHeader,
  mbuf,
  ownerTag,
} from '../memory/mbuf.ts';
import { copyBytes, mPrepend, mShareRange, mWritableFront } from '../memory/mbuf-chain.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { ETHERTYPE_IP, etherOutput, inputLocal } from '../net/ethernet.ts';
import { IFT_ETHER, driverOf, ifnets, interfaceWithAddress, isBroadcast, isMulticast } from '../net/ifnet.ts';
import type { Ifnet } from '../net/ifnet.ts';
import { STATION, beginJourney, following, station } from '../net/journey.ts';
import { PFIL_HEAD, PFIL_OUT, pfilRun, pfilStatus } from '../net/pfil.ts';
import { RTF_BLACKHOLE, RTF_REJECT, lookupRoute, routes } from '../net/route.ts';
import { count, stacks } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { arpResolve } from './arp.ts';
import {
  IP_DF,
  IP_DST,
  IP_HEADER,
  IP_ID,
  IP_LENGTH,
  IP_MAXPACKET,
  IP_MF,
  IP_OFF,
  IP_OFFMASK,
  IP_PROTO,
  IP_SRC,
  IP_SUM,
  IP_TOS_AT,
  IP_TTL_AT,
  addressAt,
} from './ip.ts';
import { copyHeader } from './ip-options.ts';

const FRAGMENT = ownerTag('output');
const groupMac = region('group addresses', 8 * maxThreads) + 8 * selfThread;

/**
 * Puts a 20-byte header in front of a packet's payload and sends it. `route` is a route the caller has looked up, 0 to look it up here; `frag` is
 * 0 or IP_DF. Transport checksums are the caller's. Returns 0 or an errno; the packet is gone in any case.
 */
export function ipOutput(
  stack: number,
  m: number,
  source: number,
  destination: number,
  protocol: number,
  ttl: number,
  tos: number,
  frag: number,
  route: number,
): number {
  const packet = mPrepend(m, IP_HEADER);
  if (packet === 0) {
    count(stack, STAT.ipOutDropped);
    return ERRNO.ENOBUFS;
  }
  const view = mbuf(packet);
  if (view.pktLen > IP_MAXPACKET) {
    mFree(packet);
    return ERRNO.EMSGSIZE;
  }
  const p = view.data;
  u8[p] = 0x45;
  u8[p + IP_TOS_AT] = tos;
  putBe16(p + IP_LENGTH, view.pktLen);
  const owner = stacks.get(stack);
  putBe16(p + IP_ID, owner.ipId++);
  putBe16(p + IP_OFF, frag);
  u8[p + IP_TTL_AT] = ttl;
  u8[p + IP_PROTO] = protocol;
  putBe32(p + IP_SRC, source);
  putBe32(p + IP_DST, destination);
  count(stack, STAT.ipLocalOut);
  if (following()) beginJourney(packet, 0, ETHERTYPE_IP);
  station(packet, STATION.output, stack, protocol);
  return ipRoute(owner, packet, destination, route, false);
}

/**
 * Sends a packet whose header is complete but for its checksum: of our own with its header included, or one that is forwarded. The first buffer holds the
 * whole header and is ours to write in.
 */
export function ipRoute(
  stack: Stack,
  m: number,
  destination: number,
  known: number,
  forwarding: boolean,
): number {
  // A route that is known leads away from this host (inpcbRoute).
  if (known === 0 && !forwarding && interfaceWithAddress(stack, destination) !== 0 && stack.loopback !== 0) {
    return transmit(stack, m, ifnets.get(stack.loopback), destination);
  }
  const ptr = known !== 0 ? known : lookupRoute(stack, destination);
  if (ptr === 0) {
    const ifp = destination === 0xffffffff ? broadcastInterface(stack) : 0;
    if (ifp !== 0) return transmit(stack, m, ifnets.get(ifp), destination);
    count(stack.ptr, STAT.ipNoRoute);
    station(m, STATION.drop, stack.ptr, STAT.ipNoRoute);
    mFree(m);
    return ERRNO.EHOSTUNREACH;
  }
  const route = routes.get(ptr);
  route.use++;
  if ((route.flags & (RTF_REJECT | RTF_BLACKHOLE)) !== 0) {
    station(m, STATION.drop, stack.ptr, STAT.ipNoRoute);
    mFree(m);
    return (route.flags & RTF_REJECT) === 0 ? 0 : ERRNO.EHOSTUNREACH;
  }
  return transmit(stack, m, ifnets.get(route.interface), route.gateway !== 0 ? route.gateway : destination);
}

/** Where a limited broadcast leaves when no route says so: the first interface that can do it. */
function broadcastInterface(stack: Stack): number {
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
    const ifp = ifnets.get(ptr);
    if ((ifp.flags & (IFF.UP | IFF.BROADCAST)) === (IFF.UP | IFF.BROADCAST)) return ptr;
  }
  return 0;
}

function transmit(stack: Stack, m: number, ifp: Ifnet, nexthop: number): number {
  if (stack.activeFilters === 0) return transmitFiltered(stack, m, ifp, nexthop);
  const filtered = pfilRun(stack, PFIL_HEAD.inet, m, ifp, PFIL_OUT);
  return filtered === 0 ? pfilStatus() : transmitFiltered(stack, filtered, ifp, nexthop);
}

/** Sends a packet that the filters have let pass: to `nexthop` by `ifp`. Returns 0 or an errno; the packet is gone in any case. */
export function transmitFiltered(stack: Stack, m: number, ifp: Ifnet, nexthop: number): number {
  const view = mbuf(m);
  if (view.pktLen > ifp.mtu && view.segment === 0) return fragment(stack, m, ifp, nexthop);
  const p = view.data;
  u8[p + IP_SUM] = 0;
  u8[p + IP_SUM + 1] = 0;
  putChecksum(p + IP_SUM, sumBytes(p, (u8[p]! & 15) << 2));
  view.csum |= CSUM_IP_GOOD;
  return linkOutput(ifp, m, nexthop);
}

/** Hands a finished packet to the interface: no Ethernet, broadcast, multicast, or by ARP to a neighbour. */
function linkOutput(ifp: Ifnet, m: number, nexthop: number): number {
  if (ifp.type !== IFT_ETHER) return driverOf(ifp).output!(ifp, m, nexthop);
  if (isBroadcast(ifp, nexthop)) {
    echoToSelf(ifp, m);
    return etherOutput(ifp, m, 0, ETHERTYPE_IP);
  }
  if (isMulticast(nexthop)) {
    ifp.omcasts++;
    return etherOutput(ifp, m, multicastAddress(nexthop), ETHERTYPE_IP);
  }
  return arpResolve(ifp, m, nexthop);
}

/** A broadcast is for us as well (simplex interfaces do not hear themselves). */
function echoToSelf(ifp: Ifnet, m: number): void {
  const view = mbuf(m);
  const copy = mShareRange(FRAGMENT, m, 0, view.pktLen);
  if (copy === 0) return;
  const head = mbuf(copy);
  head.flags = view.flags | M_BCAST;
  head.pktLen = view.pktLen;
  head.journey = view.journey;
  inputLocal(ifp, copy, ETHERTYPE_IP);
}

/** The hardware address of a group (RFC 1112 §6.4), in a place of this thread that holds until the next one is asked for. */
function multicastAddress(address: number): number {
  putBe32(groupMac, 0x01005e00);
  putBe32(groupMac + 2, 0x5e000000 | (address & 0x7fffff));
  return groupMac;
}

/** Sends a packet in pieces that fit (RFC 791 §3.2). The pieces share the clusters of the packet. */
function fragment(stack: Stack, m: number, ifp: Ifnet, nexthop: number): number {
  const view = mbuf(m);
  const p = view.data;
  const off = be16(p + IP_OFF);
  if ((off & IP_DF) !== 0) {
    count(stack.ptr, STAT.ipCantFrag);
    station(m, STATION.drop, stack.ptr, STAT.ipCantFrag);
    mFree(m);
    return ERRNO.EMSGSIZE;
  }
  const header = (u8[p]! & 15) << 2;
  const piece = (ifp.mtu - header) & ~7;
  if (piece < 8) {
    mFree(m);
    return ERRNO.EMSGSIZE;
  }
  count(stack.ptr, STAT.ipFragmented);
  const data = view.pktLen - header;
  let status = 0;
  for (let at = 0; at < data && status === 0; at += piece) {
    const len = Math.min(piece, data - at);
    const more = at + len < data || (off & IP_MF) !== 0;
    const offset = (off & IP_OFFMASK) + (at >>> 3);
    const frag = fragmentOf(m, at, len, offset | (more ? IP_MF : 0));
    status = frag === 0 ? ERRNO.ENOBUFS : linkOutput(ifp, frag, nexthop);
    count(stack.ptr, STAT.ipOutFragments);
  }
  mFree(m);
  return status;
}

/** One fragment: options are copied into the first only, or when their copy flag is set. */
function fragmentOf(m: number, at: number, len: number, off: number): number {
  const view = mbuf(m);
  const header = (u8[view.data]! & 15) << 2;
  const front = mGetHeader(FRAGMENT, LINK_ROOM);
  if (front === 0) return 0;
  const head = mbuf(front);
  const kept = at === 0 ? header : copyHeader(view.data, header, head.data);
  if (at === 0) copyBytes(head.data, view.data, header);
  const data = mShareRange(FRAGMENT, m, header + at, len);
  if (data === 0) {
    mFree(front);
    return 0;
  }
  head.next = data;
  head.journey = view.journey;
  head.len = kept;
  head.pktLen = kept + len;
  head.flags |= view.flags & (M_BCAST | M_MCAST | M_PASSED_OVER);
  const p = head.data;
  u8[p] = 0x40 | (kept >>> 2);
  putBe16(p + IP_LENGTH, kept + len);
  putBe16(p + IP_OFF, off);
  putBe16(p + IP_SUM, 0);
  putChecksum(p + IP_SUM, sumBytes(p, kept));
  return front;
}

/** Room for the link header in front of a fragment. */
const LINK_ROOM = 16;

/** Sends a packet that already has its header (IP_HDRINCL): what is zero in it is filled in. Returns 0 or an errno. */
export function ipOutputRaw(stack: number, packet: number, source: number): number {
  const view = mbuf(packet);
  if (view.pktLen < IP_HEADER || view.pktLen > IP_MAXPACKET) {
    mFree(packet);
    return view.pktLen < IP_HEADER ? ERRNO.EINVAL : ERRNO.EMSGSIZE;
  }
  const m = mWritableFront(packet, IP_HEADER);
  if (m === 0) return ERRNO.ENOBUFS;
  const p = mbuf(m).data;
  const header = (u8[p]! & 15) << 2;
  if (u8[p]! >>> 4 !== 4 || header < IP_HEADER || header > mbuf(m).len) {
    mFree(m);
    return ERRNO.EINVAL;
  }
  const owner = stacks.get(stack);
  putBe16(p + IP_LENGTH, mbuf(m).pktLen);
  if (be16(p + IP_ID) === 0) putBe16(p + IP_ID, owner.ipId++);
  if (addressAt(p + IP_SRC) === 0) putBe32(p + IP_SRC, source);
  count(stack, STAT.ipRawOut);
  if (following()) beginJourney(m, 0, ETHERTYPE_IP);
  station(m, STATION.output, stack, u8[p + IP_PROTO]!);
  return ipRoute(owner, m, addressAt(p + IP_DST), 0, false);
}
