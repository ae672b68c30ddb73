/**
 * The record of an io-pkt instance in the one memory: its context, its queues, its timers and the heads of all its tables.
 * Whoever holds the context (runtime/context.ts) may touch everything here; others use the queues only.
 */
import { f64, i32, maxThreads, selfThread, u32 } from '../memory/memory.ts';
import { QUEUE_BYTES, queueAt } from '../memory/queue.ts';
import type { Queue } from '../memory/queue.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { stackHead } from '../runtime/messages/post.ts';
import { CALLOUT_BYTES, WHEEL_BYTES, wheelAt, wheelCancel, wheelSet } from '../runtime/wheel.ts';
import type { Wheel } from '../runtime/wheel.ts';
import { STATISTICS_BYTES } from './statistics.ts';
import { SYSCTL, SYSCTL_BYTES } from './sysctl.ts';

/** Buckets of a stack's hash tables. */
export const CONNECTED_BUCKETS = 256;
export const BOUND_BUCKETS = 64;
export const NEIGHBOUR_BUCKETS = 64;
export const ROUTE_BUCKETS = 64;
/** Most buckets of the table of flows; how many are used says net.inet.ip.hashsize. */
export const FLOW_BUCKETS = 1024;
/** Packet filter hooks (pfil.ts): lists of each of two families, hooks in a list, and the words that a list has. */
export const PFIL_LISTS = 4;
export const PFIL_ENTRIES = 7;
export const PFIL_LIST_WORDS = 1 + 2 * PFIL_ENTRIES;

export const stackStruct = struct('stack', {
  ...stackHead.fields,
  /** Packets for the upper layers, in order of arrival; aux is their EtherType. */
  input: { bytes: QUEUE_BYTES },
  wheel: { bytes: WHEEL_BYTES },
  /** State of this stack's random numbers. */
  random: 'u32',
  /** Run queue of its interfaces, and of its own source unless that has a thread of its own. */
  home: 'u32',
  /** N of `-iN`. */
  instance: 'u32',
  /** Which io-pkt it is: a VARIANT. */
  variant: 'u32',
  /** First interface (ifnet.ts), and the next number to give. */
  interfaces: 'ptr',
  nextIndex: 'u32',
  loopback: 'ptr',
  sockets: 'ptr',
  pollers: 'ptr',
  /** Sockets whose waiters are to be looked at when the batch is through (socket.ts). */
  dueFirst: 'ptr',
  dueLast: 'ptr',
  /** 1: something happened that a parked poll may wait for. */
  pollDue: 'u32',
  /** Identification of the next IPv4 packet, next ephemeral port. */
  ipId: 'u32',
  ephemeral: 'u32',
  /** ICMP errors sent in the second that began at `icmpSecond` ns. */
  icmpCount: 'u32',
  /** Datagrams under reassembly, and their fragments. */
  reassembling: 'u32',
  fragmentsWaiting: 'u32',
  icmpSecond: 'f64',
  /** Key of TCP's initial sequence numbers, 0 until the first is made; challenge ACKs sent in the second that began at `challengeSecond` ns. */
  isnKey: 'u32',
  challengeCount: 'u32',
  challengeSecond: 'f64',
  /** Prefix lengths that the routing table holds: bit n of `shortPrefixes` for /n below 32; hosts have a word of their own. */
  shortPrefixes: 'u32',
  hostRoutes: 'u32',
  /** Changes with every change of routes or addresses: what was looked up before is stale. */
  routeGeneration: 'u32',
  /** In which of 32 classes (ifnet.ts) there may be addresses of its interfaces: most that are not ours are told apart at once. */
  addressClasses: 'u32',
  fragments: 'ptr',
  routes: { bytes: ROUTE_BUCKETS * 4 },
  neighbours: { bytes: NEIGHBOUR_BUCKETS * 4 },
  tcpConnected: { bytes: CONNECTED_BUCKETS * 4 },
  tcpBound: { bytes: BOUND_BUCKETS * 4 },
  udpBound: { bytes: BOUND_BUCKETS * 4 },
  rawBound: 'ptr',
  /** Gate of its sources (runtime/gate.ts) if not all threads may work on them at once, 0 for none, and how many may then. */
  gate: 'ptr',
  threadLimit: 'u32',
  /** Priority of receive work unless an interface has its own (rx_prio of -ptcpip). */
  receivePriority: 'u8',
  /** 1: only its own source takes the context, in a thread of its own (-D). */
  dedicated: 'u8',
  /** 1: a driver of its interfaces is not safe for more than one thread, so that one at a time works on all sources. */
  single: 'u8',
  /** 1: there are fewer threads than interfaces with a priority of their own, so that none of these counts. */
  prioritiesVoid: 'u8',
  /** First tunnel (netinet/ip-tunnel.ts). */
  tunnels: 'ptr',
  /** Protocol modules (netinet/module-protocol.ts), and how many of them watch what comes in. */
  modules: 'ptr',
  watchers: 'u32',
  /** Why the context was taken last (REASON.*), and how often each thread has taken it. */
  contextReason: 'u32',
  contextTaken: { bytes: maxThreads * 8 },
  /** Fast forwarding (netinet/ip-flow.ts): flows in the table, records out of use, the table, its timer. Any thread looks at these. */
  flows: 'u32',
  spareFlows: 'ptr',
  flowTable: { bytes: FLOW_BUCKETS * 4 },
  flowTimer: { bytes: CALLOUT_BYTES },
  /** First open /dev/bpf (bpf/descriptor.ts), and 1 while layer 2 has left something for the reader of one. */
  bpfDescriptors: 'ptr',
  bpfDue: 'u32',
  /** Packet filter hooks that want to see every packet: no flow is used while there are any. */
  activeFilters: 'u32',
  pfil: { bytes: 2 * PFIL_LISTS * PFIL_LIST_WORDS * 4 },
  /** State of lsm-pf, 0 while it is not loaded. */
  pf: 'ptr',
  sysctl: { bytes: SYSCTL_BYTES },
  statistics: { bytes: STATISTICS_BYTES },
});
export type Stack = ViewOf<typeof stackStruct>;

/** The io-pkt binaries: v4 has neither bridging nor tunnels nor what else the hc (high capacity) variants add. */
export const VARIANT = { v4: 0, v4hc: 1, v6hc: 2 } as const;
export type Variant = (typeof VARIANT)[keyof typeof VARIANT];
export const stacks = slab(stackStruct, 2048);

const STATISTICS = stackStruct.offsets.statistics;
const SYSCTL_VALUES = stackStruct.offsets.sysctl;
const CONTEXT_REASON = stackStruct.offsets.contextReason;
const CONTEXT_TAKEN = stackStruct.offsets.contextTaken;
const INPUT = stackStruct.offsets.input;
const REQUESTS = stackStruct.offsets.requests;
const WHEEL = stackStruct.offsets.wheel;

/** Adds one to a counter (STAT.*). */
export function count(stack: number, stat: number): void {
  f64[(stack + STATISTICS + stat) >>> 3]!++;
}

/** Adds `n` to a counter (STAT.*). */
export function countBy(stack: number, stat: number, n: number): void {
  f64[(stack + STATISTICS + stat) >>> 3]! += n;
}

/** Notes that this thread has taken the context, and why (REASON.*). In the context. */
export function noteContext(stack: number, reason: number): void {
  u32[(stack + CONTEXT_REASON) >>> 2] = reason;
  f64[((stack + CONTEXT_TAKEN) >>> 3) + selfThread]!++;
}

/** How often a thread has taken the context of a stack. */
export function contextsTaken(stack: number, thread: number): number {
  return f64[((stack + CONTEXT_TAKEN) >>> 3) + thread]!;
}

/** The value of a variable (SYSCTL.*). */
export function sysctlValue(stack: number, variable: number): number {
  return i32[(stack + SYSCTL_VALUES + variable) >>> 2]!;
}

interface Parts {
  readonly input: Queue;
  readonly requests: Queue;
  readonly wheel: Wheel;
}
const parts: (Parts | undefined)[] = [];

/** The queues and the wheel of a stack; made once per thread. */
export function stackParts(stack: number): Parts {
  const index = stacks.indexOf(stack);
  const known = parts[index];
  if (known !== undefined) return known;
  const made = {
    input: queueAt(stack + INPUT),
    requests: queueAt(stack + REQUESTS),
    wheel: wheelAt(stack + WHEEL),
  };
  while (parts.length <= index) parts.push(undefined);
  parts[index] = made;
  return made;
}

/** Gives the input queue the length that sysctl says. */
export function limitInputQueue(stack: number): void {
  stackParts(stack).input.max = sysctlValue(stack, SYSCTL.ipInputQueueLength);
}

/** Sets a callout of a stack (runtime/wheel.ts): its handler (callouts.ts) is called at `deadline`, ns. */
export function setCallout(stack: number, callout: number, deadline: number): void {
  wheelSet(stackParts(stack).wheel, callout, deadline);
}

export function cancelCallout(stack: number, callout: number): void {
  wheelCancel(stackParts(stack).wheel, callout);
}
