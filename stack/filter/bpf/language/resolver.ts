/** Where a filter's names come from: services and protocols from a built-in table unless somebody knows better, hosts and networks only from who knows them. */
import { usualPort, usualProtocol } from './services.ts';

/** An address that a host name stands for. */
export type HostAddress =
  | { readonly family: 4; readonly address: number }
  /** 16 bytes. */
  | { readonly family: 6; readonly address: Uint8Array };

export type Transport = 'tcp' | 'udp' | 'sctp';

/** Looks names up, as getservbyname(3) and its kin do; undefined for what is unknown. What is left out falls back to the table, or to nothing. */
export interface FilterResolver {
  readonly port?: (name: string, transport: 'tcp' | 'udp') => number | undefined;
  readonly protocol?: (name: string) => number | undefined;
  readonly hosts?: (name: string) => readonly HostAddress[] | undefined;
  /** A network number as in /etc/networks, its first byte not zero: 127 for loopback. */
  readonly network?: (name: string) => number | undefined;
  /** An Ethernet address, 6 bytes, as in /etc/ethers. */
  readonly etherHost?: (name: string) => Uint8Array | undefined;
}

export function resolvePort(
  resolver: FilterResolver,
  name: string,
  transport: 'tcp' | 'udp',
): number | undefined {
  return resolver.port === undefined ? usualPort(name, transport) : resolver.port(name, transport);
}

export function resolveProtocol(resolver: FilterResolver, name: string): number | undefined {
  return resolver.protocol === undefined ? usualProtocol(name) : resolver.protocol(name);
}
