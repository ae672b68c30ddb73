// Gates: who comes while as many threads are inside as may be waits, and is let in by those who leave, the most urgent first.
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { startClock } from '../../../stack/runtime/clock.ts';
import { gates, parkedSources, setFirstWaitListener } from '../../../stack/runtime/gate.ts';
import { runQueued } from '../../../stack/runtime/loop.ts';
import { popOwn, resetRunQueues, runQueue } from '../../../stack/runtime/run-queue.ts';
import {
  freeSource,
  openGate,
  raise,
  raiseAtLevel,
  requeueAfterDeath,
  service,
  sourceIsIdle,
  sources,
} from '../../../stack/runtime/source.ts';
import { recordServices, serviced, testSource } from './sources.ts';

let gate: number;
let told: number[];
beforeEach(() => {
  sources.each(({ ptr }) => freeSource(ptr));
  gates.each(({ ptr }) => gates.free(ptr));
  startClock('virtual', 1);
  resetRunQueues(1);
  recordServices();
  gate = gates.alloc();
  openGate(gate, 1);
  told = [];
  setFirstWaitListener(({ ptr }) => told.push(ptr));
});

function gated(arg: number, priority = 21): number {
  const ptr = testSource(arg, priority);
  sources.get(ptr).gate = gate;
  return ptr;
}

/** Has `first` serviced, and what `meanwhile` does done by another thread at that time. */
function during(first: number, meanwhile: () => void): void {
  recordServices(() => {
    if (serviced.length === 1) meanwhile();
    return true;
  });
  raise(first);
  expect(service(popOwn(0))).toBe(true);
}

test('a source waits while another is serviced, without being looked at again and again, and comes next', () => {
  const [first, second] = [gated(1), gated(2)];
  during(first, () => {
    raise(second);
    expect(service(popOwn(0))).toBe(false);
    expect([runQueue(0).count, parkedSources(gates.get(gate)), serviced]).toEqual([0, 1, [1]]);
    raise(second);
    expect(runQueue(0).count).toBe(0);
  });
  expect([runQueue(0).count, parkedSources(gates.get(gate)), gates.get(gate).waits]).toEqual([1, 0, 1]);
  runQueued(10);
  expect(serviced).toEqual([1, 2]);
  expect([first, second].map(sourceIsIdle)).toEqual([true, true]);
  expect(told).toEqual([gate]);
});

test('the most urgent of those that wait comes in first, also when it became so while it waited', () => {
  const [first, ...others] = [gated(1), gated(2, 21), gated(3, 30), gated(4, 21), gated(5, 10)];
  during(first, () => {
    for (const other of others) raise(other);
    for (let i = 0; i < others.length; i++) service(popOwn(0));
    expect(parkedSources(gates.get(gate))).toBe(4);
    raiseAtLevel(others[3], 40);
  });
  runQueued(10);
  expect(serviced).toEqual([1, 5, 3, 2, 4]);
});

test('one that is gone leaves no other behind', () => {
  const [first, second, third] = [gated(1), gated(2, 30), gated(3)];
  during(first, () => {
    raise(second);
    raise(third);
    service(popOwn(0));
    service(popOwn(0));
  });
  // It was let in and is freed before anybody comes to service it.
  freeSource(second);
  runQueued(10);
  expect(serviced).toEqual([1, 3]);
  recordServices();
  during(first, () => {
    raise(third);
    service(popOwn(0));
    freeSource(third);
  });
  expect([runQueued(10), parkedSources(gates.get(gate)), serviced]).toEqual([false, 0, [1]]);
});

test('one that a dead thread had put there is queued once', () => {
  const [first, second] = [gated(1), gated(2)];
  during(first, () => {
    raise(second);
    service(popOwn(0));
    requeueAfterDeath(second);
    expect([runQueue(0).count, parkedSources(gates.get(gate))]).toEqual([1, 0]);
  });
  runQueued(10);
  expect(serviced).toEqual([1, 2]);
});

test('a gate that is opened wider lets all in, and a closed one nobody', () => {
  const [first, second] = [gated(1), gated(2)];
  openGate(gate, 0);
  raise(first);
  raise(second);
  expect([runQueued(10), serviced, parkedSources(gates.get(gate))]).toEqual([false, [], 2]);
  openGate(gate, 2);
  during(first, () => {
    expect(service(popOwn(0))).toBe(true);
  });
  expect(serviced.sort()).toEqual([1, 2]);
});

test('whatever comes at whichever time: never more inside than may be, and all that was raised is serviced', () => {
  // Each service of a source may be interrupted by others: a nested service stands for one in another thread.
  const step = fc.record({ which: fc.nat(5), level: fc.nat(63), nested: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 3 }), (steps, limit) => {
      openGate(gate, limit);
      const all = Array.from({ length: 6 }, (_, arg) => gated(arg));
      const rest = [...steps];
      const raised = new Array<number>(6).fill(0);
      let inside = 0;
      let most = 0;
      recordServices((arg) => {
        inside++;
        most = Math.max(most, inside);
        raised[arg] = 0;
        for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
          raised[next.which]!++;
          raiseAtLevel(all[next.which]!, next.level);
          if (!next.nested) break;
          const other = popOwn(0);
          if (other !== 0) service(other);
        }
        inside--;
        return true;
      });
      while (rest.length > 0) {
        const { which } = rest.shift()!;
        raised[which]!++;
        raise(all[which]!);
        runQueued(1000);
      }
      expect(raised).toEqual([0, 0, 0, 0, 0, 0]);
      expect(most).toBeLessThanOrEqual(limit);
      expect(gates.get(gate)).toMatchObject({ inside: 0, parked: 0 });
      expect(all.every(sourceIsIdle)).toBe(true);
      all.forEach(freeSource);
    }),
  );
});
