/**
 * The journeys of the packets in the ring: the stations of each, bounded in number; the oldest journeys go first. Journeys are numbered anew in every run of a lab, packets stay:
 * here each has a number that never comes back.
 */
import type { Journey, Station } from '../../api/model.ts';
import type { JourneyStation } from '../../capture/journey.ts';

/** What a window gets of a journey. */
export function shownJourney(stations: readonly JourneyStation[], lost: number): Journey {
  return { stations: stations.map(shownStation), lost };
}

function shownStation({ time, thread, node, place, station, text, buffer }: JourneyStation): Station {
  return { time: String(time), thread, node, place, station, text, buffer };
}

export class JourneyStore {
  readonly #mostStations: number;
  readonly #journeys = new Map<number, JourneyStation[]>();
  #stations = 0;
  /** Number of the last journey of earlier runs, and of all. */
  #before = 0;
  #last = 0;
  #lost = 0;

  constructor(mostStations: number) {
    this.#mostStations = mostStations;
  }

  /** A run begins, whose journeys are numbered from 1. */
  beginRun(): void {
    this.#before = this.#last;
    this.#lost = 0;
  }

  /** The number here of a journey of this run; 0 for a packet that is not followed. */
  numberOf(journey: number): number {
    if (journey === 0) return 0;
    const number = this.#before + journey;
    this.#last = Math.max(this.#last, number);
    return number;
  }

  /** @param lost stations of this run that nobody had room to note. */
  add(stations: readonly JourneyStation[], lost: number): void {
    this.#lost = lost;
    for (const station of stations) {
      const journey = this.numberOf(station.journey);
      const known = this.#journeys.get(journey);
      if (known === undefined) this.#journeys.set(journey, [{ ...station, journey }]);
      else known.push({ ...station, journey });
    }
    this.#stations += stations.length;
    this.#evict();
  }

  #evict(): void {
    for (const [number, stations] of this.#journeys) {
      if (this.#stations <= this.#mostStations) return;
      this.#journeys.delete(number);
      this.#stations -= stations.length;
    }
  }

  /** Stations of a journey by its number here: none when they had to go. */
  stationsOf(number: number): readonly JourneyStation[] {
    return this.#journeys.get(number) ?? [];
  }

  /** Stations of the run that nobody had room to note. */
  get lost(): number {
    return this.#lost;
  }

  clear(): void {
    this.#journeys.clear();
    this.#stations = 0;
  }
}
