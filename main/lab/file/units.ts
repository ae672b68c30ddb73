/**
 * Quantities of a lab file: durations, bit rates and percentages, always written with their unit.
 *
 * Decimal prefixes follow the SI (1 kbit = 1000 bit), as tc(8) has them. Numbers are shifted as decimal digits, never
 * multiplied as floats, so that `0.1ms` is exactly 100000 ns.
 */

/** A quantity that was read, or the reason (a clause that follows the name of the value) why it was not. */
export type Quantity =
  { readonly ok: true; readonly value: number } | { readonly ok: false; readonly reason: string };

/** Powers of ten from each unit to the base unit (ns). */
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 0],
  ['us', 3],
  ['ms', 6],
  ['s', 9],
]);

/** Powers of ten from each unit to the base unit (bit/s). */
const RATE_UNITS: ReadonlyMap<string, number> = new Map([
  ['bit', 0],
  ['kbit', 3],
  ['mbit', 6],
  ['gbit', 9],
]);

/** One day: longer delays and time-outs are mistakes in a lab. */
const MAX_DURATION_NS = 86_400e9;

/** 1 Tbit/s: beyond it a frame would take less than the clock's nanosecond per few bytes. */
const MAX_RATE_BPS = 1e12;

/**
 * Reads a duration such as `1ms`, `0.1ms`, `10us`, `2s`.
 * @returns nanoseconds, a whole number from 0 to one day
 */
export function parseDuration(text: string): Quantity {
  const read = readQuantity(text, DURATION_UNITS, 'a duration such as 1ms (units: ns, us, ms, s)');
  if (!read.ok) return read;
  if (read.value > MAX_DURATION_NS) return refuse(`must be at most one day (86400s), not ${text}`);
  if (!Number.isInteger(read.value))
    return refuse(`must be a whole number of nanoseconds; ${text} is finer than 1ns`);
  return read;
}

/**
 * Reads a bit rate such as `64kbit`, `100mbit`, `1gbit` (bits per second, decimal prefixes, case does not matter).
 * @returns bits per second, greater than 0
 */
export function parseRate(text: string): Quantity {
  const read = readQuantity(
    text.toLowerCase(),
    RATE_UNITS,
    'a rate such as 100mbit (units: bit, kbit, mbit, gbit)',
  );
  if (!read.ok) return read;
  if (read.value < 1)
    return refuse(`must be at least 1bit per second; leave it out for a link without a limit`);
  if (read.value > MAX_RATE_BPS) return refuse(`must be at most 1000gbit, not ${text}`);
  return read;
}

/**
 * Reads a percentage such as `0.1%`.
 * @returns a probability from 0 to 1
 */
export function parsePercent(text: string): Quantity {
  const match = /^(\d{1,17})(?:\.(\d{1,17}))?(.*)$/s.exec(text);
  if (!match) return refuse(`must be a percentage such as 0.1%, not ${quote(text)}`);
  const [, whole = '', fraction = '', unit = ''] = match;
  if (unit === '') return refuse(`must be a percentage: ${text} has no %; write ${text}%`);
  if (unit !== '%') return refuse(`must be a percentage such as 0.1%, not ${quote(text)}`);
  const value = Number(`${whole}.${fraction}e-2`);
  if (value > 1) return refuse(`must be at most 100%, not ${text}`);
  return { ok: true, value };
}

/** Writes nanoseconds in the largest unit that needs no fraction: the inverse of {@link parseDuration}. */
export function formatDuration(nanoseconds: number): string {
  return formatQuantity(nanoseconds, DURATION_UNITS);
}

/** Writes bits per second in the largest unit that needs no fraction: the inverse of {@link parseRate}. */
export function formatRate(bitsPerSecond: number): string {
  return formatQuantity(bitsPerSecond, RATE_UNITS);
}

function readQuantity(text: string, units: ReadonlyMap<string, number>, wanted: string): Quantity {
  const match = /^(\d{1,17})(?:\.(\d{1,17}))?(.*)$/s.exec(text);
  if (!match) return refuse(`must be ${wanted}, not ${quote(text)}`);
  const [, whole = '', fraction = '', unit = ''] = match;
  if (unit === '') return refuse(`must be ${wanted}; ${text} has no unit`);
  const exponent = units.get(unit);
  if (exponent === undefined) return refuse(`must be ${wanted}; ${quote(unit)} is not one of the units`);
  return { ok: true, value: Number(`${whole}.${fraction}e${String(exponent)}`) };
}

function formatQuantity(value: number, units: ReadonlyMap<string, number>): string {
  let written = '';
  for (const [unit, exponent] of units) {
    const scale = 10 ** exponent;
    if (written === '' || (value !== 0 && value % scale === 0)) written = `${String(value / scale)}${unit}`;
  }
  return written;
}

function refuse(reason: string): Quantity {
  return { ok: false, reason };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
