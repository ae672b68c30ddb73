/**
 * Builds one segment of a connection and sends it (RFC 9293 §3.1): header with options and the window we offer, the data shared from the send buffer,
 * the checksum over all. Changes nothing but what an acknowledgement that went out changes.
 */
import { putBe16, putBe32, u8 as sharedU8 } from '../memory/memory.ts';
import { pseudoSum, putChecksum, sumChain } from '../memory/checksum.ts';
import { HEADROOM, mFree, mGetHeader, mbuf, ownerTag } from '../memory/mbuf.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { IPPROTO_TCP } from '../runtime/messages/request.ts';
import { rcvSpace, sndShare } from '../net/sockbuf.ts';
import { sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { count } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { inpcbRoute, inpcbs } from './inpcb.ts';
import { IP_DF } from './ip.ts';
import { ipOutput } from './ip-output.ts';
import {
  TCP_ACK,
  TCP_DPORT,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_MAXWIN,
  TCP_OFF,
  TCP_SEQ,
  TCP_SPORT,
  TCP_SUM,
  TCP_WIN,
  TH_ACK,
  TH_RST,
  TH_SYN,
} from './tcp-header.ts';
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
const u8 = sharedU8;
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

/** Sends `length` bytes from offset `off` of the send buffer as the segment `seq` with these flags. Returns 0 or an errno. */
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
  let header = TCP_HEADER;
  if ((flags & TH_SYN) !== 0) header += putSynOptions(tp, p + header, (flags & TH_ACK) !== 0);
  else if ((tp.flags & TF_TIMESTAMP) !== 0) header += putTimestamp(p + header, timestampNow(tp), tp.tsRecent);
  view.len = header;
  if (length !== 0) {
    const data = sndShare(so, OUTPUT, off, length);
    if (data === 0) {
      mFree(m);
      return ERRNO.ENOBUFS;
    }
    view.next = data;
  }
  const total = header + length;
  view.pktLen = total;
  const inp = inpcbs.get(tp.inpcb);
  // The window of a SYN is never scaled (RFC 7323 §2.2).
  const scale = (flags & TH_SYN) === 0 ? tp.rcvScale : 0;
  const window = Math.min(receiveWindow(tp, so) >>> scale, TCP_MAXWIN);
  putBe16(p + TCP_SPORT, inp.localPort);
  putBe16(p + TCP_DPORT, inp.foreignPort);
  putBe32(p + TCP_SEQ, seq);
  putBe32(p + TCP_ACK, (flags & TH_ACK) === 0 ? 0 : tp.rcvNxt);
  u8[p + TCP_OFF] = header << 2;
  u8[p + TCP_FLAGS] = flags;
  putBe16(p + TCP_WIN, window);
  putBe32(p + TCP_SUM, 0);
  const local = inp.local;
  const foreign = inp.foreign;
  // The pseudo header's addresses lie where the IP header will have them.
  putBe32(p - 8, local);
  putBe32(p - 4, foreign);
  putChecksum(p + TCP_SUM, sumChain(m, 0, total, pseudoSum(p - 8, IPPROTO_TCP, total)));
  count(tp.stack, STAT.tcpOutTotal);
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
  if (((edge - tp.rcvAdv) | 0) > 0) tp.rcvAdv = edge;
  tp.lastAckSent = tp.rcvNxt;
  tp.flags &= ~(TF_ACKNOW | TF_DELACK);
  stopTimer(tp, TIMER_DELACK);
}

/** Tells the peer that the connection is gone. */
export function sendReset(tp: Tcpcb): void {
  count(tp.stack, STAT.tcpOutResets);
  sendSegment(tp, sockets.get(tp.socket), tp.sndMax, 0, 0, TH_RST | TH_ACK);
}
