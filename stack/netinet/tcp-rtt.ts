/**
 * The retransmission time-out (RFC 6298): smoothed round-trip time and its variation in ns, doubled with every time-out (§5.5) until a segment that was
 * sent once only is acknowledged (Karn's algorithm, §3).
 */
import { MILLISECOND, SECOND } from '../runtime/clock.ts';
import { count, sysctlValue } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { TF_TIMING } from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

/** Before the first measurement (§2.1). */
export const INITIAL_RTO = SECOND;
/** Of the first data if the SYN had to be sent again (§5.7). */
const RTO_AFTER_LOST_SYN = 3 * SECOND;
/** Upper bound, with all doublings; at least 60 s (§2.5). */
const MAX_RTO = 64 * SECOND;
const MAX_SHIFT = 6;
/** Time-outs in a row before the connection is given up. */
export const MAX_REXMIT = 12;

/** Takes a measured round trip in. */
export function updateRtt(tp: Tcpcb, sample: number): void {
  count(tp.stack, STAT.tcpRttUpdated);
  const srtt = tp.srtt;
  if (srtt === 0) {
    tp.srtt = sample;
    tp.rttvar = sample / 2;
  } else {
    tp.rttvar = 0.75 * tp.rttvar + 0.25 * Math.abs(srtt - sample);
    tp.srtt = 0.875 * srtt + 0.125 * sample;
  }
  const least = sysctlValue(tp.stack, SYSCTL.tcpMinRtoMs) * MILLISECOND;
  // The least time-out is kept as distance from the round trip: one that never varies must not fire with each acknowledgement.
  tp.rto = Math.min(tp.srtt + Math.max(4 * tp.rttvar, least), MAX_RTO);
  tp.rexmitShift = 0;
}

/** The time-out as it stands, with its doublings, ns. */
export function currentRto(tp: Tcpcb): number {
  if (tp.rexmitShift === 0) return tp.rto;
  return Math.min(tp.rto * 2 ** Math.min(tp.rexmitShift, MAX_SHIFT), MAX_RTO);
}

/** The handshake is over: if its segment was lost, the first round trip is still unknown. */
export function rttAfterHandshake(tp: Tcpcb): void {
  if (tp.srtt === 0 && tp.rexmitShift > 0) tp.rto = RTO_AFTER_LOST_SYN;
  tp.rexmitShift = 0;
  tp.rexmitCount = 0;
}

/** Something is sent again: what is timed could be acknowledged by either copy. */
export function stopTiming(tp: Tcpcb): void {
  tp.flags &= ~TF_TIMING;
}
