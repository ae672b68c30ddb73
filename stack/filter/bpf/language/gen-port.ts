/** Ports of TCP, UDP and SCTP over IPv4 (first fragments only) and IPv6 (without extension headers). */
import { equals, ipv4TransportPlace, ipv6TransportPlace, load, loadNetwork, masked } from './generation.ts';
import type { Generation } from './generation.ts';
import { FilterFault } from './error.ts';
import { directed, invalidQualifier } from './gen-host.ts';
import { linkTypeIs } from './gen-link-type.ts';
import { atMost, ipProtocolIs } from './gen-protocol.ts';
import { isNumber, numberValue } from './lexer.ts';
import type { Place } from './link-state.ts';
import { ETHERTYPE_IP, ETHERTYPE_IPV6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from './numbers.ts';
import { and, greater, greaterOrEqual, not, or } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import { resolvePort } from './resolver.ts';
import type { Transport } from './resolver.ts';
import type { Qualifiers } from './syntax.ts';
import type { Value } from './value.ts';

/** Ports from `low` to `high`, over one transport protocol, or any of the three. */
export interface PortRange {
  readonly low: number;
  readonly high: number;
  readonly transport: Transport | undefined;
}

const TRANSPORTS: Readonly<Record<Transport, number>> = {
  tcp: IPPROTO_TCP,
  udp: IPPROTO_UDP,
  sctp: IPPROTO_SCTP,
};

const HIGHEST_PORT = 0xffff;

/** Whether the packet has one of these ports in the direction asked for. */
export function hasPort(
  g: Generation,
  { low, high, transport }: PortRange,
  qualifiers: Qualifiers,
): Predicate {
  const { column } = qualifiers;
  const protocols = transport === undefined ? Object.values(TRANSPORTS) : [TRANSPORTS[transport]];
  const within = (place: Place): Predicate => {
    const side = (offset: number) => (): Predicate => inRange(g, load(g, place, offset, 2), low, high);
    return directed(qualifiers, side(0), side(2));
  };
  // Each transport protocol by itself, so that what is known of it behind its test is not lost; what is equal in the end becomes one.
  const overIpv6 = and(
    linkTypeIs(g, ETHERTYPE_IPV6, column),
    or(
      ...protocols.map((protocol) =>
        and(equals(g, loadNetwork(g, 6, 1), protocol), within(ipv6TransportPlace(g))),
      ),
    ),
  );
  const overIpv4 = and(
    linkTypeIs(g, ETHERTYPE_IP, column),
    or(
      ...protocols.map((protocol) =>
        and(ipProtocolIs(g, protocol), isFirstFragment(g), within(ipv4TransportPlace(g))),
      ),
    ),
  );
  return or(overIpv6, overIpv4);
}

/** Whether an IPv4 packet holds the beginning of its datagram. */
export function isFirstFragment(g: Generation): Predicate {
  return masked(g, loadNetwork(g, 6, 2), 0x1fff, 0);
}

function inRange(g: Generation, port: Value, low: number, high: number): Predicate {
  if (low === high) return equals(g, port, low);
  return and(greaterOrEqual(port, g.values.constant(low)), not(greater(port, g.values.constant(high))));
}

/**
 * The transport protocol that qualifiers ask for, undefined for any.
 *
 * @throws FilterFault for protocols that have no ports, and directions that ports have not.
 */
export function portTransport(qualifiers: Qualifiers): Transport | undefined {
  const { protocol, direction, type = 'port', column } = qualifiers;
  if (protocol !== undefined && protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw invalidQualifier(protocol, type, column);
  if (direction !== undefined && !['src', 'dst', 'or', 'and'].includes(direction))
    throw invalidQualifier(direction, type, column);
  return protocol;
}

/** A port by its number. */
export function numberedPort(port: number, qualifiers: Qualifiers, column: number): PortRange {
  const transport = portTransport(qualifiers);
  atMost(port, HIGHEST_PORT, 'port number', column);
  return { low: port, high: port, transport };
}

/** A port by the name of its service: a service of one transport protocol asks for that protocol, too. */
export function namedPort(g: Generation, name: string, qualifiers: Qualifiers, column: number): PortRange {
  const wanted = portTransport(qualifiers);
  const { port, only } = lookUp(g, name, wanted, column);
  return { low: port, high: port, transport: agreed(name, wanted, only, column) };
}

/** `low-high` in either order, each a number or the name of a service without a hyphen. */
export function namedRange(g: Generation, text: string, qualifiers: Qualifiers, column: number): PortRange {
  const wanted = portTransport(qualifiers);
  const dash = text.indexOf('-');
  if (dash < 0)
    throw new FilterFault(`port range '${text}' contains no hyphen`, column, 'a range such as 20-25');
  const ends = [text.slice(0, dash), text.slice(dash + 1)].map((end) => rangeEnd(g, end, column));
  const ports = ends.map(({ port }) => port);
  const [first, second] = ends;
  // Services of different protocols ask for none.
  const only = first?.only === second?.only ? first?.only : undefined;
  const transport = agreed(text, wanted, only, column);
  return { low: Math.min(...ports), high: Math.max(...ports), transport };
}

/** A port, and the transport protocol that alone has it under its name. */
interface FoundPort {
  readonly port: number;
  readonly only: Transport | undefined;
}

function rangeEnd(g: Generation, text: string, column: number): FoundPort {
  if (!isNumber(text)) return lookUp(g, text, undefined, column);
  return { port: atMost(numberValue(text, column), HIGHEST_PORT, 'port number', column), only: undefined };
}

function lookUp(g: Generation, name: string, wanted: Transport | undefined, column: number): FoundPort {
  const tcp = resolvePort(g.resolver, name, 'tcp');
  const udp = resolvePort(g.resolver, name, 'udp');
  const port = (wanted === 'udp' ? (udp ?? tcp) : tcp) ?? udp;
  if (port === undefined)
    throw new FilterFault(`unknown port '${name}'`, column, 'a port number or the name of a service');
  if (tcp === udp) return { port, only: undefined };
  if (tcp !== undefined && udp !== undefined) return { port, only: wanted === 'udp' ? 'udp' : 'tcp' };
  return { port, only: tcp === undefined ? 'udp' : 'tcp' };
}

/** The transport protocol to look for: what qualifiers ask for must be what a service has. */
function agreed(
  name: string,
  wanted: Transport | undefined,
  only: Transport | undefined,
  column: number,
): Transport | undefined {
  if (only !== undefined && wanted !== undefined && wanted !== only)
    throw new FilterFault(`port '${name}' is ${only}`, column);
  return wanted ?? only;
}
