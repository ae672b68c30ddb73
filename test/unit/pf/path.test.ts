// The path of a packet through PF, step by step: what comes before what, which rules are looked at, and how long what is made of it lives.
import { expect, test } from 'vitest';
import { PF_LIMITS } from '../../../stack/filter/pf/ruleset.ts';
import type { PfTimeout } from '../../../stack/filter/pf/ruleset.ts';
import { PROTOCOL, ipv4, udp } from '../../support/frames.ts';
import { SYN_OPTIONS, say, sideOf } from './connection.ts';
import {
  FW_OUT,
  INSIDE,
  OUTSIDE,
  SECOND,
  datagram,
  echo,
  inside,
  ioctl,
  load,
  outside,
  pass,
  passes,
  rules,
  segment,
  states,
  tcp,
  through,
  useFirewall,
} from './firewall.ts';

useFirewall();

const out = (port: number, sourcePort = 4000): Buffer => datagram(INSIDE, sourcePort, OUTSIDE, port);
const syn = (port = 80, sourcePort = 4000): Buffer =>
  tcp({
    source: INSIDE,
    destination: OUTSIDE,
    sourcePort,
    port,
    flags: 'S',
    seq: 1000,
    options: SYN_OPTIONS,
  });
const client = () => sideOf(inside, INSIDE, 4000, 1000);
const server = () => sideOf(outside, OUTSIDE, 80, 500_000);
const evaluations = async (): Promise<number[]> => (await rules()).map(({ evaluations: count }) => count);

test('switched off it filters nothing, and switched on again what it did before', async () => {
  await load('block all\n');
  expect(await passes(inside, out(53), outside)).toBe(false);
  await ioctl('DIOCSTOP', {});
  expect(await passes(inside, out(53), outside)).toBe(true);
  await ioctl('DIOCSTART', {});
  expect(await passes(inside, out(53), outside)).toBe(false);
});

test('what PF sends itself passes, though rules would block it', async () => {
  await load('block return all\n');
  expect(segment((await through(inside, syn(), inside))!).flags).toBe('R.');
  expect((await through(inside, out(53), inside))!.icmp).toMatchObject({ type: 3, code: 3 });
  expect((await rules())[0]).toMatchObject({ evaluations: 2 });
});

test('packets of a state are scrubbed first', async () => {
  await load(
    'scrub in on en0 all min-ttl 100\nblock all\npass in on en0 keep state\npass on en1\npass out on en0\n',
  );
  expect((await through(inside, out(53), outside))!.ttl).toBe(99);
  expect((await through(inside, out(53), outside))!.ttl).toBe(99);
});

test('packets of a state are translated as its first one was, whatever the rules say now', async () => {
  await load('nat on en1 inet from 10.0.0.0/24 to any -> 192.0.2.8\n');
  expect((await through(inside, out(53), outside))!.source).toBe('192.0.2.8');
  await load('nat on en1 inet from 10.0.0.0/24 to any -> 192.0.2.9\n');
  expect((await through(inside, out(53), outside))!.source).toBe('192.0.2.8');
  expect((await through(inside, out(54), outside))!.source).toBe('192.0.2.9');
});

test('out: binat is asked before nat', async () => {
  await load(
    'nat on en1 inet from 10.0.0.0/24 to any -> 192.0.2.8\nbinat on en1 inet from 10.0.0.2 to any -> 192.0.2.9\n',
  );
  expect((await through(inside, out(53), outside))!.source).toBe('192.0.2.9');
  expect((await through(inside, datagram('10.0.0.3', 1, OUTSIDE, 2), outside))!.source).toBe('192.0.2.8');
});

test('in: rdr is asked before binat', async () => {
  await load(
    'binat on en1 inet from 10.0.0.77 to any -> 192.0.2.9\nrdr on en1 inet proto udp from any to 192.0.2.9 port 53 -> 10.0.0.2\n',
  );
  expect((await through(outside, datagram(OUTSIDE, 5, '192.0.2.9', 53), inside))!.destination).toBe(INSIDE);
});

test('no match passes, without a state', async () => {
  await load('block in proto tcp\nblock out proto icmp\n');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await states()).toEqual([]);
});

/** Two rules that share what the packet does not meet, and one that is met: the second is passed over. */
test.each([
  ['interface', 'block on en1 proto tcp', 'block on en1 proto icmp'],
  ['direction', 'block out on en0 proto tcp', 'block out on en0 proto icmp'],
  ['address family', 'block in on en0 inet6 proto tcp', 'block in on en0 inet6 proto udp'],
  ['protocol', 'block in on en0 proto tcp to port 1', 'block in on en0 proto tcp to port 2'],
  [
    'source address',
    'block in on en0 proto udp from 10.7.0.1 to port 1',
    'block in on en0 proto udp from 10.7.0.1 to port 2',
  ],
  [
    'source port',
    'block in on en0 proto udp from any port 9 to port 1',
    'block in on en0 proto udp from any port 9 to port 2',
  ],
  [
    'destination address',
    'block in on en0 proto udp to 10.7.0.1 port 1',
    'block in on en0 proto udp to 10.7.0.1 port 2',
  ],
  ['destination port', 'block in on en0 proto udp to port 1', 'block in on en0 proto udp to port 1 tos 0x10'],
])('rules that are alike up to their %s are skipped together', async (_name, first, second) => {
  await load(`${first}\n${second}\npass in on en0 inet proto udp to 192.0.2.1 port 9999\n`);
  inside.send(datagram(INSIDE, 4000, FW_OUT, 9999));
  await pass(1e6);
  const [one, two] = await evaluations();
  // In: the datagram; out: the error that answers it, which is of another kind.
  expect(two! < one!).toBe(true);
  expect((await rules())[2]!.packets).toBe(1);
});

test.each([
  ['icmp', 'proto icmp', 'icmp-type unreach'],
  ['tos', 'proto icmp', 'tos 0x04'],
  ['fragment', 'proto icmp', 'fragment'],
  ['probability', 'proto icmp', 'probability 0.0001%'],
  ['tag', 'proto icmp', 'tagged NOBODY'],
  ['flags', 'proto tcp', 'flags R/SR'],
  ['user', 'proto tcp', 'user 77'],
  ['group', 'proto tcp', 'group 77'],
  ['system', 'proto tcp', 'from any os Windows to any'],
])('a rule whose %s is not met is looked at, and so is the next one', async (_name, protocol, criterion) => {
  const rule = `block in on en0 inet ${protocol} ${criterion}\n`;
  await load(`${rule}${rule}pass in on en0\n`);
  expect(await passes(inside, protocol === 'proto tcp' ? syn() : echo(INSIDE, OUTSIDE, 8, 1), outside)).toBe(
    true,
  );
  expect(await evaluations()).toEqual([2, 1, 1]);
});

test('the system that a SYN comes from is told by its window, options and time to live', async () => {
  await load('block in\npass in on en0 proto tcp os Linux\n');
  const stamp = [8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
  const linux = tcp(
    {
      source: INSIDE,
      destination: OUTSIDE,
      sourcePort: 1,
      port: 2,
      flags: 'S',
      window: 44 * 1460,
      options: [2, 4, 5, 180, 4, 2, ...stamp, 1, 3, 3, 7],
    },
    { df: true },
  );
  expect(await passes(inside, linux, outside)).toBe(true);
  expect(await passes(inside, syn(), outside)).toBe(false);
});

test('time-outs and limits are those of PF unless they are set', async () => {
  const wanted: Partial<Record<PfTimeout, number>> = {
    'tcp.first': 120,
    'tcp.opening': 30,
    'tcp.established': 86_400,
    'tcp.closing': 900,
    'tcp.finwait': 45,
    'tcp.closed': 90,
    'udp.first': 60,
    'udp.single': 30,
    'udp.multiple': 60,
    'icmp.first': 20,
    'icmp.error': 10,
    'other.first': 60,
    'other.single': 30,
    'other.multiple': 60,
    frag: 30,
    interval: 10,
    'src.track': 0,
    'adaptive.start': 0,
    'adaptive.end': 0,
  };
  expect(await ioctl('DIOCGETTIMEOUTS', {})).toMatchObject(wanted);
  const limits = await ioctl('DIOCGETLIMITS', {});
  expect(limits).toMatchObject({ states: 10_000, 'src-nodes': 10_000, frags: 5000 });
  expect(Object.keys(limits)).toEqual([...PF_LIMITS]);
});

/** Seconds that the newest state had left when its last packet passed, a moment ago: PF shows whole ones. */
const left = async (): Promise<number> =>
  (await ioctl('DIOCGETSTATES', { count: 9 })).states.at(-1)!.expires + 1;

test('a TCP state lives as long as what it has come to allows', async () => {
  await load('block all\npass in on en0 proto tcp keep state\npass on en1\npass out on en0\n');
  const [a, b] = [client(), server()];
  await say(a, b, 'S', { options: SYN_OPTIONS });
  expect(await left()).toBe(120);
  a.seq++;
  b.ack = a.seq;
  await say(b, a, 'S.', { options: SYN_OPTIONS });
  b.seq++;
  a.ack = b.seq;
  expect(await left()).toBe(30);
  await say(a, b, '.');
  expect(await left()).toBe(86_400);
  await say(a, b, 'F.');
  expect(await left()).toBe(900);
  a.seq++;
  b.ack = a.seq;
  await say(b, a, 'F.');
  expect(await left()).toBe(45);
  b.seq++;
  a.ack = b.seq;
  await say(a, b, '.');
  expect(await left()).toBe(90);
});

test.each([
  ['udp', PROTOCOL.udp, 60, 30, 60],
  ['other', 99, 60, 30, 60],
])('%s: first, single and multiple', async (_name, protocol, first, single, multiple) => {
  await load('block all\npass in on en0 keep state\npass on en1\npass out on en0\n');
  const packet = (source: string, destination: string, ports: [number, number]): Buffer => {
    const payload = udp({
      source,
      destination,
      sourcePort: ports[0],
      port: ports[1],
      payload: Buffer.alloc(4),
    });
    return ipv4({ source, destination, protocol, payload });
  };
  await passes(inside, packet(INSIDE, OUTSIDE, [1, 2]), outside);
  expect(await left()).toBe(first);
  await passes(inside, packet(INSIDE, OUTSIDE, [1, 2]), outside);
  expect(await left()).toBe(single);
  await passes(outside, packet(OUTSIDE, INSIDE, [2, 1]), inside);
  await passes(inside, packet(INSIDE, OUTSIDE, [1, 2]), outside);
  expect(await left()).toBe(multiple);
});

test('icmp: an answered query has the time of an error', async () => {
  await load('block all\npass in on en0 keep state\npass on en1\npass out on en0\n');
  await passes(inside, echo(INSIDE, OUTSIDE, 8, 5), outside);
  expect(await left()).toBe(20);
  await passes(outside, echo(OUTSIDE, INSIDE, 0, 5), inside);
  expect(await left()).toBe(10);
});

test('from the end of the adaptive scale on states expire at once', async () => {
  await load(
    'set timeout { adaptive.start 2, adaptive.end 6, interval 1 }\npass in on en0 proto udp keep state\npass out\n',
  );
  for (let i = 0; i < 6; i++) await passes(inside, out(53, 4000 + i), outside);
  await pass(1.5 * SECOND);
  // As they go the count falls below the end, and the rest is given time again.
  expect((await states()).length).toBeLessThan(6);
  expect((await states()).length).toBeGreaterThan(0);
});

test('adaptive values of a rule go before those of all, and by the states of that rule', async () => {
  await load(
    'set timeout { adaptive.start 1, adaptive.end 2, interval 100 }\npass in on en0 proto udp to port 53 keep state (adaptive.start 2, adaptive.end 6, udp.first 100)\npass in on en0 proto udp to port 54 keep state\npass out\n',
  );
  for (let i = 0; i < 4; i++) await passes(inside, out(53, 4000 + i), outside);
  // (6 - 4) / (6 - 2) of 100 s.
  expect(await left()).toBe(50);
  await passes(inside, out(54), outside);
  // There are more than 2 states: that one ends at once.
  expect((await ioctl('DIOCGETSTATES', { count: 9 })).states.at(-1)!.expires).toBe(0);
});

test('the limits of fragments and of sources hold', async () => {
  await load(
    'set limit { frags 2, src-nodes 2 }\nscrub in all fragment crop\npass in on en0 proto udp keep state (source-track rule)\n',
  );
  const first = (id: number): Buffer =>
    ipv4({ source: INSIDE, destination: OUTSIDE, protocol: 99, id, more: true, payload: Buffer.alloc(64) });
  const results = [];
  for (const id of [1, 2, 3]) results.push(await passes(inside, first(id), outside));
  expect(results).toEqual([true, true, false]);
  const sources = [];
  for (const host of [2, 3, 4])
    sources.push(await passes(inside, datagram(`10.0.0.${host}`, 1, OUTSIDE, 2), outside));
  expect(sources).toEqual([true, true, false]);
});

test('the counters of an interface tell directions and fates apart', async () => {
  await load('block in on en0 proto udp to port 54\n');
  await passes(inside, out(53), outside);
  await passes(inside, out(54), outside);
  const list = await ioctl('DIOCGETINTERFACES', {});
  const traffic = (name: string) => list.find((one) => one.name === name)!.traffic;
  expect(traffic('en0')).toMatchObject({
    inPass: { packets: 1, bytes: 33 },
    inBlock: { packets: 1, bytes: 33 },
  });
  expect(traffic('en1')).toMatchObject({ outPass: { packets: 1, bytes: 33 }, outBlock: { packets: 0 } });
});
