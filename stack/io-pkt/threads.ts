/**
 * Which threads may work on a stack, and at which priorities (io-pkt, "Threading model" and "Threading priorities"): -t, -D, receive priorities of interfaces, drivers
 * that are not safe for more than one thread. All of it is decided while no thread works, and the sources carry what was decided.
 */
import { gates, setFirstWaitListener } from '../runtime/gate.ts';
import { SLOG } from '../runtime/messages/severity.ts';
import { openGate, sources } from '../runtime/source.ts';
import { driverFile, driverOf, ifnets, interfaceName } from '../net/ifnet.ts';
import type { Ifnet } from '../net/ifnet.ts';
import { logStack } from '../net/log.ts';
import type { Stack } from '../net/stack.ts';

function interfacesOf(stack: Stack): Ifnet[] {
  const list: Ifnet[] = [];
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) list.push(ifnets.get(ptr));
  return list;
}

/** How many threads may work on a stack at once, of a pool of `threads`. */
export function threadsFor(stack: Stack, threads: number): number {
  if (stack.single !== 0) return 1;
  return stack.threadLimit === 0 ? threads : Math.min(stack.threadLimit, threads);
}

/**
 * Applies what the command line and the interfaces of a stack ask for to its sources; call it again when interfaces were added. No thread works meanwhile.
 * @param threads threads of the pool
 * @returns what the user is to know, for the system log
 */
export function settleThreads(stack: Stack, threads: number): string[] {
  return [...settleSingle(stack), ...settleGate(stack, threads), ...settlePriorities(stack, threads)];
}

/** One driver that is not safe for more makes all sources of the stack single-threaded. */
function settleSingle(stack: Stack): string[] {
  const single = interfacesOf(stack).find((ifp) => ifp.single !== 0);
  if (single === undefined || stack.single !== 0) return [];
  stack.single = 1;
  return [
    `${driverFile(driverOf(single))}.so (${interfaceName(single)}) is single-threaded: one thread at a time services this stack`,
  ];
}

function settleGate(stack: Stack, threads: number): string[] {
  const limit = threadsFor(stack, threads);
  if (limit >= threads && stack.gate === 0) return [];
  if (stack.gate === 0) stack.gate = newGate(stack);
  for (const ifp of interfacesOf(stack)) sources.get(ifp.source).gate = stack.gate;
  // The thread of -D is one more than those of -t.
  if (stack.dedicated === 0 || stack.single !== 0) sources.get(stack.source).gate = stack.gate;
  openGate(stack.gate, limit);
  return [];
}

/** There are as many gates as stacks, so that none is missing. */
function newGate(stack: Stack): number {
  const gate = gates.alloc();
  gates.get(gate).stack = stack.ptr;
  return gate;
}

/** Has the system log told, once for each stack, that it needs more threads than it may have: what needs one waits until one is free. */
export function installThreads(): void {
  setFirstWaitListener(({ stack, limit }) => {
    const threads = limit === 1 ? '1 thread' : `${limit} threads`;
    logStack(
      stack,
      SLOG.warning,
      `out of threads: it may have ${threads}; what needs another waits until one is free`,
    );
  });
}

/** Receive priorities of interfaces count only if there are threads enough to keep them apart. */
function settlePriorities(stack: Stack, threads: number): string[] {
  const list = interfacesOf(stack);
  const own = list.filter(({ priority }) => priority !== 0);
  const enough = own.length <= threadsFor(stack, threads);
  for (const ifp of list) {
    sources.get(ifp.source).priority = enough && ifp.priority !== 0 ? ifp.priority : stack.receivePriority;
  }
  const before = stack.prioritiesVoid;
  stack.prioritiesVoid = enough ? 0 : 1;
  if (enough || before !== 0) return [];
  const names = own.map((ifp) => `${interfaceName(ifp)} (${ifp.priority})`).join(', ');
  return [
    `fewer threads (${threadsFor(stack, threads)}) than interfaces with a priority of their own: ${names}; all receive at ${stack.receivePriority}`,
  ];
}
