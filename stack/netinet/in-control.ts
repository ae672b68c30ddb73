/**
 * Addresses and state of interfaces (in_control, if_up): what ifconfig(8) changes, with the routes and announcements that follow from it.
 */
import { dequeueAll } from '../memory/queue.ts';
import { mFreeList } from '../memory/mbuf.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import {
  addAddress,
  announceEvent,
  driverOf,
  findAddress,
  ifaddrs,
  removeAddress,
  sendQueue,
} from '../net/ifnet.ts';
import type { Ifaddr, Ifnet } from '../net/ifnet.ts';
import { pfilEvent } from '../net/pfil.ts';
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
    connectNetwork(ifp, ifaddrs.get(ptr));
  }
  announceEvent(ifp, 'up');
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
  announceEvent(ifp, 'down');
}

/** The netmask of an address by its class (RFC 791): what ifconfig assumes when none is given. */
export function classMask(address: number): number {
  if (address >>> 31 === 0) return 0xff000000;
  return address >>> 30 === 2 ? 0xffff0000 : 0xffffff00;
}

/** Network and prefix length that an address is a reason to have a route for: the other end of a point-to-point interface, or the network. */
function connected(entry: Ifaddr): { network: number; length: number } {
  if (entry.destination !== 0) return { network: entry.destination, length: 32 };
  return { network: entry.address, length: prefixLength(entry.netmask) };
}

/** The route to the network that an interface is on; one that is there already stays. */
function connectNetwork(ifp: Ifnet, entry: Ifaddr): void {
  const stack = stacks.get(ifp.stack);
  const { network, length } = connected(entry);
  if (exactRoute(stack, network, length) !== 0) return;
  const flags = entry.destination !== 0 ? 0 : RTF_CLONING;
  addRoute(stack, { network, length, gateway: 0, interface: ifp.ptr, flags });
}

export interface NewAddress {
  readonly address: number;
  readonly netmask: number;
  readonly broadcast: number;
  /** The other end, on a point-to-point interface. */
  readonly destination?: number;
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
  const ptr = addAddress(ifp, address, netmask, broadcast, !alias);
  if (ptr === 0) return ERRNO.ENOBUFS;
  ifaddrs.get(ptr).destination = options.destination ?? 0;
  stacks.get(ifp.stack).routeGeneration++;
  pfilEvent(stacks.get(ifp.stack), ifp, 'address added');
  if ((ifp.flags & IFF.UP) === 0) return ifUp(ifp);
  connectNetwork(ifp, ifaddrs.get(ptr));
  if ((ifp.flags & IFF.BROADCAST) !== 0) announceAddress(ifp, address);
  return 0;
}

/** Takes an address (ifaddr) from an interface, with the route to its network unless another address keeps it. */
export function dropAddress(ifp: Ifnet, ptr: number): void {
  const stack = stacks.get(ifp.stack);
  const { address, netmask, destination } = ifaddrs.get(ptr);
  const { network, length } = connected(ifaddrs.get(ptr));
  removeAddress(ifp, ifaddrs.get(ptr));
  stack.routeGeneration++;
  pfilEvent(stack, ifp, 'address removed');
  for (let other = ifp.addresses; other !== 0; other = ifaddrs.get(other).next) {
    const entry = ifaddrs.get(other);
    const same = entry.netmask === netmask && ((entry.address ^ address) & netmask) === 0;
    if (same && entry.destination === destination) return;
  }
  const route = exactRoute(stack, network, length);
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
