/** Identifiers with their qualifiers: which of hosts, networks, ports, protocols and link-layer addresses they ask for. */
import {
  ipv6Mask,
  ipv6Words,
  leftAligned,
  parseDecnet,
  parseIpv4Beginning,
  parseIpv6,
  parseMac,
  prefixMask,
} from './addresses.ts';
import type { Ipv4Beginning } from './addresses.ts';
import { FilterFault } from './error.ts';
import type { Generation } from './generation.ts';
import { invalidQualifier, isDecnetHost, isIpv4Host, isIpv6Host } from './gen-host.ts';
import { isMac } from './gen-mac.ts';
import { hasPort, namedPort, namedRange, numberedPort } from './gen-port.ts';
import { carries, protocolNumber } from './gen-protocol.ts';
import { inProtocolChain } from './gen-protochain.ts';
import { DLT_EN10MB, DLT_IEEE802_11, linkTypeTitle } from './link-state.ts';
import { and, not, or } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { HostAddress } from './resolver.ts';
import type { Identifier, Qualifiers } from './syntax.ts';

const ALL_ONES = 0xffffffff;
const WHOLE_IPV6 = 128;

/** The test of an identifier that stands at `column`. */
export function isIdentified(
  g: Generation,
  identifier: Identifier,
  qualifiers: Qualifiers | undefined,
  column: number,
): Predicate {
  if (qualifiers === undefined)
    throw new FilterFault(
      'syntax error: there are no qualifiers before this that it could take over',
      column,
      "a qualifier such as 'host' or 'port' before it",
    );
  switch (identifier.kind) {
    case 'number':
      return isNumber(g, identifier.value, qualifiers, column);
    case 'dotted':
      return isDotted(g, identifier.text, qualifiers, column);
    case 'prefix':
    case 'masked':
      return isIpv4Network(g, identifier, qualifiers, column);
    case 'ipv6':
      return isIpv6(g, identifier.text, identifier.length, qualifiers, column);
    case 'mac':
      return isMacIdentifier(g, identifier.text, qualifiers, column);
    case 'arcnet':
      throw new FilterFault(`'link host $XX' not supported on ${linkTypeTitle(g.link.linkType)}`, column);
    case 'name':
      return isName(g, identifier.text, qualifiers, column);
  }
}

/** What stands behind `net` and `host` in messages. */
function title({ type }: Qualifiers, family: 'IPv4' | 'IPv6', what: 'address' | 'prefix'): string {
  return `${type === 'net' ? 'net' : 'host'} <${family} ${what}>`;
}

function isNumber(g: Generation, value: number, qualifiers: Qualifiers, column: number): Predicate {
  const { type, protocol } = qualifiers;
  switch (type) {
    case 'port':
    case 'portrange':
      return hasPort(g, numberedPort(value, qualifiers, column), qualifiers);
    case 'proto':
      return carries(g, value, protocol, column);
    case 'protochain':
      return inProtocolChain(g, value, protocol, column);
    case 'gateway':
      throw invalidQualifier('gateway', String(value), column);
    case 'net':
      return isIpv4Numbers(g, promoted(value), qualifiers, String(value), column);
    default:
      return isIpv4Numbers(g, { value, mask: ALL_ONES }, qualifiers, String(value), column);
  }
}

/** A network written as a number alone begins with its first byte that is not zero. */
function promoted(number: number): { readonly value: number; readonly mask: number } {
  let value = number;
  let mask = ALL_ONES;
  while (value !== 0 && value <= 0x00ffffff) {
    value = value * 256;
    mask = (mask << 8) >>> 0;
  }
  return { value, mask };
}

function isIpv4Numbers(
  g: Generation,
  { value, mask }: { readonly value: number; readonly mask: number },
  qualifiers: Qualifiers,
  text: string,
  column: number,
): Predicate {
  if (qualifiers.protocol === 'link') throw illegalLinkAddress(text, column);
  if (qualifiers.protocol === 'decnet') {
    if (qualifiers.type === 'net') throw invalidQualifier('decnet', 'net', qualifiers.column);
    return isDecnetHost(g, value & 0xffff, qualifiers);
  }
  return isIpv4Host(g, value, mask, qualifiers, title(qualifiers, 'IPv4', 'address'));
}

function illegalLinkAddress(text: string, column: number): FilterFault {
  return new FilterFault(
    `illegal link-layer address '${text}'`,
    column,
    'an address such as 00:0c:29:3a:b1:07',
  );
}

/** Refuses what asks for ports and protocols but was given an address. */
function refuseAddress({ type }: Qualifiers, what: string, text: string, column: number): void {
  if (type === 'gateway') throw invalidQualifier('gateway', text, column);
  if (type === 'port' || type === 'portrange' || type === 'proto' || type === 'protochain')
    throw new FilterFault(`'${type}' qualifier applied to ${what}`, column);
}

function isDotted(g: Generation, text: string, qualifiers: Qualifiers, column: number): Predicate {
  refuseAddress(qualifiers, 'IPv4 address', text, column);
  if (qualifiers.protocol === 'decnet') {
    if (qualifiers.type === 'net') throw invalidQualifier('decnet', 'net', qualifiers.column);
    const address = parseDecnet(text);
    if (address === undefined)
      throw new FilterFault(`invalid DECnet address '${text}'`, column, 'area.node, up to 63.1023');
    return isDecnetHost(g, address, qualifiers);
  }
  const beginning = ipv4Beginning(text, column);
  const numbers = { value: leftAligned(beginning), mask: prefixMask(beginning.bits) };
  return isIpv4Numbers(g, numbers, qualifiers, text, column);
}

function ipv4Beginning(text: string, column: number): Ipv4Beginning {
  const beginning = parseIpv4Beginning(text);
  if (beginning === undefined)
    throw new FilterFault(`invalid IPv4 address '${text}'`, column, 'numbers up to 255');
  return beginning;
}

function isIpv4Network(
  g: Generation,
  identifier: Extract<Identifier, { kind: 'prefix' | 'masked' }>,
  qualifiers: Qualifiers,
  column: number,
): Predicate {
  const { text } = identifier;
  const written =
    identifier.kind === 'prefix' ? `${text}/${identifier.length}` : `${text} mask ${identifier.mask}`;
  const what = identifier.kind === 'prefix' ? 'prefix length' : 'netmask';
  refuseAddress(qualifiers, `IPv4 address and ${what}`, written, column);
  const address = leftAligned(ipv4Beginning(text, column));
  const mask =
    identifier.kind === 'prefix'
      ? prefixMask(checkedLength(identifier.length, column))
      : leftAligned(ipv4Beginning(identifier.mask, column));
  if ((address & ~mask) !== 0)
    throw new FilterFault(`non-network bits set in '${written}'`, column, 'zeros behind the mask');
  if (qualifiers.type !== 'net') throw invalidQualifier(qualifiers.type ?? 'host', written, column);
  if (qualifiers.protocol === 'link') throw illegalLinkAddress(written, column);
  if (qualifiers.protocol === 'decnet') throw invalidQualifier('decnet', 'net', qualifiers.column);
  return isIpv4Host(g, address, mask, qualifiers, title(qualifiers, 'IPv4', 'prefix'));
}

function checkedLength(length: number, column: number): number {
  if (length <= 32) return length;
  throw new FilterFault(`netmask length ${length} greater than maximum 32`, column, 'a length from 0 to 32');
}

function isIpv6(
  g: Generation,
  text: string,
  length: number | undefined,
  qualifiers: Qualifiers,
  column: number,
): Predicate {
  const written = length === undefined ? text : `${text}/${length}`;
  refuseAddress(
    qualifiers,
    length === undefined ? 'IPv6 address' : 'IPv6 address and prefix length',
    written,
    column,
  );
  const address = parseIpv6(text);
  if (address === undefined) throw new FilterFault(`invalid IPv6 address ${text}`, column);
  if (length !== undefined && length > WHOLE_IPV6)
    throw new FilterFault(`mask length must be <= ${WHOLE_IPV6}`, column, 'a length from 0 to 128');
  const mask = ipv6Mask(length ?? WHOLE_IPV6);
  if (address.some((word, index) => (word & ~(mask[index] ?? 0)) !== 0))
    throw new FilterFault(`non-network bits set in '${written}'`, column, 'zeros behind the prefix');
  if (qualifiers.type !== 'net' && length !== undefined && length !== WHOLE_IPV6)
    throw invalidQualifier(qualifiers.type ?? 'host', written, column);
  const what = qualifiers.type === 'net' ? 'prefix' : 'address';
  return isIpv6Host(g, address, mask, qualifiers, title(qualifiers, 'IPv6', what));
}

function isMacIdentifier(g: Generation, text: string, qualifiers: Qualifiers, column: number): Predicate {
  const { type, protocol } = qualifiers;
  if ((type !== undefined && type !== 'host') || protocol !== 'link')
    throw new FilterFault(
      'Ethernet address used in non-ether expression',
      column,
      "'ether' before the qualifier",
    );
  return isMac(g, parseMac(text), qualifiers);
}

function isName(g: Generation, name: string, qualifiers: Qualifiers, column: number): Predicate {
  const { type, protocol } = qualifiers;
  switch (type) {
    case 'port':
      return hasPort(g, namedPort(g, name, qualifiers, column), qualifiers);
    case 'portrange':
      return hasPort(g, namedRange(g, name, qualifiers, column), qualifiers);
    case 'proto':
      return carries(g, protocolNumber(g, name, protocol, type, column), protocol, column);
    case 'protochain':
      return inProtocolChain(g, protocolNumber(g, name, protocol, type, column), protocol, column);
    case 'net':
      return isNamedNetwork(g, name, qualifiers, column);
    case 'gateway':
      return isGateway(g, name, qualifiers, column);
    default:
      return isNamedHost(g, name, qualifiers, column);
  }
}

function isNamedNetwork(g: Generation, name: string, qualifiers: Qualifiers, column: number): Predicate {
  const number = g.resolver.network?.(name);
  if (number === undefined)
    throw new FilterFault(`unknown network '${name}'`, column, 'a network known by that name');
  return isIpv4Host(
    g,
    promoted(number).value,
    promoted(number).mask,
    qualifiers,
    title(qualifiers, 'IPv4', 'address'),
  );
}

function isNamedHost(g: Generation, name: string, qualifiers: Qualifiers, column: number): Predicate {
  if (qualifiers.protocol === 'link') return isMac(g, etherHost(g, name, column), qualifiers);
  if (qualifiers.protocol === 'decnet') throw new FilterFault(`invalid DECnet address '${name}'`, column);
  return hasAddress(g, hostAddresses(g, name, column), qualifiers, column);
}

function etherHost(g: Generation, name: string, column: number): Uint8Array {
  const { linkType } = g.link;
  if (linkType !== DLT_EN10MB && linkType !== DLT_IEEE802_11)
    throw new FilterFault(
      `'link host XX:XX:XX:XX:XX:XX' not supported on ${linkTypeTitle(linkType)}`,
      column,
    );
  const address = g.resolver.etherHost?.(name);
  if (address === undefined) throw new FilterFault(`unknown Ethernet-like host '${name}'`, column);
  return address;
}

function hostAddresses(g: Generation, name: string, column: number): readonly HostAddress[] {
  const addresses = g.resolver.hosts?.(name);
  if (addresses === undefined || addresses.length === 0)
    throw new FilterFault(`unknown host '${name}'`, column, 'an address, or a host known by that name');
  return addresses;
}

/** Whether the packet is of any of a host's addresses; those of another version than the protocol asks for are left out. */
function hasAddress(
  g: Generation,
  addresses: readonly HostAddress[],
  qualifiers: Qualifiers,
  column: number,
): Predicate {
  const { protocol } = qualifiers;
  const usable = addresses.filter(
    ({ family }) => protocol === undefined || (protocol === 'ip6') === (family === 6),
  );
  if (usable.length === 0) throw new FilterFault('the host has no address of that protocol', column);
  const tests = usable.map((host) =>
    host.family === 4
      ? isIpv4Host(g, host.address, ALL_ONES, qualifiers, title(qualifiers, 'IPv4', 'address'))
      : isIpv6Host(
          g,
          ipv6Words(host.address),
          ipv6Mask(WHOLE_IPV6),
          qualifiers,
          title(qualifiers, 'IPv6', 'address'),
        ),
  );
  return or(...tests);
}

/** A packet that a host passes on: it is the host's by its link-layer address, but not by its IPv4 addresses. */
function isGateway(g: Generation, name: string, qualifiers: Qualifiers, column: number): Predicate {
  const { protocol } = qualifiers;
  if (protocol !== undefined && !['ip', 'arp', 'rarp'].includes(protocol))
    throw invalidQualifier(protocol, 'gateway', qualifiers.column);
  const { linkType, labels, tunnel } = g.link;
  if (labels > 0) throw new FilterFault("'gateway' cannot be used within MPLS", column);
  if (tunnel !== 'none') throw new FilterFault("'gateway' cannot be used within VXLAN or Geneve", column);
  if (linkType !== DLT_EN10MB && linkType !== DLT_IEEE802_11)
    throw new FilterFault(`'gateway' not supported on ${linkTypeTitle(linkType)}`, column);
  const mac = isMac(g, etherHost(g, name, column), { ...qualifiers, protocol: 'link' });
  const ipv4 = hostAddresses(g, name, column).filter(({ family }) => family === 4);
  return and(mac, not(hasAddress(g, ipv4, qualifiers, column)));
}
