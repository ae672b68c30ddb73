/**
 * altq of pf.conf (pf.conf(5), "QUEUEING"): the queues that a rule set declares are put on their interfaces while PF filters, and their counters are told.
 */
import { findInterface } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import { altqCounters, altqLength, attachAltq, detachAltq } from '../../net/altq/altq.ts';
import type { QueueSpec } from '../../net/altq/altq.ts';
import { SCHEDULER } from '../../net/altq/record.ts';
import { stacks } from '../../net/stack.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { DEFAULT_QUEUE_LIMIT, DEFAULT_QUEUE_PRIORITY } from '../../filter/pf/queues.ts';
import type { PfQueueInfo } from '../../filter/pf/ioctl.ts';
import type { PfAltq, PfQueue } from '../../filter/pf/ruleset.ts';
import { nameNumbers } from './names.ts';
import type { Pf } from './records.ts';
import { loadedAltq } from './transaction.ts';

/** What an interface can do that does not say so: that of the lab's cards. */
const INTERFACE_BITS = 1e9;

function bitsOf({ bandwidth }: PfAltq): number {
  if (bandwidth === undefined) return INTERFACE_BITS;
  return 'bits' in bandwidth ? bandwidth.bits : bandwidth.share * INTERFACE_BITS;
}

function specOf(queue: PfQueue, number: (name: string) => number): QueueSpec {
  const { resolved, flags } = queue;
  return {
    number: number(queue.name),
    parent: queue.parent === undefined ? 0 : number(queue.parent),
    leaf: queue.children.length === 0,
    isDefault: flags.includes('default'),
    priority: queue.priority ?? DEFAULT_QUEUE_PRIORITY,
    limit: queue.qlimit ?? DEFAULT_QUEUE_LIMIT,
    bits: resolved?.bits ?? INTERFACE_BITS,
    borrows: flags.includes('borrow'),
    red: flags.includes('red') || flags.includes('rio'),
    ecn: flags.includes('ecn'),
    realtime: queue.realtime === undefined ? undefined : resolved?.realtime,
    link: resolved?.linkshare,
    upper: queue.upperlimit === undefined ? undefined : resolved?.upperlimit,
  };
}

/** Queues of an interface, each behind the one that it is below. */
function inOrder(queues: readonly PfQueue[]): PfQueue[] {
  const ordered: PfQueue[] = [];
  const add = (parent: string | undefined): void => {
    for (const queue of queues) {
      if (queue.parent !== parent) continue;
      ordered.push(queue);
      add(queue.name);
    }
  };
  add(undefined);
  return ordered;
}

function interfacesOf(pf: Pf, visit: (altq: PfAltq, ifp: Ifnet, queues: readonly PfQueue[]) => void): void {
  const { altqs, queues } = loadedAltq(pf);
  for (const altq of altqs) {
    const ifp = findInterface(stacks.get(pf.stack), altq.interface);
    if (ifp !== undefined)
      visit(
        altq,
        ifp,
        queues.filter((queue) => queue.interface === altq.interface),
      );
  }
}

/** Puts the queues that are loaded on their interfaces. Throws ENOBUFS. */
export function applyQueues(pf: Pf): void {
  removeQueues(pf);
  const { queue: number } = nameNumbers(pf);
  interfacesOf(pf, (altq, ifp, queues) => {
    const spec = {
      scheduler: SCHEDULER[altq.scheduler],
      bits: bitsOf(altq),
      depth: altq.tbrsize,
      queues: inOrder(queues).map((queue) => specOf(queue, number)),
    };
    if (attachAltq(ifp, spec) !== 0)
      throw new SystemError(ERRNO.ENOBUFS, `no room for the queues of ${altq.interface}`);
  });
}

/** Takes all queues away. */
export function removeQueues(pf: Pf): void {
  const stack = stacks.get(pf.stack);
  const { altqs } = loadedAltq(pf);
  for (const altq of altqs) {
    const ifp = findInterface(stack, altq.interface);
    if (ifp !== undefined) detachAltq(ifp);
  }
}

/** The queues with their counters. */
export function listQueues(pf: Pf): PfQueueInfo[] {
  const { queue: number } = nameNumbers(pf);
  return loadedAltq(pf).queues.map((queue) => {
    const ifp = findInterface(stacks.get(pf.stack), queue.interface);
    const cl = ifp === undefined ? undefined : altqCounters(ifp).get(number(queue.name));
    return {
      queue,
      packets: cl?.packets ?? 0,
      bytes: cl?.bytes ?? 0,
      droppedPackets: cl?.droppedPackets ?? 0,
      droppedBytes: cl?.droppedBytes ?? 0,
      length: cl === undefined ? 0 : altqLength(cl),
      borrows: cl?.borrowed ?? 0,
      suspends: cl?.suspended ?? 0,
    };
  });
}
