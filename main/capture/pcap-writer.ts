/**
 * Writer of classic pcap files (draft-ietf-opsawg-pcap), version 2.4, with microsecond or nanosecond time stamps in
 * either byte order.
 */
import {
  PCAP_HEADER_LENGTH,
  PCAP_MAGIC_MICRO,
  PCAP_MAGIC_NANO,
  PCAP_RECORD_HEADER_LENGTH,
} from './classic-format.ts';
import { encodeLinkField } from './link-type.ts';
import { NANOSECONDS_PER_SECOND } from './packet.ts';
import type { CapturedPacket } from './packet.ts';
import type { BatchSink } from './sink.ts';

export interface PcapWriterOptions {
  /** LINKTYPE number of all packets. */
  readonly linkType: number;
  /** Bytes; default 262144, which is also written for "no limit". */
  readonly snapLen?: number;
  /** Default `us`; time stamps are rounded down to it. */
  readonly precision?: 'us' | 'ns';
  /** Default true. */
  readonly littleEndian?: boolean;
  /** Bytes of frame check sequence that each packet ends in. */
  readonly fcsLength?: number;
}

const DEFAULT_SNAPLEN = 262144;
const LAST_SECOND = 0xffff_ffffn;

export class PcapWriter {
  private readonly littleEndian: boolean;
  private readonly nanosecondsPerUnit: bigint;

  constructor(
    private readonly sink: BatchSink,
    options: PcapWriterOptions,
  ) {
    const nanoseconds = options.precision === 'ns';
    this.littleEndian = options.littleEndian ?? true;
    this.nanosecondsPerUnit = nanoseconds ? 1n : 1000n;
    const at = sink.reserve(PCAP_HEADER_LENGTH);
    const { view } = sink;
    view.setUint32(at, nanoseconds ? PCAP_MAGIC_NANO : PCAP_MAGIC_MICRO, this.littleEndian);
    view.setUint16(at + 4, 2, this.littleEndian);
    view.setUint16(at + 6, 4, this.littleEndian);
    view.setBigUint64(at + 8, 0n, this.littleEndian);
    view.setUint32(at + 16, options.snapLen || DEFAULT_SNAPLEN, this.littleEndian);
    view.setUint32(at + 20, encodeLinkField(options.linkType, options.fcsLength), this.littleEndian);
  }

  /** @throws RangeError if the time does not fit the format's 32-bit seconds (1970 to 2106). */
  writePacket(packet: Pick<CapturedPacket, 'time' | 'data' | 'originalLength'>): void {
    const seconds = packet.time / NANOSECONDS_PER_SECOND;
    if (packet.time < 0n || seconds > LAST_SECOND) {
      throw new RangeError(
        `a packet's time, ${seconds} seconds since 1970, does not fit a classic pcap file ` +
          '(1970 to 2106); pcapng has room for it',
      );
    }
    const fraction = (packet.time % NANOSECONDS_PER_SECOND) / this.nanosecondsPerUnit;
    const { data } = packet;
    const at = this.sink.reserve(PCAP_RECORD_HEADER_LENGTH + data.length);
    const { view, bytes } = this.sink;
    view.setUint32(at, Number(seconds), this.littleEndian);
    view.setUint32(at + 4, Number(fraction), this.littleEndian);
    view.setUint32(at + 8, data.length, this.littleEndian);
    view.setUint32(at + 12, packet.originalLength, this.littleEndian);
    bytes.set(data, at + PCAP_RECORD_HEADER_LENGTH);
  }

  flush(): void {
    this.sink.flush();
  }

  close(): void {
    this.sink.close();
  }
}
