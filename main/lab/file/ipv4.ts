/**
 * Host addresses with a prefix length (RFC 4632 notation) as `ports:` has them.
 */
import type { Quantity } from './units.ts';

/** An address in dotted form and its prefix length. */
export interface AddressWithPrefix {
  readonly ip: string;
  readonly prefixLength: number;
}

/**
 * Reads `10.0.9.254/24` as the address of one host.
 * @returns the parts, or why a host cannot have this address
 */
export function parseHostAddress(
  text: string,
): { readonly ok: true; readonly value: AddressWithPrefix } | Extract<Quantity, { ok: false }> {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text);
  if (match?.[1] === undefined)
    return { ok: false, reason: 'must be an address and prefix length such as 10.0.9.254/24' };
  const octets = match[1].split('.').map(Number);
  const prefixLength = Number(match[2]);
  const big = octets.find((octet) => octet > 255);
  if (big !== undefined)
    return { ok: false, reason: `has ${String(big)} in the address; its parts go from 0 to 255` };
  if (prefixLength < 1 || prefixLength > 32) {
    return { ok: false, reason: `has the prefix length ${String(prefixLength)}; it goes from 1 to 32` };
  }
  const reason = notAHost(octets, prefixLength);
  if (reason !== undefined) return { ok: false, reason: `${reason}; give the address of one host` };
  return { ok: true, value: { ip: octets.join('.'), prefixLength } };
}

function notAHost(octets: readonly number[], prefixLength: number): string | undefined {
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const first = octets[0] ?? 0;
  if (first === 0) return 'is in 0.0.0.0/8, which names no host';
  if (first === 127) return 'is a loopback address';
  if (first >= 224) return 'is a multicast or reserved address';
  if (prefixLength > 30) return undefined;
  const hosts = 2 ** (32 - prefixLength);
  if (address % hosts === 0) return 'is the address of the network itself';
  if (address % hosts === hosts - 1) return 'is the broadcast address of the network';
  return undefined;
}
