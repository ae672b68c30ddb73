/**
 * Bridge protocol data units (IEEE 802.1D-1998 §9): frames of IEEE 802.3 with a length, LLC 42 42 03, to the group address of all bridges. Reading checks every
 * length first: what comes from outside may say anything.
 *
 *   0  protocol 0000   2  version 00   3  type: 00 configuration, 80 topology change notification
 *   4  flags   5  root (8)   13  root path cost (4)   17  bridge (8)   25  port (2)   27  message age, maximum age, hello time, forward delay (2 each, 1/256 s)
 */
import { be16, be32, maxThreads, putBe16, putBe32, region, selfThread, u8 } from '../memory/memory.ts';
import { ETHER_ALIGN, mGetHeader, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mCopyOut } from '../memory/mbuf-chain.ts';
import { struct } from '../memory/struct.ts';
import { SECOND } from '../runtime/clock.ts';
import { ETHER_HEADER, copyMac } from './ethernet.ts';

export const BPDU_CONFIGURATION = 0x00;
export const BPDU_TOPOLOGY_CHANGE = 0x80;
/** Flags of a configuration BPDU. */
export const BPDU_TC = 0x01;
export const BPDU_TCA = 0x80;

const LLC = 3;
const LLC_BRIDGE = 0x42;
const LLC_UI = 0x03;
const TOPOLOGY_CHANGE_BYTES = 4;
const CONFIGURATION_BYTES = 35;
/** Where the BPDU begins in its frame. */
const AT = ETHER_HEADER + LLC;
const UNIT = SECOND / 256;
const OWNER = ownerTag('output');

/** What a BPDU says. Identifiers are two words, times ns. */
export const bpduStruct = struct('bpdu', {
  type: 'u8',
  flags: 'u8',
  rootHigh: 'u32',
  rootLow: 'u32',
  rootCost: 'u32',
  bridgeHigh: 'u32',
  bridgeLow: 'u32',
  port: 'u32',
  messageAge: 'f64',
  maxAge: 'f64',
  helloTime: 'f64',
  forwardDelay: 'f64',
});

/** The BPDU in hand of this thread: read by parseBpdu(), written by makeBpdu(). */
export const bpdu = bpduStruct.at(
  region('bpdu', bpduStruct.size * maxThreads) + bpduStruct.size * selfThread,
);

const SCRATCH = 64;
const scratch = region('bpdu bytes', SCRATCH * maxThreads) + SCRATCH * selfThread;

/** Reads the frame `m`, which stays as it is, into `bpdu`. False if it is not a whole BPDU of the spanning tree protocol. */
export function parseBpdu(m: number): boolean {
  const bytes = Math.min(mbuf(m).pktLen, AT + CONFIGURATION_BYTES);
  if (bytes < AT + TOPOLOGY_CHANGE_BYTES) return false;
  mCopyOut(m, 0, bytes, scratch);
  // The length counts the LLC header; what is behind it is padding.
  const length = Math.min(be16(scratch + 12), bytes - ETHER_HEADER) - LLC;
  if (be16(scratch + 12) >= 0x600 || length < TOPOLOGY_CHANGE_BYTES) return false;
  const llc = scratch + ETHER_HEADER;
  if (u8[llc] !== LLC_BRIDGE || u8[llc + 1] !== LLC_BRIDGE || u8[llc + 2] !== LLC_UI) return false;
  const p = scratch + AT;
  if (be16(p) !== 0) return false;
  bpdu.type = u8[p + 3]!;
  if (bpdu.type === BPDU_TOPOLOGY_CHANGE) return true;
  if (bpdu.type !== BPDU_CONFIGURATION || length < CONFIGURATION_BYTES) return false;
  bpdu.flags = u8[p + 4]!;
  bpdu.rootHigh = be32(p + 5);
  bpdu.rootLow = be32(p + 9);
  bpdu.rootCost = be32(p + 13);
  bpdu.bridgeHigh = be32(p + 17);
  bpdu.bridgeLow = be32(p + 21);
  bpdu.port = be16(p + 25);
  bpdu.messageAge = be16(p + 27) * UNIT;
  bpdu.maxAge = be16(p + 29) * UNIT;
  bpdu.helloTime = be16(p + 31) * UNIT;
  bpdu.forwardDelay = be16(p + 33) * UNIT;
  return bpdu.messageAge < bpdu.maxAge;
}

function time256(ns: number): number {
  return Math.min(Math.round(ns / UNIT), 0xffff);
}

/** A frame with the BPDU that `bpdu` says, from the hardware address at `source`; 0 when buffers are exhausted. */
export function makeBpdu(source: number): number {
  const m = mGetHeader(OWNER, ETHER_ALIGN);
  if (m === 0) return 0;
  const view = mbuf(m);
  const length = bpdu.type === BPDU_CONFIGURATION ? CONFIGURATION_BYTES : TOPOLOGY_CHANGE_BYTES;
  view.len = AT + length;
  view.pktLen = view.len;
  const p = view.data;
  u8.fill(0, p, p + view.len);
  putBe16(p, 0x0180);
  putBe32(p + 2, 0xc200_0000);
  copyMac(p + 6, source);
  putBe16(p + 12, LLC + length);
  u8[p + ETHER_HEADER] = LLC_BRIDGE;
  u8[p + ETHER_HEADER + 1] = LLC_BRIDGE;
  u8[p + ETHER_HEADER + 2] = LLC_UI;
  u8[p + AT + 3] = bpdu.type;
  if (bpdu.type === BPDU_CONFIGURATION) putConfiguration(p + AT);
  return m;
}

function putConfiguration(p: number): void {
  u8[p + 4] = bpdu.flags;
  putBe32(p + 5, bpdu.rootHigh);
  putBe32(p + 9, bpdu.rootLow);
  putBe32(p + 13, bpdu.rootCost);
  putBe32(p + 17, bpdu.bridgeHigh);
  putBe32(p + 21, bpdu.bridgeLow);
  putBe16(p + 25, bpdu.port);
  putBe16(p + 27, time256(bpdu.messageAge));
  putBe16(p + 29, time256(bpdu.maxAge));
  putBe16(p + 31, time256(bpdu.helloTime));
  putBe16(p + 33, time256(bpdu.forwardDelay));
}
