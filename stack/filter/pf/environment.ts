/**
 * What a pf.conf is read against: the interfaces, names and numbers of the machine that will use it. pfctl fills it from its node, the command line from a
 * lab file, tests from tables. Nothing here is asked for later: what a rule says of `em0` is what em0 was when the file was read, unless it says `(em0)`.
 */
import type { PfFamily } from './ruleset.ts';

export interface PfInterfaceAddress {
  readonly af: PfFamily;
  /** Canonical text. */
  readonly address: string;
  /** Prefix length of its network. */
  readonly length: number;
  readonly broadcast?: string;
  /** The other end, of a point-to-point interface. */
  readonly peer?: string;
}

export interface PfInterface {
  readonly name: string;
  readonly groups?: readonly string[];
  readonly loopback?: true;
  readonly addresses: readonly PfInterfaceAddress[];
  /** Bit/s; absent: it does not know its bandwidth. */
  readonly bandwidth?: number;
  /** Bytes; default 1500. */
  readonly mtu?: number;
}

export interface PfHostAddress {
  readonly af: PfFamily;
  readonly address: string;
}

export interface PfEnvironment {
  readonly interfaces: readonly PfInterface[];
  /** Port of a service, with TCP if it has one there, else with UDP. */
  servicePort(name: string): number | undefined;
  serviceName(port: number, protocol: 'tcp' | 'udp'): string | undefined;
  protocolNumber(name: string): number | undefined;
  protocolName(number: number): string | undefined;
  userId(name: string): number | undefined;
  groupId(name: string): number | undefined;
  /** Addresses of a host by its name; none if it is unknown. */
  hostAddresses(name: string): readonly PfHostAddress[];
  /** Whether `fe80::1%em0` may name this interface. Default: every one of `interfaces`. */
  hasZone?(name: string): boolean;
  /** Name under which the fingerprints know an operating system, undefined if they do not. Default: all names are taken as given. */
  fingerprint?(name: string): string | undefined;
}
