/**
 * After a worker died: which stacks it was working on, the locks it may have held, the requests it had in hand. Called while no thread works.
 */
import { breakLock } from '../memory/lock.ts';
import { i32 } from '../memory/memory.ts';
import { breakBufferLocks } from '../memory/mbuf.ts';
import { breakSlabLocks } from '../memory/slab.ts';
import { breakGateLocks } from '../runtime/gate.ts';
import { breakQueueLocks, runQueue } from '../runtime/run-queue.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { deliverReplies } from '../runtime/messages/post.ts';
import { OP, requests } from '../runtime/messages/request.ts';
import { requeueAfterDeath, sources } from '../runtime/source.ts';
import { freeStaged, ifnets, ifnetStruct } from '../net/ifnet.ts';
import { breakBpfLocks } from '../net/bpf/descriptor.ts';
import { bridges } from '../net/bridge-record.ts';
import { breakLogLock } from '../net/log.ts';
import { finish } from '../net/parking.ts';
import { plugStruct, plugs } from '../net/plug.ts';
import { stackStruct, stacks } from '../net/stack.ts';
import { breakVlanLocks } from '../net/vlan-table.ts';

/** Frees what a dead thread held, queues the source it was servicing again, and returns the stacks whose context it had: their state is not to be trusted. */
export function recoverFrom(thread: number): number[] {
  const faulted: number[] = [];
  stacks.each((stack) => {
    breakLock(stack.ptr + stackStruct.offsets.input, thread);
    breakLock(stack.ptr + stackStruct.offsets.requests, thread);
    if (Atomics.compareExchange(i32, stack.ptr >>> 2, thread + 1, 0) === thread + 1) faulted.push(stack.ptr);
  });
  ifnets.each((ifp) => {
    breakLock(ifp.ptr + ifnetStruct.offsets.send, thread);
    breakLock(ifp.ptr + ifnetStruct.offsets.txLock, thread);
  });
  plugs.each((plug) => {
    breakLock(plug.ptr + plugStruct.offsets.out, thread);
    breakLock(plug.ptr + plugStruct.offsets.in, thread);
  });
  breakLogLock(thread);
  breakVlanLocks(thread);
  breakBpfLocks(thread);
  bridges.each((bridge) => void breakLock(bridge.ptr, thread));
  breakBufferLocks(thread);
  breakSlabLocks(thread);
  breakQueueLocks(thread);
  freeStaged(thread);
  breakGateLocks(thread);
  const { current, within } = runQueue(thread);
  if (within !== 0) requeueAfterDeath(within);
  if (current !== 0) {
    const stack = sources.get(current).stack;
    if (stack !== 0 && !faulted.includes(stack)) faulted.push(stack);
    requeueAfterDeath(current);
  }
  return faulted;
}

/** Answers ENXIO to the requests of a stack that was destroyed which a dead thread had in hand: they are in no queue. */
export function failLostRequests(stack: number): void {
  // Those that have their answer are out of the way then.
  deliverReplies();
  requests.each((request) => {
    if (request.stack !== stack) return;
    // What the thread did with the data is not known: it may belong to somebody else by now.
    request.chain = 0;
    request.chainLen = 0;
    if (request.op === OP.unblock) requests.free(request.ptr);
    else finish(request, ERRNO.ENXIO, 0);
  });
  deliverReplies();
}
