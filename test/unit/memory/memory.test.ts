import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  be16,
  be32,
  getText,
  memoryBytes,
  putBe16,
  putBe32,
  putText,
  region,
  u8,
} from '../../../stack/memory/memory.ts';

test('a region is the same for whoever asks for it, zeroed and apart from others', () => {
  const first = region('memory test a', 100);
  const second = region('memory test b', 100);
  expect(region('memory test a', 100)).toBe(first);
  expect(first % 64).toBe(0);
  expect(Math.abs(second - first)).toBeGreaterThanOrEqual(100);
  expect([...u8.subarray(first, first + 100)].every((byte) => byte === 0)).toBe(true);
});

test('a region asked for with another size, or beyond the memory, is a fault that names it', () => {
  region('memory test size', 64);
  expect(() => region('memory test size', 128)).toThrow(/memory test size: 128 bytes asked for.*64/);
  expect(() => region('memory test huge', memoryBytes)).toThrow(/memory test huge/);
  expect(region('memory test size', 64)).toBeGreaterThan(0);
});

test('numbers in network byte order are read and written at any alignment', () => {
  const p = region('memory test order', 64);
  const view = new DataView(u8.buffer);
  fc.assert(
    fc.property(fc.nat(15), fc.integer(), (at, value) => {
      putBe32(p + at, value);
      expect(view.getInt32(p + at)).toBe(value);
      expect(be32(p + at)).toBe(value);
      putBe16(p + at, value);
      expect(view.getUint16(p + at)).toBe(value & 0xffff);
      expect(be16(p + at)).toBe(value & 0xffff);
    }),
  );
});

test('a text comes back, cut between characters where it is too long', () => {
  const p = region('memory test text', 64);
  putText(p, 16, 'a longer name than fits');
  expect(getText(p, 16)).toBe('a longer name th');
  putText(p, 16, 'en0');
  expect(getText(p, 16)).toBe('en0');
  putText(p, 4, 'wé€');
  expect(getText(p, 4)).toBe('wé');
});
