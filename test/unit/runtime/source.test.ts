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
  steal,
} from '../../../stack/runtime/run-queue.ts';
import {
  freeSource,
  raise,
  raiseAt,
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
    expect(steal(0)).toBe(0);
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
