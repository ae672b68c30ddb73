import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { jumpTo, refreshNow, startClock } from '../../../stack/runtime/clock.ts';
import { runQueued, turn } from '../../../stack/runtime/loop.ts';
import {
  nextDeadline,
  nothingFor,
  popOwn,
  resetRunQueues,
  runQueue,
  setDedicated,
  steal,
} from '../../../stack/runtime/run-queue.ts';
import {
  freeSource,
  moveHome,
  raise,
  raiseAt,
  raiseAtLevel,
  requeueAfterDeath,
  service,
  sourceIsIdle,
  sources,
} from '../../../stack/runtime/source.ts';
import { recordServices, serviced, testSource } from './sources.ts';

const MS = 1e6;

beforeEach(() => {
  sources.each(({ ptr }) => freeSource(ptr));
  startClock('virtual', 1);
  refreshNow();
  resetRunQueues(1);
  recordServices();
});

describe('a source', () => {
  test('raised any number of times before its service is serviced once', () => {
    const source = testSource(7, 21);
    for (let i = 0; i < 5; i++) raise(source);
    expect(sourceIsIdle(source)).toBe(false);
    expect(runQueued(100)).toBe(false);
    expect(serviced).toEqual([7]);
    expect([sourceIsIdle(source), sources.get(source).serviced]).toEqual([true, 1]);
  });

  test('raised while it is serviced is serviced once more', () => {
    const source = testSource(7, 21);
    recordServices(() => {
      if (serviced.length === 1) for (let i = 0; i < 3; i++) raise(source);
      return true;
    });
    raise(source);
    runQueued(100);
    expect(serviced).toEqual([7, 7]);
    expect(sourceIsIdle(source)).toBe(true);
  });

  test('is raised at its own level unless somebody asks for another one, and has its own again after that', () => {
    const [urgent, usual, lax] = [testSource(1, 30), testSource(2, 21), testSource(3, 21)];
    raiseAtLevel(lax, 10);
    raise(usual);
    raise(urgent);
    runQueued(100);
    expect(serviced).toEqual([1, 2, 3]);
    raise(usual);
    raise(urgent);
    raiseAtLevel(lax, 40);
    runQueued(100);
    expect(serviced).toEqual([1, 2, 3, 3, 1, 2]);
    raise(lax);
    raise(usual);
    runQueued(100);
    expect(serviced).toEqual([1, 2, 3, 3, 1, 2, 3, 2]);
  });

  test('moves up in its queue when it becomes more urgent, never down', () => {
    const [usual, floating] = [testSource(1, 21), testSource(2, 21)];
    raiseAtLevel(floating, 10);
    raise(usual);
    raiseAtLevel(floating, 22);
    raiseAtLevel(floating, 5);
    expect(runQueue(0).count).toBe(2);
    runQueued(100);
    expect(serviced).toEqual([2, 1]);
  });

  test('raised while it is serviced is queued again at the level asked for', () => {
    const [floating, usual] = [testSource(1, 21), testSource(2, 21)];
    recordServices(() => {
      if (serviced.length !== 1) return true;
      raise(usual);
      raiseAtLevel(floating, 10);
      raiseAtLevel(floating, 8);
      return true;
    });
    raise(floating);
    runQueued(100);
    expect(serviced).toEqual([1, 2, 1]);
  });

  test('queued and moved at random is serviced in the order of levels, and of arrival there', () => {
    const step = fc.record({ which: fc.nat(11), level: fc.nat(63) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        recordServices();
        const all = Array.from({ length: 12 }, (_, arg) => testSource(arg, 21));
        const model = new Map<number, { level: number; order: number }>();
        steps.forEach(({ which, level }, order) => {
          raiseAtLevel(all[which]!, level);
          if (level > (model.get(which)?.level ?? -1)) model.set(which, { level, order });
        });
        expect(runQueue(0).count).toBe(model.size);
        runQueued(1000);
        const expected = [...model].sort(([, a], [, b]) => b.level - a.level || a.order - b.order);
        expect(serviced).toEqual(expected.map(([which]) => which));
        expect(all.every(sourceIsIdle)).toBe(true);
        all.forEach(freeSource);
      }),
    );
  });

  test('that moves to another home takes its place in the queue and its timer along', () => {
    const [queued, timed] = [testSource(1, 21, 1), testSource(2, 21, 1)];
    raiseAtLevel(queued, 30);
    raiseAt(timed, 5 * MS);
    moveHome(sources.get(queued), 0);
    moveHome(sources.get(timed), 0);
    expect([runQueue(0).count, runQueue(1).count]).toEqual([1, 0]);
    expect([runQueue(0).deadline, runQueue(1).deadline]).toEqual([5 * MS, Infinity]);
    jumpTo(5 * MS);
    runQueued(10);
    expect(serviced).toEqual([1, 2]);
  });

  test('that stops early goes behind the others of its priority', () => {
    const [first, second] = [testSource(1, 21), testSource(2, 21)];
    recordServices((arg) => arg !== 1 || serviced.length > 3);
    raise(first);
    raise(second);
    runQueued(100);
    expect(serviced).toEqual([1, 2, 1, 1]);
    expect([first, second].map(sourceIsIdle)).toEqual([true, true]);
  });

  test('is not lost when the thread that serviced it died', () => {
    const source = testSource(3, 21);
    raise(source);
    recordServices(() => {
      throw new Error('died');
    });
    expect(() => service(popOwn(0))).toThrow('died');
    recordServices();
    raise(source);
    expect(turn()).toBe(false);
    requeueAfterDeath(source);
    runQueued(10);
    expect(serviced).toEqual([3]);
    expect(sourceIsIdle(source)).toBe(true);
  });

  test('that was queued can be raised again when all queues have been reset', () => {
    const source = testSource(4, 21);
    raise(source);
    raiseAt(source, 10 * MS);
    resetRunQueues(1);
    expect([nothingFor(0), nextDeadline()]).toEqual([true, Infinity]);
    raise(source);
    runQueued(10);
    raiseAt(source, 20 * MS);
    expect(nextDeadline()).toBe(20 * MS);
    jumpTo(nextDeadline());
    runQueued(10);
    expect(serviced).toEqual([4, 4]);
  });
});

describe('a run queue', () => {
  test('gives the most urgent source first, and the first raised of those', () => {
    const priorities = fc.array(fc.nat(63), { maxLength: 60 });
    fc.assert(
      fc.property(priorities, (list) => {
        recordServices();
        const all = list.map((priority, arg) => testSource(arg, priority));
        all.forEach((source) => raise(source));
        expect(runQueue(0).count).toBe(list.length);
        runQueued(1000);
        const expected = list.map((priority, arg) => ({ priority, arg }));
        expected.sort((a, b) => b.priority - a.priority || a.arg - b.arg);
        expect(serviced).toEqual(expected.map(({ arg }) => arg));
        all.forEach(freeSource);
      }),
    );
  });

  test('is taken from by others only when their own is empty', () => {
    const foreign = testSource(1, 63, 1);
    const own = testSource(2, 1, 0);
    raise(foreign);
    raise(own);
    const stolen = runQueue(0).stolen;
    expect([turn(), turn(), turn()]).toEqual([true, true, false]);
    expect(serviced).toEqual([2, 1]);
    expect(runQueue(0).stolen).toBe(stolen + 1);
    expect(steal(0, true)).toBe(0);
  });

  test('is left to its own thread, unless that is busy, has more than it can take at once, or does not come', () => {
    const home = runQueue(1);
    home.staffed = 1;
    const [first, second] = [testSource(1, 21, 1), testSource(2, 21, 1)];
    raise(first);
    expect(steal(0, false)).toBe(0);
    expect(steal(0, true)).toBe(first);
    raise(second);
    home.current = first;
    expect(steal(0, false)).toBe(second);
    home.current = 0;
    service(first);
    service(second);
    raise(first);
    raise(second);
    expect([steal(0, false), steal(0, false)]).toEqual([first, 0]);
    service(first);
    // A thread that looks for work often enough takes what the other one has not come for.
    let turns = 0;
    while (!turn() && turns < 10_000) turns++;
    expect(turns).toBeGreaterThan(10);
    expect(turns).toBeLessThan(1000);
    expect(serviced).toEqual([1, 2, 1, 2]);
  });

  test('of a dedicated thread is left to it, and it takes nothing else', () => {
    const [foreign, own] = [testSource(1, 21, 1), testSource(2, 21, 0)];
    setDedicated(1, true);
    raise(foreign);
    expect([steal(0, true), nothingFor(0), nothingFor(1)]).toEqual([0, true, false]);
    raise(own);
    expect([nothingFor(0), runQueued(10), serviced]).toEqual([false, false, [2]]);
    setDedicated(0, true);
    setDedicated(1, false);
    expect([turn(), nothingFor(0), nothingFor(1)]).toEqual([false, true, false]);
    setDedicated(0, false);
    expect([nothingFor(0), turn(), serviced]).toEqual([false, true, [2, 1]]);
  });
});

describe('a timer of a source', () => {
  test('raises it at its time', () => {
    raiseAt(testSource(1, 21), 5 * MS);
    raiseAt(testSource(2, 21), 3 * MS);
    expect(turn()).toBe(false);
    jumpTo(3 * MS);
    runQueued(10);
    expect(serviced).toEqual([2]);
    jumpTo(6 * MS);
    runQueued(10);
    expect(serviced).toEqual([2, 1]);
    expect(nextDeadline()).toBe(Infinity);
  });

  test('stays at the earlier of two times, and moves to an earlier one', () => {
    const source = testSource(1, 21);
    raiseAt(source, 5 * MS);
    raiseAt(source, 9 * MS);
    expect(nextDeadline()).toBe(5 * MS);
    raiseAt(source, 2 * MS);
    expect(nextDeadline()).toBe(2 * MS);
  });

  test('is gone with its source, so that virtual time does not stop there', () => {
    const source = testSource(1, 21);
    raiseAt(source, 5 * MS);
    raiseAt(testSource(2, 21), 8 * MS);
    freeSource(source);
    expect(nextDeadline()).toBe(8 * MS);
    jumpTo(7 * MS);
    runQueued(10);
    expect(serviced).toEqual([]);
    jumpTo(8 * MS);
    runQueued(10);
    expect(serviced).toEqual([2]);
  });
});
