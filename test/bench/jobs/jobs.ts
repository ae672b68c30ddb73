/**
 * The measurements that run in processes of their own, by name.
 */
import { benchKernels } from '../kernels.ts';
import { benchMemory } from '../memory.ts';
import { capturedStreamJob } from './captured-stream.ts';
import { datagramsJob } from './datagrams.ts';
import { manyNodesJob } from './many-nodes.ts';
import { streamJob } from './stream.ts';

/** Options are what the bench that starts a job gives it. */
export const jobs = {
  kernels: (_options: object) => benchKernels(),
  memory: (_options: object) => benchMemory(),
  stream: streamJob,
  capturedStream: capturedStreamJob,
  datagrams: datagramsJob,
  manyNodes: manyNodesJob,
} as const;
export type Jobs = typeof jobs;
