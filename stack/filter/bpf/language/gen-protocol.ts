/** Protocols as primitives of their own (`tcp`, `arp`, `isis`) and by number (`ip proto 6`, `ether proto 0x88cc`, `isis proto 18`). */
import { FilterFault } from './error.ts';
import { equals, loadNetwork, loadNoSnap, masked } from './generation.ts';
import type { Generation } from './generation.ts';
import { linkTypeIs } from './gen-link-type.ts';
import { resolveProtocol } from './resolver.ts';
import {
  ETHERTYPE_AARP,
  ETHERTYPE_ARP,
  ETHERTYPE_ATALK,
  ETHERTYPE_DECNET,
  ETHERTYPE_IP,
  ETHERTYPE_IPV6,
  ETHERTYPE_LAT,
  ETHERTYPE_LLDP,
  ETHERTYPE_LOOPBACK,
  ETHERTYPE_MOPDL,
  ETHERTYPE_MOPRC,
  ETHERTYPE_REVARP,
  ETHERTYPE_SCA,
  ETHERTYPE_SLOW,
  ETHER_MAX_LENGTH,
  IPPROTO_AH,
  IPPROTO_CARP,
  IPPROTO_ESP,
  IPPROTO_FRAGMENT,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IGMP,
  IPPROTO_IGRP,
  IPPROTO_PIM,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_VRRP,
  ISIS_L1_CSNP,
  ISIS_L1_LAN_IIH,
  ISIS_L1_LSP,
  ISIS_L1_PSNP,
  ISIS_L2_CSNP,
  ISIS_L2_LAN_IIH,
  ISIS_L2_LSP,
  ISIS_L2_PSNP,
  ISIS_PTP_IIH,
  ISO_CLNP,
  ISO_ESIS,
  ISO_ISIS,
  LLCSAP_8021D,
  LLCSAP_IPX,
  LLCSAP_ISONS,
  LLCSAP_NETBEUI,
} from './numbers.ts';
import { and, or } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { ProtocolWord } from './words.ts';

/** Protocols that the link layer tells apart. */
export const LINK_PROTOCOLS: Readonly<Partial<Record<ProtocolWord, number>>> = {
  ip: ETHERTYPE_IP,
  arp: ETHERTYPE_ARP,
  rarp: ETHERTYPE_REVARP,
  atalk: ETHERTYPE_ATALK,
  aarp: ETHERTYPE_AARP,
  decnet: ETHERTYPE_DECNET,
  lat: ETHERTYPE_LAT,
  sca: ETHERTYPE_SCA,
  moprc: ETHERTYPE_MOPRC,
  mopdl: ETHERTYPE_MOPDL,
  ip6: ETHERTYPE_IPV6,
  iso: LLCSAP_ISONS,
  stp: LLCSAP_8021D,
  ipx: LLCSAP_IPX,
  netbeui: LLCSAP_NETBEUI,
};

/** Protocols over IP, and over which version of it they are looked for. */
const IP_PROTOCOLS: Readonly<
  Partial<Record<ProtocolWord, readonly [number: number, over: 'ip' | 'ip6' | undefined]>>
> = {
  sctp: [IPPROTO_SCTP, undefined],
  tcp: [IPPROTO_TCP, undefined],
  udp: [IPPROTO_UDP, undefined],
  icmp: [IPPROTO_ICMP, 'ip'],
  igmp: [IPPROTO_IGMP, 'ip'],
  igrp: [IPPROTO_IGRP, 'ip'],
  pim: [IPPROTO_PIM, undefined],
  vrrp: [IPPROTO_VRRP, 'ip'],
  carp: [IPPROTO_CARP, 'ip'],
  icmp6: [IPPROTO_ICMPV6, 'ip6'],
  ah: [IPPROTO_AH, undefined],
  esp: [IPPROTO_ESP, undefined],
};

const ISO_PROTOCOLS: Readonly<Partial<Record<string, number>>> = {
  clnp: ISO_CLNP,
  esis: ISO_ESIS,
  isis: ISO_ISIS,
};

/** PDU types of IS-IS that a word stands for, in the order in which they are looked for. */
const ISIS_TYPES: Readonly<Partial<Record<ProtocolWord, readonly number[]>>> = {
  l1: [ISIS_L1_PSNP, ISIS_L1_CSNP, ISIS_L1_LSP, ISIS_L1_LAN_IIH, ISIS_PTP_IIH],
  l2: [ISIS_L2_PSNP, ISIS_L2_CSNP, ISIS_L2_LSP, ISIS_L2_LAN_IIH, ISIS_PTP_IIH],
  iih: [ISIS_L1_LAN_IIH, ISIS_L2_LAN_IIH, ISIS_PTP_IIH],
  lsp: [ISIS_L1_LSP, ISIS_L2_LSP],
  snp: [ISIS_L1_CSNP, ISIS_L2_CSNP, ISIS_L1_PSNP, ISIS_L2_PSNP],
  csnp: [ISIS_L1_CSNP, ISIS_L2_CSNP],
  psnp: [ISIS_L1_PSNP, ISIS_L2_PSNP],
};

/** Names of what `ether proto` looks for. */
const ETHER_NAMES: Readonly<Record<string, number>> = {
  aarp: ETHERTYPE_AARP,
  arp: ETHERTYPE_ARP,
  atalk: ETHERTYPE_ATALK,
  decnet: ETHERTYPE_DECNET,
  ip: ETHERTYPE_IP,
  ip6: ETHERTYPE_IPV6,
  lat: ETHERTYPE_LAT,
  lldp: ETHERTYPE_LLDP,
  loopback: ETHERTYPE_LOOPBACK,
  mopdl: ETHERTYPE_MOPDL,
  moprc: ETHERTYPE_MOPRC,
  rarp: ETHERTYPE_REVARP,
  sca: ETHERTYPE_SCA,
  slow: ETHERTYPE_SLOW,
  iso: LLCSAP_ISONS,
  stp: LLCSAP_8021D,
  ipx: LLCSAP_IPX,
  netbeui: LLCSAP_NETBEUI,
};

/** A protocol word alone. */
export function isProtocol(g: Generation, protocol: ProtocolWord, column: number): Predicate {
  const link = LINK_PROTOCOLS[protocol];
  if (link !== undefined) return linkTypeIs(g, link, column);
  const ip = IP_PROTOCOLS[protocol];
  if (ip !== undefined) return carries(g, ip[0], ip[1], column);
  const iso = ISO_PROTOCOLS[protocol];
  if (iso !== undefined) return carries(g, iso, 'iso', column);
  const types = ISIS_TYPES[protocol];
  if (types !== undefined) return or(...types.map((type) => carries(g, type, 'isis', column)));
  if (protocol === 'link')
    throw new FilterFault(
      'link layer applied in wrong context',
      column,
      "a qualifier behind it, as in 'ether host'",
    );
  throw new FilterFault(`'${protocol}' is not a valid protocol type`, column);
}

/**
 * `proto` with a number.
 *
 * @throws FilterFault if the number is too large, or the protocol carries none that are told apart by numbers.
 */
export function carries(
  g: Generation,
  number: number,
  over: ProtocolWord | undefined,
  column: number,
): Predicate {
  switch (over) {
    case undefined:
      return or(carries(g, number, 'ip', column), carries(g, number, 'ip6', column));
    case 'link':
      return linkTypeIs(g, checkedLinkType(number, column), column);
    case 'ip':
      return and(
        linkTypeIs(g, ETHERTYPE_IP, column),
        ipProtocolIs(g, atMost(number, 255, 'protocol number', column)),
      );
    case 'ip6':
      return and(
        linkTypeIs(g, ETHERTYPE_IPV6, column),
        ipv6ProtocolIs(g, atMost(number, 255, 'protocol number', column)),
      );
    case 'iso':
      return and(
        linkTypeIs(g, LLCSAP_ISONS, column),
        equals(g, loadNoSnap(g, 0, 1), atMost(number, 255, 'ISO protocol', column)),
      );
    case 'isis':
      return and(
        carries(g, ISO_ISIS, 'iso', column),
        masked(g, loadNoSnap(g, 4, 1), 0x1f, atMost(number, 31, 'IS-IS PDU type', column)),
      );
    default:
      throw new FilterFault(
        `'${over}' is not a valid qualifier for 'proto'`,
        column,
        "'ip', 'ip6', 'ether', 'iso' or 'isis'",
      );
  }
}

function checkedLinkType(number: number, column: number): number {
  if (number > ETHER_MAX_LENGTH) return atMost(number, 0xffff, 'EtherType', column);
  return atMost(number, 255, 'LLC DSAP', column);
}

/**
 * A number within its range.
 *
 * @throws FilterFault that names both.
 */
export function atMost(number: number, maximum: number, what: string, column: number): number {
  if (number <= maximum) return number;
  throw new FilterFault(
    `${what} ${number} greater than maximum ${maximum}`,
    column,
    `a number from 0 to ${maximum}`,
  );
}

/** The protocol field of an IPv4 header. */
export function ipProtocolIs(g: Generation, protocol: number): Predicate {
  return equals(g, loadNetwork(g, 9, 1), protocol);
}

/** The next-header field of IPv6, also behind one fragment header. */
function ipv6ProtocolIs(g: Generation, protocol: number): Predicate {
  const next = loadNetwork(g, 6, 1);
  const behindFragment = and(equals(g, next, IPPROTO_FRAGMENT), equals(g, loadNetwork(g, 40, 1), protocol));
  return or(equals(g, next, protocol), behindFragment);
}

/**
 * The number of a protocol's name behind `proto` or `protochain`.
 *
 * @throws FilterFault if it is unknown.
 */
export function protocolNumber(
  g: Generation,
  name: string,
  over: ProtocolWord | undefined,
  type: 'proto' | 'protochain',
  column: number,
): number {
  const number = namedProtocol(g, name, over);
  if (number !== undefined) return number;
  const title = over === undefined ? type : `${over} ${type}`;
  throw new FilterFault(`unknown '${title}' value '${name}'`, column, 'the number or name of a protocol');
}

function namedProtocol(g: Generation, name: string, over: ProtocolWord | undefined): number | undefined {
  switch (over) {
    case undefined:
    case 'ip':
    case 'ip6':
      return resolveProtocol(g.resolver, name);
    case 'link':
      return Object.hasOwn(ETHER_NAMES, name) ? ETHER_NAMES[name] : undefined;
    case 'iso':
      return Object.hasOwn(ISO_PROTOCOLS, name) ? ISO_PROTOCOLS[name] : undefined;
    default:
      return undefined;
  }
}
