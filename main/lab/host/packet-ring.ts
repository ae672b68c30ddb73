/**
 * The most recent packets of a lab: bounded in number and in bytes, the oldest go first. Packets are numbered from 1 and a number never
 * comes back. What a packet says is worked out when somebody asks for it.
 */
import { dissect } from '../../capture/dissect/dissect.ts';
import type { PacketDetail, PacketSummary } from '../../api/model.ts';

/** A packet as it was captured. */
export interface RawPacket {
  /** ns since 1970. */
  readonly time: bigint;
  /** The capture point; '' where a file names none. */
  readonly point: string;
  /** LINKTYPE number. */
  readonly linkType: number;
  /** Bytes on the wire. */
  readonly length: number;
  readonly bytes: Uint8Array;
  /** Number of its journey, 0 if it was not followed. */
  readonly journey: number;
}

interface KeptPacket extends RawPacket {
  readonly number: number;
  summary?: PacketSummary;
}

export interface RingLimits {
  readonly packets: number;
  readonly bytes: number;
}

export function summarize(packet: RawPacket, number: number): PacketSummary {
  const { source, destination, protocol, info } = dissect(packet.bytes, packet.linkType).columns;
  const { point, length, journey } = packet;
  const followed = journey === 0 ? {} : { followed: true };
  return {
    number,
    time: String(packet.time),
    point,
    source,
    destination,
    protocol,
    length,
    info,
    ...followed,
  };
}

export function detail(packet: RawPacket, number: number): PacketDetail {
  return {
    summary: summarize(packet, number),
    layers: dissect(packet.bytes, packet.linkType).layers.map(({ name, title, offset, length, fields }) => ({
      name,
      title,
      offset,
      length,
      fields,
    })),
    bytes: Buffer.from(packet.bytes).toString('base64'),
  };
}

export class PacketRing {
  readonly #limits: RingLimits;
  readonly #slots: (KeptPacket | undefined)[];
  #first = 1;
  #next = 1;
  #bytes = 0;

  constructor(limits: RingLimits) {
    this.#limits = limits;
    this.#slots = new Array<KeptPacket | undefined>(limits.packets);
  }

  /** Number of the oldest packet kept, and of the one that comes next: equal when the ring is empty. */
  get first(): number {
    return this.#first;
  }

  get next(): number {
    return this.#next;
  }

  /** Keeps a packet, whose `bytes` are the ring's from now on. @param onEvicted told of each packet that had to go. */
  add(packet: RawPacket, onEvicted: (number: number, point: string) => void): void {
    while (this.#next - this.#first >= this.#limits.packets || this.#isFull(packet.bytes.length)) {
      const gone = this.#at(this.#first);
      onEvicted(gone.number, gone.point);
      this.#evict();
    }
    this.#slots[this.#next % this.#limits.packets] = { ...packet, number: this.#next++ };
    this.#bytes += packet.bytes.length;
  }

  #isFull(more: number): boolean {
    return this.#next > this.#first && this.#bytes + more > this.#limits.bytes;
  }

  #evict(): void {
    const slot = this.#first++ % this.#limits.packets;
    this.#bytes -= this.#slots[slot]!.bytes.length;
    this.#slots[slot] = undefined;
  }

  #at(number: number): KeptPacket {
    return this.#slots[number % this.#limits.packets]!;
  }

  clear(): void {
    while (this.#first < this.#next) this.#evict();
  }

  has(number: number): boolean {
    return number >= this.#first && number < this.#next;
  }

  /** A packet that the ring has. */
  raw(number: number): RawPacket {
    return this.#at(number);
  }

  /** The line of a packet that the ring has; kept for the next reader. */
  summary(number: number): PacketSummary {
    const packet = this.#at(number);
    return (packet.summary ??= summarize(packet, number));
  }
}
