/**
 * Builds one segment of a connection and sends it (RFC 9293 §3.1): header with options and the window we offer, the data shared from the send buffer,
 * the checksum over all. Changes nothing but what an acknowledgement that went out changes.
 */
import { u32 as sharedU32 } from '../memory/memory.ts';
import { foldSum, putChecksum, sumBytes, sumChain } from '../memory/checksum.ts';
import { CSUM_TRANSPORT_GOOD, HEADROOM, mFree, mGetHeader, mbuf, ownerTag } from '../memory/mbuf.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { IPPROTO_TCP } from '../runtime/messages/request.ts';
import { rcvSpace, sndShare } from '../net/sockbuf.ts';
import { sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count, countBy } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { inpcbRoute, inpcbs } from './inpcb.ts';
import { IP_DF } from './ip.ts';
import { ipOutput } from './ip-output.ts';
import { TCP_HEADER, TCP_MAXWIN, TCP_SUM, TH_ACK, TH_RST, TH_SYN, seqGt } from './tcp-header.ts';
import { interfaceMss } from './tcp-mss.ts';
import { putMss, putScale, putTimestamp } from './tcp-options.ts';
import {
  TF_ACKNOW,
  TF_DELACK,
  TF_REQ_SCALE,
  TF_REQ_TIMESTAMP,
  TF_SCALE,
  TF_TIMESTAMP,
  TIMER_DELACK,
  stopTimer,
  timestampNow,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u32 = sharedU32;
const OUTPUT = ownerTag('output');

/**
 * The window to offer: the free part of the receive buffer, none at all while it is small (silly window avoidance, RFC 9293 §3.8.6.2.2), but never less
 * than what was offered before.
 */
export function receiveWindow(tp: Tcpcb, so: Socket): number {
  let window = rcvSpace(so);
  if (window < tp.segment && window < so.rcvHiwat >>> 2) window = 0;
  const offered = (tp.rcvAdv - tp.rcvNxt) | 0;
  return Math.min(Math.max(window, offered), TCP_MAXWIN << tp.rcvScale);
}

/** Options of a SYN at `p`; those of the answer are only what the peer offered. */
function putSynOptions(tp: Tcpcb, p: number, answer: boolean): number {
  let length = putMss(p, interfaceMss(inpcbs.get(tp.inpcb)));
  const flags = tp.flags;
  if ((flags & TF_REQ_SCALE) !== 0 && (!answer || (flags & TF_SCALE) !== 0)) {
    length += putScale(p + length, tp.requestScale);
  }
  if ((flags & TF_REQ_TIMESTAMP) !== 0 && (!answer || (flags & TF_TIMESTAMP) !== 0)) {
    length += putTimestamp(p + length, timestampNow(tp), tp.tsRecent);
  }
  return length;
}

/** Swaps the bytes of a word: a number in network order. */
function network32(value: number): number {
  return (value << 24) | ((value << 8) & 0xff0000) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

/** Both halves of a word, for a sum of 16-bit numbers. */
function halves(value: number): number {
  return (value >>> 16) + (value & 0xffff);
}

/**
 * Writes the header at `p` (4-aligned), whose options are there already, up to the checksum, and sums it with the pseudo header: from the numbers, which are at
 * hand, instead of from memory. `optionSum` is the options' part of the sum. Returns the sum, folded, in network order.
 */
function putHeader(
  p: number,
  ports: number,
  seq: number,
  ack: number,
  word: number,
  local: number,
  foreign: number,
  total: number,
  optionSum: number,
): number {
  const at = p >>> 2;
  u32[at] = network32(ports);
  u32[at + 1] = network32(seq);
  u32[at + 2] = network32(ack);
  u32[at + 3] = network32(word);
  u32[at + 4] = 0;
  const numbers = halves(ports) + halves(seq) + halves(ack) + halves(word);
  return foldSum(numbers + halves(local) + halves(foreign) + IPPROTO_TCP + total + optionSum);
}

/**
 * Sends `length` bytes from offset `off` of the send buffer as the segment `seq` with these flags; more than a segment goes as a large frame
 * (net/segmentation.ts). Returns 0 or an errno.
 */
export function sendSegment(
  tp: Tcpcb,
  so: Socket,
  seq: number,
  off: number,
  length: number,
  flags: number,
): number {
  const m = mGetHeader(OUTPUT, HEADROOM);
  if (m === 0) return ERRNO.ENOBUFS;
  const view = mbuf(m);
  const p = view.data;
  const syn = (flags & TH_SYN) !== 0;
  let options = 0;
  if (syn) options = putSynOptions(tp, p + TCP_HEADER, (flags & TH_ACK) !== 0);
  else if ((tp.flags & TF_TIMESTAMP) !== 0) {
    options = putTimestamp(p + TCP_HEADER, timestampNow(tp), tp.tsRecent);
  }
  const header = TCP_HEADER + options;
  const total = header + length;
  view.len = header;
  view.pktLen = total;
  let data = 0;
  if (length !== 0) {
    data = sndShare(so, OUTPUT, off, length);
    if (data === 0) {
      mFree(m);
      return ERRNO.ENOBUFS;
    }
    view.next = data;
  }
  const inp = inpcbs.get(tp.inpcb);
  // The window of a SYN is never scaled (RFC 7323 §2.2).
  const scale = syn ? 0 : tp.rcvScale;
  const window = Math.min(receiveWindow(tp, so) >>> scale, TCP_MAXWIN);
  const local = inp.local;
  const foreign = inp.foreign;
  const sum = putHeader(
    p,
    (inp.localPort << 16) | inp.foreignPort,
    seq,
    (flags & TH_ACK) === 0 ? 0 : tp.rcvNxt,
    (header << 26) | (flags << 16) | window,
    local,
    foreign,
    total,
    options === 0 ? 0 : swap16(sumBytes(p + TCP_HEADER, options)),
  );
  const segment = tp.segment;
  if (length <= segment) {
    putChecksum(p + TCP_SUM, data === 0 ? swap16(sum) : sumChain(data, 0, length, swap16(sum)));
    count(tp.stack, STAT.tcpOutTotal);
  } else {
    // Whoever splits the frame sums its parts; whole, it has not left the process.
    view.segment = segment;
    view.csum = CSUM_TRANSPORT_GOOD;
    countBy(tp.stack, STAT.tcpOutTotal, Math.ceil(length / segment));
  }
  const status = ipOutput(
    tp.stack,
    m,
    local,
    foreign,
    IPPROTO_TCP,
    inp.ttl,
    inp.tos,
    IP_DF,
    inpcbRoute(inp, foreign),
  );
  if (status === 0 && (flags & TH_ACK) !== 0) acknowledged(tp, window << scale);
  return status;
}

/** An acknowledgement that offers `window` has gone out. */
function acknowledged(tp: Tcpcb, window: number): void {
  const edge = (tp.rcvNxt + window) | 0;
  if (seqGt(edge, tp.rcvAdv)) tp.rcvAdv = edge;
  tp.lastAckSent = tp.rcvNxt;
  tp.flags &= ~(TF_ACKNOW | TF_DELACK);
  stopTimer(tp, TIMER_DELACK);
}

/** Tells the peer that the connection is gone. */
export function sendReset(tp: Tcpcb): void {
  count(tp.stack, STAT.tcpOutResets);
  sendSegment(tp, sockets.get(tp.socket), tp.sndMax, 0, 0, TH_RST | TH_ACK);
}
