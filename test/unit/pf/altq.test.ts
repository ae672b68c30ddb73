// altq on the wire (pf.conf(5), "QUEUEING"): what leaves en1, in virtual time, when more comes than it may send.
import { expect, test } from 'vitest';
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
  tcp,
  useFirewall,
} from './firewall.ts';
import { PROTOCOL, ipv4, udp } from '../../support/frames.ts';

useFirewall();

/** A datagram of 1,000 bytes of IP: 1,014 on the link. */
function packet(port: number): Buffer {
  const payload = udp({
    source: INSIDE,
    destination: OUTSIDE,
    sourcePort: 9,
    port,
    payload: Buffer.alloc(972),
  });
  return ipv4({ source: INSIDE, destination: OUTSIDE, protocol: PROTOCOL.udp, payload });
}
const LINK_BITS = 1014 * 8;

/** Sends `perSecond` packets a second to each port for a while; what arrives outside in that time, bit/s on the link, by port. */
async function rates(
  ports: Readonly<Record<number, number>>,
  seconds: number,
): Promise<Record<number, number>> {
  const step = 10e6;
  const owed = new Map(Object.keys(ports).map((port) => [Number(port), 0]));
  // What is in the queues from before has gone.
  await pass(10 * SECOND);
  outside.take();
  const got = new Map<number, number>();
  for (let time = 0; time < seconds * SECOND; time += step) {
    const now: Buffer[] = [];
    for (const [port, before] of owed) {
      let due = before + (ports[port]! * step) / SECOND;
      for (; due >= 1; due--) now.push(packet(port));
      owed.set(port, due);
    }
    inside.send(...now);
    await pass(step);
    for (const { udp: datagram } of outside.take())
      got.set(datagram!.port, (got.get(datagram!.port) ?? 0) + LINK_BITS);
  }
  return Object.fromEntries([...owed.keys()].map((port) => [port, (got.get(port) ?? 0) / seconds]));
}

/** Rules that put ports 1 and 2 into queues a and b. */
const RULES =
  'pass out on en1 proto udp to port 1 keep state queue a\npass out on en1 proto udp to port 2 keep state queue b\n';
/** Packets a second that make 2 Mbit/s. */
const TWO_MEGABITS = 2e6 / LINK_BITS;
const within = (value: number, wanted: number): void => {
  expect(value).toBeGreaterThan(wanted * 0.97);
  expect(value).toBeLessThan(wanted * 1.03);
};

test('the link takes no more than its bandwidth', async () => {
  await load(
    `altq on en1 priq bandwidth 1Mb queue { a b }\nqueue a priority 7\nqueue b priority 1 priq(default)\n${RULES}`,
  );
  const { 2: b } = await rates({ 2: TWO_MEGABITS }, 4);
  within(b!, 1e6);
});

test('priq: the higher priority goes first, and leaves what is left', async () => {
  await load(
    `altq on en1 priq bandwidth 1Mb queue { a b }\nqueue a priority 7\nqueue b priority 1 priq(default)\n${RULES}`,
  );
  const { 1: a, 2: b } = await rates({ 1: 0.6e6 / LINK_BITS, 2: TWO_MEGABITS }, 4);
  within(a!, 0.6e6);
  within(b!, 0.4e6);
  const { 1: all } = await rates({ 1: TWO_MEGABITS, 2: TWO_MEGABITS }, 4);
  within(all!, 1e6);
});

test('cbq: each queue has its share, and more only if it may borrow', async () => {
  await load(
    `altq on en1 cbq bandwidth 1Mb queue { a b }\nqueue a bandwidth 70%\nqueue b bandwidth 30% cbq(default)\n${RULES}`,
  );
  const both = await rates({ 1: TWO_MEGABITS, 2: TWO_MEGABITS }, 6);
  within(both[1]!, 0.7e6);
  within(both[2]!, 0.3e6);
  const alone = await rates({ 2: TWO_MEGABITS }, 6);
  within(alone[2]!, 0.3e6);
  await load(
    `altq on en1 cbq bandwidth 1Mb queue { a b }\nqueue a bandwidth 70%\nqueue b bandwidth 30% cbq(default borrow)\n${RULES}`,
  );
  const borrowing = await rates({ 2: TWO_MEGABITS }, 6);
  within(borrowing[2]!, 1e6);
});

test('cbq: what one child leaves goes to its sibling before it goes to others', async () => {
  await load(
    `altq on en1 cbq bandwidth 1Mb queue { rest, parent }\nqueue rest bandwidth 40% cbq(default)\nqueue parent bandwidth 60% { a, b }\nqueue a bandwidth 50% cbq(borrow)\nqueue b bandwidth 50% cbq(borrow)\n${RULES}`,
  );
  const all = await rates({ 1: TWO_MEGABITS, 2: TWO_MEGABITS, 3: TWO_MEGABITS }, 8);
  within(all[1]!, 0.3e6);
  within(all[2]!, 0.3e6);
  within(all[3]!, 0.4e6);
  const alone = await rates({ 1: TWO_MEGABITS, 3: TWO_MEGABITS }, 8);
  // Its parent may not borrow: 60 % is the most.
  within(alone[1]!, 0.6e6);
  within(alone[3]!, 0.4e6);
});

test('hfsc: children share what their parent has', async () => {
  await load(
    `altq on en1 hfsc bandwidth 1Mb queue { rest, parent }\nqueue rest bandwidth 40% hfsc(default)\nqueue parent bandwidth 60% hfsc(upperlimit 60%) { a, b }\nqueue a bandwidth 20% hfsc(linkshare 20%)\nqueue b bandwidth 40% hfsc(linkshare 40%)\n${RULES}`,
  );
  const all = await rates({ 1: TWO_MEGABITS, 2: TWO_MEGABITS, 3: TWO_MEGABITS }, 8);
  within(all[1]!, 0.2e6);
  within(all[2]!, 0.4e6);
  within(all[3]!, 0.4e6);
  const alone = await rates({ 1: TWO_MEGABITS, 3: TWO_MEGABITS }, 8);
  within(alone[1]!, 0.6e6);
  within(alone[3]!, 0.4e6);
});

test('hfsc: the link is shared by curves; what one does not need the other gets', async () => {
  await load(
    `altq on en1 hfsc bandwidth 1Mb queue { a b }\nqueue a bandwidth 25% hfsc(linkshare 25%)\nqueue b bandwidth 75% hfsc(default linkshare 75%)\n${RULES}`,
  );
  const both = await rates({ 1: TWO_MEGABITS, 2: TWO_MEGABITS }, 6);
  within(both[1]!, 0.25e6);
  within(both[2]!, 0.75e6);
  const alone = await rates({ 1: TWO_MEGABITS }, 6);
  within(alone[1]!, 1e6);
});

test('hfsc: an upper limit holds back, a real-time curve is kept whatever the shares are', async () => {
  await load(
    `altq on en1 hfsc bandwidth 1Mb queue { a b }\nqueue a bandwidth 50% hfsc(upperlimit 200Kb)\nqueue b bandwidth 50% hfsc(default)\n${RULES}`,
  );
  const limited = await rates({ 1: TWO_MEGABITS, 2: TWO_MEGABITS }, 6);
  within(limited[1]!, 0.2e6);
  within(limited[2]!, 0.8e6);
  await load(
    `altq on en1 hfsc bandwidth 1Mb queue { a b }\nqueue a bandwidth 10% hfsc(realtime 400Kb linkshare 1%)\nqueue b bandwidth 90% hfsc(default linkshare 99%)\n${RULES}`,
  );
  const promised = await rates({ 1: TWO_MEGABITS, 2: TWO_MEGABITS }, 6);
  within(promised[1]!, 0.4e6);
  within(promised[2]!, 0.6e6);
});

test('queues have a length, counters, and end with the rules', async () => {
  await load(
    `altq on en1 priq bandwidth 1Mb queue { a b }\nqueue a priority 7 qlimit 10\nqueue b priority 1 priq(default)\n${RULES}`,
  );
  inside.send(...Array.from({ length: 40 }, () => packet(1)));
  await pass(1e6);
  const [a] = (await ioctl('DIOCGETALTQS', {})).queues;
  expect(a).toMatchObject({ queue: { name: 'a' }, length: 10 });
  expect(a!.droppedPackets).toBe(40 - 10 - a!.packets);
  await load('pass all\n');
  outside.take();
  inside.send(...Array.from({ length: 40 }, () => packet(1)));
  await pass(1e6);
  expect(outside.take()).toHaveLength(40);
});

test('red drops before a queue is full', async () => {
  await load(
    `altq on en1 priq bandwidth 1Mb queue { a b }\nqueue a priority 7 qlimit 200 priq(red)\nqueue b priority 1 priq(default)\n${RULES}`,
  );
  await rates({ 1: TWO_MEGABITS }, 10);
  const [a] = (await ioctl('DIOCGETALTQS', {})).queues;
  expect(a!.length).toBeLessThan(60);
  expect(a!.droppedPackets).toBeGreaterThan(100);
});

test('bare acknowledgements and packets that ask for low delay take the second queue of a rule', async () => {
  await load(
    `altq on en1 priq bandwidth 1Mb queue { a b }\nqueue a priority 7\nqueue b priority 1 priq(default)\npass out on en1 queue (b, a)\n`,
  );
  const segment = (payload: number): Buffer =>
    tcp({
      source: INSIDE,
      destination: OUTSIDE,
      sourcePort: 1,
      port: 2,
      flags: '.',
      seq: 1,
      payload: Buffer.alloc(payload),
    });
  inside.send(segment(0), segment(10), datagram(INSIDE, 1, OUTSIDE, 2, { tos: 0x10 }));
  inside.send(datagram(INSIDE, 1, OUTSIDE, 2, { tos: 0x08 }), datagram(INSIDE, 1, OUTSIDE, 2));
  await pass(SECOND);
  const { queues } = await ioctl('DIOCGETALTQS', {});
  expect(queues.map(({ queue, packets }) => `${queue.name} ${packets}`)).toEqual(['a 2', 'b 3']);
});
