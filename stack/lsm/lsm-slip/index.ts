/**
 * lsm-slip: IPv4 over serial lines (RFC 1055; io-pkt, "lsm-slip.so"; sl(4)). Once it is loaded `ifconfig sl0 create` makes an interface, slattach puts it on a serial port, and
 * ifconfig gives it the addresses of both ends. Nothing is negotiated: link0 compresses headers (RFC 1144), link1 keeps ICMP off the line, link2 compresses once the other
 * end does.
 */
import { getText, putText, u8 } from '../../memory/memory.ts';
import { mFree, mFreeList, mTrailing, mbuf } from '../../memory/mbuf.ts';
import { dequeueAll, dequeueSome, enqueue, nextRecord, queueLength } from '../../memory/queue.ts';
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';
import { now } from '../../runtime/clock.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { IFF } from '../../runtime/messages/control.ts';
import { raise } from '../../runtime/source.ts';
import { expectWords, registerCloner } from '../../net/cloner.ts';
import type { Settings } from '../../net/cloner.ts';
import { ETHERTYPE_IP, queueForStack } from '../../net/ethernet.ts';
import {
  DRIVER,
  IFT_SLIP,
  announceEvent,
  countOutput,
  ifAttach,
  ifnets,
  interfaceName,
  registerDriver,
  sendQueue,
} from '../../net/ifnet.ts';
import type { Driver, Ifnet } from '../../net/ifnet.ts';
import { STATION, station } from '../../net/journey.ts';
import { DLT_SLIP } from '../../net/bpf/link-type.ts';
import { isLoaded } from '../../net/module-record.ts';
import type { ProtocolModule } from '../../net/module.ts';
import { clearPlug, plugCarrier, plugIn, plugOut, plugs } from '../../net/plug.ts';
import type { Plug } from '../../net/plug.ts';
import type { Stack } from '../../net/stack.ts';
import { INBOUND, OUTBOUND, tapPacket } from '../../net/tap.ts';
import { IP_HEADER, IP_PROTO } from '../../netinet/ip.ts';
import {
  TYPE_COMPRESSED,
  TYPE_UNCOMPRESSED,
  compressions,
  copyRebuilt,
  decompress,
  lostTrack,
  newCompression,
  rebuiltBytes,
  takeUncompressed,
} from './compress.ts';
import type { Compression } from './compress.ts';
import { SLIP_MTU_MAX, dropHalf, receiverFields, slipFrame, slipInput } from './framing.ts';

/** sl(4): an answer of a remote terminal need not wait long behind a packet of bulk data. */
const SLIP_MTU = 296;
const IPPROTO_ICMP = 1;
/** Buffers taken from the line before others get their turn. */
const BUDGET = 64;
const PORT_BYTES = 32;

const slipStruct = struct('slip', {
  ...receiverFields,
  /** Its end of the line (net/plug.ts), 0 while it is on none. */
  line: 'ptr',
  /** State of header compression (compress.ts), and 1 once the other end compresses. */
  compression: 'ptr',
  peerCompresses: 'u8',
  /** Path of the port, for those who ask. */
  port: { bytes: PORT_BYTES },
  /** Packets that could not be taken from the line: not well formed, too long, no buffer. */
  spoiled: 'f64',
  /** Packets of ICMP that were not sent (link1). */
  noIcmp: 'f64',
});
type Slip = ViewOf<typeof slipStruct>;
const slips = slab(slipStruct, 256);

function slipOf(ifp: Ifnet): Slip {
  return slips.get(ifp.softc);
}

function lineOf(ifp: Ifnet): Plug | undefined {
  const { line } = slipOf(ifp);
  return line === 0 ? undefined : plugs.get(line);
}

/** Packets go out as soon as the interface is up and on a line. */
function followState(ifp: Ifnet): void {
  const line = lineOf(ifp);
  const works = line !== undefined && (ifp.flags & IFF.UP) !== 0;
  ifp.flags = works ? ifp.flags | IFF.RUNNING : ifp.flags & ~IFF.RUNNING;
  if (line !== undefined) line.up = works ? 1 : 0;
}

function refuse(ifp: Ifnet, m: number, errno: number): number {
  station(m, STATION.drop, ifp.ptr, errno);
  ifp.oerrors++;
  mFree(m);
  return errno;
}

/** Sends a packet down the line. Returns 0 or an errno; the packet is gone in any case. In the stack context. */
function output(ifp: Ifnet, m: number): number {
  const line = lineOf(ifp);
  if (line === undefined || (ifp.flags & IFF.RUNNING) === 0) return refuse(ifp, m, ERRNO.ENETDOWN);
  const view = mbuf(m);
  if ((ifp.flags & IFF.LINK1) !== 0 && u8[view.data + IP_PROTO] === IPPROTO_ICMP) {
    slipOf(ifp).noIcmp++;
    mFree(m);
    return ERRNO.ENETUNREACH;
  }
  const { pktLen } = view;
  view.time = now();
  station(m, STATION.driverOut, ifp.ptr, 0);
  if (ifp.taps !== 0) tapPacket(ifp.taps, m, OUTBOUND, now());
  const compression = isCompressing(ifp) ? compressions.get(slipOf(ifp).compression) : undefined;
  const framed = pktLen > SLIP_MTU_MAX ? 0 : slipFrame(m, compression);
  if (framed === 0) return refuse(ifp, m, ERRNO.ENOBUFS);
  mFree(m);
  if (!enqueue(plugOut(line), framed)) {
    ifp.oerrors++;
    mFree(framed);
    return ERRNO.ENOBUFS;
  }
  countOutput(ifp, 1, pktLen);
  raise(line.link);
  return 0;
}

/** link0, or link2 and the other end has begun. */
function isCompressing(ifp: Ifnet): boolean {
  if ((ifp.flags & IFF.LINK0) !== 0) return true;
  return (ifp.flags & IFF.LINK2) !== 0 && slipOf(ifp).peerCompresses !== 0;
}

/** Makes a packet from the line the IPv4 packet that it stands for; false if it is none. */
function expand(ifp: Ifnet, m: number): boolean {
  const slip = slipOf(ifp);
  const view = mbuf(m);
  const type = u8[view.data]!;
  const state = compressions.get(slip.compression);
  if (type >= TYPE_UNCOMPRESSED) {
    if ((ifp.flags & (IFF.LINK0 | IFF.LINK2)) === 0) return false;
    if (type < TYPE_COMPRESSED) {
      if (!takeUncompressed(state, view.data, view.pktLen)) return false;
      slip.peerCompresses = 1;
    } else if (!rebuild(state, m)) return false;
  }
  return view.pktLen >= IP_HEADER && u8[view.data]! >>> 4 === 4;
}

/** Puts the whole header in the place of a compressed one; the data stays where IP headers leave it, at a multiple of 4. */
function rebuild(state: Compression, m: number): boolean {
  const view = mbuf(m);
  const { data, pktLen } = view;
  const used = decompress(state, data, pktLen);
  if (used === 0) return false;
  const header = rebuiltBytes();
  const payload = pktLen - used;
  if (mTrailing(view) < header - used) return false;
  u8.copyWithin(data + header, data + used, data + pktLen);
  copyRebuilt(data);
  view.len = header + payload;
  view.pktLen = view.len;
  return true;
}

/** A packet is complete. */
function input(ifp: Ifnet, m: number): void {
  if (m === 0 || !expand(ifp, m)) {
    lostTrack(compressions.get(slipOf(ifp).compression));
    slipOf(ifp).spoiled++;
    ifp.ierrors++;
    if (m !== 0) mFree(m);
    return;
  }
  const view = mbuf(m);
  view.rcvif = ifp.ptr;
  view.time = now();
  ifp.ipackets++;
  ifp.ibytes += view.pktLen;
  if (ifp.taps !== 0) tapPacket(ifp.taps, m, INBOUND, now());
  queueForStack(ifp, m, ETHERTYPE_IP);
}

function process(ifp: Ifnet): boolean {
  const line = lineOf(ifp);
  if (line === undefined) return true;
  const visit = (packet: number): void => input(ifp, packet);
  let n = 0;
  for (let m = dequeueSome(plugIn(line), BUDGET); m !== 0; n++) {
    const next = nextRecord(m);
    slipInput(slipOf(ifp), m, visit);
    mbuf(m).nextpkt = 0;
    mFree(m);
    m = next;
  }
  return n < BUDGET;
}

function stop(ifp: Ifnet): void {
  const line = lineOf(ifp);
  ifp.flags &= ~IFF.RUNNING;
  if (line !== undefined) {
    line.up = 0;
    clearPlug(line);
  }
  mFreeList(dequeueAll(sendQueue(ifp)));
}

const driver: Driver = {
  name: 'slip',
  description: 'serial line (RFC 1055)',
  init(ifp) {
    followState(ifp);
    return 0;
  },
  stop,
  start: (ifp) => mFreeList(dequeueAll(sendQueue(ifp))),
  ioctl: () => 0,
  process,
  enable(ifp) {
    const line = lineOf(ifp);
    return line !== undefined && queueLength(plugIn(line)) !== 0;
  },
  detach(ifp) {
    stop(ifp);
    dropHalf(slipOf(ifp));
    const line = lineOf(ifp);
    if (line !== undefined) line.device = 0;
    compressions.free(slipOf(ifp).compression);
    slips.free(ifp.softc);
  },
  carrier(ifp) {
    const line = lineOf(ifp);
    return line !== undefined && plugCarrier(line);
  },
  statistics: (ifp) => ({
    txed_ok: ifp.opackets,
    rxed_ok: ifp.ipackets,
    octets_txed_ok: ifp.obytes,
    octets_rxed_ok: ifp.ibytes,
    spoiled_packets: slipOf(ifp).spoiled,
    icmp_not_sent: slipOf(ifp).noIcmp,
  }),
  configuration: (ifp) => ({ port: getText(slipOf(ifp).port, PORT_BYTES) || 'none' }),
  output,
};

function create(stack: Stack, name: string): number {
  const softc = slips.alloc();
  const compression = softc === 0 ? 0 : newCompression();
  if (compression === 0) {
    if (softc !== 0) slips.free(softc);
    return 0;
  }
  const ptr = ifAttach(stack, {
    name,
    type: IFT_SLIP,
    driver: DRIVER.slip,
    // Compression begins when the other end does.
    flags: IFF.POINTOPOINT | IFF.MULTICAST | IFF.LINK2,
    mtu: SLIP_MTU,
    mtuMax: SLIP_MTU_MAX,
    dlt: DLT_SLIP,
  });
  if (ptr === 0) {
    compressions.free(compression);
    slips.free(softc);
    return 0;
  }
  ifnets.get(ptr).softc = softc;
  slips.get(softc).compression = compression;
  return ptr;
}

/** slattach: `line` is the end of a line and the path of its port, with a space between. Throws SystemError. */
function configure(ifp: Ifnet, settings: Settings): void {
  expectWords(ifp, settings, ['line']);
  const [end = '', port = ''] = settings.line!.split(' ');
  const line = plugs.get(Number(end));
  if (slipOf(ifp).line !== 0) throw new SystemError(ERRNO.EBUSY, interfaceName(ifp));
  if (line.device !== 0) throw new SystemError(ERRNO.EBUSY, port);
  line.device = ifp.source;
  slipOf(ifp).line = line.ptr;
  putText(slipOf(ifp).port, PORT_BYTES, port);
  const before = ifp.flags;
  followState(ifp);
  if (ifp.flags !== before) announceEvent(ifp, 'up');
}

function describe(ifp: Ifnet): string[] {
  const port = getText(slipOf(ifp).port, PORT_BYTES);
  return port === '' ? [] : [`line: ${port}${isCompressing(ifp) ? ', headers compressed' : ''}`];
}

registerDriver(DRIVER.slip, driver);
registerCloner({
  name: 'sl',
  driver: DRIVER.slip,
  hcOnly: true,
  missing: ({ ptr }) =>
    isLoaded(ptr, 'lsm-slip') ? undefined : 'lsm-slip.so is not loaded, use: mount -T io-pkt lsm-slip.so',
  create,
  configure,
  describe,
});

const module: ProtocolModule = {
  kind: 'protocol',
  name: 'slip',
  description: 'IPv4 over serial lines (RFC 1055)',
  variants: ['io-pkt-v4-hc'],
  attach: () => undefined,
};
export default module;
