/**
 * Packet filter hooks (pfil(9); io-pkt, "pfil hooks"). A filter puts a hook on the head of an address family for packets in, packets out, changes of addresses, or
 * interfaces that come and go. Hooks for packets in stand at the front of their list, those for packets out at the end: the path out mirrors the path in.
 *
 * Which hooks a stack has is in its record; what a hook does is known to every thread by its number. All hooks run in the stack context. While a stack has hooks for packets
 * nothing is fast-forwarded on it.
 */
import { u32 } from '../memory/memory.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { onComing } from './ifnet.ts';
import type { Ifnet } from './ifnet.ts';
import { PFIL_ENTRIES, PFIL_LISTS, PFIL_LIST_WORDS, stackStruct, stacks } from './stack.ts';
import type { Stack } from './stack.ts';

/** Which family a head is for. */
export const PFIL_HEAD = { inet: 0, inet6: 1 } as const;
export type PfilHead = (typeof PFIL_HEAD)[keyof typeof PFIL_HEAD];

/** What a hook wants to see, or'ed together. */
export const PFIL_IN = 1;
export const PFIL_OUT = 2;
export const PFIL_IFADDR = 4;
export const PFIL_IFNET = 8;
const KINDS = [PFIL_IN, PFIL_OUT, PFIL_IFADDR, PFIL_IFNET];

/** Numbers of hooks: the same in every thread. */
export const PFIL_HOOK = { pf: 1, module: 2 } as const;

/** What happened to an address or an interface. */
export type PfilEvent = 'address added' | 'address removed' | 'attached' | 'detached';

export interface PfilHook {
  /**
   * Looks at a packet that begins with its IP header, which is contiguous and checked; `arg` is what the hook was added with. Returns the packet (perhaps in other buffers, its
   * header contiguous again), or 0 when the hook has taken or freed it.
   */
  packet?(arg: number, stack: Stack, m: number, ifp: Ifnet, direction: number): number;
  event?(arg: number, stack: Stack, ifp: Ifnet, event: PfilEvent): void;
}

const hooks: (PfilHook | undefined)[] = [];
const LISTS = stackStruct.offsets.pfil;

/** Says what the hooks with a number do in this thread. */
export function registerPfilHook(number: number, hook: PfilHook): void {
  while (hooks.length <= number) hooks.push(undefined);
  hooks[number] = hook;
}

/** Word of a list: its length, then pairs of hook and argument. */
function listOf(stack: number, head: PfilHead, kind: number): number {
  return ((stack + LISTS) >>> 2) + (head * PFIL_LISTS + kind) * PFIL_LIST_WORDS;
}

function find(list: number, hook: number, arg: number): number {
  for (let at = list + 1; at < list + 1 + 2 * u32[list]!; at += 2)
    if (u32[at] === hook && u32[at + 1] === arg) return at;
  return 0;
}

function insert(list: number, hook: number, arg: number, atFront: boolean): void {
  const end = list + 1 + 2 * u32[list]!;
  const at = atFront ? list + 1 : end;
  u32.copyWithin(at + 2, at, end);
  u32[at] = hook;
  u32[at + 1] = arg;
  u32[list]!++;
}

/** Adds a hook (PFIL_HOOK) for what `flags` names. Returns 0, EEXIST if it is there already, ENOBUFS. In the stack context. */
export function pfilAdd(stack: Stack, head: PfilHead, hook: number, arg: number, flags: number): number {
  const wanted = KINDS.map((_, kind) => kind).filter((kind) => (flags & KINDS[kind]!) !== 0);
  for (const kind of wanted) {
    const list = listOf(stack.ptr, head, kind);
    if (find(list, hook, arg) !== 0) return ERRNO.EEXIST;
    if (u32[list] === PFIL_ENTRIES) return ERRNO.ENOBUFS;
  }
  for (const kind of wanted) insert(listOf(stack.ptr, head, kind), hook, arg, KINDS[kind] === PFIL_IN);
  if ((flags & (PFIL_IN | PFIL_OUT)) !== 0) stack.activeFilters++;
  return 0;
}

/** Takes a hook away that was added with the same flags. Returns 0, or ENOENT. In the stack context, or while no thread works. */
export function pfilRemove(stack: Stack, head: PfilHead, hook: number, arg: number, flags: number): number {
  let removed = 0;
  KINDS.forEach((flag, kind) => {
    const list = listOf(stack.ptr, head, kind);
    const at = (flags & flag) === 0 ? 0 : find(list, hook, arg);
    if (at === 0) return;
    u32.copyWithin(at, at + 2, list + 1 + 2 * u32[list]!);
    u32[list]!--;
    removed |= flag;
  });
  if ((removed & (PFIL_IN | PFIL_OUT)) !== 0) stack.activeFilters--;
  return removed === 0 ? ERRNO.ENOENT : 0;
}

let takenWith: number = ERRNO.EHOSTUNREACH;

/** A hook that returns 0 because it has sent the packet itself says so first; otherwise the packet counts as blocked. */
export function pfilTaken(status: number): void {
  takenWith = status;
}

/** What the sender of a packet is told that pfilRun() has not returned: an errno, EHOSTUNREACH if it was blocked, 0 if it was sent another way. */
export function pfilStatus(): number {
  return takenWith;
}

/** Shows a packet to all hooks of its direction, PFIL_IN or PFIL_OUT. Returns it, or 0 when it is gone. */
export function pfilRun(stack: Stack, head: PfilHead, packet: number, ifp: Ifnet, direction: number): number {
  const list = listOf(stack.ptr, head, direction === PFIL_IN ? 0 : 1);
  let m = packet;
  takenWith = ERRNO.EHOSTUNREACH;
  for (let at = list + 1; m !== 0 && at < list + 1 + 2 * u32[list]!; at += 2)
    m = hooks[u32[at]!]!.packet!(u32[at + 1]!, stack, m, ifp, direction);
  return m;
}

/** Tells the hooks of both families what happened. In the stack context. */
export function pfilEvent(stack: Stack, ifp: Ifnet, event: PfilEvent): void {
  const kind = event === 'attached' || event === 'detached' ? PFIL_IFNET : PFIL_IFADDR;
  for (const head of [PFIL_HEAD.inet, PFIL_HEAD.inet6]) {
    const list = listOf(stack.ptr, head, KINDS.indexOf(kind));
    for (let at = list + 1; at < list + 1 + 2 * u32[list]!; at += 2)
      hooks[u32[at]!]!.event?.(u32[at + 1]!, stack, ifp, event);
  }
}

onComing((ifp, isThere) => pfilEvent(stacks.get(ifp.stack), ifp, isThere ? 'attached' : 'detached'));
