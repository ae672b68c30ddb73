/**
 * The journeys of a whole capture file: which packet has which, and the stations of each, over all sections, whose journeys are numbered on their own.
 */
import { decodeJourneyBlock, journeyOf } from './journey.ts';
import type { JourneyStation } from './journey.ts';
import type { CaptureRecord } from './packet.ts';

export class JourneyIndex {
  /** Of each packet in file order: its journey here, 0 for none. */
  readonly #ofPacket: number[] = [];
  readonly #stations = new Map<number, JourneyStation[]>();
  #littleEndian = true;
  /** Journeys of earlier sections have numbers up to this one. */
  #before = 0;
  #last = 0;
  #lost = 0;

  /** Takes the records of a file in their order. A damaged block of journeys is passed over. */
  add(record: CaptureRecord): void {
    if (record.kind === 'section') {
      this.#littleEndian = record.section.littleEndian;
      this.#before = this.#last;
    } else if (record.kind === 'packet') {
      const journey = journeyOf(record.packet, this.#littleEndian);
      this.#ofPacket.push(journey === 0 ? 0 : this.#number(journey));
    } else if (record.kind === 'block') {
      const block = decodeJourneyBlock(record.block, this.#littleEndian);
      if (block === undefined || typeof block === 'string') return;
      this.#lost = Math.max(this.#lost, block.lost);
      for (const station of block.stations) this.#addStation(station);
    }
  }

  #number(journey: number): number {
    const number = this.#before + journey;
    this.#last = Math.max(this.#last, number);
    return number;
  }

  #addStation(station: JourneyStation): void {
    const journey = this.#number(station.journey);
    const known = this.#stations.get(journey);
    if (known === undefined) this.#stations.set(journey, [station]);
    else known.push(station);
  }

  /** The journey of a packet, counted from 0; 0 if it was not followed. */
  journeyOf(packet: number): number {
    return this.#ofPacket[packet] ?? 0;
  }

  stationsOf(journey: number): readonly JourneyStation[] {
    return this.#stations.get(journey) ?? [];
  }

  /** Stations that nobody had room to note. */
  get lost(): number {
    return this.#lost;
  }
}
