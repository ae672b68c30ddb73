/**
 * Segments outside of a connection: the reset that answers a segment nobody expects (RFC 9293 §3.5.2 and §3.10.7.1).
 */
import { be16, be32, putBe16, putBe32, u8 } from '../memory/memory.ts';
import { foldSum, pseudoSum, putChecksum, sumBytes } from '../memory/checksum.ts';
import { HEADROOM, mGetHeader, mbuf, ownerTag } from '../memory/mbuf.ts';
import { IPPROTO_TCP } from '../runtime/messages/request.ts';
import { count, sysctlValue } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { IP_DST, IP_SRC, addressAt } from './ip.ts';
import { ipOutput } from './ip-output.ts';
import {
  TCP_ACK,
  TCP_DPORT,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_OFF,
  TCP_SEQ,
  TCP_SPORT,
  TCP_SUM,
  TCP_WIN,
  TH_ACK,
  TH_FIN,
  TH_RST,
  TH_SYN,
} from './tcp-header.ts';

const OUTPUT = ownerTag('output');

/** Answers a segment of `length` data bytes, with its IP header at `ip` and its TCP header at `th`, with a reset, unless it is one itself. */
export function respondReset(stack: number, ip: number, th: number, length: number): void {
  const flags = u8[th + TCP_FLAGS]!;
  if ((flags & TH_RST) !== 0) return;
  const m = mGetHeader(OUTPUT, HEADROOM);
  if (m === 0) return;
  const view = mbuf(m);
  const p = view.data;
  view.len = TCP_HEADER;
  view.pktLen = TCP_HEADER;
  putBe16(p + TCP_SPORT, be16(th + TCP_DPORT));
  putBe16(p + TCP_DPORT, be16(th + TCP_SPORT));
  if ((flags & TH_ACK) !== 0) {
    putBe32(p + TCP_SEQ, be32(th + TCP_ACK));
    putBe32(p + TCP_ACK, 0);
    u8[p + TCP_FLAGS] = TH_RST;
  } else {
    const counted = length + ((flags & TH_SYN) === 0 ? 0 : 1) + ((flags & TH_FIN) === 0 ? 0 : 1);
    putBe32(p + TCP_SEQ, 0);
    putBe32(p + TCP_ACK, be32(th + TCP_SEQ) + counted);
    u8[p + TCP_FLAGS] = TH_RST | TH_ACK;
  }
  u8[p + TCP_OFF] = (TCP_HEADER >>> 2) << 4;
  putBe16(p + TCP_WIN, 0);
  putBe32(p + TCP_SUM, 0);
  const source = addressAt(ip + IP_DST);
  const destination = addressAt(ip + IP_SRC);
  // The pseudo header's addresses lie where the IP header will have them.
  putBe32(p - 8, source);
  putBe32(p - 4, destination);
  putChecksum(p + TCP_SUM, foldSum(pseudoSum(p - 8, IPPROTO_TCP, TCP_HEADER) + sumBytes(p, TCP_HEADER)));
  count(stack, STAT.tcpOutTotal);
  count(stack, STAT.tcpOutResets);
  ipOutput(stack, m, source, destination, IPPROTO_TCP, sysctlValue(stack, SYSCTL.ipTtl), 0, 0, 0);
}
