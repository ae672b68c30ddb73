/**
 * Packets to compare BPF programs over: made for a link type and for the numbers that the programs themselves compare with, so that their rarer ways are taken, too.
 * Everything follows from a seed.
 */
import {
  BPF_ABS,
  BPF_IND,
  BPF_JMP,
  BPF_JA,
  BPF_LD,
  bpfClass,
  bpfMode,
  bpfOperation,
} from '../../stack/filter/bpf/instruction.ts';
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { trace } from '../../stack/filter/bpf/interpreter.ts';

/** A packet as far as a filter sees it. */
export interface FilterPacket {
  readonly bytes: Uint8Array;
  readonly wireLength: number;
}

/** Numbers from 0 up to below `limit`. */
export type Random = (limit: number) => number;

/** A small generator with a fixed seed (xorshift), so that a failure can be repeated. */
export function seededRandom(seed: number): Random {
  // Neighbouring seeds shall have nothing in common.
  let state = Math.imul(seed ^ (seed >>> 16) ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}

const ETHERTYPES = [
  0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8035, 0x8100, 0x88a8, 0x9100, 0x8847, 0x8863, 0x8864,
  0x809b, 0x80f3, 0x8137, 0x6001, 0x6002, 0x6003, 0x6004, 0x6007, 0x88cc, 0x9000, 40, 46, 1500,
];
const IP_PROTOCOLS = [1, 2, 6, 6, 6, 9, 17, 17, 17, 50, 51, 58, 103, 112, 132];
const IPV6_NEXT = [0, 6, 6, 17, 17, 43, 44, 44, 50, 51, 58, 58, 59, 60, 103, 132];
const PORTS = [20, 22, 25, 53, 67, 68, 80, 443, 4789, 6081, 8080];
const LLC_SAPS = [0x06, 0x42, 0xaa, 0xe0, 0xf0, 0xfe, 0xff];

/** Writes packets of one link type. */
class PacketWriter {
  readonly #random: Random;
  readonly #bytes: number[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  finish(): Uint8Array {
    const filler = this.#random(80);
    for (let index = 0; index < filler; index++) this.byte(this.#random(256));
    return Uint8Array.from(this.#bytes);
  }

  byte(value: number): void {
    this.#bytes.push(value & 0xff);
  }

  half(value: number): void {
    this.byte(value >> 8);
    this.byte(value);
  }

  word(value: number): void {
    this.half(value >>> 16);
    this.half(value & 0xffff);
  }

  noise(length: number): void {
    for (let index = 0; index < length; index++) this.byte(this.#random(256));
  }

  pick(values: readonly number[]): number {
    return values[this.#random(values.length)] ?? 0;
  }

  address(): void {
    if (this.#random(4) === 0) for (let index = 0; index < 6; index++) this.byte(0xff);
    else this.noise(6);
  }

  ethernet(depth: number): void {
    this.address();
    this.address();
    this.typed(this.pick(ETHERTYPES), depth);
  }

  /** A type or length with what it announces. */
  typed(type: number, depth: number): void {
    this.half(type);
    if (type <= 1500) this.llc(depth);
    else this.payload(type, depth);
  }

  payload(type: number, depth: number): void {
    if (type === 0x0800) this.ipv4(depth);
    else if (type === 0x86dd) this.ipv6(depth);
    else if (type === 0x0806 || type === 0x8035) this.arp();
    else if (type === 0x8100 || type === 0x88a8 || type === 0x9100) this.vlan(depth);
    else if (type === 0x8847) this.mpls(depth);
    else if (type === 0x8863 || type === 0x8864) this.pppoe(depth);
    else if (type === 0x6003) this.decnet();
    else this.noise(20);
  }

  arp(): void {
    this.half(1);
    this.half(0x0800);
    this.half(0x0604);
    this.half(1 + this.#random(2));
    this.noise(20);
  }

  vlan(depth: number): void {
    this.half(this.#random(3) === 0 ? this.#random(65536) : this.#random(12));
    this.typed(this.pick(ETHERTYPES), depth);
  }

  mpls(depth: number): void {
    const bottom = this.#random(2) === 0;
    this.word(((this.#random(2000) << 12) | (bottom ? 0x100 : 0) | this.#random(256)) >>> 0);
    if (!bottom && depth > 0) this.mpls(depth - 1);
    else if (this.#random(2) === 0) this.ipv4(depth);
    else this.ipv6(depth);
  }

  pppoe(depth: number): void {
    this.half(0x1100);
    this.half(this.#random(2) === 0 ? this.#random(65536) : this.#random(8));
    this.half(40);
    this.ppp(depth);
  }

  ppp(depth: number): void {
    const type = this.pick([0x21, 0x21, 0x57, 0x281, 0x23, 0x27, 0x29, 0x2b, 0x31, 0xc021]);
    this.half(type);
    if (type === 0x21) this.ipv4(depth);
    else if (type === 0x57) this.ipv6(depth);
    else if (type === 0x281) this.mpls(depth);
    else this.noise(20);
  }

  decnet(): void {
    this.half(40);
    this.byte(this.pick([0x02, 0x06, 0x81, 0x0a, 0x16]));
    this.byte(this.pick([0x02, 0x06, 0x81]));
    this.noise(36);
  }

  llc(depth: number): void {
    const sap = this.pick(LLC_SAPS);
    this.byte(sap);
    this.byte(this.#random(4) === 0 ? this.#random(256) : sap);
    this.byte(
      sap === 0xaa
        ? 0x03
        : this.pick([0x03, 0x01, 0x05, 0x09, 0x63, 0x43, 0x0f, 0x6f, 0xe3, 0xaf, 0x87, 0x10]),
    );
    if (sap === 0xaa) this.snap(depth);
    else this.iso();
  }

  snap(depth: number): void {
    const type = this.pick(ETHERTYPES);
    this.byte(type === 0x809b ? 0x08 : 0);
    this.half(type === 0x809b ? 0x0007 : 0);
    this.half(type);
    this.payload(type, depth);
  }

  iso(): void {
    this.byte(this.pick([0x81, 0x82, 0x83, 0x83]));
    this.noise(3);
    this.byte(this.pick([15, 16, 17, 18, 20, 24, 25, 26, 27]));
    this.noise(20);
  }

  ipv4(depth: number): void {
    const words = this.#random(4) === 0 ? 5 + this.#random(11) : 5;
    const protocol = this.pick(IP_PROTOCOLS);
    this.byte(0x40 | words);
    this.byte(0);
    this.half(60);
    this.half(this.#random(65536));
    this.half(this.#random(5) === 0 ? this.#random(65536) : this.pick([0, 0x4000, 0x2000]));
    this.byte(64);
    this.byte(protocol);
    this.half(0);
    this.word(this.pick([0x0a000001, 0x0a000002, 0xc0a80101, 0x7f000001, 0xffffffff, 0xe0000001, 0]));
    this.word(
      this.pick([0x0a000001, 0x0a000002, 0xc0a80101, 0x7f000001, 0xffffffff, 0xe0000001, 0x0a0000ff, 0]),
    );
    this.noise((words - 5) * 4);
    this.transport(protocol, depth);
  }

  ipv6(depth: number): void {
    const next = this.pick(IPV6_NEXT);
    this.word(0x60000000);
    this.half(40);
    this.byte(next);
    this.byte(64);
    for (let index = 0; index < 8; index++)
      this.word(this.pick([0, 0, 1, 0x20010db8, 0xfe800000, 0xff020000]));
    if ([0, 43, 44, 51, 60].includes(next)) this.extension(depth);
    else this.transport(next, depth);
  }

  extension(depth: number): void {
    const next = this.pick(IPV6_NEXT);
    const units = this.#random(3);
    this.byte(next);
    this.byte(units);
    this.noise(6 + units * 8);
    if ([0, 43, 44, 51, 60].includes(next) && depth > 0) this.extension(depth - 1);
    else this.transport(next, depth);
  }

  transport(protocol: number, depth: number): void {
    if (protocol === 6 || protocol === 17 || protocol === 132) {
      const destination = this.pick(PORTS);
      this.half(this.pick(PORTS));
      this.half(destination);
      if (protocol === 17) {
        this.half(40);
        this.half(0);
        this.tunnel(destination, depth);
      } else {
        this.noise(16);
      }
    } else {
      this.byte(this.pick([0, 3, 8, 11, 128, 129, 133, 134, 135, 0x21, 0x31]));
      this.noise(20);
    }
  }

  tunnel(port: number, depth: number): void {
    if (port === 4789 && depth > 0) {
      this.byte(this.#random(4) === 0 ? this.#random(256) : 8);
      this.noise(3);
      this.word(this.#random(8) * 256);
      this.ethernet(depth - 1);
    } else if (port === 6081 && depth > 0) {
      const options = this.#random(3);
      const type = this.pick([0x6558, 0x6558, 0x0800, 0x86dd]);
      this.byte(this.#random(5) === 0 ? this.#random(256) : options);
      this.byte(0);
      this.half(type);
      this.word(this.#random(8) * 256);
      this.noise(options * 4);
      if (type === 0x6558) this.ethernet(depth - 1);
      else this.payload(type, depth - 1);
    } else {
      this.noise(20);
    }
  }

  wlan(depth: number): void {
    const control = this.#random(256) & 0xfc;
    const flags = this.#random(256);
    this.byte(this.#random(2) === 0 ? 0x08 | (this.#random(2) << 7) : control);
    this.byte(flags);
    this.half(0);
    for (let index = 0; index < 3; index++) this.address();
    this.half(this.#random(65536));
    if (this.#random(2) === 0) this.half(0);
    this.byte(0xaa);
    this.byte(0xaa);
    this.byte(0x03);
    this.snap(depth);
  }

  pflog(depth: number): void {
    this.byte(this.pick([61, 61, 64, 57]));
    const family = this.pick([2, 2, 10, 24, 28, 30]);
    this.byte(family);
    this.byte(this.#random(12));
    this.byte(this.#random(16));
    for (const size of [16, 16]) {
      const name = this.pick([0, 1, 2]) === 0 ? 'en0' : this.#random(2) === 0 ? 'lo0' : 'testruleset2';
      for (let index = 0; index < size; index++) this.byte(name.charCodeAt(index) || 0);
    }
    this.word(this.#random(5));
    this.word(this.#random(5));
    this.noise(16);
    this.byte(this.#random(3));
    this.noise(3);
    if (family === 2) this.ipv4(depth);
    else this.ipv6(depth);
  }

  ip(depth: number): void {
    if (this.#random(2) === 0) this.ipv4(depth);
    else this.ipv6(depth);
  }

  packet(linkType: number): void {
    const depth = 2;
    switch (linkType) {
      case 0: {
        const family = this.pick([2, 2, 10, 24, 30]);
        this.word((family << 24) >>> 0);
        return family === 2 ? this.ipv4(depth) : this.ipv6(depth);
      }
      case 1:
        return this.ethernet(depth);
      case 8:
        this.byte(this.#random(3));
        this.noise(15);
        return this.ip(depth);
      case 9:
        this.half(0xff03);
        return this.ppp(depth);
      case 51:
        this.half(0x1100);
        this.half(5);
        this.half(40);
        return this.ppp(depth);
      case 105:
        return this.wlan(depth);
      case 108: {
        const family = this.pick([2, 2, 10, 24, 30]);
        this.word(family);
        return family === 2 ? this.ipv4(depth) : this.ipv6(depth);
      }
      case 117:
        return this.pflog(depth);
      case 228:
        return this.ipv4(depth);
      case 229:
        return this.ipv6(depth);
      default:
        return this.ip(depth);
    }
  }
}

/** Packets as the link type has them, a few of them noise. */
export function generatedPackets(linkType: number, count: number, random: Random): FilterPacket[] {
  return Array.from({ length: count }, (_, index) => {
    const writer = new PacketWriter(random);
    if (index % 10 === 9) writer.noise(random(200));
    else writer.packet(linkType);
    const bytes = writer.finish();
    return { bytes, wireLength: bytes.length + (random(8) === 0 ? random(1500) : 0) };
  });
}

/**
 * Packets for one program: each begins as a given one, and is changed where the program looks so that a comparison comes out the other way.
 */
export function steeredPackets(
  program: BpfProgram,
  packets: readonly FilterPacket[],
  count: number,
  random: Random,
): FilterPacket[] {
  const steered: FilterPacket[] = [];
  let current = packets[random(packets.length)];
  for (let index = 0; index < count && current !== undefined; index++) {
    if (index % 8 === 0) current = packets[random(packets.length)] ?? current;
    current = changed(program, current, random);
    steered.push(current);
  }
  return steered;
}

/** Changes the bytes behind one comparison on the way of a packet, so that it holds. */
function changed(program: BpfProgram, packet: FilterPacket, random: Random): FilterPacket {
  const points: { offset: number; size: number; k: number }[] = [];
  let loaded: { offset: number; size: number } | undefined;
  let steps = 0;
  for (const step of trace(program, packet.bytes, packet.wireLength)) {
    if (steps++ > 2000) break;
    const { code, k } = step.instruction;
    if (step.loaded?.value !== undefined && bpfClass(code) === BPF_LD && isPacketLoad(code))
      loaded = step.loaded;
    else if (bpfClass(code) === BPF_JMP && bpfOperation(code) !== BPF_JA && loaded !== undefined)
      points.push({ offset: loaded.offset, size: loaded.size, k });
  }
  const point = points[random(Math.max(1, points.length))];
  if (point === undefined) return packet;
  const bytes = packet.bytes.slice();
  const value = random(6) === 0 ? random(2 ** 31) : (point.k + (random(4) === 0 ? random(3) - 1 : 0)) >>> 0;
  for (let index = 0; index < point.size; index++)
    bytes[point.offset + index] = value >>> (8 * (point.size - 1 - index));
  return { bytes, wireLength: packet.wireLength };
}

function isPacketLoad(code: number): boolean {
  return bpfMode(code) === BPF_ABS || bpfMode(code) === BPF_IND;
}

/** The same packets, each cut somewhere. */
export function shortened(packets: readonly FilterPacket[], random: Random): FilterPacket[] {
  return packets.map(({ bytes, wireLength }) => ({
    bytes: bytes.subarray(0, random(bytes.length + 1)),
    wireLength,
  }));
}
