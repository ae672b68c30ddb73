/**
 * Classic microsecond records through the npm package `pcap-parser`, which trusts every length it reads and buffers
 * without bound. It is therefore handed one complete record at a time, whose header has been checked before.
 */
import { EventEmitter } from 'node:events';
import { parse } from 'pcap-parser';
import type { PcapParserPacket } from 'pcap-parser';
import type { ClassicHeader } from './classic-format.ts';
import { plainBytes } from './source.ts';

/** Decodes one complete record (header and data). */
export type RecordDecoder = (record: Uint8Array) => DecodedRecord;

export interface DecodedRecord {
  readonly seconds: number;
  /** In the unit of the file: micro- or nanoseconds. */
  readonly fraction: number;
  readonly originalLength: number;
  readonly data: Uint8Array;
}

/** The stream `pcap-parser` listens to; what it does with `pause` and `resume` is not needed, for nothing flows by itself. */
class RecordFeed extends EventEmitter {
  pause(): void {
    this.emit('pause');
  }

  resume(): void {
    this.emit('resume');
  }
}

/** @returns true if the package reads this variant correctly: version 2.4, microseconds, either byte order. */
export function pcapParserCanRead(header: ClassicHeader): boolean {
  return header.format === 'pcap' && header.major === 2 && header.minor === 4;
}

/**
 * @param fileHeader the 24 bytes at the start of the file.
 * @returns a decoder that must be given whole, validated records only.
 */
export function pcapParserDecoder(fileHeader: Uint8Array): RecordDecoder {
  const feed = new RecordFeed();
  const decoded: PcapParserPacket[] = [];
  parse(feed).on('packet', (packet) => decoded.push(packet));
  feed.emit('data', asBuffer(fileHeader));
  return (record) => {
    feed.emit('data', asBuffer(record));
    const packet = decoded.pop();
    if (packet === undefined) throw new Error('pcap-parser did not return the record it was given');
    const { timestampSeconds, timestampMicroseconds, originalLength } = packet.header;
    const data = plainBytes(packet.data);
    return { seconds: timestampSeconds, fraction: timestampMicroseconds, originalLength, data };
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
