/**
 * The anatomy of a running lab: what its threads do, who holds the context of each stack, what waits where and how full the pools are, as plain objects. Thread 0
 * reads it all from the one memory without asking or holding anybody: levels are those of this moment, counters have run since the lab was started.
 */
import { mbufReports } from '../../stack/memory/mbuf.ts';
import { queueLength } from '../../stack/memory/queue.ts';
import { slabReports } from '../../stack/memory/slab.ts';
import type { SlabReport } from '../../stack/memory/slab.ts';
import { IFF } from '../../stack/runtime/messages/control.ts';
import { readClock } from '../../stack/runtime/clock.ts';
import { contextHolder } from '../../stack/runtime/context.ts';
import { roleOf } from '../../stack/runtime/role.ts';
import type { ThreadRole } from '../../stack/runtime/role.ts';
import { poolSize, runQueue } from '../../stack/runtime/run-queue.ts';
import { HANDLER, sources } from '../../stack/runtime/source.ts';
import { REASON } from '../../stack/runtime/trace.ts';
import { IFT_LOOP, driverOf, ifnets, interfaceName, sendQueue } from '../../stack/net/ifnet.ts';
import type { Ifnet } from '../../stack/net/ifnet.ts';
import { contextsTaken, stackParts, stacks } from '../../stack/net/stack.ts';
import type { StackPort } from '../../stack/kernel/process.ts';
import type { RunningLab } from './lab.ts';
import { links } from './link-record.ts';

/** Sources serviced, by the kind of their event. */
export interface EventCounts {
  readonly hardware: number;
  readonly stack: number;
  readonly other: number;
}

export interface ThreadAnatomy {
  /** Workers count from 1; in virtual time thread 0 does everything. */
  readonly thread: number;
  readonly role: ThreadRole;
  /** The source it services: `alpha:en0`, `link:wire`, a stack; null between two. */
  readonly serves: string | null;
  /** Stacks whose context it holds. */
  readonly holds: readonly string[];
  /** Sources that wait in its run queue. */
  readonly queued: number;
  /** How long it has worked, s of real time; 0 in virtual time, which stands still meanwhile. */
  readonly busy: number;
  readonly events: EventCounts;
  /** Sources it took from the run queues of others, and how often it slept. */
  readonly steals: number;
  readonly sleeps: number;
}

export interface ContextAnatomy {
  /** Thread that holds it; null: nobody. */
  readonly holder: number | null;
  /** Why it was taken last; null: never yet. */
  readonly why: string | null;
  /** How often each thread has taken it, in the order of the threads. */
  readonly taken: readonly number[];
}

export interface InterfaceAnatomy {
  /** `alpha:en0`. */
  readonly name: string;
  readonly up: boolean;
  /** Packets that wait to be sent, and frames that the device holds for the stack; null where its driver cannot tell. */
  readonly sendQueue: number;
  readonly receiveQueue: number | null;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Packets lost in either direction for lack of room. */
  readonly drops: number;
  /** Services of its interrupt. */
  readonly services: number;
}

export interface StackAnatomy {
  /** The node, with the prefix of a stack that has one: `alpha`, `alpha/alt`. */
  readonly name: string;
  readonly variant: string;
  readonly context: ContextAnatomy;
  /** Packets that wait for the upper layers. */
  readonly inputQueue: number;
  /** Requests of clients that wait. */
  readonly requestQueue: number;
  /** Packets in and out by all its interfaces but loopback. */
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly interfaces: readonly InterfaceAnatomy[];
}

export interface Anatomy {
  /** s of the lab's clock. */
  readonly time: number;
  readonly threads: readonly ThreadAnatomy[];
  /** In the order of the lab file. */
  readonly stacks: readonly StackAnatomy[];
  /** Pools that have something in use or have refused something. */
  readonly pools: readonly SlabReport[];
}

const WHY: Readonly<Record<number, string>> = {
  [REASON.afterHardware]: 'after hardware',
  [REASON.stackEvent]: 'stack event',
  [REASON.recheck]: 'looked again',
  [REASON.control]: 'control',
};

/** What sources without a name of their own are called. */
const HANDLER_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(HANDLER).map(([name, id]) => [id, name]),
);

interface NamedStack {
  readonly name: string;
  readonly port: StackPort;
}

/** A worker may change a list of interfaces while it is read: no list is followed further than this. */
const MOST_INTERFACES = 4096;

function namedStacks(lab: RunningLab): NamedStack[] {
  return [...lab.nodes].flatMap(([node, { stacks: ports }]) =>
    [...ports.values()].map((port) => ({ name: `${node}${port.prefix}`, port })),
  );
}

function interfacesOf(stack: number): Ifnet[] {
  const list: Ifnet[] = [];
  for (let ptr = stacks.get(stack).interfaces; ptr !== 0 && list.length < MOST_INTERFACES;) {
    const ifp = ifnets.get(ptr);
    list.push(ifp);
    ptr = ifp.next;
  }
  return list;
}

/** The name of a source that a thread services now. It may be gone by the time it is read: then it has the name of its kind. */
function sourceName(lab: RunningLab, ptr: number, named: readonly NamedStack[]): string {
  const { handler, arg, stack } = sources.get(ptr);
  const owner = named.find(({ port }) => port.address === stack)?.name;
  if (handler === HANDLER.stack && owner !== undefined) return owner;
  if (handler === HANDLER.interface && owner !== undefined)
    return `${owner}:${interfaceName(ifnets.get(arg))}`;
  for (const link of lab.links.values()) if (links.get(link.ptr).source === ptr) return `link:${link.name}`;
  return HANDLER_NAMES[handler] ?? 'other';
}

/** Names the sources of a running lab: `alpha:en0`, `alpha` (its stack), `link:wire`. */
export function sourceNames(lab: RunningLab): (source: number) => string {
  const named = namedStacks(lab);
  return (source) => sourceName(lab, source, named);
}

function readThread(lab: RunningLab, thread: number, named: readonly NamedStack[]): ThreadAnatomy {
  const queue = runQueue(thread);
  const { current } = queue;
  const holds = named.filter(({ port }) => contextHolder(port.address) === thread).map(({ name }) => name);
  return {
    thread,
    role: roleOf(thread, holds.length > 0),
    serves: current === 0 ? null : sourceName(lab, current, named),
    holds,
    queued: queue.count,
    busy: queue.busy / 1e9,
    events: { hardware: queue.hardware, stack: queue.stack, other: queue.other },
    steals: queue.stolen,
    sleeps: queue.slept,
  };
}

function readInterface(stackName: string, ifp: Ifnet): InterfaceAnatomy {
  const queue = sendQueue(ifp);
  return {
    name: `${stackName}:${interfaceName(ifp)}`,
    up: (ifp.flags & IFF.UP) !== 0,
    sendQueue: queueLength(queue),
    receiveQueue: driverOf(ifp).backlog?.(ifp) ?? null,
    packetsIn: ifp.ipackets,
    packetsOut: ifp.opackets,
    bytesIn: ifp.ibytes,
    bytesOut: ifp.obytes,
    drops: queue.drops + ifp.iqdrops,
    services: sources.get(ifp.source).serviced,
  };
}

function readStack({ name, port }: NamedStack, threads: readonly number[]): StackAnatomy {
  const stack = stacks.get(port.address);
  const { input, requests } = stackParts(port.address);
  const holder = contextHolder(port.address);
  const list = interfacesOf(port.address);
  const cards = list.filter(({ type }) => type !== IFT_LOOP);
  return {
    name,
    variant: port.variant,
    context: {
      holder: holder < 0 ? null : holder,
      why: WHY[stack.contextReason] ?? null,
      taken: threads.map((thread) => contextsTaken(port.address, thread)),
    },
    inputQueue: queueLength(input),
    requestQueue: queueLength(requests),
    packetsIn: cards.reduce((sum, { ipackets }) => sum + ipackets, 0),
    packetsOut: cards.reduce((sum, { opackets }) => sum + opackets, 0),
    interfaces: list.map((ifp) => readInterface(name, ifp)),
  };
}

/** Looks at a running lab, in thread 0. Threads go on meanwhile, so that two figures need not be of the same instant. */
export function readAnatomy(lab: RunningLab): Anatomy {
  const named = namedStacks(lab);
  const workers = poolSize();
  const threads = workers === 0 ? [0] : Array.from({ length: workers }, (_, i) => i + 1);
  return {
    time: readClock() / 1e9,
    threads: threads.map((thread) => readThread(lab, thread, named)),
    stacks: named.map((one) => readStack(one, threads)),
    pools: [...mbufReports(), ...slabReports()].filter(({ inUse, failures }) => inUse + failures > 0),
  };
}
