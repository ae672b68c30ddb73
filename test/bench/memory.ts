/*
 * What moving a handle through a ring and taking and freeing a packet buffer cost on one thread, in nanoseconds each. The
 * buffers' peer is what a program without a pool would use: a Buffer per packet.
 */
import { region } from '../../stack/memory/memory.ts';
import { mFree, mFreeOne, mGetCluster, mGetHeader, ownerTag } from '../../stack/memory/mbuf.ts';
import { mpscRing, ringBytes, spscRing } from '../../stack/memory/ring.ts';
import type { Ring } from '../../stack/memory/ring.ts';
import type { Row } from './row.ts';

/** Does its job so many times over. */
type Work = (times: number) => void;

interface Case {
  readonly name: string;
  readonly work: Work;
  readonly peer?: Work;
}

const operationsPerRound = 1_000_000;
/** The best of several rounds: another process on the same core only ever makes a round slower. */
const rounds = 9;
const ringCapacity = 1024;
const inFlight = 32;
const clusterBytes = 2048;
const owner = ownerTag('test');

function ringWork(ring: Ring, batch: number): Work {
  const words = new Uint32Array(batch).map((_, i) => i + 1);
  return (times) => {
    let moved = 0;
    while (moved < times) {
      ring.push(words, 0, batch);
      moved += ring.pull(words, batch);
    }
    if (ring.length() !== 0) throw new Error(`${ring.length()} words are left in the ring`);
  };
}

/** Takes and frees buffers, 32 at a time in use, as a batch of packets is. */
function bufferWork(take: (owner: number, lead: number) => number, free: (m: number) => void): Work {
  const held = new Uint32Array(inFlight);
  return (times) => {
    for (let done = 0; done < times; done += inFlight) {
      for (let i = 0; i < inFlight; i++) held[i] = take(owner, 2);
      for (let i = 0; i < inFlight; i++) free(held[i]!);
    }
  };
}

function nodeBufferWork(bytes: number): Work {
  const held: (Buffer | undefined)[] = new Array<Buffer | undefined>(inFlight).fill(undefined);
  return (times) => {
    for (let done = 0; done < times; done += inFlight) {
      for (let i = 0; i < inFlight; i++) held[i] = Buffer.allocUnsafe(bytes);
      held.fill(undefined);
    }
  };
}

function ringCases(): Case[] {
  const spsc = spscRing(region('bench spsc', ringBytes(ringCapacity)), ringCapacity);
  const mpsc = mpscRing(region('bench mpsc', ringBytes(ringCapacity)), ringCapacity);
  return [1, 32].flatMap((batch) => [
    { name: `SPSC ring, batch ${batch}`, work: ringWork(spsc, batch) },
    { name: `MPSC ring, batch ${batch}`, work: ringWork(mpsc, batch) },
  ]);
}

function bufferCases(): Case[] {
  return [
    { name: 'mbuf, header', work: bufferWork(mGetHeader, mFreeOne), peer: nodeBufferWork(192) },
    { name: 'mbuf, cluster', work: bufferWork(mGetCluster, mFree), peer: nodeBufferWork(clusterBytes) },
  ];
}

function nanoseconds(work: Work): number {
  const start = performance.now();
  work(operationsPerRound);
  return ((performance.now() - start) * 1e6) / operationsPerRound;
}

/** Measures a case and its peer in turns. */
function measure({ name, work, peer }: Case): Row {
  let value = Infinity;
  let peerValue = Infinity;
  for (let round = 0; round < rounds; round++) {
    value = Math.min(value, nanoseconds(work));
    if (peer !== undefined) peerValue = Math.min(peerValue, nanoseconds(peer));
  }
  const row = { name, value, unit: 'ns' };
  return peer === undefined ? row : { ...row, peer: peerValue, ratio: peerValue / value };
}

/** Measures rings with batches of 1 and 32. */
export function benchRings(): Row[] {
  return ringCases().map(measure);
}

/** Measures mbufs with and without a cluster. */
export function benchMbufs(): Row[] {
  return bufferCases().map(measure);
}
