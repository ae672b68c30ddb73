/**
 * Slow protocol frames of link aggregation (IEEE 802.1AX-2008 §5.4.2, §5.5.3 and Annex 43B of IEEE 802.3): LACPDUs and markers. Reading checks every length first.
 *
 *   0 subtype   1 version   2 actor: type 01, length 20, system priority (2), system (6), key (2), port priority (2), port (2), state (1), reserved (3)
 *   22 partner: type 02, the same   42 collector: type 03, length 16, most delay (2), reserved (12)   58 terminator: type 00, length 0, reserved (50)
 */
import { be16, be32, maxThreads, putBe16, putBe32, region, selfThread, u8 } from '../memory/memory.ts';
import { ETHER_ALIGN, mFree, mGetHeader, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mCopyOut, mWritableFront } from '../memory/mbuf-chain.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { ETHER_HEADER, copyMac } from './ethernet.ts';

export const ETHERTYPE_SLOW = 0x8809;
export const SLOW_LACP = 1;
export const SLOW_MARKER = 2;

/** Bits of the state of an actor or a partner (§5.4.2.2). */
export const LACP = {
  ACTIVE: 0x01,
  SHORT_TIMEOUT: 0x02,
  AGGREGATABLE: 0x04,
  SYNC: 0x08,
  COLLECTING: 0x10,
  DISTRIBUTING: 0x20,
  DEFAULTED: 0x40,
  EXPIRED: 0x80,
} as const;

/** One end of a link as LACP speaks of it. */
export const partyStruct = struct('lacpParty', {
  systemPriority: 'u32',
  /** The system's address: its first two bytes and its last four. */
  systemHigh: 'u32',
  systemLow: 'u32',
  key: 'u32',
  portPriority: 'u32',
  port: 'u32',
  state: 'u32',
});
export type Party = ViewOf<typeof partyStruct>;
export const PARTY_BYTES = partyStruct.size;

const PDU_BYTES = 110;
const FRAME = ETHER_HEADER + PDU_BYTES;
const ACTOR_AT = 2;
const PARTNER_AT = 22;
const COLLECTOR_AT = 42;
const PARTY_TLV = 20;
const COLLECTOR_TLV = 16;
/** Marker information: type, length, port, system, transaction. */
const MARKER_FRAME = ETHER_HEADER + 4;
const MARKER_INFORMATION = 1;
const MARKER_RESPONSE = 2;
const OWNER = ownerTag('output');

const parties = region('lacp pdu', 2 * PARTY_BYTES * maxThreads) + 2 * PARTY_BYTES * selfThread;
/** What the LACPDU in hand of this thread says: parseLacp() has read it. */
export const lacpdu = { actor: partyStruct.at(parties), partner: partyStruct.at(parties + PARTY_BYTES) };

const SCRATCH = 128;
const scratch = region('lacp bytes', SCRATCH * maxThreads) + SCRATCH * selfThread;

/** Subtype of a slow protocol frame; -1 if it is too short or not sent to the group of slow protocols. */
export function slowSubtype(m: number): number {
  if (mbuf(m).pktLen < ETHER_HEADER + 2) return -1;
  mCopyOut(m, 0, ETHER_HEADER + 2, scratch);
  const group = be16(scratch) === 0x0180 && be32(scratch + 2) === (0xc200_0002 | 0);
  return group ? u8[scratch + ETHER_HEADER]! : -1;
}

function readParty(party: Party, p: number): void {
  party.systemPriority = be16(p + 2);
  party.systemHigh = be16(p + 4);
  party.systemLow = be32(p + 6);
  party.key = be16(p + 10);
  party.portPriority = be16(p + 12);
  party.port = be16(p + 14);
  party.state = u8[p + 16]!;
}

/** Reads the frame `m`, which stays as it is, into `lacpdu`. False if it is not a whole LACPDU. */
export function parseLacp(m: number): boolean {
  if (mbuf(m).pktLen < FRAME) return false;
  mCopyOut(m, 0, FRAME, scratch);
  const p = scratch + ETHER_HEADER;
  if (u8[p] !== SLOW_LACP || u8[p + 1] === 0) return false;
  if (u8[p + ACTOR_AT] !== 1 || u8[p + ACTOR_AT + 1] !== PARTY_TLV) return false;
  if (u8[p + PARTNER_AT] !== 2 || u8[p + PARTNER_AT + 1] !== PARTY_TLV) return false;
  readParty(lacpdu.actor, p + ACTOR_AT);
  readParty(lacpdu.partner, p + PARTNER_AT);
  return true;
}

function putParty(p: number, type: number, party: Party): void {
  u8[p] = type;
  u8[p + 1] = PARTY_TLV;
  putBe16(p + 2, party.systemPriority);
  putBe16(p + 4, party.systemHigh);
  putBe32(p + 6, party.systemLow);
  putBe16(p + 10, party.key);
  putBe16(p + 12, party.portPriority);
  putBe16(p + 14, party.port);
  u8[p + 16] = party.state;
}

function putHeader(p: number, source: number): void {
  putBe16(p, 0x0180);
  putBe32(p + 2, 0xc200_0002);
  copyMac(p + 6, source);
  putBe16(p + 12, ETHERTYPE_SLOW);
}

/** A frame with a LACPDU, from the hardware address at `source`; 0 when buffers are exhausted. */
export function makeLacp(source: number, actor: Party, partner: Party): number {
  const m = mGetHeader(OWNER, ETHER_ALIGN);
  if (m === 0) return 0;
  const view = mbuf(m);
  view.len = FRAME;
  view.pktLen = FRAME;
  u8.fill(0, view.data, view.data + FRAME);
  putHeader(view.data, source);
  const p = view.data + ETHER_HEADER;
  u8[p] = SLOW_LACP;
  u8[p + 1] = 1;
  putParty(p + ACTOR_AT, 1, actor);
  putParty(p + PARTNER_AT, 2, partner);
  u8[p + COLLECTOR_AT] = 3;
  u8[p + COLLECTOR_AT + 1] = COLLECTOR_TLV;
  return m;
}

/** Makes the response to a marker out of its frame (§5.3.4.3: the same but for its type); 0, the frame freed, if it is no marker. */
export function makeMarkerResponse(frame: number, source: number): number {
  const m = mWritableFront(frame, MARKER_FRAME);
  if (m === 0) return 0;
  const p = mbuf(m).data;
  if (u8[p + ETHER_HEADER + 2] !== MARKER_INFORMATION) {
    mFree(m);
    return 0;
  }
  putHeader(p, source);
  u8[p + ETHER_HEADER + 2] = MARKER_RESPONSE;
  return m;
}
