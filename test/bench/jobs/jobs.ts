/**
 * The measurements that run in processes of their own, by name.
 */
import { benchKernels } from '../kernels.ts';
import { benchMbufs, benchRings } from '../memory.ts';
import { allocationsJob } from './allocations.ts';
import { arithmeticJob } from './arithmetic.ts';
import { bpfJob } from './bpf.ts';
import { capturedStreamJob } from './captured-stream.ts';
import { chainJob } from './chain.ts';
import { datagramsJob } from './datagrams.ts';
import { forwardingJob } from './forwarding.ts';
import { manyNodesJob } from './many-nodes.ts';
import { pairsJob } from './pairs.ts';
import { streamJob } from './stream.ts';
import { whatIfJob } from './what-if.ts';

/** Options are what the bench that starts a job gives it. */
export const jobs = {
  kernels: (_options: object) => benchKernels(),
  rings: (_options: object) => benchRings(),
  mbufs: (_options: object) => benchMbufs(),
  stream: streamJob,
  capturedStream: capturedStreamJob,
  datagrams: datagramsJob,
  forwarding: forwardingJob,
  allocations: allocationsJob,
  chain: chainJob,
  pairs: pairsJob,
  arithmetic: arithmeticJob,
  manyNodes: manyNodesJob,
  bpf: bpfJob,
  whatIf: whatIfJob,
} as const;
export type Jobs = typeof jobs;

/** A job with its options. */
export type AnyJob = {
  [N in keyof Jobs]: { readonly name: N; readonly options: Parameters<Jobs[N]>[0] };
}[keyof Jobs];
