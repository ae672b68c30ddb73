/**
 * What scrub does to TCP: combinations of flags that no stack sends are refused, stray bits cleared, the maximum segment size limited; and with `reassemble tcp` TTL and timestamps of a
 * connection are evened out, so that they tell nothing of the hosts behind (RFC 7323 §3).
 */
import { be16, be32, putBe16, u8 } from '../../memory/memory.ts';
import { SECOND, now } from '../../runtime/clock.ts';
import { random32 } from '../../runtime/random.ts';
import { stackStruct } from '../../net/stack.ts';
import { IP_SUM, IP_TTL_AT } from '../../netinet/ip.ts';
import type { PfScrubOptions } from '../../filter/pf/ruleset.ts';
import {
  PROTOCOL,
  TCP_OFF,
  TCP_SUM,
  TH_ACK,
  TH_FIN,
  TH_PUSH,
  TH_RST,
  TH_SYN,
  fixSum16,
  mine,
  pd,
  setTcpWord,
} from './packet.ts';
import { peerOf } from './records.ts';
import type { Peer, State } from './records.ts';
import { OPTION, findOption } from './segment.ts';

const TH_URG = 0x20;
const TCP_URGENT = 18;
const RESERVED = 0x0f;
const RANDOM = stackStruct.offsets.random;
/** After so long without a segment its timestamps prove nothing (RFC 7323 §5.5). */
const STAMP_LIFETIME = 24 * 24 * 3600 * SECOND;

let wanted = false;

/** True if the scrub rule of the packet at hand has `reassemble tcp`. */
export function wantsTcpNormalised(): boolean {
  return wanted;
}

/** Begins with a packet that no scrub rule has matched yet. */
export function refuseTcpNormalised(): void {
  wanted = false;
}

/** False for flags that make no sense together. */
function flagsMakeSense(flags: number): boolean {
  if ((flags & TH_SYN) !== 0 && (flags & TH_RST) !== 0) return false;
  if ((flags & (TH_SYN | TH_ACK | TH_RST)) === 0) return false;
  return (flags & TH_ACK) !== 0 || (flags & (TH_FIN | TH_PUSH | TH_URG)) === 0;
}

function setWord(at: number, value: number): void {
  const before = be16(at);
  putBe16(at, value);
  fixSum16(pd.transport + TCP_SUM, before, value);
}

/** A maximum segment size above `most` becomes that. */
function limitSegment(most: number): void {
  const at = findOption(OPTION.mss, 4);
  if (at === 0 || be16(pd.transport + at + 2) <= most) return;
  const word = be32(pd.transport + at) & 0xffff0000;
  setTcpWord(at, (word | most) >>> 0);
}

/** Scrubs the segment at hand, if it is one; false if it is to be dropped. */
export function scrubTcp(options: PfScrubOptions): boolean {
  if (pd.protocol !== PROTOCOL.tcp || pd.fragment || pd.tcpHeader === 0) return true;
  // A connection does not end as it begins: that FIN is taken off.
  const flags = (pd.flags & TH_SYN) !== 0 ? pd.flags & ~TH_FIN : pd.flags;
  if (!flagsMakeSense(flags)) return false;
  wanted = options.reassembleTcp === true;
  const stray = (u8[pd.transport + TCP_OFF]! & RESERVED) !== 0;
  const urgent = (flags & TH_URG) === 0 && be16(pd.transport + TCP_URGENT) !== 0;
  if (!stray && !urgent && flags === pd.flags && options.maxMss === undefined) return true;
  if (!mine(pd.header + pd.tcpHeader)) return true;
  if (stray) setWord(pd.transport + TCP_OFF, be16(pd.transport + TCP_OFF) & ~(RESERVED << 8));
  if (flags !== pd.flags) setWord(pd.transport + TCP_OFF, (be16(pd.transport + TCP_OFF) & 0xff00) | flags);
  pd.flags = flags;
  if (urgent) setWord(pd.transport + TCP_URGENT, 0);
  if (options.maxMss !== undefined && (pd.flags & TH_SYN) !== 0) limitSegment(options.maxMss);
  return true;
}

/** A state is made whose segments are evened out. */
export function beginNormalise(state: State): void {
  const src = peerOf(state, true);
  src.ttl = u8[pd.ip + IP_TTL_AT]!;
  noteStamp(src);
  shiftStamps(src, peerOf(state, false));
}

function noteStamp(src: Peer): void {
  const at = findOption(OPTION.timestamp, 10);
  if (at === 0) return;
  if (src.stamped === 0) {
    src.stamped = 1;
    src.stampOffset = random32(pd.stack.ptr + RANDOM) >>> 0;
  }
  src.stampLast = be32(pd.transport + at + 2) >>> 0;
  src.stampTime = now();
}

/** The TTL of a side is the greatest it had, so that routes and hosts behind it are not told apart. */
function raiseTtl(src: Peer): void {
  const ttl = u8[pd.ip + IP_TTL_AT]!;
  if (ttl > src.ttl) src.ttl = ttl;
  if (ttl === src.ttl) return;
  const before = be16(pd.ip + IP_TTL_AT);
  const after = (src.ttl << 8) | (before & 0xff);
  putBe16(pd.ip + IP_TTL_AT, after);
  fixSum16(pd.ip + IP_SUM, before, after);
}

/** Timestamps of a side are shifted by a secret; what echoes them is shifted back. */
function shiftStamps(src: Peer, dst: Peer): void {
  const at = findOption(OPTION.timestamp, 10);
  if (at === 0) return;
  setTcpWord(at + 2, (be32(pd.transport + at + 2) + src.stampOffset) >>> 0);
  const echo = be32(pd.transport + at + 6) >>> 0;
  if (echo !== 0 && dst.stamped === 1) setTcpWord(at + 6, (echo - dst.stampOffset) >>> 0);
}

/** True if a timestamp is older than one that was seen already: a segment from another connection, or a forged one. */
function isStale(src: Peer): boolean {
  const at = findOption(OPTION.timestamp, 10);
  if (at === 0 || src.stamped === 0 || pd.dataLength === 0 || (pd.flags & (TH_SYN | TH_RST)) !== 0)
    return false;
  const age = (be32(pd.transport + at + 2) - src.stampLast) | 0;
  // Segments overtake each other a little.
  return age < -STALE && now() - src.stampTime < STAMP_LIFETIME;
}
/** Ticks of the sender's timestamp clock, at most 1 ms each: a minute. */
const STALE = 60_000;

/** Evens out a segment of a state; false if its timestamp shows that it does not belong there. */
export function normaliseTcp(state: State): boolean {
  const src = peerOf(state, pd.direction === state.direction);
  const dst = peerOf(state, pd.direction !== state.direction);
  if (isStale(src)) return false;
  if (!mine(pd.header + pd.tcpHeader)) return true;
  raiseTtl(src);
  noteStamp(src);
  shiftStamps(src, dst);
  return true;
}
