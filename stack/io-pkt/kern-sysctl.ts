/**
 * The variables below kern.iopkt that sysctl(8) shows: what a stack says of its threads, its context, its queues and the buffers of all. They cannot be set.
 */
import { mbufReports } from '../memory/mbuf.ts';
import { queueLength } from '../memory/queue.ts';
import { contextHolder } from '../runtime/context.ts';
import type { SysctlInfo } from '../runtime/messages/control.ts';
import { poolSize, runQueue } from '../runtime/run-queue.ts';
import type { RunQueue } from '../runtime/run-queue.ts';
import { contextsTaken, stackParts } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';

/** The threads that serve a lab: the workers, or thread 0 where there are none. */
export function servingThreads(): number[] {
  const workers = poolSize();
  return workers === 0 ? [0] : Array.from({ length: workers }, (_, i) => i + 1);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function serviced(count: (queue: RunQueue) => number): number {
  return sum(servingThreads().map((thread) => count(runQueue(thread))));
}

/** Name below kern.iopkt, meaning, value. */
type Variable = readonly [name: string, text: string, read: (stack: Stack) => number];

const [MBUFS, CLUSTERS] = [0, 1];
const TABLE: readonly Variable[] = [
  ['threads', 'threads that serve all stacks', () => servingThreads().length],
  [
    'threadlimit',
    'threads that may work on this stack at once, 0: all (-t)',
    ({ threadLimit }) => threadLimit,
  ],
  [
    'context.holder',
    'thread that holds the stack context: the one that answers this',
    ({ ptr }) => contextHolder(ptr),
  ],
  [
    'context.taken',
    'how often threads have taken the context',
    ({ ptr }) => sum(servingThreads().map((thread) => contextsTaken(ptr, thread))),
  ],
  ['queue.input', 'packets that wait for the upper layers', ({ ptr }) => queueLength(stackParts(ptr).input)],
  ['queue.inputdrops', 'packets that it had no room for', ({ ptr }) => stackParts(ptr).input.drops],
  ['queue.requests', 'messages of clients that wait', ({ ptr }) => queueLength(stackParts(ptr).requests)],
  ['events.hardware', 'services of interfaces by all threads', () => serviced(({ hardware }) => hardware)],
  ['events.stack', 'services of stacks by all threads', () => serviced(({ stack }) => stack)],
  ['events.other', 'services of links and switches by all threads', () => serviced(({ other }) => other)],
  ['mbufs.inuse', 'mbufs in use in the whole lab', () => mbufReports()[MBUFS]!.inUse],
  ['mbufs.peak', 'most mbufs that ever were in use', () => mbufReports()[MBUFS]!.highWater],
  ['clusters.inuse', 'clusters in use in the whole lab', () => mbufReports()[CLUSTERS]!.inUse],
  ['clusters.peak', 'most clusters that ever were in use', () => mbufReports()[CLUSTERS]!.highWater],
];

function info([name, description, read]: Variable, stack: Stack): SysctlInfo {
  return { name: `kern.iopkt.${name}`, value: read(stack), description, writable: false };
}

export function kernVariables(stack: Stack): SysctlInfo[] {
  return TABLE.map((variable) => info(variable, stack)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The variable of this name; undefined if there is none. */
export function kernVariable(stack: Stack, name: string): SysctlInfo | undefined {
  const variable = TABLE.find(([key]) => `kern.iopkt.${key}` === name);
  return variable && info(variable, stack);
}
