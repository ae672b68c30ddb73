/**
 * A plug: where a device meets a link. The device leaves frames in `out` and raises the link's source; the link leaves frames in `in` and raises the
 * device's source. Virtual cards, host TAPs and ports of switches all have one; a link knows nothing else of them.
 */
import { mFreeList } from '../memory/mbuf.ts';
import { QUEUE_BYTES, dequeueAll, enqueueList, nextRecord, queueAt } from '../memory/queue.ts';
import type { Queue } from '../memory/queue.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { raise, sources } from '../runtime/source.ts';
import { LINK_LOSS, STATION, station } from './journey.ts';

export const plugStruct = struct('plug', {
  /** Next plug of the same link, in a ring; 0 while it is in no link. */
  ring: 'ptr',
  nextpkt: 'ptr',
  /** Source of the link: raised when `out` has frames. */
  link: 'ptr',
  /** Source of the device: raised when `in` has frames. */
  device: 'ptr',
  /** 1 while the device is switched on. */
  up: 'u8',
  /** 1 for a device that is there whether or not somebody is behind it: a port of a switch. */
  always: 'u8',
  /** 1 while the device takes large frames (segmentation.ts). */
  large: 'u8',
  /** 1 while a full `out` holds frames back in the device. */
  blocked: 'u8',
  /** 1 if it goes with its device; 0 if it belongs to the lab. */
  owned: 'u8',
  /** Frames for `out` that its device, serviced by one thread at a time, has gathered in the batch at hand: first, last and how many. */
  batchFirst: 'ptr',
  batchLast: 'ptr',
  batched: 'u32',
  out: { bytes: QUEUE_BYTES },
  in: { bytes: QUEUE_BYTES },
});
export type Plug = ViewOf<typeof plugStruct>;
export const plugs = slab(plugStruct, 16_384);

/** Frames that a device may leave for a link that has not come round yet, and a link for a device. */
const OUT_FRAMES = 2048;
const IN_FRAMES = 4096;

const outQueues: Queue[] = [];
const inQueues: Queue[] = [];

function queueOf(list: Queue[], plug: Plug, offset: number): Queue {
  const index = plugs.indexOf(plug.ptr);
  while (list.length <= index) list.push(queueAt(plugs.base + list.length * plugStruct.size + offset));
  return list[index]!;
}

/** Frames from the device to the link. */
export function plugOut(plug: Plug): Queue {
  return queueOf(outQueues, plug, plugStruct.offsets.out);
}

/** Frames from the link to the device. */
export function plugIn(plug: Plug): Queue {
  return queueOf(inQueues, plug, plugStruct.offsets.in);
}

/** A plug in no link yet; 0 when the slab is full. */
export function newPlug(): number {
  const ptr = plugs.alloc();
  if (ptr === 0) return 0;
  const plug = plugs.get(ptr);
  plugOut(plug).max = OUT_FRAMES;
  plugIn(plug).max = IN_FRAMES;
  return ptr;
}

/** Frees a plug and the frames in it. It is in no link any more. */
export function freePlug(plug: Plug): void {
  clearPlug(plug);
  plugs.free(plug.ptr);
}

/** Frees the frames that wait in a plug. */
export function clearPlug(plug: Plug): void {
  if (plug.batched !== 0) mFreeList(plug.batchFirst);
  plug.batched = 0;
  mFreeList(dequeueAll(plugOut(plug)));
  mFreeList(dequeueAll(plugIn(plug)));
}

/** True if the device is on and somebody is at another end of its link. */
export function plugCarrier(plug: Plug): boolean {
  if (plug.up === 0 || plug.ring === 0) return false;
  for (let other = plugs.get(plug.ring); other.ptr !== plug.ptr; other = plugs.get(other.ring)) {
    if (other.up !== 0 || other.always !== 0) return true;
  }
  return false;
}

/** The link's side: gives a list of frames to the device. What does not fit, or comes while it is off, is dropped; returns how many frames that were. */
export function deliver(plug: Plug, first: number, last: number, count: number): number {
  if (plug.up === 0) return lose(plug, first, LINK_LOSS.receiverDown);
  const rest = enqueueList(plugIn(plug), first, last, count);
  if (plug.device !== 0) raise(plug.device);
  return rest === 0 ? 0 : lose(plug, rest, LINK_LOSS.receiverFull);
}

function lose(plug: Plug, first: number, why: number): number {
  const link = plug.link === 0 ? 0 : sources.get(plug.link).arg;
  let lost = 0;
  for (let m = first; m !== 0; m = nextRecord(m)) {
    station(m, STATION.linkLoss, link, why);
    lost++;
  }
  mFreeList(first);
  return lost;
}
