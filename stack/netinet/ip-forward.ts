/**
 * Forwarding IPv4 packets (RFC 1812 §5): time to live, route, redirect, and the ICMP errors that say why a packet goes no further.
 */
import { be16, u8 } from '../memory/memory.ts';
import { mFree, mbuf } from '../memory/mbuf.ts';
import { mWritableFront } from '../memory/mbuf-chain.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ifaddrs, ifnets, isBroadcast } from '../net/ifnet.ts';
import { STATION, station } from '../net/journey.ts';
import { RTF_BLACKHOLE, RTF_REJECT, lookupRoute, routes } from '../net/route.ts';
import type { Route } from '../net/route.ts';
import { count, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { setUnreachableHandler } from './arp.ts';
import {
  ICMP_REDIRECT,
  ICMP_TIMXCEED,
  ICMP_UNREACH,
  REDIRECT_HOST,
  TIMXCEED_INTRANS,
  UNREACH_HOST,
  UNREACH_NEEDFRAG,
  UNREACH_NET,
  icmpError,
  icmpErrorAbout,
} from './icmp-error.ts';
import { IP_DF, IP_DST, IP_OFF, IP_SRC, IP_TTL_AT, addressAt, isLinkLocal } from './ip.ts';
import { createFlow, readFlowKey } from './ip-flow.ts';
import type { FlowKey } from './ip-flow.ts';
import { ipRoute } from './ip-output.ts';

const LOOPBACK_NET = 127;

function drop(stack: Stack, m: number, stat: number): void {
  count(stack.ptr, stat);
  station(m, STATION.drop, stack.ptr, stat);
  mFree(m);
}

/** Sends a packet on that is not for this host. `linkBroadcast`: it came as a broadcast of the link and must not be spread. */
export function ipForward(stack: Stack, packet: number, linkBroadcast: boolean): void {
  const destination = addressAt(mbuf(packet).data + IP_DST);
  // RFC 3927 §2.7: whatever its TTL.
  const onLink = isLinkLocal(destination) || isLinkLocal(addressAt(mbuf(packet).data + IP_SRC));
  if (onLink || linkBroadcast || destination >>> 24 === LOOPBACK_NET || destination >>> 24 === 0) {
    drop(stack, packet, STAT.ipCantForward);
    return;
  }
  const header = (u8[mbuf(packet).data]! & 15) << 2;
  if (u8[mbuf(packet).data + IP_TTL_AT]! <= 1) {
    icmpError(stack.ptr, packet, ICMP_TIMXCEED, TIMXCEED_INTRANS, 0);
    return;
  }
  const ptr = lookupRoute(stack, destination);
  if (ptr === 0) {
    count(stack.ptr, STAT.ipCantForward);
    icmpError(stack.ptr, packet, ICMP_UNREACH, UNREACH_NET, 0);
    return;
  }
  const route = routes.get(ptr);
  if (!permitted(stack, packet, route, destination)) return;
  const m = mWritableFront(packet, header);
  if (m === 0) {
    count(stack.ptr, STAT.ipNoBuffers);
    return;
  }
  redirectIfNearer(stack, m, route, destination);
  readFlowKey(flowKey, mbuf(m).data, header);
  const from = mbuf(m).rcvif;
  u8[mbuf(m).data + IP_TTL_AT]!--;
  count(stack.ptr, STAT.ipForward);
  station(m, STATION.forward, stack.ptr, ifnets.get(route.interface).index);
  const status = ipRoute(stack, m, destination, ptr, true);
  // While filters want to see every packet no flow is used.
  if (status === 0 && stack.activeFilters === 0) createFlow(stack, flowKey, route, from);
}
const flowKey: FlowKey = { destination: 0, source: 0, tos: 0, possible: 0 };

/** Refuses what the route, or the size of the packet, does not allow; the packet is gone then. */
function permitted(stack: Stack, m: number, route: Route, destination: number): boolean {
  const ifp = ifnets.get(route.interface);
  if ((route.flags & RTF_BLACKHOLE) !== 0) {
    station(m, STATION.drop, stack.ptr, STAT.ipNoRoute);
    mFree(m);
    return false;
  }
  const directed = sysctlValue(stack.ptr, SYSCTL.ipDirectedBroadcast) === 0 && isBroadcast(ifp, destination);
  if (directed || (route.flags & RTF_REJECT) !== 0 || (ifp.flags & IFF.UP) === 0) {
    if (directed) drop(stack, m, STAT.ipCantForward);
    else {
      count(stack.ptr, STAT.ipCantForward);
      icmpError(stack.ptr, m, ICMP_UNREACH, UNREACH_HOST, 0);
    }
    return false;
  }
  if (mbuf(m).pktLen > ifp.mtu && (be16(mbuf(m).data + IP_OFF) & IP_DF) !== 0) {
    count(stack.ptr, STAT.ipCantFrag);
    icmpError(stack.ptr, m, ICMP_UNREACH, UNREACH_NEEDFRAG, ifp.mtu);
    return false;
  }
  return true;
}

/** A sender on the network over which the packet leaves again can reach the next hop itself (RFC 1812 §5.2.7.2). */
function redirectIfNearer(stack: Stack, m: number, route: Route, destination: number): void {
  const view = mbuf(m);
  if (route.interface !== view.rcvif || sysctlValue(stack.ptr, SYSCTL.ipRedirect) === 0) return;
  const source = addressAt(view.data + IP_SRC);
  for (let ptr = ifnets.get(route.interface).addresses; ptr !== 0; ptr = ifaddrs.get(ptr).next) {
    const entry = ifaddrs.get(ptr);
    if (((entry.address ^ source) & entry.netmask) !== 0) continue;
    count(stack.ptr, STAT.ipRedirectSent);
    icmpErrorAbout(
      stack.ptr,
      m,
      ICMP_REDIRECT,
      REDIRECT_HOST,
      route.gateway !== 0 ? route.gateway : destination,
    );
    return;
  }
}

/** A next hop does not answer: whoever sent a packet for it that was forwarded is told; our own programs find out by themselves. */
function onUnreachable(stack: number, m: number): void {
  if (mbuf(m).rcvif === 0) mFree(m);
  else icmpError(stack, m, ICMP_UNREACH, UNREACH_HOST, 0);
}

/** Makes forwarding part of the stack in this thread. */
export function installForwarding(): void {
  setUnreachableHandler(onUnreachable);
}
