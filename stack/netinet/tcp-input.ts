/**
 * Segment arrival (RFC 9293 §3.10.7): checks the segment, finds its connection and does what its state asks for, in the order of the RFC. Acceptance as
 * RFC 5961 has it, timestamps and PAWS as RFC 7323.
 */
import { be16, be32, u8 } from '../memory/memory.ts';
import { pseudoSum, sumChain } from '../memory/checksum.ts';
import { CSUM_TRANSPORT_GOOD, M_BCAST, M_MCAST, mFree, mbuf } from '../memory/mbuf.ts';
import { mPullup, mTrimFront, mTrimTo } from '../memory/mbuf-chain.ts';
import { SECOND, now } from '../runtime/clock.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { IPPROTO_TCP } from '../runtime/messages/request.ts';
import { STATION, station } from '../net/journey.ts';
import { rcvAppendStream, rcvSpace } from '../net/sockbuf.ts';
import { SS_CANTRCVMORE, SS_NOFDREF, soWake, sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, countBy } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { inpcbs, stationAtInpcb } from './inpcb.ts';
import type { Inpcb } from './inpcb.ts';
import { IP_DST, IP_SRC, addressAt } from './ip.ts';
import { ACK_CLOSED, ACK_GOES_ON, outputIfDue, processAck, updateWindow } from './tcp-ack.ts';
import { dropSegment, resetSegment, seg, segmentSpan } from './tcp-arrival.ts';
import { challengeAck } from './tcp-challenge.ts';
import { lookupConnection, lookupListener } from './tcp-demux.ts';
import { acknowledgeData, fastInput } from './tcp-fast-path.ts';
import {
  TCP_ACK,
  TCP_DPORT,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_OFF,
  TCP_SEQ,
  TCP_SPORT,
  TCP_WIN,
  TH_ACK,
  TH_FIN,
  TH_RST,
  TH_SYN,
  seqGeq,
  seqGt,
  seqLeq,
  seqLt,
} from './tcp-header.ts';
import { listenInput, synAcked, synSentInput } from './tcp-listen.ts';
import { options, parseOptions } from './tcp-options.ts';
import { tcpOutput } from './tcp-output.ts';
import { reassemblyDeliver, reassemblyInsert } from './tcp-reassembly.ts';
import { enterTimeWait, start2msl, tcpClose, tcpEstablished } from './tcp-state.ts';
import {
  TCPS_CLOSE_WAIT,
  TCPS_CLOSING,
  TCPS_ESTABLISHED,
  TCPS_FIN_WAIT_1,
  TCPS_FIN_WAIT_2,
  TCPS_LISTEN,
  TCPS_SYN_RECEIVED,
  TCPS_SYN_SENT,
  TCPS_TIME_WAIT,
  TF_ACKNOW,
  TF_TIMESTAMP,
  haveReceivedFin,
  tcpcbs,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

/** A timestamp that was not renewed for so long says nothing (RFC 7323 §5.5). */
const PAWS_IDLE = 24 * 86_400 * SECOND;

/** Takes a packet for this host (protocols.ts). */
export function tcpInput(stack: number, packet: number, header: number): void {
  count(stack, STAT.tcpInTotal);
  let m = packet;
  let view = mbuf(m);
  const total = view.pktLen - header;
  if ((view.flags & (M_BCAST | M_MCAST)) !== 0) return mFree(m);
  if (total < TCP_HEADER) return reject(stack, m, STAT.tcpShort);
  if (view.len < header + TCP_HEADER) {
    m = mPullup(m, header + TCP_HEADER);
    if (m === 0) return count(stack, STAT.tcpNoMemory);
    view = mbuf(m);
  }
  const off = (u8[view.data + header + TCP_OFF]! >>> 4) << 2;
  if (off < TCP_HEADER || off > total) return reject(stack, m, STAT.tcpBadOffset);
  if (view.len < header + off) {
    m = mPullup(m, header + off);
    if (m === 0) return count(stack, STAT.tcpNoMemory);
    view = mbuf(m);
  }
  const ip = view.data;
  if ((view.csum & CSUM_TRANSPORT_GOOD) === 0) {
    const sum = sumChain(m, header, total, pseudoSum(ip + IP_SRC, IPPROTO_TCP, total));
    if (sum !== 0xffff) return reject(stack, m, STAT.tcpBadSum);
  }
  const th = ip + header;
  const inpcb = lookupConnection(
    stack,
    addressAt(ip + IP_DST),
    be16(th + TCP_DPORT),
    addressAt(ip + IP_SRC),
    be16(th + TCP_SPORT),
  );
  const seq = be32(th + TCP_SEQ);
  const ack = be32(th + TCP_ACK);
  const window = be16(th + TCP_WIN);
  const length = total - off;
  if (inpcb !== 0) {
    const inp = inpcbs.get(inpcb);
    const tp = tcpcbs.get(inp.ppcb);
    stationAtInpcb(m, STATION.connection, inp, length);
    if (
      tp.state === TCPS_ESTABLISHED &&
      fastInput(tp, sockets.get(tp.socket), m, th, off, header + off, length, seq, ack, window)
    ) {
      return;
    }
  }
  seg.stack = stack;
  seg.m = m;
  seg.off = header + off;
  seg.ip = ip;
  seg.th = th;
  seg.seq = seq;
  seg.ack = ack;
  seg.length = length;
  seg.flags = u8[th + TCP_FLAGS]!;
  seg.window = window;
  seg.renewed = false;
  seg.wake = false;
  parseOptions(th + TCP_HEADER, off - TCP_HEADER);
  slowInput(inpcb);
  dropSegment();
}

function reject(stack: number, m: number, stat: number): void {
  count(stack, stat);
  station(m, STATION.drop, stack, stat);
  mFree(m);
}

/** The segment at hand goes to its connection, or to a listening socket, or is refused. */
function slowInput(inpcb: number): void {
  if (inpcb !== 0) {
    const inp = inpcbs.get(inpcb);
    const tp = tcpcbs.get(inp.ppcb);
    if (tp.state !== TCPS_TIME_WAIT || !callsAgain(tp)) return connectionInput(tp, inp);
    seg.renewed = true;
    seg.after = tp.sndMax;
    tcpClose(tp);
  }
  const listener = lookupListener(seg.stack, addressAt(seg.ip + IP_DST), be16(seg.th + TCP_DPORT));
  if (listener !== 0) {
    stationAtInpcb(seg.m, STATION.connection, inpcbs.get(listener), seg.length);
    return listenInput(inpcbs.get(listener));
  }
  count(seg.stack, STAT.tcpNoPort);
  station(seg.m, STATION.drop, seg.stack, STAT.tcpNoPort);
  resetSegment();
}

/** A SYN that is newer than anything of the connection in TIME_WAIT begins another one (RFC 9293 §3.10.7.4, RFC 6191). */
function callsAgain(tp: Tcpcb): boolean {
  if ((seg.flags & (TH_SYN | TH_ACK | TH_RST)) !== TH_SYN) return false;
  if (seqGt(seg.seq, tp.rcvNxt)) return true;
  return options.timestamp && (tp.flags & TF_TIMESTAMP) !== 0 && seqGt(options.value, tp.tsRecent);
}

function connectionInput(tp: Tcpcb, inp: Inpcb): void {
  const so = sockets.get(tp.socket);
  tp.lastReceived = now();
  tp.keepCount = 0;
  if (tp.state === TCPS_LISTEN) return listenInput(inp);
  if (tp.state === TCPS_SYN_SENT) {
    if (synSentInput(tp)) finish(tp, so);
    return;
  }
  if (!acceptable(tp, so)) return;
  if ((seg.flags & TH_ACK) === 0) return;
  if (tp.state === TCPS_SYN_RECEIVED && !completeHandshake(tp)) return;
  const verdict = processAck(tp, so);
  if (verdict === ACK_CLOSED) return;
  if (verdict === ACK_GOES_ON && tp.state === TCPS_TIME_WAIT) timeWaitInput(tp);
  else if (verdict === ACK_GOES_ON) updateWindow(tp);
  else dropRest();
  finish(tp, so);
}

/** Nothing of the segment but its acknowledgement counts. */
function dropRest(): void {
  seg.length = 0;
  seg.flags &= ~TH_FIN;
}

/** Data and FIN, then what is to be sent, then those who wait. */
function finish(tp: Tcpcb, so: Socket): void {
  if (seg.length > 0 || (seg.flags & TH_FIN) !== 0) receive(tp, so);
  outputIfDue(tp);
  if (seg.wake) soWake(so);
}

/** Our SYN is acknowledged, or not: then the segment is refused (RFC 9293 §3.10.7.4, fifth, SYN-RECEIVED). */
function completeHandshake(tp: Tcpcb): boolean {
  if (seqLeq(seg.ack, tp.sndUna) || seqGt(seg.ack, tp.sndMax)) {
    resetSegment();
    return false;
  }
  tp.sndUna = (tp.iss + 1) | 0;
  if (seqLt(tp.sndNxt, tp.sndUna)) tp.sndNxt = tp.sndUna;
  synAcked(tp);
  tp.sndWl1 = (seg.seq - 1) | 0;
  tcpEstablished(tp);
  return true;
}

/** First to fourth checks: timestamps, sequence numbers, reset, SYN. True if the segment is for us to process, cut to the window. */
function acceptable(tp: Tcpcb, so: Socket): boolean {
  if ((tp.flags & TF_TIMESTAMP) !== 0 && (seg.flags & TH_RST) === 0 && !timestampGood(tp)) return false;
  if ((seg.flags & TH_RST) !== 0) {
    receiveReset(tp, so);
    return false;
  }
  if ((seg.flags & TH_SYN) !== 0 && !repeatedSyn(tp)) return false;
  trimFront(tp);
  if ((so.state & SS_NOFDREF) !== 0 && tp.state > TCPS_CLOSE_WAIT && seg.length > 0) {
    count(tp.stack, STAT.tcpInAfterClose);
    tcpClose(tp);
    resetSegment();
    return false;
  }
  if (!trimBack(tp, so)) return false;
  if (options.timestamp && seqLeq(seg.seq, tp.lastAckSent)) {
    tp.tsRecent = options.value;
    tp.tsRecentAge = now();
  }
  return true;
}

/** PAWS (RFC 7323 §5.3): a segment older than the last one is acknowledged and dropped; one without a timestamp is dropped (§3.2). */
function timestampGood(tp: Tcpcb): boolean {
  if (!options.timestamp) return false;
  if (seqGeq(options.value, tp.tsRecent)) return true;
  if (now() - tp.tsRecentAge > PAWS_IDLE) {
    tp.tsRecent = options.value;
    return true;
  }
  count(tp.stack, STAT.tcpPaws);
  tp.flags |= TF_ACKNOW;
  tcpOutput(tp);
  return false;
}

/** A reset counts if it names exactly the next sequence number; elsewhere in the window it is questioned (RFC 5961 §3.2). */
function receiveReset(tp: Tcpcb, so: Socket): void {
  const ahead = (seg.seq - tp.rcvNxt) | 0;
  if (ahead !== 0) {
    if (ahead > 0 && ahead < Math.max(rcvSpace(so), (tp.rcvAdv - tp.rcvNxt) | 0)) challengeAck(tp);
    return;
  }
  if (tp.state === TCPS_SYN_RECEIVED) {
    count(tp.stack, STAT.tcpConnectDrops);
    so.error = ERRNO.ECONNREFUSED;
  } else if (tp.state < TCPS_CLOSING || tp.state === TCPS_FIN_WAIT_2) {
    count(tp.stack, STAT.tcpDrops);
    so.error = ERRNO.ECONNRESET;
  }
  tcpClose(tp);
}

/** A SYN on a connection: ours was lost, or both sides called at once, or it is questioned (RFC 5961 §4.2). True if the rest is to be processed. */
function repeatedSyn(tp: Tcpcb): boolean {
  if (tp.state !== TCPS_SYN_RECEIVED || seg.seq !== tp.irs) {
    challengeAck(tp);
    return false;
  }
  if ((seg.flags & TH_ACK) !== 0) {
    seg.flags &= ~TH_SYN;
    seg.seq = (seg.seq + 1) | 0;
    // The window of a SYN is never scaled.
    seg.window >>>= tp.sndScale;
    return true;
  }
  tp.sndNxt = tp.iss;
  tcpOutput(tp);
  return false;
}

/** Cuts off what was received already. */
function trimFront(tp: Tcpcb): void {
  const old = (tp.rcvNxt - seg.seq) | 0;
  if (old <= 0) return;
  const cut = Math.min(old, seg.length);
  // All of it, with its FIN, was here before: the acknowledgement was lost.
  if (old >= segmentSpan()) {
    if (old > seg.length) seg.flags &= ~TH_FIN;
    tp.flags |= TF_ACKNOW;
    if (cut > 0) {
      count(tp.stack, STAT.tcpInDuplicate);
      countBy(tp.stack, STAT.tcpInDuplicateBytes, cut);
    }
  } else count(tp.stack, STAT.tcpInPartDuplicate);
  seg.seq = (seg.seq + cut) | 0;
  seg.off += cut;
  seg.length -= cut;
}

/** Cuts off what lies behind the window; false if that is all, and the segment is answered. */
function trimBack(tp: Tcpcb, so: Socket): boolean {
  const window = Math.max(rcvSpace(so), (tp.rcvAdv - tp.rcvNxt) | 0);
  const ahead = (seg.seq - tp.rcvNxt) | 0;
  const span = segmentSpan();
  const excess = ahead + span - window;
  if (excess <= 0) return true;
  if (span === 0 && ahead <= window) return true;
  count(tp.stack, STAT.tcpInAfterWindow);
  tp.flags |= TF_ACKNOW;
  if (excess >= span) {
    if (window === 0 && ahead === 0) {
      // A probe of our closed window: its acknowledgement counts, its byte does not.
      count(tp.stack, STAT.tcpInWindowProbe);
      seg.length = 0;
      seg.flags &= ~TH_FIN;
      return true;
    }
    tcpOutput(tp);
    return false;
  }
  if ((seg.flags & TH_FIN) !== 0) {
    seg.flags &= ~TH_FIN;
    seg.length -= excess - 1;
  } else seg.length -= excess;
  mTrimTo(seg.m, seg.off + seg.length);
  return true;
}

/** The peer did not get our last acknowledgement: it gets another, and we stay as long again. */
function timeWaitInput(tp: Tcpcb): void {
  if (segmentSpan() > 0 || (tp.flags & TF_ACKNOW) !== 0) {
    start2msl(tp);
    tp.flags |= TF_ACKNOW;
  }
}

/** Seventh and eighth: data to the receive buffer or to those that wait for what is missing, then FIN. */
function receive(tp: Tcpcb, so: Socket): void {
  if (haveReceivedFin(tp.state)) return;
  let fin = (seg.flags & TH_FIN) !== 0;
  if (seg.seq === tp.rcvNxt && tp.reassembly === 0) {
    if (seg.length > 0) takeData(tp, so);
  } else {
    const m = seg.m;
    seg.m = 0;
    mTrimFront(m, seg.off);
    reassemblyInsert(tp, so, m, seg.seq, fin);
    fin = reassemblyDeliver(tp, so);
    tp.flags |= TF_ACKNOW;
  }
  if (fin) receiveFin(tp, so);
  seg.wake = true;
}

function takeData(tp: Tcpcb, so: Socket): void {
  const m = seg.m;
  const length = seg.length;
  count(tp.stack, STAT.tcpInSequence);
  countBy(tp.stack, STAT.tcpInBytes, length);
  tp.rcvNxt = (tp.rcvNxt + length) | 0;
  acknowledgeData(tp, length);
  if ((so.state & SS_CANTRCVMORE) !== 0) return;
  seg.m = 0;
  mTrimFront(m, seg.off);
  stationAtInpcb(m, STATION.socket, inpcbs.get(tp.inpcb), length);
  rcvAppendStream(so, m, length);
}

function receiveFin(tp: Tcpcb, so: Socket): void {
  tp.rcvNxt = (tp.rcvNxt + 1) | 0;
  tp.flags |= TF_ACKNOW;
  switch (tp.state) {
    case TCPS_ESTABLISHED:
      tp.state = TCPS_CLOSE_WAIT;
      break;
    case TCPS_FIN_WAIT_1:
      tp.state = TCPS_CLOSING;
      break;
    default:
      enterTimeWait(tp);
  }
  so.state |= SS_CANTRCVMORE;
}
