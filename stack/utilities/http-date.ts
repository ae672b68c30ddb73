/**
 * Dates as HTTP writes them (IMF-fixdate, RFC 9110 §5.6.7), from the lab's clock: the same on every run of a virtual lab.
 */
import { refreshNow, wallClock } from '../runtime/clock.ts';

const DAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY_SECONDS = 86_400;
/** Days of 400 years of the Gregorian calendar, and from 1 March 0000 to 1 January 1970. */
const ERA_DAYS = 146_097;
const EPOCH_OFFSET = 719_468;

/** Year, month (1 to 12) and day of a day number since 1 January 1970; years are counted from March, so that leap days end them. */
function civilDate(days: number): { year: number; month: number; day: number } {
  const shifted = days + EPOCH_OFFSET;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `Thu, 01 Jan 2026 00:00:00 GMT` for seconds since 1970. */
export function imfFixdate(seconds: number): string {
  const days = Math.floor(seconds / DAY_SECONDS);
  const { year, month, day } = civilDate(days);
  const rest = seconds - days * DAY_SECONDS;
  const time = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(Math.floor(rest) % 60)}`;
  return `${DAYS[days % 7]!}, ${two(day)} ${MONTHS[month - 1]!} ${String(year).padStart(4, '0')} ${time} GMT`;
}

/** The lab's time as a Date header has it. */
export function httpDateNow(): string {
  return imfFixdate(Number(wallClock(refreshNow()) / 1_000_000_000n));
}
