/**
 * A part of a captured packet: the bytes that were captured of it, and how many it has on the wire. Reading beyond what was captured throws Truncated, which ends the
 * line of the packet as tcpdump does: ` [|tcp]`.
 */

/** The capture ends here. */
export class Truncated extends Error {
  constructor() {
    super('the capture of a packet ends');
    this.name = 'Truncated';
  }
}

export class View {
  /** What was captured. */
  readonly bytes: Uint8Array;
  /** Bytes on the wire. */
  readonly length: number;

  constructor(bytes: Uint8Array, length: number) {
    this.bytes = bytes;
    this.length = length;
  }

  /** Bytes that were captured. */
  get captured(): number {
    return this.bytes.length;
  }

  /** True if `count` bytes at `offset` were captured. */
  has(offset: number, count: number): boolean {
    return offset + count <= this.bytes.length;
  }

  u8(offset: number): number {
    const value = this.bytes[offset];
    if (value === undefined) throw new Truncated();
    return value;
  }

  /** Numbers are in network byte order, unsigned. */
  u16(offset: number): number {
    return (this.u8(offset) << 8) | this.u8(offset + 1);
  }

  u32(offset: number): number {
    return ((this.u16(offset) << 16) | this.u16(offset + 2)) >>> 0;
  }

  /** Throws Truncated unless the first `count` bytes were captured. */
  need(count: number): void {
    if (!this.has(0, count)) throw new Truncated();
  }

  /** What is behind the first `count` bytes. */
  after(count: number): View {
    return new View(this.bytes.subarray(count), Math.max(0, this.length - count));
  }

  /** The first `count` bytes, if it has so many. */
  first(count: number): View {
    return new View(this.bytes.subarray(0, count), Math.min(count, this.length));
  }

  mac(offset: number): string {
    const bytes = Array.from({ length: 6 }, (_, i) => this.u8(offset + i));
    return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  }
}
