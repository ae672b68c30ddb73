import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { region, u32 } from '../../../stack/memory/memory.ts';
import {
  QUEUE_BYTES,
  dequeue,
  dequeueAll,
  enqueue,
  enqueueList,
  nextRecord,
  queueAt,
} from '../../../stack/memory/queue.ts';

const RECORD = 16;
const recordCount = 64;
const records = region('queue test records', RECORD * (recordCount + 1));
const recordAt = (n: number) => records + RECORD * (n + 1);
const queue = queueAt(region('queue test', QUEUE_BYTES));

function newQueue(max: number): void {
  Object.assign(queue, { head: 0, tail: 0, len: 0, drops: 0, max });
}

/** Links records; what is behind the last is deliberately no record. */
function link(list: readonly number[]): void {
  list.forEach((record, i) => {
    u32[(record >>> 2) + 1] = list[i + 1] ?? 0xdead;
  });
}

function walk(first: number): number[] {
  const list: number[] = [];
  for (let record = first; record !== 0; record = nextRecord(record)) list.push(record);
  return list;
}

describe('a queue', () => {
  test('gives records back in the order in which they came', () => {
    newQueue(0);
    expect(dequeue(queue)).toBe(0);
    for (const n of [3, 1, 2]) expect(enqueue(queue, recordAt(n))).toBe(true);
    expect(queue.len).toBe(3);
    expect([dequeue(queue), dequeue(queue), dequeue(queue), dequeue(queue)]).toEqual([
      recordAt(3),
      recordAt(1),
      recordAt(2),
      0,
    ]);
    expect(nextRecord(recordAt(1))).toBe(0);
  });

  test('refuses a record when it is full, and counts the drop', () => {
    newQueue(2);
    const accepted = [1, 2, 3, 4].map((n) => enqueue(queue, recordAt(n)));
    expect(accepted).toEqual([true, true, false, false]);
    expect([queue.len, queue.drops]).toEqual([2, 2]);
    expect(walk(dequeueAll(queue))).toEqual([recordAt(1), recordAt(2)]);
  });

  test('takes of a list what fits and hands back the rest, ended', () => {
    newQueue(4);
    enqueue(queue, recordAt(0));
    const list = [1, 2, 3, 4, 5].map(recordAt);
    link(list);
    const rest = enqueueList(queue, list[0]!, list[4]!, 5);
    expect(walk(rest)).toEqual([recordAt(4), recordAt(5)]);
    expect([queue.len, queue.drops]).toEqual([4, 2]);
    link(list.slice(3));
    expect(walk(enqueueList(queue, list[3]!, list[4]!, 2))).toEqual([recordAt(4), recordAt(5)]);
    expect(queue.drops).toBe(4);
    expect(walk(dequeueAll(queue))).toEqual([0, 1, 2, 3].map(recordAt));
    enqueue(queue, recordAt(9));
    expect(dequeue(queue)).toBe(recordAt(9));
  });

  test('takes nothing of a list while its limit is below what it holds', () => {
    newQueue(0);
    for (const n of [0, 1, 2]) enqueue(queue, recordAt(n));
    queue.max = 1;
    link([recordAt(5), recordAt(6)]);
    expect(enqueueList(queue, recordAt(5), recordAt(6), 2)).toBe(recordAt(5));
    expect([queue.len, queue.drops]).toEqual([3, 2]);
  });

  test('behaves like an array under any sequence of operations', () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('list' as const), count: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ kind: fc.constant('one' as const) }),
      fc.record({ kind: fc.constant('take' as const) }),
      fc.record({ kind: fc.constant('all' as const) }),
    );
    fc.assert(
      fc.property(fc.nat(10), fc.array(operation, { maxLength: 40 }), (max, operations) => {
        newQueue(max);
        const room = max === 0 ? Infinity : max;
        const free = Array.from({ length: recordCount }, (_, n) => recordAt(n));
        const model: number[] = [];
        let drops = 0;
        for (const step of operations) {
          if (step.kind === 'take') {
            const expected = model.shift() ?? 0;
            expect(dequeue(queue)).toBe(expected);
            if (expected !== 0) free.push(expected);
          } else if (step.kind === 'all') {
            expect(walk(dequeueAll(queue))).toEqual(model);
            free.push(...model.splice(0));
          } else {
            const list = free.splice(0, step.kind === 'one' ? 1 : step.count);
            if (list.length === 0) continue;
            const fits = Math.min(list.length, room - model.length);
            const rest = list.slice(fits);
            if (step.kind === 'one') expect(enqueue(queue, list[0]!)).toBe(fits === 1);
            else {
              link(list);
              expect(walk(enqueueList(queue, list[0]!, list.at(-1)!, list.length))).toEqual(rest);
            }
            model.push(...list.slice(0, fits));
            free.push(...rest);
            drops += rest.length;
          }
          expect([queue.len, queue.drops]).toEqual([model.length, drops]);
        }
      }),
      { numRuns: 200 },
    );
  });
});
