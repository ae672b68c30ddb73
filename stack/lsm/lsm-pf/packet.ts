/**
 * The packet at hand: what rules and states compare, read out once. One place per thread, valid within one run of the filter. Its headers are contiguous; whoever changes
 * them makes them its own first (mine()).
 */
import { be16, be32, putBe16, putBe32, u8 } from '../../memory/memory.ts';
import { CSUM_TRANSPORT_GOOD, mFree, mbuf } from '../../memory/mbuf.ts';
import { mPullup, mWritableFront } from '../../memory/mbuf-chain.ts';
import { foldSum, pseudoSum, sumChain } from '../../memory/checksum.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import type { Stack } from '../../net/stack.ts';
import {
  IP_DST,
  IP_HEADER,
  IP_LENGTH,
  IP_MF,
  IP_OFF,
  IP_OFFMASK,
  IP_PROTO,
  IP_SRC,
  IP_SUM,
  IP_TOS_AT,
  addressAt,
} from '../../netinet/ip.ts';
import type { Pf } from './records.ts';

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17 } as const;
export const TH_FIN = 1;
export const TH_SYN = 2;
export const TH_RST = 4;
export const TH_PUSH = 8;
export const TH_ACK = 16;

export const TCP_HEADER = 20;
export const UDP_HEADER = 8;
export const ICMP_HEADER = 8;
// Offsets in the headers.
export const AT_SPORT = 0;
export const AT_DPORT = 2;
export const TCP_SEQ = 4;
export const TCP_ACK = 8;
export const TCP_OFF = 12;
export const TCP_FLAGS = 13;
export const TCP_WIN = 14;
export const TCP_SUM = 16;
export const UDP_LENGTH = 4;
export const UDP_SUM = 6;
export const ICMP_CODE = 1;
export const ICMP_SUM = 2;
export const ICMP_ID = 4;

/** The packet at hand. Addresses and ports in host order; places are addresses in the one memory. */
export interface Packet {
  pf: Pf;
  stack: Stack;
  ifp: Ifnet;
  /** PFIL_IN or PFIL_OUT. */
  direction: number;
  m: number;
  /** IP header and its length; transport header. */
  ip: number;
  header: number;
  transport: number;
  /** Bytes of the whole packet. */
  length: number;
  protocol: number;
  source: number;
  destination: number;
  /** Ports; of ICMP queries the identifier is the source port. */
  sourcePort: number;
  destinationPort: number;
  tos: number;
  /** A fragment that was not put together: it has no ports. */
  fragment: boolean;
  /** It has options of IP. */
  options: boolean;
  /** TCP: flags, length of its header and of its data. */
  flags: number;
  tcpHeader: number;
  dataLength: number;
  icmpType: number;
  icmpCode: number;
}

/** Filled by readPacket(); the records are set before anything is read. */
export const pd = {
  direction: 0,
  m: 0,
  ip: 0,
  header: 0,
  transport: 0,
  length: 0,
  protocol: 0,
  source: 0,
  destination: 0,
  sourcePort: 0,
  destinationPort: 0,
  tos: 0,
  fragment: false,
  options: false,
  flags: 0,
  tcpHeader: 0,
  dataLength: 0,
  icmpType: -1,
  icmpCode: -1,
} as Packet;

/** Least bytes of a transport header; 0 where nothing is read of it. */
function transportBytes(protocol: number): number {
  switch (protocol) {
    case PROTOCOL.tcp:
      return TCP_HEADER;
    case PROTOCOL.udp:
    case PROTOCOL.icmp:
      return 8;
    default:
      return 0;
  }
}

/** Reads the IP header of `m`. */
export function readPacket(m: number): void {
  const view = mbuf(m);
  const p = view.data;
  pd.m = m;
  pd.ip = p;
  pd.header = (u8[p]! & 15) << 2;
  pd.transport = p + pd.header;
  pd.length = be16(p + IP_LENGTH);
  pd.protocol = u8[p + IP_PROTO]!;
  pd.source = addressAt(p + IP_SRC);
  pd.destination = addressAt(p + IP_DST);
  pd.sourcePort = 0;
  pd.destinationPort = 0;
  pd.tos = u8[p + IP_TOS_AT]!;
  pd.fragment = (be16(p + IP_OFF) & (IP_MF | IP_OFFMASK)) !== 0;
  pd.options = pd.header > IP_HEADER;
  pd.flags = 0;
  pd.tcpHeader = 0;
  pd.dataLength = 0;
  pd.icmpType = -1;
  pd.icmpCode = -1;
}

/** Makes `bytes` bytes of the packet contiguous; false when buffers are exhausted: it is freed then. */
export function contiguous(bytes: number): boolean {
  if (mbuf(pd.m).len >= bytes) return true;
  const m = mPullup(pd.m, bytes);
  if (m === 0) {
    pd.m = 0;
    return false;
  }
  moved(m);
  return true;
}

/** Makes the first `bytes` bytes of the packet ours to change; false when buffers are exhausted: it is freed then. */
export function mine(bytes: number): boolean {
  const m = mWritableFront(pd.m, Math.min(bytes, mbuf(pd.m).pktLen));
  if (m === 0) {
    pd.m = 0;
    return false;
  }
  moved(m);
  return true;
}

function moved(m: number): void {
  pd.m = m;
  pd.ip = mbuf(m).data;
  pd.transport = pd.ip + pd.header;
}

/** Types of ICMP that ask or answer, with an identifier: echo, timestamp, information, address mask. */
export function isQuery(type: number): boolean {
  return type === 0 || type === 8 || (type >= 13 && type <= 18);
}

/** Types of ICMP that report an error and quote the packet: unreachable, quench, redirect, time exceeded, parameter problem. */
export function isError(type: number): boolean {
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
}

/** Why a transport header could not be read: 'gone' when buffers were exhausted and the packet is freed. */
export type Unreadable = 'short' | 'bad-offset' | 'gone';

/** Reads the transport header of a packet that is no fragment; undefined when that went well. */
export function readTransport(): Unreadable | undefined {
  const bytes = transportBytes(pd.protocol);
  if (bytes === 0) return undefined;
  if (pd.length < pd.header + bytes) return 'short';
  if (!contiguous(pd.header + bytes)) return 'gone';
  const t = pd.transport;
  if (pd.protocol === PROTOCOL.icmp) {
    pd.icmpType = u8[t]!;
    pd.icmpCode = u8[t + ICMP_CODE]!;
    if (isQuery(pd.icmpType)) pd.sourcePort = be16(t + ICMP_ID);
    return undefined;
  }
  pd.sourcePort = be16(t + AT_SPORT);
  pd.destinationPort = be16(t + AT_DPORT);
  return pd.protocol === PROTOCOL.tcp ? readTcp() : undefined;
}

function readTcp(): Unreadable | undefined {
  pd.flags = u8[pd.transport + TCP_FLAGS]!;
  pd.tcpHeader = (u8[pd.transport + TCP_OFF]! >>> 4) << 2;
  pd.dataLength = pd.length - pd.header - pd.tcpHeader;
  if (pd.tcpHeader < TCP_HEADER || pd.dataLength < 0) return 'bad-offset';
  return contiguous(pd.header + pd.tcpHeader) ? undefined : 'gone';
}

/** False if the checksum of TCP, UDP or ICMP is wrong. What was found good is not looked at again. */
export function checksumGood(): boolean {
  const view = mbuf(pd.m);
  if ((view.csum & CSUM_TRANSPORT_GOOD) !== 0) return true;
  const length = pd.length - pd.header;
  const { protocol } = pd;
  if (protocol === PROTOCOL.icmp) return sumChain(pd.m, pd.header, length, 0) === 0xffff;
  if (protocol === PROTOCOL.udp && be16(pd.transport + UDP_SUM) === 0) return true;
  const good = sumChain(pd.m, pd.header, length, pseudoSum(pd.ip + IP_SRC, protocol, length)) === 0xffff;
  if (good) view.csum |= CSUM_TRANSPORT_GOOD;
  return good;
}

/** A checksum at `at` after a 16-bit word of what it covers has changed (RFC 1624, equation 3). Network order. */
export function fixSum16(at: number, before: number, after: number): void {
  const sum = foldSum((~be16(at) & 0xffff) + (~before & 0xffff) + after);
  putBe16(at, ~sum & 0xffff);
}

export function fixSum32(at: number, before: number, after: number): void {
  const sum = foldSum(
    (~be16(at) & 0xffff) +
      (~(before >>> 16) & 0xffff) +
      (~before & 0xffff) +
      (after >>> 16) +
      (after & 0xffff),
  );
  putBe16(at, ~sum & 0xffff);
}

/** Where the checksum of the transport header is that covers addresses and ports; 0 if there is none, or UDP goes without. */
export function transportSum(): number {
  if (pd.fragment) return 0;
  if (pd.protocol === PROTOCOL.tcp) return pd.transport + TCP_SUM;
  if (pd.protocol !== PROTOCOL.udp) return 0;
  const at = pd.transport + UDP_SUM;
  return be16(at) === 0 ? 0 : at;
}

/** A UDP checksum that has become 0 is sent as all ones (RFC 768). */
function keepUdpSum(at: number): void {
  if (at !== 0 && pd.protocol === PROTOCOL.udp && be16(at) === 0) putBe16(at, 0xffff);
}

/** Gives the packet another source or destination; checksums follow. Its headers are ours. */
export function setAddress(field: typeof IP_SRC | typeof IP_DST, address: number): void {
  const at = pd.ip + field;
  const before = be32(at) >>> 0;
  if (before === address) return;
  putBe32(at, address);
  fixSum32(pd.ip + IP_SUM, before, address);
  const sum = transportSum();
  if (sum !== 0) fixSum32(sum, before, address);
  keepUdpSum(sum);
  if (field === IP_SRC) pd.source = address;
  else pd.destination = address;
}

/** Gives the packet another port; the identifier of an ICMP query counts as its source port. */
export function setPort(field: typeof AT_SPORT | typeof AT_DPORT, port: number): void {
  if (pd.protocol === PROTOCOL.icmp) {
    setIcmpId(port);
    return;
  }
  if (pd.protocol !== PROTOCOL.tcp && pd.protocol !== PROTOCOL.udp) return;
  const at = pd.transport + field;
  const before = be16(at);
  if (before === port) return;
  putBe16(at, port);
  const sum = transportSum();
  if (sum !== 0) fixSum16(sum, before, port);
  keepUdpSum(sum);
  if (field === AT_SPORT) pd.sourcePort = port;
  else pd.destinationPort = port;
}

function setIcmpId(id: number): void {
  const at = pd.transport + ICMP_ID;
  const before = be16(at);
  if (before === id) return;
  putBe16(at, id);
  fixSum16(pd.transport + ICMP_SUM, before, id);
  pd.sourcePort = id;
}

/** A word as the checksum sees it that begins at an odd place: its bytes lie in the other halves of 16-bit words. */
function oddWord(word: number): number {
  return ((word << 8) | (word >>> 24)) >>> 0;
}

/** Changes 32 bits of the TCP header, at any place. */
export function setTcpWord(offset: number, value: number): void {
  const at = pd.transport + offset;
  const before = be32(at) >>> 0;
  const after = value >>> 0;
  if (before === after) return;
  putBe32(at, after);
  if ((offset & 1) === 0) fixSum32(pd.transport + TCP_SUM, before, after);
  else fixSum32(pd.transport + TCP_SUM, oddWord(before), oddWord(after));
}

/** Frees the packet at hand. */
export function dropPacket(): void {
  if (pd.m !== 0) mFree(pd.m);
  pd.m = 0;
}
