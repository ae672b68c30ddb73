/**
 * devnp-shim: has legacy drivers in io-net's style serve io-pkt (io-pkt, "Driver kinds" and "Threading model"). Each packet is copied on its way down and once more on
 * its way up, and what a driver's receive thread hands up changes the thread before the stack sees it: slower than a native driver, by design. No jumbo frames.
 */
import { u8 } from '../../stack/memory/memory.ts';
import { ETHER_ALIGN, mFree, mFreeList, mGetCluster, mbuf, ownerTag } from '../../stack/memory/mbuf.ts';
import { mCopyOut } from '../../stack/memory/mbuf-chain.ts';
import {
  QUEUE_BYTES,
  dequeueAll,
  dequeueSome,
  enqueue,
  nextRecord,
  queueAt,
  queueLength,
} from '../../stack/memory/queue.ts';
import type { Queue } from '../../stack/memory/queue.ts';
import { slab } from '../../stack/memory/slab.ts';
import { struct } from '../../stack/memory/struct.ts';
import { now } from '../../stack/runtime/clock.ts';
import { IFF } from '../../stack/runtime/messages/control.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import { HANDLER, KIND, freeSource, newSource, raise, setSourceHandler } from '../../stack/runtime/source.ts';
import { cableOf } from '../devnp-vnic/index.ts';
import { cardFrom } from '../../stack/net/card-options.ts';
import { ETHERMTU, ETHER_ADDRESS, ETHER_HEADER, ETHER_MIN, etherInput } from '../../stack/net/ethernet.ts';
import {
  IFT_ETHER,
  countOutput,
  ifAttach,
  ifnets,
  registerDriver,
  sendQueue,
} from '../../stack/net/ifnet.ts';
import type { Driver, Ifnet } from '../../stack/net/ifnet.ts';
import { STATION, station } from '../../stack/net/journey.ts';
import type { DriverSide, ModuleOptions } from '../../stack/net/module.ts';
import { stacks } from '../../stack/net/stack.ts';
import { OUTBOUND, tapPacket } from '../../stack/net/tap.ts';
import type { IoNetDriver, IoNetSelf, Npkt } from './io-net.ts';

const NPKT = ownerTag('driver');
/** Bytes of a packet: a frame with a VLAN tag. */
const NPKT_BYTES = 1518;
/** Packets on their way up that wait for the other thread. */
const UP_PACKETS = 1024;
/** Packets that a thread takes in one go. */
const BUDGET = 64;

const shimStruct = struct('shim', {
  next: 'ptr',
  nextpkt: 'ptr',
  interface: 'ptr',
  /** Number of its driver in records (DRIVER). */
  driver: 'u32',
  /** The driver's own record. */
  handle: 'ptr',
  /** Source of the driver's receive thread. */
  receiver: 'ptr',
  /** Packets that came down and were not given back yet. */
  down: 'f64',
  /** Packets that found no buffer. */
  noBuffers: 'f64',
  up: { bytes: QUEUE_BYTES },
});
const shims = slab(shimStruct, 1024);

const legacy: (IoNetDriver | undefined)[] = [];

/** io-net as the driver of one interface sees it. */
class Shim implements IoNetSelf {
  readonly record;
  readonly driver: IoNetDriver;
  readonly up: Queue;

  constructor(ptr: number, driver: IoNetDriver) {
    this.record = shims.get(ptr);
    this.driver = driver;
    this.up = queueAt(this.record.up);
  }

  get handle(): number {
    return this.record.handle;
  }

  get receiver(): number {
    return this.record.receiver;
  }

  allocUpNpkt(size: number): Npkt {
    const m = size > NPKT_BYTES ? 0 : mGetCluster(NPKT, ETHER_ALIGN);
    if (m === 0) {
      this.record.noBuffers++;
      return 0;
    }
    const view = mbuf(m);
    view.len = size;
    view.pktLen = size;
    return m;
  }

  /** Here the thread changes: that of the interface takes it from the queue. */
  txUp(npkt: Npkt): void {
    if (enqueue(this.up, npkt)) raise(ifnets.get(this.record.interface).source);
    else mFree(npkt);
  }

  txDone(npkt: Npkt): void {
    this.record.down--;
    mFree(npkt);
  }

  data(npkt: Npkt): number {
    return mbuf(npkt).data;
  }

  length(npkt: Npkt): number {
    return mbuf(npkt).pktLen;
  }

  /** A packet in one buffer with the bytes of `m`, as long as a frame has to be. 0 when buffers are exhausted. */
  flatten(m: number): Npkt {
    const { pktLen } = mbuf(m);
    const npkt = this.allocUpNpkt(Math.max(pktLen, ETHER_MIN));
    if (npkt === 0) return 0;
    const { data, len } = mbuf(npkt);
    mCopyOut(m, 0, pktLen, data);
    u8.fill(0, data + pktLen, data + len);
    mbuf(npkt).journey = mbuf(m).journey;
    return npkt;
  }
}

const known: (Shim | undefined)[] = [];

/** The shim of a record; one per record, driver and thread. */
function shimAt(ptr: number): Shim {
  const index = shims.indexOf(ptr);
  const driver = legacy[shims.get(ptr).driver]!;
  let shim = known[index];
  if (shim?.driver !== driver) {
    while (known.length <= index) known.push(undefined);
    shim = new Shim(ptr, driver);
    known[index] = shim;
  }
  return shim;
}

function shimOf(ifp: Ifnet): Shim {
  return shimAt(ifp.softc);
}

function init(ifp: Ifnet): number {
  const shim = shimOf(ifp);
  ifp.flags |= IFF.RUNNING;
  shim.driver.begin(shim);
  return 0;
}

function stop(ifp: Ifnet): void {
  const shim = shimOf(ifp);
  ifp.flags &= ~IFF.RUNNING;
  shim.driver.shutdown1(shim);
  mFreeList(dequeueAll(sendQueue(ifp)));
  mFreeList(dequeueAll(shim.up));
}

function start(ifp: Ifnet): void {
  const shim = shimOf(ifp);
  for (let m = dequeueAll(sendQueue(ifp)); m !== 0;) {
    const next = nextRecord(m);
    sendDown(ifp, shim, m);
    mFree(m);
    m = next;
  }
}

function sendDown(ifp: Ifnet, shim: Shim, m: number): void {
  const npkt = mbuf(m).pktLen > NPKT_BYTES ? 0 : shim.flatten(m);
  if (npkt === 0) {
    ifp.oerrors++;
    station(m, STATION.drop, ifp.ptr, ERRNO.ENOBUFS);
    return;
  }
  mbuf(npkt).time = now();
  station(npkt, STATION.driverOut, ifp.ptr, 0);
  if (ifp.taps !== 0) tapPacket(ifp.taps, npkt, OUTBOUND, now());
  countOutput(ifp, 1, mbuf(npkt).pktLen);
  shim.record.down++;
  shim.driver.rxDown(shim, npkt);
}

/** In the thread of the interface: what the driver has handed up goes to the stack. */
function process(ifp: Ifnet): boolean {
  const shim = shimOf(ifp);
  let n = 0;
  for (let m = dequeueSome(shim.up, BUDGET); m !== 0; n++) {
    const next = nextRecord(m);
    mbuf(m).nextpkt = 0;
    if (mbuf(m).pktLen < ETHER_HEADER) {
      ifp.ierrors++;
      mFree(m);
    } else etherInput(ifp, m);
    m = next;
  }
  return n < BUDGET;
}

/** In the driver's receive thread. */
setSourceHandler(HANDLER.shim, (ptr) => {
  const shim = shimAt(ptr);
  return shim.driver.receive(shim, BUDGET) < BUDGET;
});

/** Makes a legacy driver known to this thread under a number of DRIVER. */
export function registerLegacy(number: number, driver: IoNetDriver): void {
  legacy[number] = driver;
  const adapted: Driver = {
    name: driver.name,
    legacy: true,
    description: driver.description,
    init,
    stop,
    start,
    process,
    ioctl: (_ifp, command, value) => (command === 'mtu' && value > ETHERMTU ? ERRNO.EINVAL : 0),
    enable: (ifp) => queueLength(shimOf(ifp).up) !== 0,
    detach(ifp) {
      const shim = shimOf(ifp);
      stop(ifp);
      driver.shutdown2(shim);
      freeSource(shim.record.receiver);
      shims.free(ifp.softc);
    },
    carrier: (ifp) => driver.carrier(shimOf(ifp)),
    backlog: (ifp) => queueLength(shimOf(ifp).up),
    statistics: (ifp) => ({
      txed_ok: ifp.opackets,
      rxed_ok: ifp.ipackets,
      octets_txed_ok: ifp.obytes,
      octets_rxed_ok: ifp.ibytes,
      rx_failed_allocs: shimOf(ifp).record.noBuffers,
      npkts_down: shimOf(ifp).record.down,
    }),
    configuration: (ifp) => ({ shim: 'devnp-shim.so', carrier: driver.carrier(shimOf(ifp)) ? 'yes' : 'no' }),
  };
  registerDriver(number, adapted);
}

/** Adds an interface of legacy driver `number` to a stack. No thread works; throws SystemError. */
export function attachLegacy(side: DriverSide, number: number, options: ModuleOptions): void {
  const stack = stacks.get(side.stack);
  const { name, mac, priority, plug = 0 } = { ...cardFrom(stack, options), ...cableOf(side, options) };
  const ptr = shims.alloc();
  if (ptr === 0) throw new SystemError(ERRNO.ENOBUFS, name);
  const record = shims.get(ptr);
  record.driver = number;
  queueAt(record.up).max = UP_PACKETS;
  // A thread of its own: it belongs to no stack.
  const home = side.nextHome();
  record.receiver = newSource({
    kind: KIND.hardware,
    handler: HANDLER.shim,
    arg: ptr,
    stack: 0,
    home,
    priority: priority ?? stack.receivePriority,
  });
  if (record.receiver !== 0) record.handle = legacy[number]!.attach(plug, record.receiver);
  const made = record.handle === 0 ? 0 : addInterface();
  if (made === 0) {
    if (record.handle !== 0) legacy[number]!.shutdown2(shimAt(ptr));
    if (record.receiver !== 0) freeSource(record.receiver);
    shims.free(ptr);
    throw new SystemError(ERRNO.ENOBUFS, name);
  }
  record.interface = made;
  const ifp = ifnets.get(made);
  ifp.softc = ptr;
  u8.set(mac.subarray(0, ETHER_ADDRESS), ifp.mac);

  function addInterface(): number {
    return ifAttach(stack, {
      name,
      type: IFT_ETHER,
      driver: number,
      flags: IFF.BROADCAST | IFF.SIMPLEX | IFF.MULTICAST,
      mtu: ETHERMTU,
      mtuMax: ETHERMTU,
      ...(priority !== undefined && { priority }),
    });
  }
}
