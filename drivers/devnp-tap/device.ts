/**
 * The record of an open TAP: what its own thread, the threads of the pool and thread 0 know of it. The TAP's thread blocks in poll(2); whoever leaves
 * frames for it has it woken through an eventfd(2), and only if it sleeps.
 */
import { writeSync } from 'node:fs';
import { i32 } from '../../stack/memory/memory.ts';
import { lock, unlock } from '../../stack/memory/lock.ts';
import { slab } from '../../stack/memory/slab.ts';
import { struct } from '../../stack/memory/struct.ts';
import type { ViewOf } from '../../stack/memory/struct.ts';

/** Threads from this number on belong to TAPs: one each. */
export const FIRST_TAP_THREAD = 48;
export const TAP_THREADS = 16;

/** Buffers that one frame is read into: 2046 + 4 * 2048 bytes, more than a jumbo frame of 9000 with its headers. */
export const READ_PARTS = 5;
/** Buffers that one frame is written from without being copied together first. */
export const WRITE_PARTS = 32;
/** Bytes of a struct iovec and of a struct pollfd on 64-bit Linux. */
export const IOVEC_BYTES = 16;
export const POLLFD_BYTES = 8;

export const tapDeviceStruct = struct('tapDevice', {
  /** Held by its thread while it is at the plug, and by whoever changes what that is joined to. */
  lock: 'i32',
  nextpkt: 'ptr',
  /** Held while the eventfd is written, and closed. */
  wakeLock: 'i32',
  /** 1 while its thread sleeps or is about to; whoever sets it to 0 writes the eventfd. */
  waiting: 'i32',
  /** 1: the thread is to end. */
  stop: 'i32',
  /** The errno for which the thread gave up, 0 if none. */
  failure: 'i32',
  /** File descriptors of the TAP and of the eventfd; -1 once closed. */
  descriptor: 'i32',
  wakeup: 'i32',
  /** The plug whose frames it moves, 0 while it has none. */
  plug: 'ptr',
  /** 0: the TAP is the device behind the plug; 1: it is the link in front of it. */
  isLink: 'u8',
  /** Interface of devnp-tap whose plug it is, 0 for a port of the lab. */
  interface: 'ptr',
  /** Event source that has the thread woken. */
  source: 'ptr',
  received: 'f64',
  receivedBytes: 'f64',
  /** Frames from the host that found the link, or the card, full or switched off. */
  receiveDrops: 'f64',
  noBuffers: 'f64',
  tooLong: 'f64',
  sent: 'f64',
  sentBytes: 'f64',
  /** Frames that the host did not take: its interface is down. */
  sendErrors: 'f64',
  wakeups: 'f64',
  readParts: { bytes: READ_PARTS * IOVEC_BYTES },
  writeParts: { bytes: WRITE_PARTS * IOVEC_BYTES },
  polled: { bytes: 2 * POLLFD_BYTES },
});
export type TapDevice = ViewOf<typeof tapDeviceStruct>;
export const tapDevices = slab(tapDeviceStruct, TAP_THREADS);

const WAITING = tapDeviceStruct.offsets.waiting;
const WAKE_LOCK = tapDeviceStruct.offsets.wakeLock;
const STOP = tapDeviceStruct.offsets.stop;
// What an eventfd takes: the number to add to its counter, 64 bits.
const one = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Wakes the thread of a TAP if it sleeps: from any thread. */
export function wakeTap(device: TapDevice): void {
  if (Atomics.compareExchange(i32, (device.ptr + WAITING) >>> 2, 1, 0) !== 1) return;
  // The lock keeps the descriptor from being closed, and its number from being given to another file, between the check and the call.
  lock(device.ptr + WAKE_LOCK);
  if (device.wakeup >= 0) writeSync(device.wakeup, one);
  unlock(device.ptr + WAKE_LOCK);
}

/** Takes the descriptors from the record, so that nobody writes to them any more; the caller closes them. */
export function takeDescriptors(device: TapDevice): number[] {
  lock(device.ptr + WAKE_LOCK);
  const descriptors = [device.descriptor, device.wakeup];
  device.descriptor = -1;
  device.wakeup = -1;
  unlock(device.ptr + WAKE_LOCK);
  return descriptors;
}

/** Tells the thread of a TAP to end: from any thread. */
export function stopTap(device: TapDevice): void {
  Atomics.store(i32, (device.ptr + STOP) >>> 2, 1);
  wakeTap(device);
}

/** The TAP's thread: says that it is about to sleep, so that from now on it is woken. */
export function announceSleep(device: TapDevice): void {
  Atomics.store(i32, (device.ptr + WAITING) >>> 2, 1);
}

export function announceAwake(device: TapDevice): void {
  Atomics.store(i32, (device.ptr + WAITING) >>> 2, 0);
}

export function mustStop(device: TapDevice): boolean {
  return Atomics.load(i32, (device.ptr + STOP) >>> 2) !== 0;
}

/** True while this thread keeps all TAPs from their plugs. */
let allHeld = false;

/**
 * Calls `work` while no TAP's thread is at its plug: to join plugs by links, to part them, to free a link's source or an interface. For short work of
 * thread 0 that does not wait.
 */
export function whileTapsHeld<T>(work: () => T): T {
  if (allHeld) return work();
  const held: number[] = [];
  tapDevices.each(({ ptr }) => {
    lock(ptr);
    held.push(ptr);
  });
  allHeld = true;
  try {
    return work();
  } finally {
    allHeld = false;
    held.forEach(unlock);
  }
}

/** Gives the TAP a plug (0: none). When this returns, its thread uses the former one no more. */
export function setTapPlug(device: TapDevice, plug: number): void {
  if (!allHeld) lock(device.ptr);
  device.plug = plug;
  if (!allHeld) unlock(device.ptr);
}
