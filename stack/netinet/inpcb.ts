/**
 * Internet protocol control blocks (struct inpcb): who is bound to which port and connected to which peer, the tables to find them by, and the route
 * that a connection keeps. In the one memory; under the stack context. Addresses and ports in host order.
 */
import { hashFirst, hashInsert, hashRemove, mix3 } from '../memory/hash.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { IP_TOS, IP_TTL, SO_REUSEADDR, SO_REUSEPORT } from '../runtime/messages/request.ts';
import { random32 } from '../runtime/random.ts';
import { ifaddrs, ifnets, interfaceWithAddress, isBroadcast, isMulticast } from '../net/ifnet.ts';
import { isFollowed, stationAtSocket } from '../net/journey.ts';
import type { Station } from '../net/journey.ts';
import { lookupRoute, routes } from '../net/route.ts';
import { sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { BOUND_BUCKETS, stackStruct, stacks, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { SYSCTL } from '../net/sysctl.ts';

export const inpcbStruct = struct('inpcb', {
  /** Next of its bound chain. */
  next: 'ptr',
  nextpkt: 'ptr',
  /** Next of its connected chain (TCP). */
  nextConnected: 'ptr',
  socket: 'ptr',
  stack: 'ptr',
  local: 'u32',
  foreign: 'u32',
  localPort: 'u16',
  foreignPort: 'u16',
  ttl: 'u8',
  tos: 'u8',
  /** 1: in the table of bound ports; 1: in that of connections. */
  bound: 'u8',
  connected: 'u8',
  /** The transport's own control block (tcpcb), 0 for none. */
  ppcb: 'ptr',
  /** Route that was used last, as of a generation of the table. */
  route: 'ptr',
  routeGeneration: 'u32',
});
export type Inpcb = ViewOf<typeof inpcbStruct>;
export const inpcbs = slab(inpcbStruct, 16_384);
const LINK = inpcbStruct.offsets.next;

/** Tables of bound ports, by offset in the stack's record. */
export const UDP_TABLE = stackStruct.offsets.udpBound;
export const TCP_TABLE = stackStruct.offsets.tcpBound;

/** A control block for a socket; 0 when the slab is full. */
export function inpcbAttach(so: Socket): number {
  const ptr = inpcbs.alloc();
  if (ptr === 0) return 0;
  const inp = inpcbs.get(ptr);
  inp.socket = so.ptr;
  inp.stack = so.stack;
  inp.ttl = sysctlValue(so.stack, SYSCTL.ipTtl);
  so.pcb = ptr;
  return ptr;
}

/** Frees a control block that is in no table any more. */
export function inpcbFree(inp: Inpcb): void {
  if (inp.socket !== 0) sockets.get(inp.socket).pcb = 0;
  inpcbs.free(inp.ptr);
}

function conflicts(stack: number, table: number, address: number, port: number, shared: boolean): boolean {
  for (let ptr = hashFirst(stack + table, BOUND_BUCKETS, port); ptr !== 0; ptr = inpcbs.get(ptr).next) {
    const other = inpcbs.get(ptr);
    if (other.localPort !== port) continue;
    if (other.local !== address && other.local !== 0 && address !== 0) continue;
    const options = other.socket === 0 ? SO_REUSEADDR : sockets.get(other.socket).options;
    if (!shared || (options & (SO_REUSEADDR | SO_REUSEPORT)) === 0) return true;
  }
  return false;
}

/**
 * Binds to a port (0: an ephemeral one) of an address (0: any).
 * @returns 0, EINVAL if bound already, EADDRNOTAVAIL if the address is none of ours, EADDRINUSE
 */
export function inpcbBind(inp: Inpcb, table: number, address: number, port: number): number {
  if (inp.bound !== 0) return ERRNO.EINVAL;
  const stack = stacks.get(inp.stack);
  if (address !== 0 && !isMulticast(address) && !isOwnOrBroadcast(stack, address)) return ERRNO.EADDRNOTAVAIL;
  const options = sockets.get(inp.socket).options;
  const shared = (options & (SO_REUSEADDR | SO_REUSEPORT)) !== 0;
  let chosen = port;
  if (port === 0) {
    chosen = ephemeralPort(stack, table, address);
    if (chosen === 0) return ERRNO.EADDRNOTAVAIL;
  } else if (conflicts(inp.stack, table, address, port, shared)) return ERRNO.EADDRINUSE;
  inp.local = address;
  inp.localPort = chosen;
  enterBound(inp, table);
  return 0;
}

function isOwnOrBroadcast(stack: Stack, address: number): boolean {
  if (interfaceWithAddress(stack, address) !== 0) return true;
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
    if (isBroadcast(ifnets.get(ptr), address)) return true;
  }
  return false;
}

/** Enters a block whose localPort is set into the table of bound ports. */
export function enterBound(inp: Inpcb, table: number): void {
  inp.bound = 1;
  hashInsert(inp.stack + table, BOUND_BUCKETS, inp.localPort, inp.ptr, LINK);
}

export function leaveBound(inp: Inpcb, table: number): void {
  if (inp.bound === 0) return;
  inp.bound = 0;
  hashRemove(inp.stack + table, BOUND_BUCKETS, inp.localPort, inp.ptr, LINK);
}

/** A free ephemeral port, beginning at a random one (RFC 6056 §3.3.1) and going on from the last; 0 when all are taken. */
function ephemeralPort(stack: Stack, table: number, address: number): number {
  const low = sysctlValue(stack.ptr, SYSCTL.ipAnonPortMin);
  const high = Math.max(low, sysctlValue(stack.ptr, SYSCTL.ipAnonPortMax));
  const range = high - low + 1;
  if (stack.ephemeral === 0)
    stack.ephemeral = (random32(stack.ptr + stackStruct.offsets.random) >>> 0) % range;
  for (let i = 0; i < range; i++) {
    stack.ephemeral = (stack.ephemeral + 1) % range;
    const port = low + stack.ephemeral;
    if (!conflicts(stack.ptr, table, address, port, false)) return port;
  }
  return 0;
}

/**
 * The block bound to a local port that matches best: connected to this very peer, bound to this very address, bound to any. 0 if there is none.
 */
export function lookupBound(
  stack: number,
  table: number,
  local: number,
  localPort: number,
  foreign: number,
  foreignPort: number,
): number {
  let best = 0;
  let bestScore = -1;
  for (let ptr = hashFirst(stack + table, BOUND_BUCKETS, localPort); ptr !== 0;) {
    const inp = inpcbs.get(ptr);
    if (inp.localPort === localPort) {
      const score = matchScore(inp, local, foreign, foreignPort);
      if (score > bestScore) {
        best = ptr;
        bestScore = score;
      }
    }
    ptr = inp.next;
  }
  return best;
}

function matchScore(inp: Inpcb, local: number, foreign: number, foreignPort: number): number {
  let score = 0;
  if (inp.local !== 0) {
    if (inp.local !== local) return -1;
    score += 1;
  }
  if (inp.foreign !== 0) {
    if (inp.foreign !== foreign || inp.foreignPort !== foreignPort) return -1;
    score += 2;
  }
  return score;
}

/** All blocks bound to a port, for datagrams that go to everybody: calls back for each that matches. */
export function eachBound(
  stack: number,
  table: number,
  local: number,
  localPort: number,
  visit: (inp: Inpcb) => void,
  foreign: number,
  foreignPort: number,
): void {
  for (let ptr = hashFirst(stack + table, BOUND_BUCKETS, localPort); ptr !== 0;) {
    const inp = inpcbs.get(ptr);
    ptr = inp.next;
    if (inp.localPort === localPort && matchScore(inp, local, foreign, foreignPort) >= 0) visit(inp);
  }
}

/** The route to a destination (0: none, or an address of our own), kept in the control block until routes or addresses change. */
export function inpcbRoute(inp: Inpcb, destination: number): number {
  const stack = stacks.get(inp.stack);
  if (inp.route !== 0 && inp.routeGeneration === stack.routeGeneration && destination === inp.foreign)
    return inp.route;
  const route = interfaceWithAddress(stack, destination) !== 0 ? 0 : lookupRoute(stack, destination);
  if (destination === inp.foreign) {
    inp.route = route;
    inp.routeGeneration = stack.routeGeneration;
  }
  return route;
}

/** Own address to use towards a destination: that of the outgoing interface that fits best, 0 if there is no route or no address. */
export function sourceFor(stack: Stack, destination: number): number {
  if (interfaceWithAddress(stack, destination) !== 0) return destination;
  const ptr = lookupRoute(stack, destination);
  if (ptr === 0) return 0;
  const route = routes.get(ptr);
  return sourceOnInterface(route.interface, route.gateway === 0 ? destination : route.gateway);
}

/** The address of an interface that shares a network with `nexthop`, else its first one. */
export function sourceOnInterface(ifptr: number, nexthop: number): number {
  const first = ifnets.get(ifptr).addresses;
  for (let ptr = first; ptr !== 0; ptr = ifaddrs.get(ptr).next) {
    const entry = ifaddrs.get(ptr);
    if (((entry.address ^ nexthop) & entry.netmask) === 0) return entry.address;
  }
  return first === 0 ? 0 : ifaddrs.get(first).address;
}

/** Hash of a connection, for the table of connections. */
export function connectionHash(
  local: number,
  localPort: number,
  foreign: number,
  foreignPort: number,
): number {
  return mix3(local, foreign, (localPort << 16) | foreignPort);
}

/** Leaves an entry of a packet, if it is followed, that has reached the socket of this block with so many bytes of data (journey.ts). */
export function stationAtInpcb(m: number, what: Station, inp: Inpcb, bytes: number): void {
  if (!isFollowed(m)) return;
  const { protocol } = sockets.get(inp.socket);
  stationAtSocket(m, what, inp.stack, bytes, protocol, inp.local, inp.localPort);
}

/** The options of IP that all transports share. */
export function setIpOption(inp: Inpcb, option: number, value: number): number {
  if (option === IP_TTL) {
    if (value < 1 || value > 255) return ERRNO.EINVAL;
    inp.ttl = value;
    return 0;
  }
  if (option === IP_TOS) {
    inp.tos = value & 0xff;
    return 0;
  }
  return ERRNO.ENOPROTOOPT;
}

export function getIpOption(inp: Inpcb, option: number): number | undefined {
  if (option === IP_TTL) return inp.ttl;
  return option === IP_TOS ? inp.tos : undefined;
}

/** Own address and port and the peer's, for getsockname and getpeername. */
export function inpcbNames(inp: Inpcb): {
  local: number;
  localPort: number;
  foreign: number;
  foreignPort: number;
} {
  const { local, localPort, foreign, foreignPort } = inp;
  return { local, localPort, foreign, foreignPort };
}
