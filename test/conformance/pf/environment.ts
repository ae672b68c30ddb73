/**
 * The machines that the published PF cases were listed on, as far as the cases show them: for grammar42 an invented interface table with the names that Debian
 * has, for upstream an OpenBSD.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { PfEnvironment, PfInterface } from '../../../stack/filter/pf/environment.ts';
import {
  DEFAULT_NAMES,
  namesOf,
  parseIds,
  parseProtocols,
  parseServices,
} from '../../../stack/filter/pf/name-tables.ts';
import type { NameTables } from '../../../stack/filter/pf/name-tables.ts';

const LOOPBACK_MTU = 33_192;

const INTERFACES: readonly PfInterface[] = [
  {
    name: 'lo0',
    loopback: true,
    mtu: LOOPBACK_MTU,
    addresses: [
      { af: 'inet', address: '127.0.0.1', length: 8 },
      { af: 'inet6', address: '::1', length: 128 },
    ],
  },
  { name: 'lo1', loopback: true, mtu: LOOPBACK_MTU, addresses: [] },
  {
    name: 'em0',
    addresses: [
      { af: 'inet', address: '192.0.2.10', length: 24, broadcast: '192.0.2.255' },
      { af: 'inet6', address: '2001:db8::10', length: 64 },
    ],
  },
  {
    name: 'em1',
    addresses: [
      { af: 'inet', address: '10.1.1.1', length: 24, broadcast: '10.1.1.255' },
      { af: 'inet', address: '10.1.2.1', length: 24, broadcast: '10.1.2.255' },
    ],
  },
  { name: 'tun0', addresses: [{ af: 'inet', address: '172.20.0.1', length: 32, peer: '172.20.0.2' }] },
];

function file<T>(path: string, parse: (text: string) => readonly T[]): readonly T[] {
  return existsSync(path) ? parse(readFileSync(path, 'utf8')) : [];
}

/** Of Debian: `icmp6` is no name there. */
function debianNames(): NameTables {
  const protocols = DEFAULT_NAMES.protocols.map((entry) =>
    entry.name === 'ipv6-icmp' ? { ...entry, aliases: ['IPv6-ICMP'] } : entry,
  );
  return {
    services: [...DEFAULT_NAMES.services, ...file('/etc/services', parseServices)],
    protocols: [...protocols, ...file('/etc/protocols', parseProtocols)],
    users: [...DEFAULT_NAMES.users, ...file('/etc/passwd', parseIds)],
    groups: [...DEFAULT_NAMES.groups, ...file('/etc/group', parseIds)],
  };
}

/** Names by which OpenBSD's files differ from Debian's. */
function openBsdNames(): NameTables {
  const debian = debianNames();
  const services = parseServices(
    'www 80/tcp http\nwww 80/udp http\nntp 123/tcp\nssh 22/udp\nntp 123/udp\nsmtp 25/tcp mail',
  );
  return {
    services: [...services, ...debian.services],
    protocols: [...parseProtocols('icmp6 58 ipv6-icmp\nipv6-icmp 58 IPV6-ICMP'), ...debian.protocols],
    users: parseIds('root::0\ndaemon::1\noperator::2\nbin::3\nnobody::32767'),
    groups: parseIds('wheel::0\ndaemon::1\nkmem::2\nsys::3\ntty::4\noperator::5\nbin::7\nnobody::32767'),
  };
}

const LOCALHOST = [
  { af: 'inet6', address: '::1' },
  { af: 'inet', address: '127.0.0.1' },
] as const;

function environment(names: NameTables): PfEnvironment {
  return {
    interfaces: INTERFACES,
    ...namesOf(names),
    hostAddresses: (name) => (name === 'localhost' ? LOCALHOST : []),
    // The table was invented: no address could be scoped to an interface of it, and no fingerprints were loaded.
    hasZone: () => false,
    fingerprint: () => undefined,
  };
}

export function grammar42Environment(): PfEnvironment {
  return environment(debianNames());
}

export function upstreamEnvironment(): PfEnvironment {
  return environment(openBsdNames());
}
