/**
 * The pseudo header that the checksums of TCP and UDP cover (RFC 9293, RFC 768).
 */
import { onesSum } from './printer.ts';
import type { View } from './view.ts';

/** Its sum, for `length` bytes of a protocol in an IPv4 packet. */
export function pseudoSum(ip: View, protocol: number, length: number): number {
  return onesSum(ip.bytes.subarray(12, 20), protocol + length);
}
