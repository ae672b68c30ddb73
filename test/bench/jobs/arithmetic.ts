/**
 * Threads that do nothing but arithmetic, in registers: what the machine gives to more than one.
 */
import { Worker } from 'node:worker_threads';
import type { Timing } from './transfer.ts';

/** One run: operations per second of all threads together. */
export async function arithmeticJob({
  threads,
  ...timing
}: Timing & { readonly threads: number }): Promise<number> {
  const entry = new URL('./arithmetic-worker.js', import.meta.url);
  const rates = Array.from({ length: threads }, () => {
    const worker = new Worker(entry, { workerData: timing });
    return new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
}
