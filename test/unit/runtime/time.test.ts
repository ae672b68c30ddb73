import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { memory, region } from '../../../stack/memory/memory.ts';
import {
  isVirtual,
  jumpTo,
  labSeed,
  now,
  readClock,
  refreshNow,
  startClock,
  wallClock,
} from '../../../stack/runtime/clock.ts';
import { random32, randomUnit, seedRandom } from '../../../stack/runtime/random.ts';
import { REASON, TRACE, readTrace, setTracing, trace, tracing } from '../../../stack/runtime/trace.ts';

describe('the virtual clock', () => {
  test('stands still until it is told to jump, and never goes back', () => {
    startClock('virtual', 7);
    expect([isVirtual(), labSeed(), refreshNow()]).toEqual([true, 7, 0]);
    jumpTo(5e9);
    expect(now()).toBe(0);
    expect(refreshNow()).toBe(5e9);
    jumpTo(4e9);
    expect(refreshNow()).toBe(5e9);
  });

  test('begins at the same second of every calendar', () => {
    startClock('virtual', 1);
    expect(wallClock(1.5e9)).toBe(BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n + 1_500_000_000n);
  });
});

describe('the real clock', () => {
  test('runs forward from 0 and tells one time for the work of one batch', async () => {
    startClock('real', 1);
    const first = refreshNow();
    expect(first).toBeGreaterThanOrEqual(0);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(now()).toBe(first);
    expect(readClock()).toBeGreaterThanOrEqual(first + 4e6);
    expect(now()).toBe(first);
    expect(refreshNow()).toBeGreaterThan(first);
    const wall = Number(wallClock(readClock()) / 1_000_000n);
    expect(Math.abs(wall - Date.now())).toBeLessThan(1000);
  });

  test('is the same in another thread', async () => {
    startClock('real', 1);
    const url = new URL('../../../dist/stack/runtime/clock.js', import.meta.url).href;
    const code = `import(${JSON.stringify(url)}).then(({ readClock }) => {
      require('node:worker_threads').parentPort.on('message', () => {
        require('node:worker_threads').parentPort.postMessage(readClock());
      });
      require('node:worker_threads').parentPort.postMessage(0);
    });`;
    const worker = new Worker(code, { eval: true, workerData: { stackscope: { memory, thread: 1 } } });
    const reading = (): Promise<number> =>
      new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await reading();
    for (let i = 0; i < 5; i++) {
      const before = readClock();
      worker.postMessage('read');
      const there = await reading();
      // A tenth of a millisecond for what the readings of the two origins may differ.
      expect(there).toBeGreaterThan(before - 1e5);
      expect(there).toBeLessThan(readClock() + 1e5);
    }
    await worker.terminate();
  });
});

describe('random numbers', () => {
  const place = region('random test', 64);
  const series = (seed: number, name: string): number[] => {
    startClock('virtual', seed);
    seedRandom(place, name);
    return Array.from({ length: 8 }, () => random32(place));
  };

  test('are the same for the same seed and name, and different for any other', () => {
    expect(series(1, 'alpha')).toEqual(series(1, 'alpha'));
    const firsts = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      for (const name of ['alpha', 'beta', 'wire alpha>beta', 'wire beta>alpha'])
        firsts.add(series(seed, name)[0]!);
    }
    expect(firsts.size).toBe(200);
  });

  test('fall evenly into [0, 1)', () => {
    startClock('virtual', 3);
    seedRandom(place, 'even');
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) counts[Math.floor(randomUnit(place) * 10)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

describe('the trace', () => {
  test('holds what was written while it is on, oldest first, and begins empty', () => {
    startClock('virtual', 1);
    setTracing(true);
    expect([tracing(), readTrace()]).toEqual([true, []]);
    trace(TRACE.contextTaken, 100, 200, REASON.afterHardware);
    jumpTo(1000);
    trace(TRACE.contextLeft, 100, 200, REASON.drained);
    expect(readTrace()).toEqual([
      {
        time: 0,
        thread: 0,
        kind: TRACE.contextTaken,
        source: 100,
        stack: 200,
        reason: REASON.afterHardware,
        level: 0,
      },
      {
        time: 1000,
        thread: 0,
        kind: TRACE.contextLeft,
        source: 100,
        stack: 200,
        reason: REASON.drained,
        level: 0,
      },
    ]);
    setTracing(false);
    expect([tracing(), readTrace().length]).toEqual([false, 2]);
    setTracing(true);
    expect(readTrace()).toEqual([]);
    setTracing(false);
  });

  test('keeps the newest entries when it is full', () => {
    startClock('virtual', 1);
    setTracing(true);
    for (let i = 1; i <= 70_000; i++) trace(TRACE.raise, i, 0, REASON.none);
    const entries = readTrace();
    expect(entries.length).toBe(65_536);
    expect([entries[0]!.source, entries.at(-1)!.source]).toEqual([70_000 - 65_535, 70_000]);
    setTracing(false);
  });
});
