/**
 * Receiving IPv4 packets (RFC 791, RFC 1122 §3.2): checks the header, decides between delivery here and forwarding, hands what is for us to its transport.
 */
import { be16, u8 } from '../memory/memory.ts';
import { sumBytes } from '../memory/checksum.ts';
import { CSUM_IP_GOOD, CSUM_TRANSPORT_GOOD, M_BCAST, M_MCAST, mFree, mbuf } from '../memory/mbuf.ts';
import { mPullup, mTrimTo } from '../memory/mbuf-chain.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ETHERTYPE_IP } from '../net/ethernet.ts';
import { findAddress, ifnets, interfaceWithAddress, isBroadcast, isMulticast } from '../net/ifnet.ts';
import { STATION, station } from '../net/journey.ts';
import { setInputHandler } from '../net/netisr.ts';
import { PFIL_HEAD, PFIL_IN, pfilRun } from '../net/pfil.ts';
import { count, stacks, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { ICMP_PARAMPROB, ICMP_UNREACH, UNREACH_PROTOCOL, icmpError } from './icmp-error.ts';
import {
  IP_DST,
  IP_HEADER,
  IP_LENGTH,
  IP_MF,
  IP_OFF,
  IP_OFFMASK,
  IP_PROTO,
  IP_SRC,
  addressAt,
} from './ip.ts';
import { ipForward } from './ip-forward.ts';
import { badOption } from './ip-options.ts';
import { reassemble } from './ip-reassembly.ts';
import { moduleTransport, transportInput } from './protocols.ts';
import { rawDeliver } from './raw.ts';

const LOOPBACK_NET = 127;

function drop(stack: number, m: number, stat: number): number {
  count(stack, stat);
  station(m, STATION.drop, stack, stat);
  mFree(m);
  return 0;
}

/** Checks header and lengths; returns the packet with its header contiguous and cut to its length, or 0 (dropped). */
function checked(stack: number, packet: number): number {
  let m = packet;
  let view = mbuf(m);
  if (view.pktLen < IP_HEADER) return drop(stack, m, STAT.ipTooShort);
  if (view.len < IP_HEADER) {
    m = mPullup(m, IP_HEADER);
    if (m === 0) return 0;
    view = mbuf(m);
  }
  const first = u8[view.data]!;
  if (first >>> 4 !== 4) return drop(stack, m, STAT.ipBadVers);
  const header = (first & 15) << 2;
  if (header < IP_HEADER) return drop(stack, m, STAT.ipBadHlen);
  if (header > view.len) {
    if (header > view.pktLen) return drop(stack, m, STAT.ipBadHlen);
    m = mPullup(m, header);
    if (m === 0) return 0;
    view = mbuf(m);
  }
  const p = view.data;
  if ((view.csum & CSUM_IP_GOOD) === 0 && sumBytes(p, header) !== 0xffff)
    return drop(stack, m, STAT.ipBadSum);
  const length = be16(p + IP_LENGTH);
  if (length < header) return drop(stack, m, STAT.ipBadLen);
  if (length > view.pktLen) return drop(stack, m, STAT.ipTooSmall);
  if (length < view.pktLen) mTrimTo(m, length);
  const bad = header === IP_HEADER ? 0 : badOption(p, header);
  if (bad === 0) return m;
  count(stack, STAT.ipBadOptions);
  icmpError(stack, m, ICMP_PARAMPROB, 0, (bad + 1) << 24);
  return 0;
}

/** Loopback addresses never cross a wire; a source is never a group or a broadcast (RFC 1122 §3.2.1.3). */
function validAddresses(source: number, destination: number, loopback: boolean): boolean {
  if (!loopback && (source >>> 24 === LOOPBACK_NET || destination >>> 24 === LOOPBACK_NET)) return false;
  return !isMulticast(source) && source !== 0xffffffff;
}

/** True if the packet is for this host. */
function isForUs(stack: Stack, rcvif: number, destination: number): boolean {
  const ifp = ifnets.get(rcvif);
  if (findAddress(ifp, destination) !== 0) return true;
  if (interfaceWithAddress(stack, destination) !== 0) return true;
  if (isBroadcast(ifp, destination)) return true;
  // Without group membership only the all-hosts group is ours.
  return destination === ALL_HOSTS;
}
const ALL_HOSTS = 0xe0000001;

export function ipInput(stack: number, packet: number): void {
  count(stack, STAT.ipTotal);
  station(packet, STATION.ipInput, stack, 0);
  const m = checked(stack, packet);
  if (m === 0) return;
  const view = mbuf(m);
  const p = view.data;
  const source = addressAt(p + IP_SRC);
  const destination = addressAt(p + IP_DST);
  const owner = stacks.get(stack);
  const loopback = (ifnets.get(view.rcvif).flags & IFF.LOOPBACK) !== 0;
  if (!validAddresses(source, destination, loopback)) {
    drop(stack, m, STAT.ipBadAddr);
    return;
  }
  if (owner.activeFilters === 0) {
    ipDecide(owner, m, destination);
    return;
  }
  const filtered = pfilRun(owner, PFIL_HEAD.inet, unmarked(m), ifnets.get(view.rcvif), PFIL_IN);
  // A filter may have given it another destination.
  if (filtered !== 0) ipDecide(owner, filtered, addressAt(mbuf(filtered).data + IP_DST));
}

/** What another node's filters have noted on a packet means nothing here. */
function unmarked(m: number): number {
  mbuf(m).csum &= CSUM_IP_GOOD | CSUM_TRANSPORT_GOOD;
  return m;
}

/** A packet is for this host, to be forwarded, or for nobody here. */
function ipDecide(owner: Stack, m: number, destination: number): void {
  const stack = owner.ptr;
  const view = mbuf(m);
  if (isForUs(owner, view.rcvif, destination)) {
    ipDeliver(stack, m);
    return;
  }
  if (isMulticast(destination) || sysctlValue(stack, SYSCTL.ipForwarding) === 0) {
    drop(stack, m, STAT.ipCantForward);
    return;
  }
  ipForward(owner, m, (view.flags & (M_BCAST | M_MCAST)) !== 0);
}

/** Delivers a packet for this host to its transport, once it is whole. */
function ipDeliver(stack: number, packet: number): void {
  let m = packet;
  if ((be16(mbuf(m).data + IP_OFF) & (IP_MF | IP_OFFMASK)) !== 0) {
    station(m, STATION.reassembly, stack, 0);
    m = reassemble(stacks.get(stack), m);
    if (m === 0) return;
  }
  count(stack, STAT.ipDelivered);
  const p = mbuf(m).data;
  const header = (u8[p]! & 15) << 2;
  const protocol = u8[p + IP_PROTO]!;
  const input = transportInput(protocol);
  station(m, STATION.transport, stack, protocol);
  if (input !== undefined) {
    input(stack, m, header);
    return;
  }
  const sockets = rawDeliver(stack, m);
  if (moduleTransport(stack, m, header, protocol)) return;
  answerUnclaimed(stack, m, sockets);
}

/** A packet for this host that no transport has taken: raw sockets may want it, otherwise its sender is told. */
export function unclaimed(stack: number, m: number): void {
  answerUnclaimed(stack, m, rawDeliver(stack, m));
}

/** @param sockets raw sockets that had a copy */
function answerUnclaimed(stack: number, m: number, sockets: number): void {
  if (sockets > 0) {
    mFree(m);
    return;
  }
  count(stack, STAT.ipNoProto);
  icmpError(stack, m, ICMP_UNREACH, UNREACH_PROTOCOL, 0);
}

/** Makes IPv4 input part of the stack in this thread. */
export function installIp(): void {
  setInputHandler(ETHERTYPE_IP, ipInput);
}
