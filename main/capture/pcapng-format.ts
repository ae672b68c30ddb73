/**
 * Numbers and pieces of the pcapng format (draft-ietf-opsawg-pcapng): block types, option codes, option lists,
 * time stamp units. Shared by the decoder and the writer.
 */
import { viewOf } from './classic-format.ts';
import { NANOSECONDS_PER_SECOND } from './packet.ts';
import type { PacketDirection, PcapngOption, TimestampResolution } from './packet.ts';

export const BLOCK_SECTION = 0x0a0d0d0a;
export const BLOCK_INTERFACE = 1;
export const BLOCK_PACKET = 2;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_NAMES = 4;
export const BLOCK_STATISTICS = 5;
export const BLOCK_ENHANCED_PACKET = 6;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type and length before the body, length after it. */
export const BLOCK_OVERHEAD = 12;

export const OPT_END = 0;
export const OPT_COMMENT = 1;
/** Somebody's own bytes, which may be copied. */
export const OPT_CUSTOM_BINARY = 2989;
export const SHB_USERAPPL = 4;
export const IF_NAME = 2;
export const IF_DESCRIPTION = 3;
export const IF_TSRESOL = 9;
export const IF_FCSLEN = 13;
export const IF_TSOFFSET = 14;
export const EPB_FLAGS = 2;
export const ISB_STARTTIME = 2;
export const ISB_ENDTIME = 3;
export const ISB_IFRECV = 4;
export const ISB_IFDROP = 5;
export const ISB_FILTERACCEPT = 6;
export const ISB_OSDROP = 7;
export const ISB_USRDELIV = 8;
export const NRB_END = 0;
export const NRB_IPV4 = 1;
export const NRB_IPV6 = 2;

/** Microseconds, what an interface without if_tsresol uses. */
export const DEFAULT_RESOLUTION: TimestampResolution = { base: 10, exponent: 6 };
export const NANOSECOND_RESOLUTION: TimestampResolution = { base: 10, exponent: 9 };

/** Rounds a length up to the 32-bit boundary that blocks and options are padded to. */
export function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

export interface OptionList {
  readonly options: PcapngOption[];
  /** Where in the bytes an option reached past the end, if one did. */
  readonly brokenAt?: number;
}

/** Splits an option list; stops at opt_endofopt, at the end, or at the first option that does not fit. */
export function parseOptions(bytes: Uint8Array, littleEndian: boolean): OptionList {
  const view = viewOf(bytes);
  const options: PcapngOption[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const code = view.getUint16(at, littleEndian);
    const length = view.getUint16(at + 2, littleEndian);
    if (code === OPT_END) return { options };
    if (at + 4 + length > bytes.length) return { options, brokenAt: at };
    options.push({ code, value: bytes.subarray(at + 4, at + 4 + length) });
    at += 4 + padded(length);
  }
  return at < bytes.length ? { options, brokenAt: at } : { options };
}

const utf8 = new TextDecoder('utf-8');

/** Text of an option value; invalid UTF-8 becomes replacement characters, trailing NULs are dropped. */
export function optionText(value: Uint8Array): string {
  let end = value.length;
  while (end > 0 && value[end - 1] === 0) end--;
  return utf8.decode(value.subarray(0, end));
}

/** Takes the first option with this code (and, if given, this length) out of the list. */
export function takeOption(options: PcapngOption[], code: number, length?: number): Uint8Array | undefined {
  const index = options.findIndex(
    (option) => option.code === code && (length === undefined || option.value.length === length),
  );
  return index < 0 ? undefined : options.splice(index, 1)[0]?.value;
}

/** if_tsresol: the top bit chooses the base, the others are the negative exponent. */
export function decodeResolution(value: number): TimestampResolution {
  return { base: (value & 0x80) === 0 ? 10 : 2, exponent: value & 0x7f };
}

/** @returns a function from a count of units to nanoseconds since the epoch (rounded down if finer than that). */
export function timeScale(resolution: TimestampResolution, offsetSeconds: bigint): (units: bigint) => bigint {
  const offset = offsetSeconds * NANOSECONDS_PER_SECOND;
  const exponent = BigInt(resolution.exponent);
  if (resolution.base === 2) return (units) => ((units * NANOSECONDS_PER_SECOND) >> exponent) + offset;
  if (exponent <= 9n) {
    const factor = 10n ** (9n - exponent);
    return (units) => units * factor + offset;
  }
  const divisor = 10n ** (exponent - 9n);
  return (units) => units / divisor + offset;
}

const INBOUND = 1;
const OUTBOUND = 2;

/** Direction in the two low bits of epb_flags. */
export function directionOfFlags(flags: number): PacketDirection | undefined {
  const bits = flags & 3;
  if (bits === INBOUND) return 'inbound';
  return bits === OUTBOUND ? 'outbound' : undefined;
}

export function flagsOfDirection(direction: PacketDirection): number {
  return direction === 'inbound' ? INBOUND : OUTBOUND;
}
