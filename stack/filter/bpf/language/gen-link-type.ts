/** "What follows the link-layer header is this protocol", for each link type. Protocols are Ethernet types; LLC service access points where those are the protocol. */
import {
  AF_INET,
  AF_INET6,
  ETHERTYPE_AARP,
  ETHERTYPE_ATALK,
  ETHERTYPE_DECNET,
  ETHERTYPE_IP,
  ETHERTYPE_IPV6,
  ETHERTYPE_IPX,
  ETHERTYPE_NS,
  ETHER_MAX_LENGTH,
  LLCSAP_8021D,
  LLCSAP_IP,
  LLCSAP_IPX,
  LLCSAP_ISONS,
  LLCSAP_NETBEUI,
  LLCSAP_SNAP,
  LLC_UI,
  PPP_APPLE,
  PPP_BRIDGE,
  PPP_DECNET,
  PPP_IP,
  PPP_IPV6,
  PPP_IPX,
  PPP_NS,
  PPP_OSI,
} from './numbers.ts';
import { FilterFault } from './error.ts';
import { constant, equals, load, loadNetwork, masked } from './generation.ts';
import type { Generation } from './generation.ts';
import {
  DLT_EN10MB,
  DLT_IEEE802_11,
  DLT_IPV4,
  DLT_IPV6,
  DLT_LOOP,
  DLT_NULL,
  DLT_PFLOG,
  DLT_PPP,
  DLT_PPP_ETHER,
} from './link-state.ts';
import type { Place } from './link-state.ts';
import { ALWAYS, NEVER, and, greater, not, or } from './predicate.ts';
import type { Predicate } from './predicate.ts';

/** Whether the packet carries a protocol directly behind its link-layer header. */
export function linkTypeIs(g: Generation, protocol: number, column: number): Predicate {
  const { link } = g;
  if (link.labels > 0) return mplsCarries(g, protocol, column);
  switch (link.linkType) {
    case DLT_EN10MB:
      return ethernetCarries(g, protocol);
    case DLT_IEEE802_11:
      return and(isDataFrame(g), llcCarries(g, protocol));
    case DLT_NULL:
    case DLT_LOOP:
      return loopbackCarries(g, protocol);
    case DLT_PPP:
    case DLT_PPP_ETHER:
      return equals(g, load(g, typePlace(g), 0, 2), pppProtocol(protocol));
    case DLT_PFLOG:
      return familyIs(protocol, (family) => equals(g, load(g, link.header, 1, 1), family));
    case DLT_IPV4:
      return protocol === ETHERTYPE_IP ? ALWAYS : NEVER;
    case DLT_IPV6:
      return protocol === ETHERTYPE_IPV6 ? ALWAYS : NEVER;
    default:
      // RAW and SLIP: only the version of IP tells.
      return versionIs(g, protocol);
  }
}

/** The field that tells what follows; link types without one do not ask. */
export function typePlace({ link }: Generation): Place {
  if (link.type === undefined) throw new Error(`link type ${link.linkType} has no type field`);
  return link.type;
}

/** Whether an Ethernet frame has a length (IEEE 802.3) where others have a type. */
export function isLengthFrame(g: Generation): Predicate {
  return not(greater(load(g, typePlace(g), 0, 2), constant(g, ETHER_MAX_LENGTH)));
}

/** Whether an IEEE 802.11 frame is a data frame. */
export function isDataFrame(g: Generation): Predicate {
  return masked(g, load(g, g.link.header, 0, 1), 0x0c, 0x08);
}

function ethernetCarries(g: Generation, protocol: number): Predicate {
  const type = load(g, typePlace(g), 0, 2);
  const isType = equals(g, type, protocol);
  const { payload } = g.link;
  switch (protocol) {
    case LLCSAP_ISONS:
    case LLCSAP_IP:
    case LLCSAP_NETBEUI:
      return and(isLengthFrame(g), bothSaps(g, protocol));
    case LLCSAP_IPX: {
      // The four framings of IPX: Ethernet II, IEEE 802.2, Novell's raw 802.3, SNAP.
      const llc = equals(g, load(g, payload, 0, 1), LLCSAP_IPX);
      const raw = equals(g, load(g, payload, 0, 2), 0xffff);
      const inLength = and(isLengthFrame(g), or(snapCarries(g, 0, ETHERTYPE_IPX), llc, raw));
      return or(equals(g, type, ETHERTYPE_IPX), inLength);
    }
    case ETHERTYPE_ATALK:
    case ETHERTYPE_AARP: {
      const organization = protocol === ETHERTYPE_ATALK ? 0x080007 : 0;
      const snap = and(isLengthFrame(g), snapCarries(g, organization, protocol));
      return or(isType, snap);
    }
    default:
      if (protocol > ETHER_MAX_LENGTH) return isType;
      return and(isLengthFrame(g), equals(g, load(g, typePlace(g), 2, 1), protocol));
  }
}

function bothSaps(g: Generation, sap: number): Predicate {
  return equals(g, load(g, g.link.payload, 0, 2), sap * 256 + sap);
}

/** SNAP (IEEE 802.2, RFC 1042) with an organization and its type: the type is looked at first. */
function snapCarries(g: Generation, organization: number, type: number): Predicate {
  const { payload } = g.link;
  const head = (LLCSAP_SNAP * 2 ** 24 + LLCSAP_SNAP * 2 ** 16 + LLC_UI * 256 + (organization >> 16)) >>> 0;
  const tail = ((organization & 0xffff) * 0x10000 + type) >>> 0;
  return and(equals(g, load(g, payload, 4, 4), tail), equals(g, load(g, payload, 0, 4), head));
}

/** Frames of IEEE 802.11 carry everything behind LLC. */
function llcCarries(g: Generation, protocol: number): Predicate {
  const { payload } = g.link;
  switch (protocol) {
    case LLCSAP_IP:
    case LLCSAP_ISONS:
    case LLCSAP_NETBEUI:
      return bothSaps(g, protocol);
    case LLCSAP_IPX:
      return equals(g, load(g, payload, 0, 1), protocol);
    case ETHERTYPE_ATALK:
      return snapCarries(g, 0x080007, protocol);
    default:
      if (protocol <= ETHER_MAX_LENGTH) return equals(g, load(g, payload, 0, 1), protocol);
      return equals(g, load(g, typePlace(g), 0, 2), protocol);
  }
}

/** NULL has the address family in the byte order of the machine that captured, which is taken to be little-endian; LOOP in network order. */
function loopbackCarries(g: Generation, protocol: number): Predicate {
  const field = load(g, typePlace(g), 0, 4);
  const swapped = g.link.linkType === DLT_NULL;
  return familyIs(protocol, (family) => equals(g, field, swapped ? family * 2 ** 24 : family));
}

function familyIs(protocol: number, test: (family: number) => Predicate): Predicate {
  if (protocol === ETHERTYPE_IP) return test(AF_INET);
  return protocol === ETHERTYPE_IPV6 ? test(AF_INET6) : NEVER;
}

function versionIs(g: Generation, protocol: number): Predicate {
  const version = protocol === ETHERTYPE_IP ? 0x40 : protocol === ETHERTYPE_IPV6 ? 0x60 : undefined;
  return version === undefined ? NEVER : masked(g, loadNetwork(g, 0, 1), 0xf0, version);
}

function pppProtocol(protocol: number): number {
  switch (protocol) {
    case ETHERTYPE_IP:
      return PPP_IP;
    case ETHERTYPE_IPV6:
      return PPP_IPV6;
    case ETHERTYPE_DECNET:
      return PPP_DECNET;
    case ETHERTYPE_ATALK:
      return PPP_APPLE;
    case ETHERTYPE_NS:
      return PPP_NS;
    case LLCSAP_ISONS:
      return PPP_OSI;
    case LLCSAP_8021D:
      return PPP_BRIDGE;
    case LLCSAP_IPX:
      return PPP_IPX;
    default:
      return protocol;
  }
}

/** Labels of MPLS say nothing of what follows the last one: the version of IP tells. */
function mplsCarries(g: Generation, protocol: number, column: number): Predicate {
  if (protocol !== ETHERTYPE_IP && protocol !== ETHERTYPE_IPV6)
    throw new FilterFault('unsupported protocol over mpls', column, 'IPv4 or IPv6');
  const bottomOfStack = masked(g, loadNetwork(g, -2, 1), 0x01, 0x01);
  return and(bottomOfStack, versionIs(g, protocol));
}
