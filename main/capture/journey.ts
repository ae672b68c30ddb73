/**
 * The journeys of packets in pcapng files (draft-ietf-opsawg-pcapng): custom options (§3.5.1) and blocks of a type for local use (§11.1), which other programs
 * skip: Wireshark counts a Custom Block as a packet. Both begin with a private enterprise number that is kept for documentation (RFC 5612) and a magic word.
 *
 * A packet that was followed has an option with the number of its journey. A block holds stations of any journeys of its section, in the order in which they
 * were passed; it stands for itself: every name in it is in its own list of strings. All numbers are in the byte order of the section.
 *
 *     option 2989:       PEN u32 | magic | journey u32
 *     block 0x80005353:  PEN u32 | magic | version u16 | strings u16 | stations u32 | lost u32
 *                        strings: length u16, UTF-8; together padded to 4 bytes
 *                        stations, 28 bytes: ns since 1970 u64 | journey u32 | buffer u32 | thread u16 | strings u16 × 4: node, place, station, text | 0 u16
 */
import { viewOf } from './classic-format.ts';
import type { CapturedPacket, PcapngOption, RawBlock } from './packet.ts';
import { OPT_CUSTOM_BINARY, padded } from './pcapng-format.ts';

/** A place that a packet passed, in words. */
export interface JourneyStation {
  /** Number of the packet's journey in its section, from 1. */
  readonly journey: number;
  /** ns since 1970. */
  readonly time: bigint;
  /** 0 is the thread of the programs. */
  readonly thread: number;
  /** Empty on a link. */
  readonly node: string;
  /** `NODE:IF`, `NODE` (its stack), `link:NAME`, `tcp 10.0.0.1:80`. */
  readonly place: string;
  /** What kind of station it is, one word. */
  readonly station: string;
  /** What happened there. */
  readonly text: string;
  /** Handle of the packet's first buffer. */
  readonly buffer: number;
}

/** What a block of journeys holds. */
export interface JourneyBlock {
  readonly stations: readonly JourneyStation[];
  /** Stations of the run up to here that nobody had room to note. */
  readonly lost: number;
}

const BLOCK_JOURNEYS = 0x8000_5353;
const PEN = 32_473;
/** `SSjy` in a byte order of its own. */
const MAGIC = Uint8Array.of(0x53, 0x53, 0x6a, 0x79);
const VERSION = 1;
const HEADER = 20;
const STATION = 28;
const OPTION = 12;
/** Stations of one block: their strings are few enough for 16-bit numbers then. */
const MOST_STATIONS = 4096;
const LONGEST_STRING = 1024;
const STRINGS_OF_STATION = ['node', 'place', 'station', 'text'] as const;

const utf8 = new TextDecoder('utf-8');
const encoder = new TextEncoder();

function hasMagic(bytes: Uint8Array, littleEndian: boolean): boolean {
  return (
    bytes.length >= 8 &&
    viewOf(bytes).getUint32(0, littleEndian) === PEN &&
    MAGIC.every((byte, i) => bytes[4 + i] === byte)
  );
}

function putMagic(view: DataView, littleEndian: boolean): void {
  view.setUint32(0, PEN, littleEndian);
  MAGIC.forEach((byte, i) => view.setUint8(4 + i, byte));
}

/** The option of a packet whose journey has a number. */
export function journeyOption(journey: number, littleEndian: boolean): PcapngOption {
  const value = new Uint8Array(OPTION);
  const view = viewOf(value);
  putMagic(view, littleEndian);
  view.setUint32(8, journey, littleEndian);
  return { code: OPT_CUSTOM_BINARY, value };
}

/** Number of a packet's journey, 0 if it was not followed. */
export function journeyOf(packet: CapturedPacket, littleEndian: boolean): number {
  const ours = packet.options?.find(
    ({ code, value }) =>
      code === OPT_CUSTOM_BINARY && value.length === OPTION && hasMagic(value, littleEndian),
  );
  return ours === undefined ? 0 : viewOf(ours.value).getUint32(8, littleEndian);
}

/** Blocks that hold these stations. */
export function* journeyBlocks(
  stations: readonly JourneyStation[],
  lost: number,
  littleEndian: boolean,
): Generator<RawBlock> {
  for (let from = 0; from < stations.length; from += MOST_STATIONS)
    yield encodeBlock(stations.slice(from, from + MOST_STATIONS), lost, littleEndian);
}

/** Numbers strings in order of first use. */
class StringList {
  readonly encoded: Uint8Array[] = [];
  #bytes = 0;
  readonly #numbers = new Map<string, number>();

  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const bytes = encoder.encode(text).subarray(0, LONGEST_STRING);
    this.#numbers.set(text, this.encoded.length);
    this.#bytes += 2 + bytes.length;
    return this.encoded.push(bytes) - 1;
  }

  get length(): number {
    return padded(this.#bytes);
  }

  put(view: DataView, start: number, littleEndian: boolean): void {
    let at = start;
    for (const bytes of this.encoded) {
      view.setUint16(at, bytes.length, littleEndian);
      new Uint8Array(view.buffer, view.byteOffset + at + 2, bytes.length).set(bytes);
      at += 2 + bytes.length;
    }
  }
}

function encodeBlock(stations: readonly JourneyStation[], lost: number, littleEndian: boolean): RawBlock {
  const strings = new StringList();
  const numbers = stations.map((one) => STRINGS_OF_STATION.map((key) => strings.number(one[key])));
  const body = new Uint8Array(HEADER + strings.length + stations.length * STATION);
  const view = viewOf(body);
  putMagic(view, littleEndian);
  view.setUint16(8, VERSION, littleEndian);
  view.setUint16(10, strings.encoded.length, littleEndian);
  view.setUint32(12, stations.length, littleEndian);
  view.setUint32(16, lost, littleEndian);
  strings.put(view, HEADER, littleEndian);
  let at = HEADER + strings.length;
  stations.forEach((one, i) => {
    view.setBigUint64(at, one.time, littleEndian);
    view.setUint32(at + 8, one.journey, littleEndian);
    view.setUint32(at + 12, one.buffer, littleEndian);
    view.setUint16(at + 16, one.thread, littleEndian);
    numbers[i]!.forEach((number, field) => view.setUint16(at + 18 + 2 * field, number, littleEndian));
    at += STATION;
  });
  return { type: BLOCK_JOURNEYS, body };
}

/** True for a block that may hold stations. */
export function isJourneyBlock({ type }: RawBlock): boolean {
  return type === BLOCK_JOURNEYS;
}

/** What a block says: undefined if it is no block of journeys, a text if it is a damaged one. */
export function decodeJourneyBlock(
  block: RawBlock,
  littleEndian: boolean,
): JourneyBlock | string | undefined {
  const { type, body } = block;
  if (type !== BLOCK_JOURNEYS || !hasMagic(body, littleEndian)) return undefined;
  if (body.length < HEADER) return `it is only ${body.length} bytes long`;
  const view = viewOf(body);
  const version = view.getUint16(8, littleEndian);
  if (version !== VERSION) return `it is of version ${version}; ${VERSION} can be read`;
  const strings = readStrings(body, view.getUint16(10, littleEndian), littleEndian);
  if (typeof strings === 'string') return strings;
  const count = view.getUint32(12, littleEndian);
  if (count * STATION > body.length - strings.end)
    return `it claims ${count} stations where ${Math.floor((body.length - strings.end) / STATION)} fit`;
  const stations: JourneyStation[] = [];
  for (let i = 0; i < count; i++) {
    const station = readStation(view, strings.end + i * STATION, strings.texts, littleEndian);
    if (station === undefined) return `station ${i} of it names a string that it has not`;
    stations.push(station);
  }
  return { stations, lost: view.getUint32(16, littleEndian) };
}

function readStrings(
  body: Uint8Array,
  count: number,
  littleEndian: boolean,
): { readonly texts: readonly string[]; readonly end: number } | string {
  const view = viewOf(body);
  const texts: string[] = [];
  let at = HEADER;
  for (let i = 0; i < count; i++) {
    const length = at + 2 <= body.length ? view.getUint16(at, littleEndian) : 0;
    const end = at + 2 + length;
    if (end > body.length) return `string ${i} of ${count} reaches past its end`;
    texts.push(utf8.decode(body.subarray(at + 2, end)));
    at = end;
  }
  return { texts, end: Math.min(body.length, HEADER + padded(at - HEADER)) };
}

function readStation(
  view: DataView,
  at: number,
  texts: readonly string[],
  littleEndian: boolean,
): JourneyStation | undefined {
  const string = (field: number): string | undefined =>
    texts[view.getUint16(at + 18 + 2 * field, littleEndian)];
  const [node, place, station, text] = STRINGS_OF_STATION.map((_, field) => string(field));
  if (node === undefined || place === undefined || station === undefined || text === undefined)
    return undefined;
  return {
    journey: view.getUint32(at + 8, littleEndian),
    time: view.getBigUint64(at, littleEndian),
    thread: view.getUint16(at + 16, littleEndian),
    node,
    place,
    station,
    text,
    buffer: view.getUint32(at + 12, littleEndian),
  };
}
