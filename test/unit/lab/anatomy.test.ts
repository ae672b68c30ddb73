// What a look into a running lab shows: threads with their roles, who holds a stack context, what waits, how full pools are, and what happened between two looks.
import { afterEach, expect, test } from 'vitest';
import { readAnatomy } from '../../../main/lab/anatomy.ts';
import type { Anatomy, StackAnatomy } from '../../../main/lab/anatomy.ts';
import { anatomyRates } from '../../../main/lab/anatomy-rates.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { limitSlab } from '../../../stack/memory/slab.ts';
import { leave, tryEnter } from '../../../stack/runtime/context.ts';
import { raise } from '../../../stack/runtime/source.ts';
import { REASON } from '../../../stack/runtime/trace.ts';
import { stacks } from '../../../stack/net/stack.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';

const SECOND = 1e9;
let lab: RunningLab;
afterEach(() => stopLab(lab));

function stackNamed({ stacks: list }: Anatomy, name: string): StackAnatomy {
  return list.find((one) => one.name === name)!;
}

test('in virtual time one thread does everything, and is between two sources whenever somebody looks', async () => {
  lab = await labFrom(TWO_NODES);
  const before = readAnatomy(lab);
  await run(lab, 'alpha', 'ping -c 5 -i 0.1 10.0.0.2');
  const after = readAnatomy(lab);
  expect(after.threads).toHaveLength(1);
  expect(after.threads[0]).toMatchObject({ thread: 0, role: 'idle', serves: null, holds: [], queued: 0 });
  expect(after.time).toBeGreaterThan(before.time);
  const { interval, stacks: list, threads } = anatomyRates(before, after);
  expect(list.map(({ name }) => name)).toEqual(['alpha', 'beta']);
  // Five requests, five answers and the two packets of ARP.
  for (const { packetsIn, packetsOut, interfaces } of list) {
    const en0 = interfaces.find(({ name }) => name.endsWith(':en0'))!;
    for (const rate of [packetsIn, packetsOut, en0.packetsIn, en0.packetsOut])
      expect(rate * interval).toBeCloseTo(6, 6);
    expect(en0.services * interval).toBeGreaterThanOrEqual(6);
  }
  expect(threads[0]!.events.hardware * interval).toBeGreaterThanOrEqual(24);
  // Beta's stack did nothing but answer what its interface brought.
  expect(stackNamed(after, 'beta').context).toMatchObject({ holder: null, why: 'after hardware' });
  expect(list[1]!.context.taken[0]).toBeGreaterThanOrEqual(6);
});

test('who holds a context is shown, and the packets and requests that wait for it', async () => {
  lab = await labFrom(TWO_NODES);
  await run(lab, 'alpha', 'ping -c 1 10.0.0.2');
  const { address } = [...nodeOf(lab, 'beta').stacks.values()][0]!;
  expect(tryEnter(address, 0, REASON.control)).toBe(true);
  const pinging = run(lab, 'alpha', 'ping -c 3 -i 0.1 10.0.0.2');
  const asking = run(lab, 'beta', 'ifconfig en0');
  await sleepNs(SECOND / 2);
  const shown = readAnatomy(lab);
  expect(shown.threads[0]).toMatchObject({ role: 'stack', holds: ['beta'] });
  expect(stackNamed(shown, 'beta')).toMatchObject({ context: { holder: 0 }, inputQueue: 3, requestQueue: 1 });
  expect(stackNamed(shown, 'alpha')).toMatchObject({
    context: { holder: null },
    inputQueue: 0,
    requestQueue: 0,
  });
  leave(address, 0);
  raise(stacks.get(address).source);
  expect((await asking).out).toContain('10.0.0.2');
  expect((await pinging).out).toContain('3 packets received');
  expect(stackNamed(readAnatomy(lab), 'beta')).toMatchObject({ inputQueue: 0, requestQueue: 0 });
});

test('a second stack of a node has its prefix in its name, and a stack that was started again counts from 0', async () => {
  lab = await labFrom(TWO_NODES);
  await run(lab, 'alpha', 'ping -c 9 -i 0.1 10.0.0.2');
  await run(lab, 'alpha', 'io-pkt-v4 -i1 -d vnic name=en,unit=7 -ptcpip prefix=/alt');
  const before = readAnatomy(lab);
  expect(before.stacks.map(({ name, variant }) => `${name} ${variant}`)).toEqual([
    'alpha io-pkt-v4-hc',
    'alpha/alt io-pkt-v4',
    'beta io-pkt-v4-hc',
  ]);
  expect(stackNamed(before, 'alpha/alt').interfaces.map(({ name, up }) => `${name} ${up}`)).toEqual([
    'alpha/alt:lo0 true',
    'alpha/alt:en7 false',
  ]);
  await run(lab, 'alpha', 'slay io-pkt-v4-hc; io-pkt-v4-hc; ifconfig en0 10.0.0.1/24');
  await run(lab, 'beta', 'ping -c 2 -i 0.1 10.0.0.1');
  const { stacks: list, interval } = anatomyRates(before, readAnatomy(lab));
  const { packetsIn } = list.find(({ name }) => name === 'alpha')!;
  expect(packetsIn * interval).toBeCloseTo(3, 6);
});

test('pools show what is in use, the most there was, and what was refused', async () => {
  lab = await labFrom(TWO_NODES);
  const pool = (name: string) => readAnatomy(lab).pools.find((one) => one.name === name)!;
  expect(pool('stack')).toMatchObject({ inUse: 2, failures: 0 });
  const { inUse, failures } = pool('ifnet');
  limitSlab('ifnet', inUse);
  expect((await run(lab, 'alpha', 'ifconfig lo1 create')).status).not.toBe(0);
  limitSlab('ifnet', undefined);
  expect(pool('ifnet')).toMatchObject({ inUse, failures: failures + 1 });
  expect(readAnatomy(lab).pools.filter(({ inUse: used, failures: refused }) => used + refused === 0)).toEqual(
    [],
  );
});

test('workers work, steal and sleep; together they took the contexts', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: 2 });
  const before = readAnatomy(lab);
  expect(before.threads.map(({ thread }) => thread)).toEqual([1, 2]);
  await run(lab, 'alpha', 'ping -c 50 -i 0.002 10.0.0.2');
  const { threads, stacks: list, interval } = anatomyRates(before, readAnatomy(lab));
  const sum = (of: (one: (typeof threads)[number]) => number) =>
    Math.round(threads.reduce((total, one) => total + of(one), 0) * interval);
  // Each of the hundred packets took a card and the link.
  expect(sum(({ events }) => events.hardware)).toBeGreaterThan(100);
  expect(sum(({ sleeps }) => sleeps)).toBeGreaterThan(0);
  for (const { busy, role } of threads) {
    expect(busy).toBeGreaterThanOrEqual(0);
    expect(busy).toBeLessThan(1);
    expect(['asleep', 'idle', 'hardware', 'stack', 'other']).toContain(role);
  }
  expect(sum(({ busy }) => busy * 1e6)).toBeGreaterThan(0);
  // Not always fifty times each: packets that come in together on a busy machine are one batch.
  for (const { context } of list)
    expect(context.taken.reduce((total, times) => total + times, 0)).toBeGreaterThan(10);
});
