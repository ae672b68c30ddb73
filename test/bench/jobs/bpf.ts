/**
 * How many packets per second a filter decides about: one of the engines on frames in clusters, of which every other one passes.
 */
import { compileFilter } from '../../../stack/filter/bpf/language/compile.ts';
import { mFree, ownerTag } from '../../../stack/memory/mbuf.ts';
import { mFromBytes } from '../../../stack/memory/mbuf-chain.ts';
import { BPF_ENGINES } from '../../../stack/net/bpf/engine.ts';
import type { BpfEngine } from '../../../stack/net/bpf/engine.ts';
import { BPF_BATCH, describePacket, resultOf } from '../../../stack/net/bpf/packet-batch.ts';
import { benchFrames } from './bpf-frames.ts';

export interface BpfJobOptions {
  readonly engine: BpfEngine;
  /** Packets that are decided about at once, 1 to 32. */
  readonly batch: number;
  readonly expression: string;
  /** Seconds. */
  readonly measured: number;
  readonly warmUp: number;
}

const EN10MB = 1;
/** Packets between two looks at the clock. */
const STRIDE = 32_768;

/** Packets per second. */
export function bpfJob({ engine, batch, expression, measured, warmUp }: BpfJobOptions): number {
  const compiled = compileFilter(expression, { linkType: EN10MB });
  if ('error' in compiled) throw new Error(compiled.error.message);
  const filter = BPF_ENGINES[engine](compiled.program);
  const packets = benchFrames(BPF_BATCH).map((bytes) => mFromBytes(ownerTag('test'), bytes, 2));
  let taken = 0;
  const decide = (count: number): void => {
    for (let done = 0; done < count; done += batch) {
      for (let i = 0; i < batch; i++) describePacket(i, packets[(done + i) % packets.length]!);
      filter(batch);
      for (let i = 0; i < batch; i++) if (resultOf(i) !== 0) taken++;
    }
  };
  const run = (seconds: number): number => {
    const start = performance.now();
    let decided = 0;
    let elapsed = 0;
    for (; elapsed < seconds * 1000; elapsed = performance.now() - start) {
      decide(STRIDE);
      decided += STRIDE;
    }
    return (decided / elapsed) * 1000;
  };
  run(warmUp);
  taken = 0;
  const rate = run(measured);
  for (const m of packets) mFree(m);
  if (taken === 0) throw new Error('the filter takes no packet');
  return rate;
}
