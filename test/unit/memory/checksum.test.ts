import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldSum, pseudoSum, putChecksum, sumBytes, sumChain } from '../../../stack/memory/checksum.ts';
import { mFree } from '../../../stack/memory/mbuf.ts';
import { be16, region, u8 } from '../../../stack/memory/memory.ts';
import { anyPacket, build } from './packets.ts';

const place = region('checksum test', 4096);

/** RFC 1071 by its definition: big-endian 16-bit words, an odd byte padded with zero. */
function referenceChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** A sum as the checksum that goes into a header. */
function stored(sum: number): number {
  putChecksum(place + 4001, sum);
  return be16(place + 4001);
}

test('the checksum of any bytes at any alignment is that of RFC 1071', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, offset) => {
      u8.set(bytes, place + offset);
      expect(stored(sumBytes(place + offset, bytes.length))).toBe(referenceChecksum(bytes));
    }),
    { numRuns: 1000 },
  );
});

test('the checksum of any range of a chain is that of its bytes, odd buffers and offsets included', () => {
  fc.assert(
    fc.property(
      anyPacket,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(0xffff),
      (pieces, start, share, initial) => {
        const { m, bytes, sharers } = build(pieces);
        const off = Math.round(start * bytes.length);
        const len = Math.round(share * (bytes.length - off));
        const range = bytes.slice(off, off + len);
        expect(stored(sumChain(m, off, len, 0))).toBe(referenceChecksum(range));
        const withInitial = Uint8Array.of(initial & 0xff, initial >>> 8, ...range);
        expect(stored(sumChain(m, off, len, initial))).toBe(referenceChecksum(withInitial));
        for (const packet of [m, ...sharers]) mFree(packet);
      },
    ),
    { numRuns: 500 },
  );
});

test('the pseudo header is summed as RFC 793 draws it', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.nat(255),
      fc.nat(65535),
      (addresses, protocol, length) => {
        u8.set(addresses, place + 1);
        const drawn = Uint8Array.of(...addresses, 0, protocol, length >>> 8, length & 0xff);
        expect(stored(pseudoSum(place + 1, protocol, length))).toBe(referenceChecksum(drawn));
      },
    ),
  );
});

test('a sum of many words folds to 16 bits', () => {
  expect(foldSum(0xffff_ffff)).toBe(0xffff);
  expect(foldSum(0x1_0000)).toBe(1);
  expect(foldSum(0x1234)).toBe(0x1234);
});
