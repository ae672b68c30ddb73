/**
 * Congestion control (RFC 5681) behind a narrow interface, and NewReno's: slow start, congestion avoidance by bytes acknowledged (RFC 3465), the initial window of RFC 6928.
 */
import { sysctlValue } from '../net/stack.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { TCP_MAXWIN, TCP_MAX_WINSHIFT } from './tcp-header.ts';
import type { Tcpcb } from './tcpcb.ts';

export interface CongestionControl {
  readonly name: string;
  /** The connection is established; `lostSyn`: its SYN had to be sent again. */
  established(tp: Tcpcb, lostSyn: boolean): void;
  /** `bytes` of new data were acknowledged outside of fast recovery; `flight` were outstanding before. */
  acked(tp: Tcpcb, bytes: number, flight: number): void;
  /** Loss was found by duplicate acknowledgements: sets ssthresh. */
  lost(tp: Tcpcb): void;
  /** The retransmission timer fired; `first`: no time-out since the last progress. */
  timedOut(tp: Tcpcb, first: boolean): void;
  /** The connection was idle for a time-out before it sends again. */
  idle(tp: Tcpcb): void;
}

const MAX_CWND = TCP_MAXWIN << TCP_MAX_WINSHIFT;
/** Segment size from which the initial window is reckoned in segments only (RFC 6928 §2). */
const USUAL_SEGMENT = 1460;

/** Bytes sent and not acknowledged. */
export function flightSize(tp: Tcpcb): number {
  return (tp.sndMax - tp.sndUna) | 0;
}

function initialWindow(tp: Tcpcb): number {
  const segments = sysctlValue(tp.stack, SYSCTL.tcpInitialWindow);
  return Math.min(segments * tp.segment, Math.max(2 * tp.segment, segments * USUAL_SEGMENT));
}

/** Half of what is in flight, at least two segments (RFC 5681 §3.1, equation 4). */
function halfFlight(tp: Tcpcb): number {
  const flight = Math.min(flightSize(tp), Math.max(tp.cwnd, tp.segment));
  return Math.max(flight >>> 1, 2 * tp.segment);
}

export const newReno: CongestionControl = {
  name: 'newreno',
  established(tp, lostSyn) {
    tp.cwnd = lostSyn ? tp.segment : initialWindow(tp);
    tp.ssthresh = MAX_CWND;
    tp.bytesAcked = 0;
  },
  acked(tp, bytes, flight) {
    const cwnd = tp.cwnd;
    // A window that was not used says nothing about the path.
    if (flight * 2 < cwnd) return;
    const segment = tp.segment;
    if (cwnd < tp.ssthresh) {
      // After a time-out one segment per acknowledgement only (RFC 3465 §2.3).
      const most = tp.rexmitShift > 0 ? segment : 2 * segment;
      tp.cwnd = Math.min(cwnd + Math.min(bytes, most), MAX_CWND);
      return;
    }
    const sum = tp.bytesAcked + bytes;
    if (sum >= cwnd) {
      tp.bytesAcked = sum - cwnd;
      tp.cwnd = Math.min(cwnd + segment, MAX_CWND);
    } else tp.bytesAcked = sum;
  },
  lost(tp) {
    tp.ssthresh = halfFlight(tp);
    tp.bytesAcked = 0;
  },
  timedOut(tp, first) {
    if (first) tp.ssthresh = halfFlight(tp);
    tp.cwnd = tp.segment;
    tp.bytesAcked = 0;
  },
  idle(tp) {
    tp.cwnd = Math.min(tp.cwnd, initialWindow(tp));
  },
};

/** What a connection uses. */
export function congestionOf(_tp: Tcpcb): CongestionControl {
  return newReno;
}
