/**
 * Packets that PF makes itself: resets, the segments of a handshake that it answers for others (synproxy), and ICMP errors about what it blocks. Most are marked, so that PF lets
 * them pass; those that begin a connection for somebody else are to be filtered like any other, after the packet at hand.
 */
import { putBe16, putBe32, u8 } from '../../memory/memory.ts';
import { foldSum, pseudoSum, putChecksum, sumBytes } from '../../memory/checksum.ts';
import { HEADROOM, PF_GENERATED, mGetHeader, mbuf, ownerTag } from '../../memory/mbuf.ts';
import { SYSCTL } from '../../net/sysctl.ts';
import { sysctlValue } from '../../net/stack.ts';
import { ipOutput } from '../../netinet/ip-output.ts';
import { icmpErrorAbout } from '../../netinet/icmp-error.ts';
import {
  PROTOCOL,
  TCP_ACK,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_OFF,
  TCP_SEQ,
  TCP_SUM,
  TCP_WIN,
  TH_ACK,
  TH_RST,
  pd,
} from './packet.ts';
import { span } from './segment.ts';

const OUTPUT = ownerTag('output');
const MSS_OPTION = 4;

interface Segment {
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  /** 0: no option. */
  readonly mss?: number;
  /** 0 or absent: that of the stack. */
  readonly ttl?: number;
}

/** Makes a segment; 0 when buffers are exhausted. */
function makeSegment(segment: Segment): number {
  const m = mGetHeader(OUTPUT, HEADROOM);
  if (m === 0) return 0;
  const view = mbuf(m);
  const p = view.data;
  const { mss = 0 } = segment;
  const header = TCP_HEADER + (mss === 0 ? 0 : MSS_OPTION);
  view.len = header;
  view.pktLen = header;
  putBe16(p, segment.sourcePort);
  putBe16(p + 2, segment.destinationPort);
  putBe32(p + TCP_SEQ, segment.seq);
  putBe32(p + TCP_ACK, segment.ack);
  u8[p + TCP_OFF] = (header >>> 2) << 4;
  u8[p + TCP_FLAGS] = segment.flags;
  putBe16(p + TCP_WIN, segment.window);
  putBe32(p + TCP_SUM, 0);
  if (mss !== 0) putBe32(p + TCP_HEADER, 0x02040000 | mss);
  // The pseudo header's addresses lie where the IP header will have them.
  putBe32(p - 8, segment.source);
  putBe32(p - 4, segment.destination);
  putChecksum(p + TCP_SUM, foldSum(pseudoSum(p - 8, PROTOCOL.tcp, header) + sumBytes(p, header)));
  return m;
}

function output(stack: number, m: number, { source, destination, ttl = 0 }: Segment): void {
  const hops = ttl === 0 ? sysctlValue(stack, SYSCTL.ipTtl) : ttl;
  ipOutput(stack, m, source, destination, PROTOCOL.tcp, hops, 0, 0, 0);
}

/** Sends a segment past the filter. */
export function sendSegment(segment: Segment): void {
  const m = makeSegment(segment);
  if (m === 0) return;
  mbuf(m).csum |= PF_GENERATED;
  output(pd.stack.ptr, m, segment);
}

const waiting: Segment[] = [];

/** Sends a segment through the filter, once the packet at hand is done with. */
export function sendLater(segment: Segment): void {
  waiting.push(segment);
}

/** Sends what waits: the packet at hand is done with. */
export function sendWaiting(stack: number): void {
  while (waiting.length > 0) {
    const segment = waiting.shift()!;
    const m = makeSegment(segment);
    if (m !== 0) output(stack, m, segment);
  }
}

/** Answers the segment at hand with a reset (RFC 9293 §3.10.7.1). */
export function sendReset(ttl: number, seq: number, ack: number): void {
  if ((pd.flags & TH_RST) !== 0) return;
  const acknowledges = (pd.flags & TH_ACK) !== 0;
  sendSegment({
    source: pd.destination,
    destination: pd.source,
    sourcePort: pd.destinationPort,
    destinationPort: pd.sourcePort,
    seq: acknowledges ? ack : 0,
    ack: acknowledges ? 0 : (seq + span()) >>> 0,
    flags: acknowledges ? TH_RST : TH_RST | TH_ACK,
    window: 0,
    ttl,
  });
}

/** Sends an ICMP error about the packet at hand. */
export function sendIcmpError(type: number, code: number): void {
  icmpErrorAbout(pd.stack.ptr, pd.m, type, code, 0, PF_GENERATED);
}
