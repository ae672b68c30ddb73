/** The interfaces of running nodes as they are at this moment, read straight from the one memory. */
import { formatMac } from '../../capture/dissect/text.ts';
import { u8 } from '../../../stack/memory/memory.ts';
import { IFF } from '../../../stack/runtime/messages/control.ts';
import { IFT_LOOP, driverOf, ifaddrs, interfaceName } from '../../../stack/net/ifnet.ts';
import type { Ifnet } from '../../../stack/net/ifnet.ts';
import { prefixLength } from '../../../stack/net/route.ts';
import { inetNtoa } from '../../../stack/socket/inet.ts';
import type { InterfaceDescription, InterfaceRates } from '../../api/model.ts';
import type { RunningLab } from '../lab.ts';

/** A worker may change a list of addresses while it is read: no list is followed further than this. */
const MOST_ADDRESSES = 64;

/** The interfaces of a node that a cable can be plugged into, in the order in which they were attached. */
export function liveInterfaces(lab: RunningLab, node: string): Ifnet[] {
  return lab.interfacesOf(node).filter(({ type }) => type !== IFT_LOOP);
}

function isUp(ifp: Ifnet): boolean {
  return (ifp.flags & IFF.UP) !== 0;
}

function addressesOf(ifp: Ifnet): string[] {
  const list: string[] = [];
  for (let ptr = ifp.addresses; ptr !== 0 && list.length < MOST_ADDRESSES; ptr = ifaddrs.get(ptr).next) {
    const { address, netmask } = ifaddrs.get(ptr);
    list.push(`${inetNtoa(address)}/${prefixLength(netmask)}`);
  }
  return list;
}

export function describeInterface(ifp: Ifnet): InterfaceDescription {
  return {
    name: interfaceName(ifp),
    mac: formatMac(u8, ifp.mac),
    up: isUp(ifp),
    carrier: driverOf(ifp).carrier(ifp),
    addresses: addressesOf(ifp),
    mtu: ifp.mtu,
  };
}

export function interfaceCounters(node: string, ifp: Ifnet): InterfaceRates {
  return {
    node,
    name: interfaceName(ifp),
    up: isUp(ifp),
    carrier: driverOf(ifp).carrier(ifp),
    rxPackets: ifp.ipackets,
    txPackets: ifp.opackets,
    rxBytes: ifp.ibytes,
    txBytes: ifp.obytes,
  };
}

/** Mixes what is shown of an interface into a running signature: equal signatures mean that nothing visible changed. */
export function interfaceSignature(signature: number, ifp: Ifnet): number {
  const flags = (isUp(ifp) ? 1 : 0) | (driverOf(ifp).carrier(ifp) ? 2 : 0);
  let mixed = mix(mix(mix(signature, ifp.ptr), ifp.mtu), flags);
  for (let i = 0; i < 6; i++) mixed = mix(mixed, u8[ifp.mac + i]!);
  let ptr = ifp.addresses;
  for (let n = 0; ptr !== 0 && n < MOST_ADDRESSES; n++) {
    const entry = ifaddrs.get(ptr);
    mixed = mix(mix(mixed, entry.address), entry.netmask);
    ptr = entry.next;
  }
  return mixed;
}

/** One round of FNV-1a, on a 32-bit word. */
export function mix(signature: number, word: number): number {
  return Math.imul(signature ^ word, 0x01000193);
}
