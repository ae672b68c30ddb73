/**
 * BPF descriptors (struct bpf_d): what an open /dev/bpf is in the one memory. Who listens, on which interface, with which filter, and the two buffers, each a chain
 * of mbufs: packets are appended to the one that is the store, a read takes the one that is held.
 *
 * Layer 2 shows packets in any thread while the stack context changes and reads: what both touch is under the descriptor's lock.
 */
import { breakLock } from '../../memory/lock.ts';
import { region } from '../../memory/memory.ts';
import { mFree } from '../../memory/mbuf.ts';
import { QUEUE_BYTES, dequeueAll, enqueue, nextRecord, queueAt } from '../../memory/queue.ts';
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';
import { ringBell } from '../../runtime/messages/post.ts';
import { CALLOUT_BYTES } from '../../runtime/wheel.ts';
import { freeProgram } from './program.ts';

export const bpfdStruct = struct('bpfd', {
  /** Next descriptor of the stack. */
  next: 'ptr',
  nextpkt: 'ptr',
  lock: 'i32',
  stack: 'ptr',
  /** The socket that stands for it. */
  socket: 'ptr',
  /** Interface that it listens on, 0 for none, and the point there (tap.ts). */
  interface: 'ptr',
  tap: 'ptr',
  /** Its filter (program.ts), 0 for none: it takes everything. */
  program: 'ptr',
  /** Process that has it open. */
  pid: 'u32',
  /** Link type of the interface. */
  dlt: 'u16',
  /** Settings, 1 for on: BIOCIMMEDIATE, BIOCPROMISC, BIOCSHDRCMPLT, BIOCSSEESENT. */
  immediate: 'u8',
  promiscuous: 'u8',
  headerComplete: 'u8',
  seesSent: 'u8',
  /** 1: its interface was destroyed while it listened there. */
  orphan: 'u8',
  /** 1: there is something to read that its reader was not told of yet. */
  wake: 'u8',
  /** What a poll with the read time-out does: one of POLL_*. */
  polling: 'u8',
  /** BIOCSRSIG. */
  signal: 'u32',
  bufferSize: 'u32',
  /** The chain that packets are appended to, the buffer of it that is being filled, bytes in it, bytes that its buffers have room for. */
  store: 'ptr',
  storeAt: 'ptr',
  storeLen: 'u32',
  storeRoom: 'u32',
  /** The chain that a read takes. */
  hold: 'ptr',
  holdLen: 'u32',
  /** BIOCSRTIMEOUT, ns; 0: none. */
  timeout: 'f64',
  timer: { bytes: CALLOUT_BYTES },
  /** BIOCGSTATS: packets that passed while it listened, that there was no room for, that its filter took. */
  received: 'f64',
  dropped: 'f64',
  captured: 'f64',
});
export type Bpfd = ViewOf<typeof bpfdStruct>;
export const bpfds = slab(bpfdStruct, 1024);
export const BPFD_LOCK = bpfdStruct.offsets.lock;

/** No poll waits for the read time-out; one does; it has ended, so that what there is may be read. */
export const POLL_IDLE = 0;
export const POLL_WAITING = 1;
export const POLL_TIMED_OUT = 2;

/** The store becomes what a read takes. Nothing is held; with the lock held. */
export function rotateBuffers(d: Bpfd): void {
  d.hold = d.store;
  d.holdLen = d.storeLen;
  d.store = 0;
  d.storeAt = 0;
  d.storeLen = 0;
  d.storeRoom = 0;
}

/** Drops what is in the buffers and begins to count anew. With the lock held. */
export function resetDescriptor(d: Bpfd): void {
  mFree(d.hold);
  rotateBuffers(d);
  mFree(d.hold);
  d.hold = 0;
  d.holdLen = 0;
  d.received = 0;
  d.dropped = 0;
  d.captured = 0;
}

const buried = queueAt(region('closed bpf descriptors', QUEUE_BYTES));

/** A closed descriptor: another thread may still be looking at it, so it is freed when none works. */
export function buryDescriptor(d: Bpfd): void {
  enqueue(buried, d.ptr);
  ringBell();
}

/** Frees the closed descriptors. No thread works meanwhile. */
export function freeBuriedDescriptors(): void {
  for (let ptr = dequeueAll(buried); ptr !== 0;) {
    const next = nextRecord(ptr);
    freeDescriptor(bpfds.get(ptr));
    ptr = next;
  }
}

/** True while closed descriptors wait to be freed. */
export function hasBuriedDescriptors(): boolean {
  return buried.len !== 0;
}

/** Frees a descriptor that no thread looks at. */
export function freeDescriptor(d: Bpfd): void {
  resetDescriptor(d);
  freeProgram(d.program);
  bpfds.free(d.ptr);
}

/** Frees the locks of descriptors that a dead thread holds. */
export function breakBpfLocks(thread: number): void {
  bpfds.each((d) => void breakLock(d.ptr + BPFD_LOCK, thread));
}
