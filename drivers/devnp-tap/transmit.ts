/**
 * From the lab to the host: takes the frames that wait at the plug and writes them to the TAP, each straight from its buffers.
 */
import { mCopyPacket } from '../../stack/memory/mbuf-chain.ts';
import { mFree, mFreeList, mbuf, ownerTag } from '../../stack/memory/mbuf.ts';
import { lock, unlock } from '../../stack/memory/lock.ts';
import { dequeueAll, nextRecord } from '../../stack/memory/queue.ts';
import type { Queue } from '../../stack/memory/queue.ts';
import { raise } from '../../stack/runtime/source.ts';
import { plugIn, plugOut, plugs } from '../../stack/net/plug.ts';
import type { Plug } from '../../stack/net/plug.ts';
import { IOVEC_BYTES, WRITE_PARTS } from './device.ts';
import type { TapDevice } from './device.ts';
import { LINUX_ERRNO, errno, memoryBase, putIovec, write, writev } from './system.ts';

const DRIVER_OWNER = ownerTag('driver');
/** Frames written before the other direction gets its turn. */
const BATCH = 64;

export interface Transmitter {
  /** Writes one batch. True: more is waiting; false: nothing is left, or the TAP failed (`device.failure`). */
  transmit(): boolean;
  /** True if transmit() would find something to do. */
  waiting(): boolean;
  /** Frees the frames it holds. */
  close(): void;
}

function queueFor(device: TapDevice, plug: Plug): Queue {
  return device.isLink !== 0 ? plugOut(plug) : plugIn(plug);
}

/** The writing half of a TAP's thread. */
export function makeTransmitter(device: TapDevice): Transmitter {
  const parts = memoryBase + device.writeParts;
  const descriptor = device.descriptor;
  let list = 0;

  /** Takes all that waits at the plug, and tells a card that was held up that there is room again. */
  function fetch(): void {
    lock(device.ptr);
    if (device.plug !== 0) {
      const plug = plugs.get(device.plug);
      list = dequeueAll(queueFor(device, plug));
      if (device.isLink !== 0 && plug.blocked !== 0) {
        plug.blocked = 0;
        if (plug.device !== 0) raise(plug.device);
      }
    }
    unlock(device.ptr);
  }

  function waiting(): boolean {
    if (list !== 0) return true;
    lock(device.ptr);
    let any = false;
    if (device.plug !== 0) {
      const plug = plugs.get(device.plug);
      any = queueFor(device, plug).len !== 0 || (device.isLink !== 0 && plug.blocked !== 0);
    }
    unlock(device.ptr);
    return any;
  }

  /** Lays out the buffers of a packet for writev(2) and returns how many there are; 0 if they are too many. */
  function layOut(m: number): number {
    let count = 0;
    for (; m !== 0; m = mbuf(m).next) {
      if (count === WRITE_PARTS) return 0;
      putIovec(device.writeParts + count * IOVEC_BYTES, mbuf(m).data, mbuf(m).len);
      count++;
    }
    return count;
  }

  function writeParts(m: number): number {
    const count = layOut(m);
    if (count !== 0) return writev(descriptor, parts, count);
    // mCopyPacket() fills its buffers, so that the largest frame takes far fewer.
    const copy = mCopyPacket(DRIVER_OWNER, m);
    if (copy === 0) return 0;
    const bytes = writev(descriptor, parts, layOut(copy));
    mFree(copy);
    return bytes;
  }

  /** Writes a frame; false when the TAP is gone. */
  function writeFrame(m: number): boolean {
    const view = mbuf(m);
    for (;;) {
      const bytes = view.next === 0 ? write(descriptor, memoryBase + view.data, view.len) : writeParts(m);
      if (bytes > 0) {
        device.sent++;
        device.sentBytes += bytes;
        return true;
      }
      const reason = bytes < 0 ? errno() : 0;
      if (reason === LINUX_ERRNO.EINTR) continue;
      device.sendErrors++;
      if (reason === LINUX_ERRNO.EBADFD) device.failure = reason;
      return reason !== LINUX_ERRNO.EBADFD;
    }
  }

  function transmit(): boolean {
    if (list === 0) fetch();
    for (let n = 0; n < BATCH && list !== 0; n++) {
      const m = list;
      list = nextRecord(m);
      const open = writeFrame(m);
      mFree(m);
      if (!open) return false;
    }
    return list !== 0;
  }

  return { transmit, waiting, close: () => mFreeList(list) };
}
