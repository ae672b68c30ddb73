/**
 * The variables of a stack that sysctl(8) shows: declared once with name, default, range and meaning; values are words in the stack's record.
 * Names and defaults are those of NetBSD 4 where it has them.
 */
import { i32 } from '../memory/memory.ts';
import { BPF_ENGINE_WORDS } from './bpf/engine.ts';
import type { SysctlInfo } from '../runtime/messages/control.ts';

interface Variable {
  /** What its values are called, from 0 on, if they are no numbers. */
  readonly words?: readonly string[];
  readonly name: string;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly text: string;
}

const flag = (name: string, initial: 0 | 1, text: string): Variable => ({
  name,
  initial,
  min: 0,
  max: 1,
  text,
});
const number = (name: string, initial: number, min: number, max: number, text: string): Variable => ({
  name,
  initial,
  min,
  max,
  text,
});

/** One of some words; the first to begin with. */
const choice = (name: string, words: readonly string[], text: string): Variable => ({
  name,
  words,
  initial: 0,
  min: 0,
  max: words.length - 1,
  text,
});

const TABLE = {
  ipForwarding: flag('net.inet.ip.forwarding', 0, 'forward IPv4 packets between interfaces'),
  ipRedirect: flag('net.inet.ip.redirect', 1, 'send ICMP redirects when forwarding'),
  ipTtl: number('net.inet.ip.ttl', 64, 1, 255, 'time to live of packets that are sent'),
  ipGifTtl: number('net.inet.ip.gifttl', 30, 1, 255, 'time to live of the outer packets of gif tunnels'),
  ipGreTtl: number('net.inet.ip.grettl', 30, 1, 255, 'time to live of the outer packets of gre tunnels'),
  ipMaxFlows: number('net.inet.ip.maxflows', 256, 0, 32_768, 'most flows that are fast-forwarded, 0: none'),
  ipHashSize: number('net.inet.ip.hashsize', 64, 1, 1024, 'buckets of the table of flows, a power of two'),
  ipDirectedBroadcast: flag('net.inet.ip.directed-broadcast', 0, 'forward directed broadcasts'),
  ipMaxFragPackets: number('net.inet.ip.maxfragpackets', 200, 0, 4096, 'most packets under reassembly'),
  ipInputQueueLength: number(
    'net.inet.ip.ifq.maxlen',
    8192,
    1,
    65_536,
    'length of the queue of packets for the upper layers, packets',
  ),
  ipAnonPortMin: number('net.inet.ip.anonportmin', 49152, 1024, 65535, 'lowest ephemeral port'),
  ipAnonPortMax: number('net.inet.ip.anonportmax', 65535, 1024, 65535, 'highest ephemeral port'),
  icmpBroadcastEcho: flag('net.inet.icmp.bmcastecho', 0, 'answer echo requests to broadcast addresses'),
  icmpErrorLimit: number(
    'net.inet.icmp.errppslimit',
    100,
    0,
    1_000_000,
    'most ICMP errors per second, 0: none',
  ),
  udpChecksum: flag('net.inet.udp.checksum', 1, 'compute UDP checksums'),
  udpSendSpace: number('net.inet.udp.sendspace', 9216, 512, 1_048_576, 'default size of send buffers, bytes'),
  udpRecvSpace: number(
    'net.inet.udp.recvspace',
    41600,
    512,
    1_048_576,
    'default size of receive buffers, bytes',
  ),
  tcpSendSpace: number(
    'net.inet.tcp.sendspace',
    262_144,
    2048,
    1_048_576,
    'default size of send buffers, bytes',
  ),
  tcpRecvSpace: number(
    'net.inet.tcp.recvspace',
    262_144,
    2048,
    1_048_576,
    'default size of receive buffers, bytes',
  ),
  tcpWindowScale: flag('net.inet.tcp.win_scale', 1, 'offer window scaling (RFC 7323)'),
  tcpTimestamps: flag('net.inet.tcp.timestamps', 1, 'offer timestamps (RFC 7323)'),
  tcpDelayedAck: number('net.inet.tcp.delack_ms', 200, 0, 500, 'delay of acknowledgements, ms; 0: none'),
  tcpMslMs: number('net.inet.tcp.msl_ms', 30_000, 10, 120_000, 'maximum segment lifetime, ms'),
  tcpMinRtoMs: number('net.inet.tcp.min_rto_ms', 200, 10, 60_000, 'least retransmission time-out, ms'),
  tcpMssDefault: number('net.inet.tcp.mssdflt', 536, 32, 65495, 'segment size if the peer names none, bytes'),
  tcpInitialWindow: number(
    'net.inet.tcp.init_win',
    10,
    1,
    100,
    'initial congestion window, segments (RFC 6928)',
  ),
  tcpKeepIdle: number('net.inet.tcp.keepidle', 7200, 1, 86_400, 'idle time before keepalive probes, s'),
  tcpKeepInterval: number('net.inet.tcp.keepintvl', 75, 1, 86_400, 'time between keepalive probes, s'),
  tcpKeepCount: number(
    'net.inet.tcp.keepcnt',
    8,
    1,
    100,
    'keepalive probes before the connection is dropped',
  ),
  tcpKeepInit: number('net.inet.tcp.keepinit', 75, 1, 3600, 'time-out for establishing a connection, s'),
  arpKeep: number('net.inet.arp.keep', 1200, 1, 86_400, 'life of resolved addresses, s'),
  arpDown: number('net.inet.arp.down', 20, 1, 3600, 'time for which an unresolved address counts as down, s'),
  bpfBufferSize: number(
    'net.bpf.bufsize',
    32_768,
    32,
    16_777_216,
    'default size of the buffers of /dev/bpf, bytes',
  ),
  bpfMaxBufferSize: number(
    'net.bpf.maxbufsize',
    1_048_576,
    32,
    16_777_216,
    'largest size of the buffers of /dev/bpf, bytes',
  ),
  bpfEngine: choice(
    'net.bpf.engine',
    BPF_ENGINE_WORDS,
    'what runs filter programs; auto is the fastest that may run here',
  ),
  ifQueueLength: number('net.interfaces.ifqmaxlen', 512, 1, 4096, 'length of interface send queues, packets'),
} as const satisfies Record<string, Variable>;

export type SysctlName = keyof typeof TABLE;
const keys = Object.keys(TABLE) as SysctlName[];

export const SYSCTL_BYTES = (keys.length * 4 + 7) & ~7;

/** Offset of each variable from the start of the variables, bytes. */
export const SYSCTL = Object.fromEntries(keys.map((key, index) => [key, index * 4])) as Record<
  SysctlName,
  number
>;

export function initSysctl(place: number): void {
  for (const key of keys) i32[(place + SYSCTL[key]) >>> 2] = TABLE[key].initial;
}

/** A value as it is shown. */
function shown({ words }: Variable, value: number): number | string {
  return words === undefined ? value : words[value]!;
}

function info(place: number, key: SysctlName): SysctlInfo {
  const { name, text } = TABLE[key];
  const value = shown(TABLE[key], i32[(place + SYSCTL[key]) >>> 2]!);
  return { name, value, description: text, writable: true };
}

/** The value that a text stands for; undefined if there is none of that name or size. */
function valueIn({ words, min, max }: Variable, text: string): number | undefined {
  const value = words === undefined ? Number(text) : words.indexOf(text.trim());
  return text.trim() === '' || !Number.isInteger(value) || value < min || value > max ? undefined : value;
}

export function listSysctl(place: number): SysctlInfo[] {
  return keys.map((key) => info(place, key)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function find(name: string): SysctlName | undefined {
  return keys.find((key) => TABLE[key].name === name);
}

export function getSysctl(place: number, name: string): SysctlInfo | undefined {
  const key = find(name);
  return key === undefined ? undefined : info(place, key);
}

/** Sets a variable from text; returns its old value, or a text that says what is wrong. */
export function setSysctl(
  place: number,
  name: string,
  text: string,
): { old: number | string; value: number | string } | string {
  const key = find(name);
  if (key === undefined) return `${name}: no such variable`;
  const variable: Variable = TABLE[key];
  const { min, max, words } = variable;
  const value = valueIn(variable, text);
  if (value === undefined) {
    const wanted =
      words === undefined ? `a whole number from ${min} to ${max}` : `one of ${words.join(', ')}`;
    return `${name}: ${text} is not ${wanted}`;
  }
  if (key === 'ipHashSize' && (value & (value - 1)) !== 0) return `${name}: ${text} is not a power of two`;
  const word = (place + SYSCTL[key]) >>> 2;
  const old = i32[word]!;
  i32[word] = value;
  return { old: shown(variable, old), value: shown(variable, value) };
}
