/**
 * Interfaces that `ifconfig X destroy` took from their stack: another thread may still be looking at them, so thread 0 frees them while no thread works.
 */
import { region } from '../memory/memory.ts';
import { mFree, mbuf } from '../memory/mbuf.ts';
import { QUEUE_BYTES, dequeueAll, enqueue, nextRecord, queueAt } from '../memory/queue.ts';
import { ringBell } from '../runtime/messages/post.ts';
import { announceEvent, driverOf, ifFree, ifUnlist, ifnets } from '../net/ifnet.ts';
import type { Ifnet } from '../net/ifnet.ts';
import { freeBuriedDescriptors, hasBuriedDescriptors } from '../net/bpf/descriptor.ts';
import { stackParts, stacks } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { freeBuriedTaps, hasBuriedTaps } from '../net/tap.ts';
import { dropFragments } from '../netinet/ip-reassembly.ts';

const graves = queueAt(region('graveyard', QUEUE_BYTES));

/** Takes an interface that is down and has no addresses from its stack, to be freed later. */
export function buryInterface(stack: Stack, ifp: Ifnet): void {
  ifUnlist(stack, ifp);
  announceEvent(ifp, 'leaving');
  enqueue(graves, ifp.ptr);
  ringBell();
}

/** Frees the interfaces that wait for it, and the packets that came in by them. No thread works meanwhile. Says whether there were any. */
export function freeBuried(): boolean {
  freeBuriedTaps();
  freeBuriedDescriptors();
  let ptr = dequeueAll(graves);
  if (ptr === 0) return false;
  while (ptr !== 0) {
    const ifp = ifnets.get(ptr);
    ptr = ifp.nextpkt;
    forget(ifp);
    announceEvent(ifp, 'gone');
    driverOf(ifp).detach(ifp);
    ifFree(ifp);
  }
  return true;
}

/** Drops what names an interface: packets for the upper layers, and datagrams under reassembly. */
function forget(ifp: Ifnet): void {
  const { input } = stackParts(ifp.stack);
  let m = dequeueAll(input);
  while (m !== 0) {
    const next = nextRecord(m);
    if (mbuf(m).rcvif === ifp.ptr) mFree(m);
    else enqueue(input, m);
    m = next;
  }
  dropFragments(stacks.get(ifp.stack));
}

/** True while interfaces wait to be freed. */
export function hasBuried(): boolean {
  return graves.len !== 0 || hasBuriedTaps() || hasBuriedDescriptors();
}
