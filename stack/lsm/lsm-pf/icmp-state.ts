/**
 * ICMP errors belong to the state of the packet that they quote (RFC 792; RFC 5508 §4): they pass with it, and what they quote is translated back as the packet was
 * translated.
 */
import { be16, be32, putBe16, putBe32, u8 } from '../../memory/memory.ts';
import { PFIL_IN } from '../../net/pfil.ts';
import {
  IP_DST,
  IP_HEADER,
  IP_OFF,
  IP_OFFMASK,
  IP_PROTO,
  IP_SRC,
  IP_SUM,
  addressAt,
} from '../../netinet/ip.ts';
import { REASON } from './counters.ts';
import {
  ICMP_HEADER,
  ICMP_ID,
  ICMP_SUM,
  PROTOCOL,
  TCP_SEQ,
  UDP_SUM,
  contiguous,
  fixSum16,
  fixSum32,
  isQuery,
  mine,
  pd,
  setAddress,
} from './packet.ts';
import { peerOf, stateRecords } from './records.ts';
import type { State } from './records.ts';
import { SCALE_KNOWN, SCALE_MASK } from './segment.ts';
import { findState } from './states.ts';
import { seqGeq } from './tcp-state.ts';

/** The state that an error belongs to; 0 for none; or why it is dropped. */
export type ErrorState = { readonly state: number } | { readonly reason: number };

/** What an error quotes: where it lies in the packet, and its ends. */
interface Quoted {
  /** Of its IP and transport header from the start of the packet. */
  readonly ip: number;
  readonly transport: number;
  readonly protocol: number;
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** The ports of what is quoted; the identifier of an ICMP query belongs to the side that PF looks from. */
function quotedPorts(at: number, protocol: number): readonly [number, number] {
  if (protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp) return [be16(at), be16(at + 2)];
  if (protocol === PROTOCOL.icmp && isQuery(u8[at]!)) return [be16(at + ICMP_ID), 0];
  return [0, 0];
}

/** Reads what the error at hand quotes; a reason when there is too little of it. */
function readQuoted(): Quoted | number {
  const ip = pd.header + ICMP_HEADER;
  if (pd.length < ip + IP_HEADER) return REASON.short;
  if (!contiguous(ip + IP_HEADER)) return REASON.memory;
  const header = (u8[pd.ip + ip]! & 15) << 2;
  const transport = ip + header;
  // Only the first fragment of a datagram has ports.
  if ((be16(pd.ip + ip + IP_OFF) & IP_OFFMASK) !== 0) return REASON.fragment;
  if (header < IP_HEADER || pd.length < transport + 8) return REASON.short;
  if (!contiguous(transport + 8)) return REASON.memory;
  const protocol = u8[pd.ip + ip + IP_PROTO]!;
  const [sourcePort, destinationPort] = quotedPorts(pd.ip + transport, protocol);
  return {
    ip,
    transport,
    protocol,
    source: addressAt(pd.ip + ip + IP_SRC),
    destination: addressAt(pd.ip + ip + IP_DST),
    sourcePort,
    destinationPort,
  };
}

/** True if the sequence number of a quoted segment is one that its sender may have sent. */
function isPlausible(state: State, sequence: number): boolean {
  // The error travels against the segment.
  const forward = pd.direction !== state.direction;
  const src = peerOf(state, forward);
  const dst = peerOf(state, !forward);
  const seq = (sequence - src.diff) >>> 0;
  const shift =
    (src.scale & SCALE_KNOWN) !== 0 && (dst.scale & SCALE_KNOWN) !== 0 ? dst.scale & SCALE_MASK : 0;
  return seqGeq(src.high, seq) && seqGeq(seq, (src.low - (dst.window << shift)) >>> 0);
}

/** Changes a word of what is quoted; the checksum of the error follows. */
function patch32(offset: number, value: number): void {
  const at = pd.ip + offset;
  fixSum32(pd.transport + ICMP_SUM, be32(at) >>> 0, value >>> 0);
  putBe32(at, value);
}

function patch16(offset: number, value: number): void {
  const at = pd.ip + offset;
  fixSum16(pd.transport + ICMP_SUM, be16(at), value);
  putBe16(at, value);
}

/** Changes an address of the quoted IP header, and the checksum of that. */
function patchAddress(quoted: Quoted, field: number, value: number): void {
  const before = be32(pd.ip + quoted.ip + field) >>> 0;
  if (before === value) return;
  patch32(quoted.ip + field, value);
  const sum = quoted.ip + IP_SUM;
  const old = be16(pd.ip + sum);
  fixSum32(pd.ip + sum, before, value);
  const fixed = be16(pd.ip + sum);
  putBe16(pd.ip + sum, old);
  patch16(sum, fixed);
  fixQuotedUdp(quoted, (at) => fixSum32(at, before, value));
}

function patchPort(quoted: Quoted, offset: number, port: number): void {
  const before = be16(pd.ip + quoted.transport + offset);
  if (before === port) return;
  patch16(quoted.transport + offset, port);
  if (quoted.protocol === PROTOCOL.icmp) {
    const at = quoted.transport + ICMP_SUM;
    const old = be16(pd.ip + at);
    fixSum16(pd.ip + at, before, port);
    const fixed = be16(pd.ip + at);
    putBe16(pd.ip + at, old);
    patch16(at, fixed);
  } else fixQuotedUdp(quoted, (at) => fixSum16(at, before, port));
}

/** Of what is quoted only UDP's checksum lies in the first 8 bytes. */
function fixQuotedUdp({ protocol, transport }: Quoted, fix: (at: number) => void): void {
  const at = pd.ip + transport + UDP_SUM;
  const old = be16(at);
  if (protocol !== PROTOCOL.udp || old === 0) return;
  fix(at);
  const fixed = be16(at);
  putBe16(at, old);
  patch16(transport + UDP_SUM, fixed);
}

/** Makes what is quoted what the receiver of the error has sent. */
function translateBack(state: State, quoted: Quoted): boolean {
  const shift = quoted.protocol === PROTOCOL.tcp ? peerOf(state, pd.direction !== state.direction).diff : 0;
  const same = state.lanAddress === state.gatewayAddress && state.lanPort === state.gatewayPort;
  if (same && shift === 0) return true;
  if (!mine(quoted.transport + 8)) return false;
  const inward = pd.direction === PFIL_IN;
  if (!same) {
    const address = inward ? state.lanAddress : state.gatewayAddress;
    const port = inward ? state.lanPort : state.gatewayPort;
    patchAddress(quoted, inward ? IP_SRC : IP_DST, address);
    if (quoted.protocol === PROTOCOL.icmp) patchPort(quoted, ICMP_ID, port);
    else if (quoted.protocol === PROTOCOL.tcp || quoted.protocol === PROTOCOL.udp)
      patchPort(quoted, inward ? 0 : 2, port);
    setAddress(inward ? IP_DST : IP_SRC, address);
  }
  if (shift !== 0) {
    const at = quoted.transport + TCP_SEQ;
    patch32(at, (be32(pd.ip + at) - shift) >>> 0);
  }
  return true;
}

/** Finds the state that the ICMP error at hand belongs to, and translates what it quotes. */
export function testIcmpError(): ErrorState {
  const quoted = readQuoted();
  if (typeof quoted === 'number') return { reason: quoted };
  // As if the answer to what is quoted came this way; the identifier of a query is on the side of whoever asked.
  const ptr = findState(
    pd.pf,
    pd.ifp.ptr,
    pd.direction,
    quoted.protocol,
    quoted.destination,
    quoted.protocol === PROTOCOL.icmp ? icmpPort(pd.direction !== PFIL_IN, quoted) : quoted.destinationPort,
    quoted.source,
    quoted.protocol === PROTOCOL.icmp ? icmpPort(pd.direction === PFIL_IN, quoted) : quoted.sourcePort,
  );
  if (ptr === 0) return { state: 0 };
  const state = stateRecords.get(ptr);
  const isTcp = quoted.protocol === PROTOCOL.tcp;
  if (isTcp && !isPlausible(state, be32(pd.ip + quoted.transport + TCP_SEQ) >>> 0))
    return { reason: REASON['state-mismatch'] };
  return translateBack(state, quoted) ? { state: ptr } : { reason: REASON.memory };
}

function icmpPort(has: boolean, quoted: Quoted): number {
  return has ? quoted.sourcePort : 0;
}
