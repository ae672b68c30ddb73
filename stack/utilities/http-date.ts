/**
 * Dates as HTTP writes them (IMF-fixdate, RFC 9110 §5.6.7), from the lab's clock: the same on every run of a virtual lab.
 */
import { refreshNow, wallClock } from '../runtime/clock.ts';

const parts = new Intl.DateTimeFormat('en-US', {
  timeZone: 'UTC',
  weekday: 'short',
  year: 'numeric',
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** `Thu, 01 Jan 2026 00:00:00 GMT` for seconds since 1970. */
export function imfFixdate(seconds: number): string {
  const part = new Map(parts.formatToParts(seconds * 1000).map(({ type, value }) => [type, value]));
  const get = (type: Intl.DateTimeFormatPartTypes): string => part.get(type) ?? '';
  const date = `${get('weekday')}, ${get('day')} ${get('month')} ${get('year')}`;
  return `${date} ${get('hour')}:${get('minute')}:${get('second')} GMT`;
}

/** The lab's time as a Date header has it. */
export function httpDateNow(): string {
  return imfFixdate(Number(wallClock(refreshNow()) / 1_000_000_000n));
}
