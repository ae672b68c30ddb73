/**
 * A generator and a counter of frames at ends of links, as frames.c is one on packet sockets: frames of 60 bytes, UDP over IPv4 with 18 bytes of payload (RFC 2544), put at
 * a plug in batches of 32, and counted where they arrive. They take the place of nodes, whose stacks they slay, so that nothing but the links and what lies between is measured.
 */
import { nullSink } from '../../../stack/kernel/byte-stream.ts';
import { u16, u32, u8 } from '../../../stack/memory/memory.ts';
import { ETHER_ALIGN, mFreeList, mGetHeader, mbuf, ownerTag } from '../../../stack/memory/mbuf.ts';
import { dequeueAll, enqueueList, nextRecord } from '../../../stack/memory/queue.ts';
import { plugIn, plugOut, plugs } from '../../../stack/net/plug.ts';
import type { Plug } from '../../../stack/net/plug.ts';
import { refreshNow } from '../../../stack/runtime/clock.ts';
import { serviceInPlace } from '../../../stack/runtime/source.ts';
import { runCommandLine } from '../../../stack/utilities/shell/shell.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';

const OWNER = ownerTag('test');
export const FRAME_BYTES = 60;
export const BATCH = 32;
const IP = 14;
const UDP = 34;
const PAYLOAD = 18;
const PORT = 5001;
/** Offsets in a frame that tell what a router has done to it. */
export const OFFSET = { destination: 0, source: 6, ttl: IP + 8 } as const;

/** Where a frame goes. */
export interface FrameFields {
  readonly destinationMac: Uint8Array;
  readonly sourceMac: Uint8Array;
  /** In host order. */
  readonly source: number;
  readonly destination: number;
  readonly ttl?: number;
}

/** The frame as bytes. The checksum of UDP is absent, which it may be (RFC 768). */
export function frameOf({ destinationMac, sourceMac, source, destination, ttl = 64 }: FrameFields): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.set(destinationMac, 0);
  frame.set(sourceMac, 6);
  frame.writeUInt16BE(0x0800, 12);
  frame[IP] = 0x45;
  frame.writeUInt16BE(FRAME_BYTES - IP, IP + 2);
  frame[IP + 8] = ttl;
  frame[IP + 9] = 17;
  frame.writeUInt32BE(source, IP + 12);
  frame.writeUInt32BE(destination, IP + 16);
  let sum = 0;
  for (let i = IP; i < UDP; i += 2) sum += frame.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  frame.writeUInt16BE(~sum & 0xffff, IP + 10);
  frame.writeUInt16BE(PORT, UDP);
  frame.writeUInt16BE(PORT, UDP + 2);
  frame.writeUInt16BE(8 + PAYLOAD, UDP + 4);
  return frame;
}

/** Slays the stack of `node` and takes its end of a link, number `end`. Its device is switched on and has no source: what arrives waits in the plug. */
export async function takeEnd(lab: RunningLab, node: string, link: string, end: number): Promise<Plug> {
  const made = lab.nodes.get(node)!;
  const { variant } = [...made.stacks.values()][0]!;
  await runCommandLine(made, `slay ${variant}`, { stdout: nullSink, stderr: nullSink });
  const plug = plugs.get(lab.links.get(link)!.directions[end]!.plug);
  plug.device = 0;
  plug.up = 1;
  return plug;
}

/** Puts batches of the same frame at a plug. */
export class Generator {
  readonly #plug: Plug;
  readonly #head: number;
  readonly #words: Uint32Array;
  readonly #tail: number;

  constructor(plug: Plug, frame: Uint8Array) {
    this.#plug = plug;
    // A frame starts two bytes before a word: its first and last two bytes are halves of words.
    this.#head = frame[0]! | (frame[1]! << 8);
    this.#tail = frame[FRAME_BYTES - 2]! | (frame[FRAME_BYTES - 1]! << 8);
    this.#words = new Uint32Array(Uint8Array.from(frame.subarray(2, FRAME_BYTES - 2)).buffer);
  }

  #make(time: number): number {
    const m = mGetHeader(OWNER, ETHER_ALIGN);
    if (m === 0) return 0;
    const view = mbuf(m);
    const { data } = view;
    const words = this.#words;
    u16[data >>> 1] = this.#head;
    const word = (data + 2) >>> 2;
    for (let i = 0; i < words.length; i++) u32[word + i] = words[i]!;
    u16[(data + FRAME_BYTES - 2) >>> 1] = this.#tail;
    view.len = FRAME_BYTES;
    view.pktLen = FRAME_BYTES;
    view.time = time;
    return m;
  }

  /** Sends up to 32 frames: none while the plug is full, fewer when buffers are exhausted. Returns how many. */
  send(frames: number = BATCH): number {
    const out = plugOut(this.#plug);
    if (out.len + frames > out.max) return 0;
    const time = refreshNow();
    const first = this.#make(time);
    if (first === 0) return 0;
    let last = first;
    let made = 1;
    for (; made < frames; made++) {
      const m = this.#make(time);
      if (m === 0) break;
      mbuf(last).nextpkt = m;
      last = m;
    }
    mFreeList(enqueueList(out, first, last, made));
    serviceInPlace(this.#plug.link);
    return made;
  }
}

/** Counts what has arrived at a plug, and frees it. `look` gets the address of the first byte of one frame of them. */
export function countArrivals(plug: Plug, look: (data: number) => void): number {
  const first = dequeueAll(plugIn(plug));
  if (first === 0) return 0;
  look(mbuf(first).data);
  let count = 0;
  for (let m = first; m !== 0; m = nextRecord(m)) count++;
  mFreeList(first);
  return count;
}

/** True if the bytes at an address are these. */
export function bytesAre(address: number, bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => u8[address + i] === byte);
}
