/**
 * Addresses and state of interfaces (in_control, if_up): what ifconfig(8) changes, with the routes and announcements that follow from it.
 */
import { dequeueAll } from '../memory/queue.ts';
import { mFreeList } from '../memory/mbuf.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { addAddress, driverOf, findAddress, ifaddrs, removeAddress, sendQueue } from '../net/ifnet.ts';
import type { Ifnet } from '../net/ifnet.ts';
import {
  RTF_CLONING,
  addRoute,
  eachRoute,
  exactRoute,
  prefixLength,
  removeRoute,
  removeRoutesVia,
  routes,
} from '../net/route.ts';
import { stacks } from '../net/stack.ts';
import { announceAddress, removeNeighboursOn } from './arp.ts';

/** Switches an interface on; returns 0 or an errno. */
export function ifUp(ifp: Ifnet): number {
  if ((ifp.flags & IFF.UP) !== 0) return 0;
  ifp.flags |= IFF.UP;
  const status = driverOf(ifp).init(ifp);
  if (status !== 0) {
    ifp.flags &= ~IFF.UP;
    return status;
  }
  for (let ptr = ifp.addresses; ptr !== 0; ptr = ifaddrs.get(ptr).next) {
    const entry = ifaddrs.get(ptr);
    connectNetwork(ifp, entry.address, entry.netmask);
    if ((ifp.flags & IFF.BROADCAST) !== 0) announceAddress(ifp, entry.address);
  }
  return 0;
}

/** Switches it off: its routes, its neighbours and what waits for sending go. */
export function ifDown(ifp: Ifnet): void {
  if ((ifp.flags & IFF.UP) === 0) return;
  const stack = stacks.get(ifp.stack);
  ifp.flags &= ~IFF.UP;
  removeNeighboursOn(stack, ifp.ptr);
  removeRoutesVia(stack, ifp.ptr);
  mFreeList(dequeueAll(sendQueue(ifp)));
  driverOf(ifp).stop(ifp, true);
}

/** The netmask of an address by its class (RFC 791): what ifconfig assumes when none is given. */
export function classMask(address: number): number {
  if (address >>> 31 === 0) return 0xff000000;
  return address >>> 30 === 2 ? 0xffff0000 : 0xffffff00;
}

/** The route to the network that an interface is on; one that is there already stays. */
function connectNetwork(ifp: Ifnet, address: number, netmask: number): void {
  const stack = stacks.get(ifp.stack);
  const length = prefixLength(netmask);
  if (exactRoute(stack, address, length) !== 0) return;
  addRoute(stack, { network: address, length, gateway: 0, interface: ifp.ptr, flags: RTF_CLONING });
}

export interface NewAddress {
  readonly address: number;
  readonly netmask: number;
  readonly broadcast: number;
  /** Beside the others; otherwise it takes the place of the first. */
  readonly alias: boolean;
}

/** Gives an interface an address and brings it up. Returns 0 or an errno. */
export function setAddress(ifp: Ifnet, options: NewAddress): number {
  const { address, netmask, broadcast, alias } = options;
  const same = findAddress(ifp, address);
  if (same !== 0 && alias && ifaddrs.get(same).netmask === netmask) return ERRNO.EEXIST;
  if (same !== 0) dropAddress(ifp, same);
  if (!alias && ifp.addresses !== 0) dropAddress(ifp, ifp.addresses);
  if (!addAddress(ifp, address, netmask, broadcast, !alias)) return ERRNO.ENOBUFS;
  stacks.get(ifp.stack).routeGeneration++;
  if ((ifp.flags & IFF.UP) === 0) return ifUp(ifp);
  connectNetwork(ifp, address, netmask);
  if ((ifp.flags & IFF.BROADCAST) !== 0) announceAddress(ifp, address);
  return 0;
}

/** Takes an address (ifaddr) from an interface, with the route to its network unless another address keeps it. */
export function dropAddress(ifp: Ifnet, ptr: number): void {
  const stack = stacks.get(ifp.stack);
  const { address, netmask } = ifaddrs.get(ptr);
  removeAddress(ifp, ifaddrs.get(ptr));
  stack.routeGeneration++;
  const length = prefixLength(netmask);
  for (let other = ifp.addresses; other !== 0; other = ifaddrs.get(other).next) {
    const entry = ifaddrs.get(other);
    if (entry.netmask === netmask && ((entry.address ^ address) & netmask) === 0) return;
  }
  const route = exactRoute(stack, address, length);
  if (route !== 0 && routes.get(route).gateway === 0 && routes.get(route).interface === ifp.ptr)
    removeRoute(stack, route);
  for (const via of eachRoute(stack)) {
    const lost = via.interface === ifp.ptr && via.gateway !== 0 && ((via.gateway ^ address) & netmask) === 0;
    if (lost) removeRoute(stack, via.ptr);
  }
}

/** The broadcast address of a network; 0 for networks without one (RFC 3021). */
export function broadcastOf(address: number, netmask: number): number {
  return netmask >= 0xfffffffe ? 0 : (address | ~netmask) >>> 0;
}
