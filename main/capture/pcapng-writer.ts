/**
 * Writer of pcapng files (draft-ietf-opsawg-pcapng). Everything in the output comes from the caller: no clock, host
 * name or system description is added, so equal input gives equal bytes.
 */
import type {
  CapturedPacket,
  CaptureInterface,
  InterfaceStatistics,
  NameEntry,
  PacketDirection,
  PcapngOption,
  RawBlock,
} from './packet.ts';
import { NANOSECONDS_PER_SECOND } from './packet.ts';
import { parseAddress } from './address.ts';
import * as ng from './pcapng-format.ts';
import type { BatchSink } from './sink.ts';

/** What a new section says about itself. */
export interface SectionOptions {
  /** Default true. */
  readonly littleEndian?: boolean;
  /** Name of the program, the shb_userappl option. */
  readonly application?: string;
  readonly comment?: string;
  /** Further options, values in the byte order of the section. */
  readonly options?: readonly PcapngOption[];
}

/** A capture point to describe; time stamps are written in nanoseconds whatever unit they were read in. */
export type NewInterface = Partial<Omit<CaptureInterface, 'tsResolution' | 'tsOffset'>> &
  Pick<CaptureInterface, 'name' | 'linkType'>;

export type NewPacket = Omit<CapturedPacket, 'originalLength'> & { readonly originalLength?: number };

interface EncodedOptions {
  readonly list: readonly PcapngOption[];
  readonly length: number;
}

const NO_OPTIONS: EncodedOptions = { list: [], length: 0 };
const EPB_FIXED_LENGTH = 20;
const LATEST_TIME = 0xffff_ffff_ffff_ffffn;
const text = new TextEncoder();

export class PcapngWriter {
  private littleEndian = true;
  private firstInterface = 0;
  private interfaceCount = 0;
  /** The option lists of packets that have a direction and nothing else, which is most of them. */
  private directionOptions = this.encodeDirections();

  constructor(
    private readonly sink: BatchSink,
    section: SectionOptions = {},
  ) {
    this.writeSection(section);
  }

  /** Starts a further section: the interfaces of the one before can no longer be referred to. */
  beginSection(section: SectionOptions = {}): void {
    this.firstInterface += this.interfaceCount;
    this.interfaceCount = 0;
    this.writeSection(section);
  }

  /** @returns the `interfaceId` for packets of this capture point. */
  addInterface(point: NewInterface): number {
    const options: PcapngOption[] = [];
    if (point.name !== '') options.push(this.text(ng.IF_NAME, point.name));
    if (point.description !== undefined) options.push(this.text(ng.IF_DESCRIPTION, point.description));
    if (point.comment !== undefined) options.push(this.text(ng.OPT_COMMENT, point.comment));
    options.push({ code: ng.IF_TSRESOL, value: Uint8Array.of(ng.NANOSECOND_RESOLUTION.exponent) });
    if (point.fcsLength !== undefined) {
      options.push({ code: ng.IF_FCSLEN, value: Uint8Array.of(point.fcsLength * 8) });
    }
    const encoded = encodeOptions([...options, ...(point.options ?? [])]);
    const at = this.beginBlock(ng.BLOCK_INTERFACE, 8 + encoded.length);
    this.sink.view.setUint16(at, point.linkType, this.littleEndian);
    this.sink.view.setUint16(at + 2, 0, this.littleEndian);
    this.sink.view.setUint32(at + 4, point.snapLen ?? 0, this.littleEndian);
    this.putOptions(at + 8, encoded);
    return this.firstInterface + this.interfaceCount++;
  }

  /**
   * @throws RangeError if the interface is not one of this section, or the time is before 1970 or after the year
   * 2554 and so does not fit 64 bits of nanoseconds.
   */
  writePacket(packet: NewPacket): void {
    const { data } = packet;
    const originalLength = packet.originalLength ?? data.length;
    const interfaceId = this.sectionInterface(packet.interfaceId);
    if (packet.untimed === true && interfaceId === 0) {
      this.writeSimplePacket(data, originalLength);
      return;
    }
    this.checkTime(packet.time);
    const options = this.packetOptions(packet);
    const dataLength = ng.padded(data.length);
    const at = this.beginBlock(ng.BLOCK_ENHANCED_PACKET, EPB_FIXED_LENGTH + dataLength + options.length);
    this.sink.view.setUint32(at, interfaceId, this.littleEndian);
    this.putTime(at + 4, packet.time);
    this.sink.view.setUint32(at + 12, data.length, this.littleEndian);
    this.sink.view.setUint32(at + 16, originalLength, this.littleEndian);
    this.putPadded(at + EPB_FIXED_LENGTH, data);
    this.putOptions(at + EPB_FIXED_LENGTH + dataLength, options);
  }

  /** @throws TypeError if an address is neither IPv4 nor IPv6 text. */
  writeNames(names: readonly NameEntry[]): void {
    const records = names.map(({ address, names: aliases }): PcapngOption => {
      const bytes = parseAddress(address);
      if (bytes === undefined) throw new TypeError(`"${address}" is not an IPv4 or IPv6 address`);
      const code = bytes.length === 4 ? ng.NRB_IPV4 : ng.NRB_IPV6;
      return { code, value: concatenate([bytes, ...aliases.map((alias) => text.encode(`${alias}\0`))]) };
    });
    // Name records are laid out exactly as options are, with the same end marker.
    const encoded = encodeOptions(records);
    this.putOptions(this.beginBlock(ng.BLOCK_NAMES, encoded.length), encoded);
  }

  /** Counters of one interface, normally at the end of the file. @throws RangeError as {@link writePacket}. */
  writeStatistics(statistics: InterfaceStatistics): void {
    const interfaceId = this.sectionInterface(statistics.interfaceId);
    for (const time of [statistics.time, statistics.startTime, statistics.endTime])
      this.checkTime(time ?? 0n);
    const options: PcapngOption[] = [];
    if (statistics.comment !== undefined) options.push(this.text(ng.OPT_COMMENT, statistics.comment));
    const times = [
      [ng.ISB_STARTTIME, statistics.startTime],
      [ng.ISB_ENDTIME, statistics.endTime],
    ] as const;
    for (const [code, time] of times) if (time !== undefined) options.push({ code, value: this.words(time) });
    const counters = [
      [ng.ISB_IFRECV, statistics.received],
      [ng.ISB_IFDROP, statistics.dropped],
      [ng.ISB_FILTERACCEPT, statistics.filterAccepted],
      [ng.ISB_OSDROP, statistics.osDropped],
      [ng.ISB_USRDELIV, statistics.delivered],
    ] as const;
    for (const [code, count] of counters) {
      if (count !== undefined) options.push({ code, value: this.counter(count) });
    }
    const encoded = encodeOptions([...options, ...(statistics.options ?? [])]);
    const at = this.beginBlock(ng.BLOCK_STATISTICS, 12 + encoded.length);
    this.sink.view.setUint32(at, interfaceId, this.littleEndian);
    this.putTime(at + 4, statistics.time);
    this.putOptions(at + 12, encoded);
  }

  /** Writes a block as it is; its body must be in the byte order of this section. */
  writeBlock(block: RawBlock): void {
    this.putPadded(this.beginBlock(block.type, ng.padded(block.body.length)), block.body);
  }

  flush(): void {
    this.sink.flush();
  }

  close(): void {
    this.sink.close();
  }

  private writeSection(section: SectionOptions): void {
    this.littleEndian = section.littleEndian ?? true;
    this.directionOptions = this.encodeDirections();
    const options: PcapngOption[] = [];
    if (section.comment !== undefined) options.push(this.text(ng.OPT_COMMENT, section.comment));
    if (section.application !== undefined) options.push(this.text(ng.SHB_USERAPPL, section.application));
    const encoded = encodeOptions([...options, ...(section.options ?? [])]);
    const at = this.beginBlock(ng.BLOCK_SECTION, 16 + encoded.length);
    const { view } = this.sink;
    view.setUint32(at, ng.BYTE_ORDER_MAGIC, this.littleEndian);
    view.setUint16(at + 4, 1, this.littleEndian);
    view.setUint16(at + 6, 0, this.littleEndian);
    view.setBigInt64(at + 8, -1n, this.littleEndian);
    this.putOptions(at + 16, encoded);
  }

  private writeSimplePacket(data: Uint8Array, originalLength: number): void {
    const at = this.beginBlock(ng.BLOCK_SIMPLE_PACKET, 4 + ng.padded(data.length));
    this.sink.view.setUint32(at, originalLength, this.littleEndian);
    this.putPadded(at + 4, data);
  }

  private packetOptions(packet: NewPacket): EncodedOptions {
    const { direction, comment, options: kept } = packet;
    if (comment === undefined && kept === undefined) {
      return direction === undefined ? NO_OPTIONS : this.directionOptions[direction];
    }
    const options: PcapngOption[] = [];
    if (comment !== undefined) options.push(this.text(ng.OPT_COMMENT, comment));
    const hasFlags = kept?.some((option) => option.code === ng.EPB_FLAGS) ?? false;
    if (direction !== undefined && !hasFlags) options.push(...this.directionOptions[direction].list);
    return encodeOptions([...options, ...(kept ?? [])]);
  }

  private encodeDirections(): Record<PacketDirection, EncodedOptions> {
    const encode = (direction: PacketDirection): EncodedOptions => {
      const value = new Uint8Array(4);
      new DataView(value.buffer).setUint32(0, ng.flagsOfDirection(direction), this.littleEndian);
      return encodeOptions([{ code: ng.EPB_FLAGS, value }]);
    };
    return { inbound: encode('inbound'), outbound: encode('outbound') };
  }

  private sectionInterface(interfaceId: number): number {
    const id = interfaceId - this.firstInterface;
    if (!(id >= 0 && id < this.interfaceCount)) {
      throw new RangeError(`interface ${interfaceId} has not been added to this section of the file`);
    }
    return id;
  }

  private checkTime(time: bigint): void {
    if (time >= 0n && time <= LATEST_TIME) return;
    const seconds = time / NANOSECONDS_PER_SECOND;
    throw new RangeError(`the time ${seconds} seconds since 1970 does not fit; 1970 to 2554 does`);
  }

  /** Writes type and lengths of a block. @returns where in the sink's bytes its body starts. */
  private beginBlock(type: number, bodyLength: number): number {
    const length = ng.BLOCK_OVERHEAD + bodyLength;
    const at = this.sink.reserve(length);
    this.sink.view.setUint32(at, type, this.littleEndian);
    this.sink.view.setUint32(at + 4, length, this.littleEndian);
    this.sink.view.setUint32(at + length - 4, length, this.littleEndian);
    return at + 8;
  }

  private putTime(at: number, time: bigint): void {
    this.sink.view.setUint32(at, Number(time >> 32n), this.littleEndian);
    this.sink.view.setUint32(at + 4, Number(time & 0xffff_ffffn), this.littleEndian);
  }

  private putPadded(at: number, data: Uint8Array): void {
    this.sink.bytes.set(data, at);
    this.sink.bytes.fill(0, at + data.length, at + ng.padded(data.length));
  }

  private putOptions(start: number, options: EncodedOptions): void {
    if (options.length === 0) return;
    let at = start;
    for (const { code, value } of options.list) {
      this.sink.view.setUint16(at, code, this.littleEndian);
      this.sink.view.setUint16(at + 2, value.length, this.littleEndian);
      this.putPadded(at + 4, value);
      at += 4 + ng.padded(value.length);
    }
    this.sink.view.setUint32(at, ng.OPT_END, this.littleEndian);
  }

  private text(code: number, value: string): PcapngOption {
    return { code, value: text.encode(value) };
  }

  private words(time: bigint): Uint8Array {
    const value = new Uint8Array(8);
    const view = new DataView(value.buffer);
    view.setUint32(0, Number(time >> 32n), this.littleEndian);
    view.setUint32(4, Number(time & 0xffff_ffffn), this.littleEndian);
    return value;
  }

  private counter(count: bigint): Uint8Array {
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigUint64(0, count, this.littleEndian);
    return value;
  }
}

/** Option values longer than the format's 16-bit length are cut. */
function encodeOptions(options: readonly PcapngOption[]): EncodedOptions {
  if (options.length === 0) return NO_OPTIONS;
  const list = options.map(({ code, value }) => ({ code, value: value.subarray(0, 0xffff) }));
  const length = list.reduce((sum, { value }) => sum + 4 + ng.padded(value.length), 4);
  return { list, length };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
