/**
 * What is known while the line of a packet is written: how the user wants it, the text so far, the names of hosts and services, the connections that were seen.
 */

/** What the options of tcpdump say of lines. */
export interface PrintStyle {
  /** -e: link headers. */
  readonly ether: boolean;
  /** -v, -vv, -vvv. */
  readonly verbose: number;
  /** -q: less about protocols. */
  readonly quiet: boolean;
  /** -S: sequence numbers as they are. */
  readonly absolute: boolean;
  /** -n: no names. */
  readonly numeric: boolean;
  /** Bytes are shown in another way, so those of unknown protocols are not shown again. */
  readonly ownBytes: boolean;
  /** Name of an IPv4 address (host order), undefined if it has none. */
  readonly host?: (address: number) => string | undefined;
  /** Name of a port. */
  readonly service?: (port: number) => string | undefined;
}

/** First sequence numbers of a TCP connection, of the end that comes first in order and of the other. */
export interface Conversation {
  sequence: number;
  acknowledgment: number;
}

export class Printer {
  readonly style: PrintStyle;
  /** TCP connections by their ends. */
  readonly conversations = new Map<string, Conversation>();
  /** Which protocol's header is being read. */
  protocol = '';
  #text = '';

  constructor(style: PrintStyle) {
    this.style = style;
  }

  print(text: string): void {
    this.#text += text;
  }

  /** The text since the last call. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  host(address: number): string {
    const name = this.style.numeric ? undefined : this.style.host?.(address);
    return name ?? [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
  }

  port(port: number): string {
    return (this.style.numeric ? undefined : this.style.service?.(port)) ?? String(port);
  }
}

/** The names of the bits that are set, in the order of the table. */
export function bitNames(
  table: readonly (readonly [number, string])[],
  bits: number,
  separator: string,
): string {
  const names = table.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? 'none' : names.join(separator);
}

/** A number in hexadecimal with leading zeros. */
export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** The ones-complement sum of 16-bit words (RFC 1071): 0xffff over what includes a right checksum. */
export function onesSum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** What a checksum should be, given the sum of everything with what it is. */
export function rightChecksum(found: number, sum: number): number {
  let rest = sum + (~found & 0xffff);
  while (rest > 0xffff) rest = (rest & 0xffff) + (rest >>> 16);
  return ~rest & 0xffff;
}
