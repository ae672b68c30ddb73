/**
 * Replays the packets of a capture into a link of a running lab, as if one of its ends had sent them: with the spacing they were captured with, scaled, or as
 * fast as the link takes them, on the lab's clock.
 */
import { ETHER_ALIGN, mFree, mbuf, ownerTag } from '../../stack/memory/mbuf.ts';
import { mFromBytes } from '../../stack/memory/mbuf-chain.ts';
import { enqueue } from '../../stack/memory/queue.ts';
import { readClock, refreshNow } from '../../stack/runtime/clock.ts';
import { raise } from '../../stack/runtime/source.ts';
import { fromOutside } from '../../stack/runtime/outside.ts';
import { sleepNs } from '../../stack/runtime/timers.ts';
import { ETHER_HEADER } from '../../stack/net/ethernet.ts';
import { plugOut, plugs } from '../../stack/net/plug.ts';
import type { Plug } from '../../stack/net/plug.ts';
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import type { CapturedPacket, CaptureInterface, CaptureProblem, CaptureRecord } from '../capture/packet.ts';
import { captureRecords } from '../capture/read.ts';
import type { CaptureSource } from '../capture/source.ts';
import type { LabLinkRecord } from './link.ts';

const REPLAY = ownerTag('link');
/** Largest frame that is replayed: the largest IP packet and a header; only captures on hosts that leave segmentation to their cards have longer ones. */
const LONGEST_FRAME = 65_535 + ETHER_HEADER;
/** While link or buffers are full, replay looks again after so long, ns. */
const RETRY_NS = 100e3;
/** How often it looks whether the last frames have arrived, and for how long at most, ns. */
const ARRIVAL_POLL_NS = 1e6;
const ARRIVAL_LIMIT_NS = 10e9;

export interface ReplayOptions {
  /** Index of the end of the link whose frames these are to be; default 0. */
  readonly end?: number;
  /** 1: as captured; 2: in half the time; 0: as fast as the link takes them. Default 1. */
  readonly speed?: number;
  /** Ends the replay early. */
  readonly signal?: AbortSignal;
  /** Told of damage in the capture; what can be read is replayed. */
  readonly onProblem?: (problem: CaptureProblem) => void;
}

export interface ReplayResult {
  /** Frames and bytes that were sent. */
  readonly packets: number;
  readonly bytes: number;
  /** Packets that were not: of another link type than Ethernet, and without a whole header or too long for a frame. */
  readonly otherLinkType: number;
  readonly unfit: number;
  /** Sent frames of which the capture has only the beginning. */
  readonly cut: number;
}

/** Sends the Ethernet frames of a capture; resolves when the last one has reached the other ends of the link, or is lost on the way. */
export async function replayCapture(
  source: CaptureSource,
  link: LabLinkRecord,
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const replay = new Replay(link, options);
  const records = captureRecords(source);
  try {
    for (;;) {
      const next = await fromOutside(() => records.next());
      if (next.done === true || options.signal?.aborted === true) break;
      await replay.take(next.value);
    }
  } finally {
    await records.return(undefined);
  }
  await replay.arrived();
  return replay.result();
}

class Replay {
  readonly #link: LabLinkRecord;
  readonly #plug: Plug;
  readonly #end: number;
  readonly #speed: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onProblem: (problem: CaptureProblem) => void;
  readonly #interfaces: CaptureInterface[] = [];
  readonly #begin = readClock();
  #first: bigint | undefined;
  #packets = 0;
  #bytes = 0;
  #otherLinkType = 0;
  #unfit = 0;
  #cut = 0;

  constructor(link: LabLinkRecord, options: ReplayOptions) {
    this.#link = link;
    this.#end = options.end ?? 0;
    const direction = link.directions[this.#end];
    if (direction === undefined) {
      throw new RangeError(
        `link ${link.name} has ${link.directions.length} ends, counted from 0; there is no end ${this.#end}`,
      );
    }
    this.#plug = plugs.get(direction.plug);
    this.#speed = options.speed ?? 1;
    this.#signal = options.signal;
    this.#onProblem = options.onProblem ?? (() => undefined);
  }

  async take(record: CaptureRecord): Promise<void> {
    if (record.kind === 'interface') this.#interfaces.push(record.interface);
    else if (record.kind === 'problem') this.#onProblem(record.problem);
    else if (record.kind === 'packet') await this.#packet(record.packet);
  }

  async #packet(packet: CapturedPacket): Promise<void> {
    const { linkType, fcsLength = 0 } = this.#interfaces[packet.interfaceId] ?? {};
    const whole = packet.data.length >= packet.originalLength;
    const frame = whole ? packet.data.subarray(0, packet.data.length - fcsLength) : packet.data;
    if (linkType !== LINKTYPE_ETHERNET) {
      this.#otherLinkType++;
      return;
    }
    if (frame.length < ETHER_HEADER || frame.length > LONGEST_FRAME) {
      this.#unfit++;
      return;
    }
    await this.#untilDue(packet);
    if (!(await this.#send(frame))) return;
    this.#packets++;
    this.#bytes += frame.length;
    if (!whole) this.#cut++;
  }

  /** Packets without a time, or from before the one that was sent last, go at once. */
  async #untilDue(packet: CapturedPacket): Promise<void> {
    if (this.#speed === 0 || packet.untimed === true) return;
    this.#first ??= packet.time;
    const due = this.#begin + Number(packet.time - this.#first) / this.#speed;
    const wait = due - refreshNow();
    if (wait > 0) await sleepNs(wait, this.#signal);
  }

  /** False if the replay was ended before there was room. */
  async #send(frame: Uint8Array): Promise<boolean> {
    const out = plugOut(this.#plug);
    while (this.#signal?.aborted !== true) {
      // The link empties the whole queue at a time: asking before saves making the packet in vain.
      const m = out.len < out.max ? mFromBytes(REPLAY, frame, ETHER_ALIGN) : 0;
      if (m !== 0) {
        mbuf(m).time = refreshNow();
        if (enqueue(out, m)) {
          raise(this.#plug.link);
          return true;
        }
        mFree(m);
      }
      await sleepNs(RETRY_NS, this.#signal);
    }
    return false;
  }

  /** Until nothing of ours is under way on the link. */
  async arrived(): Promise<void> {
    const direction = this.#link.directions[this.#end]!;
    const limit = readClock() + ARRIVAL_LIMIT_NS;
    const underWay = (): boolean =>
      plugOut(this.#plug).len > 0 || direction.sendCount > 0 || direction.wayFirst !== 0;
    do await sleepNs(ARRIVAL_POLL_NS, this.#signal);
    while (underWay() && readClock() < limit && this.#signal?.aborted !== true);
  }

  result(): ReplayResult {
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      otherLinkType: this.#otherLinkType,
      unfit: this.#unfit,
      cut: this.#cut,
    };
  }
}
