/**
 * /dev/bpf in the stack (bpf(4)): the open device is a socket of its own kind (AF_BPF), so that reads block, are interrupted and time out as those of all sockets. A
 * read takes a whole buffer; a write sends one packet. In the stack context.
 */
import { u32 } from '../../memory/memory.ts';
import { mFree, mbuf } from '../../memory/mbuf.ts';
import { mPullup } from '../../memory/mbuf-chain.ts';
import { now } from '../../runtime/clock.ts';
import { IFF } from '../../runtime/messages/control.ts';
import { ERRNO } from '../../runtime/messages/errno.ts';
import { MSG_DONTWAIT, PROTOCOL_BPF } from '../../runtime/messages/request.ts';
import type { Request } from '../../runtime/messages/request.ts';
import { calloutInit } from '../../runtime/wheel.ts';
import { CALLOUT, setCalloutHandler } from '../callouts.ts';
import { ETHER_HEADER, copyMac, etherTransmit } from '../ethernet.ts';
import { IFT_ETHER, driverOf, ifnets, onInterfaceEvent } from '../ifnet.ts';
import type { Ifnet, InterfaceEvent } from '../ifnet.ts';
import { setListenerWake } from '../netisr.ts';
import { fail, finish } from '../parking.ts';
import { registerProtocol } from '../protosw.ts';
import { soFree, soIsConnected, soIsDisconnected, soWake, sockets } from '../socket.ts';
import type { Socket } from '../socket.ts';
import { setCallout, stackStruct, stacks, sysctlValue } from '../stack.ts';
import { SYSCTL } from '../sysctl.ts';
import { setBpfListener } from '../tap.ts';
import {
  POLL_IDLE,
  POLL_TIMED_OUT,
  POLL_WAITING,
  bpfds,
  buryDescriptor,
  freeDescriptor,
  rotateBuffers,
} from './descriptor.ts';
import type { Bpfd } from './descriptor.ts';
import { DLT_EN10MB, DLT_NULL, DLT_SLIP } from './link-type.ts';
import { bpfTap } from './listen.ts';
import { eachListener, unbindDescriptor, whileLocked } from './settings.ts';

const BPF_DUE = stackStruct.offsets.bpfDue;
/** Bytes of an IPv4 header without options. */
const IP_HEADER = 20;
/** Signal number of Neutrino. */
const SIGIO = 22;

function descriptorOf(so: Socket): Bpfd {
  return bpfds.get(so.pcb);
}

function open(so: Socket, pid: number): number {
  const ptr = bpfds.alloc();
  if (ptr === 0) return ERRNO.ENOBUFS;
  const stack = stacks.get(so.stack);
  const d = bpfds.get(ptr);
  d.stack = so.stack;
  d.socket = so.ptr;
  d.pid = pid;
  d.seesSent = 1;
  d.signal = SIGIO;
  d.bufferSize = sysctlValue(so.stack, SYSCTL.bpfBufferSize);
  calloutInit(d.timer, CALLOUT.bpf, ptr);
  d.next = stack.bpfDescriptors;
  stack.bpfDescriptors = ptr;
  so.pcb = ptr;
  soIsConnected(so);
  return 0;
}

function close(so: Socket): void {
  const d = descriptorOf(so);
  const stack = stacks.get(so.stack);
  unbindDescriptor(d);
  if (stack.bpfDescriptors === d.ptr) stack.bpfDescriptors = d.next;
  else {
    let at = bpfds.get(stack.bpfDescriptors);
    while (at.next !== d.ptr) at = bpfds.get(at.next);
    at.next = d.next;
  }
  d.socket = 0;
  // A stack that ends does so while no thread works.
  if (stack.serving === 0) freeDescriptor(d);
  else buryDescriptor(d);
  so.pcb = 0;
  soIsDisconnected(so);
  soFree(so);
}

// Reading.

function answer(request: Request, d: Bpfd): void {
  request.chain = d.hold;
  request.chainLen = d.holdLen;
  d.hold = 0;
  d.holdLen = 0;
  d.polling = d.polling === POLL_TIMED_OUT ? POLL_IDLE : d.polling;
  finish(request, 0, request.chainLen);
}

/** Makes what there is readable, if a read may have it now. With the lock held. */
function offer(d: Bpfd, atOnce: boolean): boolean {
  if (d.holdLen === 0 && d.storeLen > 0 && atOnce) rotateBuffers(d);
  return d.holdLen > 0;
}

function failed(request: Request, errno: number): boolean {
  fail(request, errno);
  return true;
}

/** Answers a read, or lets it wait: for a full buffer, a packet (BIOCIMMEDIATE) or the end of the read time-out. */
function receive(so: Socket, request: Request): boolean {
  const d = descriptorOf(so);
  if (d.interface === 0) return failed(request, ERRNO.ENXIO);
  if (request.a !== d.bufferSize) return failed(request, ERRNO.EIO);
  const waits = (request.flags & MSG_DONTWAIT) === 0;
  const ready = whileLocked(d, () => {
    const offered = offer(d, !waits || d.immediate !== 0 || d.polling === POLL_TIMED_OUT);
    if (offered) answer(request, d);
    return offered;
  });
  if (ready) return true;
  if (!waits) return failed(request, ERRNO.EAGAIN);
  if (request.timeout === 0) request.timeout = d.timeout;
  return false;
}

/** The read time-out has ended: gives what there is, perhaps nothing. */
function expire(so: Socket, request: Request): void {
  const d = descriptorOf(so);
  whileLocked(d, () => {
    offer(d, true);
    answer(request, d);
  });
}

/** True if a read would not wait. A poll, too, gets what there is when the read time-out has ended. */
function readable(so: Socket): boolean {
  const d = descriptorOf(so);
  if (d.interface === 0) return true;
  const ready = whileLocked(d, () => {
    const some = d.immediate !== 0 || d.polling === POLL_TIMED_OUT;
    return d.holdLen > 0 || (some && d.storeLen > 0);
  });
  if (!ready && d.timeout > 0 && d.polling === POLL_IDLE) {
    d.polling = POLL_WAITING;
    setCallout(d.stack, d.timer, now() + d.timeout);
  }
  return ready;
}

/** The read time-out of a poll has ended. */
function pollExpired(ptr: number): void {
  const d = bpfds.get(ptr);
  whileLocked(d, () => (d.polling = POLL_TIMED_OUT));
  if (d.socket !== 0) soWake(sockets.get(d.socket));
}

/** Layer 2 has left something in a descriptor of the stack: whoever waits for it goes on. */
function wakeReaders(ptr: number): boolean {
  const stack = stacks.get(ptr);
  if (stack.bpfDue === 0 || Atomics.exchange(u32, (ptr + BPF_DUE) >>> 2, 0) === 0) return false;
  for (let at = stack.bpfDescriptors; at !== 0; at = bpfds.get(at).next) {
    const d = bpfds.get(at);
    if (d.wake === 0) continue;
    whileLocked(d, () => (d.wake = 0));
    soWake(sockets.get(d.socket));
  }
  return true;
}

// Writing.

function refuse(m: number, errno: number): number {
  mFree(m);
  return errno;
}

/** Sends one packet. Returns 0 or an errno; the packet is gone in any case. */
function write(so: Socket, m: number): number {
  const d = descriptorOf(so);
  if (m === 0) return 0;
  if (d.interface === 0) return refuse(m, ERRNO.ENXIO);
  const ifp = ifnets.get(d.interface);
  switch (d.dlt) {
    case DLT_EN10MB:
      return ifp.type === IFT_ETHER ? writeFrame(d, ifp, m) : refuse(m, ERRNO.EOPNOTSUPP);
    case DLT_SLIP:
      return writePacket(ifp, m);
    case DLT_NULL:
      return refuse(m, ERRNO.EAFNOSUPPORT);
    default:
      return refuse(m, ERRNO.EIO);
  }
}

function writeFrame(d: Bpfd, ifp: Ifnet, m: number): number {
  const { pktLen } = mbuf(m);
  if (pktLen < ETHER_HEADER) return refuse(m, ERRNO.EINVAL);
  if (pktLen > ifp.mtu + ETHER_HEADER) return refuse(m, ERRNO.EMSGSIZE);
  const frame = mPullup(m, ETHER_HEADER);
  if (frame === 0) return ERRNO.ENOBUFS;
  if (d.headerComplete === 0) copyMac(mbuf(frame).data + 6, ifp.mac);
  return etherTransmit(ifp, frame);
}

function writePacket(ifp: Ifnet, packet: number): number {
  if (mbuf(packet).pktLen < IP_HEADER) return refuse(packet, ERRNO.EINVAL);
  if (mbuf(packet).pktLen > ifp.mtu) return refuse(packet, ERRNO.EMSGSIZE);
  if ((ifp.flags & IFF.UP) === 0) return refuse(packet, ERRNO.ENETDOWN);
  const m = mPullup(packet, IP_HEADER);
  return m === 0 ? ERRNO.ENOBUFS : driverOf(ifp).output!(ifp, m, 0);
}

/** An interface goes while it is listened to: reads end with ENXIO. */
function onEvent(ifp: Ifnet, event: InterfaceEvent): void {
  if (event !== 'leaving') return;
  eachListener(ifp, (d) => {
    unbindDescriptor(d);
    d.orphan = 1;
    soWake(sockets.get(d.socket));
  });
}

/** Makes /dev/bpf part of the stack in this thread. */
export function installBpf(): void {
  setBpfListener(bpfTap);
  setListenerWake(wakeReaders);
  setCalloutHandler(CALLOUT.bpf, pollExpired);
  onInterfaceEvent(onEvent);
  registerProtocol(PROTOCOL_BPF, {
    name: 'bpf',
    attach: open,
    detach: close,
    bind: () => ERRNO.EOPNOTSUPP,
    listen: () => ERRNO.EOPNOTSUPP,
    connect: () => ERRNO.EOPNOTSUPP,
    shutdown: () => ERRNO.EOPNOTSUPP,
    received: () => undefined,
    receive,
    expire,
    readable,
    sendTo: (so, m) => write(so, m),
    abort: close,
    setOption: () => ERRNO.ENOPROTOOPT,
    getOption: () => undefined,
    names: () => ({ local: 0, localPort: 0, foreign: 0, foreignPort: 0 }),
  });
}
