/**
 * The counters of a stack, as `netstat -s` prints them (NetBSD's struct ipstat, icmpstat, udpstat, tcpstat, arpstat): one double each in the stack's record.
 */
import { f64 } from '../memory/memory.ts';

const TABLE = {
  ip: {
    ipTotal: 'total packets received',
    ipBadSum: 'bad header checksums',
    ipTooShort: 'with size smaller than minimum',
    ipTooSmall: 'with data size < data length',
    ipBadHlen: 'with header length < data size',
    ipBadLen: 'with data length < header length',
    ipBadVers: 'with incorrect version number',
    ipBadAddr: 'with bad source or destination address',
    ipBadOptions: 'with bad options',
    ipFragments: 'fragments received',
    ipFragDropped: 'fragments dropped (dup or out of space)',
    ipBadFrags: 'malformed fragments dropped',
    ipFragTimeout: 'fragments dropped after timeout',
    ipReassembled: 'packets reassembled ok',
    ipDelivered: 'packets for this host',
    ipNoProto: 'packets for unknown/unsupported protocol',
    ipForward: 'packets forwarded',
    ipFastForward: 'packets fast forwarded',
    ipCantForward: 'packets not forwardable',
    ipRedirectSent: 'redirects sent',
    ipNoBuffers: 'packets dropped for lack of buffers',
    ipLocalOut: 'packets sent from this host',
    ipRawOut: 'packets sent with fabricated ip header',
    ipOutDropped: 'output packets dropped due to no bufs, etc.',
    ipNoRoute: 'output packets discarded due to no route',
    ipFragmented: 'output datagrams fragmented',
    ipOutFragments: 'fragments created',
    ipCantFrag: "datagrams that can't be fragmented",
  },
  icmp: {
    icmpError: 'calls to icmp_error',
    icmpOldShort: 'errors not generated because old message was too short',
    icmpOldIcmp: 'errors not generated because old message was icmp',
    icmpLimited: 'errors not generated because of rate limitation',
    icmpBadCode: 'messages with bad code fields',
    icmpTooShort: 'messages < minimum length',
    icmpBadSum: 'bad checksums',
    icmpBadLen: 'messages with bad length',
    icmpBroadcastEcho: 'multicast echo requests ignored',
    icmpReflect: 'message responses generated',
    icmpInEcho: 'echo requests received',
    icmpInEchoReply: 'echo replies received',
    icmpInUnreach: 'destination unreachable received',
    icmpInTimeExceeded: 'time exceeded received',
    icmpOutEchoReply: 'echo replies sent',
    icmpOutUnreach: 'destination unreachable sent',
    icmpOutTimeExceeded: 'time exceeded sent',
  },
  udp: {
    udpIn: 'datagrams received',
    udpShort: 'with incomplete header',
    udpBadLen: 'with bad data length field',
    udpBadSum: 'with bad checksum',
    udpNoPort: 'dropped due to no socket',
    udpNoPortBroadcast: 'broadcast/multicast datagrams dropped due to no socket',
    udpFull: 'dropped due to full socket buffers',
    udpDelivered: 'delivered',
    udpOut: 'datagrams output',
  },
  tcp: {
    tcpOutTotal: 'packets sent',
    tcpOutData: 'data packets',
    tcpOutBytes: 'data bytes',
    tcpRexmitPackets: 'data packets retransmitted',
    tcpRexmitBytes: 'data bytes retransmitted',
    tcpFastRexmit: 'fast retransmits',
    tcpPartialAcks: 'NewReno partial acknowledgements',
    tcpOutAcks: 'ack-only packets',
    tcpDelayedAcks: 'delayed acks sent',
    tcpOutProbes: 'window probe packets',
    tcpOutUpdates: 'window update packets',
    tcpOutControl: 'control packets',
    tcpOutResets: 'resets sent',
    tcpInTotal: 'packets received',
    tcpInAckPackets: 'acks',
    tcpInAckBytes: 'bytes acknowledged by acks',
    tcpInDupAcks: 'duplicate acks',
    tcpInAckTooMuch: 'acks for unsent data',
    tcpInSequence: 'packets received in-sequence',
    tcpInBytes: 'bytes received in-sequence',
    tcpInDuplicate: 'completely duplicate packets',
    tcpInDuplicateBytes: 'bytes in completely duplicate packets',
    tcpInPartDuplicate: 'packets with some duplicate data',
    tcpPaws: 'old duplicate packets (PAWS)',
    tcpInOutOfOrder: 'out-of-order packets',
    tcpInOutOfOrderBytes: 'bytes in out-of-order packets',
    tcpInAfterWindow: 'packets of data after window',
    tcpInAfterClose: 'packets received after close',
    tcpInWindowProbe: 'window probes',
    tcpInWindowUpdate: 'window update packets received',
    tcpBadSum: 'discarded for bad checksums',
    tcpBadOffset: 'discarded for bad header offset fields',
    tcpShort: 'discarded because packet too short',
    tcpNoMemory: 'discarded for lack of memory',
    tcpNoPort: 'dropped because no socket',
    tcpConnectAttempts: 'connection requests',
    tcpAccepts: 'connection accepts',
    tcpConnects: 'connections established (including accepts)',
    tcpClosed: 'connections closed',
    tcpDrops: 'connections dropped',
    tcpConnectDrops: 'embryonic connections dropped',
    tcpListenOverflow: 'connections refused for a full backlog',
    tcpSegmentsTimed: 'segments timed for a round-trip estimate',
    tcpRttUpdated: 'round-trip estimates updated',
    tcpRexmitTimeout: 'retransmit timeouts',
    tcpTimeoutDrop: 'connections dropped by retransmit timeout',
    tcpPersistTimeout: 'persist timeouts',
    tcpPersistDrop: 'connections dropped by persist timeout',
    tcpKeepTimeout: 'keepalive timeouts',
    tcpKeepProbes: 'keepalive probes sent',
    tcpKeepDrops: 'connections dropped by keepalive',
    tcpChallengeAcks: 'challenge acks sent',
  },
  tunnel: {
    tunnelOut: 'packets encapsulated',
    tunnelIn: 'packets decapsulated',
    tunnelBad: 'dropped for bad or unknown headers',
    tunnelNone: 'for no tunnel of this host',
    tunnelLoops: 'dropped because their route leads through the tunnel itself',
    tunnelIcmpErrors: 'ICMP errors about outer packets',
  },
  arp: {
    arpOutRequests: 'requests sent',
    arpOutReplies: 'replies sent',
    arpInTotal: 'packets received',
    arpInRequests: 'request packets',
    arpInReplies: 'reply packets',
    arpBad: 'malformed packets',
    arpDuplicate: 'packets with own address of another host',
    arpHeld: 'packets deferred pending ARP resolution',
    arpHoldSent: 'deferred packets sent',
    arpHoldDropped: 'deferred packets dropped',
    arpFailed: 'addresses that could not be resolved',
  },
} as const;

type Table = typeof TABLE;
/** Name of a counter. */
export type StatName = { [P in keyof Table]: keyof Table[P] & string }[keyof Table];

const names = Object.values(TABLE).flatMap((group) => Object.keys(group)) as StatName[];

/** Bytes that the counters take in a stack's record. */
export const STATISTICS_BYTES = names.length * 8;

/** Offset of each counter from the start of the counters, bytes. */
export const STAT = Object.fromEntries(names.map((name, index) => [name, index * 8])) as Record<
  StatName,
  number
>;

/** All counters at `place`, by protocol and text. */
export function readStatistics(place: number, protocol?: string): Record<string, Record<string, number>> {
  const result: Record<string, Record<string, number>> = {};
  for (const [group, texts] of Object.entries(TABLE)) {
    if (protocol !== undefined && group !== protocol) continue;
    const lines: Record<string, number> = {};
    for (const [name, text] of Object.entries(texts))
      lines[text] = f64[(place + STAT[name as StatName]) >>> 3]!;
    result[group] = lines;
  }
  return result;
}

const texts = Object.values(TABLE).flatMap((group) => Object.values<string>(group));

/** What a counter counts, as `netstat -s` has it. @param stat one of STAT. */
export function statisticText(stat: number): string {
  return texts[stat / 8] ?? '';
}
