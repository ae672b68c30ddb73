/** Link-layer addresses: of Ethernet, and the up to four of IEEE 802.11, whose meaning depends on the kind of frame and its way (IEEE 802.11 §9.3.2.1). */
import { BPF_AND } from '../instruction.ts';
import { FilterFault } from './error.ts';
import { anyBit, constant, equals, load, loadNetwork, masked, sameBytes } from './generation.ts';
import type { Generation } from './generation.ts';
import { directed } from './gen-host.ts';
import { linkTypeIs } from './gen-link-type.ts';
import { DLT_EN10MB, DLT_IEEE802_11, linkTypeTitle } from './link-state.ts';
import { ETHERTYPE_IP, ETHERTYPE_IPV6 } from './numbers.ts';
import { and, equal, greaterOrEqual, not, or } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { Qualifiers } from './syntax.ts';
import type { ProtocolWord } from './words.ts';

const BROADCAST = new Uint8Array(6).fill(0xff);

/** Addresses of an IEEE 802.11 header. */
const ADDRESS_1 = 4;
const ADDRESS_2 = 10;
const ADDRESS_3 = 16;
const ADDRESS_4 = 24;

/** Whether the packet has a link-layer address, 6 bytes, in the direction asked for. */
export function isMac(g: Generation, address: Uint8Array, qualifiers: Qualifiers): Predicate {
  const { linkType } = g.link;
  if (linkType === DLT_EN10MB) {
    const side = (offset: number) => (): Predicate => sameBytes(g, g.link.header, offset, address);
    return withEthernetHeader(g, directed(qualifiers, side(6), side(0)));
  }
  if (linkType === DLT_IEEE802_11) return isWlanAddress(g, address, qualifiers);
  throw new FilterFault(
    `'link host XX:XX:XX:XX:XX:XX' not supported on ${linkTypeTitle(linkType)}`,
    qualifiers.column,
  );
}

/** In a tunnel that may carry packets without an Ethernet header, a test for which there must be one. */
function withEthernetHeader(g: Generation, test: Predicate): Predicate {
  const { link } = g;
  if (link.tunnel !== 'geneve' || link.header.base === undefined || link.payload.base === undefined)
    return test;
  return and(not(equal(link.payload.base, link.header.base)), test);
}

function isWlanAddress(g: Generation, address: Uint8Array, qualifiers: Qualifiers): Predicate {
  const is = (offset: number): Predicate => sameBytes(g, g.link.header, offset, address);
  switch (qualifiers.direction) {
    case 'addr1':
      return is(ADDRESS_1);
    case 'addr2':
      return and(not(hasOneAddress(g)), is(ADDRESS_2));
    case 'addr3':
      return and(not(isControlFrame(g)), is(ADDRESS_3));
    case 'addr4':
      return and(masked(g, load(g, g.link.header, 1, 1), 0x03, 0x03), is(ADDRESS_4));
    // libpcap finds receiver and transmitter in data frames only.
    case 'ra':
      return and(frameBit(g, 0x08), is(ADDRESS_1));
    case 'ta':
      return and(frameBit(g, 0x08), not(hasOneAddress(g)), is(ADDRESS_2));
    default:
      return directed(
        qualifiers,
        () => atWlanSource(g, is),
        () => atWlanDestination(g, is),
      );
  }
}

function frameBit(g: Generation, bit: number): Predicate {
  return anyBit(g, load(g, g.link.header, 0, 1), bit);
}

function isControlFrame(g: Generation): Predicate {
  return masked(g, load(g, g.link.header, 0, 1), 0x0c, 0x04);
}

/** Clear to send, and acknowledgment. */
function hasOneAddress(g: Generation): Predicate {
  const subtype = load(g, g.link.header, 0, 1);
  return and(isControlFrame(g), or(masked(g, subtype, 0xf0, 0xc0), masked(g, subtype, 0xf0, 0xd0)));
}

/** A test of the source address where a frame has it; control frames have none. */
function atWlanSource(g: Generation, test: (offset: number) => Predicate): Predicate {
  const flags = load(g, g.link.header, 1, 1);
  const toDs = anyBit(g, flags, 0x01);
  const fromDs = anyBit(g, flags, 0x02);
  const inData = or(
    and(fromDs, or(and(toDs, test(ADDRESS_4)), and(not(toDs), test(ADDRESS_3)))),
    and(not(fromDs), test(ADDRESS_2)),
  );
  return inWlanFrame(g, inData, test(ADDRESS_2));
}

/** A test of the destination address where a frame has it. */
function atWlanDestination(g: Generation, test: (offset: number) => Predicate): Predicate {
  const toDs = anyBit(g, load(g, g.link.header, 1, 1), 0x01);
  const inData = or(and(toDs, test(ADDRESS_3)), and(not(toDs), test(ADDRESS_1)));
  return inWlanFrame(g, inData, test(ADDRESS_1));
}

function inWlanFrame(g: Generation, inData: Predicate, inManagement: Predicate): Predicate {
  const data = frameBit(g, 0x08);
  return and(not(frameBit(g, 0x04)), or(and(data, inData), and(not(data), inManagement)));
}

/** `broadcast`: of the link layer, or of IPv4 in either form, all zeros and all ones. */
export function isBroadcast(g: Generation, protocol: ProtocolWord | undefined, column: number): Predicate {
  if (protocol === 'ip') return isIpBroadcast(g, column);
  if (protocol !== undefined && protocol !== 'link')
    throw new FilterFault('only link-layer/IP broadcast filters supported', column, "'ether' or 'ip'");
  const { linkType } = g.link;
  if (linkType !== DLT_EN10MB && linkType !== DLT_IEEE802_11)
    throw new FilterFault(`'broadcast' not supported on ${linkTypeTitle(linkType)}`, column);
  return isMac(g, BROADCAST, { protocol: 'link', direction: 'dst', type: undefined, column });
}

function isIpBroadcast(g: Generation, column: number): Predicate {
  if (g.netmask === undefined)
    throw new FilterFault("netmask not known, so 'ip broadcast' not supported", column);
  const hostMask = ~g.netmask >>> 0;
  const destination = g.values.alu(BPF_AND, loadNetwork(g, 16, 4), constant(g, hostMask));
  return and(
    linkTypeIs(g, ETHERTYPE_IP, column),
    or(equal(destination, constant(g, 0)), equal(destination, constant(g, hostMask))),
  );
}

/** `multicast`: of the link layer, IPv4 (224.0.0.0 and above, broadcast included) or IPv6. */
export function isMulticast(g: Generation, protocol: ProtocolWord | undefined, column: number): Predicate {
  switch (protocol) {
    case undefined:
    case 'link':
      return isLinkMulticast(g, column);
    case 'ip':
      return and(
        linkTypeIs(g, ETHERTYPE_IP, column),
        greaterOrEqual(loadNetwork(g, 16, 1), constant(g, 224)),
      );
    case 'ip6':
      return and(linkTypeIs(g, ETHERTYPE_IPV6, column), equals(g, loadNetwork(g, 24, 1), 0xff));
    default:
      throw new FilterFault(
        'IP multicast filters supported only on ethernet, IP and IPv6',
        column,
        "'ether', 'ip' or 'ip6'",
      );
  }
}

function isLinkMulticast(g: Generation, column: number): Predicate {
  const { linkType } = g.link;
  const group = (offset: number): Predicate => anyBit(g, load(g, g.link.header, offset, 1), 0x01);
  if (linkType === DLT_EN10MB) return withEthernetHeader(g, group(0));
  if (linkType === DLT_IEEE802_11) return atWlanDestination(g, group);
  throw new FilterFault(`'multicast' not supported on ${linkTypeTitle(linkType)}`, column);
}
