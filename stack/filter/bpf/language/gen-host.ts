/** Hosts and networks by their IP addresses, those in ARP and RARP, and DECnet addresses. */
import { BPF_AND } from '../instruction.ts';
import { FilterFault } from './error.ts';
import { constant, equals, loadNetwork, masked } from './generation.ts';
import type { Generation } from './generation.ts';
import { linkTypeIs } from './gen-link-type.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_DECNET,
  ETHERTYPE_IP,
  ETHERTYPE_IPV6,
  ETHERTYPE_REVARP,
} from './numbers.ts';
import { NO_CONDITION, and, equal, or } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { Direction, Qualifiers } from './syntax.ts';

const WLAN_DIRECTIONS: readonly (Direction | undefined)[] = ['addr1', 'addr2', 'addr3', 'addr4', 'ra', 'ta'];

/**
 * Joins a test of the source and one of the destination as a direction word asks.
 *
 * @throws FilterFault for the words that only IEEE 802.11 has.
 */
export function directed(
  { direction, column }: Qualifiers,
  source: () => Predicate,
  destination: () => Predicate,
): Predicate {
  if (WLAN_DIRECTIONS.includes(direction)) throw wlanOnly(direction, column);
  if (direction === 'src') return source();
  if (direction === 'dst') return destination();
  return direction === 'and' ? and(source(), destination()) : or(source(), destination());
}

function wlanOnly(direction: Direction | undefined, column: number): FilterFault {
  return new FilterFault(`'${direction ?? ''}' is valid for 802.11 syntax only`, column, "'src' or 'dst'");
}

/** An IPv4 address under a mask; `written` says in messages what stood there. */
export function isIpv4Host(
  g: Generation,
  address: number,
  mask: number,
  qualifiers: Qualifiers,
  written: string,
): Predicate {
  const { column } = qualifiers;
  const within = (protocol: number, source: number, destination: number): Predicate => {
    const side = (offset: number) => (): Predicate => ipv4AddressIs(g, offset, address, mask);
    return and(linkTypeIs(g, protocol, column), directed(qualifiers, side(source), side(destination)));
  };
  switch (qualifiers.protocol) {
    case undefined: {
      const ip = within(ETHERTYPE_IP, 12, 16);
      if (g.link.labels > 0) return ip;
      return or(ip, within(ETHERTYPE_ARP, 14, 24), within(ETHERTYPE_REVARP, 14, 24));
    }
    case 'ip':
      return within(ETHERTYPE_IP, 12, 16);
    case 'arp':
      return within(ETHERTYPE_ARP, 14, 24);
    case 'rarp':
      return within(ETHERTYPE_REVARP, 14, 24);
    default:
      throw invalidQualifier(qualifiers.protocol, written, column);
  }
}

function ipv4AddressIs(g: Generation, offset: number, address: number, mask: number): Predicate {
  const value = g.values.alu(BPF_AND, loadNetwork(g, offset, 4), constant(g, mask));
  return equal(value, constant(g, address));
}

/** An IPv6 address under a mask, both as four words. */
export function isIpv6Host(
  g: Generation,
  address: readonly number[],
  mask: readonly number[],
  qualifiers: Qualifiers,
  written: string,
): Predicate {
  const { protocol, column } = qualifiers;
  if (protocol !== undefined && protocol !== 'ip6') throw invalidQualifier(protocol, written, column);
  const side = (start: number) => (): Predicate => {
    const words = address.map((word, index): Predicate => {
      const bits = mask[index] ?? 0;
      if (bits === 0) return NO_CONDITION;
      const value = g.values.alu(BPF_AND, loadNetwork(g, start + 4 * index, 4), constant(g, bits));
      return equal(value, constant(g, word));
    });
    return and(...words);
  };
  return and(linkTypeIs(g, ETHERTYPE_IPV6, column), directed(qualifiers, side(8), side(24)));
}

export function invalidQualifier(word: string, what: string, column: number): FilterFault {
  return new FilterFault(`'${word}' is not a valid qualifier for '${what}'`, column);
}

/**
 * A DECnet address, 16 bits. Headers of phase IV are long or short, and may be preceded by a padding byte; numbers are little-endian.
 */
export function isDecnetHost(g: Generation, address: number, qualifiers: Qualifiers): Predicate {
  const swapped = ((address & 0xff) << 8) | (address >> 8);
  const source = (): Predicate => decnetAddressIs(g, swapped, 'src');
  const destination = (): Predicate => decnetAddressIs(g, swapped, 'dst');
  return and(linkTypeIs(g, ETHERTYPE_DECNET, qualifiers.column), directed(qualifiers, source, destination));
}

/** Flags of a routing header, and the padding byte that may come before it: how a long and a short header begin. */
const DECNET_LONG = 0x06;
const DECNET_SHORT = 0x02;
const DECNET_PADDING = 0x81;

function decnetAddressIs(g: Generation, address: number, side: 'src' | 'dst'): Predicate {
  const long = side === 'src' ? 17 : 9;
  const [short, paddedShort] = side === 'src' ? shortSource(g, address) : shortDestination(g, address);
  return or(
    short,
    paddedShort,
    and(masked(g, loadNetwork(g, 2, 1), 0x07, DECNET_LONG), equals(g, loadNetwork(g, long, 2), address)),
    and(paddedFlags(g, DECNET_LONG), equals(g, loadNetwork(g, long + 1, 2), address)),
  );
}

function paddedFlags(g: Generation, kind: number): Predicate {
  return masked(g, loadNetwork(g, 2, 2), 0xff07, DECNET_PADDING * 256 + kind);
}

function shortSource(g: Generation, address: number): [Predicate, Predicate] {
  return [
    and(masked(g, loadNetwork(g, 2, 1), 0x07, DECNET_SHORT), equals(g, loadNetwork(g, 5, 2), address)),
    and(paddedFlags(g, DECNET_SHORT), equals(g, loadNetwork(g, 6, 2), address)),
  ];
}

/** The destination follows the flags directly: one load reads both. */
function shortDestination(g: Generation, address: number): [Predicate, Predicate] {
  const word = loadNetwork(g, 2, 4);
  return [
    masked(g, word, 0x07ffff00, DECNET_SHORT * 2 ** 24 + address * 256),
    masked(g, word, 0xff07ffff, (DECNET_PADDING * 256 + DECNET_SHORT) * 0x10000 + address),
  ];
}
