/** A thread of the pool: serves the model until it is told to stop, or fights with others over the context of one stack. */
import { workerData } from 'node:worker_threads';
import { leave, tryEnter } from '../../../stack/runtime/context.ts';
import { serve } from '../../../stack/runtime/loop.ts';
import { REASON } from '../../../stack/runtime/trace.ts';
import { COUNTER, announceStart, count, installModel, readCounter, stacks } from './pool-model.ts';

/** Enter the context of `stack` so many times. */
export interface FightJob {
  readonly stack: number;
  readonly times: number;
  readonly threads: number;
}

function fight({ stack, times, threads }: FightJob): void {
  const view = stacks.get(stack);
  while (readCounter(COUNTER.started) < threads);
  for (let entered = 0; entered < times;) {
    if (!tryEnter(stack, 0, REASON.none)) continue;
    if (view.holders !== 0) count(COUNTER.twiceHeld);
    view.holders = 1;
    view.processed++;
    view.holders = 0;
    leave(stack, 0);
    entered++;
  }
}

const { job } = workerData as { job: FightJob | undefined };
installModel();
announceStart();
if (job !== undefined) fight(job);
else serve(() => readCounter(COUNTER.stop) !== 0);
