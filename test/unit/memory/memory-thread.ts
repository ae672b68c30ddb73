/**
 * What other threads do in the tests of the shared memory: hand numbered words or packets to the test through a ring, or take and free
 * records of a slab.
 */
import { workerData } from 'node:worker_threads';
import { lock, unlock } from '../../../stack/memory/lock.ts';
import { mFree, mGetCluster, mGetHeader, mbuf, ownerTag } from '../../../stack/memory/mbuf.ts';
import { mSharePacket } from '../../../stack/memory/mbuf-chain.ts';
import { u32 } from '../../../stack/memory/memory.ts';
import { mpscRing, spscRing } from '../../../stack/memory/ring.ts';
import { slab } from '../../../stack/memory/slab.ts';
import { struct } from '../../../stack/memory/struct.ts';

export interface RingJob {
  readonly kind: 'words' | 'packets';
  readonly ring: 'SPSC' | 'MPSC';
  readonly place: number;
  readonly capacity: number;
  /** 1, 2, …: goes into the words beside their number. */
  readonly producer: number;
  readonly count: number;
}

export interface SlabJob {
  readonly kind: 'slab';
  readonly capacity: number;
  readonly rounds: number;
  /** A lock and a counter under it. */
  readonly place: number;
}

const owner = ownerTag('test');
/** Packets whose clusters are shared with packets in the ring. */
const kept: number[] = [];
const BATCHES = [1, 2, 3, 7, 32, 5, 1, 16];

function produce(job: RingJob): void {
  const ring = (job.ring === 'SPSC' ? spscRing : mpscRing)(job.place, job.capacity);
  const words = new Uint32Array(32);
  let next = 0;
  for (let round = 0; next < job.count; round++) {
    const batch = Math.min(BATCHES[round % BATCHES.length]!, job.count - next);
    for (let i = 0; i < batch; i++) words[i] = makeWord(job, next++);
    for (let done = 0; done < batch;) done += ring.push(words, done, batch - done);
    // The consumer frees its shares of the same clusters at this moment.
    for (const m of kept.splice(0)) mFree(m);
  }
}

/** A word with its producer and number, or the address of a packet that holds them. */
function makeWord(job: RingJob, number: number): number {
  if (job.kind === 'words') return (job.producer << 24) | number;
  const take = number % 2 === 0 ? mGetCluster : mGetHeader;
  let m = take(owner, 0);
  while (m === 0) m = take(owner, 0);
  const view = mbuf(m);
  u32[view.data >>> 2] = job.producer;
  u32[(view.data >>> 2) + 1] = number;
  view.len = 8;
  view.pktLen = 8;
  const share = number % 4 === 0 ? mSharePacket(owner, m) : 0;
  if (share === 0) return m;
  kept.push(m);
  return share;
}

function churn(job: SlabJob): void {
  const records = slab(struct('slabThreads', { taken: 'u32', by: 'u32' }), job.capacity);
  const held: number[] = [];
  for (let round = 0; round < job.rounds; round++) {
    const ptr = records.alloc();
    if (ptr !== 0) {
      const record = records.get(ptr);
      if (record.taken !== 0) throw new Error(`record ${ptr} was handed out twice`);
      record.taken = 1;
      held.push(ptr);
    }
    if (ptr === 0 || held.length > job.capacity / 3) for (const one of held.splice(0)) records.free(one);
    lock(job.place);
    u32[(job.place >>> 2) + 16]!++;
    unlock(job.place);
  }
  for (const one of held) records.free(one);
}

const { job } = workerData as { job: RingJob | SlabJob };
if (job.kind === 'slab') churn(job);
else produce(job);
