/** A thread of the pool that serves the model until it is told to stop. */
import { serve } from '../../../stack/runtime/loop.ts';
import { COUNTER, installModel, readCounter } from './pool-model.ts';

installModel();
serve(() => readCounter(COUNTER.stop) !== 0);
