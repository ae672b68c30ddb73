/**
 * What happened in a lab between two looks at its anatomy: counters become rates per second of the lab's clock, levels stay those of the second look.
 */
import type {
  Anatomy,
  ContextAnatomy,
  EventCounts,
  InterfaceAnatomy,
  StackAnatomy,
  ThreadAnatomy,
} from './anatomy.ts';

/** As Anatomy, but all counters are per second; `busy` is the share of the time, 0 to 1. `context.taken` counts those of the interval. */
export interface AnatomyRates extends Anatomy {
  /** Between the two looks, s. */
  readonly interval: number;
}

/** What the second look shows less what the first one does; a stack that was started again begins at 0. */
function increase(before: number | undefined, after: number): number {
  return before === undefined || after < before ? after : after - before;
}

type Rate = (before: number | undefined, after: number) => number;

function eventRates(before: EventCounts | undefined, after: EventCounts, rate: Rate): EventCounts {
  return {
    hardware: rate(before?.hardware, after.hardware),
    stack: rate(before?.stack, after.stack),
    other: rate(before?.other, after.other),
  };
}

function threadRates(before: ThreadAnatomy | undefined, after: ThreadAnatomy, rate: Rate): ThreadAnatomy {
  return {
    ...after,
    busy: Math.min(1, rate(before?.busy, after.busy)),
    events: eventRates(before?.events, after.events, rate),
    steals: rate(before?.steals, after.steals),
    sleeps: rate(before?.sleeps, after.sleeps),
  };
}

function contextIncrease(before: ContextAnatomy | undefined, after: ContextAnatomy): ContextAnatomy {
  return { ...after, taken: after.taken.map((count, i) => increase(before?.taken[i], count)) };
}

function interfaceRates(
  before: InterfaceAnatomy | undefined,
  after: InterfaceAnatomy,
  rate: Rate,
): InterfaceAnatomy {
  return {
    ...after,
    packetsIn: rate(before?.packetsIn, after.packetsIn),
    packetsOut: rate(before?.packetsOut, after.packetsOut),
    bytesIn: rate(before?.bytesIn, after.bytesIn),
    bytesOut: rate(before?.bytesOut, after.bytesOut),
    drops: rate(before?.drops, after.drops),
    services: rate(before?.services, after.services),
  };
}

function stackRates(before: StackAnatomy | undefined, after: StackAnatomy, rate: Rate): StackAnatomy {
  const interfaces = new Map(before?.interfaces.map((one) => [one.name, one]));
  return {
    ...after,
    context: contextIncrease(before?.context, after.context),
    packetsIn: rate(before?.packetsIn, after.packetsIn),
    packetsOut: rate(before?.packetsOut, after.packetsOut),
    interfaces: after.interfaces.map((one) => interfaceRates(interfaces.get(one.name), one, rate)),
  };
}

/** The rates between two looks at the same lab, of which `before` is the earlier one. */
export function anatomyRates(before: Anatomy, after: Anatomy): AnatomyRates {
  const interval = after.time - before.time;
  const rate: Rate = (from, to) => (interval > 0 ? increase(from, to) / interval : 0);
  const threads = new Map(before.threads.map((one) => [one.thread, one]));
  const stacks = new Map(before.stacks.map((one) => [one.name, one]));
  return {
    time: after.time,
    interval,
    threads: after.threads.map((one) => threadRates(threads.get(one.thread), one, rate)),
    stacks: after.stacks.map((one) => stackRates(stacks.get(one.name), one, rate)),
    pools: after.pools,
  };
}
