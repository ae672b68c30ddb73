import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { region, u32 } from '../../../stack/memory/memory.ts';
import {
  CALLOUT_BYTES,
  WHEEL_BYTES,
  calloutArg,
  calloutDeadline,
  calloutHandler,
  calloutInit,
  calloutPending,
  wheelAt,
  wheelCancel,
  wheelNext,
  wheelReset,
  wheelSet,
  wheelTake,
} from '../../../stack/runtime/wheel.ts';

const calloutCount = 48;
const wheel = wheelAt(region('wheel test', WHEEL_BYTES));
const callouts = region('wheel test callouts', CALLOUT_BYTES * calloutCount);
const calloutOf = (n: number) => callouts + n * CALLOUT_BYTES;
const MS = 1e6;
const HOUR = 3600e9;
/** Beyond the highest level: 64^4 ticks of about a millisecond are 4.9 hours. */
const FAR = 20 * HOUR;

function fresh(now: number): void {
  wheelReset(wheel, now);
  for (let n = 0; n < calloutCount; n++) calloutInit(calloutOf(n), 0, n);
}

beforeEach(() => fresh(0));

/** Takes all that is due at `now`, by number. */
function due(now: number): number[] {
  const list: number[] = [];
  for (let c = wheelTake(wheel, now); c !== 0; c = wheelTake(wheel, now)) list.push(calloutArg(c));
  return list;
}

describe('a timing wheel', () => {
  test('fires a callout once, at its deadline and not before', () => {
    calloutInit(calloutOf(0), 9, 1234);
    wheelSet(wheel, calloutOf(0), 5 * MS);
    expect([calloutPending(calloutOf(0)), calloutDeadline(calloutOf(0)), wheelNext(wheel)]).toEqual([
      true,
      5 * MS,
      5 * MS,
    ]);
    expect(wheelTake(wheel, 5 * MS - 1)).toBe(0);
    expect(wheelTake(wheel, 5 * MS)).toBe(calloutOf(0));
    expect([calloutHandler(calloutOf(0)), calloutArg(calloutOf(0))]).toEqual([9, 1234]);
    expect(calloutPending(calloutOf(0))).toBe(false);
    expect([wheelTake(wheel, HOUR), wheelNext(wheel), wheel.count]).toEqual([0, Infinity, 0]);
  });

  test('moves a callout that is set again, and forgets one that is cancelled', () => {
    wheelSet(wheel, calloutOf(0), 10 * MS);
    wheelSet(wheel, calloutOf(1), 20 * MS);
    wheelSet(wheel, calloutOf(0), 30 * MS);
    expect(wheelNext(wheel)).toBe(20 * MS);
    expect([wheelCancel(wheel, calloutOf(1)), wheelCancel(wheel, calloutOf(1))]).toEqual([true, false]);
    expect(wheelNext(wheel)).toBe(30 * MS);
    expect(due(HOUR)).toEqual([0]);
  });

  test('fires what is overdue when it is set', () => {
    wheelSet(wheel, calloutOf(0), HOUR);
    expect(due(HOUR)).toEqual([0]);
    wheelSet(wheel, calloutOf(1), HOUR - 3 * MS);
    wheelSet(wheel, calloutOf(2), HOUR - 5 * MS);
    expect(wheelNext(wheel)).toBe(HOUR - 5 * MS);
    expect(due(HOUR)).toEqual([2, 1]);
  });

  test('never fires a callout that is set to Infinity, and takes no deadline that is not a number', () => {
    wheelSet(wheel, calloutOf(0), Infinity);
    expect([due(FAR), due(Infinity), wheelNext(wheel), wheelCancel(wheel, calloutOf(0))]).toEqual([
      [],
      [],
      Infinity,
      true,
    ]);
    expect(() => wheelSet(wheel, calloutOf(0), NaN)).toThrow(/deadline is not a number/);
  });

  test('fires equal deadlines in the order in which they were set, however far ahead each was set', () => {
    const deadline = 2 * FAR;
    wheelSet(wheel, calloutOf(0), deadline);
    wheelSet(wheel, calloutOf(1), deadline);
    for (const [n, ahead] of [FAR / 2, HOUR, 10e9, 1e9, 200 * MS, 50 * MS, 3 * MS, 0.1 * MS].entries()) {
      expect(due(deadline - ahead)).toEqual([]);
      wheelSet(wheel, calloutOf(2 + 2 * n), deadline);
      wheelSet(wheel, calloutOf(3 + 2 * n), deadline);
    }
    expect(due(deadline)).toEqual(Array.from({ length: 18 }, (_, n) => n));
  });

  test('can be reset, and used again from another time', () => {
    for (let n = 0; n < 10; n++) wheelSet(wheel, calloutOf(n), n * n * 100 * MS);
    fresh(HOUR);
    expect([wheelNext(wheel), wheel.count]).toEqual([Infinity, 0]);
    wheelSet(wheel, calloutOf(3), HOUR + 1);
    expect(due(2 * HOUR)).toEqual([3]);
    expect(u32[wheel.occupied >>> 2]).toBe(0);
  });

  test('behaves like a sorted list under any sequence of settings, cancellations and passing time', () => {
    const delay = fc.oneof(
      fc.integer({ min: -2 * MS, max: 70 * MS }),
      fc.double({ min: 0, max: 5e9, noNaN: true }),
      fc.double({ min: 0, max: FAR, noNaN: true }),
      fc.constantFrom(0, 64 * 1_048_576, 64 * 64 * 1_048_576, 64 ** 3 * 1_048_576, 64 ** 4 * 1_048_576),
    );
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('set' as const), n: fc.nat(calloutCount - 1), delay }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('cancel' as const), n: fc.nat(calloutCount - 1) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), delay }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump' as const) }) },
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150 }),
        fc.constantFrom(0, 12_345 * MS, FAR),
        (steps, start) => {
          let now = start;
          fresh(now);
          let model: { n: number; deadline: number; order: number }[] = [];
          const expectDue = () => {
            model.sort((a, b) => a.deadline - b.deadline || a.order - b.order);
            const expected = model.filter(({ deadline }) => deadline <= now).map(({ n }) => n);
            expect(due(now)).toEqual(expected);
            model = model.filter(({ deadline }) => deadline > now);
          };
          steps.forEach((one, order) => {
            if (one.kind === 'set') {
              model = model.filter(({ n }) => n !== one.n);
              model.push({ n: one.n, deadline: Math.max(0, now + one.delay), order });
              wheelSet(wheel, calloutOf(one.n), Math.max(0, now + one.delay));
            } else if (one.kind === 'cancel') {
              const was = model.some(({ n }) => n === one.n);
              model = model.filter(({ n }) => n !== one.n);
              expect(wheelCancel(wheel, calloutOf(one.n))).toBe(was);
            } else {
              const next = wheelNext(wheel);
              if (one.kind === 'pass') now += Math.max(0, one.delay);
              else if (next !== Infinity) now = Math.max(now, next);
              expectDue();
            }
            expect(wheelNext(wheel)).toBe(Math.min(Infinity, ...model.map(({ deadline }) => deadline)));
            expect(wheel.count).toBe(model.length);
          });
          now += 2 * FAR;
          expectDue();
          expect(wheel.count).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
