/**
 * Wall-clock times of the lab's clock as commands print them, in UTC: `Jan 01 00:00` or `Jan 01 00:00:03.250`.
 */
import { wallClock } from '../runtime/clock.ts';

const parts = new Intl.DateTimeFormat('en-US', {
  timeZone: 'UTC',
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
});

const days = new Intl.DateTimeFormat('en-US', {
  timeZone: 'UTC',
  weekday: 'short',
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** `Thu Jan  1 00:00:00 1970`, as ctime(3) has it: `time` is in ns of the lab's clock. */
export function ctimeText(time: number): string {
  const milliseconds = Number(wallClock(time) / 1_000_000n);
  const part = new Map(days.formatToParts(milliseconds).map(({ type, value }) => [type, value]));
  const get = (type: Intl.DateTimeFormatPartTypes): string => part.get(type) ?? '';
  const clock = `${get('hour')}:${get('minute')}:${get('second')}`;
  return `${get('weekday')} ${get('month')} ${get('day').padStart(2)} ${clock} ${get('year')}`;
}

/** Formats `time`, ns of the lab's clock. */
export function formatTime(time: number, precision: 'minutes' | 'milliseconds'): string {
  const milliseconds = Number(wallClock(time) / 1_000_000n);
  const part = new Map(parts.formatToParts(milliseconds).map(({ type, value }) => [type, value]));
  const get = (type: Intl.DateTimeFormatPartTypes): string => part.get(type) ?? '';
  const minutes = `${get('month')} ${get('day')} ${get('hour')}:${get('minute')}`;
  return precision === 'minutes' ? minutes : `${minutes}:${get('second')}.${get('fractionalSecond')}`;
}
