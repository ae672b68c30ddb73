/**
 * Options of an IPv4 header (RFC 791 §3.1): whether their lengths make sense, and those that every fragment carries.
 */
import { u8 } from '../memory/memory.ts';
import { copyBytes } from '../memory/mbuf-chain.ts';
import { IP_HEADER } from './ip.ts';

const EOL = 0;
const NOP = 1;
/** Set in the type of an option that goes into all fragments. */
const COPIED = 0x80;

/** Length of the option at offset `at` of a header of `header` bytes; 0 if it says none that is possible. */
function optionLength(p: number, at: number, header: number): number {
  if (u8[p + at] === NOP) return 1;
  const length = at + 1 < header ? u8[p + at + 1]! : 0;
  return length >= 2 && at + length <= header ? length : 0;
}

/** Offset of the first option of the header at `p` whose length is wrong, 0 if all are right. */
export function badOption(p: number, header: number): number {
  for (let at = IP_HEADER; at < header && u8[p + at] !== EOL;) {
    const length = optionLength(p, at, header);
    if (length === 0) return at;
    at += length;
  }
  return 0;
}

/** Copies a header to `to` with those options only that every fragment carries; returns its length, a multiple of 4. */
export function copyHeader(from: number, header: number, to: number): number {
  copyBytes(to, from, IP_HEADER);
  let end = IP_HEADER;
  for (let at = IP_HEADER; at < header && u8[from + at] !== EOL;) {
    const length = optionLength(from, at, header);
    if (length === 0) break;
    if ((u8[from + at]! & COPIED) !== 0) {
      copyBytes(to + end, from + at, length);
      end += length;
    }
    at += length;
  }
  while ((end & 3) !== 0) u8[to + end++] = EOL;
  return end;
}
