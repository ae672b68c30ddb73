/**
 * The routing table of a stack: longest prefix first. Routes hash by network and length; a lookup tries each prefix length that occurs, the longest first.
 * A generation number tells those who keep a route (connections) when to look again.
 */
import { hashFirst, hashInsert, hashRemove, mix3 } from '../memory/hash.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { ROUTE_BUCKETS } from './stack.ts';
import type { Stack } from './stack.ts';

/** Flags of routes (route.h). */
export const RTF_UP = 0x1;
export const RTF_GATEWAY = 0x2;
export const RTF_HOST = 0x4;
export const RTF_REJECT = 0x8;
export const RTF_CLONING = 0x100;
export const RTF_LLINFO = 0x400;
export const RTF_STATIC = 0x800;
export const RTF_BLACKHOLE = 0x1000;

export const routeStruct = struct('route', {
  next: 'ptr',
  nextpkt: 'ptr',
  network: 'u32',
  /** Prefix length, 0..32. */
  length: 'u32',
  /** 0: the destination is on the interface's own network. */
  gateway: 'u32',
  interface: 'ptr',
  flags: 'u32',
  use: 'f64',
});
export type Route = ViewOf<typeof routeStruct>;
export const routes = slab(routeStruct, 65_536);
const LINK = routeStruct.offsets.next;

/** The netmask of a prefix length. */
export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** The prefix length of a netmask, -1 if its ones are not contiguous. */
export function prefixLength(mask: number): number {
  const inverted = ~mask >>> 0;
  return (inverted & (inverted + 1)) === 0 ? Math.clz32(inverted) : -1;
}

function find(stack: Stack, network: number, length: number): number {
  for (let ptr = hashFirst(stack.routes, ROUTE_BUCKETS, mix3(network, length, 0)); ptr !== 0;) {
    const route = routes.get(ptr);
    if (route.network === network && route.length === length) return ptr;
    ptr = route.next;
  }
  return 0;
}

/** The route to exactly this network, 0 if there is none. */
export function exactRoute(stack: Stack, network: number, length: number): number {
  return find(stack, (network & maskOf(length)) >>> 0, length);
}

/** The route to a destination by longest prefix, 0 if there is none. */
export function lookupRoute(stack: Stack, destination: number): number {
  if (stack.hostRoutes > 0) {
    const host = find(stack, destination, 32);
    if (host !== 0) return host;
  }
  let lengths = stack.shortPrefixes;
  while (lengths !== 0) {
    const length = 31 - Math.clz32(lengths);
    const route = find(stack, (destination & maskOf(length)) >>> 0, length);
    if (route !== 0) return route;
    lengths &= ~(1 << length);
  }
  return 0;
}

export interface NewRoute {
  readonly network: number;
  readonly length: number;
  readonly gateway: number;
  readonly interface: number;
  readonly flags: number;
}

/** Adds a route (to a network that has none yet) and returns it; 0 when the slab is full. */
export function addRoute(stack: Stack, options: NewRoute): number {
  const ptr = routes.alloc();
  if (ptr === 0) return 0;
  const { length } = options;
  const network = (options.network & maskOf(length)) >>> 0;
  const route = routes.get(ptr);
  route.network = network;
  route.length = length;
  route.gateway = options.gateway;
  route.interface = options.interface;
  route.flags =
    options.flags | RTF_UP | (length === 32 ? RTF_HOST : 0) | (options.gateway === 0 ? 0 : RTF_GATEWAY);
  hashInsert(stack.routes, ROUTE_BUCKETS, mix3(network, length, 0), ptr, LINK);
  if (length === 32) stack.hostRoutes++;
  else stack.shortPrefixes |= 1 << length;
  stack.routeGeneration++;
  return ptr;
}

export function removeRoute(stack: Stack, ptr: number): void {
  const { network, length } = routes.get(ptr);
  hashRemove(stack.routes, ROUTE_BUCKETS, mix3(network, length, 0), ptr, LINK);
  routes.free(ptr);
  stack.routeGeneration++;
  if (length === 32) stack.hostRoutes--;
  else if (!eachRoute(stack).some((other) => other.length === length)) stack.shortPrefixes &= ~(1 << length);
}

/** All routes of a stack, by network, then from short prefixes to long ones: as netstat -r lists them. */
export function eachRoute(stack: Stack): Route[] {
  const list: Route[] = [];
  for (let bucket = 0; bucket < ROUTE_BUCKETS; bucket++) {
    for (let ptr = hashFirst(stack.routes, ROUTE_BUCKETS, bucket); ptr !== 0; ptr = routes.get(ptr).next) {
      list.push(routes.get(ptr));
    }
  }
  return list.sort((a, b) => a.network - b.network || a.length - b.length);
}

/** Removes the routes that go through an interface. */
export function removeRoutesVia(stack: Stack, ifp: number): void {
  for (const route of eachRoute(stack)) if (route.interface === ifp) removeRoute(stack, route.ptr);
}
