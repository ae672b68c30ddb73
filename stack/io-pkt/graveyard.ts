/**
 * Interfaces that `ifconfig X destroy` took from their stack: another thread may still be looking at them, so thread 0 frees them while no thread works.
 */
import { region } from '../memory/memory.ts';
import { QUEUE_BYTES, dequeueAll, enqueue, queueAt } from '../memory/queue.ts';
import { ringBell } from '../runtime/messages/post.ts';
import { ifnets, ifUnlist } from '../net/ifnet.ts';
import type { Ifnet } from '../net/ifnet.ts';
import type { Stack } from '../net/stack.ts';

const graves = queueAt(region('graveyard', QUEUE_BYTES));

/** Takes an interface that is down and has no addresses from its stack, to be freed later. */
export function buryInterface(stack: Stack, ifp: Ifnet): void {
  ifUnlist(stack, ifp);
  enqueue(graves, ifp.ptr);
  ringBell();
}

/** The interfaces that wait to be freed. */
export function takeBuried(): Ifnet[] {
  const list: Ifnet[] = [];
  for (let ptr = dequeueAll(graves); ptr !== 0;) {
    const ifp = ifnets.get(ptr);
    ptr = ifp.nextpkt;
    list.push(ifp);
  }
  return list;
}

/** True while interfaces wait to be freed. */
export function hasBuried(): boolean {
  return graves.len !== 0;
}
