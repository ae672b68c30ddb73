/**
 * Control calls about interfaces and neighbours: ifconfig(8), nicinfo, mount, arp(8).
 */
import { region, selfThread, maxThreads } from '../memory/memory.ts';
import { SECOND, now } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import type { ArpInfo, ControlIn, InterfaceAddress, InterfaceInfo } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { clonerNames, configureClone, createClone, describeClone } from '../net/cloner.ts';
import { copyMac, macText, parseMac } from '../net/ethernet.ts';
import {
  CAP_IP4CSUM,
  CAP_TCP4CSUM,
  CAP_TSO4,
  CAP_UDP4CSUM,
  IFT_BRIDGE,
  IFT_ETHER,
  IFT_LOOP,
  announceEvent,
  driverFile,
  driverOf,
  findAddress,
  ifaddrs,
  ifnets,
  interfaceName,
  isBroadcast,
  isMulticast,
  sendQueue,
} from '../net/ifnet.ts';
import { clearCounters } from '../net/if-counters.ts';
import type { Ifnet } from '../net/ifnet.ts';
import { lookupRoute, prefixLength, routes } from '../net/route.ts';
import type { Stack } from '../net/stack.ts';
import {
  ARP_DOWN,
  ARP_INCOMPLETE,
  eachNeighbour,
  findNeighbour,
  neighbours,
  removeNeighbour,
  setNeighbour,
} from '../netinet/arp.ts';
import type { Neighbour } from '../netinet/arp.ts';
import { broadcastOf, classMask, dropAddress, ifDown, ifUp, setAddress } from '../netinet/in-control.ts';
import { addressText } from '../netinet/ip.ts';
import { addressOf, expectOk, interfaceNamed } from './controls.ts';
import type { Controls } from './controls.ts';
import { buryInterface } from './graveyard.ts';

const CAPABILITIES: readonly (readonly [string, number])[] = [
  ['ip4csum', CAP_IP4CSUM],
  ['tcp4csum', CAP_TCP4CSUM],
  ['udp4csum', CAP_UDP4CSUM],
  ['tso4', CAP_TSO4],
];
/** Flags that ifconfig may change; the others follow from the device. */
const SETTABLE: readonly (keyof typeof IFF)[] = [
  'UP',
  'DEBUG',
  'NOARP',
  'ALLMULTI',
  'LINK0',
  'LINK1',
  'LINK2',
];
/** Six bytes of this thread for a hardware address that was given as text. */
const macPlace = region('control hardware address', 8 * maxThreads) + 8 * selfThread;

function capabilityNames(bits: number): string[] {
  return CAPABILITIES.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);
}

function addressesOf(ifp: Ifnet): InterfaceAddress[] {
  const list: InterfaceAddress[] = [];
  for (let ptr = ifp.addresses; ptr !== 0; ptr = ifaddrs.get(ptr).next) {
    const { address, netmask, broadcast, destination } = ifaddrs.get(ptr);
    list.push({
      address: addressText(address),
      netmask: addressText(netmask),
      ...(broadcast !== 0 && { broadcast: addressText(broadcast) }),
      ...(destination !== 0 && { destination: addressText(destination) }),
    });
  }
  return list;
}

function infoOf(ifp: Ifnet): InterfaceInfo {
  const ether = ifp.type === IFT_ETHER;
  const carrier = driverOf(ifp).carrier(ifp);
  return {
    name: interfaceName(ifp),
    index: ifp.index,
    flags: ifp.flags | (ifp.oactive !== 0 ? IFF.OACTIVE : 0),
    mtu: ifp.mtu,
    metric: ifp.metric,
    ...(ether && { mac: macText(ifp.mac), media: 'Ethernet autoselect (1000baseT full-duplex)', carrier }),
    capabilities: capabilityNames(ifp.capabilities),
    enabled: capabilityNames(ifp.enabled),
    addresses: addressesOf(ifp),
    counters: {
      ipackets: ifp.ipackets,
      ierrors: ifp.ierrors,
      ibytes: ifp.ibytes,
      imcasts: ifp.imcasts,
      iqdrops: ifp.iqdrops,
      opackets: ifp.opackets,
      oerrors: ifp.oerrors,
      obytes: ifp.obytes,
      omcasts: ifp.omcasts,
      odrops: sendQueue(ifp).drops,
      collisions: ifp.collisions,
    },
    details: describeClone(ifp),
  };
}

function changeInterface(ifp: Ifnet, change: ControlIn<'SIOCSIFFLAGS'>): void {
  const driver = driverOf(ifp);
  if (change.mtu !== undefined) {
    const { mtu } = change;
    if (!Number.isInteger(mtu) || mtu < 72 || mtu > ifp.mtuMax) {
      throw new SystemError(ERRNO.EINVAL, `mtu ${mtu}: ${interfaceName(ifp)} takes 72 to ${ifp.mtuMax}`);
    }
    expectOk(driver.ioctl(ifp, 'mtu', mtu), `mtu ${mtu}`);
    ifp.mtu = mtu;
    announceEvent(ifp, 'mtu');
  }
  if (change.metric !== undefined) ifp.metric = change.metric;
  if (change.mac !== undefined) changeMac(ifp, change.mac);
  for (const [name, on] of Object.entries(change.capabilities ?? {})) changeCapability(ifp, name, on);
  for (const [name, on] of Object.entries(change.set ?? {})) changeFlag(ifp, name as keyof typeof IFF, on);
}

function changeMac(ifp: Ifnet, mac: string): void {
  if (ifp.type !== IFT_ETHER)
    throw new SystemError(ERRNO.EINVAL, `${interfaceName(ifp)} has no hardware address`);
  if (!parseMac(mac, macPlace)) throw new SystemError(ERRNO.EINVAL, `${mac} is not a hardware address`);
  copyMac(ifp.mac, macPlace);
  expectOk(driverOf(ifp).ioctl(ifp, 'mac', 0), mac);
  announceEvent(ifp, 'mac');
}

function changeCapability(ifp: Ifnet, name: string, on: boolean): void {
  const bit = CAPABILITIES.find(([known]) => known === name)?.[1] ?? 0;
  if ((ifp.capabilities & bit) === 0)
    throw new SystemError(ERRNO.EINVAL, `${name} is not a capability of ${interfaceName(ifp)}`);
  ifp.enabled = on ? ifp.enabled | bit : ifp.enabled & ~bit;
  expectOk(driverOf(ifp).ioctl(ifp, 'capabilities', ifp.enabled), name);
}

function changeFlag(ifp: Ifnet, name: keyof typeof IFF, on: boolean): void {
  if (!SETTABLE.includes(name)) throw new SystemError(ERRNO.EINVAL, `flag ${name} cannot be changed`);
  if (name === 'UP') {
    if (on) expectOk(ifUp(ifp), interfaceName(ifp));
    else ifDown(ifp);
    return;
  }
  ifp.flags = on ? ifp.flags | IFF[name] : ifp.flags & ~IFF[name];
}

function newAddress(ifp: Ifnet, wanted: ControlIn<'SIOCAIFADDR'>): void {
  if (ifp.type === IFT_BRIDGE)
    throw new SystemError(
      ERRNO.EINVAL,
      `${interfaceName(ifp)} only forwards frames: give the address to one of its members`,
    );
  if (ifp.aggregate !== 0)
    throw new SystemError(
      ERRNO.EBUSY,
      `${interfaceName(ifp)} is a port of a link aggregate: give the address to that`,
    );
  const address = addressOf(wanted.address);
  const netmask = wanted.netmask === undefined ? classMask(address) : addressOf(wanted.netmask);
  if (prefixLength(netmask) < 0) throw new SystemError(ERRNO.EINVAL, `${wanted.netmask!} is not a netmask`);
  const wide = address === 0 || address >>> 28 === 15 || isMulticast(address);
  if (wide) throw new SystemError(ERRNO.EINVAL, `${wanted.address} is no address of a host`);
  const options = { address, netmask, alias: wanted.alias, ...otherEnds(ifp, wanted, address, netmask) };
  expectOk(setAddress(ifp, options), wanted.address);
}

/** The broadcast address, or on a point-to-point interface the other end. */
function otherEnds(
  ifp: Ifnet,
  wanted: ControlIn<'SIOCAIFADDR'>,
  address: number,
  netmask: number,
): { broadcast: number; destination: number } {
  const pointToPoint = (ifp.flags & IFF.POINTOPOINT) !== 0;
  if (pointToPoint !== (wanted.destination !== undefined)) {
    const name = interfaceName(ifp);
    const text = pointToPoint
      ? `${name} is point-to-point: give both ends, as in ifconfig ${name} 10.0.0.1 10.0.0.2`
      : `${name} is not point-to-point: ${wanted.destination!} cannot be its other end`;
    throw new SystemError(ERRNO.EINVAL, text);
  }
  if (wanted.destination !== undefined) return { broadcast: 0, destination: addressOf(wanted.destination) };
  if (ifp.type === IFT_LOOP) return { broadcast: 0, destination: 0 };
  const given = wanted.broadcast === undefined ? broadcastOf(address, netmask) : addressOf(wanted.broadcast);
  return { broadcast: given, destination: 0 };
}

function deleteAddress(ifp: Ifnet, text: string | undefined): void {
  const ptr = text === undefined ? ifp.addresses : findAddress(ifp, addressOf(text));
  if (ptr === 0) throw new SystemError(ERRNO.EADDRNOTAVAIL, text ?? interfaceName(ifp));
  dropAddress(ifp, ptr);
}

/** @param legacy it was asked for by the path that interfaces with a legacy driver have */
function destroyInterface(stack: Stack, ifp: Ifnet, legacy: boolean): void {
  if (ifp.ptr === stack.loopback)
    throw new SystemError(ERRNO.EBUSY, `${interfaceName(ifp)} belongs to the stack`);
  const name = interfaceName(ifp);
  if (driverOf(ifp).legacy === true && !legacy)
    throw new SystemError(ERRNO.EOPNOTSUPP, `${name} has a legacy driver, use: umount /dev/io-net/${name}`);
  ifDown(ifp);
  while (ifp.addresses !== 0) dropAddress(ifp, ifp.addresses);
  buryInterface(stack, ifp);
}

function arpInfo(entry: Neighbour): ArpInfo {
  const base = { address: addressText(entry.address), interface: interfaceName(ifnets.get(entry.interface)) };
  if (entry.state === ARP_INCOMPLETE || entry.state === ARP_DOWN) return { ...base, state: 'incomplete' };
  const mac = macText(entry.mac);
  if (entry.published !== 0) return { ...base, mac, state: 'published' };
  if (entry.permanent !== 0) return { ...base, mac, state: 'permanent' };
  return {
    ...base,
    mac,
    state: 'reachable',
    expires: Math.max(0, Math.round((entry.expires - now()) / SECOND)),
  };
}

/** The interface over which a neighbour is reached; a published address need not be on a network of ours. */
function interfaceTowards(stack: Stack, address: number, publish: boolean): Ifnet {
  const ptr = lookupRoute(stack, address);
  if (ptr !== 0 && routes.get(ptr).gateway === 0) {
    const ifp = ifnets.get(routes.get(ptr).interface);
    if (ifp.type === IFT_ETHER) return ifp;
  }
  for (let at = stack.interfaces; publish && at !== 0; at = ifnets.get(at).next) {
    if (ifnets.get(at).type === IFT_ETHER) return ifnets.get(at);
  }
  throw new SystemError(ERRNO.EHOSTUNREACH, `${addressText(address)} is on no network of this host`);
}

function setArp(stack: Stack, wanted: ControlIn<'ARP_SET'>): void {
  const address = addressOf(wanted.address);
  if (isBroadcast(ifnets.get(stack.loopback), address) || isMulticast(address))
    throw new SystemError(ERRNO.EINVAL, wanted.address);
  if (!parseMac(wanted.mac, macPlace))
    throw new SystemError(ERRNO.EINVAL, `${wanted.mac} is not a hardware address`);
  const ifp = interfaceTowards(stack, address, wanted.publish);
  expectOk(setNeighbour(stack, ifp, address, macPlace, wanted.permanent, wanted.publish), wanted.address);
}

function deleteArp(stack: Stack, text: string | undefined): number {
  if (text === undefined) {
    const all = eachNeighbour(stack);
    for (const entry of all) removeNeighbour(entry);
    return all.length;
  }
  const ptr = findNeighbour(stack, addressOf(text));
  if (ptr === 0) return 0;
  removeNeighbour(neighbours.get(ptr));
  return 1;
}

type InterfaceCalls =
  | 'SIOCGIFCONF'
  | 'SIOCSIFFLAGS'
  | 'SIOCAIFADDR'
  | 'SIOCDIFADDR'
  | 'SIOCIFCREATE'
  | 'SIOCIFGCLONERS'
  | 'SIOCSIFPSEUDO'
  | 'SIOCIFDESTROY'
  | 'SIOCGDRVCOM'
  | 'ARP_LIST'
  | 'ARP_SET'
  | 'ARP_DELETE';

export const interfaceControls: Pick<Controls, InterfaceCalls> = {
  SIOCGIFCONF(stack, { name }) {
    if (name !== undefined) return [infoOf(interfaceNamed(stack, name))];
    const list: InterfaceInfo[] = [];
    for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next)
      list.push(infoOf(ifnets.get(ptr)));
    return list;
  },
  SIOCSIFFLAGS(stack, change) {
    changeInterface(interfaceNamed(stack, change.name), change);
    return {};
  },
  SIOCAIFADDR(stack, wanted) {
    newAddress(interfaceNamed(stack, wanted.name), wanted);
    return {};
  },
  SIOCDIFADDR(stack, { name, address }) {
    deleteAddress(interfaceNamed(stack, name), address);
    return {};
  },
  SIOCIFCREATE(stack, { name }) {
    createClone(stack, name);
    return {};
  },
  SIOCSIFPSEUDO(stack, { name, settings }) {
    configureClone(interfaceNamed(stack, name), settings);
    return {};
  },
  SIOCIFGCLONERS: (stack) => clonerNames(stack),
  SIOCIFDESTROY(stack, { name, legacy = false }) {
    destroyInterface(stack, interfaceNamed(stack, name), legacy);
    return {};
  },
  SIOCGDRVCOM(stack, { name, reset }) {
    const ifp = interfaceNamed(stack, name);
    const driver = driverOf(ifp);
    if (ifp.type === IFT_LOOP) throw new SystemError(ERRNO.ENOTTY, name);
    const answer = {
      driver: `${driverFile(driver)}.so`,
      description: driver.description,
      config: {
        ...driver.configuration(ifp),
        ...(ifp.type === IFT_ETHER && { mac_address: macText(ifp.mac) }),
        mtu: ifp.mtu,
      },
      stats: driver.statistics(ifp),
    };
    if (reset === true) clearCounters(ifp);
    return answer;
  },
  ARP_LIST: (stack) => eachNeighbour(stack).map(arpInfo),
  ARP_SET(stack, wanted) {
    setArp(stack, wanted);
    return {};
  },
  ARP_DELETE: (stack, { address }) => ({ removed: deleteArp(stack, address) }),
};
