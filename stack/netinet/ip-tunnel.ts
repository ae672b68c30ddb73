/**
 * What the tunnels of gif(4) and gre(4) share: point-to-point interfaces whose packets travel as the payload of IPv4 packets between two outer addresses
 * (RFC 2003, RFC 2893 §3, RFC 2784). The outer header's type of service is the inner one's without the bits of congestion notification; it may be
 * fragmented on its way. Everything here runs in the stack context.
 */
import { u8 } from '../memory/memory.ts';
import {
  CSUM_IP_GOOD,
  CSUM_TRANSPORT_GOOD,
  M_BCAST,
  M_MCAST,
  mFree,
  mFreeList,
  mbuf,
} from '../memory/mbuf.ts';
import { mPrepend, mPullup, mTrimFront } from '../memory/mbuf-chain.ts';
import { dequeueAll } from '../memory/queue.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { now } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { SLOG } from '../runtime/messages/severity.ts';
import { expectWords, registerCloner } from '../net/cloner.ts';
import type { Settings } from '../net/cloner.ts';
import { ETHERTYPE_IP, inputLocal } from '../net/ethernet.ts';
import {
  announceEvent,
  countOutput,
  ifAttach,
  ifnets,
  interfaceName,
  isMulticast,
  onInterfaceEvent,
  registerDriver,
  sendQueue,
} from '../net/ifnet.ts';
import type { Driver, Ifnet } from '../net/ifnet.ts';
import { STATION, station } from '../net/journey.ts';
import { logStack } from '../net/log.ts';
import { count, stacks, sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { INBOUND, OUTBOUND, tapPacket } from '../net/tap.ts';
import { IP_DST, IP_HEADER, IP_SRC, IP_TOS_AT, addressAt, addressText, parseAddress } from './ip.ts';
import { unclaimed } from './ip-input.ts';
import { ipOutput } from './ip-output.ts';
import { setTransport } from './protocols.ts';

const tunnelStruct = struct('tunnel', {
  /** Next tunnel of the stack. */
  next: 'ptr',
  nextpkt: 'ptr',
  interface: 'ptr',
  /** Outer addresses, host order; 0 while it has none. */
  source: 'u32',
  destination: 'u32',
  /** IP protocol of the outer packets. */
  protocol: 'u8',
  /** 1 while a packet of it is on its way down. */
  busy: 'u8',
  /** 1 when the log says that its packets come back to it. */
  looping: 'u8',
  /** ICMP errors about its outer packets. */
  icmpErrors: 'f64',
});
type Tunnel = ViewOf<typeof tunnelStruct>;
const tunnels = slab(tunnelStruct, 4096);

/** Bits of the type of service that are congestion notification (RFC 3168). */
const ECN = 3;

/** What makes a kind of tunnel. */
export interface TunnelKind {
  /** Base name of its interfaces. */
  readonly name: string;
  readonly description: string;
  readonly driver: number;
  readonly type: number;
  readonly flags: number;
  /** IP protocol of the outer packets. */
  readonly protocol: number;
  readonly mtu: number;
  readonly mtuMax: number;
  /** Variable with the outer time to live (SYSCTL.*). */
  readonly ttl: number;
  /** Bytes of its own header, which `writeHeader` fills in. */
  readonly headerBytes: number;
  writeHeader(p: number): void;
  /**
   * Looks at its header in a packet that begins with `header` bytes of outer IP header and returns how many bytes it has; -1 if it is none that can be
   * taken. The bytes of both headers are contiguous as far as the packet goes.
   */
  readHeader(m: number, header: number): number;
}

function tunnelOf(ifp: Ifnet): Tunnel {
  return tunnels.get(ifp.softc);
}

function findTunnel(stack: Stack, protocol: number, source: number, destination: number): number {
  for (let ptr = stack.tunnels; ptr !== 0; ptr = tunnels.get(ptr).next) {
    const tunnel = tunnels.get(ptr);
    if (tunnel.protocol !== protocol || tunnel.source !== source) continue;
    if (tunnel.destination === destination && source !== 0) return ptr;
  }
  return 0;
}

/** A packet's route leads back into the tunnel that it has just left: the first one is worth a line in the log. */
function dropLoop(ifp: Ifnet, tunnel: Tunnel, m: number): number {
  count(ifp.stack, STAT.tunnelLoops);
  station(m, STATION.drop, ifp.stack, STAT.tunnelLoops);
  mFree(m);
  if (tunnel.looping === 0) {
    const text = `${interfaceName(ifp)}: the route to ${addressText(tunnel.destination)} leads through the tunnel itself`;
    logStack(ifp.stack, SLOG.error, text);
  }
  tunnel.looping = 1;
  return ERRNO.ENETUNREACH;
}

function refuse(m: number, errno: number): number {
  mFree(m);
  return errno;
}

/** Sends a packet through the tunnel. Returns 0 or an errno. */
function output(kind: TunnelKind, ifp: Ifnet, packet: number): number {
  const tunnel = tunnelOf(ifp);
  if ((ifp.flags & (IFF.UP | IFF.RUNNING)) !== (IFF.UP | IFF.RUNNING)) return refuse(packet, ERRNO.ENETDOWN);
  if (tunnel.busy !== 0) return dropLoop(ifp, tunnel, packet);
  if (ifp.taps !== 0) tapPacket(ifp.taps, packet, OUTBOUND, now());
  station(packet, STATION.tunnel, ifp.ptr, OUTBOUND);
  const { data, pktLen } = mbuf(packet);
  const tos = u8[data + IP_TOS_AT]! & ~ECN;
  const m = kind.headerBytes === 0 ? packet : mPrepend(packet, kind.headerBytes);
  if (m === 0) return failed(ifp, ERRNO.ENOBUFS);
  const view = mbuf(m);
  if (kind.headerBytes > 0) kind.writeHeader(view.data);
  // From here on it is a packet of our own.
  view.rcvif = 0;
  view.flags &= ~(M_BCAST | M_MCAST);
  const ttl = sysctlValue(ifp.stack, kind.ttl);
  tunnel.busy = 1;
  const status = ipOutput(ifp.stack, m, tunnel.source, tunnel.destination, kind.protocol, ttl, tos, 0, 0);
  tunnel.busy = 0;
  if (status !== 0) return failed(ifp, status);
  tunnel.looping = 0;
  count(ifp.stack, STAT.tunnelOut);
  countOutput(ifp, 1, pktLen);
  return 0;
}

function failed(ifp: Ifnet, errno: number): number {
  ifp.oerrors++;
  return errno;
}

/** A packet for a tunnel has come in: out of its outer header, and into the stack once more. */
function input(kind: TunnelKind, stack: number, packet: number, header: number): void {
  const p = mbuf(packet).data;
  const ptr = findTunnel(stacks.get(stack), kind.protocol, addressAt(p + IP_DST), addressAt(p + IP_SRC));
  const ifp = ptr === 0 ? undefined : ifnets.get(tunnels.get(ptr).interface);
  if (ifp === undefined || (ifp.flags & IFF.UP) === 0) {
    count(stack, STAT.tunnelNone);
    unclaimed(stack, packet);
    return;
  }
  const m = innerPacket(kind, packet, header);
  if (m === 0) {
    count(stack, STAT.tunnelBad);
    ifp.ierrors++;
    return;
  }
  count(stack, STAT.tunnelIn);
  const view = mbuf(m);
  view.flags &= ~(M_BCAST | M_MCAST);
  // What was found good are the sums of the outer packet.
  view.csum &= ~(CSUM_IP_GOOD | CSUM_TRANSPORT_GOOD);
  station(m, STATION.tunnel, ifp.ptr, INBOUND);
  if (ifp.taps !== 0) tapPacket(ifp.taps, m, INBOUND, now());
  inputLocal(ifp, m, ETHERTYPE_IP);
}

/** The IPv4 packet inside, its header contiguous; 0 (all freed) if there is none. */
function innerPacket(kind: TunnelKind, packet: number, header: number): number {
  const wanted = Math.min(header + kind.headerBytes + MOST_OPTIONS, mbuf(packet).pktLen);
  let m = mPullup(packet, wanted);
  if (m === 0) return 0;
  const own = kind.readHeader(m, header);
  if (own < 0 || mbuf(m).pktLen < header + own + IP_HEADER) {
    mFree(m);
    return 0;
  }
  mTrimFront(m, header + own);
  m = mPullup(m, IP_HEADER);
  if (m !== 0 && u8[mbuf(m).data]! >>> 4 === 4) return m;
  mFree(m);
  return 0;
}
/** Optional fields that a tunnel's header may have in front of the packet, bytes. */
const MOST_OPTIONS = 4;

/** A tunnel works while it is up and has addresses. */
function followState(ifp: Ifnet): void {
  const works = (ifp.flags & IFF.UP) !== 0 && tunnelOf(ifp).source !== 0;
  ifp.flags = works ? ifp.flags | IFF.RUNNING : ifp.flags & ~IFF.RUNNING;
}

function setTunnel(ifp: Ifnet, source: number, destination: number): void {
  const tunnel = tunnelOf(ifp);
  tunnel.source = source;
  tunnel.destination = destination;
  tunnel.looping = 0;
  const before = ifp.flags;
  followState(ifp);
  if (ifp.flags !== before) announceEvent(ifp, (ifp.flags & IFF.RUNNING) !== 0 ? 'up' : 'down');
}

/** An end of a tunnel from text. Throws SystemError. */
function outerAddress(text: string): number {
  const address = parseAddress(text);
  if (address === undefined) throw new SystemError(ERRNO.EINVAL, `tunnel: ${text} is not an IPv4 address`);
  if (address === 0 || address >>> 28 === 15 || isMulticast(address))
    throw new SystemError(ERRNO.EADDRNOTAVAIL, `tunnel: ${text} is no address of a host`);
  return address;
}

function configure(kind: TunnelKind, ifp: Ifnet, settings: Settings): void {
  expectWords(ifp, settings, ['tunnel', 'deletetunnel']);
  const { tunnel, deletetunnel } = settings;
  if (tunnel !== undefined && deletetunnel !== undefined)
    throw new SystemError(ERRNO.EINVAL, "'tunnel' and 'deletetunnel' exclude each other");
  if (tunnel === undefined) {
    setTunnel(ifp, 0, 0);
    return;
  }
  const [source = 0, destination = 0] = tunnel.split(' ').map(outerAddress);
  if (source === destination)
    throw new SystemError(ERRNO.EINVAL, `tunnel: both ends are ${addressText(source)}`);
  const other = findTunnel(stacks.get(ifp.stack), kind.protocol, source, destination);
  if (other !== 0 && other !== ifp.softc) {
    const name = interfaceName(ifnets.get(tunnels.get(other).interface));
    throw new SystemError(
      ERRNO.EADDRINUSE,
      `tunnel: ${name} is the one from ${addressText(source)} to ${addressText(destination)}`,
    );
  }
  setTunnel(ifp, source, destination);
}

function describe(ifp: Ifnet): string[] {
  const { source, destination } = tunnelOf(ifp);
  return source === 0 ? [] : [`tunnel inet ${addressText(source)} --> ${addressText(destination)}`];
}

function create(kind: TunnelKind, stack: Stack, name: string): number {
  const softc = tunnels.alloc();
  if (softc === 0) return 0;
  const { type, driver, flags, mtu, mtuMax } = kind;
  const ptr = ifAttach(stack, { name, type, driver, flags, mtu, mtuMax });
  if (ptr === 0) {
    tunnels.free(softc);
    return 0;
  }
  const tunnel = tunnels.get(softc);
  tunnel.interface = ptr;
  tunnel.protocol = kind.protocol;
  tunnel.next = stack.tunnels;
  stack.tunnels = softc;
  ifnets.get(ptr).softc = softc;
  return ptr;
}

/** Takes the record of an interface that goes from its stack. No thread works meanwhile. */
function detach(ifp: Ifnet): void {
  const stack = stacks.get(ifp.stack);
  if (stack.tunnels === ifp.softc) stack.tunnels = tunnelOf(ifp).next;
  else {
    let at = tunnels.get(stack.tunnels);
    while (at.next !== ifp.softc) at = tunnels.get(at.next);
    at.next = tunnelOf(ifp).next;
  }
  tunnels.free(ifp.softc);
}

/** An ICMP error about an outer packet, quoted at `ip`: its tunnel counts it. */
function onIcmpError(kind: TunnelKind, stack: number, ip: number): void {
  const ptr = findTunnel(stacks.get(stack), kind.protocol, addressAt(ip + IP_SRC), addressAt(ip + IP_DST));
  if (ptr === 0) return;
  tunnels.get(ptr).icmpErrors++;
  count(stack, STAT.tunnelIcmpErrors);
}

function driverFor(kind: TunnelKind): Driver {
  return {
    name: kind.name,
    description: kind.description,
    init(ifp) {
      followState(ifp);
      return 0;
    },
    stop(ifp) {
      ifp.flags &= ~IFF.RUNNING;
    },
    start: (ifp) => mFreeList(dequeueAll(sendQueue(ifp))),
    ioctl: () => 0,
    process: () => true,
    enable: () => false,
    detach,
    carrier: (ifp) => tunnelOf(ifp).source !== 0,
    statistics: (ifp) => ({
      txed_ok: ifp.opackets,
      rxed_ok: ifp.ipackets,
      icmp_errors: tunnelOf(ifp).icmpErrors,
    }),
    configuration(ifp) {
      const { source, destination } = tunnelOf(ifp);
      return { source: addressText(source), destination: addressText(destination) };
    },
    output: (ifp, m) => output(kind, ifp, m),
  };
}

/** Makes a kind of tunnel part of the stack in this thread. */
export function installTunnel(kind: TunnelKind): void {
  registerDriver(kind.driver, driverFor(kind));
  registerCloner({
    name: kind.name,
    driver: kind.driver,
    hcOnly: true,
    create: (stack, name) => create(kind, stack, name),
    configure: (ifp, settings) => configure(kind, ifp, settings),
    describe,
  });
  setTransport(
    kind.protocol,
    (stack, m, header) => input(kind, stack, m, header),
    (stack, _event, ip) => onIcmpError(kind, stack, ip),
  );
  onInterfaceEvent((ifp, event) => {
    if (event === 'leaving' && ifp.driver === kind.driver) setTunnel(ifp, 0, 0);
  });
}
