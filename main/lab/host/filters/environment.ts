/**
 * What a rule set that is being written is read against: the interfaces of the node as they are in the one memory, and the names that every node knows. The stack is not
 * asked, so rules are checked also while the lab's time stands still, or while nothing runs.
 */
import type {
  PfEnvironment,
  PfInterface,
  PfInterfaceAddress,
} from '../../../../stack/filter/pf/environment.ts';
import { DEFAULT_NAMES, namesOf } from '../../../../stack/filter/pf/name-tables.ts';
import { IFT_LOOP, ifaddrs, interfaceName } from '../../../../stack/net/ifnet.ts';
import type { Ifnet } from '../../../../stack/net/ifnet.ts';
import { prefixLength } from '../../../../stack/net/route.ts';
import { inetNtoa } from '../../../../stack/socket/inet.ts';
import type { FilterWords } from '../../../api/filter-model.ts';

/** A worker may change a list of addresses while it is read: no list is followed further than this. */
const MOST_ADDRESSES = 64;

const NAMES = namesOf(DEFAULT_NAMES);

function addressesOf(ifp: Ifnet): PfInterfaceAddress[] {
  const list: PfInterfaceAddress[] = [];
  for (let ptr = ifp.addresses; ptr !== 0 && list.length < MOST_ADDRESSES; ptr = ifaddrs.get(ptr).next) {
    const { address, netmask, broadcast, destination } = ifaddrs.get(ptr);
    list.push({
      af: 'inet',
      address: inetNtoa(address),
      length: prefixLength(netmask),
      ...(broadcast !== 0 && { broadcast: inetNtoa(broadcast) }),
      ...(destination !== 0 && { peer: inetNtoa(destination) }),
    });
  }
  return list;
}

function interfaceOf(ifp: Ifnet): PfInterface {
  return {
    name: interfaceName(ifp),
    ...(ifp.type === IFT_LOOP && { loopback: true }),
    addresses: addressesOf(ifp),
    mtu: ifp.mtu,
  };
}

/** @param interfaces those of the node; none if it does not run. */
export function environmentOf(interfaces: readonly Ifnet[]): PfEnvironment {
  return { interfaces: interfaces.map(interfaceOf), ...NAMES, hostAddresses: () => [] };
}

/** Names that stand for numbers in rules and expressions. */
export function knownWords(): FilterWords {
  const unique = (names: readonly string[]): string[] => [...new Set(names)].sort();
  return {
    services: unique(DEFAULT_NAMES.services.map(({ name }) => name)),
    protocols: unique(DEFAULT_NAMES.protocols.map(({ name }) => name)),
  };
}
