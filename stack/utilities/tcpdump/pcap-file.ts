/**
 * Capture files of tcpdump's -r and -w: the classic pcap format (draft-ietf-opsawg-pcap), read with microseconds or nanoseconds in either byte order, written with
 * microseconds in that of the node.
 */
import { Buffer } from 'node:buffer';
import type { TimedPacket } from './packet-line.ts';

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;
/** No packet is longer. */
const LONGEST = 262_144;

/** LINKTYPE numbers of files, where they are not those of DLT_*. */
const LINKTYPES = new Map([[12, 101]]);

function dltOf(linkType: number): number {
  return [...LINKTYPES].find(([, number]) => number === linkType)?.[0] ?? linkType;
}

/** What is in a file, and what was wrong with it behind that. */
export interface PcapFile {
  /** DLT_*. */
  readonly linkType: number;
  readonly snapLength: number;
  readonly packets: readonly TimedPacket[];
  readonly problem?: string;
}

/** Reads a file; a text says why it is none. */
export function readPcap(bytes: Uint8Array): PcapFile | string {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < FILE_HEADER)
    return `truncated dump file; tried to read ${FILE_HEADER} file header bytes, only got ${file.length}`;
  const magics = [MICROSECONDS, NANOSECONDS];
  const little = magics.includes(file.readUInt32LE(0));
  if (!little && !magics.includes(file.readUInt32BE(0))) return 'unknown file format';
  const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const divisor = u32(0) === NANOSECONDS ? 1000 : 1;
  const packets: TimedPacket[] = [];
  const header = { linkType: dltOf(u32(20) & 0x0fff_ffff), snapLength: u32(16) };
  for (let at = FILE_HEADER; at < file.length;) {
    const whole = at + RECORD_HEADER <= file.length;
    const captured = whole ? u32(at + 8) : 0;
    const end = at + RECORD_HEADER + captured;
    if (captured > LONGEST)
      return { ...header, packets, problem: `invalid packet capture length ${captured}` };
    if (!whole || end > file.length) return { ...header, packets, problem: 'truncated dump file' };
    packets.push({
      seconds: u32(at),
      microseconds: Math.floor(u32(at + 4) / divisor),
      length: u32(at + 12),
      bytes: file.subarray(at + RECORD_HEADER, end),
    });
    at = end;
  }
  return { ...header, packets };
}

export function pcapHeader(dlt: number, snapLength: number): Buffer {
  const header = Buffer.alloc(FILE_HEADER);
  header.writeUInt32LE(MICROSECONDS, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(snapLength, 16);
  header.writeUInt32LE(LINKTYPES.get(dlt) ?? dlt, 20);
  return header;
}

export function pcapRecord({ seconds, microseconds, length, bytes }: TimedPacket): Buffer {
  const record = Buffer.alloc(RECORD_HEADER + bytes.length);
  record.writeUInt32LE(seconds, 0);
  record.writeUInt32LE(microseconds, 4);
  record.writeUInt32LE(bytes.length, 8);
  record.writeUInt32LE(length, 12);
  record.set(bytes, RECORD_HEADER);
  return record;
}
