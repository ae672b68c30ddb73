/**
 * Push decoder for capture files of any supported format: bytes in, in pieces of any size; records out, in file
 * order. Never throws on what the bytes say: what is wrong becomes a problem record and what is readable is kept.
 */
import { ChunkBuffer } from './chunk-buffer.ts';
import { ClassicDecoder } from './classic-decoder.ts';
import { classicMagic } from './classic-format.ts';
import type { FormatDecoder } from './format-decoder.ts';
import { problemRecord } from './packet.ts';
import type { CaptureRecord } from './packet.ts';
import { PcapngDecoder, isPcapngStart } from './pcapng-decoder.ts';

/** Problems reported per file; a hostile file could have one per block. */
const MAXIMUM_PROBLEMS = 100;
const MAGIC_LENGTH = 4;

export class CaptureDecoder {
  private readonly input = new ChunkBuffer();
  private format: FormatDecoder | undefined;
  private problems = 0;
  private notACapture = false;

  /** True once nothing that follows can be read. */
  get finished(): boolean {
    return this.notACapture || (this.format?.finished ?? false);
  }

  /** Decodes as far as the bytes given so far allow. */
  *push(chunk: Uint8Array): Generator<CaptureRecord> {
    if (this.finished) return;
    this.input.push(chunk);
    if (this.format === undefined) yield* this.sniff();
    if (this.format !== undefined) yield* this.limited(this.format.decodeAvailable());
  }

  /** Reports what is left over. Call once, after the last byte. */
  *end(): Generator<CaptureRecord> {
    if (this.format !== undefined) {
      yield* this.limited(this.format.end());
    } else if (!this.notACapture) {
      const what = this.input.length === 0 ? 'the file is empty' : 'the file is too short for a capture file';
      yield problemRecord('not-a-capture', 0, what);
    }
  }

  private *sniff(): Generator<CaptureRecord> {
    const start = this.input.peek(MAGIC_LENGTH);
    if (start === undefined) return;
    if (isPcapngStart(start)) this.format = new PcapngDecoder(this.input);
    else if (classicMagic(start) !== undefined) this.format = new ClassicDecoder(this.input);
    else {
      this.notACapture = true;
      yield problemRecord(
        'not-a-capture',
        0,
        `not a pcap or pcapng file: it starts with ${describeStart(start)}`,
      );
    }
  }

  private *limited(records: Generator<CaptureRecord>): Generator<CaptureRecord> {
    for (const record of records) {
      if (record.kind !== 'problem') yield record;
      else if (++this.problems < MAXIMUM_PROBLEMS) yield record;
      else if (this.problems === MAXIMUM_PROBLEMS) {
        const { code, offset } = record.problem;
        yield problemRecord(code, offset, 'there are more problems from here on; they are not listed');
      }
    }
  }
}

const otherFormats: ReadonlyMap<string, string> = new Map([
  ['28b52ffd', 'zstd compression; decompress it with zstd -d first'],
  ['04224d18', 'lz4 compression; decompress it with lz4 -d first'],
]);

function describeStart(start: Uint8Array): string {
  const hex = Array.from(start, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return otherFormats.get(hex) ?? `the bytes ${hex}`;
}
