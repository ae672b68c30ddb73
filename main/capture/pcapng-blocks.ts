/**
 * The blocks of pcapng (draft-ietf-opsawg-pcapng §4): each function turns the body of one block into a record, or
 * into a problem that says what does not fit. Bodies are without the type and length fields around them.
 */
import { viewOf } from './classic-format.ts';
import { formatIPv4, formatIPv6 } from './dissect/text.ts';
import { maximumCapturedLength } from './link-type.ts';
import { problemRecord } from './packet.ts';
import type {
  CaptureInterface,
  CaptureRecord,
  CapturedPacket,
  InterfaceStatistics,
  NameEntry,
  PcapngOption,
} from './packet.ts';
import * as ng from './pcapng-format.ts';

/** What later blocks of a section need to know of earlier ones. */
export interface SectionState {
  readonly littleEndian: boolean;
  /** Number, in the whole file, of the section's interface 0. */
  readonly firstInterface: number;
  readonly interfaces: KnownInterface[];
}

interface KnownInterface {
  readonly interface: CaptureInterface;
  readonly toNanoseconds: (units: bigint) => bigint;
}

interface Block {
  readonly type: number;
  readonly body: Uint8Array;
  readonly view: DataView<ArrayBufferLike>;
  readonly littleEndian: boolean;
  /** Where the block starts in the file. */
  readonly offset: number;
}

type BlockReader = (block: Block, section: SectionState) => Generator<CaptureRecord>;

const readers: ReadonlyMap<number, { minimum: number; name: string; read: BlockReader }> = new Map([
  [ng.BLOCK_SECTION, { minimum: 16, name: 'section header', read: readSection }],
  [ng.BLOCK_INTERFACE, { minimum: 8, name: 'interface description', read: readInterface }],
  [ng.BLOCK_PACKET, { minimum: 20, name: 'packet', read: readObsoletePacket }],
  [ng.BLOCK_SIMPLE_PACKET, { minimum: 4, name: 'simple packet', read: readSimplePacket }],
  [ng.BLOCK_NAMES, { minimum: 0, name: 'name resolution', read: readNames }],
  [ng.BLOCK_STATISTICS, { minimum: 12, name: 'interface statistics', read: readStatistics }],
  [ng.BLOCK_ENHANCED_PACKET, { minimum: 20, name: 'enhanced packet', read: readEnhancedPacket }],
]);

/** Decodes one block; blocks of unknown types become records that keep their bytes. */
export function* decodeBlock(
  type: number,
  body: Uint8Array,
  section: SectionState,
  offset: number,
): Generator<CaptureRecord> {
  const reader = readers.get(type);
  if (reader === undefined) {
    yield { kind: 'block', block: { type, body } };
  } else if (body.length < reader.minimum) {
    yield problemRecord(
      'malformed',
      offset,
      `a block of type ${reader.name} is only ${body.length} bytes long`,
    );
  } else {
    const { littleEndian } = section;
    yield* reader.read({ type, body, view: viewOf(body), littleEndian, offset }, section);
  }
}

function* options(block: Block, from: number): Generator<CaptureRecord, PcapngOption[]> {
  const list = ng.parseOptions(block.body.subarray(from), block.littleEndian);
  if (list.brokenAt !== undefined) {
    const at = block.offset + 8 + from + list.brokenAt;
    yield problemRecord('malformed', at, 'an option reaches past the end of its block; it was left out');
  }
  return list.options;
}

function takeText(list: PcapngOption[], code: number): string | undefined {
  const value = ng.takeOption(list, code);
  return value === undefined ? undefined : ng.optionText(value);
}

function* readSection(block: Block): Generator<CaptureRecord> {
  const list = yield* options(block, 16);
  const major = block.view.getUint16(4, block.littleEndian);
  if (major !== 1) {
    const message = `pcapng version ${major} is not supported; 1 is. Reading on as if it were version 1`;
    yield problemRecord('unsupported', block.offset + 12, message);
  }
  const comment = takeText(list, ng.OPT_COMMENT);
  yield {
    kind: 'section',
    section: {
      format: 'pcapng',
      littleEndian: block.littleEndian,
      ...(comment === undefined ? {} : { comment }),
      options: list,
    },
  };
}

function* readInterface(block: Block, section: SectionState): Generator<CaptureRecord> {
  const list = yield* options(block, 8);
  const resolution = ng.takeOption(list, ng.IF_TSRESOL, 1)?.[0];
  const offset = ng.takeOption(list, ng.IF_TSOFFSET, 8);
  const fcsBits = ng.takeOption(list, ng.IF_FCSLEN, 1)?.[0];
  const description = takeText(list, ng.IF_DESCRIPTION);
  const comment = takeText(list, ng.OPT_COMMENT);
  const entry: CaptureInterface = {
    name: takeText(list, ng.IF_NAME) ?? '',
    linkType: block.view.getUint16(0, block.littleEndian),
    snapLen: block.view.getUint32(4, block.littleEndian),
    tsResolution: resolution === undefined ? ng.DEFAULT_RESOLUTION : ng.decodeResolution(resolution),
    tsOffset: offset === undefined ? 0n : viewOf(offset).getBigInt64(0, block.littleEndian),
    ...(fcsBits === undefined ? {} : { fcsLength: fcsBits / 8 }),
    ...(description === undefined ? {} : { description }),
    ...(comment === undefined ? {} : { comment }),
    ...(list.length === 0 ? {} : { options: list }),
  };
  const id = section.firstInterface + section.interfaces.length;
  section.interfaces.push({
    interface: entry,
    toNanoseconds: ng.timeScale(entry.tsResolution, entry.tsOffset),
  });
  yield { kind: 'interface', id, interface: entry };
}

function* knownInterface(
  block: Block,
  section: SectionState,
  id: number,
): Generator<CaptureRecord, KnownInterface | undefined> {
  const known = section.interfaces[id];
  if (known === undefined) {
    const count = section.interfaces.length;
    const message = `a block refers to interface ${id}, but its section has described ${count}; it was left out`;
    yield problemRecord('malformed', block.offset, message);
  }
  return known;
}

/** Time stamps are two 32-bit words, the high one first, in either byte order. */
function timestamp(block: Block, at: number): bigint {
  const high = block.view.getUint32(at, block.littleEndian);
  const low = block.view.getUint32(at + 4, block.littleEndian);
  return (BigInt(high) << 32n) | BigInt(low);
}

function readEnhancedPacket(block: Block, section: SectionState): Generator<CaptureRecord> {
  return readTimedPacket(block, section, block.view.getUint32(0, block.littleEndian));
}

/** The Packet Block of early drafts: a 16-bit interface and a drop counter where the 32-bit interface is now. */
function readObsoletePacket(block: Block, section: SectionState): Generator<CaptureRecord> {
  return readTimedPacket(block, section, block.view.getUint16(0, block.littleEndian));
}

function* readTimedPacket(block: Block, section: SectionState, id: number): Generator<CaptureRecord> {
  const known = yield* knownInterface(block, section, id);
  if (known === undefined) return;
  const captured = block.view.getUint32(12, block.littleEndian);
  const limit = Math.min(block.body.length - 20, maximumCapturedLength(known.interface.linkType));
  if (captured > limit) {
    const message = `a packet claims ${captured} captured bytes where at most ${limit} fit; it was left out`;
    yield problemRecord('malformed', block.offset, message);
    return;
  }
  const list = yield* options(block, 20 + ng.padded(captured));
  yield {
    kind: 'packet',
    packet: {
      interfaceId: section.firstInterface + id,
      time: known.toNanoseconds(timestamp(block, 4)),
      data: block.body.subarray(20, 20 + captured),
      originalLength: block.view.getUint32(16, block.littleEndian),
      ...packetOptions(list, block.littleEndian),
    },
  };
}

function packetOptions(
  list: PcapngOption[],
  littleEndian: boolean,
): Pick<CapturedPacket, 'comment' | 'direction' | 'options'> {
  if (list.length === 0) return {};
  const comment = takeText(list, ng.OPT_COMMENT);
  const flagBytes = list.find((option) => option.code === ng.EPB_FLAGS && option.value.length === 4)?.value;
  const flags = flagBytes === undefined ? 0 : viewOf(flagBytes).getUint32(0, littleEndian);
  const direction = ng.directionOfFlags(flags);
  // Flags that say more than the direction stay in the options, so that a copy of the file still has them.
  if (direction !== undefined && flags === ng.flagsOfDirection(direction))
    ng.takeOption(list, ng.EPB_FLAGS, 4);
  return {
    ...(comment === undefined ? {} : { comment }),
    ...(direction === undefined ? {} : { direction }),
    ...(list.length === 0 ? {} : { options: list }),
  };
}

/** A Simple Packet Block belongs to interface 0 and may end in padding that only snaplen tells from data. */
function* readSimplePacket(block: Block, section: SectionState): Generator<CaptureRecord> {
  const known = yield* knownInterface(block, section, 0);
  if (known === undefined) return;
  const originalLength = block.view.getUint32(0, block.littleEndian);
  const { snapLen } = known.interface;
  const captured = Math.min(originalLength, snapLen === 0 ? originalLength : snapLen);
  if (captured > block.body.length - 4) {
    const message = `a simple packet of ${captured} bytes is in a block with room for ${block.body.length - 4}`;
    yield problemRecord('malformed', block.offset, `${message}; it was left out`);
    return;
  }
  const data = block.body.subarray(4, 4 + captured);
  const interfaceId = section.firstInterface;
  yield { kind: 'packet', packet: { interfaceId, time: 0n, untimed: true, data, originalLength } };
}

function* readNames(block: Block): Generator<CaptureRecord> {
  const names: NameEntry[] = [];
  let at = 0;
  while (at + 4 <= block.body.length) {
    const type = block.view.getUint16(at, block.littleEndian);
    const length = block.view.getUint16(at + 2, block.littleEndian);
    if (type === ng.NRB_END) break;
    if (at + 4 + length > block.body.length) {
      yield problemRecord(
        'malformed',
        block.offset + 8 + at,
        'a name record reaches past the end of its block',
      );
      break;
    }
    const entry = nameEntry(type, block.body.subarray(at + 4, at + 4 + length));
    if (entry !== undefined) names.push(entry);
    at += 4 + ng.padded(length);
  }
  yield { kind: 'names', names, block: { type: block.type, body: block.body } };
}

function nameEntry(type: number, value: Uint8Array): NameEntry | undefined {
  const addressLength = type === ng.NRB_IPV4 ? 4 : 16;
  if ((type !== ng.NRB_IPV4 && type !== ng.NRB_IPV6) || value.length < addressLength) return undefined;
  const format = type === ng.NRB_IPV4 ? formatIPv4 : formatIPv6;
  const names = ng.optionText(value.subarray(addressLength)).split('\0');
  return { address: format(value, 0), names: names.filter((name) => name !== '') };
}

function* readStatistics(block: Block, section: SectionState): Generator<CaptureRecord> {
  const id = block.view.getUint32(0, block.littleEndian);
  const known = yield* knownInterface(block, section, id);
  if (known === undefined) return;
  const list = yield* options(block, 12);
  yield {
    kind: 'statistics',
    statistics: {
      interfaceId: section.firstInterface + id,
      time: known.toNanoseconds(timestamp(block, 4)),
      ...statisticsOptions(list, block.littleEndian, known.toNanoseconds),
    },
  };
}

const counters = [
  ['received', ng.ISB_IFRECV],
  ['dropped', ng.ISB_IFDROP],
  ['filterAccepted', ng.ISB_FILTERACCEPT],
  ['osDropped', ng.ISB_OSDROP],
  ['delivered', ng.ISB_USRDELIV],
] as const;

const times = [
  ['startTime', ng.ISB_STARTTIME],
  ['endTime', ng.ISB_ENDTIME],
] as const;

function statisticsOptions(
  list: PcapngOption[],
  littleEndian: boolean,
  toNanoseconds: (units: bigint) => bigint,
): Omit<InterfaceStatistics, 'interfaceId' | 'time'> {
  const comment = takeText(list, ng.OPT_COMMENT);
  const values: Partial<Record<(typeof counters | typeof times)[number][0], bigint>> = {};
  for (const [name, code] of counters) {
    const value = ng.takeOption(list, code, 8);
    if (value !== undefined) values[name] = viewOf(value).getBigUint64(0, littleEndian);
  }
  for (const [name, code] of times) {
    const value = ng.takeOption(list, code, 8);
    if (value === undefined) continue;
    const words = viewOf(value);
    const units =
      (BigInt(words.getUint32(0, littleEndian)) << 32n) | BigInt(words.getUint32(4, littleEndian));
    values[name] = toNanoseconds(units);
  }
  return {
    ...values,
    ...(comment === undefined ? {} : { comment }),
    ...(list.length === 0 ? {} : { options: list }),
  };
}
