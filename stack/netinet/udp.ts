/**
 * UDP (RFC 768, RFC 1122 §4.1): datagrams to the socket that matches best, to all that match for broadcasts, ICMP errors to whoever is connected.
 */
import { be16, putBe16, putBe32, region, selfThread, maxThreads, u8 } from '../memory/memory.ts';
import { pseudoSum, putChecksum, sumChain } from '../memory/checksum.ts';
import { CSUM_TRANSPORT_GOOD, M_BCAST, M_MCAST, mFree, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mPrepend, mPullup, mSharePacket, mTrimFront, mTrimTo } from '../memory/mbuf-chain.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { IPPROTO_IP, IPPROTO_UDP, SO_BROADCAST } from '../runtime/messages/request.ts';
import { ifnets, isBroadcast, isMulticast } from '../net/ifnet.ts';
import { registerProtocol } from '../net/protosw.ts';
import { lookupRoute, routes } from '../net/route.ts';
import {
  freeReceived,
  soError,
  soFree,
  soIsConnected,
  soIsDisconnected,
  soWake,
  sockets,
} from '../net/socket.ts';
import { STATION, station } from '../net/journey.ts';
import { rcvAppendRecord } from '../net/sockbuf.ts';
import type { Socket } from '../net/socket.ts';
import { count, stacks, sysctlValue } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { ICMP_UNREACH, UNREACH_PORT, icmpError } from './icmp-error.ts';
import {
  UDP_TABLE,
  eachBound,
  getIpOption,
  inpcbAttach,
  inpcbBind,
  inpcbFree,
  inpcbNames,
  inpcbRoute,
  inpcbs,
  leaveBound,
  lookupBound,
  setIpOption,
  stationAtInpcb,
  sourceFor,
} from './inpcb.ts';
import type { Inpcb } from './inpcb.ts';
import { IP_DST, IP_HEADER, IP_SRC, addressAt } from './ip.ts';
import { ipOutput } from './ip-output.ts';
import { setTransport } from './protocols.ts';
import type { ControlEvent } from './protocols.ts';

const UDP_HEADER = 8;
const AT_LENGTH = 4;
const AT_SUM = 6;
const LARGEST = 65_535 - IP_HEADER - UDP_HEADER;
const RECEIVE = ownerTag('socket receive');
/** Where the addresses of a pseudo header are put together: 8 bytes of this thread. */
const pseudo = region('udp pseudo header', 8 * maxThreads) + 8 * selfThread;

function drop(stack: number, m: number, stat: number): void {
  count(stack, stat);
  station(m, STATION.drop, stack, stat);
  mFree(m);
}

function udpInput(stack: number, packet: number, header: number): void {
  count(stack, STAT.udpIn);
  if (mbuf(packet).pktLen < header + UDP_HEADER) {
    drop(stack, packet, STAT.udpShort);
    return;
  }
  const m = mPullup(packet, header + UDP_HEADER);
  if (m === 0) return;
  const view = mbuf(m);
  const p = view.data;
  const length = be16(p + header + AT_LENGTH);
  if (length < UDP_HEADER || length > view.pktLen - header) {
    drop(stack, m, STAT.udpBadLen);
    return;
  }
  if (length < view.pktLen - header) mTrimTo(m, header + length);
  if (!goodChecksum(m, header, length)) {
    drop(stack, m, STAT.udpBadSum);
    return;
  }
  const destination = addressAt(p + IP_DST);
  const wide =
    (view.flags & (M_BCAST | M_MCAST)) !== 0 || isMulticast(destination) || destination === 0xffffffff;
  if (wide) deliverToAll(stack, m, header);
  else deliver(stack, m, header);
}

function goodChecksum(m: number, header: number, length: number): boolean {
  const view = mbuf(m);
  const p = view.data;
  if ((view.csum & CSUM_TRANSPORT_GOOD) !== 0 || be16(p + header + AT_SUM) === 0) return true;
  return sumChain(m, header, length, pseudoSum(p + IP_SRC, IPPROTO_UDP, length)) === 0xffff;
}

function deliver(stack: number, m: number, header: number): void {
  const p = mbuf(m).data;
  const source = addressAt(p + IP_SRC);
  const sourcePort = be16(p + header);
  const ptr = lookupBound(stack, UDP_TABLE, addressAt(p + IP_DST), be16(p + header + 2), source, sourcePort);
  if (ptr === 0) {
    count(stack, STAT.udpNoPort);
    icmpError(stack, m, ICMP_UNREACH, UNREACH_PORT, 0);
    return;
  }
  mTrimFront(m, header + UDP_HEADER);
  append(stack, inpcbs.get(ptr), m, source, sourcePort);
}

function append(stack: number, inp: Inpcb, m: number, source: number, sourcePort: number): void {
  const so = sockets.get(inp.socket);
  if (!rcvAppendRecord(so, m, source, sourcePort)) {
    drop(stack, m, STAT.udpFull);
    return;
  }
  stationAtInpcb(m, STATION.socket, inp, mbuf(m).pktLen);
  count(stack, STAT.udpDelivered);
  soWake(so);
}

function deliverToAll(stack: number, m: number, header: number): void {
  const p = mbuf(m).data;
  const source = addressAt(p + IP_SRC);
  const sourcePort = be16(p + header);
  const destination = addressAt(p + IP_DST);
  const port = be16(p + header + 2);
  mTrimFront(m, header + UDP_HEADER);
  let matches = 0;
  const visit = (inp: Inpcb): void => {
    matches++;
    const copy = mSharePacket(RECEIVE, m);
    if (copy !== 0) append(stack, inp, copy, source, sourcePort);
  };
  eachBound(stack, UDP_TABLE, destination, port, visit, source, sourcePort);
  if (matches === 0) drop(stack, m, STAT.udpNoPortBroadcast);
  else mFree(m);
}

function inpcbOf(so: Socket): Inpcb {
  return inpcbs.get(so.pcb);
}

/** Binds to an ephemeral port what is not bound yet. */
function ensureBound(inp: Inpcb): number {
  return inp.bound !== 0 ? 0 : inpcbBind(inp, UDP_TABLE, inp.local, 0);
}

function sendTo(so: Socket, m: number, to: boolean, address: number, port: number): number {
  const inp = inpcbOf(so);
  const status = checkSend(so, inp, m, to, port) || ensureBound(inp);
  if (status !== 0) {
    mFree(m);
    return status;
  }
  const destination = to ? address : inp.foreign;
  const owner = stacks.get(so.stack);
  const route = inpcbRoute(inp, destination);
  if (leavesAsBroadcast(route, destination) && (so.options & SO_BROADCAST) === 0) {
    mFree(m);
    return ERRNO.EACCES;
  }
  const source = inp.local !== 0 ? inp.local : sourceFor(owner, destination);
  const packet = mPrepend(m, UDP_HEADER);
  if (packet === 0) return ERRNO.ENOBUFS;
  writeHeader(so.stack, packet, inp.localPort, to ? port : inp.foreignPort, source, destination);
  count(so.stack, STAT.udpOut);
  return ipOutput(so.stack, packet, source, destination, IPPROTO_UDP, inp.ttl, inp.tos, 0, route);
}

function checkSend(so: Socket, inp: Inpcb, m: number, to: boolean, port: number): number {
  if (to && inp.foreign !== 0) return ERRNO.EISCONN;
  if (!to && inp.foreign === 0) return ERRNO.EDESTADDRREQ;
  if (to && port === 0) return ERRNO.EADDRNOTAVAIL;
  return mbuf(m).pktLen > LARGEST || mbuf(m).pktLen > so.sndHiwat ? ERRNO.EMSGSIZE : 0;
}

function leavesAsBroadcast(route: number, destination: number): boolean {
  if (destination === 0xffffffff) return true;
  return route !== 0 && isBroadcast(ifnets.get(routes.get(route).interface), destination);
}

function writeHeader(
  stack: number,
  m: number,
  localPort: number,
  foreignPort: number,
  source: number,
  destination: number,
): void {
  const view = mbuf(m);
  const p = view.data;
  const length = view.pktLen;
  putBe16(p, localPort);
  putBe16(p + 2, foreignPort);
  putBe16(p + AT_LENGTH, length);
  putBe16(p + AT_SUM, 0);
  if (sysctlValue(stack, SYSCTL.udpChecksum) === 0) return;
  putBe32(pseudo, source);
  putBe32(pseudo + 4, destination);
  const sum = sumChain(m, 0, length, pseudoSum(pseudo, IPPROTO_UDP, length));
  // A checksum of zero is sent as all ones: zero means that there is none.
  if (sum === 0xffff) u8.fill(0xff, p + AT_SUM, p + AT_SUM + 2);
  else putChecksum(p + AT_SUM, sum);
  view.csum |= CSUM_TRANSPORT_GOOD;
}

function detach(so: Socket): void {
  const inp = inpcbOf(so);
  leaveBound(inp, UDP_TABLE);
  inpcbFree(inp);
  freeReceived(so);
  soIsDisconnected(so);
  soFree(so);
}

function connect(so: Socket, address: number, port: number): number {
  const inp = inpcbOf(so);
  if (address === 0 && port === 0) {
    inp.foreign = 0;
    inp.foreignPort = 0;
    return 0;
  }
  if (port === 0) return ERRNO.EADDRNOTAVAIL;
  const route = lookupRoute(stacks.get(so.stack), address);
  const source = inp.local !== 0 ? inp.local : sourceFor(stacks.get(so.stack), address);
  if (source === 0 && route === 0) return ERRNO.EHOSTUNREACH;
  const status = ensureBound(inp);
  if (status !== 0) return status;
  inp.local = source;
  inp.foreign = address;
  inp.foreignPort = port;
  inp.route = 0;
  soIsConnected(so);
  return 0;
}

const ERRORS: Partial<Record<ControlEvent, number>> = {
  'unreachable-network': ERRNO.EHOSTUNREACH,
  'unreachable-host': ERRNO.EHOSTUNREACH,
  'unreachable-protocol': ERRNO.ECONNREFUSED,
  'unreachable-port': ERRNO.ECONNREFUSED,
  'too-big': ERRNO.EMSGSIZE,
  prohibited: ERRNO.EHOSTUNREACH,
};

/** An ICMP error about a datagram of ours: its connected socket learns of it. */
function udpControl(stack: number, event: ControlEvent, ip: number): void {
  const header = (u8[ip]! & 15) << 2;
  const errno = ERRORS[event];
  const foreign = addressAt(ip + IP_DST);
  const ptr = lookupBound(
    stack,
    UDP_TABLE,
    addressAt(ip + IP_SRC),
    be16(ip + header),
    foreign,
    be16(ip + header + 2),
  );
  if (ptr === 0 || errno === undefined) return;
  const inp = inpcbs.get(ptr);
  if (inp.foreign === foreign) soError(sockets.get(inp.socket), errno);
}

/** Makes UDP part of the stack in this thread. */
export function installUdp(): void {
  setTransport(IPPROTO_UDP, udpInput, udpControl);
  registerProtocol(IPPROTO_UDP, {
    name: 'udp',
    attach(so) {
      if (inpcbAttach(so) === 0) return ERRNO.ENOBUFS;
      so.sndHiwat = sysctlValue(so.stack, SYSCTL.udpSendSpace);
      so.rcvHiwat = sysctlValue(so.stack, SYSCTL.udpRecvSpace);
      return 0;
    },
    detach,
    bind: (so, address, port) => inpcbBind(inpcbOf(so), UDP_TABLE, address, port),
    listen: () => ERRNO.EOPNOTSUPP,
    connect,
    shutdown: () => 0,
    received: () => undefined,
    sendTo,
    abort: detach,
    setOption: (so, level, option, value) =>
      level === IPPROTO_IP ? setIpOption(inpcbOf(so), option, value) : ERRNO.ENOPROTOOPT,
    getOption: (so, level, option) => (level === IPPROTO_IP ? getIpOption(inpcbOf(so), option) : undefined),
    names: (so) => inpcbNames(inpcbOf(so)),
  });
}
