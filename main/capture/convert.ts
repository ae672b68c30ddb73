/**
 * Converts a capture to classic pcap or to pcapng, record by record. To pcapng nothing is lost: comments, names,
 * counters, unknown options and blocks are written again, each section in its own byte order.
 */
import { captureRecords } from './read.ts';
import { linkTypeName } from './link-type.ts';
import type { CapturedPacket, CaptureInterface, CaptureProblem, CaptureRecord } from './packet.ts';
import { PcapWriter } from './pcap-writer.ts';
import { PcapngWriter } from './pcapng-writer.ts';
import type { BatchSink } from './sink.ts';
import type { CaptureSource } from './source.ts';

export type OutputFormat = 'pcap' | 'pcap-ns' | 'pcapng';

export interface ConvertResult {
  readonly packets: number;
  /** What could not be read of the source. */
  readonly problems: readonly CaptureProblem[];
}

/** Thrown when the output format cannot hold what the source contains. */
export class ConversionError extends Error {}

interface RecordWriter {
  write(record: CaptureRecord): void;
}

/**
 * Copies everything readable; the sink is flushed but not closed.
 *
 * @param keeps which records to copy, all if left out; it is asked for every one in file order.
 * @throws ConversionError if the target format cannot hold the source (several link types, times out of range).
 */
export async function convertCapture(
  source: CaptureSource,
  sink: BatchSink,
  format: OutputFormat,
  keeps: (record: CaptureRecord) => boolean = () => true,
): Promise<ConvertResult> {
  const writer = format === 'pcapng' ? new NgConverter(sink) : new ClassicConverter(sink, format);
  const problems: CaptureProblem[] = [];
  let packets = 0;
  for await (const record of captureRecords(source)) {
    if (!keeps(record)) continue;
    if (record.kind === 'problem') problems.push(record.problem);
    else if (record.kind === 'packet') packets++;
    writeRecord(writer, record, packets);
  }
  sink.flush();
  return { packets, problems };
}

function writeRecord(writer: RecordWriter, record: CaptureRecord, packetNumber: number): void {
  try {
    writer.write(record);
  } catch (error) {
    if (error instanceof RangeError) throw new ConversionError(`packet ${packetNumber}: ${error.message}`);
    throw error;
  }
}

class NgConverter implements RecordWriter {
  private writer: PcapngWriter | undefined;

  constructor(private readonly sink: BatchSink) {}

  write(record: CaptureRecord): void {
    if (record.kind === 'section') {
      if (this.writer === undefined) this.writer = new PcapngWriter(this.sink, record.section);
      else this.writer.beginSection(record.section);
      return;
    }
    const { writer } = this;
    if (writer === undefined) return;
    if (record.kind === 'interface') writer.addInterface(record.interface);
    else if (record.kind === 'packet') writer.writePacket(record.packet);
    else if (record.kind === 'statistics') writer.writeStatistics(record.statistics);
    else if (record.kind === 'names' || record.kind === 'block') writer.writeBlock(record.block);
  }
}

class ClassicConverter implements RecordWriter {
  private writer: PcapWriter | undefined;
  private chosen: CaptureInterface | undefined;
  private littleEndian = true;
  private readonly interfaces: CaptureInterface[] = [];

  constructor(
    private readonly sink: BatchSink,
    private readonly format: 'pcap' | 'pcap-ns',
  ) {}

  write(record: CaptureRecord): void {
    if (record.kind === 'section') this.littleEndian = record.section.littleEndian;
    else if (record.kind === 'interface') this.addInterface(record.interface);
    else if (record.kind === 'packet') this.writePacket(record.packet);
  }

  private addInterface(added: CaptureInterface): void {
    this.interfaces.push(added);
    // A classic file needs its header even if no packet follows.
    if (this.chosen === undefined) this.start(added);
  }

  private start(first: CaptureInterface): void {
    this.chosen = first;
    this.writer = new PcapWriter(this.sink, {
      linkType: first.linkType,
      snapLen: first.snapLen,
      precision: this.format === 'pcap-ns' ? 'ns' : 'us',
      littleEndian: this.littleEndian,
      ...(first.fcsLength === undefined ? {} : { fcsLength: first.fcsLength }),
    });
  }

  private writePacket(packet: CapturedPacket): void {
    const linkType = this.interfaces[packet.interfaceId]?.linkType;
    if (this.chosen !== undefined && linkType !== undefined && linkType !== this.chosen.linkType) {
      const found = `${linkTypeName(this.chosen.linkType)} and ${linkTypeName(linkType)}`;
      throw new RangeError(
        `a classic pcap file holds one link type, but the capture has ${found}; use pcapng`,
      );
    }
    this.writer?.writePacket(packet);
  }
}
