// Addresses as text and numbers.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  classMask,
  inetAton,
  inetNtoa,
  isMulticast,
  maskOf,
  prefixLengthOf,
} from '../../../stack/socket/inet.ts';

test('every address reads back from its text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (address) => {
      expect(inetAton(inetNtoa(address))).toBe(address);
    }),
  );
});

test('a signed number prints as the same address', () => {
  expect(inetNtoa(0xc0a80001 | 0)).toBe('192.168.0.1');
});

test.each(['', '10.0.0', '10.0.0.256', '10.0.0.1.2', '10.0.0.-1', '10.0.0.1 ', 'a.b.c.d', '0x0a.0.0.1'])(
  '%j is no address',
  (text) => {
    expect(inetAton(text)).toBeUndefined();
  },
);

test('masks of every length read back; a mask with a hole has no length', () => {
  for (let length = 0; length <= 32; length++) expect(prefixLengthOf(maskOf(length))).toBe(length);
  expect(prefixLengthOf(0xff00ff00)).toBeUndefined();
  expect(prefixLengthOf(0x000000ff)).toBeUndefined();
});

test('classes of addresses', () => {
  expect([0x0a000001, 0xac100001, 0xc0a80001].map((address) => prefixLengthOf(classMask(address)))).toEqual([
    8, 16, 24,
  ]);
  expect(isMulticast(0xe0000001)).toBe(true);
  expect(isMulticast(0xdfffffff)).toBe(false);
});
