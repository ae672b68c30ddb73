/*
 * The SIMD kernels against a plain reference: every short length at every alignment, random long ones, the values
 * at which carries go wrong, the edges of memory.
 */

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { instantiateKernels } from '../../../stack/memory/wasm/kernels.ts';
import { addOnesComplement, referenceSum } from './reference-sum.ts';

const pageBytes = 65536;
const pages = 80;
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
const bytes = new Uint8Array(memory.buffer);
const { checksum, copyChecksum, copy } = instantiateKernels(memory);

/** Different at every call, the same in every run (xorshift32). */
let state = 1;
function nextRandom(limit: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
}

function fillRandom(from: number, length: number): void {
  for (let i = from; i < from + length; i++) bytes[i] = nextRandom(256);
}

const expectedSum = (from: number, length: number): number =>
  referenceSum(bytes.subarray(from, from + length));

/** Runs copyChecksum between guard bytes and checks the sum, the copy, the source and the guards. */
function expectExactCopy(to: number, from: number, length: number): void {
  const guard = 0xa5;
  const margin = 80;
  bytes.fill(guard, to - margin, to + length + margin);
  const source = bytes.slice(from, from + length);
  const sum = copyChecksum(to, from, length);
  const context = `length ${length}, to ${to}, from ${from}`;
  expect(sum, context).toBe(referenceSum(source));
  expect(Buffer.compare(bytes.slice(to, to + length), source), context).toBe(0);
  expect(Buffer.compare(bytes.slice(from, from + length), source), context).toBe(0);
  const around = [...bytes.slice(to - margin, to), ...bytes.slice(to + length, to + length + margin)];
  expect(
    around.every((byte) => byte === guard),
    `${context}: bytes outside untouched`,
  ).toBe(true);
}

beforeEach(() => {
  state = 0x9e3779b9;
  bytes.fill(0);
});

describe('checksum', () => {
  it('gives the worked example of RFC 1071 §3', () => {
    bytes.set([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 100);
    // The RFC's sum in network order is ddf2; the kernel's is its little-endian reading.
    expect(checksum(100, 8)).toBe(0xf2dd);
  });

  it('stores the checksum of a real IPv4 header in network order', () => {
    const header = '45000073000040004011 0000 c0a80001c0a800c7'.replaceAll(' ', '');
    bytes.set(Buffer.from(header, 'hex'), 200);
    new DataView(memory.buffer).setUint16(210, ~checksum(200, 20), true);
    expect([bytes[210], bytes[211]]).toEqual([0xb8, 0x61]);
    expect(checksum(200, 20)).toBe(0xffff);
  });

  it('agrees with the reference at every length to 300 and every alignment to 15', () => {
    fillRandom(0, 1024);
    for (let alignment = 0; alignment < 16; alignment++) {
      for (let length = 0; length <= 300; length++) {
        const sum = checksum(64 + alignment, length);
        expect(sum, `length ${length}, alignment ${alignment}`).toBe(expectedSum(64 + alignment, length));
      }
    }
  });

  it('agrees with the reference at random lengths to 65535', () => {
    fillRandom(0, 2 * pageBytes);
    for (let run = 0; run < 150; run++) {
      const from = nextRandom(64);
      const length = nextRandom(pageBytes);
      expect(checksum(from, length), `length ${length}, from ${from}`).toBe(expectedSum(from, length));
    }
  });

  it.each([0, 1, 2, 15, 16, 63, 64, 65, 1460, 65535])('of %i zero bytes is 0', (length) => {
    bytes.fill(0xff, 0, 64);
    bytes.fill(0xff, 64 + length, 64 + length + 64);
    expect(checksum(64, length)).toBe(0);
  });

  it.each([1, 2, 3, 16, 63, 64, 65, 1460, 65534, 65535])('of %i bytes ff does not lose a carry', (length) => {
    bytes.fill(0xff, 64, 64 + length);
    expect(checksum(64, length)).toBe(expectedSum(64, length));
  });

  it('stays right far beyond a packet, where 32-bit lanes would overflow', () => {
    bytes.fill(0xff, 0, 76 * pageBytes);
    bytes[1] = 0x12;
    for (const length of [
      8 * pageBytes - 1,
      8 * pageBytes,
      8 * pageBytes + 1,
      16 * pageBytes + 77,
      76 * pageBytes,
    ]) {
      expect(checksum(0, length), `length ${length}`).toBe(expectedSum(0, length));
    }
  });

  it('reads nothing beyond the end of the memory, and refuses to', () => {
    const last = bytes.length;
    fillRandom(last - 200, 200);
    for (let length = 0; length <= 200; length++) {
      expect(checksum(last - length, length), `length ${length}`).toBe(expectedSum(last - length, length));
    }
    expect(() => checksum(last - 100, 101)).toThrow(WebAssembly.RuntimeError);
  });

  it('of a whole is the sum of its parts at any even split', () => {
    const run = fc.property(
      fc.uint8Array({ minLength: 2, maxLength: 4000 }),
      fc.nat(),
      fc.nat({ max: 15 }),
      (data, cut, alignment) => {
        const split = (cut % data.length) & ~1;
        bytes.set(data, 64 + alignment);
        const head = checksum(64 + alignment, split);
        const tail = checksum(64 + alignment + split, data.length - split);
        expect(addOnesComplement(head, tail)).toBe(checksum(64 + alignment, data.length));
      },
    );
    fc.assert(run, { seed: 1071 });
  });
});

describe('copyChecksum', () => {
  it('copies exactly at every length to 300 and every alignment to 15', () => {
    fillRandom(0, 1024);
    for (let alignment = 0; alignment < 16; alignment++) {
      for (let length = 0; length <= 300; length++) {
        expectExactCopy(4096 + ((alignment * 7 + length) % 16), 64 + alignment, length);
      }
    }
  });

  it('copies exactly at random lengths to 65535', () => {
    fillRandom(0, 2 * pageBytes);
    for (let run = 0; run < 40; run++) {
      expectExactCopy(4 * pageBytes + nextRandom(64), nextRandom(64), nextRandom(pageBytes));
    }
  });

  it('copies between ranges that touch', () => {
    fillRandom(0, 4096);
    for (const length of [1, 16, 64, 129, 1460]) {
      const source = bytes.slice(512, 512 + length);
      expect(copyChecksum(512 + length, 512, length)).toBe(referenceSum(source));
      expect(bytes.slice(512 + length, 512 + 2 * length)).toEqual(source);
    }
  });

  it('refuses to write beyond the end of the memory', () => {
    expect(() => copyChecksum(bytes.length - 10, 0, 11)).toThrow(WebAssembly.RuntimeError);
  });
});

describe('copy', () => {
  it('copies ranges that overlap in either direction', () => {
    fillRandom(0, 4096);
    const source = bytes.slice(1000, 2500);
    copy(1007, 1000, 1500);
    expect(bytes.slice(1007, 2507)).toEqual(source);
    copy(1000, 1007, 1500);
    expect(bytes.slice(1000, 2500)).toEqual(source);
  });

  it('writes nothing when the range is out of bounds', () => {
    bytes.fill(7, 0, 100);
    expect(() => copy(bytes.length - 50, 0, 100)).toThrow(WebAssembly.RuntimeError);
    expect(bytes.slice(-50).every((byte) => byte === 0)).toBe(true);
  });
});

describe('instantiateKernels', () => {
  it('sees what another instance on the same memory wrote', () => {
    const other = instantiateKernels(memory);
    fillRandom(0, 2000);
    other.copy(4096, 0, 2000);
    expect(checksum(4096, 2000)).toBe(expectedSum(0, 2000));
  });

  it('refuses a memory that is not shared', () => {
    expect(() => instantiateKernels(new WebAssembly.Memory({ initial: 1, maximum: 1 }))).toThrow(
      WebAssembly.LinkError,
    );
  });
});
