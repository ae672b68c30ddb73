/** Capture times in text: ISO 8601 in UTC with nine decimals, and seconds with nine decimals. */
import { NANOSECONDS_PER_SECOND } from './packet.ts';

/** The largest time a JavaScript Date can hold, in seconds. */
const LAST_DATE_SECOND = 8_640_000_000_000n;

/**
 * @param time nanoseconds since the epoch.
 * @returns `2024-05-01T12:00:00.123456789Z`; times beyond the calendar's reach come as seconds since the epoch.
 */
export function isoTime(time: bigint): string {
  const fraction = ((time % NANOSECONDS_PER_SECOND) + NANOSECONDS_PER_SECOND) % NANOSECONDS_PER_SECOND;
  const seconds = (time - fraction) / NANOSECONDS_PER_SECOND;
  if (seconds > LAST_DATE_SECOND || seconds < -LAST_DATE_SECOND) return secondsText(time);
  const date = new Date(Number(seconds) * 1000).toISOString();
  return `${date.slice(0, date.indexOf('.'))}.${fraction.toString().padStart(9, '0')}Z`;
}

/** @returns a span in seconds, `-1.000000500`. */
export function secondsText(nanoseconds: bigint): string {
  const positive = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = (positive % NANOSECONDS_PER_SECOND).toString().padStart(9, '0');
  return `${nanoseconds < 0n ? '-' : ''}${positive / NANOSECONDS_PER_SECOND}.${fraction}`;
}
