/**
 * The vocabulary of capture files: interfaces, packets, names, statistics and the problems met while reading.
 * Follows the pcapng draft (draft-ietf-opsawg-pcapng) and the libpcap file format; classic pcap is expressed as
 * a pcapng file with one section and one interface.
 */

export type CaptureFormat = 'pcap' | 'pcap-ns' | 'pcap-modified' | 'pcapng' | 'unknown';

/** Time stamp unit of an interface: `base` to the power of minus `exponent` seconds. */
export interface TimestampResolution {
  readonly base: 2 | 10;
  readonly exponent: number;
}

/** One pcapng option that has no field of its own here; `value` is in the byte order of its section. */
export interface PcapngOption {
  readonly code: number;
  readonly value: Uint8Array;
}

/** A capture point. */
export interface CaptureInterface {
  /** Empty if the file gives none (classic pcap never does). */
  readonly name: string;
  readonly description?: string;
  /** LINKTYPE number, as stored in files. */
  readonly linkType: number;
  /** Bytes kept per packet; 0 means no limit. */
  readonly snapLen: number;
  /** Unit in which the file stores time stamps. */
  readonly tsResolution: TimestampResolution;
  /** Seconds added to every stored time stamp (already added to `CapturedPacket.time`). */
  readonly tsOffset: bigint;
  /** Length in bytes of the frame check sequence at the end of each packet, if the file says so. */
  readonly fcsLength?: number;
  readonly comment?: string;
  readonly options?: readonly PcapngOption[];
}

export type PacketDirection = 'inbound' | 'outbound';

export interface CapturedPacket {
  /** Index into the interfaces of the whole file (not of one section). */
  readonly interfaceId: number;
  /** Nanoseconds since the epoch; 0 if `untimed`. */
  readonly time: bigint;
  /** True for packets of Simple Packet Blocks, which carry no time. */
  readonly untimed?: true;
  readonly data: Uint8Array;
  /** Bytes on the wire; normally at least `data.length`, but files may say otherwise. */
  readonly originalLength: number;
  readonly direction?: PacketDirection;
  readonly comment?: string;
  /** Options without a field here, further comments among them. */
  readonly options?: readonly PcapngOption[];
}

/** One address of a Name Resolution Block; the address is in its usual text form. */
export interface NameEntry {
  readonly address: string;
  readonly names: readonly string[];
}

/** Counters of one interface (Interface Statistics Block). Times are nanoseconds since the epoch. */
export interface InterfaceStatistics {
  readonly interfaceId: number;
  readonly time: bigint;
  readonly startTime?: bigint;
  readonly endTime?: bigint;
  readonly received?: bigint;
  readonly dropped?: bigint;
  readonly filterAccepted?: bigint;
  readonly osDropped?: bigint;
  readonly delivered?: bigint;
  readonly comment?: string;
  readonly options?: readonly PcapngOption[];
}

/** Start of a section; a classic pcap file has exactly one. */
export interface CaptureSection {
  readonly format: CaptureFormat;
  readonly littleEndian: boolean;
  readonly comment?: string;
  readonly options: readonly PcapngOption[];
}

/** A block kept as it was found: `body` lies between the two length fields, in the byte order of its section. */
export interface RawBlock {
  readonly type: number;
  readonly body: Uint8Array;
}

export type ProblemCode =
  /** The file ends in the middle of something. */
  | 'truncated'
  /** Lengths or references that cannot be right. */
  | 'malformed'
  /** A version or compression this reader does not know. */
  | 'unsupported'
  /** Reading stopped at a limit of the caller. */
  | 'limit'
  | 'not-a-capture'
  /** The operating system refused. */
  | 'unreadable';

/** What was wrong and where: `offset` counts bytes of the (decompressed) file. */
export interface CaptureProblem {
  readonly offset: number;
  readonly code: ProblemCode;
  readonly message: string;
}

/** What a capture file consists of, in file order. */
export type CaptureRecord =
  | { readonly kind: 'section'; readonly section: CaptureSection }
  | { readonly kind: 'interface'; readonly id: number; readonly interface: CaptureInterface }
  | { readonly kind: 'packet'; readonly packet: CapturedPacket }
  | { readonly kind: 'names'; readonly names: readonly NameEntry[]; readonly block: RawBlock }
  | { readonly kind: 'statistics'; readonly statistics: InterfaceStatistics }
  | { readonly kind: 'block'; readonly block: RawBlock }
  | { readonly kind: 'problem'; readonly problem: CaptureProblem };

/** A capture read whole. */
export interface CaptureFile {
  readonly format: CaptureFormat;
  readonly interfaces: readonly CaptureInterface[];
  readonly packets: readonly CapturedPacket[];
  readonly names: readonly NameEntry[];
  readonly statistics: readonly InterfaceStatistics[];
  /** Comments of the file's sections. */
  readonly comments: readonly string[];
  /** Blocks nobody here interprets. */
  readonly blocks: readonly RawBlock[];
  readonly problems: readonly CaptureProblem[];
  readonly truncated: boolean;
}

export const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** Builds the record that reports a problem. */
export function problemRecord(code: ProblemCode, offset: number, message: string): CaptureRecord {
  return { kind: 'problem', problem: { code, offset, message } };
}
