/**
 * Van Jacobson's compression of TCP/IP headers (RFC 1144): of what differs from the packet before on the same connection only the differences are sent. Both ends keep the
 * last header of each of sixteen connections; after a loss the receiver drops packets until one names its connection again (§4.1).
 */
import { be16, be32, putBe16, putBe32, u8 } from '../../memory/memory.ts';
import { putChecksum, sumBytes } from '../../memory/checksum.ts';
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';
import { IP_DST, IP_HEADER, IP_ID, IP_LENGTH, IP_OFF, IP_PROTO, IP_SRC, IP_SUM } from '../../netinet/ip.ts';

const CONNECTIONS = 16;
/** A saved header: its length, when it was used last, then its bytes: those of IP and TCP with all options are 120 at most. */
const SLOT = 128;
const AT_USED = 4;
const AT_BYTES = 8;

const compressionStruct = struct('slipCompression', {
  next: 'ptr',
  nextpkt: 'ptr',
  sent: { bytes: CONNECTIONS * SLOT },
  received: { bytes: CONNECTIONS * SLOT },
  /** Connection of the last packet, each way; NONE at first. */
  lastSent: 'u8',
  lastReceived: 'u8',
  /** 1 after a loss: what does not name its connection is dropped. */
  toss: 'u8',
  /** Counts uses of connections. */
  uses: 'u32',
});
export type Compression = ViewOf<typeof compressionStruct>;
export const compressions = slab(compressionStruct, 256);
const NONE = 255;

// §3.2.2: what the change mask says.
const NEW_C = 0x40;
const NEW_I = 0x20;
const PUSH_BIT = 0x10;
const NEW_S = 0x08;
const NEW_A = 0x04;
const NEW_W = 0x02;
const NEW_U = 0x01;
/** Echoed terminal traffic, and one-way data: both have masks of their own (§3.2.2). */
const SPECIAL_I: number = NEW_S | NEW_W | NEW_U;
const SPECIAL_D: number = NEW_S | NEW_A | NEW_W | NEW_U;

/** The first byte of what is on the line (A.1): version and length of an IP header where the packet is whole. */
export const TYPE_UNCOMPRESSED = 0x70;
export const TYPE_COMPRESSED = 0x80;

const IPPROTO_TCP = 6;
const TCP_HEADER = 20;
const TH_SEQ = 4;
const TH_ACK = 8;
const TH_OFF = 12;
const TH_FLAGS = 13;
const TH_WIN = 14;
const TH_SUM = 16;
const TH_URP = 18;
const FIN = 1;
const SYN = 2;
const RST = 4;
const PUSH = 8;
const ACK = 16;
const URG = 32;

/** State for one line; 0 when there is no room. */
export function newCompression(): number {
  const ptr = compressions.alloc();
  if (ptr !== 0) resetCompression(compressions.get(ptr));
  return ptr;
}

/** Forgets all connections: the line is another. */
export function resetCompression(state: Compression): void {
  u8.fill(0, state.sent, state.sent + CONNECTIONS * SLOT);
  u8.fill(0, state.received, state.received + CONNECTIONS * SLOT);
  state.lastSent = NONE;
  state.lastReceived = NONE;
  state.toss = 1;
}

/** Bytes of the TCP/IP header at `p` of a packet of `length` bytes; 0 if it is no TCP segment that could be compressed. */
function headerOf(p: number, length: number): number {
  const ip = (u8[p]! & 15) << 2;
  if (length < IP_HEADER + TCP_HEADER || ip < IP_HEADER || u8[p + IP_PROTO] !== IPPROTO_TCP) return 0;
  if ((be16(p + IP_OFF) & 0x3fff) !== 0 || length < ip + TCP_HEADER) return 0;
  const tcp = (u8[p + ip + TH_OFF]! >>> 4) << 2;
  return tcp < TCP_HEADER || ip + tcp > length ? 0 : ip + tcp;
}

function sameBytes(a: number, b: number, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (u8[a + i] !== u8[b + i]) return false;
  return true;
}

/** The saved header of the same connection, as its number; -1 if there is none. */
function findConnection(state: Compression, p: number, ip: number): number {
  for (let i = 0; i < CONNECTIONS; i++) {
    const header = state.sent + i * SLOT + AT_BYTES;
    if (u8[state.sent + i * SLOT] === 0 || (u8[header]! & 15) << 2 !== ip) continue;
    if (sameBytes(header, p, IP_SRC, IP_DST + 4) && sameBytes(header, p, ip, ip + 4)) return i;
  }
  return -1;
}

function oldestConnection(state: Compression): number {
  let oldest = 0;
  for (let i = 1; i < CONNECTIONS; i++) {
    const used = be32(state.sent + i * SLOT + AT_USED) >>> 0;
    if (used < be32(state.sent + oldest * SLOT + AT_USED) >>> 0) oldest = i;
  }
  return oldest;
}

function save(slot: number, p: number, header: number): void {
  u8[slot] = header;
  u8.copyWithin(slot + AT_BYTES, p, p + header);
}

// The differences that are being written.
const deltas = new Uint8Array(24);
let written = 0;

/** §3.2.2: one byte for 1 to 255, otherwise a zero and two bytes. */
function encode(value: number): void {
  if (value === 0 || value > 255) {
    deltas[written++] = 0;
    deltas[written++] = value >>> 8;
  }
  deltas[written++] = value & 255;
}

/**
 * Compresses the packet of `length` bytes at `p` in place, where that can be done, and returns how many bytes at its front are to be left out. The first byte that remains
 * says what it is.
 */
export function compress(state: Compression, p: number, length: number): number {
  const header = headerOf(p, length);
  if (header === 0) return 0;
  const ip = (u8[p]! & 15) << 2;
  const th = p + ip;
  if ((u8[th + TH_FLAGS]! & (SYN | FIN | RST | ACK)) !== ACK) return 0;
  const known = findConnection(state, p, ip);
  const number = known < 0 ? oldestConnection(state) : known;
  const slot = state.sent + number * SLOT;
  const changes = known < 0 ? -1 : changesFrom(slot, p, ip, header, length);
  putBe32(slot + AT_USED, ++state.uses);
  const sum = be16(th + TH_SUM);
  save(slot, p, header);
  if (changes < 0) {
    u8[p] = (u8[p]! & 15) | TYPE_UNCOMPRESSED;
    u8[p + IP_PROTO] = number;
    state.lastSent = number;
    return 0;
  }
  return writeCompressed(state, p, header, number, changes, sum);
}

function writeCompressed(
  state: Compression,
  p: number,
  header: number,
  number: number,
  changes: number,
  sum: number,
): number {
  const named = state.lastSent !== number;
  state.lastSent = number;
  const size = (named ? 4 : 3) + written;
  let at = p + header - size;
  u8[at++] = TYPE_COMPRESSED | changes | (named ? NEW_C : 0);
  if (named) u8[at++] = number;
  putBe16(at, sum);
  for (let i = 0; i < written; i++) u8[at + 2 + i] = deltas[i]!;
  return header - size;
}

/** Writes the differences to the header in `slot` and returns the change mask; -1 if the packet has to go whole. */
function changesFrom(slot: number, p: number, ip: number, header: number, length: number): number {
  const old = slot + AT_BYTES;
  const th = p + ip;
  const oldTh = old + ip;
  const same =
    u8[slot] === header &&
    sameBytes(old, p, 0, 2) &&
    sameBytes(old, p, IP_OFF, IP_PROTO + 1) &&
    u8[oldTh + TH_OFF] === u8[th + TH_OFF] &&
    sameBytes(old, p, IP_HEADER, ip) &&
    sameBytes(old, p, ip + TCP_HEADER, header);
  if (!same) return -1;
  written = 0;
  let changes = 0;
  if ((u8[th + TH_FLAGS]! & URG) !== 0) {
    encode(be16(th + TH_URP));
    changes |= NEW_U;
  } else if (be16(th + TH_URP) !== be16(oldTh + TH_URP)) return -1;
  const window = (be16(th + TH_WIN) - be16(oldTh + TH_WIN)) & 0xffff;
  if (window !== 0) {
    encode(window);
    changes |= NEW_W;
  }
  const ack = (be32(th + TH_ACK) - be32(oldTh + TH_ACK)) >>> 0;
  const seq = (be32(th + TH_SEQ) - be32(oldTh + TH_SEQ)) >>> 0;
  if (ack > 0xffff || seq > 0xffff) return -1;
  if (ack !== 0) {
    encode(ack);
    changes |= NEW_A;
  }
  if (seq !== 0) {
    encode(seq);
    changes |= NEW_S;
  }
  changes = special(changes, seq, ack, be16(old + IP_LENGTH) - header, length - header);
  if (changes < 0) return -1;
  const id = (be16(p + IP_ID) - be16(old + IP_ID)) & 0xffff;
  if (id !== 1) {
    encode(id);
    changes |= NEW_I;
  }
  return changes | ((u8[th + TH_FLAGS]! & PUSH) !== 0 ? PUSH_BIT : 0);
}

/** The special cases of §3.2.2; `before` and `data` are the bytes of data in the packet before and in this one. */
function special(changes: number, seq: number, ack: number, before: number, data: number): number {
  switch (changes) {
    case 0:
      // Data behind an acknowledgement; anything else is most likely sent again, for a receiver that has lost track.
      return data !== before && before === 0 ? 0 : -1;
    case SPECIAL_I:
    case SPECIAL_D:
      return -1;
    case NEW_S | NEW_A:
      if (seq !== ack || seq !== before) return changes;
      written = 0;
      return SPECIAL_I;
    case NEW_S:
      if (seq !== before) return changes;
      written = 0;
      return SPECIAL_D;
    default:
      return changes;
  }
}

/** A packet was lost, or came in damaged. */
export function lostTrack(state: Compression): void {
  state.toss = 1;
}

/** Keeps the header of a packet of `length` bytes at `p` that came whole, and makes it what it was. False if it makes no sense. */
export function takeUncompressed(state: Compression, p: number, length: number): boolean {
  const number = u8[p + IP_PROTO]!;
  u8[p] = (u8[p]! & 15) | 0x40;
  u8[p + IP_PROTO] = IPPROTO_TCP;
  const header = length < IP_HEADER ? 0 : headerOf(p, length);
  if (number >= CONNECTIONS || header === 0) {
    state.toss = 1;
    return false;
  }
  save(state.received + number * SLOT, p, header);
  state.lastReceived = number;
  state.toss = 0;
  return true;
}

// The compressed header that is being read.
let at = 0;
let end = 0;

/** The next byte, 0 behind the end: whoever reads looks at `at` afterwards. */
function next(): number {
  return at < end ? u8[at++]! : ((at = end + 1), 0);
}

function decode(): number {
  const byte = next();
  return byte !== 0 ? byte : (next() << 8) | next();
}

/** Slot of the header that decompress() has rebuilt. */
let rebuilt = 0;

/** Reads the compressed header at `p` of a packet of `length` bytes, rebuilds the whole one, and returns how many bytes it had; 0 if the packet has to be dropped. */
export function decompress(state: Compression, p: number, length: number): number {
  at = p;
  end = p + length;
  const changes = next();
  if ((changes & NEW_C) !== 0) {
    state.lastReceived = next();
    state.toss = state.lastReceived < CONNECTIONS ? 0 : 1;
  }
  rebuilt = state.received + (state.lastReceived % CONNECTIONS) * SLOT;
  if (state.toss === 0 && u8[rebuilt] !== 0) applyChanges(rebuilt, changes);
  if (state.toss !== 0 || u8[rebuilt] === 0 || at > end) {
    state.toss = 1;
    return 0;
  }
  const ip = rebuilt + AT_BYTES;
  putBe16(ip + IP_LENGTH, u8[rebuilt]! + (end - at));
  putBe16(ip + IP_SUM, 0);
  putChecksum(ip + IP_SUM, sumBytes(ip, (u8[ip]! & 15) << 2));
  return at - p;
}

function applyChanges(slot: number, changes: number): void {
  const ip = slot + AT_BYTES;
  const th = ip + ((u8[ip]! & 15) << 2);
  const before = be16(ip + IP_LENGTH) - u8[slot]!;
  putBe16(th + TH_SUM, (next() << 8) | next());
  setFlag(th, PUSH, (changes & PUSH_BIT) !== 0);
  const what = changes & SPECIAL_D;
  if (what === SPECIAL_I || what === SPECIAL_D) {
    if (what === SPECIAL_I) add32(th + TH_ACK, before);
    add32(th + TH_SEQ, before);
  } else {
    setFlag(th, URG, (changes & NEW_U) !== 0);
    if ((changes & NEW_U) !== 0) putBe16(th + TH_URP, decode());
    if ((changes & NEW_W) !== 0) putBe16(th + TH_WIN, (be16(th + TH_WIN) + decode()) & 0xffff);
    if ((changes & NEW_A) !== 0) add32(th + TH_ACK, decode());
    if ((changes & NEW_S) !== 0) add32(th + TH_SEQ, decode());
  }
  const step = (changes & NEW_I) !== 0 ? decode() : 1;
  putBe16(ip + IP_ID, (be16(ip + IP_ID) + step) & 0xffff);
}

function setFlag(th: number, flag: number, on: boolean): void {
  u8[th + TH_FLAGS] = on ? u8[th + TH_FLAGS]! | flag : u8[th + TH_FLAGS]! & ~flag;
}

function add32(place: number, value: number): void {
  putBe32(place, (be32(place) + value) >>> 0);
}

/** Bytes of the header that decompress() has rebuilt. */
export function rebuiltBytes(): number {
  return u8[rebuilt]!;
}

/** Copies it to `p`. */
export function copyRebuilt(p: number): void {
  u8.copyWithin(p, rebuilt + AT_BYTES, rebuilt + AT_BYTES + u8[rebuilt]!);
}
