// Bridge interfaces as the hosts behind them see them: who hears what, and what reaches the bridging node itself.
import { afterEach, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { drainJourneys, followPackets, STATION } from '../../../stack/net/journey.ts';
import type { JourneyEntry } from '../../../stack/net/journey.ts';
import { bridges } from '../../../stack/net/bridge-record.ts';
import { bridgeAddresses } from '../../../stack/net/bridge-table.ts';
import { BROADCAST, ETHERTYPE, PROTOCOL, Peer, arp, ether, icmp, ipv4, pass } from '../../support/frames.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';

const SECOND = 1e9;
const TEST_TYPE = 0x88b5;
const MAC = ['02:aa:00:00:00:00', '02:aa:00:00:00:01', '02:aa:00:00:00:02'] as const;
/** Addresses of the bridging node's cards. */
const CARD = ['02:00:00:00:03:00', '02:00:00:00:03:01', '02:00:00:00:03:02'] as const;
let lab: RunningLab;
let ends: Peer[] = [];

/** Three hands on the members of a bridge; `setUp` lines run on the bridging node before it is up. */
async function threeOn(...setUp: string[]): Promise<void> {
  lab = await labFrom(`
name: bridged
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0] }
  c: { stack: io-pkt-v4-hc, interfaces: [en0] }
  x: { stack: io-pkt-v4-hc, interfaces: [en0, en1, en2] }
links:
  l0: { between: [a:en0, x:en0] }
  l1: { between: [b:en0, x:en1] }
  l2: { between: [c:en0, x:en2] }
`);
  for (const line of [
    'ifconfig en0 up',
    'ifconfig en1 up',
    'ifconfig en2 up',
    'ifconfig bridge0 create',
    'brconfig bridge0 add en0 add en1 add en2 up',
    ...setUp,
  ])
    await expectFine(line);
  ends = [
    await Peer.at(lab, 'a', 'l0', 0),
    await Peer.at(lab, 'b', 'l1', 0),
    await Peer.at(lab, 'c', 'l2', 0),
  ];
}

afterEach(async () => {
  followPackets(undefined);
  for (const end of ends) end.leave();
  ends = [];
  await stopLab(lab);
  expect([bridges.report().inUse, bridgeAddresses.report().inUse]).toEqual([0, 0]);
});

async function expectFine(line: string): Promise<void> {
  expect(await run(lab, 'x', line)).toMatchObject({ status: 0, err: '' });
}

/** Sends a frame from one hand and says who heard it. */
async function heard(from: number, destination: string, source: string = MAC[from]!): Promise<number[]> {
  ends[from]!.send(ether(destination, source, TEST_TYPE, Buffer.from(`from ${from}`)));
  await pass(1000);
  return ends.flatMap((end, i) => end.take().map(() => i));
}

test('floods what it does not know, learns from sources, then sends to one member only', async () => {
  await threeOn();
  expect(await heard(0, MAC[1])).toEqual([1, 2]);
  expect(await heard(1, MAC[0])).toEqual([0]);
  expect(await heard(0, MAC[1])).toEqual([1]);
  expect(await heard(0, BROADCAST)).toEqual([1, 2]);
  expect(await heard(0, MAC[0], MAC[1])).toEqual([]);
});

test('a frame passes without its bytes being changed, short ones padded by the cards alone', async () => {
  await threeOn();
  const frame = ether(
    MAC[1],
    MAC[0],
    TEST_TYPE,
    Buffer.from(Array.from({ length: 1486 }, (_, i) => i & 255)),
  );
  ends[0]!.send(frame);
  await pass(1000);
  expect(ends[1]!.take()).toEqual([frame]);
  expect(ends[2]!.take()).toEqual([frame]);
});

test('while it is down its members are ordinary interfaces, and it forgets what it has learned', async () => {
  await threeOn();
  await heard(0, BROADCAST);
  await expectFine('brconfig bridge0 down');
  expect(await heard(1, MAC[0])).toEqual([]);
  await expectFine('brconfig bridge0 up');
  expect(await heard(1, MAC[0])).toEqual([0, 2]);
});

test('a frame for the address of a member goes up by that member, whichever it came in by', async () => {
  await threeOn('ifconfig en0 10.0.0.9/24');
  const ask = arp({ op: 'request', senderMac: MAC[1], sender: '10.0.0.2', target: '10.0.0.9' });
  const answer = await ends[1]!.exchange([ether(BROADCAST, MAC[1], ETHERTYPE.arp, ask)]);
  expect(answer.map(({ source, arp: packet }) => [source, packet?.op])).toEqual([[CARD[0], 'reply']]);
  ends[0]!.take();
  const echo = ipv4({
    source: '10.0.0.2',
    destination: '10.0.0.9',
    protocol: PROTOCOL.icmp,
    payload: icmp(8, 0, 1),
  });
  const [reply] = await ends[1]!.exchange([ether(CARD[0], MAC[1], ETHERTYPE.ip, echo)]);
  expect(reply).toMatchObject({ source: CARD[0], destination: MAC[1], ip: { icmp: { type: 0 } } });
  // Known by now: the answer goes to nobody else.
  expect(ends[0]!.take()).toEqual([]);
  expect(ends[2]!.take().length).toBe(1);
});

test('what the stack sends goes to the member where its destination is, or to all', async () => {
  await threeOn('ifconfig en0 10.0.0.9/24', 'arp -s 10.0.0.2 ' + MAC[1]);
  for (const end of ends) end.take();
  await run(lab, 'x', 'ping -c 1 -w 1 10.0.0.2');
  expect(ends.map((end) => end.take().length)).toEqual([1, 1, 1]);
  await heard(1, BROADCAST);
  await run(lab, 'x', 'ping -c 1 -w 1 10.0.0.2');
  expect(ends.map((end) => end.takeParsed().map(({ source }) => source))).toEqual([[], [CARD[0]], []]);
});

test('its own frames that come round a loop are dropped, not learned', async () => {
  await threeOn();
  expect(await heard(1, BROADCAST, CARD[0])).toEqual([]);
  expect((await run(lab, 'x', 'brconfig bridge0 addr')).out).toBe('');
});

test('groups of the standard are never forwarded; BPDUs are, where no spanning tree runs', async () => {
  await threeOn();
  expect(await heard(0, '01:80:c2:00:00:02')).toEqual([]);
  expect(await heard(0, '01:80:c2:00:00:0f')).toEqual([]);
  expect(await heard(0, '01:80:c2:00:00:00')).toEqual([1, 2]);
  expect(await heard(0, '01:80:c2:00:00:10')).toEqual([1, 2]);
});

describe('addresses', () => {
  test('age, unless they are heard again', async () => {
    await threeOn('brconfig bridge0 timeout 10');
    await heard(0, BROADCAST);
    await pass(9 * SECOND);
    expect(await heard(1, MAC[0])).toEqual([0]);
    await heard(0, BROADCAST);
    await pass(9 * SECOND);
    expect(await heard(1, MAC[0])).toEqual([0]);
    await pass(2 * SECOND);
    expect(await heard(1, MAC[0])).toEqual([0, 2]);
  });

  test('of a full cache: new ones are not learned until old ones have expired', async () => {
    await threeOn('brconfig bridge0 maxaddr 1 timeout 10');
    await heard(0, BROADCAST);
    await heard(1, BROADCAST);
    expect(await heard(0, MAC[1])).toEqual([1, 2]);
    await pass(11 * SECOND);
    // An expired one makes room as soon as its chain is looked at.
    for (let i = 0; i < 512; i++) ends[1]!.send(ether(BROADCAST, MAC[1], TEST_TYPE, Buffer.alloc(1)));
    await pass(1000);
    for (const end of ends) end.take();
    expect(await heard(2, MAC[1])).toEqual([1]);
  });

  test('that are permanent neither age nor move, and go with flushall', async () => {
    await threeOn(`brconfig bridge0 static en2 ${MAC[0]} timeout 1`);
    await heard(0, BROADCAST);
    await pass(5 * SECOND);
    expect(await heard(1, MAC[0])).toEqual([2]);
    await expectFine('brconfig bridge0 flush');
    expect(await heard(1, MAC[0])).toEqual([2]);
    await expectFine('brconfig bridge0 flushall');
    expect(await heard(1, MAC[0])).toEqual([0, 2]);
  });

  test('are forgotten by name, with their member, and when that goes down', async () => {
    await threeOn();
    await heard(0, BROADCAST);
    await expectFine(`brconfig bridge0 deladdr ${MAC[0]}`);
    expect(await heard(1, MAC[0])).toEqual([0, 2]);
    await heard(0, BROADCAST);
    await expectFine('brconfig bridge0 delete en0 add en0');
    expect(await heard(1, MAC[0])).toEqual([0, 2]);
    await heard(0, BROADCAST);
    await expectFine('ifconfig en0 down');
    expect(await heard(1, MAC[0])).toEqual([2]);
  });

  test('are not learned by a member that does not learn', async () => {
    await threeOn('brconfig bridge0 -learn en0');
    await heard(0, BROADCAST);
    expect(await heard(1, MAC[0])).toEqual([0, 2]);
    await expectFine('brconfig bridge0 learn en0');
    await heard(0, BROADCAST);
    expect(await heard(1, MAC[0])).toEqual([0]);
  });
});

test('a member that does not discover hears groups and known stations only', async () => {
  await threeOn('brconfig bridge0 -discover en2');
  expect(await heard(0, MAC[2])).toEqual([1]);
  expect(await heard(0, BROADCAST)).toEqual([1, 2]);
  await heard(2, BROADCAST);
  expect(await heard(0, MAC[2])).toEqual([2]);
});

test('frames that are too long for a member are dropped there', async () => {
  await threeOn('ifconfig en0 mtu 9000', 'ifconfig en1 mtu 9000');
  ends[0]!.send(ether(BROADCAST, MAC[0], TEST_TYPE, Buffer.alloc(4000)));
  // A tag does not count.
  ends[0]!.send(ether(BROADCAST, MAC[0], 0x8100, Buffer.alloc(1504)));
  await pass(1000);
  expect(ends.map((end) => end.take().map(({ length }) => length))).toEqual([[], [4014, 1518], [1518]]);
});

test('an interface that is destroyed, and one that is given a new address, under way', async () => {
  await threeOn('ifconfig en2 10.0.0.9/24', 'ifconfig en1 lladdr 02:bb:00:00:00:01');
  expect(await heard(0, BROADCAST, '02:bb:00:00:00:01')).toEqual([]);
  expect(await heard(0, BROADCAST, CARD[1])).toEqual([1, 2]);
  await expectFine('ifconfig en1 destroy');
  await pass(1000);
  expect((await run(lab, 'x', 'brconfig bridge0')).out).not.toContain('en1');
  expect(await heard(0, BROADCAST)).toEqual([2]);
});

test('a destroyed bridge lets its members go at once', async () => {
  await threeOn();
  await expectFine('ifconfig bridge0 destroy; ifconfig bridge1 create; brconfig bridge1 add en0 add en1 up');
  expect(await heard(0, BROADCAST)).toEqual([1]);
  expect((await run(lab, 'x', 'ifconfig en2')).out).not.toContain('PROMISC');
  expect((await run(lab, 'x', 'ifconfig en0')).out).toContain('PROMISC');
});

test('bridged frames leave in the thread that received them and never reach the stack', async () => {
  await threeOn();
  await heard(1, BROADCAST);
  drainJourneys(() => undefined);
  followPackets({ every: 1 });
  await heard(0, MAC[1]);
  followPackets(undefined);
  const entries: JourneyEntry[] = [];
  drainJourneys((entry) => entries.push(entry));
  const names = Object.fromEntries(Object.entries(STATION).map(([name, number]) => [number, name]));
  const [first] = entries;
  expect(entries.map(({ station }) => names[station])).toEqual([
    'link',
    'driverIn',
    'bridge',
    'sendQueue',
    'driverOut',
    'link',
  ]);
  // One packet, one buffer, no copy.
  expect(new Set(entries.map(({ id, mbuf }) => `${id} ${mbuf}`))).toEqual(
    new Set([`${first!.id} ${first!.mbuf}`]),
  );
});

test('counts and shows what it forwards on its own interface', async () => {
  await threeOn();
  const seen: string[] = [];
  const place = lab.places().find(({ name }) => name === 'x:bridge0')!;
  const capture = lab.captures.listen([place], 65_535, ({ direction, length }) =>
    seen.push(`${direction!} ${length}`),
  );
  await heard(0, BROADCAST);
  lab.captures.drain();
  capture.stop();
  expect(seen).toEqual(['inbound 60']);
  expect((await run(lab, 'x', 'ifconfig -v bridge0')).out).toMatch(
    /input: 1 packet, 60 bytes\n\toutput: 2 packets, 120 bytes/,
  );
});

test('a loop without spanning tree storms until it is cut', async () => {
  lab = await labFrom(`
name: loop
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0] }
  x: { stack: io-pkt-v4-hc, interfaces: [en0, en1, en2] }
  y: { stack: io-pkt-v4-hc, interfaces: [en0, en1] }
links:
  l0: { between: [a:en0, x:en0], delay: 1ms }
  l1: { between: [x:en1, y:en0], delay: 1ms }
  l2: { between: [x:en2, y:en1], delay: 1ms }
`);
  const members = { x: ['en0', 'en1', 'en2'], y: ['en0', 'en1'] };
  for (const [node, names] of Object.entries(members)) {
    for (const name of names) await run(lab, node, `ifconfig ${name} up`);
    await run(lab, node, `ifconfig bridge0 create; brconfig bridge0 add ${names.join(' add ')} up`);
  }
  ends = [await Peer.at(lab, 'a', 'l0', 0)];
  ends[0]!.send(ether(BROADCAST, MAC[0], TEST_TYPE, Buffer.from('once')));
  await pass(0.1 * SECOND);
  // Two copies run round the loop in both directions, a turn takes 2 ms, and each passes the first link.
  expect(ends[0]!.take().length).toBeGreaterThan(90);
  await run(lab, 'x', 'brconfig bridge0 delete en2');
  await pass(0.01 * SECOND);
  ends[0]!.take();
  await pass(0.1 * SECOND);
  expect(ends[0]!.take()).toEqual([]);
});
