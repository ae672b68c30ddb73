/** Reads the addresses of a filter expression: IPv4 and its beginnings, IPv6 (RFC 4291 §2.2), Ethernet, DECnet. */

/** The beginning of an IPv4 address: so many of its highest bits. */
export interface Ipv4Beginning {
  /** The parts as one number, right-aligned as written. */
  readonly value: number;
  readonly bits: number;
}

/** Reads one to four numbers with dots between; undefined if one exceeds 255. */
export function parseIpv4Beginning(text: string): Ipv4Beginning | undefined {
  const parts = text.split('.').map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return { value: parts.reduce((value, part) => value * 256 + part, 0), bits: 8 * parts.length };
}

/** The address or mask that a beginning stands for, zeros following. */
export function leftAligned({ value, bits }: Ipv4Beginning): number {
  return value * 2 ** (32 - bits);
}

/** A mask of so many leading ones among 32. */
export function prefixMask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** Reads an IPv6 address into four words; undefined if a decimal part exceeds 255. The form was checked when it was cut out of the text. */
export function parseIpv6(text: string): readonly number[] | undefined {
  const [head = '', tail] = text.split('::');
  const before = groups(head);
  const after = groups(tail ?? '');
  if (before === undefined || after === undefined) return undefined;
  const gap = new Array<number>(8 - before.length - after.length).fill(0);
  return words([...before, ...gap, ...after]);
}

/** 16-bit groups of a list with colons between. */
function groups(list: string): number[] | undefined {
  if (list === '') return [];
  const result: number[] = [];
  for (const group of list.split(':')) {
    if (!group.includes('.')) {
      result.push(parseInt(group, 16));
      continue;
    }
    const address = parseIpv4Beginning(group);
    if (address?.bits !== 32) return undefined;
    result.push(address.value >>> 16, address.value & 0xffff);
  }
  return result;
}

/** 16-bit groups as 32-bit words. */
function words(values: readonly number[]): number[] {
  return [0, 2, 4, 6].map((index) => (values[index] ?? 0) * 0x10000 + (values[index + 1] ?? 0));
}

/** 16 bytes as 32-bit words. */
export function ipv6Words(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [0, 4, 8, 12].map((offset) => view.getUint32(offset));
}

/** A mask of so many leading ones among 128, as four words. */
export function ipv6Mask(length: number): number[] {
  return [0, 32, 64, 96].map((start) => prefixMask(Math.min(32, Math.max(0, length - start))));
}

/** Reads an Ethernet address in any of its written forms into 6 bytes. */
export function parseMac(text: string): Uint8Array {
  const parts = text.split(/[:.-]/);
  const digits = parts.length === 6 ? parts.map((part) => part.padStart(2, '0')).join('') : parts.join('');
  return Uint8Array.from({ length: 6 }, (_, index) => parseInt(digits.slice(2 * index, 2 * index + 2), 16));
}

/** Reads a DECnet address, `area.node`, into its 16 bits; undefined if a part is missing or too large (DECnet Phase IV: 6 and 10 bits). */
export function parseDecnet(text: string): number | undefined {
  const [area = NaN, node = NaN, ...more] = text.split('.').map(Number);
  if (more.length > 0 || !(area <= 63) || !(node <= 1023)) return undefined;
  return area * 1024 + node;
}
