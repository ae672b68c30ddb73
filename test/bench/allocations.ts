/**
 * What the path of a packet allocates in the heap of JavaScript: nothing, once it is warm.
 */
import { runJob } from './child.ts';
import type { AllocatingPath } from './jobs/allocations.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

/** An object for each packet would be 12 bytes or more; what there is comes with the calls of programs, a view for every 64 KiB. */
const MOST_BYTES = 4;
const PATHS: Readonly<Record<AllocatingPath, string>> = {
  bridge: 'bridge',
  ipflow: 'ipflow',
  tcp: 'TCP bulk',
};

export async function benchAllocations({ seconds, warmUp }: Effort): Promise<Measured[]> {
  const rows: Measured[] = [];
  for (const [path, name] of Object.entries(PATHS) as [AllocatingPath, string][]) {
    const options = { path, measured: seconds, warmUp };
    const bytes = await runJob('allocations', options);
    const judged = row(`${name}: heap allocated by the path of a packet`, [bytes], 'bytes/packet', {
      mostValue: MOST_BYTES,
    });
    rows.push(by({ name: 'allocations', options }, judged));
  }
  return rows;
}
