/**
 * ICMP messages as ping and traceroute build and read them on raw sockets (RFC 792); what a raw socket receives starts with the IPv4 header (RFC 791).
 */
import { Buffer } from 'node:buffer';

export const ICMP_ECHOREPLY = 0;
export const ICMP_UNREACH = 3;
export const ICMP_SOURCEQUENCH = 4;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO = 8;
export const ICMP_TIMXCEED = 11;
export const ICMP_PARAMPROB = 12;

export const ICMP_HEADER_BYTES = 8;
const IP_HEADER_BYTES = 20;
const IP_DF = 0x4000;

/** Internet checksum (RFC 1071) of `bytes`: 0 over a message that includes a right one. */
export function inChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An echo request with its checksum. */
export function echoRequest(id: number, sequence: number, data: Uint8Array): Buffer {
  const message = Buffer.alloc(ICMP_HEADER_BYTES + data.length);
  message[0] = ICMP_ECHO;
  message.writeUInt16BE(id, 4);
  message.writeUInt16BE(sequence & 0xffff, 6);
  message.set(data, ICMP_HEADER_BYTES);
  message.writeUInt16BE(inChecksum(message), 2);
  return message;
}

/** An IPv4 header for a socket with IP_HDRINCL: don't-fragment set, identification, source and checksum left to the stack. */
export function dontFragmentHeader(destination: number, ttl: number, dataBytes: number): Buffer {
  const header = Buffer.alloc(IP_HEADER_BYTES);
  header[0] = 0x45;
  header.writeUInt16BE(IP_HEADER_BYTES + dataBytes, 2);
  header.writeUInt16BE(IP_DF, 6);
  header[8] = ttl;
  header[9] = 1;
  header.writeUInt32BE(destination >>> 0, 16);
  return header;
}

/** A packet as a raw socket gives it, its header read. */
export interface IpPacket {
  readonly ttl: number;
  readonly protocol: number;
  readonly source: number;
  readonly destination: number;
  readonly data: Buffer;
}

/** Reads an IPv4 header; undefined if the bytes are too short for one. The data may be less than the header says (ICMP quotes). */
export function parseIp(bytes: Buffer): IpPacket | undefined {
  if (bytes.length < IP_HEADER_BYTES) return undefined;
  const headerBytes = (bytes[0]! & 15) * 4;
  if (headerBytes < IP_HEADER_BYTES || bytes.length < headerBytes) return undefined;
  return {
    ttl: bytes[8]!,
    protocol: bytes[9]!,
    source: bytes.readUInt32BE(12),
    destination: bytes.readUInt32BE(16),
    data: bytes.subarray(headerBytes),
  };
}

/** An ICMP message; `id` and `sequence` have a meaning in echo messages, `nextMtu` in code 4 of unreachable (RFC 1191). */
export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  readonly id: number;
  readonly sequence: number;
  readonly nextMtu: number;
  readonly data: Buffer;
}

/** Reads an ICMP header; undefined if the bytes are too short for one. */
export function parseIcmp(bytes: Buffer): IcmpMessage | undefined {
  if (bytes.length < ICMP_HEADER_BYTES) return undefined;
  const word = bytes.readUInt16BE(6);
  return {
    type: bytes[0]!,
    code: bytes[1]!,
    id: bytes.readUInt16BE(4),
    sequence: word,
    nextMtu: word,
    data: bytes.subarray(ICMP_HEADER_BYTES),
  };
}

const UNREACHABLE = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
  'frag needed and DF set',
  'Source Route Failed',
  'Destination Net Unknown',
  'Destination Host Unknown',
  'Source Host Isolated',
  'Destination Net Administratively Prohibited',
  'Destination Host Administratively Prohibited',
  'Destination Net Unreachable for Type of Service',
  'Destination Host Unreachable for Type of Service',
  'Communication Administratively Prohibited',
];
const REDIRECTS = [
  'Redirect Network',
  'Redirect Host',
  'Redirect Type of Service and Network',
  'Redirect Type of Service and Host',
];

/** What an ICMP error says, as ping prints it; undefined for messages that are no errors. */
export function icmpErrorText(message: IcmpMessage): string | undefined {
  const { type, code, nextMtu } = message;
  switch (type) {
    case ICMP_UNREACH:
      if (code === 4 && nextMtu > 0) return `frag needed and DF set (MTU ${nextMtu})`;
      return UNREACHABLE[code] ?? `Destination Unreachable, Bad Code: ${code}`;
    case ICMP_SOURCEQUENCH:
      return 'Source Quench';
    case ICMP_REDIRECT:
      return REDIRECTS[code] ?? `Redirect, Bad Code: ${code}`;
    case ICMP_TIMXCEED:
      return code === 1 ? 'Frag reassembly time exceeded' : 'Time to live exceeded';
    case ICMP_PARAMPROB:
      return 'Parameter problem';
    default:
      return undefined;
  }
}
