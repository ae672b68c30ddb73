/** Capture files opened for viewing: read whole, shown packet by packet. */
import type { CaptureFile, CaptureProblem } from '../../capture/packet.ts';
import { readCapture } from '../../capture/read.ts';
import type { OpenedCapture, PacketDetail, PacketSummary } from '../../api/model.ts';
import { detail, summarize } from './packet-ring.ts';
import type { RawPacket } from './packet-ring.ts';

/** What one file may unpack to: a compressed file may hold a thousand times its size. */
const MOST_BYTES = 512 * 1024 * 1024;
/** A window that was closed in a hurry leaves its files behind: the one opened first makes room. */
const MOST_OPEN = 8;

export class ViewedCaptures {
  readonly #open = new Map<string, CaptureFile>();
  #opened = 0;

  /** @throws Error when nothing in the file can be shown. */
  async open(name: string, bytes: Uint8Array): Promise<OpenedCapture> {
    const file = await readCapture(bytes, { maximumBytes: MOST_BYTES });
    const warning = problemText(file.problems);
    if (file.packets.length === 0 && warning !== undefined) throw new Error(`${name}: ${warning}`);
    const id = `capture-${++this.#opened}`;
    this.#open.set(id, file);
    const [oldest] = this.#open.keys();
    if (this.#open.size > MOST_OPEN && oldest !== undefined) this.#open.delete(oldest);
    return { id, name, packets: file.packets.length, ...(warning !== undefined && { warning }) };
  }

  summaries(id: string, from: number, count: number): PacketSummary[] {
    const file = this.#get(id);
    return file.packets
      .slice(from, from + count)
      .map((_, i) => summarize(rawPacket(file, from + i), from + i + 1));
  }

  packet(id: string, number: number): PacketDetail | undefined {
    const file = this.#get(id);
    return number >= 1 && number <= file.packets.length
      ? detail(rawPacket(file, number - 1), number)
      : undefined;
  }

  close(id: string): void {
    this.#open.delete(id);
  }

  #get(id: string): CaptureFile {
    const file = this.#open.get(id);
    if (file === undefined) throw new Error(`there is no open capture "${id}"`);
    return file;
  }
}

function rawPacket({ packets, interfaces }: CaptureFile, index: number): RawPacket {
  const { time, interfaceId, data, originalLength } = packets[index]!;
  const { name, linkType } = interfaces[interfaceId]!;
  return { time, point: name, linkType, length: originalLength, bytes: data };
}

function problemText(problems: readonly CaptureProblem[]): string | undefined {
  const [first, ...others] = problems;
  if (first === undefined) return undefined;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `${first.message}${more}`;
}
