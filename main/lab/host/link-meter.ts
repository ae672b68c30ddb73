/** Rates of links: differences of the counters that their directions keep, over the interval between two samples. */
import type { LinkRates } from '../../api/model.ts';
import type { LabLinkRecord } from '../link.ts';

/** Samples closer together than this are too coarse to divide by: the rates of the last one stay. */
const SHORTEST_INTERVAL_NS = 100e6;

interface DirectionMeter {
  packets: number;
  bytes: number;
  packetsPerSecond: number;
  bitsPerSecond: number;
}

export class LinkMeter {
  readonly #links: readonly LabLinkRecord[];
  readonly #meters: readonly (readonly DirectionMeter[])[];
  #sampled = 0;

  constructor(links: Iterable<LabLinkRecord>) {
    this.#links = [...links];
    this.#meters = this.#links.map(({ directions }) =>
      directions.map(() => ({ packets: 0, bytes: 0, packetsPerSecond: 0, bitsPerSecond: 0 })),
    );
  }

  /** @param now ns of the lab's clock. */
  read(now: number): LinkRates[] {
    const elapsed = now - this.#sampled;
    if (elapsed >= SHORTEST_INTERVAL_NS) this.#sample(now, elapsed / 1e9);
    return this.#links.map(({ name, directions }, i) => ({
      name,
      directions: directions.map(({ packets, bytes, drops }, end) => {
        const { packetsPerSecond, bitsPerSecond } = this.#meters[i]![end]!;
        return { packetsPerSecond, bitsPerSecond, packets, bytes, drops };
      }),
    }));
  }

  #sample(now: number, seconds: number): void {
    this.#sampled = now;
    this.#links.forEach(({ directions }, i) => {
      directions.forEach(({ packets, bytes }, end) => {
        const meter = this.#meters[i]![end]!;
        meter.packetsPerSecond = (packets - meter.packets) / seconds;
        meter.bitsPerSecond = ((bytes - meter.bytes) * 8) / seconds;
        meter.packets = packets;
        meter.bytes = bytes;
      });
    });
  }
}
