/**
 * The times of packets as tcpdump's -t, -tt, -ttt, -tttt and -ttttt show them, in UTC.
 */

/** How often -t was given. */
export type TimeStyle = 0 | 1 | 2 | 3 | 4 | 5;

interface Stamp {
  readonly seconds: number;
  readonly microseconds: number;
}

const two = (value: number): string => String(value).padStart(2, '0');

function clockText({ seconds, microseconds }: Stamp): string {
  const day = seconds % 86_400;
  const hours = Math.floor(day / 3600);
  return `${two(hours)}:${two(Math.floor(day / 60) % 60)}:${two(day % 60)}.${String(microseconds).padStart(6, '0')}`;
}

function dateText({ seconds }: Stamp): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC' }).format(seconds * 1000);
}

function difference(stamp: Stamp, earlier: Stamp): string {
  const total = (stamp.seconds - earlier.seconds) * 1e6 + stamp.microseconds - earlier.microseconds;
  const size = Math.abs(total);
  const text = clockText({ seconds: Math.floor(size / 1e6), microseconds: size % 1e6 });
  return `${total < 0 ? '-' : ' '}${text}`;
}

/** Makes what stands in front of each line, packet by packet. */
export function packetTime(style: TimeStyle): (stamp: Stamp) => string {
  let first: Stamp | undefined;
  let before: Stamp | undefined;
  return (stamp) => {
    first ??= stamp;
    const since = style === 5 ? first : (before ?? stamp);
    before = stamp;
    switch (style) {
      case 0:
        return `${clockText(stamp)} `;
      case 1:
        return '';
      case 2:
        return `${stamp.seconds}.${String(stamp.microseconds).padStart(6, '0')} `;
      case 4:
        return `${dateText(stamp)} ${clockText(stamp)} `;
      default:
        return `${difference(stamp, since)} `;
    }
  };
}
