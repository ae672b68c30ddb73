/**
 * `fragment crop` and `fragment drop-ovl` of scrub: fragments go on as they are, but of each datagram it is known which bytes have passed. What has passed already is cut off
 * (crop), or the fragment is dropped, and with it the rest of the datagram (drop-ovl).
 */
import { be16, putBe16, u32, u8 } from '../../memory/memory.ts';
import { mTrimFront, mTrimTo, mPrepend } from '../../memory/mbuf-chain.ts';
import { mbuf } from '../../memory/mbuf.ts';
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';
import { putChecksum, sumBytes } from '../../memory/checksum.ts';
import { SECOND, now } from '../../runtime/clock.ts';
import { IP_ID, IP_LENGTH, IP_MF, IP_OFF, IP_OFFMASK, IP_SUM } from '../../netinet/ip.ts';
import { pd } from './packet.ts';
import type { Pf } from './records.ts';
import { TIMEOUT, limitOf, timeoutOf } from './states.ts';

/** Ranges of bytes that are remembered of a datagram; one with more holes than that is dropped. */
const MOST_RANGES = 15;

const datagramStruct = struct('pffragments', {
  next: 'ptr',
  nextpkt: 'ptr',
  source: 'u32',
  destination: 'u32',
  id: 'u16',
  protocol: 'u8',
  /** 1 once an overlap has condemned it. */
  condemned: 'u8',
  count: 'u32',
  expires: 'f64',
  /** Pairs of first byte and the one behind the last, sorted. */
  ranges: { bytes: MOST_RANGES * 8 },
});
type Datagram = ViewOf<typeof datagramStruct>;
const datagrams = slab(datagramStruct, 8192);

function sameDatagram(entry: Datagram): boolean {
  const { source, destination, id, protocol } = entry;
  return (
    source === pd.source &&
    destination === pd.destination &&
    id === be16(pd.ip + IP_ID) &&
    protocol === pd.protocol
  );
}

function find(pf: Pf): Datagram | undefined {
  for (let ptr = pf.fragmentQueues; ptr !== 0; ptr = datagrams.get(ptr).next)
    if (sameDatagram(datagrams.get(ptr))) return datagrams.get(ptr);
  return undefined;
}

function make(pf: Pf): Datagram | undefined {
  const most = limitOf(pf, 'frags');
  const ptr = most !== 0 && pf.fragments >= most ? 0 : datagrams.alloc();
  if (ptr === 0) return undefined;
  const entry = datagrams.get(ptr);
  entry.source = pd.source;
  entry.destination = pd.destination;
  entry.id = be16(pd.ip + IP_ID);
  entry.protocol = pd.protocol;
  entry.next = pf.fragmentQueues;
  pf.fragmentQueues = ptr;
  pf.fragments++;
  return entry;
}

function rangeAt(entry: Datagram, i: number): number {
  return (entry.ranges >>> 2) + 2 * i;
}

/** The part of [start, end) that is new, cut at known ranges: the first such part. Empty if all is known. */
function newPart(entry: Datagram, start: number, end: number): readonly [number, number] {
  let from = start;
  for (let i = 0; i < entry.count; i++) {
    const at = rangeAt(entry, i);
    const known = u32[at]!;
    const behind = u32[at + 1]!;
    if (behind <= from) continue;
    if (known > from) return [from, Math.min(end, known)];
    from = behind;
    if (from >= end) break;
  }
  return [from, Math.max(from, end)];
}

/** Notes that [start, end) has passed; false when there are too many holes. */
function addRange(entry: Datagram, start: number, end: number): boolean {
  const ranges: [number, number][] = [];
  for (let i = 0; i < entry.count; i++) ranges.push([u32[rangeAt(entry, i)]!, u32[rangeAt(entry, i) + 1]!]);
  ranges.push([start, end]);
  ranges.sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && last[1] >= range[0]) last[1] = Math.max(last[1], range[1]);
    else merged.push(range);
  }
  if (merged.length > MOST_RANGES) return false;
  merged.forEach(([from, to], i) => {
    u32[rangeAt(entry, i)] = from;
    u32[rangeAt(entry, i) + 1] = to;
  });
  entry.count = merged.length;
  return true;
}

const savedHeader = new Uint8Array(60);

/** Makes the fragment at hand one of [from, to) instead of [start, end). False when buffers are exhausted: it is gone then. */
function cut(start: number, from: number, to: number, more: boolean): boolean {
  const { header } = pd;
  mTrimTo(pd.m, header + to - start);
  if (from > start) {
    savedHeader.set(u8.subarray(pd.ip, pd.ip + header));
    mTrimFront(pd.m, header + from - start);
    pd.m = mPrepend(pd.m, header);
    if (pd.m === 0) return false;
    u8.set(savedHeader.subarray(0, header), mbuf(pd.m).data);
  }
  const p = mbuf(pd.m).data;
  putBe16(p + IP_LENGTH, header + to - from);
  putBe16(p + IP_OFF, (be16(p + IP_OFF) & ~(IP_OFFMASK | IP_MF)) | (from >>> 3) | (more ? IP_MF : 0));
  putBe16(p + IP_SUM, 0);
  putChecksum(p + IP_SUM, sumBytes(p, header));
  return true;
}

/** Lets the fragment at hand, whose header is ours, go on: as much of it as has not passed yet. False if nothing of it may. */
export function passFragment(dropOverlap: boolean): boolean {
  const { pf } = pd;
  const entry = find(pf) ?? make(pf);
  if (entry === undefined || entry.condemned === 1) return false;
  entry.expires = now() + timeoutOf(pf, TIMEOUT.frag) * SECOND;
  const start = (be16(pd.ip + IP_OFF) & IP_OFFMASK) << 3;
  const end = start + pd.length - pd.header;
  const [from, to] = newPart(entry, start, end);
  const whole = from === start && to === end;
  if (!whole && dropOverlap) {
    entry.condemned = 1;
    return false;
  }
  if (to <= from || (from & 7) !== 0 || !addRange(entry, from, to)) return false;
  const more = (be16(pd.ip + IP_OFF) & IP_MF) !== 0 || to < end;
  return whole || cut(start, from, to, more);
}

/** Forgets datagrams whose time is over, or all. */
export function purgeFragments(pf: Pf, all: boolean): void {
  let previous = 0;
  for (let ptr = pf.fragmentQueues; ptr !== 0;) {
    const { next, expires } = datagrams.get(ptr);
    if (all || expires <= now()) {
      if (previous === 0) pf.fragmentQueues = next;
      else datagrams.get(previous).next = next;
      datagrams.free(ptr);
      pf.fragments--;
    } else previous = ptr;
    ptr = next;
  }
}
