// Fast forwarding: which packets take it, what leaves, and when flows end. The node forwards between us (10.0.0.2) and 10.1.0.2, which answers datagrams
// for closed ports with an ICMP error that quotes the packet as it arrived there.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stacks } from '../../../stack/net/stack.ts';
import { STATION, drainJourneys, followPackets } from '../../../stack/net/journey.ts';
import type { JourneyEntry } from '../../../stack/net/journey.ts';
import { stationText } from '../../../main/lab/journey-text.ts';
import type { EntryNames } from '../../../main/lab/journey-text.ts';
import { FLOW_CONDITION, FLOW_CONDITION_BITS } from '../../../stack/netinet/ip-flow.ts';
import { ETHERTYPE, PROTOCOL, ether, icmp, ipv4, parseIp, pass, udp } from '../../support/frames.ts';
import type { Ipv4Fields } from '../../support/frames.ts';
import { MAC, ME, NODE_MAC, SECOND, lab, onNode, packets, peer, useNeighbour } from './neighbour.ts';

const BEYOND = '10.1.0.2';

useNeighbour();
// The node knows the hardware address beyond.
beforeEach(async () => {
  await onNode('ping -c 1 10.1.0.2');
  peer.take();
});
afterEach(() => {
  followPackets(undefined);
  drainJourneys(() => undefined);
});

function datagram(fields: Partial<Ipv4Fields> = {}, destinationMac = NODE_MAC): Buffer {
  const source = fields.source ?? ME;
  const destination = fields.destination ?? BEYOND;
  const payload = udp({
    source,
    destination,
    sourcePort: 4000,
    port: 9,
    payload: Buffer.from('flow'),
  });
  return ether(
    destinationMac,
    MAC,
    ETHERTYPE.ip,
    ipv4({ source, destination, protocol: PROTOCOL.udp, payload, ...fields }),
  );
}

/** Sends frames and gives the stations of the packet that was sent last at the node. */
async function stationsOf(...frames: Buffer[]): Promise<JourneyEntry[]> {
  for (const frame of frames.slice(0, -1)) await peer.exchange([frame]);
  followPackets({ every: 1 });
  const answers = await peer.exchange([frames.at(-1)!]);
  followPackets(undefined);
  lastAnswers = answers.flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
  const entries: JourneyEntry[] = [];
  drainJourneys((entry) => entries.push(entry));
  return entries.filter(({ id }) => id === entries[0]!.id);
}
let lastAnswers: ReturnType<typeof packets> = [];

function nodeStack(): number {
  return lab.nodes.get('node')!.stacks.get('')!.address;
}

/** The condition that kept the last frame off the fast path, 0 if it took it. */
async function conditionOf(...frames: Buffer[]): Promise<number> {
  const verdicts = (await stationsOf(...frames)).filter(
    ({ station, place }) => station === STATION.flow && place === nodeStack(),
  );
  expect(verdicts).toHaveLength(1);
  lastText = stationText(verdicts[0]!, NO_NAMES);
  return verdicts[0]!.detail & ((1 << FLOW_CONDITION_BITS) - 1);
}
/** What a journey says of the last frame at the fast path. */
let lastText = '';
const NO_NAMES: EntryNames = { atStack: true, interfaceName: String, linkEnd: String };

async function fastForwarded(): Promise<number> {
  const text = (await onNode('netstat -s -p ip')).out;
  return Number(/(\d+) packets fast forwarded/.exec(text)![1]);
}

/** The packet as it arrived at the far side: what its ICMP error quotes. */
function quoted(): ReturnType<typeof parseIp> {
  expect(lastAnswers).toHaveLength(1);
  expect(lastAnswers[0]!.icmp).toMatchObject({ type: 3, code: 3 });
  return parseIp(lastAnswers[0]!.payload.subarray(8));
}

test('later packets of a flow are forwarded without the stack context, and arrive as by the slow path', async () => {
  const slow = await stationsOf(datagram());
  expect(slow.map(({ station }) => station)).toContain(STATION.forward);
  const slowly = quoted();
  const fast = await stationsOf(datagram());
  expect(fast.map(({ station }) => station).slice(0, 4)).toEqual([
    STATION.link,
    STATION.driverIn,
    STATION.flow,
    STATION.sendQueue,
  ]);
  for (const upper of [STATION.stackQueue, STATION.ipInput, STATION.forward]) {
    expect(fast.filter(({ station, place }) => station === upper && place === nodeStack())).toEqual([]);
  }
  expect(quoted()).toEqual(slowly);
  expect(await fastForwarded()).toBe(1);
});

test('padding of short frames is cut off before they are sent on', async () => {
  await peer.exchange([datagram()]);
  const padded = Buffer.concat([datagram(), Buffer.alloc(30, 0xee)]);
  expect(await conditionOf(padded)).toBe(FLOW_CONDITION.hit);
  expect(quoted().payload.includes(0xee)).toBe(false);
});

test.each([
  [
    'forwarding off',
    'sysctl -w net.inet.ip.forwarding=0',
    datagram(),
    FLOW_CONDITION.forwarding,
    'forwarding is off',
  ],
  [
    'a link broadcast',
    '',
    datagram({}, 'ff:ff:ff:ff:ff:ff'),
    FLOW_CONDITION.linkBroadcast,
    'it came as a broadcast of the link',
  ],
  [
    'options',
    '',
    datagram({ options: Buffer.from([1, 1, 1, 0]) }),
    FLOW_CONDITION.header,
    'its IP header has options',
  ],
  [
    'another type of service',
    '',
    datagram({ tos: 16 }),
    FLOW_CONDITION.noFlow,
    'no flow for this destination, source and type of service yet',
  ],
  [
    'another source',
    '',
    datagram({ source: '10.0.0.77' }),
    FLOW_CONDITION.noFlow,
    'no flow for this destination, source and type of service yet',
  ],
  [
    'an interface that is down',
    'ifconfig en1 down',
    datagram(),
    FLOW_CONDITION.route,
    'the outgoing interface is down, or a member of a bridge',
  ],
  [
    'a changed route',
    'route add 10.9.0.0/16 10.1.0.2',
    datagram(),
    FLOW_CONDITION.route,
    'the route has changed',
  ],
  [
    'a packet that is too big',
    'ifconfig en1 mtu 200',
    datagram({ payload: Buffer.alloc(400) }),
    FLOW_CONDITION.mtu,
    'longer than the MTU of the outgoing interface, so it has to be fragmented',
  ],
  [
    'ICMP that no flow is for',
    '',
    datagram({ tos: 4, protocol: PROTOCOL.icmp, payload: icmp(8, 0, 1, Buffer.alloc(8)) }),
    FLOW_CONDITION.noFlow,
    'no flow for it, and ICMP never makes one',
  ],
  [
    'a link multicast',
    '',
    datagram({}, '01:00:5e:00:00:05'),
    FLOW_CONDITION.linkBroadcast,
    'it came as a multicast of the link',
  ],
  ['a time to live of 1', '', datagram({ ttl: 1 }), FLOW_CONDITION.ttl, 'TTL would reach 0'],
])(
  '%s keeps a packet off the fast path, and its journey says so',
  async (_what, command, frame, condition, words) => {
    await peer.exchange([datagram()]);
    if (command !== '') expect((await onNode(command)).status).toBe(0);
    expect(await conditionOf(frame)).toBe(condition);
    expect(lastText).toBe(`not taken, condition ${condition}: ${words}`);
  },
);

test('a length beyond the frame and a bad header checksum keep a packet off the fast path', async () => {
  await peer.exchange([datagram()]);
  const long = datagram();
  long.writeUInt16BE(9000, 16);
  expect(await conditionOf(long)).toBe(FLOW_CONDITION.header);
  expect(lastText).toContain('its lengths are not sound');
  const bad = datagram();
  bad[24]! ^= 1;
  expect(await conditionOf(bad)).toBe(FLOW_CONDITION.checksum);
  expect(lastText).toContain('bad header checksum');
});

test('an active packet filter sees every packet', async () => {
  await peer.exchange([datagram()]);
  const stack = stacks.get(nodeStack());
  stack.activeFilters++;
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.filter);
  expect(lastText).toBe('not taken, condition 9: a packet filter is active');
  stack.activeFilters--;
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.hit);
});

test('the sender learns why a packet that could not go fast goes no further', async () => {
  await peer.exchange([datagram()]);
  const [exceeded] = packets(await peer.exchange([datagram({ ttl: 1 })]));
  expect(exceeded!.icmp).toMatchObject({ type: 11, code: 0 });
});

test('ICMP never makes a flow; net.inet.ip.maxflows=0 allows none', async () => {
  const ping = datagram({ protocol: PROTOCOL.icmp, payload: icmp(8, 0, 1, Buffer.alloc(8)) });
  expect(await conditionOf(ping, ping)).toBe(FLOW_CONDITION.forwarding);
  expect(lastText).toContain('ICMP never makes one');
  await onNode('sysctl -w net.inet.ip.maxflows=0');
  expect(await conditionOf(datagram(), datagram())).toBe(FLOW_CONDITION.forwarding);
  expect(await fastForwarded()).toBe(0);
});

test('a flow ends 5 s after its last packet', async () => {
  await peer.exchange([datagram()]);
  await pass(4 * SECOND);
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.hit);
  await pass(4 * SECOND);
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.hit);
  await pass(7 * SECOND);
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.forwarding);
});

test('a full table makes room by forgetting the flow that was used least lately', async () => {
  await onNode('sysctl -w net.inet.ip.maxflows=2');
  const [a, b, c] = [0, 16, 8].map((tos) => datagram({ tos }));
  await peer.exchange([a!]);
  await pass(SECOND);
  await peer.exchange([b!]);
  await pass(SECOND);
  await peer.exchange([a!]);
  await peer.exchange([c!]);
  expect(await conditionOf(a!)).toBe(FLOW_CONDITION.hit);
  expect(await conditionOf(c!)).toBe(FLOW_CONDITION.hit);
  expect(await conditionOf(b!)).toBe(FLOW_CONDITION.noFlow);
});

test('a neighbour with a new hardware address gets its packets there', async () => {
  expect(await conditionOf(datagram(), datagram())).toBe(FLOW_CONDITION.hit);
  await onNode('arp -s 10.1.0.2 02:00:00:00:0f:0f');
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.route);
  // Nobody has that address.
  expect(lastAnswers).toEqual([]);
});

test('hashsize is a power of two, and changing it forgets the flows', async () => {
  await peer.exchange([datagram()]);
  const wrong = await onNode('sysctl -w net.inet.ip.hashsize=48');
  expect(wrong.status).toBe(1);
  expect(wrong.err).toMatch(/48 is not a power of two/);
  await onNode('sysctl -w net.inet.ip.hashsize=128');
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.forwarding);
  expect(await conditionOf(datagram())).toBe(FLOW_CONDITION.hit);
});
