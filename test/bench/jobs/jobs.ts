/**
 * The measurements that run in processes of their own, by name.
 */
import { benchKernels } from '../kernels.ts';
import { benchMbufs, benchRings } from '../memory.ts';
import { capturedStreamJob } from './captured-stream.ts';
import { datagramsJob } from './datagrams.ts';
import { manyNodesJob } from './many-nodes.ts';
import { streamJob } from './stream.ts';

/** Options are what the bench that starts a job gives it. */
export const jobs = {
  kernels: (_options: object) => benchKernels(),
  rings: (_options: object) => benchRings(),
  mbufs: (_options: object) => benchMbufs(),
  stream: streamJob,
  capturedStream: capturedStreamJob,
  datagrams: datagramsJob,
  manyNodes: manyNodesJob,
} as const;
export type Jobs = typeof jobs;
