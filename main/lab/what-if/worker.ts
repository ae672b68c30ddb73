/**
 * What-if in a thread with a memory of its own: the lab that runs in this process has the one memory of the others. Given a job as workerData, it answers with one message.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DEFAULT_NAMES, namesOf } from '../../../stack/filter/pf/name-tables.ts';
import type { WhatIfJob } from './job.ts';
import { pfWhatIf } from './what-if.ts';

const { whatIf: job } = workerData as { readonly whatIf: WhatIfJob };

const result = await pfWhatIf({
  ...job,
  environment: { interfaces: job.interfaces, ...namesOf(DEFAULT_NAMES), hostAddresses: () => [] },
  readFile: (path) => job.files[path],
});
parentPort?.postMessage(result);
