/**
 * A link in the one memory: its ends and, per direction, what it does to frames and which frames are under way. Any thread may service it, one at a time.
 */
import { slab } from '../../stack/memory/slab.ts';
import { struct } from '../../stack/memory/struct.ts';
import type { ViewOf } from '../../stack/memory/struct.ts';

export const linkStruct = struct('link', {
  next: 'ptr',
  nextpkt: 'ptr',
  source: 'ptr',
  /** First direction; the others follow by `next`. */
  directions: 'ptr',
  ends: 'u32',
  /** Longest packet without its Ethernet header, 0: whatever the cards send. */
  mtu: 'u32',
  /** 1 for a serial line: what crosses it are bytes. */
  serial: 'u8',
  /** Capture points (net/tap.ts). */
  taps: 'ptr',
});
export type Link = ViewOf<typeof linkStruct>;
export const links = slab(linkStruct, 8192);

/** What happens to the frames of one end. Times in ns, probabilities 0 to 1. */
export const directionStruct = struct('direction', {
  /** Next direction of the same link, in the order of its ends. */
  next: 'ptr',
  nextpkt: 'ptr',
  /** Its link, and which of the link's ends it is. */
  link: 'ptr',
  end: 'u32',
  /** Plug whose frames these are. */
  plug: 'ptr',
  /** State of its own generator: what one direction draws does not depend on another. */
  random: 'u32',
  /** 1 if it changes nothing: frames pass as they come. */
  perfect: 'u8',
  delay: 'f64',
  jitter: 'f64',
  loss: 'f64',
  duplicate: 'f64',
  reorder: 'f64',
  corrupt: 'f64',
  /** Bits per second, 0 for no limit, and how many frames may wait for it. */
  rate: 'f64',
  queue: 'u32',
  /** Frames that wait for the rate: time is when the last bit of each has left. */
  sendFirst: 'ptr',
  sendLast: 'ptr',
  sendCount: 'u32',
  /** When the last bit of the last frame leaves. */
  busyUntil: 'f64',
  /** Frames on their way, in order of time: that of their arrival. */
  wayFirst: 'ptr',
  wayLast: 'ptr',
  /** Arrival of the last frame that keeps its place in the order. */
  lastArrival: 'f64',
  packets: 'f64',
  bytes: 'f64',
  drops: 'f64',
});
export type Direction = ViewOf<typeof directionStruct>;
export const directions = slab(directionStruct, 16_384);
