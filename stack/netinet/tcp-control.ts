/**
 * What ICMP says about segments that were sent (RFC 1122 §4.2.3.9, RFC 1191, and with the caution of RFC 5927): only about a sequence number in flight;
 * only a connection being opened ends by it.
 */
import { be16, be32, u8 } from '../memory/memory.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { inpcbs } from './inpcb.ts';
import { IP_DST, IP_LENGTH, IP_SRC, addressAt } from './ip.ts';
import type { ControlEvent } from './protocols.ts';
import { lookupConnection } from './tcp-demux.ts';
import { TCP_DPORT, TCP_SEQ, TCP_SPORT, seqGeq, seqLt } from './tcp-header.ts';
import { lowerMss } from './tcp-mss.ts';
import { tcpOutput } from './tcp-output.ts';
import { stopTiming } from './tcp-rtt.ts';
import { tcpDrop } from './tcp-state.ts';
import { TCPS_SYN_RECEIVED, TCPS_TIME_WAIT, tcpcbs } from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

function errnoOf(event: ControlEvent): number {
  switch (event) {
    case 'unreachable-port':
    case 'unreachable-protocol':
      return ERRNO.ECONNREFUSED;
    case 'unreachable-network':
      return ERRNO.ENETUNREACH;
    case 'unreachable-host':
    case 'prohibited':
    case 'time-exceeded':
      return ERRNO.EHOSTUNREACH;
    case 'too-big':
    case 'quench':
      return 0;
  }
}

/** Errors that no waiting mends. */
function isHard(event: ControlEvent): boolean {
  return event === 'unreachable-port' || event === 'unreachable-protocol' || event === 'prohibited';
}

/** Takes an ICMP error (protocols.ts). */
export function tcpControl(stack: number, event: ControlEvent, ip: number, mtu: number): void {
  const th = ip + ((u8[ip]! & 15) << 2);
  const inpcb = lookupConnection(
    stack,
    addressAt(ip + IP_SRC),
    be16(th + TCP_SPORT),
    addressAt(ip + IP_DST),
    be16(th + TCP_DPORT),
  );
  if (inpcb === 0) return;
  const tp = tcpcbs.get(inpcbs.get(inpcb).ppcb);
  const seq = be32(th + TCP_SEQ);
  if (seqLt(seq, tp.sndUna) || seqGeq(seq, tp.sndMax) || tp.state === TCPS_TIME_WAIT) return;
  if (event === 'too-big') tooBig(tp, mtu, be16(ip + IP_LENGTH));
  else if (errnoOf(event) === 0) return;
  else if (isHard(event) && tp.state <= TCPS_SYN_RECEIVED) tcpDrop(tp, errnoOf(event));
  else tp.softError = errnoOf(event);
}

/** The path takes less than we thought: all that is outstanding goes again in shorter segments. That is no sign of congestion (RFC 1191 §6.4). */
function tooBig(tp: Tcpcb, mtu: number, length: number): void {
  if (!lowerMss(tp, mtu, length)) return;
  stopTiming(tp);
  tp.sndNxt = tp.sndUna;
  tcpOutput(tp);
}
