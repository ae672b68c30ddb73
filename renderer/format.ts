/** How numbers and times are written in the window. */

const decimalSteps = [
  { limit: 1e12, unit: 'T' },
  { limit: 1e9, unit: 'G' },
  { limit: 1e6, unit: 'M' },
  { limit: 1e3, unit: 'k' },
] as const;

/** Three significant digits with a decimal prefix: `1.25 M`, `999 `, `0 `. */
function scaled(value: number, unit: string): string {
  const step = decimalSteps.find(({ limit }) => value >= limit * 0.9995);
  const number = step === undefined ? value : value / step.limit;
  const digits = number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  const text = step === undefined && Number.isInteger(number) ? String(number) : number.toFixed(digits);
  return `${text} ${step?.unit ?? ''}${unit}`;
}

/** Bits per second, as `1.25 Mbit/s`. */
export function formatBitRate(bitsPerSecond: number): string {
  return scaled(Math.round(bitsPerSecond), 'bit/s');
}

/** Packets per second, as `12 pkt/s`. */
export function formatPacketRate(packetsPerSecond: number): string {
  return scaled(
    packetsPerSecond < 10 ? Math.round(packetsPerSecond * 10) / 10 : Math.round(packetsPerSecond),
    'pkt/s',
  );
}

/** Bytes, as `1.50 MB` (decimal). */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 'B');
}

/** Whole numbers with thin spaces between thousands: `12 345`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** The lab's clock: nanoseconds to `0:07.3` or `1:02:03.4`. */
export function formatClock(nanoseconds: string): string {
  const tenths = BigInt(nanoseconds) / 100_000_000n;
  const seconds = tenths / 10n;
  const two = (value: bigint): string => String(value).padStart(2, '0');
  const hours = seconds / 3600n;
  const minutes = (seconds / 60n) % 60n;
  const head = hours > 0n ? `${hours}:${two(minutes)}` : String(minutes);
  return `${head}:${two(seconds % 60n)}.${tenths % 10n}`;
}

/** Seconds between two times in nanoseconds, with six decimals as packet lists show them. */
export function formatSecondsSince(nanoseconds: string, origin: string): string {
  const difference = BigInt(nanoseconds) - BigInt(origin);
  const sign = difference < 0n ? '-' : '';
  const microseconds = (difference < 0n ? -difference : difference) / 1000n;
  return `${sign}${microseconds / 1_000_000n}.${String(microseconds % 1_000_000n).padStart(6, '0')}`;
}
