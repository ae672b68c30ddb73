/**
 * Who reads the ring of packets: each reader has a place of its own in it and gets what comes in batches. A reader that falls so far
 * behind that the ring has lost packets is told how many.
 */
import { expectFilter, packetMatcher } from '../../capture/filter.ts';
import type { Unsubscribe } from '../../api/lab-host.ts';
import type { PacketBatch, PacketSubscription, PacketSummary } from '../../api/model.ts';
import { PacketRing } from './packet-ring.ts';
import type { RawPacket, RingLimits } from './packet-ring.ts';

const BATCH_INTERVAL_MS = 100;
/** More would hold up the thread that also runs the programs of the nodes; the rest comes with the next batch. */
const MOST_PER_BATCH = 1000;

interface Reader {
  /** Points wanted; undefined for all links. */
  readonly points: ReadonlySet<string> | undefined;
  /** Which of their packets. */
  readonly wants: (packet: RawPacket) => boolean;
  readonly onBatch: (batch: PacketBatch) => void;
  /** Number of the packet to look at next. */
  next: number;
  dropped: number;
}

/** With no points named, a packet is shown where it passes a link, and not again at both its interfaces. */
function wantsPoint(points: ReadonlySet<string> | undefined, point: string): boolean {
  return points === undefined ? point.startsWith('link:') : points.has(point);
}

function pointSet(points: readonly string[]): ReadonlySet<string> | undefined {
  return points.length === 0 ? undefined : new Set(points);
}

/** Tells which packets a reader wants. Throws FilterTextError. */
export function packetChooser({ points, filter }: PacketSubscription): (packet: RawPacket) => boolean {
  const wanted = pointSet(points);
  if (filter === undefined) return ({ point }) => wantsPoint(wanted, point);
  expectFilter(filter);
  const matches = packetMatcher(filter);
  return (packet) => wantsPoint(wanted, packet.point) && matches(packet);
}

export class PacketFeed {
  readonly ring: PacketRing;
  readonly #readers = new Set<Reader>();
  readonly #onReaders: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param onReaders called when somebody began or ended to read. */
  constructor(limits: RingLimits, onReaders: () => void) {
    this.ring = new PacketRing(limits);
    this.#onReaders = onReaders;
  }

  add(packet: RawPacket): void {
    this.ring.add(packet, (number, point) => this.#lose(number, point));
    if (this.#readers.size > 0) this.#schedule();
  }

  /** Counts packets that never reached the ring. */
  countLost(packets: number): void {
    for (const reader of this.#readers) reader.dropped += packets;
  }

  /** Throws FilterTextError. */
  read(subscription: PacketSubscription, onBatch: (batch: PacketBatch) => void): Unsubscribe {
    const reader: Reader = {
      points: pointSet(subscription.points),
      wants: packetChooser(subscription),
      onBatch,
      next: this.ring.first,
      dropped: 0,
    };
    this.#readers.add(reader);
    this.#onReaders();
    this.#schedule();
    return () => {
      if (this.#readers.delete(reader)) this.#onReaders();
    };
  }

  /** All points that readers name. */
  pointsWanted(): ReadonlySet<string> {
    return new Set([...this.#readers].flatMap(({ points }) => [...(points ?? [])]));
  }

  close(): void {
    this.#readers.clear();
    clearTimeout(this.#timer);
  }

  #lose(number: number, point: string): void {
    for (const reader of this.#readers) {
      if (reader.next > number) continue;
      reader.next = number + 1;
      if (wantsPoint(reader.points, point)) reader.dropped++;
    }
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => this.#deliver(), BATCH_INTERVAL_MS);
  }

  #deliver(): void {
    this.#timer = undefined;
    for (const reader of this.#readers) {
      const packets = this.#take(reader);
      if (packets.length > 0) reader.onBatch({ packets, dropped: reader.dropped });
      if (reader.next < this.ring.next) this.#schedule();
    }
  }

  #take(reader: Reader): PacketSummary[] {
    const packets: PacketSummary[] = [];
    reader.next = Math.max(reader.next, this.ring.first);
    while (reader.next < this.ring.next && packets.length < MOST_PER_BATCH) {
      const number = reader.next++;
      if (reader.wants(this.ring.raw(number))) packets.push(this.ring.summary(number));
    }
    return packets;
  }
}
