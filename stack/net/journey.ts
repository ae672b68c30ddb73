/**
 * The journey of a packet: the stations it passes in every node, each with thread, time, place and buffer. Off by default; when on, every Nth packet that
 * matches gets a number in its first mbuf, which its copies keep, and whoever handles a numbered packet leaves an entry in one ring in the one memory.
 * Thread 0 reads the ring (main/lab). A full ring drops and counts: following a packet never holds it up.
 */
import {
  be16,
  be32,
  f64,
  i32 as sharedI32,
  region,
  selfThread,
  u32 as sharedU32,
  u8,
} from '../memory/memory.ts';
import { M_PASSED_OVER, mbuf, mbufStruct } from '../memory/mbuf.ts';
import { struct } from '../memory/struct.ts';
import { readClock } from '../runtime/clock.ts';
import { ringBell } from '../runtime/messages/post.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const i32 = sharedI32;
const u32 = sharedU32;

/** Where a packet is. The comment says what `place` is (an address in the one memory) and what `detail` means. */
export const STATION = {
  /** A packet of this host goes down: stack; IP protocol. */
  output: 1,
  /** It waits for the hardware address of the next hop: interface. */
  arpHold: 2,
  /** On the send queue of an interface: interface; 0, or the errno with which it was refused. */
  sendQueue: 3,
  /** The driver has taken it for sending: interface. */
  driverOut: 4,
  /** On a link: link; number of the end it came from. */
  link: 5,
  /** Lost on a link: link; a LINK_LOSS. */
  linkLoss: 6,
  /** The driver has received it: interface. */
  driverIn: 7,
  /** Shown to the capture points of an interface: interface; 1 inbound, 2 outbound. */
  tap: 8,
  /** Through a link aggregate: the aggregate's interface; index of the port's interface. */
  aggregate: 9,
  /** At a bridge: the bridge's interface; a BRIDGE_VERDICT. */
  bridge: 10,
  /** Through a VLAN: the VLAN's interface; VLAN identifier. */
  vlan: 11,
  /** At the fast path: stack; 0 for a hit, otherwise the number of the first condition that failed and which part of it (ip-flow.ts). */
  flow: 12,
  /** On the stack's input queue: interface. */
  stackQueue: 13,
  /** IP input, in the stack context: stack. */
  ipInput: 14,
  /** At a packet filter: interface; what it decided, by which rule (lsm-pf/test.ts; main/lab/filter-station.ts has the words). */
  filter: 15,
  /** Forwarded: stack; index of the outgoing interface. */
  forward: 16,
  /** Held for reassembly: stack. */
  reassembly: 17,
  /** Handed to a transport protocol, which finds the socket: stack; IP protocol. */
  transport: 18,
  /** In the receive buffer of a socket: stack; bytes. The entry has the socket's protocol, address and port. */
  socket: 19,
  /** The stack has used it itself: stack; EtherType, or CONSUMED_ICMP and an ICMP type. */
  consumed: 20,
  /** Through a tunnel or another pseudo-interface: interface; 1 in, 2 out. */
  tunnel: 21,
  /** Dropped: stack; a counter's offset (statistics.ts). Or: interface; an errno, 0 if no protocol takes it, FOR_ANOTHER. */
  drop: 22,
  /** Dropped, and an ICMP error is due to its sender: stack; ICMP type * 256 + code. */
  refused: 23,
  /** TCP has found its connection or its listener: stack; bytes of data. The entry has the address and port. */
  connection: 24,
} as const;
export type Station = (typeof STATION)[keyof typeof STATION];

/** What a link did to a packet that did not arrive. */
export const LINK_LOSS = {
  loss: 1,
  queue: 2,
  mtu: 3,
  noReceiver: 4,
  buffers: 5,
  /** The card at the other end is down, or its receive queue is full. */
  receiverDown: 6,
  receiverFull: 7,
} as const;
/** What a bridge did with a frame. */
export const BRIDGE_VERDICT = { forwarded: 1, flooded: 2, local: 3, blocked: 4, dropped: 5 } as const;

/** Detail of a drop at an interface that has taken a frame for another hardware address: on a hub, or while it is promiscuous. */
export const FOR_ANOTHER = -1;

/** Added to the ICMP type in the detail of `consumed`. */
export const CONSUMED_ICMP = 0x10000;

const CAPACITY = 65_536;
// time f64 | id u32 | place u32 | mbuf u32 | detail i32 | station u8, thread u8, protocol u8 | mark i32 | address u32 | port u32
const ENTRY = 40;
const AT_ID = 8;
const AT_PLACE = 12;
const AT_MBUF = 16;
const AT_DETAIL = 20;
const AT_STATION = 24;
const AT_THREAD = 25;
const AT_PROTOCOL = 26;
const AT_MARK = 28;
const AT_ADDRESS = 32;
const AT_PORT = 36;
/** With the number of the slot in an entry's mark: never 0, so that a slot that was never written to is not taken for one. */
const WHOLE = 0x4000_0000;
/** Asks the reader for attention when so many entries wait. */
const ATTENTION = 4096;

const headStruct = struct('journeys', {
  /** 0: off; N: every Nth packet that matches. */
  every: 'i32',
  /** Entries claimed by writers, and read. */
  head: 'i32',
  tail: 'i32',
  lost: 'i32',
  /** The last number given to a packet; packets that matched. */
  lastId: 'i32',
  matched: 'i32',
  /** What must match; 0: anything. The address in host order, either end; the port of either end. */
  protocol: 'i32',
  address: 'i32',
  port: 'i32',
});
const head = headStruct.at(region('journey header', 128));
const entries = region('journey entries', CAPACITY * ENTRY);
const EVERY = head.ptr >>> 2;
const HEAD = (head.ptr + headStruct.offsets.head) >>> 2;
const TAIL = (head.ptr + headStruct.offsets.tail) >>> 2;
const LOST = (head.ptr + headStruct.offsets.lost) >>> 2;
const LAST_ID = (head.ptr + headStruct.offsets.lastId) >>> 2;
const MATCHED = (head.ptr + headStruct.offsets.matched) >>> 2;
const JOURNEY = mbufStruct.offsets.journey >>> 2;

/** Which packets are followed. */
export interface JourneyChoice {
  /** Every Nth packet that matches. */
  readonly every: number;
  /** IP protocol. */
  readonly protocol?: number;
  /** IPv4 address of either end, host order. */
  readonly address?: number;
  /** TCP or UDP port of either end. */
  readonly port?: number;
}

/** Begins to follow packets, or stops with undefined. Packets under way keep their numbers. */
export function followPackets(choice: JourneyChoice | undefined): void {
  head.protocol = choice?.protocol ?? 0;
  head.address = (choice?.address ?? 0) | 0;
  head.port = choice?.port ?? 0;
  Atomics.store(i32, EVERY, choice === undefined ? 0 : Math.max(1, choice.every));
}

const ETHERTYPE_IP = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const IP_HEADER = 20;
const TCP = 6;
const UDP = 17;

/** True if the IPv4 packet of `length` contiguous bytes at `p` is one that is asked for. */
function matchesIp(p: number, length: number): boolean {
  if (length < IP_HEADER) return false;
  const protocol = u8[p + 9]!;
  if (head.protocol !== 0 && protocol !== head.protocol) return false;
  if (head.address !== 0 && be32(p + 12) !== head.address && be32(p + 16) !== head.address) return false;
  if (head.port === 0) return true;
  const header = (u8[p]! & 15) << 2;
  const laterFragment = (be16(p + 6) & 0x1fff) !== 0;
  if ((protocol !== TCP && protocol !== UDP) || laterFragment || length < header + 4) return false;
  return be16(p + header) === head.port || be16(p + header + 2) === head.port;
}

/** Without a filter everything matches; ARP belongs to an address that is asked for. */
function matches(p: number, length: number, etherType: number): boolean {
  if ((head.protocol | head.address | head.port) === 0) return true;
  if (etherType === ETHERTYPE_IP) return matchesIp(p, length);
  const arp = etherType === ETHERTYPE_ARP && length >= 28 && (head.protocol | head.port) === 0;
  return arp && (be32(p + 14) === head.address || be32(p + 24) === head.address);
}

/** True while packets are followed: ask before paying for beginJourney(). */
export function following(): boolean {
  return i32[EVERY] !== 0;
}

/** Numbers a packet that has no number yet, if it is one to be followed; its network header, of an EtherType, begins at offset `off`. */
export function beginJourney(m: number, off: number, etherType: number): void {
  const view = mbuf(m);
  if (view.journey !== 0 || (view.flags & M_PASSED_OVER) !== 0 || view.len < off) return;
  if (!matches(view.data + off, view.len - off, etherType)) return;
  // Another thread may switch off meanwhile.
  const every = Math.max(1, i32[EVERY]!);
  if ((Atomics.add(i32, MATCHED, 1) >>> 0) % every === 0) view.journey = Atomics.add(i32, LAST_ID, 1) + 1;
  else view.flags |= M_PASSED_OVER;
}

/** The journey ends: what becomes of the buffer from here on is another packet (an answer made in place). */
export function endJourney(m: number): void {
  const view = mbuf(m);
  view.journey = 0;
  view.flags &= ~M_PASSED_OVER;
}

/** True if the packet has a number: ask before paying for the arguments of stationAtSocket(). */
export function isFollowed(m: number): boolean {
  return u32[(m >>> 2) + JOURNEY] !== 0;
}

/** Leaves an entry if the packet is followed. */
export function station(m: number, what: Station, place: number, detail: number): void {
  const id = u32[(m >>> 2) + JOURNEY]!;
  if (id !== 0) note(id, m, what, place, detail, 0, 0, 0);
}

/** Leaves an entry of a packet that is followed, at a socket of `stack`. The socket is told by protocol and own address (0: any) and port, because it may be gone when the entry is read. */
export function stationAtSocket(
  m: number,
  what: Station,
  stack: number,
  detail: number,
  protocol: number,
  address: number,
  port: number,
): void {
  note(u32[(m >>> 2) + JOURNEY]!, m, what, stack, detail, protocol, address, port);
}

function note(
  id: number,
  m: number,
  what: Station,
  place: number,
  detail: number,
  protocol: number,
  address: number,
  port: number,
): void {
  let slot: number;
  let waiting: number;
  do {
    slot = Atomics.load(i32, HEAD);
    waiting = (slot - Atomics.load(i32, TAIL)) | 0;
    if (waiting >= CAPACITY) {
      Atomics.add(i32, LOST, 1);
      return;
    }
  } while (Atomics.compareExchange(i32, HEAD, slot, (slot + 1) | 0) !== slot);
  const at = entries + (slot & (CAPACITY - 1)) * ENTRY;
  f64[at >>> 3] = readClock();
  u32[(at + AT_ID) >>> 2] = id;
  u32[(at + AT_PLACE) >>> 2] = place;
  u32[(at + AT_MBUF) >>> 2] = m;
  i32[(at + AT_DETAIL) >>> 2] = detail;
  u8[at + AT_STATION] = what;
  u8[at + AT_THREAD] = selfThread;
  u8[at + AT_PROTOCOL] = protocol;
  u32[(at + AT_ADDRESS) >>> 2] = address;
  u32[(at + AT_PORT) >>> 2] = port;
  // Last: tells the reader that the entry is whole.
  Atomics.store(i32, (at + AT_MARK) >>> 2, slot | WHOLE);
  if (waiting === ATTENTION) ringBell();
}

/** An entry as the reader gets it. */
export interface JourneyEntry {
  readonly id: number;
  /** ns of the lab's clock. */
  readonly time: number;
  readonly thread: number;
  readonly station: Station;
  readonly place: number;
  readonly detail: number;
  /** Handle of the packet's first mbuf. */
  readonly mbuf: number;
  /** At a socket: its IP protocol, otherwise 0; its own address in host order (0: any) and port. */
  readonly protocol: number;
  readonly address: number;
  readonly port: number;
}

/** Hands on what was left in the ring, oldest first; says whether there was anything. One reader at a time. */
export function drainJourneys(visit: (entry: JourneyEntry) => void): boolean {
  const from = Atomics.load(i32, TAIL);
  let slot = from;
  const end = Atomics.load(i32, HEAD);
  for (; slot !== end; slot = (slot + 1) | 0) {
    const at = entries + (slot & (CAPACITY - 1)) * ENTRY;
    if (Atomics.load(i32, (at + AT_MARK) >>> 2) !== (slot | WHOLE)) break;
    visit({
      id: u32[(at + AT_ID) >>> 2]!,
      time: f64[at >>> 3]!,
      thread: u8[at + AT_THREAD]!,
      station: u8[at + AT_STATION]! as Station,
      place: u32[(at + AT_PLACE) >>> 2]!,
      detail: i32[(at + AT_DETAIL) >>> 2]!,
      mbuf: u32[(at + AT_MBUF) >>> 2]!,
      protocol: u8[at + AT_PROTOCOL]!,
      address: u32[(at + AT_ADDRESS) >>> 2]!,
      port: u32[(at + AT_PORT) >>> 2]!,
    });
  }
  Atomics.store(i32, TAIL, slot);
  return slot !== from;
}

/** Entries waiting in the ring. */
export function journeysWaiting(): number {
  return (i32[HEAD]! - i32[TAIL]!) | 0;
}

/** Entries that the ring had no room for. */
export function journeysLost(): number {
  return Atomics.load(i32, LOST);
}

/** A lab begins: nothing is followed, nothing waits, and numbers begin at 1. No thread handles packets. */
export function resetJourneys(): void {
  followPackets(undefined);
  Atomics.store(i32, TAIL, Atomics.load(i32, HEAD));
  for (const word of [LOST, LAST_ID, MATCHED]) Atomics.store(i32, word, 0);
}
