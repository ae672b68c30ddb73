/**
 * Decoder of pcapng files (draft-ietf-opsawg-pcapng): finds the blocks, follows the sections' byte order and numbers
 * the interfaces of all sections in one sequence. What a block contains is read in pcapng-blocks.ts.
 */
import type { ChunkBuffer } from './chunk-buffer.ts';
import { viewOf } from './classic-format.ts';
import type { FormatDecoder } from './format-decoder.ts';
import { problemRecord } from './packet.ts';
import type { CaptureRecord } from './packet.ts';
import { decodeBlock } from './pcapng-blocks.ts';
import type { SectionState } from './pcapng-blocks.ts';
import { BLOCK_OVERHEAD, BLOCK_SECTION, BYTE_ORDER_MAGIC, padded } from './pcapng-format.ts';

/** Larger blocks are taken for damage: the limit that libpcap and Wireshark use. */
const MAXIMUM_BLOCK_LENGTH = 16 * 1024 * 1024;
const SECTION_MINIMUM_LENGTH = 28;

/** The type of a section header block reads the same in both byte orders. */
export function isPcapngStart(start: Uint8Array): boolean {
  return viewOf(start).getUint32(0) === BLOCK_SECTION;
}

interface BlockHeader {
  readonly type: number;
  readonly length: number;
}

export class PcapngDecoder implements FormatDecoder {
  finished = false;
  private section: SectionState = { littleEndian: true, firstInterface: 0, interfaces: [] };

  constructor(private readonly input: ChunkBuffer) {}

  *decodeAvailable(): Generator<CaptureRecord> {
    while (!this.finished) {
      const header = this.blockHeader();
      if (header === undefined) return;
      if ('kind' in header) {
        yield this.stop(header);
        return;
      }
      const block = this.input.peek(padded(header.length));
      if (block === undefined) return;
      yield* this.block(header, block);
    }
  }

  *end(): Generator<CaptureRecord> {
    if (this.finished || this.input.length === 0) return;
    const left = `${this.input.length} bytes are left over`;
    yield problemRecord('truncated', this.input.offset, `the file ends in the middle of a block: ${left}`);
  }

  private *block(header: BlockHeader, block: Uint8Array): Generator<CaptureRecord> {
    const { littleEndian } = this.section;
    const trailer = viewOf(block).getUint32(block.length - 4, littleEndian);
    const offset = this.input.offset;
    const body = block.subarray(8, block.length - 4);
    yield* decodeBlock(header.type, body, this.section, offset);
    if (trailer !== header.length) {
      const lengths = `${header.length} at its start and ${trailer} at its end`;
      yield this.stop(problemRecord('malformed', offset, `a block gives its length as ${lengths}`));
      return;
    }
    this.input.skip(block.length);
  }

  /** Type and length of the next block; a problem if they cannot be right; undefined if more bytes are needed. */
  private blockHeader(): BlockHeader | CaptureRecord | undefined {
    const start = this.input.peek(8);
    if (start === undefined) return undefined;
    if (isPcapngStart(start)) {
      const section = this.input.peek(12);
      if (section === undefined) return undefined;
      const littleEndian = byteOrder(section);
      if (littleEndian === undefined) {
        return problemRecord(
          'malformed',
          this.input.offset + 8,
          'a section header has no valid byte-order magic',
        );
      }
      // Harmless to repeat while the rest of the header is awaited: the new section has no interfaces yet.
      const firstInterface = this.section.firstInterface + this.section.interfaces.length;
      this.section = { littleEndian, firstInterface, interfaces: [] };
    }
    const view = viewOf(start);
    const type = view.getUint32(0, this.section.littleEndian);
    const length = view.getUint32(4, this.section.littleEndian);
    const minimum = type === BLOCK_SECTION ? SECTION_MINIMUM_LENGTH : BLOCK_OVERHEAD;
    if (length < minimum || length > MAXIMUM_BLOCK_LENGTH) {
      const range = `between ${minimum} and ${MAXIMUM_BLOCK_LENGTH} is possible`;
      return problemRecord('malformed', this.input.offset + 4, `a block claims ${length} bytes; ${range}`);
    }
    return { type, length };
  }

  private stop(problem: CaptureRecord): CaptureRecord {
    this.finished = true;
    return problem;
  }
}

/** @returns true for little endian, undefined if the magic is neither. */
function byteOrder(section: Uint8Array): boolean | undefined {
  const view = viewOf(section);
  if (view.getUint32(8, true) === BYTE_ORDER_MAGIC) return true;
  return view.getUint32(8, false) === BYTE_ORDER_MAGIC ? false : undefined;
}
