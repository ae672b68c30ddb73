/**
 * Reading capture files: record by record in bounded memory, or whole. Neither throws because of what a file
 * contains or because it is missing: problems are part of the result.
 */
import { CaptureDecoder } from './decoder.ts';
import type {
  CaptureFile,
  CaptureFormat,
  CaptureInterface,
  CapturedPacket,
  CaptureProblem,
  CaptureRecord,
  InterfaceStatistics,
  NameEntry,
  RawBlock,
} from './packet.ts';
import { captureChunks } from './source.ts';
import type { CaptureSource } from './source.ts';

export interface ReadOptions {
  /** Bytes, after decompression, after which reading stops with a problem of code `limit`. */
  readonly maximumBytes?: number;
}

/** What `readCapture` holds in memory at most unless told otherwise. */
const WHOLE_FILE_LIMIT = 1024 ** 3;

/**
 * The records of a capture in file order. Memory use does not grow with the file; a consumer that keeps packets
 * should copy their data, for it may share its buffer with neighbours.
 */
export async function* captureRecords(
  source: CaptureSource,
  options: ReadOptions = {},
): AsyncGenerator<CaptureRecord> {
  const decoder = new CaptureDecoder();
  for await (const chunk of captureChunks(source, options.maximumBytes ?? Infinity)) {
    if (!(chunk instanceof Uint8Array)) {
      yield { kind: 'problem', problem: chunk };
      return;
    }
    yield* decoder.push(chunk);
    if (decoder.finished) break;
  }
  yield* decoder.end();
}

/** Reads a whole capture (at most 1 GiB unless `maximumBytes` says otherwise). */
export async function readCapture(source: CaptureSource, options: ReadOptions = {}): Promise<CaptureFile> {
  const limited = { maximumBytes: options.maximumBytes ?? WHOLE_FILE_LIMIT };
  const collector = new Collector();
  for await (const record of captureRecords(source, limited)) collector.add(record);
  return collector.file();
}

class Collector {
  private format: CaptureFormat = 'unknown';
  private readonly interfaces: CaptureInterface[] = [];
  private readonly packets: CapturedPacket[] = [];
  private readonly names: NameEntry[] = [];
  private readonly statistics: InterfaceStatistics[] = [];
  private readonly comments: string[] = [];
  private readonly blocks: RawBlock[] = [];
  private readonly problems: CaptureProblem[] = [];

  add(record: CaptureRecord): void {
    switch (record.kind) {
      case 'section':
        this.format = record.section.format;
        if (record.section.comment !== undefined) this.comments.push(record.section.comment);
        break;
      case 'interface':
        this.interfaces.push(record.interface);
        break;
      case 'packet':
        this.packets.push(record.packet);
        break;
      case 'names':
        this.names.push(...record.names);
        break;
      case 'statistics':
        this.statistics.push(record.statistics);
        break;
      case 'block':
        this.blocks.push(record.block);
        break;
      case 'problem':
        this.problems.push(record.problem);
    }
  }

  file(): CaptureFile {
    return {
      format: this.format,
      interfaces: this.interfaces,
      packets: this.packets,
      names: this.names,
      statistics: this.statistics,
      comments: this.comments,
      blocks: this.blocks,
      problems: this.problems,
      truncated: this.problems.some((problem) => problem.code === 'truncated'),
    };
  }
}
