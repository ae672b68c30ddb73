/**
 * The TCP control block (struct tcpcb of 4.4BSD; the variables of RFC 9293 §3.3.1) in the one memory, and its timers. A timer keeps the deadline that is
 * wanted; its callout may be pending for an earlier one, finds so when it fires and is set again: restarting a timer is a store.
 */
import { f64 as sharedF64 } from '../memory/memory.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { CALLOUT } from '../net/callouts.ts';
import { cancelCallout, setCallout } from '../net/stack.ts';
import { MILLISECOND, now } from '../runtime/clock.ts';
import { CALLOUT_BYTES, calloutDeadline, calloutInit, calloutPending } from '../runtime/wheel.ts';
import { seqLt } from './tcp-header.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const f64 = sharedF64;

export const TCPS_CLOSED = 0;
export const TCPS_LISTEN = 1;
export const TCPS_SYN_SENT = 2;
export const TCPS_SYN_RECEIVED = 3;
export const TCPS_ESTABLISHED = 4;
/** The peer has closed; from here on down the list, what is above has not closed on our side. */
export const TCPS_CLOSE_WAIT = 5;
/** From here on our side has closed. */
export const TCPS_FIN_WAIT_1 = 6;
export const TCPS_CLOSING = 7;
export const TCPS_LAST_ACK = 8;
export const TCPS_FIN_WAIT_2 = 9;
export const TCPS_TIME_WAIT = 10;

const STATE_NAMES = [
  'CLOSED',
  'LISTEN',
  'SYN_SENT',
  'SYN_RCVD',
  'ESTABLISHED',
  'CLOSE_WAIT',
  'FIN_WAIT_1',
  'CLOSING',
  'LAST_ACK',
  'FIN_WAIT_2',
  'TIME_WAIT',
] as const;

/** A state (TCPS_*) as netstat prints it. */
export function stateName(state: number): string {
  return STATE_NAMES[state]!;
}

/** An acknowledgement must go now; one is due but may wait for the timer. */
export const TF_ACKNOW = 0x0001;
export const TF_DELACK = 0x0002;
/** TCP_NODELAY: do not delay small segments. */
export const TF_NODELAY = 0x0004;
/** We offer window scaling, timestamps; both sides do. */
export const TF_REQ_SCALE = 0x0008;
export const TF_SCALE = 0x0010;
export const TF_REQ_TIMESTAMP = 0x0020;
export const TF_TIMESTAMP = 0x0040;
export const TF_SENTFIN = 0x0080;
/** Fast recovery: until `recover` is acknowledged. */
export const TF_RECOVERY = 0x0100;
/** The segment at rttSeq, sent at rttTime, is timed. */
export const TF_TIMING = 0x0200;
/** The client closed before the connection was established: a FIN is to follow then. */
export const TF_NEEDFIN = 0x0400;

export const TIMER_REXMIT = 0;
export const TIMER_PERSIST = 1;
/** Establishment of a connection, later keepalive. */
export const TIMER_KEEP = 2;
export const TIMER_2MSL = 3;
export const TIMER_DELACK = 4;
const TIMERS = 5;

export const tcpcbStruct = struct('tcpcb', {
  inpcb: 'ptr',
  socket: 'ptr',
  stack: 'ptr',
  flags: 'u32',
  state: 'u8',
  /** Shifts of the windows we receive and send; that which we offer. */
  sndScale: 'u8',
  rcvScale: 'u8',
  requestScale: 'u8',
  /** Doublings of the time-out (RFC 6298 §5.5), and retransmissions since the last progress. */
  rexmitShift: 'u8',
  rexmitCount: 'u8',
  dupAcks: 'u8',
  /** Keepalive probes sent without an answer. */
  keepCount: 'u8',
  /** Error to report if the connection times out. */
  softError: 'i32',
  // Sending.
  iss: 'i32',
  sndUna: 'i32',
  sndNxt: 'i32',
  sndMax: 'i32',
  sndWnd: 'i32',
  /** Segment and acknowledgement of the last window update. */
  sndWl1: 'i32',
  sndWl2: 'i32',
  /** Largest window the peer has offered. */
  maxSndWnd: 'i32',
  /** Largest segment by the MSS options and the path; what of it is left for data beside the options of every segment. */
  mss: 'i32',
  segment: 'i32',
  // Congestion control.
  cwnd: 'i32',
  ssthresh: 'i32',
  /** Bytes acknowledged since cwnd grew last (congestion avoidance by bytes, RFC 3465). */
  bytesAcked: 'i32',
  /** What was sent when recovery began (RFC 6582). */
  recover: 'i32',
  // Receiving.
  irs: 'i32',
  rcvNxt: 'i32',
  /** End of the window that was advertised. */
  rcvAdv: 'i32',
  lastAckSent: 'i32',
  // Timestamps.
  tsRecent: 'i32',
  tsOffset: 'i32',
  /** The last timestamp that was sent. */
  tsSent: 'i32',
  tsRecentAge: 'f64',
  // Round trips, ns.
  rttSeq: 'i32',
  rttTime: 'f64',
  srtt: 'f64',
  rttvar: 'f64',
  rto: 'f64',
  /** When something was sent, received last. */
  lastSent: 'f64',
  lastReceived: 'f64',
  /** Keepalive of this connection: idle time and interval, s, and most probes; 0: as sysctl says. */
  keepIdle: 'u32',
  keepInterval: 'u32',
  keepProbes: 'u32',
  // Segments out of order (tcp-reassembly.ts).
  reassembly: 'ptr',
  reassemblyCount: 'u32',
  /** Wanted deadlines of the timers, ns, 0: off; their callouts. */
  wanted: { bytes: TIMERS * 8 },
  callouts: { bytes: TIMERS * CALLOUT_BYTES },
});
export type Tcpcb = ViewOf<typeof tcpcbStruct>;
export const tcpcbs = slab(tcpcbStruct, 16_384);

const WANTED = tcpcbStruct.offsets.wanted;
const CALLOUTS = tcpcbStruct.offsets.callouts;
const HANDLERS = [
  CALLOUT.tcpRexmit,
  CALLOUT.tcpPersist,
  CALLOUT.tcpKeep,
  CALLOUT.tcp2msl,
  CALLOUT.tcpDelayedAck,
] as const;

/** Prepares the timers of a new block. */
export function initTimers(tp: Tcpcb): void {
  for (let timer = 0; timer < TIMERS; timer++) {
    calloutInit(tp.callouts + timer * CALLOUT_BYTES, HANDLERS[timer]!, tp.ptr);
  }
}

/** Starts a timer (again): it fires at `deadline`, ns. */
export function setTimer(tp: Tcpcb, timer: number, deadline: number): void {
  const ptr = tp.ptr;
  f64[((ptr + WANTED) >>> 3) + timer] = deadline;
  const callout = ptr + CALLOUTS + timer * CALLOUT_BYTES;
  if (!calloutPending(callout) || calloutDeadline(callout) > deadline)
    setCallout(tp.stack, callout, deadline);
}

export function stopTimer(tp: Tcpcb, timer: number): void {
  f64[((tp.ptr + WANTED) >>> 3) + timer] = 0;
}

export function timerRunning(tp: Tcpcb, timer: number): boolean {
  return f64[((tp.ptr + WANTED) >>> 3) + timer] !== 0;
}

/** A callout of a timer fired: true if the timer is due (and off now), false if it was stopped or restarted meanwhile. */
export function timerDue(tp: Tcpcb, timer: number): boolean {
  const word = ((tp.ptr + WANTED) >>> 3) + timer;
  const wanted = f64[word]!;
  if (wanted === 0) return false;
  if (wanted > now()) {
    setCallout(tp.stack, tp.ptr + CALLOUTS + timer * CALLOUT_BYTES, wanted);
    return false;
  }
  f64[word] = 0;
  return true;
}

/** Takes all callouts of a block that is freed from the wheel. */
export function cancelTimers(tp: Tcpcb): void {
  for (let timer = 0; timer < TIMERS; timer++) {
    const callout = tp.callouts + timer * CALLOUT_BYTES;
    if (calloutPending(callout)) cancelCallout(tp.stack, callout);
  }
}

/**
 * The timestamp clock of a connection: milliseconds from a point of its own (RFC 7323 §5.4). It never goes back, although the threads that work on a
 * connection in turn may read their clocks some microseconds apart: the peer would take what follows for old (PAWS).
 */
export function timestampNow(tp: Tcpcb): number {
  const value = (Math.floor(now() / MILLISECOND) + tp.tsOffset) | 0;
  if (seqLt(value, tp.tsSent)) return tp.tsSent;
  tp.tsSent = value;
  return value;
}

/** True once the peer's SYN has come. */
export function haveReceivedSyn(state: number): boolean {
  return state >= TCPS_SYN_RECEIVED;
}

/** True once the peer's FIN has come. */
export function haveReceivedFin(state: number): boolean {
  return (
    state === TCPS_CLOSE_WAIT || state === TCPS_CLOSING || state === TCPS_LAST_ACK || state === TCPS_TIME_WAIT
  );
}
