/**
 * The measurements that run in processes of their own, by name.
 */
import { streamJob } from './stream.ts';

/** Options are what the bench that starts a job gives it. */
export const jobs = {
  stream: streamJob,
} as const;
export type Jobs = typeof jobs;
