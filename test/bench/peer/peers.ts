/**
 * The peers of one bench, closed when it ends, in whichever way.
 */
import { missingForVeth, openVethPair } from './veth.ts';
import type { VethPair } from './veth.ts';

export interface VethPeers {
  /** No offloads: the kernel sends packet by packet and computes every checksum, as our nodes do. */
  readonly plain: VethPair;
  readonly offloading: VethPair;
}

/** Calls `work` with the peers, or with undefined where they cannot be had, after saying so on the standard error. */
export async function withVeth<T>(work: (peers: VethPeers | undefined) => Promise<T>): Promise<T> {
  const missing = missingForVeth();
  if (missing !== undefined) {
    process.stderr.write(`no peer figures: ${missing}\n`);
    return work(undefined);
  }
  const open: VethPair[] = [];
  try {
    const plain = await openVethPair('none');
    open.push(plain);
    const offloading = await openVethPair('default');
    open.push(offloading);
    return await work({ plain, offloading });
  } finally {
    for (const pair of open) pair.close();
  }
}
