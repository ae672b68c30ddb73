/** How the window writes numbers and times. */
import { describe, expect, it } from 'vitest';
import {
  formatBitRate,
  formatBytes,
  formatClock,
  formatCount,
  formatPacketRate,
  formatSecondsSince,
} from '../../../renderer/format.ts';

describe('rates and sizes', () => {
  it.each([
    [0, '0 bit/s'],
    [999, '999 bit/s'],
    [1_000, '1.00 kbit/s'],
    [12_340, '12.3 kbit/s'],
    [999_499, '999 kbit/s'],
    [999_600, '1.00 Mbit/s'],
    [100_000_000, '100 Mbit/s'],
    [2.5e12, '2.50 Tbit/s'],
  ])('%d bits per second are %s', (bits, text) => expect(formatBitRate(bits)).toBe(text));

  it('keep one decimal of slow packet rates', () => {
    expect(formatPacketRate(0.96)).toBe('1 pkt/s');
    expect(formatPacketRate(0.5)).toBe('0.50 pkt/s');
    expect(formatPacketRate(1_250)).toBe('1.25 kpkt/s');
  });

  it('count bytes in decimal units and group thousands', () => {
    expect(formatBytes(1_500_000)).toBe('1.50 MB');
    expect(formatCount(1_234_567)).toBe('1\u202f234\u202f567');
    expect(formatCount(12)).toBe('12');
  });
});

describe('times', () => {
  it.each([
    ['0', '0:00.0'],
    ['7350000000', '0:07.3'],
    ['3723400000000', '1:02:03.4'],
  ])('%s ns on the clock is %s', (time, text) => expect(formatClock(time)).toBe(text));

  it('are relative to the first packet, beyond the precision of a number', () => {
    expect(formatSecondsSince('1700000000123456789', '1700000000000000000')).toBe('0.123456');
    expect(formatSecondsSince('1000', '2001000')).toBe('-0.002000');
  });
});
