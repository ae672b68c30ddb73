/**
 * Receiving ICMP (RFC 792, RFC 1122 §3.2.2): answers echo requests, tells transports of errors about what they sent, follows redirects, and shows all
 * but echo requests to raw sockets.
 */
import { be16, putBe16, u8 } from '../memory/memory.ts';
import { putChecksum, sumChain } from '../memory/checksum.ts';
import { M_BCAST, M_MCAST, mFree, mbuf } from '../memory/mbuf.ts';
import { mPullup, mTrimFront, mWritableFront } from '../memory/mbuf-chain.ts';
import { IPPROTO_ICMP } from '../runtime/messages/request.ts';
import { ifnets, interfaceWithAddress } from '../net/ifnet.ts';
import { CONSUMED_ICMP, STATION, endJourney, station } from '../net/journey.ts';
import { RTF_GATEWAY, addRoute, exactRoute, lookupRoute, routes } from '../net/route.ts';
import { count, stacks, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import {
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_HEADER,
  ICMP_REDIRECT,
  ICMP_TIMXCEED,
  ICMP_UNREACH,
  UNREACH_NEEDFRAG,
} from './icmp-error.ts';
import { sourceOnInterface } from './inpcb.ts';
import { IP_DST, IP_HEADER, IP_PROTO, IP_SRC, addressAt } from './ip.ts';
import { ipOutput } from './ip-output.ts';
import { setTransport, transportControl } from './protocols.ts';
import type { ControlEvent } from './protocols.ts';
import { rawDeliver } from './raw.ts';

/** What an error quotes: an IP header with options and 8 bytes. */
const QUOTE = 60 + 8;

function drop(stack: number, m: number, stat: number): void {
  count(stack, stat);
  station(m, STATION.drop, stack, stat);
  mFree(m);
}

function icmpInput(stack: number, packet: number, header: number): void {
  const length = mbuf(packet).pktLen - header;
  if (length < ICMP_HEADER) {
    drop(stack, packet, STAT.icmpTooShort);
    return;
  }
  const m = mPullup(packet, Math.min(header + ICMP_HEADER + Math.min(QUOTE, length - ICMP_HEADER), 160));
  if (m === 0) return;
  if (sumChain(m, header, length, 0) !== 0xffff) {
    drop(stack, m, STAT.icmpBadSum);
    return;
  }
  const q = mbuf(m).data + header;
  const type = u8[q]!;
  station(m, STATION.consumed, stack, CONSUMED_ICMP | type);
  if (type === ICMP_ECHO) {
    count(stack, STAT.icmpInEcho);
    answerEcho(stacks.get(stack), m, header);
    return;
  }
  if (type === ICMP_ECHOREPLY) count(stack, STAT.icmpInEchoReply);
  else if (type === ICMP_UNREACH) handleUnreachable(stack, q, length);
  else if (type === ICMP_TIMXCEED) {
    count(stack, STAT.icmpInTimeExceeded);
    tellTransport(stack, 'time-exceeded', q + ICMP_HEADER, length - ICMP_HEADER, 0);
  } else if (type === ICMP_REDIRECT) followRedirect(stacks.get(stack), m, q, length);
  rawDeliver(stack, m);
  mFree(m);
}

/** Turns a request into its answer in place: the data stays where it is. */
function answerEcho(stack: Stack, packet: number, header: number): void {
  const view = mbuf(packet);
  const source = addressAt(view.data + IP_SRC);
  const destination = addressAt(view.data + IP_DST);
  const own = interfaceWithAddress(stack, destination) !== 0;
  const wide = !own || (view.flags & (M_BCAST | M_MCAST)) !== 0;
  if (wide && sysctlValue(stack.ptr, SYSCTL.icmpBroadcastEcho) === 0) {
    drop(stack.ptr, packet, STAT.icmpBroadcastEcho);
    return;
  }
  const tos = u8[view.data + 1]!;
  const from = own ? destination : sourceOnInterface(view.rcvif, source);
  mTrimFront(packet, header);
  const m = mWritableFront(packet, ICMP_HEADER);
  if (m === 0) return;
  const q = mbuf(m).data;
  u8[q] = ICMP_ECHOREPLY;
  putBe16(q + 2, 0);
  putChecksum(q + 2, sumChain(m, 0, mbuf(m).pktLen, 0));
  mbuf(m).flags &= ~(M_BCAST | M_MCAST);
  // From here on it is a packet of our own, with a journey of its own.
  mbuf(m).rcvif = 0;
  endJourney(m);
  count(stack.ptr, STAT.icmpReflect);
  count(stack.ptr, STAT.icmpOutEchoReply);
  ipOutput(stack.ptr, m, from, source, IPPROTO_ICMP, sysctlValue(stack.ptr, SYSCTL.ipTtl), tos, 0, 0);
}

const UNREACHABLE: readonly ControlEvent[] = [
  'unreachable-network',
  'unreachable-host',
  'unreachable-protocol',
  'unreachable-port',
  'too-big',
  'unreachable-host',
  'unreachable-network',
  'unreachable-host',
  'unreachable-host',
  'prohibited',
  'prohibited',
  'unreachable-network',
  'unreachable-host',
  'prohibited',
];

function handleUnreachable(stack: number, q: number, length: number): void {
  count(stack, STAT.icmpInUnreach);
  const code = u8[q + 1]!;
  const event = UNREACHABLE[code];
  if (event === undefined) {
    count(stack, STAT.icmpBadCode);
    return;
  }
  const mtu = code === UNREACH_NEEDFRAG ? be16(q + 6) : 0;
  tellTransport(stack, event, q + ICMP_HEADER, length - ICMP_HEADER, mtu);
}

/** Tells the transport whose packet is quoted at `ip`. */
function tellTransport(stack: number, event: ControlEvent, ip: number, length: number, mtu: number): void {
  const header = (u8[ip]! & 15) << 2;
  if (length < IP_HEADER || header < IP_HEADER || length < header + 8) {
    count(stack, STAT.icmpBadLen);
    return;
  }
  transportControl(u8[ip + IP_PROTO]!)?.(stack, event, ip, mtu);
}

/** A better first hop for a destination (RFC 1122 §3.2.2.2): believed only from the gateway in use, and only for a neighbour. */
function followRedirect(stack: Stack, m: number, q: number, length: number): void {
  if (length < ICMP_HEADER + IP_HEADER) {
    count(stack.ptr, STAT.icmpBadLen);
    return;
  }
  const view = mbuf(m);
  const sender = addressAt(view.data + IP_SRC);
  const gateway = addressAt(q + 4);
  const destination = addressAt(q + ICMP_HEADER + IP_DST);
  const present = lookupRoute(stack, destination);
  if (present === 0 || exactRoute(stack, destination, 32) !== 0) return;
  const route = routes.get(present);
  const neighbour = lookupRoute(stack, gateway);
  const believable =
    route.gateway === sender && neighbour !== 0 && (routes.get(neighbour).flags & RTF_GATEWAY) === 0;
  if (!believable || ifnets.get(view.rcvif).ptr !== route.interface) return;
  const direct = gateway === destination ? 0 : gateway;
  addRoute(stack, {
    network: destination,
    length: 32,
    gateway: direct,
    interface: route.interface,
    flags: RTF_DYNAMIC,
  });
}
const RTF_DYNAMIC = 0x10;

/** Makes ICMP part of the stack in this thread. */
export function installIcmp(): void {
  setTransport(IPPROTO_ICMP, icmpInput, () => undefined);
}
