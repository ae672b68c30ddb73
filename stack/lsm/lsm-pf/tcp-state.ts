/**
 * Following a TCP connection (pf.conf(5), "STATEFUL INSPECTION"; van Rooij, "Real Stateful TCP Packet Filtering in IP Filter"): a segment must lie within what the other side
 * has offered and acknowledge what that has sent. Sequence numbers of a side may be shifted (modulate state), and the handshake may be answered here (synproxy).
 */
import { be16, be32 } from '../../memory/memory.ts';
import { now } from '../../runtime/clock.ts';
import { random32 } from '../../runtime/random.ts';
import { stackStruct } from '../../net/stack.ts';
import { REASON } from './counters.ts';
import { normaliseTcp } from './normalise-tcp.ts';
import { modulateSack } from './tcp-sack.ts';
import { TCP_ACK, TCP_SEQ, TCP_WIN, TH_ACK, TH_FIN, TH_RST, TH_SYN, mine, pd, setTcpWord } from './packet.ts';
import { STATE_NORMALISE, peerOf, stateRecords } from './records.ts';
import type { Peer, State } from './records.ts';
import { sendSegment } from './respond.ts';
import { SCALE_KNOWN, SCALE_MASK, span, windowScale } from './segment.ts';
import { TIMEOUT, removeState } from './states.ts';

/** States of a side, as tcp(4) numbers them. */
export const TCPS = {
  closed: 0,
  listen: 1,
  synSent: 2,
  established: 4,
  closing: 6,
  finWait2: 9,
  timeWait: 10,
} as const;
/** While PF answers the handshake itself: waiting for the client's acknowledgement, for the server. */
export const PROXY = { src: 11, dst: 12 } as const;

/** How far behind, or ahead of, what was sent an acknowledgement may be. */
const ACK_WINDOW = 0xffff + 1500;

export const seqGt = (a: number, b: number): boolean => ((a - b) | 0) > 0;
export const seqGeq = (a: number, b: number): boolean => ((a - b) | 0) >= 0;

/** What becomes of a segment with a state; the reason of a drop is in `dropReason`. */
export type TcpVerdict = 'pass' | 'drop';
export let dropReason = 0;

function refuse(reason: number): TcpVerdict {
  dropReason = reason;
  return 'drop';
}

/** Called when a connection of a tracked source is established: true if it breaks a limit. */
let connectionMade: (state: State) => boolean = () => false;

export function setConnectionMade(check: (state: State) => boolean): void {
  connectionMade = check;
}

function bothStates(src: Peer, dst: Peer, state: number): void {
  src.state = state;
  dst.state = state;
}

/** The time-out that two sides in these states have. */
function timeoutFor(a: number, b: number): number {
  if (a >= TCPS.finWait2 && b >= TCPS.finWait2) return TIMEOUT['tcp.closed'];
  if (a >= TCPS.closing && b >= TCPS.closing) return TIMEOUT['tcp.finwait'];
  if (a < TCPS.established || b < TCPS.established) return TIMEOUT['tcp.opening'];
  if (a >= TCPS.closing || b >= TCPS.closing) return TIMEOUT['tcp.closing'];
  return TIMEOUT['tcp.established'];
}

/** Shifts the numbers of a segment of a side whose numbers, or those of the other side, are modulated. False when buffers are exhausted. */
function modulate(src: Peer, dst: Peer, seq: number): boolean {
  if (src.diff === 0 && dst.diff === 0) return true;
  if (!mine(pd.header + pd.tcpHeader)) return false;
  if (src.diff !== 0) setTcpWord(TCP_SEQ, (seq + src.diff) >>> 0);
  if (dst.diff !== 0 && (pd.flags & TH_ACK) !== 0) {
    setTcpWord(TCP_ACK, (be32(pd.transport + TCP_ACK) - dst.diff) >>> 0);
    modulateSack(dst.diff);
  }
  return true;
}

/** What the first segment from a side says: where it ends, what it offers, and the shifts of its own and of the other side's windows. */
interface Begun {
  readonly end: number;
  readonly window: number;
  readonly srcShift: number;
  readonly dstShift: number;
}

/** The first segment from a side: what it may send and what it offers. */
function begin(src: Peer, dst: Peer, seq: number, window: number): Begun {
  let offered = window;
  let srcShift = 0;
  let dstShift = 0;
  if ((pd.flags & TH_SYN) !== 0 && (dst.scale & SCALE_KNOWN) !== 0) {
    src.scale = windowScale();
    if ((src.scale & SCALE_KNOWN) !== 0) {
      // The window of a SYN is not scaled: count it as if it were.
      srcShift = src.scale & SCALE_MASK;
      dstShift = dst.scale & SCALE_MASK;
      offered = (offered + (1 << srcShift) - 1) >>> srcShift;
    } else {
      // One side without the option: nobody scales.
      dst.window = Math.min(0xffff, dst.window << (dst.scale & SCALE_MASK));
      dst.scale = 0;
    }
  }
  const end = (seq + span()) >>> 0;
  src.low = seq;
  if (src.state < TCPS.synSent) src.state = TCPS.synSent;
  const limit = (end + Math.max(1, dst.window << dstShift)) >>> 0;
  if (src.high === 1 || seqGeq(limit, src.high)) src.high = limit;
  if (offered > src.window) src.window = offered;
  return { end, window: offered, srcShift, dstShift };
}

/** Follows a segment of a state. */
export function trackTcp(state: State): TcpVerdict {
  const forward = pd.direction === state.direction;
  const src = peerOf(state, forward);
  const dst = peerOf(state, !forward);
  const { flags } = pd;
  const t = pd.transport;
  let window = be16(t + TCP_WIN);
  const original = be32(t + TCP_SEQ) >>> 0;
  let seq = original;
  const scaled = (src.scale & SCALE_KNOWN) !== 0 && (dst.scale & SCALE_KNOWN) !== 0 && (flags & TH_SYN) === 0;
  let srcShift = scaled ? src.scale & SCALE_MASK : 0;
  let dstShift = scaled ? dst.scale & SCALE_MASK : 0;
  let ack = be32(t + TCP_ACK) >>> 0;
  let end = 0;
  if (src.low === 0) {
    if (dst.diff !== 0 && src.diff === 0) src.diff = random32(pd.stack.ptr + RANDOM) >>> 0 || 1;
    ack = (ack - dst.diff) >>> 0;
    ({ end, window, srcShift, dstShift } = begin(src, dst, seq, window));
  } else {
    ack = (ack - dst.diff) >>> 0;
    end = (seq + span()) >>> 0;
  }
  if (!modulate(src, dst, original)) return refuse(REASON.memory);
  if ((flags & TH_ACK) === 0) ack = dst.low;
  else if ((ack === 0 && (flags & (TH_ACK | TH_RST)) === (TH_ACK | TH_RST)) || dst.state < TCPS.synSent)
    ack = dst.low;
  if (seq === end) {
    // Without data its place does not matter much.
    seq = src.low;
    end = seq;
  }
  const skew = (dst.low - ack) | 0;
  const inWindow =
    seqGeq(src.high, end) &&
    seqGeq(seq, (src.low - (dst.window << dstShift)) >>> 0) &&
    skew >= -ACK_WINDOW &&
    skew <= ACK_WINDOW << srcShift;
  const exactReset =
    (flags & TH_RST) === 0 ||
    original === src.low ||
    src.low === 0 ||
    original === (src.low + 1) >>> 0 ||
    original === (src.low - 1) >>> 0;
  if (inWindow && exactReset) {
    if (!isNormal(state)) return refuse(REASON['bad-timestamp']);
    advance(src, dst, window, end, ack, srcShift);
    if ((flags & TH_SYN) !== 0 && src.state < TCPS.synSent) src.state = TCPS.synSent;
    if ((flags & TH_FIN) !== 0 && src.state < TCPS.closing) src.state = TCPS.closing;
    if ((flags & TH_ACK) !== 0) {
      if (dst.state === TCPS.synSent) {
        dst.state = TCPS.established;
        if (src.state === TCPS.established && state.source !== 0 && connectionMade(state))
          return refuse(REASON['src-limit']);
      } else if (dst.state === TCPS.closing) dst.state = TCPS.finWait2;
    }
    if ((flags & TH_RST) !== 0) bothStates(src, dst, TCPS.timeWait);
    state.touched = now();
    state.timeout = timeoutFor(src.state, dst.state);
    return 'pass';
  }
  const loose =
    (dst.state < TCPS.synSent || dst.state >= TCPS.finWait2 || src.state >= TCPS.finWait2) &&
    seqGeq((src.high + ACK_WINDOW) >>> 0, end) &&
    seqGeq(seq, (src.low - ACK_WINDOW) >>> 0);
  if (loose) {
    if (!isNormal(state)) return refuse(REASON['bad-timestamp']);
    // The other side has not spoken yet, or has finished: nothing is learned about what it may send.
    if (src.window < window) src.window = window;
    if (seqGt(end, src.low)) src.low = end;
    if (seqGeq((ack + (window << srcShift)) >>> 0, dst.high))
      dst.high = (ack + Math.max(window << srcShift, 1)) >>> 0;
    if ((flags & TH_FIN) !== 0 && src.state < TCPS.closing) src.state = TCPS.closing;
    if ((flags & TH_RST) !== 0) bothStates(src, dst, TCPS.timeWait);
    return 'pass';
  }
  if (dst.state === TCPS.synSent && src.state === TCPS.synSent) {
    // Somebody else's handshake answers: it is told to give up, and the next one begins anew.
    if ((flags & TH_RST) === 0)
      sendSegment({
        source: pd.destination,
        destination: pd.source,
        sourcePort: pd.destinationPort,
        destinationPort: pd.sourcePort,
        seq: ack,
        ack: 0,
        flags: TH_RST,
        window: 0,
      });
    src.low = 0;
    src.high = 1;
    src.window = 1;
  }
  return refuse(REASON['state-mismatch']);
}
const RANDOM = stackStruct.offsets.random;

/** Evens out a segment that lies where it may, if a scrub rule says so; false if its timestamp shows that it does not belong there. */
function isNormal(state: State): boolean {
  return (state.flags & STATE_NORMALISE) === 0 || normaliseTcp(state);
}

function advance(src: Peer, dst: Peer, window: number, end: number, ack: number, srcShift: number): void {
  if (src.window < window) src.window = window;
  if (seqGt(end, src.low)) src.low = end;
  const limit = (ack + (window << srcShift)) >>> 0;
  if (seqGeq(limit, dst.high)) dst.high = (ack + Math.max(window << srcShift, 1)) >>> 0;
}

/** True if a SYN asks for a connection whose state has ended: that state goes, and the SYN is dropped; its repetition makes a new one. */
export function isReused(state: State): boolean {
  if ((pd.flags & (TH_SYN | TH_ACK)) !== TH_SYN) return false;
  if (peerOf(state, true).state < TCPS.finWait2 || peerOf(state, false).state < TCPS.finWait2) return false;
  removeState(pd.pf, stateRecords.get(state.ptr));
  return true;
}
