/**
 * Packets as bytes on a serial line (RFC 1055): END around each, END and ESC in it escaped. A packet travels as one buffer of such bytes, which a receiver reads byte by byte:
 * what comes out of a line need not be what went in.
 */
import { maxThreads, region, selfThread, u8 } from '../../memory/memory.ts';
import { MCLBYTES, mFree, mGetCluster, mbuf, ownerTag } from '../../memory/mbuf.ts';
import { mCopyOut } from '../../memory/mbuf-chain.ts';
import { compress } from './compress.ts';
import type { Compression } from './compress.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';

export const END = 0xc0;
export const ESC = 0xdb;
export const ESC_END = 0xdc;
export const ESC_ESC = 0xdd;

/** Longest packet that is sent, with each byte escaped and an END before and behind in a cluster (RFC 1055: 1006 bytes). */
export const SLIP_MTU_MAX = 1006;
/** Bytes that are left free in front of a packet that came in: its header may be rebuilt there. */
const LEAD = 128;
/** Longest packet that is taken. */
const LONGEST = MCLBYTES - LEAD;

const LINE = ownerTag('driver');
const plain = region('slip packet', SLIP_MTU_MAX * maxThreads + 64) + SLIP_MTU_MAX * selfThread;

/**
 * The bytes on the line of a packet of at most SLIP_MTU_MAX bytes, its header compressed if there is a state for that; 0 when buffers are exhausted. The packet stays the
 * caller's.
 */
export function slipFrame(m: number, compression: Compression | undefined): number {
  const { pktLen, time } = mbuf(m);
  const framed = mGetCluster(LINE, 0);
  if (framed === 0) return 0;
  mCopyOut(m, 0, pktLen, plain);
  const skipped = compression === undefined ? 0 : compress(compression, plain, pktLen);
  const view = mbuf(framed);
  const begin = view.data;
  let at = begin;
  // What the line may have picked up before ends here.
  u8[at++] = END;
  for (let i = skipped; i < pktLen; i++) {
    const byte = u8[plain + i]!;
    if (byte === END || byte === ESC) {
      u8[at++] = ESC;
      u8[at++] = byte === END ? ESC_END : ESC_ESC;
    } else u8[at++] = byte;
  }
  u8[at++] = END;
  view.len = at - begin;
  view.pktLen = at - begin;
  view.time = time;
  return framed;
}

export const receiverFields = {
  /** The packet that is coming in, 0 between packets. */
  packet: 'ptr',
  /** 1 behind an ESC. */
  escaped: 'u8',
  /** 1 if the packet cannot be taken: too long, not well formed, or without a buffer. */
  spoilt: 'u8',
} as const;
const receiverStruct = struct('slipReceiver', receiverFields);
export type Receiver = ViewOf<typeof receiverStruct>;

function put(receiver: Receiver, byte: number): void {
  if (receiver.spoilt !== 0) return;
  if (receiver.packet === 0) receiver.packet = mGetCluster(LINE, LEAD);
  if (receiver.packet === 0 || mbuf(receiver.packet).len === LONGEST) {
    receiver.spoilt = 1;
    return;
  }
  const view = mbuf(receiver.packet);
  u8[view.data + view.len++] = byte;
}

/** A byte comes in. Returns the packet that it completes, or 0; -1 if it ends one that cannot be taken. */
function takeByte(receiver: Receiver, byte: number): number {
  if (byte === END) return complete(receiver);
  if (receiver.escaped !== 0) {
    receiver.escaped = 0;
    if (byte === ESC_END) put(receiver, END);
    else if (byte === ESC_ESC) put(receiver, ESC);
    else receiver.spoilt = 1;
  } else if (byte === ESC) receiver.escaped = 1;
  else put(receiver, byte);
  return 0;
}

function complete(receiver: Receiver): number {
  const { packet } = receiver;
  const spoilt = receiver.spoilt !== 0 || receiver.escaped !== 0;
  receiver.packet = 0;
  receiver.spoilt = 0;
  receiver.escaped = 0;
  if (spoilt) {
    if (packet !== 0) mFree(packet);
    return -1;
  }
  // Between two ENDs there is nothing.
  if (packet !== 0) mbuf(packet).pktLen = mbuf(packet).len;
  return packet;
}

/** Takes the bytes of a buffer from the line and hands on the packets that they complete, which are the visitor's: 0 for one that cannot be taken. */
export function slipInput(receiver: Receiver, m: number, visit: (packet: number) => void): void {
  for (let part = m; part !== 0; part = mbuf(part).next) {
    const { data, len } = mbuf(part);
    for (let i = 0; i < len; i++) {
      const packet = takeByte(receiver, u8[data + i]!);
      if (packet !== 0) visit(Math.max(packet, 0));
    }
  }
}

/** Forgets a packet that has come in by half. */
export function dropHalf(receiver: Receiver): void {
  if (receiver.packet !== 0) mFree(receiver.packet);
  receiver.packet = 0;
  receiver.escaped = 0;
  receiver.spoilt = 0;
}

const looker = receiverStruct.at(region('slip looker', 64 * maxThreads) + 64 * selfThread);

/** The IPv4 packet in a buffer of bytes on their way, a copy; 0 if there is none in it, or it is compressed (RFC 1144). */
export function slipContent(m: number): number {
  let found = 0;
  slipInput(looker, m, (packet) => {
    if (packet === 0) return;
    if (found === 0 && u8[mbuf(packet).data]! >>> 4 === 4) found = packet;
    else mFree(packet);
  });
  dropHalf(looker);
  return found;
}
