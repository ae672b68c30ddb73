/** Capture files opened for viewing: read whole, shown packet by packet. */
import { maxCapturePackets } from '../../api/contract.ts';
import { expectFilter, packetMatcher } from '../../capture/filter.ts';
import { isJourneyBlock } from '../../capture/journey.ts';
import { JourneyIndex } from '../../capture/journey-index.ts';
import { LINKTYPE_ETHERNET } from '../../capture/link-type.ts';
import type { CaptureFile, CaptureProblem } from '../../capture/packet.ts';
import { captureRecords, readCapture } from '../../capture/read.ts';
import type { Journey, OpenedCapture, PacketSummary } from '../../api/model.ts';
import { shownJourney } from './journey-store.ts';
import { summarize } from './packet-ring.ts';
import type { RawPacket } from './packet-ring.ts';

/** What one file may unpack to: a compressed file may hold a thousand times its size. */
const MOST_BYTES = 512 * 1024 * 1024;
/** A window that was closed in a hurry leaves its files behind: the one opened first makes room. */
const MOST_OPEN = 8;

interface Viewed {
  readonly file: CaptureFile;
  readonly journeys: JourneyIndex;
}

export class ViewedCaptures {
  readonly #open = new Map<string, Viewed>();
  #opened = 0;

  /** @throws Error when nothing in the file can be shown. */
  async open(name: string, bytes: Uint8Array): Promise<OpenedCapture> {
    const file = await readCapture(bytes, { maximumBytes: MOST_BYTES });
    const warning = problemText(file.problems);
    if (file.packets.length === 0 && warning !== undefined) throw new Error(`${name}: ${warning}`);
    const id = `capture-${++this.#opened}`;
    const journeys = new JourneyIndex();
    // Only files that have any are read a second time.
    if (file.blocks.some(isJourneyBlock)) {
      for await (const record of captureRecords(bytes, { maximumBytes: MOST_BYTES })) journeys.add(record);
    }
    this.#open.set(id, { file, journeys });
    const [oldest] = this.#open.keys();
    if (this.#open.size > MOST_OPEN && oldest !== undefined) this.#open.delete(oldest);
    return { id, name, packets: file.packets.length, ...(warning !== undefined && { warning }) };
  }

  summaries(id: string, from: number, count: number): PacketSummary[] {
    const viewed = this.#get(id);
    return viewed.file.packets
      .slice(from, from + count)
      .map((_, i) => summarize(rawPacket(viewed, from + i), from + i + 1));
  }

  /** A packet by its number, from 1. */
  raw(id: string, number: number): RawPacket | undefined {
    const viewed = this.#get(id);
    return number >= 1 && number <= viewed.file.packets.length ? rawPacket(viewed, number - 1) : undefined;
  }

  /** LINKTYPE number of the first packet; that of Ethernet if there is none. */
  linkType(id: string): number {
    const viewed = this.#get(id);
    return viewed.file.packets.length === 0 ? LINKTYPE_ETHERNET : rawPacket(viewed, 0).linkType;
  }

  /** Numbers of the packets that a filter expression accepts, of those that a window shows. @throws Error that says what is wrong with it. */
  select(id: string, expression: string): number[] {
    const viewed = this.#get(id);
    expectFilter(expression);
    const accepts = packetMatcher(expression);
    const shown = viewed.file.packets.slice(0, maxCapturePackets);
    return shown.flatMap((_, index) => (accepts(rawPacket(viewed, index)) ? [index + 1] : []));
  }

  /** All packets of a file. */
  *packets(id: string): Iterable<RawPacket> {
    const viewed = this.#get(id);
    for (let index = 0; index < viewed.file.packets.length; index++) yield rawPacket(viewed, index);
  }

  journey(id: string, number: number): Journey | undefined {
    const { journeys } = this.#get(id);
    const journey = journeys.journeyOf(number - 1);
    return journey === 0 ? undefined : shownJourney(journeys.stationsOf(journey), journeys.lost);
  }

  close(id: string): void {
    this.#open.delete(id);
  }

  #get(id: string): Viewed {
    const viewed = this.#open.get(id);
    if (viewed === undefined) throw new Error(`there is no open capture "${id}"`);
    return viewed;
  }
}

function rawPacket({ file, journeys }: Viewed, index: number): RawPacket {
  const { time, interfaceId, data, originalLength } = file.packets[index]!;
  const { name, linkType } = file.interfaces[interfaceId]!;
  const journey = journeys.journeyOf(index);
  return { time, point: name, linkType, length: originalLength, bytes: data, journey };
}

function problemText(problems: readonly CaptureProblem[]): string | undefined {
  const [first, ...others] = problems;
  if (first === undefined) return undefined;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `${first.message}${more}`;
}
