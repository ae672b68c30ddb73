/**
 * What a filter looks at: up to 32 packets at a time, described in the one memory, so that compiled code is entered once for all of them. Of each it says where
 * its first bytes are, how many lie there together, how long it is, and then, for the filter's answer, how many bytes to keep.
 */
import { maxThreads, region, selfThread, u32 as sharedU32 } from '../../memory/memory.ts';
import { mbufStruct } from '../../memory/mbuf.ts';
import { struct } from '../../memory/struct.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u32 = sharedU32;

/** Most packets of a batch. */
export const BPF_BATCH = 32;

export const bpfPacketStruct = struct('bpfPacket', {
  /** First byte, and how many follow in the same buffer. */
  data: 'ptr',
  len: 'u32',
  /** Bytes of the whole packet. */
  pktLen: 'u32',
  /** Its first mbuf. */
  packet: 'ptr',
  /** Bytes to keep, 0 to reject it. */
  result: 'u32',
  /** 1 when the engine gave up at the end of the first buffer, and there are others. */
  beyond: 'u32',
});

/** The batch of this thread. */
export const bpfBatch =
  region('bpf batches', BPF_BATCH * bpfPacketStruct.size * maxThreads) +
  BPF_BATCH * bpfPacketStruct.size * selfThread;

const FIRST = bpfBatch >>> 2;
const WORDS = bpfPacketStruct.size >>> 2;
const DATA = bpfPacketStruct.offsets.data >>> 2;
const LEN = bpfPacketStruct.offsets.len >>> 2;
const PKTLEN = bpfPacketStruct.offsets.pktLen >>> 2;
const PACKET = bpfPacketStruct.offsets.packet >>> 2;
const RESULT = bpfPacketStruct.offsets.result >>> 2;
const BEYOND = bpfPacketStruct.offsets.beyond >>> 2;
const MBUF_DATA = mbufStruct.offsets.data >>> 2;
const MBUF_LEN = mbufStruct.offsets.len >>> 2;
const MBUF_PKTLEN = mbufStruct.offsets.pktLen >>> 2;

/** Makes `m` the packet number `i` of the batch. */
export function describePacket(i: number, m: number): void {
  const at = FIRST + i * WORDS;
  u32[at + DATA] = u32[(m >>> 2) + MBUF_DATA]!;
  u32[at + LEN] = u32[(m >>> 2) + MBUF_LEN]!;
  u32[at + PKTLEN] = u32[(m >>> 2) + MBUF_PKTLEN]!;
  u32[at + PACKET] = m;
}

/** First mbuf of packet `i`. */
export function packetOf(i: number): number {
  return u32[FIRST + i * WORDS + PACKET]!;
}

/** Bytes of packet `i`. */
export function packetLength(i: number): number {
  return u32[FIRST + i * WORDS + PKTLEN]!;
}

/** What the filter says of packet `i`: bytes to keep. */
export function resultOf(i: number): number {
  return u32[FIRST + i * WORDS + RESULT]!;
}

export function setResult(i: number, bytes: number): void {
  u32[FIRST + i * WORDS + RESULT] = bytes;
}

/** True if the engine could not decide about packet `i` because it looks at the first buffer only. */
export function isUndecided(i: number): boolean {
  return u32[FIRST + i * WORDS + BEYOND] !== 0;
}
