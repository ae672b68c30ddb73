/**
 * The queues of altq as those who ask are told of them.
 */
import type { PfQueueInfo } from '../../filter/pf/ioctl.ts';
import type { Pf } from './records.ts';
import { loadedAltq } from './transaction.ts';

/** The queues with their counters. */
export function listQueues(pf: Pf): PfQueueInfo[] {
  return loadedAltq(pf).queues.map((queue) => ({
    queue,
    packets: 0,
    bytes: 0,
    droppedPackets: 0,
    droppedBytes: 0,
    length: 0,
    borrows: 0,
    suspends: 0,
  }));
}
