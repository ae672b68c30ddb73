/**
 * From the host to the lab: reads frames from the TAP straight into clusters of the one memory, a batch at a time, and leaves the batch at the plug.
 */
import {
  ETHER_ALIGN,
  MCLBYTES,
  mFreeList,
  mFree,
  mFreeOne,
  mGetCluster,
  mbuf,
  ownerTag,
} from '../../stack/memory/mbuf.ts';
import { lock, unlock } from '../../stack/memory/lock.ts';
import { enqueueList } from '../../stack/memory/queue.ts';
import { refreshNow } from '../../stack/runtime/clock.ts';
import { raise } from '../../stack/runtime/source.ts';
import { deliver, plugOut, plugs } from '../../stack/net/plug.ts';
import type { Plug } from '../../stack/net/plug.ts';
import { IOVEC_BYTES, READ_PARTS } from './device.ts';
import type { TapDevice } from './device.ts';
import { LINUX_ERRNO, errno, memoryBase, putIovec, readv } from './system.ts';

const DRIVER_OWNER = ownerTag('driver');
/** Frames read before the other direction gets its turn. */
const BATCH = 64;
const FIRST_BYTES = MCLBYTES - ETHER_ALIGN;
const CAPACITY = FIRST_BYTES + (READ_PARTS - 1) * MCLBYTES;

export interface Receiver {
  /** Reads and delivers one batch. True: there may be more; false: nothing is left, or the TAP failed (`device.failure`). */
  receive(): boolean;
  /** Frees the buffers it holds. */
  close(): void;
}

/** The device's side of a plug: leaves frames for the link. Returns how many were dropped. */
function leave(plug: Plug, first: number, last: number, count: number): number {
  if (plug.link === 0) {
    mFreeList(first);
    return count;
  }
  const queue = plugOut(plug);
  const before = queue.drops;
  mFreeList(enqueueList(queue, first, last, count));
  raise(plug.link);
  return queue.drops - before;
}

/** Hands a list of frames to the plug. Under the lock: whoever takes the plug away, or its link, knows when the thread is out of it. */
function deliverBatch(device: TapDevice, first: number, last: number, count: number): void {
  lock(device.ptr);
  let dropped = count;
  if (device.plug === 0) mFreeList(first);
  else if (device.isLink !== 0) dropped = deliver(plugs.get(device.plug), first, last, count);
  else dropped = leave(plugs.get(device.plug), first, last, count);
  unlock(device.ptr);
  device.receiveDrops += dropped;
}

/**
 * The reading half of a TAP's thread. It always holds the buffers for one frame of the largest size: when there are no more to be had, it goes on
 * reading into them and drops, so that the host's queue does not go stale.
 *
 * @throws Error when there are no buffers to begin with.
 */
export function makeReceiver(device: TapDevice): Receiver {
  const held: number[] = [];
  for (let part = 0; part < READ_PARTS; part++) hold(part, takeBuffer(part));
  const parts = memoryBase + device.readParts;
  const descriptor = device.descriptor;

  function takeBuffer(part: number): number {
    const m = mGetCluster(DRIVER_OWNER, part === 0 ? ETHER_ALIGN : 0);
    if (m === 0 && held.length < READ_PARTS) throw new Error('no packet buffers are left for a TAP');
    return m;
  }

  function hold(part: number, m: number): void {
    held[part] = m;
    putIovec(device.readParts + part * IOVEC_BYTES, mbuf(m).data, part === 0 ? FIRST_BYTES : MCLBYTES);
  }

  /** Makes a packet of the buffers that `bytes` bytes were read into and replaces them; 0 when they cannot be replaced. */
  function takeFrame(bytes: number): number {
    const first = held[0]!;
    const fresh = takeBuffer(0);
    if (fresh === 0) return 0;
    const head = mbuf(first);
    head.len = Math.min(bytes, FIRST_BYTES);
    if (bytes > FIRST_BYTES && !chain(first, bytes - FIRST_BYTES)) {
      mFree(fresh);
      return 0;
    }
    head.pktLen = bytes;
    hold(0, fresh);
    return first;
  }

  /** Hangs the further buffers of a long frame behind its first one. */
  function chain(first: number, bytes: number): boolean {
    const used = Math.ceil(bytes / MCLBYTES);
    const fresh: number[] = [];
    while (fresh.length < used) {
      const m = takeBuffer(fresh.length + 1);
      if (m === 0) {
        fresh.forEach(mFreeOne);
        return false;
      }
      fresh.push(m);
    }
    let last = first;
    for (let part = 1; part <= used; part++) {
      const m = held[part]!;
      const view = mbuf(m);
      view.flags = 0;
      view.len = Math.min(bytes - (part - 1) * MCLBYTES, MCLBYTES);
      mbuf(last).next = m;
      last = m;
      hold(part, fresh[part - 1]!);
    }
    return true;
  }

  /** Bytes of the next frame; 0 when there is none now. */
  function readFrame(): number {
    for (;;) {
      const bytes = readv(descriptor, parts, READ_PARTS);
      if (bytes > 0) return bytes;
      const reason = errno();
      if (bytes < 0 && reason === LINUX_ERRNO.EINTR) continue;
      if (bytes < 0 && reason !== LINUX_ERRNO.EAGAIN) device.failure = reason;
      return 0;
    }
  }

  function receive(): boolean {
    let first = 0;
    let last = 0;
    let count = 0;
    let more = true;
    const time = refreshNow();
    for (let n = 0; n < BATCH; n++) {
      const bytes = readFrame();
      more = bytes !== 0;
      if (!more) break;
      if (bytes === CAPACITY) {
        device.tooLong++;
        continue;
      }
      const m = takeFrame(bytes);
      if (m === 0) {
        device.noBuffers++;
        continue;
      }
      const view = mbuf(m);
      view.time = time;
      if (count === 0) first = m;
      else mbuf(last).nextpkt = m;
      last = m;
      count++;
      device.receivedBytes += bytes;
    }
    if (count > 0) {
      device.received += count;
      deliverBatch(device, first, last, count);
    }
    return more;
  }

  return { receive, close: () => held.forEach(mFreeOne) };
}
