/**
 * What a host in a rule stands for when the file is read: the addresses of an interface, an address or network, or the addresses that a name has
 * (pf.conf(5), `host` and the modifiers of interfaces). One host may become several, of both families.
 */
import {
  addressBits,
  formatAddress,
  maskAddress,
  parseAddress,
  parseAton,
  parseInet6,
  parseNetwork,
  parseQuad,
} from './address.ts';
import type { PfEnvironment, PfInterface, PfInterfaceAddress } from './environment.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import { splitModifiers } from './parse-match.ts';
import type { PfAddress, PfFamily, PfGeneration, PfInterfaceModifier } from './ruleset.ts';
import type { HostSyntax } from './syntax.ts';

export interface ResolvedHost {
  readonly address: PfAddress;
  /** Absent where the address fits both. */
  readonly af?: PfFamily;
  readonly not?: true;
  /** Interface that a link-local address belongs to. */
  readonly zone?: string;
}

/** Any host: what an end of a rule without hosts means. */
export const ANY_HOST: ResolvedHost = { address: { kind: 'any' } };

const SELF = 'self';

/** A network of the family; one of length 0 is any host of it. */
function network(af: PfFamily, bytes: readonly number[], length: number, zone?: string): ResolvedHost {
  const address: PfAddress =
    length === 0
      ? { kind: 'any' }
      : { kind: 'network', af, address: formatAddress(maskAddress(bytes, length)), length };
  return { af, address, ...(zone !== undefined && { zone }) };
}

export class HostResolver {
  readonly #environment: PfEnvironment;
  readonly #generation: PfGeneration;

  constructor(environment: PfEnvironment, generation: PfGeneration) {
    this.#environment = environment;
    this.#generation = generation;
  }

  /** At least one host; leaves the statement if there is none. */
  resolve(host: HostSyntax): ResolvedHost[] {
    const not = host.not ? ({ not: true } as const) : {};
    switch (host.kind) {
      case 'name':
        return this.#named(host.name, host.length, host).map((found) => ({ ...found, ...not }));
      case 'dynamic': {
        const { kind, modifiers, length } = host;
        const address: PfAddress = {
          kind,
          interface: host.interface,
          modifiers,
          ...(length !== undefined && length < 128 && { length }),
        };
        return [{ address, ...not }];
      }
      case 'table':
        return [{ address: { kind: 'table', name: host.name }, ...not }];
      case 'route-label':
        return [{ address: { kind: 'route-label', label: host.label }, ...not }];
      default:
        return [{ address: { kind: host.kind }, ...not }];
    }
  }

  resolveAll(hosts: readonly HostSyntax[]): ResolvedHost[] {
    return hosts.flatMap((host) => this.resolve(host));
  }

  /** A host of a file or of the command line: `!` may come before it, `/n` behind it. */
  resolveText(text: string, place: Place): ResolvedHost[] {
    const [, marks = '', name = '', length] = /^(!*)\s*([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    if (name === '' || Number(length ?? 0) > 128) refuse(place, `no IP address found for ${text}`);
    const found = this.#named(name, length === undefined ? undefined : Number(length), place);
    return marks.length % 2 ? found.map((host) => ({ ...host, not: true })) : found;
  }

  /** Addresses of an interface, or of a group of them; none if it has none. */
  ofInterface(name: string, modifiers: readonly PfInterfaceModifier[]): ResolvedHost[] {
    return this.#interfaces(name).flatMap((item) => this.#addressesOf(item, modifiers));
  }

  /** Whether a name is that of an interface; of a group of them it is not. */
  interfaceNamed(name: string): PfInterface | undefined {
    return this.#environment.interfaces.find((item) => item.name === name);
  }

  #named(name: string, length: number | undefined, place: Place): ResolvedHost[] {
    const found =
      this.#asInterface(name, length, place) ??
      this.#asInet(name, length) ??
      this.#asInet6(name, length) ??
      this.#asHost(name, length);
    const shown = length === undefined ? name : `${name}/${length}`;
    if (!found) return refuse(place, `no IP address found for ${shown}`);
    if (found.some(({ af }) => af === 'inet') && (length ?? 0) > 32) {
      refuse(place, `netmask ${length ?? 0} invalid for IPv4 address`);
    }
    return found;
  }

  #asInterface(text: string, length: number | undefined, place: Place): ResolvedHost[] | undefined {
    const { name, modifiers } = splitModifiers(text);
    if (!modifiers) return undefined;
    const modes = modifiers.filter((modifier) => modifier !== '0');
    const known = name === SELF || this.#interfaces(name).length > 0;
    if (!known) return undefined;
    if (modes.length > 1) refuse(place, 'illegal combination of interface modifiers');
    if (length !== undefined && modes.some((mode) => mode !== 'peer')) {
      refuse(place, 'network or broadcast lookup, but extra netmask given');
    }
    const found = this.ofInterface(name, modifiers);
    if (found.length === 0) return undefined;
    return length === undefined ? found : found.map((host) => withLength(host, length));
  }

  #interfaces(name: string): readonly PfInterface[] {
    const { interfaces } = this.#environment;
    if (name === SELF) return interfaces;
    const exact = interfaces.filter((item) => item.name === name);
    if (exact.length > 0) return exact;
    return interfaces.filter((item) => item.groups?.includes(name));
  }

  #addressesOf(item: PfInterface, modifiers: readonly PfInterfaceModifier[]): ResolvedHost[] {
    const hosts: ResolvedHost[] = [];
    const seen = new Set<PfFamily>();
    for (const own of item.addresses) {
      const host = interfaceHost(item, own, modifiers);
      if (!host || (modifiers.includes('0') && seen.has(own.af))) continue;
      seen.add(own.af);
      hosts.push(host);
    }
    return hosts;
  }

  #asInet(name: string, length: number | undefined): ResolvedHost[] | undefined {
    // 3.7 takes `10.1` for the network that it begins.
    if (length === undefined && this.#generation === '4.2') {
      const bytes = parseQuad(name);
      return bytes && [network('inet', bytes, 32)];
    }
    const parsed = parseNetwork(name);
    if (!parsed) return undefined;
    const bits = length ?? (parseQuad(name) ? 32 : parsed.length);
    return bits <= 32 ? [network('inet', parsed.bytes, bits)] : undefined;
  }

  #asInet6(name: string, length: number | undefined): ResolvedHost[] | undefined {
    const [text = '', zone, ...more] = name.split('%');
    const bytes = parseInet6(text);
    if (!bytes || more.length > 0) return undefined;
    if (zone !== undefined && !this.#hasZone(zone)) return undefined;
    return [network('inet6', bytes, length ?? 128, zone)];
  }

  #hasZone(zone: string): boolean {
    return this.#environment.hasZone?.(zone) ?? this.interfaceNamed(zone) !== undefined;
  }

  #asHost(text: string, length: number | undefined): ResolvedHost[] | undefined {
    const single = text.endsWith(':0');
    const name = single ? text.slice(0, -2) : text;
    const numeric = parseAton(name);
    if (numeric) return [network('inet', numeric, length ?? 32)];
    const found = this.#environment.hostAddresses(name).flatMap(({ af, address }) => {
      const bytes = parseAddress(af, address);
      return bytes ? [network(af, bytes, length ?? addressBits(af))] : [];
    });
    const kept = single
      ? found.filter(({ af }, index) => found.findIndex((host) => host.af === af) === index)
      : found;
    return kept.length > 0 ? kept : undefined;
  }
}

function withLength(host: ResolvedHost, length: number): ResolvedHost {
  if (host.address.kind !== 'network' || length > addressBits(host.address.af)) return host;
  const { af, address } = host.address;
  const bytes = parseAddress(af, address);
  return bytes ? network(af, bytes, length, host.zone) : host;
}

/** What one address of an interface is under the modifiers, undefined if they pass over it. */
function interfaceHost(
  item: PfInterface,
  own: PfInterfaceAddress,
  modifiers: readonly PfInterfaceModifier[],
): ResolvedHost | undefined {
  const zone = own.af === 'inet6' && /^fe[89ab]/.test(own.address) ? item.name : undefined;
  const wholeNetwork = modifiers.includes('network');
  if (wholeNetwork && zone !== undefined) return undefined;
  const text = modifiers.includes('broadcast')
    ? own.broadcast
    : modifiers.includes('peer')
      ? own.peer
      : own.address;
  const bytes = text === undefined ? undefined : parseAddress(own.af, text);
  if (!bytes) return undefined;
  return network(own.af, bytes, wholeNetwork ? own.length : addressBits(own.af), zone);
}

/**
 * The family of a list of hosts, undefined if they differ. In 3.7 hosts of either family, as tables are, go with the others; in 4.2 they make the list one of
 * either.
 */
export function commonFamily(hosts: readonly ResolvedHost[], generation: PfGeneration): PfFamily | undefined {
  const counting = generation === '3.7' ? hosts.filter(({ af }) => af !== undefined) : hosts;
  const families = new Set(counting.map(({ af }) => af));
  return families.size === 1 ? [...families][0] : undefined;
}

/** Whether a pool with this host alone has more than one address to choose from: `(if)` with its aliases. */
export function isMultiple({ address }: ResolvedHost): boolean {
  return address.kind === 'dynamic' && (!address.modifiers.includes('0') || !/\d$/.test(address.interface));
}
