/**
 * Priority queueing: the queue of the highest priority that has packets is served first.
 */
import { queueLength } from '../../memory/queue.ts';
import { choice, classes, packetsOf } from './record.ts';
import type { Discipline } from './record.ts';

export const priq: Discipline = {
  arrived: () => undefined,
  choose(altq) {
    choice.cl = 0;
    choice.at = Infinity;
    let best = -1;
    for (let ptr = altq.classes; ptr !== 0; ptr = classes.get(ptr).next) {
      const cl = classes.get(ptr);
      if (cl.priority <= best || queueLength(packetsOf(cl)) === 0) continue;
      best = cl.priority;
      choice.cl = ptr;
    }
  },
  sent: () => undefined,
};
