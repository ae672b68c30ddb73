/**
 * IPv4 addresses as text and as numbers, after inet(3): 10.0.0.1 is 0x0a000001. Numbers are unsigned, in host order.
 */

export const INADDR_ANY = 0;
export const INADDR_LOOPBACK = 0x7f000001;
export const INADDR_BROADCAST = 0xffffffff;

/** inet_ntoa(3): dotted quad of an address (signed or unsigned). */
export function inetNtoa(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** Address of a dotted quad such as 10.0.0.1, undefined if it is none: four decimal parts from 0 to 255. */
export function inetAton(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/** Network mask of a prefix length from 0 to 32. */
export function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

/** Prefix length of a mask, undefined if its ones are not contiguous (RFC 4632 §3.1). */
export function prefixLengthOf(mask: number): number | undefined {
  const ones = Math.clz32(~mask);
  return maskOf(ones) === mask >>> 0 ? ones : undefined;
}

/** Mask of an address's class (RFC 791 §3.2), what BSD commands take when none is given. */
export function classMask(address: number): number {
  const first = address >>> 24;
  if (first < 128) return maskOf(8);
  return first < 192 ? maskOf(16) : maskOf(24);
}

/** Whether an address is of class D, multicast (RFC 1112). */
export function isMulticast(address: number): boolean {
  return address >>> 28 === 0xe;
}
