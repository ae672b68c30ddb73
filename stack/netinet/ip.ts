/**
 * The IPv4 header (RFC 791 §3.1): where its fields are, addresses as text and as numbers in host order.
 */
import { be32 } from '../memory/memory.ts';

export const IP_HEADER = 20;
export const IP_MAXPACKET = 65_535;
/** Offsets of the fields. */
export const IP_TOS_AT = 1;
export const IP_LENGTH = 2;
export const IP_ID = 4;
export const IP_OFF = 6;
export const IP_TTL_AT = 8;
export const IP_PROTO = 9;
export const IP_SUM = 10;
export const IP_SRC = 12;
export const IP_DST = 16;
/** Flags and offset word. */
export const IP_DF = 0x4000;
export const IP_MF = 0x2000;
export const IP_OFFMASK = 0x1fff;

/** The address at `p`, as an unsigned number. */
export function addressAt(p: number): number {
  return be32(p) >>> 0;
}

/** Dotted quad of an address. */
export function addressText(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The number of a dotted quad; undefined if it is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** True for 169.254/16 (RFC 3927): such packets stay on their link. */
export function isLinkLocal(address: number): boolean {
  return address >>> 16 === 0xa9fe;
}
