/**
 * What a link does to frames, exactly and repeatably: rate with a queue, delay with jitter, loss, duplication, reordering, corruption, each direction by itself
 * with its own random numbers. A delay holds frames under way, never the sender: throughput is what window and rate allow.
 *
 * A frame takes (bytes + 24) * 8 / rate on the wire: preamble, check sequence and gap count as on Ethernet. Jitter moves arrivals but keeps their order; a reordered
 * frame skips the delay and so overtakes those before it.
 */
import { be16, u32 as sharedU32, u8 } from '../../stack/memory/memory.ts';
import { mCopyPacket, mSharePacket } from '../../stack/memory/mbuf-chain.ts';
import {
  CSUM_IP_GOOD,
  CSUM_TRANSPORT_GOOD,
  mFree,
  mOwn,
  mbuf,
  mbufStruct,
  ownerTag,
} from '../../stack/memory/mbuf.ts';
import { dequeueAll, nextRecord } from '../../stack/memory/queue.ts';
import { refreshNow } from '../../stack/runtime/clock.ts';
import { randomUnit } from '../../stack/runtime/random.ts';
import { HANDLER, raise, raiseAt, setSourceHandler } from '../../stack/runtime/source.ts';
import { ETHERTYPE_VLAN, ETHER_HEADER, ETHER_TAG } from '../../stack/net/ethernet.ts';
import { LINK_LOSS, STATION, beginJourney, following, station } from '../../stack/net/journey.ts';
import { deliver, plugOut, plugs } from '../../stack/net/plug.ts';
import type { Plug } from '../../stack/net/plug.ts';
import { frameBytes, frameCount, splitFrame } from '../../stack/net/segmentation.ts';
import { slipContent } from '../../stack/lsm/lsm-slip/framing.ts';
import { OUTBOUND, tapPacket } from '../../stack/net/tap.ts';
import { directionStruct, directions, links } from './link-record.ts';
import type { Direction, Link } from './link-record.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u32 = sharedU32;

const LINK = ownerTag('link');
/** Preamble, frame check sequence and inter-frame gap, bytes. */
const WIRE_OVERHEAD = 24;
const RANDOM = directionStruct.offsets.random;

// What of a frame that passes unchanged is looked at, by word: no views are made.
const NEXTPKT = mbufStruct.offsets.nextpkt >>> 2;
const PKTLEN = mbufStruct.offsets.pktLen >>> 2;
const SEGMENT = mbufStruct.offsets.segment >>> 2;

// Frames that arrive together, in order.
let first = 0;
let last = 0;
let frames = 0;

function gather(m: number): void {
  mbuf(m).nextpkt = 0;
  if (frames === 0) first = m;
  else mbuf(last).nextpkt = m;
  last = m;
  frames++;
}

/** Gives what was gathered to all other ends. */
function arrive(direction: Direction): void {
  if (frames === 0) return;
  const from = plugs.get(direction.plug);
  let to = plugs.get(from.ring);
  for (let next = plugs.get(to.ring); next.ptr !== from.ptr; next = plugs.get(next.ring)) {
    arriveCopy(direction, to);
    to = next;
  }
  const count = frames;
  frames = 0;
  if (to.ptr === from.ptr) direction.drops += deliverNowhere(direction, count);
  else direction.drops += deliver(to, first, last, count);
}

function deliverNowhere(direction: Direction, count: number): number {
  for (let m = first; m !== 0;) {
    const next = nextRecord(m);
    station(m, STATION.linkLoss, direction.link, LINK_LOSS.noReceiver);
    mFree(m);
    m = next;
  }
  return count;
}

/** A hub has more than one receiver: all but the last get frames that share the clusters. */
function arriveCopy(direction: Direction, to: Plug): void {
  let head = 0;
  let tail = 0;
  let count = 0;
  for (let m = first; m !== 0; m = nextRecord(m)) {
    const copy = mSharePacket(LINK, m);
    if (copy === 0) {
      direction.drops++;
      continue;
    }
    if (count === 0) head = copy;
    else mbuf(tail).nextpkt = copy;
    tail = copy;
    count++;
  }
  if (count > 0) direction.drops += deliver(to, head, tail, count);
}

/** True with probability `p`; draws nothing when that is 0, so that an unused impairment changes no other. */
function chance(direction: Direction, p: number): boolean {
  return p > 0 && randomUnit(direction.ptr + RANDOM) < p;
}

/** Bytes of a frame's header: a VLAN tag is part of it (IEEE 802.3 §3.2.7), so that tagged frames carry as much as others. */
function headerLength(p: number): number {
  return be16(p + 12) === ETHERTYPE_VLAN ? ETHER_HEADER + ETHER_TAG : ETHER_HEADER;
}

function drop(direction: Direction, m: number, why: number): void {
  station(m, STATION.linkLoss, direction.link, why);
  direction.drops++;
  mFree(m);
}

/** On a perfect cable that nobody looks at a list of frames arrives as it is. False: each has to enter by itself. */
function passAll(link: Link, direction: Direction, list: number): boolean {
  if (direction.perfect === 0 || (link.taps | link.mtu) !== 0 || frames !== 0 || following()) return false;
  const whole = passesWhole(link, direction);
  let tail = 0;
  let records = 0;
  let packets = 0;
  let bytes = 0;
  for (let m = list; m !== 0; m = u32[(m >>> 2) + NEXTPKT]!) {
    tail = m;
    records++;
    if (u32[(m >>> 2) + SEGMENT] === 0) {
      packets++;
      bytes += u32[(m >>> 2) + PKTLEN]!;
    } else if (whole) {
      packets += frameCount(m);
      bytes += frameBytes(m);
    } else return false;
  }
  first = list;
  last = tail;
  frames = records;
  direction.packets += packets;
  direction.bytes += bytes;
  return true;
}

function enterAll(link: Link, direction: Direction, list: number): void {
  for (let m = list; m !== 0;) {
    const next = nextRecord(m);
    enter(link, direction, m);
    m = next;
  }
}

/** A frame enters the link. */
function enter(link: Link, direction: Direction, m: number): void {
  if (mbuf(m).segment === 0 || passesWhole(link, direction)) {
    enterOne(link, direction, m);
    return;
  }
  for (let frame = splitFrame(LINK, m); frame !== 0;) {
    const next = nextRecord(frame);
    mbuf(frame).nextpkt = 0;
    enterOne(link, direction, frame);
    frame = next;
  }
}

/** A large frame stays whole where nothing happens to it and its receiver takes it so. */
function passesWhole(link: Link, direction: Direction): boolean {
  if (direction.perfect === 0 || link.taps !== 0 || link.mtu !== 0 || link.ends !== 2) return false;
  return plugs.get(plugs.get(direction.plug).ring).large !== 0;
}

function enterOne(link: Link, direction: Direction, m: number): void {
  const view = mbuf(m);
  direction.packets += frameCount(m);
  if (following() && link.serial === 0) beginJourney(m, ETHER_HEADER, be16(view.data + 12));
  station(m, STATION.link, link.ptr, direction.end);
  direction.bytes += frameBytes(m);
  if (link.taps !== 0) show(link, m, view.time);
  if (link.mtu !== 0 && view.pktLen > link.mtu + headerLength(view.data)) drop(direction, m, LINK_LOSS.mtu);
  else if (direction.perfect !== 0) gather(m);
  else if (chance(direction, direction.loss)) drop(direction, m, LINK_LOSS.loss);
  else {
    const copy = chance(direction, direction.duplicate) ? mSharePacket(LINK, m) : 0;
    mOwn(m, LINK);
    send(link, direction, damage(direction, m));
    if (copy !== 0) send(link, direction, damage(direction, copy));
  }
}

/** Those who look on at a serial line see the packets in it (RFC 1055), as far as they are whole and not compressed. */
function show(link: Link, m: number, time: number): void {
  if (link.serial === 0) {
    tapPacket(link.taps, m, OUTBOUND, time);
    return;
  }
  const packet = slipContent(m);
  if (packet === 0) return;
  tapPacket(link.taps, packet, OUTBOUND, time);
  mFree(packet);
}

/** Flips one bit with the given probability, in a copy: others may share the bytes. 0 when buffers are exhausted (the frame is lost). */
function damage(direction: Direction, m: number): number {
  if (!chance(direction, direction.corrupt)) return m;
  const copy = mCopyPacket(LINK, m);
  if (copy === 0) {
    station(m, STATION.linkLoss, direction.link, LINK_LOSS.buffers);
    direction.drops++;
  } else {
    mbuf(copy).csum &= ~(CSUM_IP_GOOD | CSUM_TRANSPORT_GOOD);
    flipBit(copy, Math.floor(randomUnit(direction.ptr + RANDOM) * mbuf(copy).pktLen * 8));
  }
  mFree(m);
  return copy;
}

function flipBit(m: number, bit: number): void {
  let off = bit >>> 3;
  let view = mbuf(m);
  while (off >= view.len) {
    off -= view.len;
    view = mbuf(view.next);
  }
  u8[view.data + off]! ^= 1 << (bit & 7);
}

/** A frame joins the queue of those that wait for the rate, or goes on its way. */
function send(link: Link, direction: Direction, m: number): void {
  if (m === 0) return;
  const view = mbuf(m);
  view.nextpkt = 0;
  if (direction.rate === 0) {
    goOn(direction, m, view.time);
    return;
  }
  release(direction, view.time);
  if (direction.sendCount >= direction.queue + 1) {
    drop(direction, m, LINK_LOSS.queue);
    return;
  }
  const begin = Math.max(view.time, direction.busyUntil);
  view.time = begin + ((view.pktLen + (link.serial === 0 ? WIRE_OVERHEAD : 0)) * 8e9) / direction.rate;
  direction.busyUntil = view.time;
  if (direction.sendCount === 0) direction.sendFirst = m;
  else mbuf(direction.sendLast).nextpkt = m;
  direction.sendLast = m;
  direction.sendCount++;
}

/** Frames whose last bit has left by `time` go on their way. */
function release(direction: Direction, time: number): void {
  while (direction.sendCount > 0) {
    const m = direction.sendFirst;
    const view = mbuf(m);
    if (view.time > time) return;
    direction.sendFirst = view.nextpkt;
    direction.sendCount--;
    view.nextpkt = 0;
    goOn(direction, m, view.time);
  }
}

/** The delay: sets when the frame arrives and puts it among those under way. */
function goOn(direction: Direction, m: number, departure: number): void {
  const view = mbuf(m);
  if (chance(direction, direction.reorder)) {
    view.time = departure;
    putOnWay(direction, m);
    return;
  }
  const jitter = direction.jitter === 0 ? 0 : (2 * randomUnit(direction.ptr + RANDOM) - 1) * direction.jitter;
  view.time = Math.max(departure + Math.max(0, direction.delay + jitter), direction.lastArrival);
  direction.lastArrival = view.time;
  putOnWay(direction, m);
}

function putOnWay(direction: Direction, m: number): void {
  const view = mbuf(m);
  const time = view.time;
  if (direction.wayFirst === 0) {
    direction.wayFirst = m;
    direction.wayLast = m;
    return;
  }
  if (mbuf(direction.wayLast).time <= time) {
    mbuf(direction.wayLast).nextpkt = m;
    direction.wayLast = m;
    return;
  }
  let before = 0;
  let at = direction.wayFirst;
  while (mbuf(at).time <= time) {
    before = at;
    at = mbuf(at).nextpkt;
  }
  view.nextpkt = at;
  if (before === 0) direction.wayFirst = m;
  else mbuf(before).nextpkt = m;
}

/** Frames that have arrived by `time` are gathered. */
function collect(direction: Direction, time: number): void {
  while (direction.wayFirst !== 0) {
    const m = direction.wayFirst;
    const view = mbuf(m);
    if (view.time > time) return;
    direction.wayFirst = view.nextpkt;
    if (direction.wayFirst === 0) direction.wayLast = 0;
    gather(m);
  }
}

/** When the link has to look again, ns; Infinity if nothing is under way. */
function nextEvent(direction: Direction): number {
  const way = direction.wayFirst === 0 ? Infinity : mbuf(direction.wayFirst).time;
  return direction.sendCount === 0 ? way : Math.min(way, mbuf(direction.sendFirst).time);
}

function serviceDirection(link: Link, direction: Direction, time: number): number {
  const plug = plugs.get(direction.plug);
  const m = dequeueAll(plugOut(plug));
  if (plug.blocked !== 0) {
    plug.blocked = 0;
    if (plug.device !== 0) raise(plug.device);
  }
  if (m !== 0 && !passAll(link, direction, m)) enterAll(link, direction, m);
  if (direction.perfect === 0) {
    release(direction, time);
    collect(direction, time);
  }
  arrive(direction);
  return nextEvent(direction);
}

function serviceLink(ptr: number): boolean {
  const link = links.get(ptr);
  const time = refreshNow();
  let next = Infinity;
  for (let at = link.directions; at !== 0;) {
    const direction = directions.get(at);
    next = Math.min(next, serviceDirection(link, direction, time));
    at = direction.next;
  }
  if (next !== Infinity) raiseAt(link.source, next);
  return true;
}

/** Tells the runtime of this thread what services links. */
export function installLinks(): void {
  setSourceHandler(HANDLER.link, serviceLink);
}
