/**
 * The headers of classic pcap files (draft-ietf-opsawg-pcap, and libpcap for what the draft leaves out: the
 * nanosecond and the "modified" magic, and the length fields that versions before 2.4 swapped).
 */
import { decodeLinkField } from './link-type.ts';
import type { CaptureFormat } from './packet.ts';

export const PCAP_HEADER_LENGTH = 24;
export const PCAP_RECORD_HEADER_LENGTH = 16;
const MODIFIED_RECORD_HEADER_LENGTH = 24;

export const PCAP_MAGIC_MICRO = 0xa1b2c3d4;
export const PCAP_MAGIC_NANO = 0xa1b23c4d;
const PCAP_MAGIC_MODIFIED = 0xa1b2cd34;

export type ClassicFormat = Extract<CaptureFormat, 'pcap' | 'pcap-ns' | 'pcap-modified'>;

/** Whether caplen and length stand in the other order: never, always, or when only that order makes sense. */
export type LengthOrder = 'normal' | 'swapped' | 'guess';

export interface ClassicHeader {
  readonly format: ClassicFormat;
  readonly littleEndian: boolean;
  readonly major: number;
  readonly minor: number;
  readonly snapLen: number;
  readonly linkType: number;
  readonly fcsLength?: number;
  readonly recordHeaderLength: number;
  readonly lengthOrder: LengthOrder;
}

const formats: ReadonlyMap<number, ClassicFormat> = new Map<number, ClassicFormat>([
  [PCAP_MAGIC_MICRO, 'pcap'],
  [PCAP_MAGIC_NANO, 'pcap-ns'],
  [PCAP_MAGIC_MODIFIED, 'pcap-modified'],
]);

/** @returns what the four bytes at the start of a file say, or undefined if it is not a classic pcap file. */
export function classicMagic(
  start: Uint8Array,
): { format: ClassicFormat; littleEndian: boolean } | undefined {
  const view = viewOf(start);
  for (const littleEndian of [true, false]) {
    const format = formats.get(view.getUint32(0, littleEndian));
    if (format !== undefined) return { format, littleEndian };
  }
  return undefined;
}

/** Parses the 24-byte file header, whose magic must have been accepted by {@link classicMagic}. */
export function parseClassicHeader(bytes: Uint8Array): ClassicHeader {
  const magic = classicMagic(bytes);
  if (magic === undefined) throw new Error('parseClassicHeader needs a file with a known magic number');
  const { format, littleEndian } = magic;
  const view = viewOf(bytes);
  const major = view.getUint16(4, littleEndian);
  const minor = view.getUint16(6, littleEndian);
  return {
    format,
    littleEndian,
    major,
    minor,
    snapLen: view.getUint32(16, littleEndian),
    ...decodeLinkField(view.getUint32(20, littleEndian)),
    recordHeaderLength:
      format === 'pcap-modified' ? MODIFIED_RECORD_HEADER_LENGTH : PCAP_RECORD_HEADER_LENGTH,
    lengthOrder: lengthOrder(major, minor),
  };
}

/** Versions 2.0 to 2.4 are known, as in libpcap; 2.4 has been the only one written since 1998. */
export function isKnownVersion(header: ClassicHeader): boolean {
  return header.major === 2 && header.minor <= 4;
}

function lengthOrder(major: number, minor: number): LengthOrder {
  if (major === 2 && minor < 3) return 'swapped';
  return major === 2 && minor === 3 ? 'guess' : 'normal';
}

/** Captured and original length of a record, in bytes. */
export function recordLengths(
  record: DataView,
  header: ClassicHeader,
): { captured: number; original: number } {
  const first = record.getUint32(8, header.littleEndian);
  const second = record.getUint32(12, header.littleEndian);
  const swap = header.lengthOrder === 'swapped' || (header.lengthOrder === 'guess' && first > second);
  return swap ? { captured: second, original: first } : { captured: first, original: second };
}

/** A DataView over exactly the bytes given. */
export function viewOf(bytes: Uint8Array): DataView<ArrayBufferLike> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
