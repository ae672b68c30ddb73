/**
 * Interfaces (struct ifnet) and their addresses in the one memory, and what a driver is. After the published driver interface of io-pkt and ifnet(9):
 * a driver attaches an interface, the stack queues packets on it and calls `start`; received packets go up through `input`.
 */
import { getText, maxThreads, putText, region, selfThread, u32 as sharedU32 } from '../memory/memory.ts';
import { lock, unlock } from '../memory/lock.ts';
import { QUEUE_BYTES, dequeueAll, enqueueList, queueAt } from '../memory/queue.ts';
import type { Queue } from '../memory/queue.ts';
import { mFree, mFreeList } from '../memory/mbuf.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { HANDLER, KIND, freeSource, newSource } from '../runtime/source.ts';
import { STATION, station } from './journey.ts';
import { DLT_EN10MB, DLT_NULL } from './bpf/link-type.ts';
import { stacks, sysctlValue } from './stack.ts';
import type { Stack } from './stack.ts';
import { SYSCTL } from './sysctl.ts';
import { orphanTaps } from './tap.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u32 = sharedU32;

export const IFNAME_BYTES = 16;
export const IFT_ETHER = 6;
export const IFT_LOOP = 24;
export const IFT_SLIP = 28;
export const IFT_PROPVIRTUAL = 53;
export const IFT_TUNNEL = 131;
export const IFT_BRIDGE = 209;
export const IFT_GIF = 240;
export const IFT_PFLOG = 245;

export const ifnetStruct = struct('ifnet', {
  /** Next interface of the stack. */
  next: 'ptr',
  nextpkt: 'ptr',
  name: { bytes: IFNAME_BYTES },
  index: 'u32',
  stack: 'ptr',
  /** Event source of its receive interrupt. */
  source: 'ptr',
  type: 'u8',
  driver: 'u8',
  /** 1 while the device takes no more (shown as OACTIVE); under the transmit lock. */
  oactive: 'u8',
  /** Priority of its receive work if it has one of its own, 0 if not. */
  priority: 'u8',
  /** 1 if its driver is not safe for more than one thread at a time. */
  single: 'u8',
  /** Link type of what is seen on it: DLT_* (bpf/link-header.ts). */
  dlt: 'u8',
  /** How many want all frames of its device (ifPromisc). */
  promiscuous: 'u8',
  /** Held during the driver's start(): any thread may send. */
  txLock: 'i32',
  flags: 'u32',
  mtu: 'u32',
  metric: 'u32',
  /** Largest MTU its device can do. */
  mtuMax: 'u32',
  /** Hardware address, 6 bytes. */
  mac: { bytes: 8 },
  /** Checksum offload: CAP_* it can do, and those switched on. */
  capabilities: 'u32',
  enabled: 'u32',
  /** First address (ifaddrStruct). */
  addresses: 'ptr',
  /** The driver's own record. */
  softc: 'ptr',
  /** Capture points on it: first of a list, 0 for none (tap.ts). */
  taps: 'ptr',
  /** What else takes its frames (ethernet.ts, FrameHook), 0 for none: its port record in a link aggregate, its member record in a bridge, its first VLAN. */
  aggregate: 'ptr',
  bridge: 'ptr',
  vlans: 'ptr',
  /** Its queues in place of the one behind (altq/altq.ts), 0 for none; IFF.ALTQ is set while there are some. */
  altq: 'ptr',
  send: { bytes: QUEUE_BYTES },
  ipackets: 'f64',
  ierrors: 'f64',
  ibytes: 'f64',
  imcasts: 'f64',
  iqdrops: 'f64',
  noproto: 'f64',
  opackets: 'f64',
  oerrors: 'f64',
  obytes: 'f64',
  omcasts: 'f64',
  collisions: 'f64',
});
export type Ifnet = ViewOf<typeof ifnetStruct>;
export const ifnets = slab(ifnetStruct, 8192);

export const CAP_IP4CSUM = 1;
export const CAP_TCP4CSUM = 2;
export const CAP_UDP4CSUM = 4;
/** Takes large frames (segmentation.ts). */
export const CAP_TSO4 = 8;

export const ifaddrStruct = struct('ifaddr', {
  next: 'ptr',
  nextpkt: 'ptr',
  /** In host order, as all addresses in records. */
  address: 'u32',
  netmask: 'u32',
  /** 0 where there is none. */
  broadcast: 'u32',
  /** The other end of a point-to-point interface, 0 where there is none. */
  destination: 'u32',
  /** When ARP has defended it last, ns. */
  defended: 'f64',
});
export type Ifaddr = ViewOf<typeof ifaddrStruct>;
export const ifaddrs = slab(ifaddrStruct, 16_384);

/** What a driver does. All functions run in the stack context, except `process`. */
export interface Driver {
  /** Name as in devnp-NAME. */
  readonly name: string;
  /** True for a driver in io-net's style behind the shim: devn-NAME. */
  readonly legacy?: boolean;
  readonly description: string;
  /** True if its functions must never run in two threads at once, as those of straight ports from NetBSD: then all sources of its stack are serviced one at a time. */
  readonly singleThreaded?: boolean;
  /** Brings the device to life: sets RUNNING. Returns 0 or an errno. */
  init(ifp: Ifnet): number;
  /** Stops it: clears RUNNING, frees what waits; with `disable` the device is also taken from its cable. */
  stop(ifp: Ifnet, disable: boolean): void;
  /** Sends what is in the send queue, as much as the device takes (the rest stays: `oactive`). Called with the transmit lock held. */
  start(ifp: Ifnet): void;
  /** Changes a setting; returns 0 or an errno. */
  ioctl(ifp: Ifnet, command: DriverCommand, value: number): number;
  /**
   * Interrupt work: takes what the device received and hands it to `etherInput`. Called by one thread at a time, outside the stack context.
   * Returns false when it stopped early for fairness.
   */
  process(ifp: Ifnet): boolean;
  /** The interrupt may be raised again: looks whether something came in meanwhile; true if so. */
  enable(ifp: Ifnet): boolean;
  /** `ifconfig X destroy`: frees the device. */
  detach(ifp: Ifnet): void;
  /** True while a link partner is there. */
  carrier(ifp: Ifnet): boolean;
  /** Frames that the device holds for `process`; absent where nobody can tell. */
  backlog?(ifp: Ifnet): number;
  /** Counters beyond those of the interface, for nicinfo; those it does not keep are absent. */
  statistics(ifp: Ifnet): Record<string, number>;
  /** Settings, for nicinfo and ifconfig. */
  configuration(ifp: Ifnet): Record<string, string | number>;
  /**
   * Interfaces that are no Ethernet: sends an IPv4 packet to the next hop (host order). Returns 0 or an errno; the packet is gone in any case. In the stack
   * context.
   */
  output?(ifp: Ifnet, m: number, nexthop: number): number;
}
export type DriverCommand = 'mtu' | 'promiscuous' | 'multicast' | 'capabilities' | 'mac';

/** Numbers of drivers in records: the same in every thread. */
export const DRIVER = {
  loopback: 1,
  vnic: 2,
  tap: 3,
  bridge: 4,
  vlan: 5,
  agr: 6,
  gif: 7,
  gre: 8,
  pseudoTun: 9,
  pseudoTap: 10,
  slip: 11,
  legacyVnic: 12,
  pflog: 13,
  /** Drivers from outside get numbers from here, the same in every thread. */
  firstForeign: 32,
} as const;
const drivers: (Driver | undefined)[] = [];

/** Makes a driver known to this thread. */
export function registerDriver(id: number, driver: Driver): void {
  while (drivers.length <= id) drivers.push(undefined);
  drivers[id] = driver;
}

export function driverOf(ifp: Ifnet): Driver {
  return drivers[ifp.driver]!;
}

/** The file that a driver comes from, without its ending. */
export function driverFile({ name, legacy }: Driver): string {
  return `${legacy === true ? 'devn' : 'devnp'}-${name}`;
}

const sendQueues: Queue[] = [];

/** The send queue of an interface; one view per thread. */
export function sendQueue(ifp: Ifnet): Queue {
  const index = ifnets.indexOf(ifp.ptr);
  while (sendQueues.length <= index)
    sendQueues.push(queueAt(ifnets.base + sendQueues.length * ifnetStruct.size + ifnetStruct.offsets.send));
  return sendQueues[index]!;
}

export interface InterfaceOptions {
  readonly name: string;
  readonly type: number;
  readonly driver: number;
  readonly flags: number;
  readonly mtu: number;
  readonly mtuMax: number;
  /** Link type of what is seen on it (DLT_*); default: Ethernet for Ethernet cards and bridges, an address family in front of packets for others. */
  readonly dlt?: number;
  /** Priority of its receive work, 1..63; default: that of the stack. */
  readonly priority?: number;
  /** As of its driver, unless the device is another than the rest. */
  readonly singleThreaded?: boolean;
}

/**
 * Adds an interface to a stack; 0 when there is no room (ENOBUFS). Runs in the stack context, or while no thread works. What it says of threads and priorities
 * counts when settleThreads() was called (io-pkt/threads.ts).
 */
export function ifAttach(stack: Stack, options: InterfaceOptions): number {
  const ptr = ifnets.alloc();
  if (ptr === 0) return 0;
  const source = newSource({
    kind: KIND.hardware,
    handler: HANDLER.interface,
    arg: ptr,
    stack: stack.ptr,
    home: stack.home,
    priority: stack.receivePriority,
    gate: stack.gate,
  });
  if (source === 0) {
    ifnets.free(ptr);
    return 0;
  }
  const ifp = ifnets.get(ptr);
  putText(ifp.name, IFNAME_BYTES, options.name);
  ifp.index = ++stack.nextIndex;
  ifp.stack = stack.ptr;
  ifp.source = source;
  ifp.type = options.type;
  ifp.driver = options.driver;
  ifp.flags = options.flags;
  ifp.mtu = options.mtu;
  ifp.mtuMax = options.mtuMax;
  ifp.dlt =
    options.dlt ?? (options.type === IFT_ETHER || options.type === IFT_BRIDGE ? DLT_EN10MB : DLT_NULL);
  ifp.priority = options.priority ?? 0;
  ifp.single = (options.singleThreaded ?? drivers[options.driver]?.singleThreaded) === true ? 1 : 0;
  sendQueue(ifp).max = sysctlValue(stack.ptr, SYSCTL.ifQueueLength);
  appendInterface(stack, ptr);
  for (const listener of comings) listener(ifp, true);
  return ptr;
}

function appendInterface(stack: Stack, ptr: number): void {
  if (stack.interfaces === 0) {
    stack.interfaces = ptr;
    return;
  }
  let last = stack.interfaces;
  while (ifnets.get(last).next !== 0) last = ifnets.get(last).next;
  ifnets.get(last).next = ptr;
}

/**
 * What happens to an interface. `up` and `down`: it works from now on, or no longer. `leaving`: it is being destroyed, and is out of its stack's list; other
 * threads may still look at it. `gone`: just before its driver detaches, also when its stack ends. `gone` comes while no thread works, the others come in the
 * stack context.
 */
export type InterfaceEvent = 'up' | 'down' | 'mtu' | 'mac' | 'leaving' | 'gone';
const listeners: ((ifp: Ifnet, event: InterfaceEvent) => void)[] = [];

/** Has `listener` told what happens to interfaces: for what is built on top of them. */
export function onInterfaceEvent(listener: (ifp: Ifnet, event: InterfaceEvent) => void): void {
  listeners.push(listener);
}

const comings: ((ifp: Ifnet, isThere: boolean) => void)[] = [];

/** Has `listener` told when an interface has come into its stack's list, and when it leaves it. */
export function onComing(listener: (ifp: Ifnet, isThere: boolean) => void): void {
  comings.push(listener);
}

/** Tells all listeners. */
export function announceEvent(ifp: Ifnet, event: InterfaceEvent): void {
  for (const listener of listeners) listener(ifp, event);
}

/** Takes an interface from its stack and frees it with its addresses. Its driver has detached; nothing raises its source any more. */
export function ifDetach(ifp: Ifnet): void {
  ifUnlist(stacks.get(ifp.stack), ifp);
  ifFree(ifp);
}

/** Takes an interface from the list of its stack. */
export function ifUnlist(stack: Stack, ifp: Ifnet): void {
  for (const listener of comings) listener(ifp, false);
  if (stack.interfaces === ifp.ptr) {
    stack.interfaces = ifp.next;
    return;
  }
  let at = ifnets.get(stack.interfaces);
  while (at.next !== ifp.ptr) at = ifnets.get(at.next);
  at.next = ifp.next;
}

/** Frees an interface that is in no list any more. */
export function ifFree(ifp: Ifnet): void {
  while (ifp.addresses !== 0) removeAddress(ifp, ifaddrs.get(ifp.addresses));
  mFreeList(dequeueAll(sendQueue(ifp)));
  freeSource(ifp.source);
  orphanTaps(ifp.taps);
  ifnets.free(ifp.ptr);
}

export function interfaceName(ifp: Ifnet): string {
  return getText(ifp.name, IFNAME_BYTES);
}

/** The interface of a stack with a name; undefined if there is none. */
export function findInterface(stack: Stack, name: string): Ifnet | undefined {
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
    if (interfaceName(ifnets.get(ptr)) === name) return ifnets.get(ptr);
  }
  return undefined;
}

/**
 * Switches promiscuous mode for one more that wants it, or one less (ifpromisc): the interface has it while there are any. Returns 0 or an errno of the driver. In the
 * stack context.
 */
export function ifPromisc(ifp: Ifnet, on: boolean): number {
  if (on ? ifp.promiscuous++ > 0 : --ifp.promiscuous > 0) return 0;
  ifp.flags = on ? ifp.flags | IFF.PROMISC : ifp.flags & ~IFF.PROMISC;
  return driverOf(ifp).ioctl(ifp, 'promiscuous', on ? 1 : 0);
}

/** The class of an address, as one bit. */
function classOf(address: number): number {
  return 1 << (Math.imul(address, 0x9e37_79b1) >>> 27);
}

/** Adds an address behind the others, or as the first one, and returns its entry; 0 when the slab is full. */
export function addAddress(
  ifp: Ifnet,
  address: number,
  netmask: number,
  broadcast: number,
  first: boolean,
): number {
  const ptr = ifaddrs.alloc();
  if (ptr === 0) return 0;
  const entry = ifaddrs.get(ptr);
  entry.address = address;
  entry.netmask = netmask;
  entry.broadcast = broadcast;
  stacks.get(ifp.stack).addressClasses |= classOf(address);
  if (first || ifp.addresses === 0) {
    entry.next = ifp.addresses;
    ifp.addresses = ptr;
    return ptr;
  }
  let last = ifaddrs.get(ifp.addresses);
  while (last.next !== 0) last = ifaddrs.get(last.next);
  last.next = ptr;
  return ptr;
}

export function removeAddress(ifp: Ifnet, entry: Ifaddr): void {
  if (ifp.addresses === entry.ptr) ifp.addresses = entry.next;
  else {
    let at = ifaddrs.get(ifp.addresses);
    while (at.next !== entry.ptr) at = ifaddrs.get(at.next);
    at.next = entry.next;
  }
  ifaddrs.free(entry.ptr);
}

/** The entry of an interface with this address, 0 if there is none. */
export function findAddress(ifp: Ifnet, address: number): number {
  for (let ptr = ifp.addresses; ptr !== 0; ptr = ifaddrs.get(ptr).next) {
    if (ifaddrs.get(ptr).address === address) return ptr;
  }
  return 0;
}

/** The interface of a stack that has this address, 0 if none has it. */
export function interfaceWithAddress(stack: Stack, address: number): number {
  if ((stack.addressClasses & classOf(address)) === 0) return 0;
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
    if (findAddress(ifnets.get(ptr), address) !== 0) return ptr;
  }
  return 0;
}

/** True if a destination is a broadcast on this interface: limited, directed, or the old form with a zero host part. */
export function isBroadcast(ifp: Ifnet, address: number): boolean {
  if (address === 0xffffffff || address === 0) return true;
  if ((ifp.flags & IFF.BROADCAST) === 0) return false;
  for (let ptr = ifp.addresses; ptr !== 0;) {
    const entry = ifaddrs.get(ptr);
    if (address === entry.broadcast) return true;
    if (entry.netmask < 0xfffffffe && address === (entry.address & entry.netmask) >>> 0) return true;
    ptr = entry.next;
  }
  return false;
}

export function isMulticast(address: number): boolean {
  return address >>> 28 === 14;
}

// Packets go to send queues in batches: what this thread has for an interface since its last startPending() waits in a list of its own, in words of the one
// memory, so that it can be freed should the thread die.
const STAGED_BYTES = 16;
const staged = region('frames between queues', maxThreads * ifnets.capacity * STAGED_BYTES) >>> 2;
const stagedHere = staged + selfThread * ((ifnets.capacity * STAGED_BYTES) >>> 2);
/** Interfaces with such a list. The array never shrinks: one that did would be made anew all the time. */
const pending: Ifnet[] = [];
let pendingCount = 0;

/** Words of an interface's list in this thread: first, last, how many. */
function stagedOf(ifp: Ifnet): number {
  return stagedHere + ifnets.indexOf(ifp.ptr) * (STAGED_BYTES >>> 2);
}

/** Queues a packet on an interface; it leaves with the next startPending() of this thread. Returns 0 or an errno (the packet is freed). */
export function ifQueue(ifp: Ifnet, m: number): number {
  if ((ifp.flags & (SENDING | IFF.ALTQ)) === (SENDING | IFF.ALTQ)) return altqOutput(ifp, m);
  return ifQueueDirect(ifp, m);
}

let altqOutput: (ifp: Ifnet, m: number) => number = ifQueueDirect;

/** Says who takes the packets for interfaces that have queues of their own. */
export function setAltqOutput(output: (ifp: Ifnet, m: number) => number): void {
  altqOutput = output;
}

/** The same, past the queues of altq. */
export function ifQueueDirect(ifp: Ifnet, m: number): number {
  if ((ifp.flags & SENDING) !== SENDING) {
    station(m, STATION.sendQueue, ifp.ptr, ERRNO.ENETDOWN);
    mFree(m);
    return ERRNO.ENETDOWN;
  }
  station(m, STATION.sendQueue, ifp.ptr, 0);
  const list = stagedOf(ifp);
  const count = u32[list + 2]!;
  const queue = sendQueue(ifp);
  if (queue.len + count >= queue.max) {
    queue.drops++;
    station(m, STATION.drop, ifp.ptr, ERRNO.ENOBUFS);
    mFree(m);
    return ERRNO.ENOBUFS;
  }
  u32[(m + NEXTPKT) >>> 2] = 0;
  if (count === 0) {
    u32[list] = m;
    pending[pendingCount++] = ifp;
  } else u32[(u32[list + 1]! + NEXTPKT) >>> 2] = m;
  u32[list + 1] = m;
  u32[list + 2] = count + 1;
  return 0;
}
const SENDING = IFF.UP | IFF.RUNNING;
const NEXTPKT = 4;

/** Has the drivers send what this thread has queued: called once per batch, in the stack context or by the thread that drained an interface. */
export function startPending(): void {
  while (pendingCount > 0) {
    const ifp = pending[--pendingCount]!;
    const list = stagedOf(ifp);
    const count = u32[list + 2]!;
    u32[list + 2] = 0;
    if ((ifp.flags & SENDING) !== SENDING) mFreeList(u32[list]!);
    else {
      mFreeList(enqueueList(sendQueue(ifp), u32[list]!, u32[list + 1]!, count));
      startInterface(ifp);
    }
  }
}

/** Frees what a dead thread had for interfaces and had not queued yet. */
export function freeStaged(thread: number): void {
  const first = staged + thread * ((ifnets.capacity * STAGED_BYTES) >>> 2);
  for (let i = 0; i < ifnets.capacity; i++) {
    const list = first + i * (STAGED_BYTES >>> 2);
    if (u32[list + 2] !== 0) mFreeList(u32[list]!);
    u32[list + 2] = 0;
  }
}

/** Has the driver send what is in the send queue. */
export function startInterface(ifp: Ifnet): void {
  lock(ifp.ptr + TX_LOCK);
  drivers[ifp.driver]!.start(ifp);
  unlock(ifp.ptr + TX_LOCK);
}
const TX_LOCK = ifnetStruct.offsets.txLock;

/** Counts packets that a driver has sent. */
export function countOutput(ifp: Ifnet, packets: number, bytes: number): void {
  ifp.opackets += packets;
  ifp.obytes += bytes;
}
