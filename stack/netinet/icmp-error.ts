/**
 * ICMP errors (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3): about which packets one may be sent, how many a second, and what it quotes.
 */
import { be16, putBe16, putBe32, u8 } from '../memory/memory.ts';
import { putChecksum, sumChain } from '../memory/checksum.ts';
import {
  HEADROOM,
  M_BCAST,
  M_MCAST,
  mFree,
  mGetHeader,
  mGetCluster,
  mbuf,
  ownerTag,
} from '../memory/mbuf.ts';
import { mCopyOut } from '../memory/mbuf-chain.ts';
import { SECOND, now } from '../runtime/clock.ts';
import { IPPROTO_ICMP } from '../runtime/messages/request.ts';
import { ifnets, interfaceWithAddress, isBroadcast, isMulticast } from '../net/ifnet.ts';
import { STATION, station } from '../net/journey.ts';
import { count, stacks, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { IP_DST, IP_OFF, IP_OFFMASK, IP_PROTO, IP_SRC, addressAt } from './ip.ts';
import { sourceFor, sourceOnInterface } from './inpcb.ts';
import { ipOutput } from './ip-output.ts';

export const ICMP_ECHOREPLY = 0;
export const ICMP_UNREACH = 3;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO = 8;
export const ICMP_TIMXCEED = 11;
export const ICMP_PARAMPROB = 12;

export const UNREACH_NET = 0;
export const UNREACH_HOST = 1;
export const UNREACH_PROTOCOL = 2;
export const UNREACH_PORT = 3;
export const UNREACH_NEEDFRAG = 4;
export const TIMXCEED_INTRANS = 0;
export const TIMXCEED_REASS = 1;
export const REDIRECT_HOST = 1;

export const ICMP_HEADER = 8;
const OWNER = ownerTag('icmp');
/** A whole error with its IP header is at most 576 bytes (RFC 1812 §4.3.2.3). */
const QUOTED = 576 - 20 - ICMP_HEADER;
const PRECEDENCE_INTERNETWORK = 0xc0;

/** True for types that report an error: no error is sent about those. */
export function isIcmpError(type: number): boolean {
  return (
    type === ICMP_UNREACH ||
    type === 4 ||
    type === ICMP_REDIRECT ||
    type === ICMP_TIMXCEED ||
    type === ICMP_PARAMPROB
  );
}

/** Sends an error about packet `m` (its IP header contiguous), and frees the packet. `value` is the MTU or the gateway, 0 otherwise. */
export function icmpError(stack: number, m: number, type: number, code: number, value: number): void {
  station(m, STATION.refused, stack, (type << 8) | code);
  icmpErrorAbout(stack, m, type, code, value);
  mFree(m);
}

/** The same, but the packet stays with the caller. `marks` are put on the error's mbuf (PF_GENERATED). */
export function icmpErrorAbout(
  stack: number,
  m: number,
  type: number,
  code: number,
  value: number,
  marks = 0,
): void {
  count(stack, STAT.icmpError);
  const view = mbuf(m);
  const p = view.data;
  const source = addressAt(p + IP_SRC);
  if (!mayReport(stack, m, source)) return;
  if (!withinLimit(stack)) {
    count(stack, STAT.icmpLimited);
    return;
  }
  const quoted = Math.min(view.pktLen, QUOTED);
  const packet = quoted > 100 ? mGetCluster(OWNER, HEADROOM) : mGetHeader(OWNER, 64);
  if (packet === 0) return;
  const head = mbuf(packet);
  head.len = ICMP_HEADER + quoted;
  head.pktLen = head.len;
  head.csum |= marks;
  const q = head.data;
  u8[q] = type;
  u8[q + 1] = code;
  putBe16(q + 2, 0);
  putBe32(q + 4, value);
  mCopyOut(m, 0, quoted, q + ICMP_HEADER);
  putChecksum(q + 2, sumChain(packet, 0, head.len, 0));
  if (type === ICMP_UNREACH) count(stack, STAT.icmpOutUnreach);
  else if (type === ICMP_TIMXCEED) count(stack, STAT.icmpOutTimeExceeded);
  const from = errorSource(stacks.get(stack), view.rcvif, addressAt(p + IP_DST), source);
  const ttl = sysctlValue(stack, SYSCTL.ipTtl);
  ipOutput(stack, packet, from, source, IPPROTO_ICMP, ttl, PRECEDENCE_INTERNETWORK, 0, 0);
}

/** The address that the packet was sent to if it is ours, else that of the interface it came in by. */
function errorSource(stack: Stack, rcvif: number, destination: number, source: number): number {
  if (interfaceWithAddress(stack, destination) !== 0) return destination;
  const own = isListed(stack, rcvif) ? sourceOnInterface(rcvif, source) : 0;
  return own !== 0 ? own : sourceFor(stack, source);
}

/** A packet that waited may have come in by an interface that is gone. */
function isListed(stack: Stack, rcvif: number): boolean {
  let ptr = stack.interfaces;
  while (ptr !== 0 && ptr !== rcvif) ptr = ifnets.get(ptr).next;
  return ptr !== 0;
}

/** No error about an error, about a later fragment, a broadcast, or a packet from nowhere (RFC 1122 §3.2.2). */
function mayReport(stack: number, m: number, source: number): boolean {
  const view = mbuf(m);
  const p = view.data;
  const destination = addressAt(p + IP_DST);
  if ((view.flags & (M_BCAST | M_MCAST)) !== 0 || isMulticast(destination)) return false;
  if (isListed(stacks.get(stack), view.rcvif) && isBroadcast(ifnets.get(view.rcvif), destination))
    return false;
  if (source === 0 || source === 0xffffffff || isMulticast(source) || source >>> 28 === 15) return false;
  if ((be16(p + IP_OFF) & IP_OFFMASK) !== 0) return false;
  const header = (u8[p]! & 15) << 2;
  if (view.pktLen < header + ICMP_HEADER) {
    count(stack, STAT.icmpOldShort);
    return view.pktLen > header;
  }
  if (u8[p + IP_PROTO] !== IPPROTO_ICMP) return true;
  if (!isIcmpError(byteAt(m, header))) return true;
  count(stack, STAT.icmpOldIcmp);
  return false;
}

/** The byte at an offset of a packet that is long enough. */
function byteAt(m: number, off: number): number {
  let view = mbuf(m);
  while (off >= view.len) {
    off -= view.len;
    view = mbuf(view.next);
  }
  return u8[view.data + off]!;
}

function withinLimit(stack: number): boolean {
  const limit = sysctlValue(stack, SYSCTL.icmpErrorLimit);
  if (limit === 0) return true;
  const owner = stacks.get(stack);
  if (now() - owner.icmpSecond >= SECOND) {
    owner.icmpSecond = now();
    owner.icmpCount = 0;
  }
  return ++owner.icmpCount <= limit;
}
