/**
 * The anatomy of a lab as tables of text, in the manner of top(1).
 */
import type { SlabReport } from '../../stack/memory/slab.ts';
import { textTable } from '../../stack/utilities/text-table.ts';
import type { Column } from '../../stack/utilities/text-table.ts';
import type { InterfaceAnatomy, StackAnatomy, ThreadAnatomy } from '../lab/anatomy.ts';
import type { AnatomyRates } from '../lab/anatomy-rates.ts';

const left = (heading: string, width: number): Column => ({ heading, width });
const right = (heading: string, width: number): Column => ({ heading, width, right: true });

const THREADS = [
  right('THREAD', 6),
  left('ROLE', 8),
  left('SERVES', 12),
  left('HOLDS', 10),
  right('QUEUE', 5),
  right('BUSY', 5),
  right('HW/s', 8),
  right('STACK/s', 8),
  right('OTHER/s', 8),
  right('STEALS/s', 8),
  right('SLEEPS/s', 8),
];
const STACKS = [
  left('STACK', 10),
  right('CONTEXT', 7),
  left('WHY', 14),
  left('TAKEN BY', 16),
  right('INPUT', 6),
  right('REQUESTS', 8),
  right('IN/s', 9),
  right('OUT/s', 9),
];
const INTERFACES = [
  left('INTERFACE', 10),
  right('SENDQ', 6),
  right('RECVQ', 6),
  right('EVENTS/s', 8),
  right('IN/s', 9),
  right('OUT/s', 9),
  right('MBIT/s IN', 9),
  right('MBIT/s OUT', 10),
  right('DROPS/s', 7),
];
const POOLS = [
  left('POOL', 16),
  right('SIZE', 6),
  right('IN USE', 8),
  right('PEAK', 8),
  right('CAPACITY', 8),
  right('FAILED', 6),
];

/** A rate: whole, or with one digit behind the point while it is small. */
function rateText(rate: number): string {
  return rate !== 0 && rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}

function threadRow(one: ThreadAnatomy): string[] {
  const { events } = one;
  return [
    String(one.thread),
    one.role,
    one.serves ?? '-',
    one.holds.join(' ') || '-',
    String(one.queued),
    `${Math.round(one.busy * 100)}%`,
    ...[events.hardware, events.stack, events.other, one.steals, one.sleeps].map(rateText),
  ];
}

/** `1: 1200, 2: 30`: the threads that took a context, and how often. */
function takenText(taken: readonly number[], threads: readonly ThreadAnatomy[]): string {
  const parts = taken.flatMap((times, i) => (times === 0 ? [] : [`${threads[i]!.thread}: ${times}`]));
  return parts.join(', ') || '-';
}

function stackRow(one: StackAnatomy, threads: readonly ThreadAnatomy[]): string[] {
  const { holder, why, taken } = one.context;
  return [
    one.name,
    holder === null ? 'free' : String(holder),
    why ?? '-',
    takenText(taken, threads),
    String(one.inputQueue),
    String(one.requestQueue),
    rateText(one.packetsIn),
    rateText(one.packetsOut),
  ];
}

function interfaceRow(one: InterfaceAnatomy): string[] {
  return [
    `${one.name}${one.up ? '' : '*'}`,
    String(one.sendQueue),
    one.receiveQueue === null ? '-' : String(one.receiveQueue),
    ...[one.services, one.packetsIn, one.packetsOut].map(rateText),
    ...[one.bytesIn, one.bytesOut].map((bytes) => rateText((bytes * 8) / 1e6)),
    rateText(one.drops),
  ];
}

function poolRow({ name, recordBytes, inUse, highWater, capacity, failures }: SlabReport): string[] {
  return [name, ...[recordBytes, inUse, highWater, capacity, failures].map(String)];
}

/** More lines than this fit on no screen: the busiest come first then. */
const MANY = 24;

interface Busy {
  readonly packetsIn: number;
  readonly packetsOut: number;
}

/** The order of the lab file, as long as all can be seen. */
function inOrder<T extends Busy>(list: readonly T[]): readonly T[] {
  if (list.length <= MANY) return list;
  const packets = (one: T): number => one.packetsIn + one.packetsOut;
  return [...list].sort((a, b) => packets(b) - packets(a));
}

/** All but the loopback interfaces, which every stack has, while nothing passes through them. */
function isShown({ receiveQueue, packetsIn, packetsOut }: InterfaceAnatomy): boolean {
  return receiveQueue !== null || packetsIn + packetsOut > 0;
}

/** The whole picture, line by line. A star marks an interface that is down. */
export function anatomyLines(lab: string, clock: 'real' | 'virtual', rates: AnatomyRates): string[] {
  const { threads, stacks, pools } = rates;
  const interfaces = inOrder(stacks.flatMap((one) => one.interfaces)).filter(isShown);
  const tables = [
    textTable(THREADS, threads.map(threadRow)),
    textTable(
      STACKS,
      inOrder(stacks).map((one) => stackRow(one, threads)),
    ),
    textTable(INTERFACES, interfaces.map(interfaceRow)),
    textTable(POOLS, pools.map(poolRow)),
  ];
  const head = `${lab}: ${rates.time.toFixed(3)} s of ${clock} time, rates over ${rates.interval.toFixed(3)} s`;
  return [head, '', ...tables.join('\n').trimEnd().split('\n')];
}
