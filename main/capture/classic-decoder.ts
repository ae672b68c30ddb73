/**
 * Decoder of classic pcap files: walks and validates the record headers, then has each whole record decoded either
 * by `pcap-parser` (microseconds, version 2.4) or by the reader here (nanoseconds, modified, old versions).
 */
import type { ChunkBuffer } from './chunk-buffer.ts';
import {
  PCAP_HEADER_LENGTH,
  isKnownVersion,
  parseClassicHeader,
  recordLengths,
  viewOf,
} from './classic-format.ts';
import type { ClassicHeader } from './classic-format.ts';
import type { FormatDecoder } from './format-decoder.ts';
import { linkTypeName, maximumCapturedLength } from './link-type.ts';
import { NANOSECONDS_PER_SECOND, problemRecord } from './packet.ts';
import type { CaptureInterface, CaptureRecord, PacketDirection } from './packet.ts';
import { pcapParserCanRead, pcapParserDecoder } from './pcap-parser-guard.ts';
import type { RecordDecoder } from './pcap-parser-guard.ts';

const LINUX_PACKET_OUTGOING = 4;

export class ClassicDecoder implements FormatDecoder {
  finished = false;
  private header: ClassicHeader | undefined;
  private decode: RecordDecoder | undefined;

  constructor(private readonly input: ChunkBuffer) {}

  *decodeAvailable(): Generator<CaptureRecord> {
    if (this.header === undefined) yield* this.start();
    while (!this.finished && this.header !== undefined && this.decode !== undefined) {
      const record = this.nextRecord(this.header, this.decode);
      if (record === undefined) return;
      yield record;
    }
  }

  *end(): Generator<CaptureRecord> {
    if (this.finished || (this.header !== undefined && this.input.length === 0)) return;
    const part = this.header === undefined ? 'the file header' : 'a packet';
    yield problemRecord(
      'truncated',
      this.input.offset,
      `the file ends in the middle of ${part}: ${this.input.length} bytes are left over`,
    );
  }

  private *start(): Generator<CaptureRecord> {
    const bytes = this.input.peek(PCAP_HEADER_LENGTH);
    if (bytes === undefined) return;
    const header = parseClassicHeader(bytes);
    this.header = header;
    if (!isKnownVersion(header)) {
      this.finished = true;
      const version = `${header.major}.${header.minor}`;
      yield problemRecord('unsupported', 4, `pcap version ${version} is not supported; 2.0 to 2.4 are`);
      return;
    }
    this.decode = pcapParserCanRead(header) ? pcapParserDecoder(bytes) : ownDecoder(header);
    this.input.skip(PCAP_HEADER_LENGTH);
    const { format, littleEndian } = header;
    yield { kind: 'section', section: { format, littleEndian, options: [] } };
    yield { kind: 'interface', id: 0, interface: interfaceOf(header) };
  }

  private nextRecord(header: ClassicHeader, decode: RecordDecoder): CaptureRecord | undefined {
    const start = this.input.peek(header.recordHeaderLength);
    if (start === undefined) return undefined;
    const { captured } = recordLengths(viewOf(start), header);
    const limit = maximumCapturedLength(header.linkType);
    if (captured > limit) {
      this.finished = true;
      return problemRecord(
        'malformed',
        this.input.offset,
        `a packet claims ${captured} captured bytes; at most ${limit} are possible for link type ` +
          `${linkTypeName(header.linkType)}, so nothing after this point can be trusted`,
      );
    }
    const record = this.input.peek(header.recordHeaderLength + captured);
    if (record === undefined) return undefined;
    this.input.skip(record.length);
    return packetRecord(header, decode(record), directionOf(header, record));
  }
}

function interfaceOf(header: ClassicHeader): CaptureInterface {
  return {
    name: '',
    linkType: header.linkType,
    snapLen: header.snapLen,
    tsResolution: { base: 10, exponent: header.format === 'pcap-ns' ? 9 : 6 },
    tsOffset: 0n,
    ...(header.fcsLength === undefined ? {} : { fcsLength: header.fcsLength }),
  };
}

function ownDecoder(header: ClassicHeader): RecordDecoder {
  return (record) => {
    const view = viewOf(record);
    return {
      seconds: view.getUint32(0, header.littleEndian),
      fraction: view.getUint32(4, header.littleEndian),
      originalLength: recordLengths(view, header).original,
      data: record.subarray(header.recordHeaderLength),
    };
  };
}

function packetRecord(
  header: ClassicHeader,
  record: ReturnType<RecordDecoder>,
  direction: PacketDirection | undefined,
): CaptureRecord {
  const unit = header.format === 'pcap-ns' ? 1 : 1000;
  return {
    kind: 'packet',
    packet: {
      interfaceId: 0,
      time: BigInt(record.seconds) * NANOSECONDS_PER_SECOND + BigInt(record.fraction * unit),
      data: record.data,
      originalLength: record.originalLength,
      ...(direction === undefined ? {} : { direction }),
    },
  };
}

/** The modified format adds the Linux interface index, protocol and packet type to each record. */
function directionOf(header: ClassicHeader, record: Uint8Array): PacketDirection | undefined {
  if (header.format !== 'pcap-modified') return undefined;
  return record[22] === LINUX_PACKET_OUTGOING ? 'outbound' : 'inbound';
}
