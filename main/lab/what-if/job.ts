/** Runs what-if beside a lab that runs: in a thread of its own, which is ended when it takes too long. */
import { Worker } from 'node:worker_threads';
import type { PfInterface } from '../../../stack/filter/pf/environment.ts';
import type { PfGeneration } from '../../../stack/filter/pf/ruleset.ts';
import type { WhatIfResult } from './what-if.ts';

/** What is to be tried; all of it can be sent to another thread. */
export interface WhatIfJob {
  readonly file: string;
  readonly text: string;
  readonly generation: PfGeneration;
  readonly interfaces: readonly PfInterface[];
  /** The capture, as a file has it. */
  readonly capture: Uint8Array;
  readonly interface: string;
  readonly direction: 'in' | 'out' | 'both';
  /** Texts of the files that the rules name, by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** ms after which a run is given up. */
const LONGEST = 60_000;

function workerEntry(): URL {
  const here = import.meta.url;
  // Node 20 starts no TypeScript: tests, which run the sources, start what was built from them.
  const built = here.endsWith('.ts') ? '../../../dist/main/lab/what-if/worker.js' : './worker.js';
  return new URL(built, here);
}

/** Rejects with a message for the user when the capture cannot be read, or it takes too long. */
export function runWhatIf(job: WhatIfJob): Promise<WhatIfResult> {
  const worker = new Worker(workerEntry(), { name: 'what-if', execArgv: [], workerData: { whatIf: job } });
  return new Promise<WhatIfResult>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`what-if has taken more than ${LONGEST / 1000} s; choose fewer packets`));
      void worker.terminate();
    }, LONGEST);
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => {
      clearTimeout(timer);
      reject(new Error('what-if ended without a result'));
    });
  });
}
