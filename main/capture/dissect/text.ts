/** How addresses and bytes are written in text: dotted quad, RFC 5952, colon-separated hex. */

/** IPv4 address at an offset, `192.0.2.1`. Bytes past the end read as 0. */
export function formatIPv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at] ?? 0}.${bytes[at + 1] ?? 0}.${bytes[at + 2] ?? 0}.${bytes[at + 3] ?? 0}`;
}

/** IPv6 address at an offset in the canonical form of RFC 5952. */
export function formatIPv6(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[at + i] ?? 0) << 8) | (bytes[at + i + 1] ?? 0));
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `::ffff:${formatIPv4(bytes, at + 12)}`;
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  });
  return best;
}

/** Hexadecimal digits of some bytes with a separator between them. */
export function formatHex(bytes: Uint8Array, at: number, length: number, separator = ''): string {
  const slice = bytes.subarray(at, at + length);
  return Array.from(slice, (byte) => byte.toString(16).padStart(2, '0')).join(separator);
}

/** Ethernet address at an offset, `02:00:00:00:00:01`. */
export function formatMac(bytes: Uint8Array, at: number): string {
  return formatHex(bytes, at, 6, ':');
}

/** `0x` and at least `digits` hexadecimal digits. */
export function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/**
 * Text from the wire made safe to show: each byte is taken as one character and everything but printable ASCII is
 * written as `\xNN`, so that a packet cannot send control sequences to a terminal.
 */
export function printable(bytes: Uint8Array, start: number, end: number, limit = 256): string {
  const stop = Math.min(end, bytes.length, start + limit);
  let text = '';
  for (let at = start; at < stop; at++) {
    const byte = bytes[at] ?? 0;
    text +=
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return stop < end ? `${text}…` : text;
}
