/**
 * tun(4) and tap(4): interfaces whose cable is a program of the node. What is sent on tap0 the program that has /dev/tap0 open reads, a frame with each read; what it
 * writes comes in by the interface. tun0 is the same for bare IPv4 packets, point-to-point. One opener at a time; when it closes, the interface goes down.
 *
 * In the stack the open device is a socket of its own kind (AF_LINK), so that reads block, are interrupted and time out as those of all sockets.
 */
import { u8 } from '../memory/memory.ts';
import { mFree, mFreeList, mbuf } from '../memory/mbuf.ts';
import { mPullup } from '../memory/mbuf-chain.ts';
import { QUEUE_BYTES, dequeueAll, dequeueSome, enqueue, nextRecord, queueAt } from '../memory/queue.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { now } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { PROTOCOL_DEVICE } from '../runtime/messages/request.ts';
import { random32 } from '../runtime/random.ts';
import { raise } from '../runtime/source.ts';
import { registerCloner } from '../net/cloner.ts';
import {
  ETHERMTU,
  ETHERTYPE_IP,
  ETHER_HEADER,
  ETHER_TAG,
  etherInput,
  inputLocal,
  putMac,
} from '../net/ethernet.ts';
import {
  DRIVER,
  IFT_ETHER,
  IFT_TUNNEL,
  countOutput,
  ifAttach,
  ifnets,
  onInterfaceEvent,
  registerDriver,
  sendQueue,
} from '../net/ifnet.ts';
import type { Driver, Ifnet } from '../net/ifnet.ts';
import { STATION, station } from '../net/journey.ts';
import { setInputHandler } from '../net/netisr.ts';
import { registerProtocol } from '../net/protosw.ts';
import { rcvAppendRecord } from '../net/sockbuf.ts';
import {
  soCantRcvMore,
  soCantSendMore,
  soFree,
  soIsConnected,
  soIsDisconnected,
  soWake,
  sockets,
} from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { stackParts, stackStruct, stacks } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { INBOUND, OUTBOUND, tapPacket } from '../net/tap.ts';
import { ifDown } from './in-control.ts';
import { IP_HEADER } from './ip.ts';

const tunStruct = struct('tun', {
  unused: 'ptr',
  nextpkt: 'ptr',
  interface: 'ptr',
  /** The socket of the program that has it open, 0 for none. */
  socket: 'ptr',
  /** Frames that the program has written. */
  written: { bytes: QUEUE_BYTES },
});
type Tun = ViewOf<typeof tunStruct>;
const tuns = slab(tunStruct, 2048);

/** What frames for the program are on the stack's input queue: they have no EtherType, and numbers from 0x10000 are none. */
const INPUT_DEVICE = 0x1_0074;
const MTU_MAX = 9000;
/** Frames that wait for the interface's thread. */
const MOST_WRITTEN = 512;
/** Frames taken in one service before others get their turn. */
const BUDGET = 64;
/** Bytes that wait for the program. */
const BUFFER = 512 * 1024;
const WORKS = IFF.UP | IFF.RUNNING;
const RANDOM = stackStruct.offsets.random;

function tunOf(ifp: Ifnet): Tun {
  return tuns.get(ifp.softc);
}

function isTap(ifp: Ifnet): boolean {
  return ifp.driver === DRIVER.pseudoTap;
}

// From the stack to the program.

/** Frames of tap: any thread, under the transmit lock. They wait for the stack context, which the socket belongs to. */
function start(ifp: Ifnet): void {
  let m = dequeueAll(sendQueue(ifp));
  const { input } = stackParts(ifp.stack);
  while (m !== 0) {
    const next = nextRecord(m);
    const view = mbuf(m);
    const { pktLen } = view;
    view.rcvif = ifp.ptr;
    view.aux = INPUT_DEVICE;
    station(m, STATION.tunnel, ifp.ptr, OUTBOUND);
    if (ifp.taps !== 0) tapPacket(ifp.taps, m, OUTBOUND, now());
    if (tunOf(ifp).socket !== 0 && enqueue(input, m)) countOutput(ifp, 1, pktLen);
    else {
      ifp.oerrors++;
      mFree(m);
    }
    m = next;
  }
  raise(stacks.get(ifp.stack).source);
}

function deviceInput(_stack: number, m: number): void {
  deliver(ifnets.get(mbuf(m).rcvif), m);
}

/** Gives a frame or a packet to the program; says whether there was room. */
function deliver(ifp: Ifnet, m: number): boolean {
  const { socket } = tunOf(ifp);
  const so = socket === 0 ? undefined : sockets.get(socket);
  if (so === undefined || !rcvAppendRecord(so, m, 0, 0)) {
    ifp.oerrors++;
    mFree(m);
    return false;
  }
  soWake(so);
  return true;
}

/** Packets of tun, in the stack context. */
function output(ifp: Ifnet, m: number): number {
  if ((ifp.flags & WORKS) !== WORKS) {
    mFree(m);
    return ERRNO.ENETDOWN;
  }
  station(m, STATION.tunnel, ifp.ptr, OUTBOUND);
  if (ifp.taps !== 0) tapPacket(ifp.taps, m, OUTBOUND, now());
  const { pktLen } = mbuf(m);
  if (!deliver(ifp, m)) return ERRNO.ENOBUFS;
  countOutput(ifp, 1, pktLen);
  return 0;
}

// From the program to the stack.

function process(ifp: Ifnet): boolean {
  let n = 0;
  for (let m = dequeueSome(queueAt(tunOf(ifp).written), BUDGET); m !== 0; n++) {
    const next = nextRecord(m);
    mbuf(m).nextpkt = 0;
    etherInput(ifp, m);
    m = next;
  }
  return n < BUDGET;
}

function refuse(m: number, errno: number): number {
  mFree(m);
  return errno;
}

function write(so: Socket, m: number): number {
  if (m === 0) return ERRNO.EINVAL;
  const tun = tuns.get(so.pcb);
  const ifp = ifnets.get(tun.interface);
  if ((ifp.flags & WORKS) !== WORKS) return refuse(m, ERRNO.ENETDOWN);
  const { pktLen } = mbuf(m);
  const header = isTap(ifp) ? ETHER_HEADER : 0;
  const tag = isTap(ifp) ? ETHER_TAG : 0;
  if (pktLen < (isTap(ifp) ? ETHER_HEADER : IP_HEADER)) return refuse(m, ERRNO.EINVAL);
  if (pktLen > header + tag + ifp.mtu) return refuse(m, ERRNO.EMSGSIZE);
  mbuf(m).time = now();
  if (!isTap(ifp)) return writePacket(ifp, m);
  if (!enqueue(queueAt(tun.written), m)) return refuse(m, ERRNO.ENOBUFS);
  raise(ifp.source);
  return 0;
}

function writePacket(ifp: Ifnet, packet: number): number {
  const m = mPullup(packet, IP_HEADER);
  if (m === 0) return ERRNO.ENOBUFS;
  if (u8[mbuf(m).data]! >>> 4 !== 4) return refuse(m, ERRNO.EAFNOSUPPORT);
  station(m, STATION.tunnel, ifp.ptr, INBOUND);
  if (ifp.taps !== 0) tapPacket(ifp.taps, m, INBOUND, now());
  inputLocal(ifp, m, ETHERTYPE_IP);
  return 0;
}

// The device: in the stack context.

function deviceNumbered(stack: Stack, index: number): Ifnet | undefined {
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
    const ifp = ifnets.get(ptr);
    const isDevice = ifp.driver === DRIVER.pseudoTap || ifp.driver === DRIVER.pseudoTun;
    if (isDevice && ifp.index === index) return ifp;
  }
  return undefined;
}

function open(so: Socket, index: number): number {
  const ifp = deviceNumbered(stacks.get(so.stack), index);
  if (ifp === undefined) return ERRNO.ENXIO;
  const tun = tunOf(ifp);
  if (tun.socket !== 0) return ERRNO.EBUSY;
  tun.socket = so.ptr;
  so.pcb = tun.ptr;
  so.rcvHiwat = BUFFER;
  so.sndHiwat = BUFFER;
  soIsConnected(so);
  return 0;
}

/** The program has closed the device: its interface goes down. */
function close(so: Socket): void {
  const tun = tuns.get(so.pcb);
  tun.socket = 0;
  so.pcb = 0;
  const ifp = ifnets.get(tun.interface);
  mFreeList(dequeueAll(queueAt(tun.written)));
  if (stacks.get(so.stack).serving !== 0) ifDown(ifp);
  soIsDisconnected(so);
  soFree(so);
}

/** The interface goes while it is open: its program reads the end, and can write no more. */
function hangUp(ifp: Ifnet): void {
  const tun = tunOf(ifp);
  if (tun.socket === 0) return;
  const so = sockets.get(tun.socket);
  tun.socket = 0;
  so.pcb = 0;
  soCantRcvMore(so);
  soCantSendMore(so);
}

/** As NetBSD's tap(4) has them: locally administered, f2:0b:a4 and three random bytes. */
function putRandomMac(mac: number, random: number): void {
  putMac(mac, 0xf20b_a400 | ((random >>> 16) & 0xff), random & 0xffff);
}

function create(stack: Stack, name: string, tap: boolean): number {
  const softc = tuns.alloc();
  if (softc === 0) return 0;
  const ptr = ifAttach(stack, {
    name,
    type: tap ? IFT_ETHER : IFT_TUNNEL,
    driver: tap ? DRIVER.pseudoTap : DRIVER.pseudoTun,
    flags: tap ? IFF.BROADCAST | IFF.SIMPLEX | IFF.MULTICAST : IFF.POINTOPOINT | IFF.MULTICAST,
    mtu: ETHERMTU,
    mtuMax: MTU_MAX,
  });
  if (ptr === 0) {
    tuns.free(softc);
    return 0;
  }
  const ifp = ifnets.get(ptr);
  ifp.softc = softc;
  tuns.get(softc).interface = ptr;
  queueAt(tuns.get(softc).written).max = MOST_WRITTEN;
  if (tap) putRandomMac(ifp.mac, random32(stack.ptr + RANDOM));
  return ptr;
}

function driverFor(name: 'tun' | 'tap'): Driver {
  return {
    name,
    description: name === 'tap' ? 'Ethernet for programs' : 'IP packets for programs',
    init(ifp) {
      ifp.flags |= IFF.RUNNING;
      return 0;
    },
    stop(ifp) {
      ifp.flags &= ~IFF.RUNNING;
      mFreeList(dequeueAll(sendQueue(ifp)));
    },
    start,
    ioctl: () => 0,
    process,
    enable: (ifp) => queueAt(tunOf(ifp).written).len !== 0,
    detach(ifp) {
      mFreeList(dequeueAll(queueAt(tunOf(ifp).written)));
      tuns.free(ifp.softc);
    },
    carrier: (ifp) => tunOf(ifp).socket !== 0,
    statistics: (ifp) => ({ txed_ok: ifp.opackets, rxed_ok: ifp.ipackets }),
    configuration: (ifp) => ({ open: tunOf(ifp).socket === 0 ? 'no' : 'yes' }),
    ...(name === 'tun' && { output: (ifp: Ifnet, m: number) => output(ifp, m) }),
  };
}

/** Makes tun and tap interfaces part of the stack in this thread. */
export function installTun(): void {
  registerDriver(DRIVER.pseudoTap, driverFor('tap'));
  registerDriver(DRIVER.pseudoTun, driverFor('tun'));
  for (const name of ['tun', 'tap'] as const) {
    registerCloner({
      name,
      driver: name === 'tap' ? DRIVER.pseudoTap : DRIVER.pseudoTun,
      create: (stack, full) => create(stack, full, name === 'tap'),
      describe: (ifp) => [tunOf(ifp).socket === 0 ? 'device: closed' : 'device: open'],
    });
  }
  registerProtocol(PROTOCOL_DEVICE, {
    name: 'device',
    attach: open,
    detach: close,
    bind: () => ERRNO.EOPNOTSUPP,
    listen: () => ERRNO.EOPNOTSUPP,
    connect: () => ERRNO.EOPNOTSUPP,
    shutdown: () => ERRNO.EOPNOTSUPP,
    received: () => undefined,
    sendTo: (so, m) => write(so, m),
    abort: close,
    setOption: () => ERRNO.ENOPROTOOPT,
    getOption: () => undefined,
    names: () => ({ local: 0, localPort: 0, foreign: 0, foreignPort: 0 }),
  });
  setInputHandler(INPUT_DEVICE, deviceInput);
  onInterfaceEvent((ifp, event) => {
    const isDevice = ifp.driver === DRIVER.pseudoTap || ifp.driver === DRIVER.pseudoTun;
    if (event === 'leaving' && isDevice) hangUp(ifp);
  });
}
