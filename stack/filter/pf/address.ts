/**
 * Addresses of both families between text and bytes, as pf.conf(5) writes them: dotted quads, networks with octets left out (`10/8`), RFC 4291 text with
 * RFC 5952's canonical form, and the short forms of inet_aton(3).
 */
import type { PfFamily } from './ruleset.ts';

/** 4 or 16 bytes in network order. */
export type AddressBytes = readonly number[];

const QUAD = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
/** Octets that a network is written with at most. */
const OCTETS = 4;
const GROUPS = 8;

/** Bits of an address. */
export function addressBits(af: PfFamily): 32 | 128 {
  return af === 'inet' ? 32 : 128;
}

/** Bytes of four decimal octets, undefined if the text is not that. */
export function parseQuad(text: string): number[] | undefined {
  const octets = QUAD.exec(text)?.slice(1).map(Number);
  return octets?.every((octet) => octet <= 255) ? octets : undefined;
}

/**
 * A network with octets left out at the end: `10` is 10.0.0.0, in a network of at least as many bits as are written.
 *
 * @returns its bytes and the prefix length that the written octets imply, by class as inet_net_pton(3) has it.
 */
export function parseNetwork(text: string): { bytes: number[]; length: number } | undefined {
  const parts = text.split('.');
  if (parts.length > OCTETS || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255))
    return undefined;
  const bytes = parts.map(Number);
  const first = bytes[0] ?? 0;
  const byClass = first >= 240 ? 32 : first >= 224 ? 8 : first >= 192 ? 24 : first >= 128 ? 16 : 8;
  const length = Math.max(byClass, bytes.length * 8);
  while (bytes.length < OCTETS) bytes.push(0);
  return { bytes, length };
}

/** The forms of inet_aton(3): one to four numbers, the last filling what is left; decimal, 0 octal, 0x hexadecimal. */
export function parseAton(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length > OCTETS) return undefined;
  const numbers: number[] = [];
  for (const part of parts) {
    const number = parseCNumber(part);
    if (number === undefined) return undefined;
    numbers.push(number);
  }
  const last = numbers.pop() ?? 0;
  const rest = OCTETS - numbers.length;
  if (numbers.some((number) => number > 255) || last >= 256 ** rest) return undefined;
  for (let i = rest - 1; i >= 0; i--) numbers.push(Math.floor(last / 256 ** i) % 256);
  return numbers;
}

/** An unsigned number as strtoul(3) with base 0 reads it; undefined if the text is none or is beyond 64 bits. */
export function parseCNumber(text: string): number | undefined {
  let value: number;
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) value = Number.parseInt(text.slice(2), 16);
  else if (/^0[0-7]+$/.test(text)) value = Number.parseInt(text, 8);
  else if (/^(0|[1-9]\d*)$/.test(text)) value = Number(text);
  else return undefined;
  return value < 2 ** 64 ? value : undefined;
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const quad = index === parts.length - 1 ? parseQuad(part) : undefined;
    if (quad) groups.push(((quad[0] ?? 0) << 8) | (quad[1] ?? 0), ((quad[2] ?? 0) << 8) | (quad[3] ?? 0));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** Bytes of an IPv6 address without zone, undefined if the text is none. */
export function parseInet6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '');
  if (!head) return undefined;
  let groups = head;
  if (halves.length === 2) {
    const tail = parseGroups(halves[1] ?? '');
    if (!tail || head.length + tail.length >= GROUPS) return undefined;
    groups = [...head, ...new Array<number>(GROUPS - head.length - tail.length).fill(0), ...tail];
  }
  if (groups.length !== GROUPS) return undefined;
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

/** Bytes of an address of the family, undefined if the text is none. */
export function parseAddress(af: PfFamily, text: string): number[] | undefined {
  return af === 'inet' ? parseQuad(text) : parseInet6(text);
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
    if (end > start) start = end;
  }
  return best;
}

function formatInet6(bytes: AddressBytes): string {
  const groups: number[] = [];
  for (let i = 0; i < bytes.length; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  const zeros = longestZeros(groups);
  const embedded = zeros.start === 0 && (zeros.length === 6 || (zeros.length === 5 && groups[5] === 0xffff));
  const words = groups.map((group) => group.toString(16));
  if (embedded) words.splice(6, 2, bytes.slice(12).join('.'));
  if (zeros.start < 0) return words.join(':');
  const head = words.slice(0, zeros.start).join(':');
  return `${head}::${words.slice(zeros.start + zeros.length).join(':')}`;
}

/** Canonical text of 4 or 16 bytes. */
export function formatAddress(bytes: AddressBytes): string {
  return bytes.length === 4 ? bytes.join('.') : formatInet6(bytes);
}

/** The address with all bits behind the prefix cleared. */
export function maskAddress(bytes: AddressBytes, length: number): number[] {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, length - index * 8));
    return byte & (0xff00 >> kept) & 0xff;
  });
}

/** The canonical text of an address with all bits behind the prefix cleared. */
export function networkText(af: PfFamily, address: string, length: number): string {
  const bytes = parseAddress(af, address);
  return bytes ? formatAddress(maskAddress(bytes, length)) : address;
}
