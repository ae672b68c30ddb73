/** Which link-local address is tried: 169.254.1.0 to 169.254.254.255 (RFC 3927 §2.1). */

const LOWEST = 0xa9fe0100;
const COUNT = 254 * 256;

/** True for an address that can be tried. */
export function isCandidate(address: number): boolean {
  return address >= LOWEST && address < LOWEST + COUNT;
}

/** The address that follows from a hardware address of 6 bytes: the same on each start (FNV-1a over its bytes). */
export function addressFromMac(mac: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of mac) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return LOWEST + (hash % COUNT);
}

/** The address of a number in [0, 1). */
export function addressFromRandom(unit: number): number {
  return LOWEST + Math.floor(unit * COUNT);
}
