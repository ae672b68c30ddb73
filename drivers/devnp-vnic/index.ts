/**
 * devnp-vnic: the lab's virtual network card. What the stack sends goes into the plug of its cable, what comes out of it goes up; frames are padded to the
 * Ethernet minimum, jumbo frames up to 9000 bytes pass, and the carrier follows the cable (io-pkt driver interface: init, stop, start, process, enable).
 */
import { f64 as sharedF64, u32 as sharedU32, u8 } from '../../stack/memory/memory.ts';
import {
  M_PKTHDR,
  mFreeList,
  mGetHeader,
  mOwn,
  mTrailing,
  mWritable,
  mbuf,
  mbufStruct,
  ownerTag,
} from '../../stack/memory/mbuf.ts';
import { chainLast } from '../../stack/memory/mbuf-chain.ts';
import {
  dequeue,
  dequeueAll,
  dequeueSome,
  enqueueList,
  nextRecord,
  queueLength,
} from '../../stack/memory/queue.ts';
import { now } from '../../stack/runtime/clock.ts';
import { IFF } from '../../stack/runtime/messages/control.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import { raise, serviceInPlace } from '../../stack/runtime/source.ts';
import { CARD_OPTIONS, cardFrom } from '../../stack/net/card-options.ts';
import type { CardIdentity } from '../../stack/net/card-options.ts';
import { ETHERMTU, ETHER_ADDRESS, ETHER_MIN, etherInput } from '../../stack/net/ethernet.ts';
import {
  CAP_TSO4,
  DRIVER,
  IFT_ETHER,
  countOutput,
  ifAttach,
  ifnets,
  registerDriver,
  sendQueue,
  startInterface,
} from '../../stack/net/ifnet.ts';
import type { Driver, Ifnet } from '../../stack/net/ifnet.ts';
import { STATION, following, station } from '../../stack/net/journey.ts';
import { frameBytes, frameCount, splitFrame } from '../../stack/net/segmentation.ts';
import { clearPlug, freePlug, newPlug, plugCarrier, plugIn, plugOut, plugs } from '../../stack/net/plug.ts';
import type { Plug } from '../../stack/net/plug.ts';
import type { DriverModule, DriverSide, ModuleOptions } from '../../stack/net/module.ts';
import { stacks } from '../../stack/net/stack.ts';
import type { Stack } from '../../stack/net/stack.ts';
import { OUTBOUND, tapPacket } from '../../stack/net/tap.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const f64 = sharedF64;
const u32 = sharedU32;

// Fields of frames that are only passed on, by word.
const NEXTPKT = mbufStruct.offsets.nextpkt >>> 2;
const PKTLEN = mbufStruct.offsets.pktLen >>> 2;
const OWNER = mbufStruct.offsets.owner >>> 2;
const SEGMENT = mbufStruct.offsets.segment >>> 2;
const TIME = mbufStruct.offsets.time >>> 3;

export const VNIC_MTU_MAX = 9000;
const DRIVER_OWNER = ownerTag('driver');
/** Frames taken in one service before others get their turn. */
const BUDGET = 256;

function plugOf(ifp: Ifnet): Plug {
  return plugs.get(ifp.softc);
}

export interface VnicOptions extends CardIdentity {
  /** True: it behaves as a driver that is not safe for more than one thread at a time. */
  readonly singleThreaded?: boolean;
  /** A plug that is there already and outlives the card: its end of a link. Without it the card has one of its own. */
  readonly plug?: number;
}

/** Adds a virtual card to a stack. Returns its interface, 0 when there is no room (ENOBUFS). */
export function attachVnic(stack: Stack, options: VnicOptions): number {
  const ptr = attachCard(stack, options, DRIVER.vnic);
  if (ptr === 0) return 0;
  const ifp = ifnets.get(ptr);
  ifp.capabilities = CAP_TSO4;
  ifp.enabled = CAP_TSO4;
  plugOf(ifp).large = 1;
  return ptr;
}

/** Adds a card with a plug to a stack, for a driver that is made of `cardDriver`. Returns its interface, 0 when there is no room (ENOBUFS). */
export function attachCard(stack: Stack, options: VnicOptions, driver: number): number {
  const softc = options.plug ?? newPlug();
  if (softc === 0) return 0;
  const ptr = ifAttach(stack, {
    name: options.name,
    type: IFT_ETHER,
    driver,
    flags: IFF.BROADCAST | IFF.SIMPLEX | IFF.MULTICAST,
    mtu: ETHERMTU,
    mtuMax: VNIC_MTU_MAX,
    ...(options.priority !== undefined && { priority: options.priority }),
    ...(options.singleThreaded === true && { singleThreaded: true }),
  });
  if (ptr === 0) {
    if (options.plug === undefined) freePlug(plugs.get(softc));
    return 0;
  }
  const ifp = ifnets.get(ptr);
  ifp.softc = softc;
  u8.set(options.mac.subarray(0, ETHER_ADDRESS), ifp.mac);
  const plug = plugs.get(softc);
  plug.device = ifp.source;
  plug.owned = options.plug === undefined ? 1 : 0;
  return ptr;
}

function init(ifp: Ifnet): number {
  ifp.flags |= IFF.RUNNING;
  plugOf(ifp).up = 1;
  return 0;
}

function stop(ifp: Ifnet): void {
  const plug = plugOf(ifp);
  ifp.flags &= ~IFF.RUNNING;
  ifp.oactive = 0;
  plug.up = 0;
  mFreeList(dequeueAll(sendQueue(ifp)));
  clearPlug(plug);
}

/** Zeros behind a frame that is shorter than the Ethernet minimum; false when buffers are exhausted. */
function pad(m: number): boolean {
  const view = mbuf(m);
  const missing = ETHER_MIN - view.pktLen;
  const last = mbuf(chainLast(m));
  if (mTrailing(last) >= missing && mWritable(last)) {
    const end = last.data + last.len;
    for (let i = 0; i < missing; i++) u8[end + i] = 0;
    last.len += missing;
  } else {
    const more = mGetHeader(DRIVER_OWNER, 0);
    if (more === 0) return false;
    const tail = mbuf(more);
    tail.flags &= ~M_PKTHDR;
    for (let i = 0; i < missing; i++) u8[tail.data + i] = 0;
    tail.len = missing;
    last.next = more;
  }
  view.pktLen = ETHER_MIN;
  return true;
}

// The list that one call of start() gathers.
let first = 0;
let last = 0;
let records = 0;
// What they are on the wire.
let frames = 0;
let bytes = 0;

/** Takes a frame from the send queue; somebody who looks on sees what crosses a wire. */
function gather(ifp: Ifnet, m: number): void {
  if (ifp.taps === 0 || mbuf(m).segment === 0) {
    gatherOne(ifp, m);
    return;
  }
  for (let frame = splitFrame(DRIVER_OWNER, m); frame !== 0;) {
    const next = nextRecord(frame);
    mbuf(frame).nextpkt = 0;
    gatherOne(ifp, frame);
    frame = next;
  }
}

function gatherOne(ifp: Ifnet, m: number): void {
  const view = mbuf(m);
  if (view.pktLen < ETHER_MIN && !pad(m)) {
    ifp.oerrors++;
    mFreeList(m);
    return;
  }
  mOwn(m, DRIVER_OWNER);
  view.time = now();
  station(m, STATION.driverOut, ifp.ptr, 0);
  if (ifp.taps !== 0) {
    tapPacket(ifp.taps, m, OUTBOUND, now());
    station(m, STATION.tap, ifp.ptr, OUTBOUND);
  }
  append(m);
  frames += frameCount(m);
  bytes += frameBytes(m);
}

/** Takes frames that nobody looks at. */
function gatherAll(ifp: Ifnet, list: number): void {
  const time = now();
  for (let m = list; m !== 0;) {
    const word = m >>> 2;
    const next = u32[word + NEXTPKT]!;
    if (u32[word + PKTLEN]! < ETHER_MIN || u32[word + SEGMENT] !== 0) {
      u32[word + NEXTPKT] = 0;
      gatherOne(ifp, m);
    } else {
      u32[word + OWNER] = DRIVER_OWNER;
      f64[(m >>> 3) + TIME] = time;
      append(m);
      frames++;
      bytes += u32[word + PKTLEN]!;
    }
    m = next;
  }
}

function append(m: number): void {
  if (records === 0) first = m;
  else u32[(last >>> 2) + NEXTPKT] = m;
  last = m;
  records++;
}

/** Moves the send queue into the plug, as far as that has room: the rest waits (OACTIVE) until the link has taken some. */
function start(ifp: Ifnet): void {
  const plug = plugOf(ifp);
  const out = plugOut(plug);
  const queue = sendQueue(ifp);
  records = 0;
  frames = 0;
  bytes = 0;
  const room = out.max - out.len;
  if (queue.len <= room && ifp.taps === 0 && !following()) gatherAll(ifp, dequeueAll(queue));
  else if (queue.len <= room) {
    for (let m = dequeueAll(queue); m !== 0;) {
      const next = nextRecord(m);
      mbuf(m).nextpkt = 0;
      gather(ifp, m);
      m = next;
    }
  } else {
    for (let i = 0; i < room; i++) gather(ifp, dequeue(queue));
    ifp.oactive = 1;
    plug.blocked = 1;
  }
  if (records === 0) {
    // The link may have emptied the plug before it could see that it is blocked: it has to come by again.
    if (plug.blocked !== 0 && plug.link !== 0) raise(plug.link);
    return;
  }
  countOutput(ifp, frames, bytes);
  if (plug.link === 0) {
    mFreeList(first);
    ifp.oerrors += frames;
    return;
  }
  mFreeList(enqueueList(out, first, last, records));
  serviceInPlace(plug.link);
}

function process(ifp: Ifnet): boolean {
  const plug = plugOf(ifp);
  if (ifp.oactive !== 0 && plug.blocked === 0) {
    ifp.oactive = 0;
    startInterface(ifp);
  }
  let m = dequeueSome(plugIn(plug), BUDGET);
  let n = 0;
  while (m !== 0) {
    const next = nextRecord(m);
    mbuf(m).nextpkt = 0;
    etherInput(ifp, m);
    n++;
    m = next;
  }
  return n < BUDGET;
}

/** What a card with a plug does. */
export const cardDriver: Driver = {
  name: 'vnic',
  description: 'virtual card of the lab',
  init,
  stop,
  start,
  ioctl(_ifp, command, value) {
    if (command === 'mtu' && (value < 72 || value > VNIC_MTU_MAX)) return ERRNO.EINVAL;
    return 0;
  },
  process,
  enable: (ifp) => plugIn(plugOf(ifp)).len !== 0,
  detach(ifp) {
    stop(ifp);
    const plug = plugOf(ifp);
    plug.device = 0;
    plug.large = 0;
    if (plug.owned !== 0) freePlug(plug);
  },
  carrier: (ifp) => plugCarrier(plugOf(ifp)),
  backlog: (ifp) => queueLength(plugIn(plugOf(ifp))),
  statistics: (ifp) => ({
    txed_ok: ifp.opackets,
    rxed_ok: ifp.ipackets,
    octets_txed_ok: ifp.obytes,
    octets_rxed_ok: ifp.ibytes,
    txed_multicast: ifp.omcasts,
    rxed_multicast: ifp.imcasts,
    rx_failed_allocs: plugIn(plugOf(ifp)).drops,
    no_carrier: 0,
  }),
  configuration: (ifp) => ({
    media_rate: '1000000 kb/s',
    duplex: 'full',
    verbose: 0,
    priority: 21,
    carrier: plugCarrier(plugOf(ifp)) ? 'yes' : 'no',
  }),
};

registerDriver(DRIVER.vnic, cardDriver);

/** What the options of -d and of mount say about a card. Throws SystemError for a name that cannot be. */
export function vnicOptions(stack: Stack, options: ModuleOptions): VnicOptions {
  return { ...cardFrom(stack, options), singleThreaded: options.flag('single') };
}

/** The cable that the lab file has for a card of this name, with its hardware address unless the options have another. */
export function cableOf(side: DriverSide, options: ModuleOptions): { plug?: number; mac?: Uint8Array } {
  const { name, mac } = cardFrom(stacks.get(side.stack), options);
  const found = side.labCard(name);
  if (found === undefined) return {};
  return { plug: found.plug, mac: options.mac('mac') === undefined ? found.mac : mac };
}

const module: DriverModule = {
  kind: 'driver',
  name: 'vnic',
  description: 'virtual card of the lab',
  options: {
    ...CARD_OPTIONS,
    single: { type: 'flag', meaning: 'is not safe for more than one thread at a time, as a straight port' },
  },
  attach(side, options) {
    const stack = stacks.get(side.stack);
    const card = { ...vnicOptions(stack, options), ...cableOf(side, options) };
    if (attachVnic(stack, card) === 0) throw new SystemError(ERRNO.ENOBUFS, card.name);
  },
};
export default module;
