// The shared memory under real threads. A thread may be stopped anywhere: what holds here must hold at any interleaving.
import { describe, expect, test } from 'vitest';
import { leakReport, mFree, mbuf, mbufReports } from '../../../stack/memory/mbuf.ts';
import { region, u32 } from '../../../stack/memory/memory.ts';
import { mpscRing, ringBytes, spscRing } from '../../../stack/memory/ring.ts';
import { slab } from '../../../stack/memory/slab.ts';
import { struct } from '../../../stack/memory/struct.ts';
import { startThread } from '../../support/threads.ts';
import type { RingJob, SlabJob } from './memory-thread.ts';

const entry = new URL('./memory-thread.ts', import.meta.url);
const capacity = 64;

/** Runs producers on threads of their own and returns, by producer, the numbers in the order in which they came. */
async function consume(
  job: Omit<RingJob, 'producer'>,
  producers: number,
  read: (word: number) => [number, number],
) {
  const ring = (job.ring === 'SPSC' ? spscRing : mpscRing)(job.place, capacity);
  const received = Array.from({ length: producers }, () => [] as number[]);
  const threads = received.map((_, i) =>
    startThread(entry, i + 1, { ...job, producer: i + 1 } satisfies RingJob),
  );
  const words = new Uint32Array(24);
  let left = job.count * producers;
  while (left > 0) {
    const n = ring.pull(words, 24);
    for (let i = 0; i < n; i++) {
      const [producer, number] = read(words[i]!);
      received[producer - 1]!.push(number);
    }
    left -= n;
    // The threads are started by the event loop of this one.
    if (n === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(threads.map(({ ended }) => ended));
  expect(ring.length()).toBe(0);
  return received;
}

describe.each([
  ['SPSC', 1],
  ['MPSC', 3],
] as const)('an %s ring between threads', (ring, producers) => {
  test('hands over every word once and in the order of its producer', async () => {
    const place = region(`${ring} between threads`, ringBytes(capacity));
    const count = 60_000;
    const job = { kind: 'words', ring, place, capacity, count } as const;
    const received = await consume(job, producers, (word) => [word >>> 24, word & 0xffffff]);
    const expected = Array.from({ length: count }, (_, i) => i);
    for (const numbers of received) expect(numbers).toEqual(expected);
  });

  test('hands over packets, which the other thread reads and frees', async () => {
    const place = region(`${ring} packets between threads`, ringBytes(capacity));
    const count = 20_000;
    const job = { kind: 'packets', ring, place, capacity, count } as const;
    const received = await consume(job, producers, (m) => {
      const word = mbuf(m).data >>> 2;
      const content: [number, number] = [u32[word]!, u32[word + 1]!];
      mFree(m);
      return content;
    });
    const expected = Array.from({ length: count }, (_, i) => i);
    for (const numbers of received) expect(numbers).toEqual(expected);
    expect(leakReport()).toEqual(new Map());
    const [mbufs, clusters] = mbufReports();
    expect([mbufs!.inUse, clusters!.inUse]).toEqual([0, 0]);
    expect([mbufs!.failures, clusters!.failures]).toEqual([0, 0]);
  });
});

test('a slab gives no record to two threads, and a lock admits one at a time', async () => {
  const job: SlabJob = {
    kind: 'slab',
    capacity: 50,
    rounds: 40_000,
    place: region('lock between threads', 128),
  };
  const records = slab(struct('slabThreads', { taken: 'u32', by: 'u32' }), job.capacity);
  await Promise.all([1, 2, 3].map((thread) => startThread(entry, thread, job).ended));
  expect(u32[(job.place >>> 2) + 16]).toBe(3 * job.rounds);
  expect(records.report()).toMatchObject({ inUse: 0, capacity: 50 });
  const all = Array.from({ length: 50 }, () => records.alloc());
  expect(new Set(all).size).toBe(50);
  expect(records.alloc()).toBe(0);
});
