/**
 * Durations, rates and percentages: exact, inverse to their writers, and clear about what is missing.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatDuration,
  formatRate,
  parseDuration,
  parsePercent,
  parseRate,
} from '../../../main/lab/file/units.ts';

describe('durations', () => {
  it.each([
    ['1ms', 1_000_000],
    ['0.1ms', 100_000],
    ['10us', 10_000],
    ['2s', 2_000_000_000],
    ['0s', 0],
    ['0.000000001s', 1],
    ['86400s', 86_400_000_000_000],
  ])('%s is %i ns', (text, value) => {
    expect(parseDuration(text)).toEqual({ ok: true, value });
  });

  it.each([
    '',
    'ms',
    '1',
    '1 ms',
    '1m',
    '1MS',
    '-1ms',
    '+1ms',
    '.5ms',
    '1.ms',
    '1e3ms',
    '0x1ms',
    '1ms ',
    '86401s',
    '0.1ns',
    '١ms',
    'NaNms',
    'Infinitys',
  ])('%j is refused with a reason', (text) => {
    expect(parseDuration(text)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^must be /) as string,
    });
  });

  it('are read as they were written, in every unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400_000_000_000 }), (value) => {
        expect(parseDuration(formatDuration(value))).toEqual({ ok: true, value });
      }),
    );
  });

  it('are exact to the nanosecond with fractions of any length', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 86_399 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (seconds, fraction) => {
          const text = `${String(seconds)}.${String(fraction).padStart(9, '0')}s`;
          expect(parseDuration(text)).toEqual({ ok: true, value: seconds * 1e9 + fraction });
        },
      ),
    );
  });
});

describe('rates', () => {
  it.each([
    ['100mbit', 100_000_000],
    ['1gbit', 1_000_000_000],
    ['64kbit', 64_000],
    ['9600bit', 9600],
    ['2.5Gbit', 2_500_000_000],
  ])('%s is %i bit/s', (text, value) => {
    expect(parseRate(text)).toEqual({ ok: true, value });
  });

  it.each(['', '100', '100mbps', '100m', '0bit', '0.5bit', '1001gbit', '-1mbit', 'mbit', '1 gbit'])(
    '%j is refused with a reason',
    (text) => {
      expect(parseRate(text)).toMatchObject({
        ok: false,
        reason: expect.stringMatching(/^must be /) as string,
      });
    },
  );

  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e12 }), (value) => {
        expect(parseRate(formatRate(value))).toEqual({ ok: true, value });
      }),
    );
  });
});

describe('percentages', () => {
  it.each([
    ['0%', 0],
    ['0.1%', 0.001],
    ['33.3%', 0.333],
    ['100%', 1],
    ['100.0%', 1],
  ])('%s is the probability %d', (text, value) => {
    expect(parsePercent(text)).toEqual({ ok: true, value });
  });

  it.each(['', '%', '5', '100.01%', '-1%', '1 %', '1‰', '1e1%', '5%%'])(
    '%j is refused with a reason',
    (text) => {
      expect(parsePercent(text)).toMatchObject({
        ok: false,
        reason: expect.stringMatching(/^must be /) as string,
      });
    },
  );

  it('are the nearest number to what was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), (parts) => {
        const text = `${String(Math.floor(parts / 10_000))}.${String(parts % 10_000).padStart(4, '0')}%`;
        expect(parsePercent(text)).toEqual({ ok: true, value: parts / 1_000_000 });
      }),
    );
  });
});

describe('any text', () => {
  it.each([parseDuration, parseRate, parsePercent])(
    'gives a finite value of at least 0 or a reason',
    (parse) => {
      const nearly = fc.tuple(
        fc.oneof(fc.double().map(String), fc.string()),
        fc.constantFrom('', 'ms', 's', 'mbit', '%', ' ', '\n'),
      );
      fc.assert(
        fc.property(
          fc.oneof(
            fc.string(),
            nearly.map((parts) => parts.join('')),
          ),
          (text) => {
            const read = parse(text);
            if (read.ok) expect(Number.isFinite(read.value) && read.value >= 0).toBe(true);
            else expect(read.reason).toMatch(/^must be /);
          },
        ),
      );
    },
  );
});
