/**
 * The node as rules are read against it: its interfaces, the names in its files (/etc/hosts, /etc/services, /etc/protocols, /etc/passwd, /etc/group) or those that every
 * node knows, and the operating systems that PF has fingerprints of.
 */
import type { PfEnvironment, PfHostAddress, PfInterface } from '../../filter/pf/environment.ts';
import type { PfFingerprint } from '../../filter/pf/ioctl.ts';
import {
  DEFAULT_NAMES,
  namesOf,
  parseIds,
  parseProtocols,
  parseServices,
} from '../../filter/pf/name-tables.ts';
import { readTextFile } from '../../kernel/files.ts';
import type { Process } from '../../kernel/process.ts';
import { IFF } from '../../runtime/messages/control.ts';
import type { InterfaceInfo } from '../../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { inetAton, inetNtoa, prefixLengthOf } from '../../socket/inet.ts';
import { stackControl } from '../../socket/libsocket.ts';
import { parseHosts } from '../../socket/netdb.ts';
import type { PfDevice } from './device.ts';

const BITS_PER_MEGABIT = 1e6;

/** Text of a file of the node, undefined where it cannot be read. */
export async function textIfThere(self: Process, path: string): Promise<string | undefined> {
  try {
    return await readTextFile(self, path);
  } catch (error) {
    if (error instanceof SystemError && error.errno !== ERRNO.EINTR) return undefined;
    throw error;
  }
}

async function entries<T>(
  self: Process,
  path: string,
  parse: (text: string) => readonly T[],
): Promise<readonly T[]> {
  return parse((await textIfThere(self, path)) ?? '');
}

/** Bit/s of media such as `Ethernet autoselect (1000baseT full-duplex)`. */
function bandwidthOf(media: string | undefined): number | undefined {
  const megabits = /\((\d+)base/.exec(media ?? '')?.[1];
  return megabits === undefined ? undefined : Number(megabits) * BITS_PER_MEGABIT;
}

function interfaceOf({ name, flags, mtu, media, addresses }: InterfaceInfo): PfInterface {
  const bandwidth = bandwidthOf(media);
  return {
    name,
    ...((flags & IFF.LOOPBACK) !== 0 && { loopback: true }),
    addresses: addresses.map(({ address, netmask, broadcast, destination }) => ({
      af: 'inet',
      address,
      length: prefixLengthOf(inetAton(netmask) ?? 0) ?? 32,
      ...(broadcast !== undefined && { broadcast }),
      ...(destination !== undefined && { peer: destination }),
    })),
    ...(bandwidth !== undefined && { bandwidth }),
    mtu,
  };
}

/** Without a stack there are no interfaces: rules can still be read. */
async function interfacesOf(self: Process): Promise<PfInterface[]> {
  if (self.node.stacks.size === 0) return [];
  return (await stackControl(self, 'SIOCGIFCONF', {})).map(interfaceOf);
}

/** Names under which an operating system is known: `Linux`, `Linux 2.6`, `Linux 2.6 newer`. */
function fingerprintNames(fingerprints: readonly PfFingerprint[]): Set<string> {
  return new Set(
    fingerprints.flatMap(({ class: kind, version, subtype }) =>
      [kind, `${kind} ${version}`, `${kind} ${version} ${subtype}`].map((name) => name.trim()),
    ),
  );
}

/** @param device where the fingerprints are asked for; without it all names of systems are taken as they are. */
export async function readMachine(self: Process, device: PfDevice | undefined): Promise<PfEnvironment> {
  const hosts = await entries(self, '/etc/hosts', parseHosts);
  const names = namesOf({
    services: [...(await entries(self, '/etc/services', parseServices)), ...DEFAULT_NAMES.services],
    protocols: [...(await entries(self, '/etc/protocols', parseProtocols)), ...DEFAULT_NAMES.protocols],
    users: [...(await entries(self, '/etc/passwd', parseIds)), ...DEFAULT_NAMES.users],
    groups: [...(await entries(self, '/etc/group', parseIds)), ...DEFAULT_NAMES.groups],
  });
  const systems = device && fingerprintNames(await device.call('DIOCOSFPGET', {}));
  return {
    interfaces: await interfacesOf(self),
    ...names,
    hostAddresses: (name): PfHostAddress[] =>
      hosts
        .filter((entry) => entry.names.some((one) => one.toLowerCase() === name.toLowerCase()))
        .map(({ address }) => ({ af: 'inet', address: inetNtoa(address) })),
    ...(systems && { fingerprint: (name) => (systems.has(name) ? name : undefined) }),
  };
}
