/**
 * Control calls about routes: route(8), netstat -r.
 */
import type { ControlIn, RouteInfo } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { IFT_LOOP, ifnets, interfaceName } from '../net/ifnet.ts';
import {
  RTF_BLACKHOLE,
  RTF_CLONING,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_LLINFO,
  RTF_REJECT,
  RTF_STATIC,
  RTF_UP,
  addRoute,
  eachRoute,
  exactRoute,
  lookupRoute,
  maskOf,
  prefixLength,
  removeRoute,
  routes,
} from '../net/route.ts';
import type { Route } from '../net/route.ts';
import type { Stack } from '../net/stack.ts';
import { ARP_REACHABLE, eachNeighbour } from '../netinet/arp.ts';
import { addressText } from '../netinet/ip.ts';
import { addressOf, expectOk, interfaceNamed } from './controls.ts';
import type { Controls } from './controls.ts';

const LETTERS: readonly (readonly [number, string])[] = [
  [RTF_UP, 'U'],
  [RTF_GATEWAY, 'G'],
  [RTF_HOST, 'H'],
  [RTF_REJECT, 'R'],
  [0x10, 'D'],
  [RTF_BLACKHOLE, 'B'],
  [RTF_CLONING, 'C'],
  [RTF_LLINFO, 'L'],
  [RTF_STATIC, 'S'],
];

function flagLetters(flags: number): string {
  return LETTERS.filter(([bit]) => (flags & bit) !== 0)
    .map(([, letter]) => letter)
    .join('');
}

function infoOf(route: Route): RouteInfo {
  const ifp = ifnets.get(route.interface);
  return {
    destination: addressText(route.network),
    netmask: addressText(maskOf(route.length)),
    ...(route.gateway !== 0 && { gateway: addressText(route.gateway) }),
    interface: interfaceName(ifp),
    flags: flagLetters(route.flags),
    refs: 0,
    use: route.use,
    mtu: ifp.mtu,
  };
}

/** Neighbours show as cloned host routes, as BSD's tables have them. */
function neighbourRoutes(stack: Stack): RouteInfo[] {
  return eachNeighbour(stack)
    .filter((entry) => entry.state === ARP_REACHABLE)
    .map((entry) => ({
      destination: addressText(entry.address),
      netmask: '255.255.255.255',
      interface: interfaceName(ifnets.get(entry.interface)),
      flags: 'UHL',
      refs: 0,
      use: 0,
      mtu: ifnets.get(entry.interface).mtu,
    }));
}

function lengthOf(netmask: string): number {
  const length = prefixLength(addressOf(netmask));
  if (length < 0) throw new SystemError(ERRNO.EINVAL, `${netmask} is not a netmask`);
  return length;
}

/** The interface through which a gateway is reached: one that is on the gateway's network. */
function interfaceFor(stack: Stack, wanted: ControlIn<'RTM_ADD'>, gateway: number): number {
  if (wanted.interface !== undefined) return interfaceNamed(stack, wanted.interface).ptr;
  if (gateway === 0) return stack.loopback;
  const ptr = lookupRoute(stack, gateway);
  if (
    ptr === 0 ||
    (routes.get(ptr).gateway !== 0 && ifnets.get(routes.get(ptr).interface).type !== IFT_LOOP)
  ) {
    throw new SystemError(ERRNO.ENETUNREACH, `gateway ${wanted.gateway!} is on no network of this host`);
  }
  return routes.get(ptr).interface;
}

function add(stack: Stack, wanted: ControlIn<'RTM_ADD'>): void {
  const network = addressOf(wanted.destination);
  const length = lengthOf(wanted.netmask);
  const gateway = wanted.gateway === undefined ? 0 : addressOf(wanted.gateway);
  const refuses = wanted.reject === true || wanted.blackhole === true;
  if (gateway === 0 && wanted.interface === undefined && !refuses) {
    throw new SystemError(ERRNO.EINVAL, 'a gateway or an interface is missing');
  }
  if (exactRoute(stack, network, length) !== 0)
    throw new SystemError(ERRNO.EEXIST, `${wanted.destination}/${length}`);
  const via = interfaceFor(stack, wanted, gateway);
  const flags =
    RTF_STATIC | (wanted.reject === true ? RTF_REJECT : 0) | (wanted.blackhole === true ? RTF_BLACKHOLE : 0);
  const made = addRoute(stack, { network, length, gateway, interface: via, flags });
  expectOk(made === 0 ? ERRNO.ENOBUFS : 0, wanted.destination);
}

function remove(stack: Stack, destination: string, netmask: string): void {
  const length = lengthOf(netmask);
  const ptr = exactRoute(stack, addressOf(destination), length);
  if (ptr === 0) throw new SystemError(ERRNO.ESRCH, `${destination}/${length}`);
  removeRoute(stack, ptr);
}

function flush(stack: Stack): number {
  const gateways = eachRoute(stack).filter((route) => (route.flags & RTF_GATEWAY) !== 0);
  for (const route of gateways) removeRoute(stack, route.ptr);
  return gateways.length;
}

export const routeControls: Pick<Controls, 'RTM_ADD' | 'RTM_DELETE' | 'RTM_GET' | 'RTM_LIST' | 'RTM_FLUSH'> =
  {
    RTM_ADD(stack, wanted) {
      add(stack, wanted);
      return {};
    },
    RTM_DELETE(stack, { destination, netmask }) {
      remove(stack, destination, netmask);
      return {};
    },
    RTM_GET(stack, { destination }) {
      const ptr = lookupRoute(stack, addressOf(destination));
      if (ptr === 0) throw new SystemError(ERRNO.ESRCH, destination);
      return infoOf(routes.get(ptr));
    },
    RTM_LIST: (stack) => [...eachRoute(stack).map(infoOf), ...neighbourRoutes(stack)],
    RTM_FLUSH: (stack) => ({ removed: flush(stack) }),
  };
