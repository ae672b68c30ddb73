// Learning switches as the hosts on them see them: who hears what, before and after the switch has learned, and when it forgets.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { BROADCAST, Peer, ether, pass } from '../../support/frames.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';

const SECOND = 1e9;
const MAC = ['02:aa:00:00:00:00', '02:aa:00:00:00:01', '02:aa:00:00:00:02'] as const;
let lab: RunningLab;
let ends: Peer[] = [];

/** Three hands on a switch. */
async function threeOn(options = ''): Promise<void> {
  lab = await labFrom(`
name: switched
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0] }
  c: { stack: io-pkt-v4-hc, interfaces: [en0] }
switches:
  sw: { ports: [p0, p1, p2]${options} }
links:
  l0: { between: [a:en0, sw:p0] }
  l1: { between: [b:en0, sw:p1] }
  l2: { between: [c:en0, sw:p2] }
`);
  ends = [
    await Peer.at(lab, 'a', 'l0', 0),
    await Peer.at(lab, 'b', 'l1', 0),
    await Peer.at(lab, 'c', 'l2', 0),
  ];
}

afterEach(async () => {
  for (const end of ends) end.leave();
  ends = [];
  await stopLab(lab);
});

/** Sends a frame from one hand and says who heard it. */
async function heard(from: number, destination: string, source: string = MAC[from]!): Promise<number[]> {
  ends[from]!.send(ether(destination, source, 0x88b5, Buffer.from(`from ${from}`)));
  await pass(1000);
  return ends.flatMap((end, i) => end.take().map(() => i));
}

test('floods what it does not know, learns from sources, then sends to one port only', async () => {
  await threeOn();
  expect(await heard(0, MAC[1])).toEqual([1, 2]);
  expect(await heard(1, MAC[0])).toEqual([0]);
  expect(await heard(0, MAC[1])).toEqual([1]);
  expect(await heard(2, MAC[0])).toEqual([0]);
  expect(await heard(1, MAC[2])).toEqual([2]);
});

test('broadcasts and groups go everywhere but back', async () => {
  await threeOn();
  expect(await heard(0, BROADCAST)).toEqual([1, 2]);
  expect(await heard(1, '01:00:5e:00:00:01')).toEqual([0, 2]);
});

test('a frame for somebody behind the port it came from goes nowhere', async () => {
  await threeOn();
  await heard(0, BROADCAST);
  expect(await heard(0, MAC[0], MAC[1])).toEqual([]);
});

test('a host that moves is found at its new port as soon as it speaks', async () => {
  await threeOn();
  await heard(0, BROADCAST);
  expect(await heard(1, MAC[0])).toEqual([0]);
  await heard(2, BROADCAST, MAC[0]);
  expect(await heard(1, MAC[0])).toEqual([2]);
});

test('a group is no source to learn', async () => {
  await threeOn();
  await heard(0, BROADCAST, '03:aa:00:00:00:00');
  expect(await heard(1, '03:aa:00:00:00:00')).toEqual([0, 2]);
});

test('what is not heard again for the ageing time is forgotten', async () => {
  await threeOn(', ageing: 10s');
  await heard(0, BROADCAST);
  await pass(9 * SECOND);
  expect(await heard(1, MAC[0])).toEqual([0]);
  await pass(2 * SECOND);
  expect(await heard(1, MAC[0])).toEqual([0, 2]);
});

test('every frame of a host renews what is known of it', async () => {
  await threeOn(', ageing: 10s');
  await heard(0, BROADCAST);
  await pass(9 * SECOND);
  await heard(0, BROADCAST);
  await pass(9 * SECOND);
  expect(await heard(1, MAC[0])).toEqual([0]);
});

test('frames shorter than an Ethernet header are dropped', async () => {
  await threeOn();
  ends[0]!.send(
    Buffer.alloc(13, 0xff),
    Buffer.alloc(1, 0xff),
    ether(BROADCAST, MAC[0], 0x88b5, Buffer.alloc(1)),
  );
  await pass(1000);
  expect(ends.map((end) => end.take().length)).toEqual([0, 1, 1]);
});

test('two switches in a row carry pings of 9000-byte packets between nodes', async () => {
  lab = await labFrom(`
name: two-switches
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 mtu 9000'] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 mtu 9000'] }
switches:
  left: { ports: [a, up] }
  right: { ports: [b, down] }
links:
  l0: { between: [a:en0, left:a] }
  trunk: { between: [left:up, right:down], delay: 1ms }
  l1: { between: [b:en0, right:b] }
`);
  const { out, status } = await run(lab, 'a', 'ping -c 2 -s 8972 10.0.0.2');
  expect(out).toContain('2 packets transmitted, 2 packets received');
  expect(status).toBe(0);
});
