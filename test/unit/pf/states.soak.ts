// A hundred thousand states: made, found, expired, and nothing is left of them. A flood against the limits of a rule, and against all states.
import { expect, test } from 'vitest';
import { slabReports } from '../../../stack/memory/slab.ts';
import {
  INSIDE,
  OUTSIDE,
  SECOND,
  datagram,
  inside,
  ioctl,
  load,
  outside,
  pass,
  passes,
  useFirewall,
} from './firewall.ts';

useFirewall();

const MANY = 100_000;
const BATCH = 100;

/** The `i`th of many connections: other ports, then other hosts. */
function connection(i: number): Buffer {
  return datagram(`10.0.0.${10 + Math.floor(i / 1000)}`, 1000 + (i % 1000), OUTSIDE, 53);
}

async function flood(count: number): Promise<void> {
  for (let at = 0; at < count; at += BATCH) {
    inside.send(...Array.from({ length: BATCH }, (_, i) => connection(at + i)));
    await pass(1000);
    outside.take();
  }
}

const inUse = (name: string): number => slabReports().find((report) => report.name === name)!.inUse;

test('a hundred thousand states come and go', async () => {
  await load('set limit states 120000\npass in on en0 proto udp keep state\npass out on en1\n');
  const pages = inUse('pfpage');
  await flood(MANY);
  const { states, insert } = await ioctl('DIOCGETSTATUS', {});
  expect([states, insert]).toEqual([MANY, MANY]);
  // Each is found: an answer belongs to the connection that was made first.
  outside.send(datagram(OUTSIDE, 53, '10.0.0.10', 1000));
  await pass(1e6);
  const [first] = (await ioctl('DIOCGETSTATES', { count: 1 })).states;
  expect(first!.packets).toEqual({ forward: 1, backward: 1 });
  await pass(80 * SECOND);
  expect((await ioctl('DIOCGETSTATUS', {})).states).toBe(0);
  expect(inUse('pfstate')).toBe(0);
  // The tables that have grown stay for the next ones; nothing else does.
  expect(inUse('pfpage') - pages).toBeLessThanOrEqual(128);
});

test('a flood takes no more than its rule allows, and leaves others their connections', async () => {
  await load(
    'set limit states 5000\nblock all\npass in on en0 proto udp from ! 10.0.0.2 keep state (max 1000)\npass in on en0 proto udp from 10.0.0.2 keep state\npass on en1\n',
  );
  await passes(inside, datagram(INSIDE, 7, OUTSIDE, 53), outside);
  await flood(20_000);
  const { states, reasons } = await ioctl('DIOCGETSTATUS', {});
  expect([states, reasons['state-limit']]).toEqual([1001, 19_000]);
  expect(await passes(outside, datagram(OUTSIDE, 53, INSIDE, 7), inside)).toBe(true);
  expect(await passes(inside, datagram(INSIDE, 8, OUTSIDE, 53), outside)).toBe(true);
});

test('with adaptive time-outs a flood makes room by itself', async () => {
  await load(
    'set limit states 3000\nset timeout { adaptive.start 1000, adaptive.end 3000, udp.first 60, interval 1 }\npass in on en0 proto udp keep state\npass out on en1\n',
  );
  await flood(10_000);
  expect((await ioctl('DIOCGETSTATUS', {})).states).toBe(3000);
  // At the end of the scale states expire at once.
  await pass(2 * SECOND);
  expect((await ioctl('DIOCGETSTATUS', {})).states).toBeLessThan(3000);
  expect(await passes(inside, datagram(INSIDE, 9, OUTSIDE, 53), outside)).toBe(true);
});
