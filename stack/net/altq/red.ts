/**
 * Random early detection (Floyd and Jacobson 1993): a queue whose average length grows drops packets before it is full, the more often the longer it is; with ECN a packet that
 * can be marked is marked instead (RFC 3168 §5).
 */
import { be16, putBe16, u8 } from '../../memory/memory.ts';
import { mbuf } from '../../memory/mbuf.ts';
import { mWritableFront } from '../../memory/mbuf-chain.ts';
import { foldSum } from '../../memory/checksum.ts';
import { randomUnit } from '../../runtime/random.ts';
import { ETHERTYPE_IP, ETHER_HEADER } from '../ethernet.ts';
import { stackStruct } from '../stack.ts';
import type { AltqClass } from './record.ts';

const RANDOM = stackStruct.offsets.random;
/** Weight of the present length in the average; thresholds in packets; how many are dropped at the upper one. */
const WEIGHT = 1 / 512;
const LEAST = 5;
const MOST = 15;
const PROBABILITY = 0.1;
const CONGESTION = 3;

/** Whether a packet is to be dropped, or marked, on its way into a queue of `length` packets. `limit`: most packets of the queue. */
export function isEarly(cl: AltqClass, length: number, stack: number): boolean {
  cl.average = length === 0 ? cl.average * (1 - WEIGHT * 8) : cl.average + (length - cl.average) * WEIGHT;
  if (cl.average < LEAST) {
    cl.sinceDrop = 0;
    return false;
  }
  cl.sinceDrop++;
  const share = cl.average >= MOST ? 1 : ((cl.average - LEAST) / (MOST - LEAST)) * PROBABILITY;
  const early = randomUnit(stack + RANDOM) < Math.min(1, share / Math.max(0.01, 1 - cl.sinceDrop * share));
  if (early) cl.sinceDrop = 0;
  return early;
}

/** True if the ends of the packet in a frame know what a mark means. */
export function canMark(m: number): boolean {
  const { data, len } = mbuf(m);
  if (len < ETHER_HEADER + 20 || be16(data + 12) !== ETHERTYPE_IP) return false;
  return (u8[data + ETHER_HEADER + 1]! & CONGESTION) !== 0;
}

/** Marks the packet in a frame that can be marked. Returns the frame, or 0 when buffers are exhausted: it is gone then. */
export function markCongestion(m: number): number {
  const own = mWritableFront(m, ETHER_HEADER + 20);
  if (own === 0) return 0;
  const ip = mbuf(own).data + ETHER_HEADER;
  const before = be16(ip);
  const after = before | CONGESTION;
  putBe16(ip, after);
  const sum = foldSum((~be16(ip + 10) & 0xffff) + (~before & 0xffff) + after);
  putBe16(ip + 10, ~sum & 0xffff);
  return own;
}
