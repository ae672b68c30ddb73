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
import { mbuf, mbufStruct } from '../memory/mbuf.ts';
import { struct } from '../memory/struct.ts';
import { now } from '../runtime/clock.ts';
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
  /** At the fast path: stack; 0 for a hit, otherwise the number of the first condition that failed (ip-flow.ts). */
  flow: 12,
  /** On the stack's input queue: interface. */
  stackQueue: 13,
  /** IP input, in the stack context: stack. */
  ipInput: 14,
  /** At the packet filters: interface; 0 passed, otherwise blocked. */
  filter: 15,
  /** Forwarded: stack; index of the outgoing interface. */
  forward: 16,
  /** Held for reassembly: stack. */
  reassembly: 17,
  /** Handed to a transport protocol, which finds the socket: stack; IP protocol. */
  transport: 18,
  /** In the receive buffer of a socket: socket; bytes. */
  socket: 19,
  /** The stack has answered or used it itself (ARP, ICMP): stack; EtherType. */
  consumed: 20,
  /** Through a tunnel or another pseudo-interface: interface; 1 in, 2 out. */
  tunnel: 21,
  /** Dropped: stack or interface; a counter's offset (statistics.ts), or 0. */
  drop: 22,
} as const;
export type Station = (typeof STATION)[keyof typeof STATION];

/** What a link did to a packet that did not arrive. */
export const LINK_LOSS = { loss: 1, queue: 2, mtu: 3, noReceiver: 4, buffers: 5 } as const;
/** What a bridge did with a frame. */
export const BRIDGE_VERDICT = { forwarded: 1, flooded: 2, local: 3, blocked: 4, dropped: 5 } as const;

const CAPACITY = 65_536;
const ENTRY = 32;
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
  if ((protocol !== TCP && protocol !== UDP) || length < header + 4) return false;
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
  if (view.journey !== 0 || view.len < off) return;
  if (!matches(view.data + off, view.len - off, etherType)) return;
  if (Atomics.add(i32, MATCHED, 1) % i32[EVERY]! !== 0) return;
  view.journey = Atomics.add(i32, LAST_ID, 1) + 1;
}

/** Leaves an entry if the packet is followed. */
export function station(m: number, what: Station, place: number, detail: number): void {
  const id = u32[(m >>> 2) + JOURNEY]!;
  if (id !== 0) note(id, m, what, place, detail);
}

function note(id: number, m: number, what: Station, place: number, detail: number): void {
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
  f64[at >>> 3] = now();
  u32[(at + 8) >>> 2] = id;
  u32[(at + 12) >>> 2] = place;
  u32[(at + 16) >>> 2] = m;
  i32[(at + 20) >>> 2] = detail;
  u8[at + 24] = what;
  u8[at + 25] = selfThread;
  // Last: tells the reader that the entry is whole. Never 0, so that a slot that was never written to is not taken for one.
  Atomics.store(i32, (at + 28) >>> 2, slot | 0x4000_0000);
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
}

/** Hands on what was left in the ring, oldest first; says whether there was anything. One reader at a time. */
export function drainJourneys(visit: (entry: JourneyEntry) => void): boolean {
  const from = Atomics.load(i32, TAIL);
  let slot = from;
  const end = Atomics.load(i32, HEAD);
  for (; slot !== end; slot = (slot + 1) | 0) {
    const at = entries + (slot & (CAPACITY - 1)) * ENTRY;
    if (Atomics.load(i32, (at + 28) >>> 2) !== (slot | 0x4000_0000)) break;
    visit({
      id: u32[(at + 8) >>> 2]!,
      time: f64[at >>> 3]!,
      thread: u8[at + 25]!,
      station: u8[at + 24]! as Station,
      place: u32[(at + 12) >>> 2]!,
      detail: i32[(at + 20) >>> 2]!,
      mbuf: u32[(at + 16) >>> 2]!,
    });
  }
  Atomics.store(i32, TAIL, slot);
  return slot !== from;
}

/** Entries that the ring had no room for. */
export function journeysLost(): number {
  return Atomics.load(i32, LOST);
}
