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

/** Formats `time`, ns of the lab's clock. */
export function formatTime(time: number, precision: 'minutes' | 'milliseconds'): string {
  const milliseconds = Number(wallClock(time) / 1_000_000n);
  const part = new Map(parts.formatToParts(milliseconds).map(({ type, value }) => [type, value]));
  const get = (type: Intl.DateTimeFormatPartTypes): string => part.get(type) ?? '';
  const minutes = `${get('month')} ${get('day')} ${get('hour')}:${get('minute')}`;
  return precision === 'minutes' ? minutes : `${minutes}:${get('second')}.${get('fractionalSecond')}`;
}
