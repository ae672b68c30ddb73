/**
 * Priority queueing: the queue of the highest priority that has packets is served first.
 */
import { queueLength } from '../../memory/queue.ts';
import { choice, eachClass, packetsOf } from './record.ts';
import type { Discipline } from './record.ts';

export const priq: Discipline = {
  arrived: () => undefined,
  choose(altq) {
    choice.cl = 0;
    choice.at = Infinity;
    let best = -1;
    eachClass(altq, (cl) => {
      if (cl.priority <= best || queueLength(packetsOf(cl)) === 0) return;
      best = cl.priority;
      choice.cl = cl.ptr;
    });
  },
  sent: () => undefined,
};
