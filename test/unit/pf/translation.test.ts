// Translation by PF on the wire (pf.conf(5), "TRANSLATION", "POOL OPTIONS"): what leaves has other addresses, what comes back finds its way, what is quoted is translated, too.
import { expect, test } from 'vitest';
import { PROTOCOL, icmp, ipv4, parseIp } from '../../support/frames.ts';
import type { ParsedIp } from '../../support/frames.ts';
import { connect, say, sideOf } from './connection.ts';
import {
  FW_IN,
  FW_OUT,
  INSIDE,
  OUTSIDE,
  datagram,
  echo,
  inside,
  ioctl,
  load,
  outside,
  pass,
  passes,
  rules,
  side,
  states,
  tcp,
  through,
  useFirewall,
} from './firewall.ts';

useFirewall();

const NAT = 'nat on en1 inet from 10.0.0.0/24 to any -> (en1)\n';
const out = (sourcePort = 4000, port = 53): Buffer => datagram(INSIDE, sourcePort, OUTSIDE, port);

/** What left for a datagram from inside. */
async function translated(sourcePort = 4000, source = INSIDE): Promise<ParsedIp> {
  return (await through(inside, datagram(source, sourcePort, OUTSIDE, 53), outside))!;
}

test('nat gives a packet the address of the outside, and brings answers back', async () => {
  await load(NAT);
  const left = await translated();
  expect(left.source).toBe(FW_OUT);
  expect(left.udp!.sourcePort).toBeGreaterThan(50_000);
  const back = await through(outside, datagram(OUTSIDE, 53, FW_OUT, left.udp!.sourcePort), inside);
  expect(back).toMatchObject({ source: OUTSIDE, destination: INSIDE });
  expect(back!.udp).toMatchObject({ sourcePort: 53, port: 4000 });
  expect(await states()).toEqual([
    `17 out ${INSIDE}:4000 ${FW_OUT}:${left.udp!.sourcePort} ${OUTSIDE}:53 MULTIPLE:SINGLE`,
  ]);
});

test('two hosts with the same port get different ones', async () => {
  await load(NAT);
  const first = await translated(4000);
  const second = await translated(4000, '10.0.0.3');
  expect(first.udp!.sourcePort).not.toBe(second.udp!.sourcePort);
});

test('a TCP connection works through nat', async () => {
  await load(NAT);
  const a = sideOf(inside, INSIDE, 4000, 1000);
  const b = sideOf(outside, OUTSIDE, 80, 9000);
  const seen = await connect(a, b);
  expect(seen.address).toBe(FW_OUT);
  const data = await say(a, b, 'P.', { payload: Buffer.from('hello') });
  expect(data!.ip.source).toBe(FW_OUT);
  b.ack += 5;
  expect(await say(b, { host: inside, ...seen }, 'P.', { payload: Buffer.from('world') })).toMatchObject({
    port: 4000,
  });
});

test('pings are told apart by their identifiers', async () => {
  await load(NAT);
  const first = (await through(inside, echo(INSIDE, OUTSIDE, 8, 7), outside))!;
  const second = (await through(inside, echo('10.0.0.3', OUTSIDE, 8, 7), outside))!;
  const ids = [first, second].map(({ icmp: message }) => message!.rest >>> 16);
  expect(ids[0]).not.toBe(ids[1]);
  const reply = (await through(outside, echo(OUTSIDE, FW_OUT, 0, ids[0]!), inside))!;
  expect(reply.destination).toBe(INSIDE);
  expect(reply.icmp!.rest >>> 16).toBe(7);
});

test('static-port keeps ports, a port range is kept to', async () => {
  await load('nat on en1 inet from 10.0.0.0/24 to any -> 192.0.2.1 static-port\n');
  expect((await translated(4321)).udp!.sourcePort).toBe(4321);
  await ioctl('DIOCCLRSTATES', {});
  await load('nat on en1 inet proto udp from 10.0.0.0/24 to any -> 192.0.2.1 port 2000:2001\n');
  const ports = [await translated(1), await translated(2)].map(({ udp }) => udp!.sourcePort);
  expect(ports.sort()).toEqual([2000, 2001]);
  // All are in use.
  expect(await passes(inside, out(3), outside)).toBe(false);
});

test('an ICMP error quotes the packet as its sender knows it', async () => {
  await load(NAT);
  const left = await translated();
  const quoted = Buffer.concat([rebuilt(left), left.payload]).subarray(0, 28);
  const error = ipv4({
    source: '192.0.2.77',
    destination: FW_OUT,
    protocol: PROTOCOL.icmp,
    payload: icmp(3, 1, 0, quoted),
  });
  const got = (await through(outside, error, inside))!;
  expect(got).toMatchObject({ source: '192.0.2.77', destination: INSIDE });
  const inner = parseIp(Buffer.concat([got.icmp!.payload, Buffer.alloc(64)]));
  expect(inner).toMatchObject({ source: INSIDE, destination: OUTSIDE, checksumGood: true });
  expect(got.icmp!.payload.readUInt16BE(20)).toBe(4000);
});

/** The IP header of a packet that was received. */
function rebuilt({ source, destination, ttl, id, payload, protocol }: ParsedIp): Buffer {
  return ipv4({ source, destination, ttl, id, payload, protocol }).subarray(0, 20);
}

test('traceroute through nat: errors of routers come to the host that sent', async () => {
  await load(NAT);
  // The firewall itself answers a time to live of 1, before it translates.
  const expired = (await through(inside, datagram(INSIDE, 4000, OUTSIDE, 33_434, { ttl: 1 }), inside))!;
  expect(expired).toMatchObject({ source: FW_IN, icmp: { type: 11, code: 0 } });
});

test('rdr sends connections to a host inside, by another port', async () => {
  await load('rdr on en1 inet proto tcp from any to 192.0.2.1 port 80 -> 10.0.0.2 port 8080\n');
  const a = sideOf(outside, OUTSIDE, 5000, 1000);
  const b = sideOf(inside, INSIDE, 8080, 7000);
  await connect(a, b, { address: FW_OUT, port: 80 });
  const data = await say(b, a, 'P.', { payload: Buffer.from('page') });
  expect(data!.ip.source).toBe(FW_OUT);
  expect(data).toMatchObject({ sourcePort: 80, port: 5000 });
});

test('rdr maps a range of ports to one that begins elsewhere', async () => {
  await load('rdr on en1 inet proto udp from any to 192.0.2.1 port 1000:1010 -> 10.0.0.2 port 2000:*\n');
  const got = (await through(outside, datagram(OUTSIDE, 5, FW_OUT, 1007), inside))!;
  expect(got.udp!.port).toBe(2007);
});

test('filter rules see what translation has made, unless the rule says pass', async () => {
  await load(
    'rdr on en1 inet proto udp from any to 192.0.2.1 port 53 -> 10.0.0.2 port 5353\nblock in on en1\npass in on en1 proto udp to 10.0.0.2 port 5353\n',
  );
  expect(await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 53), inside)).toBe(true);
  await ioctl('DIOCCLRSTATES', {});
  await load(
    'rdr pass on en1 inet proto udp from any to 192.0.2.1 port 53 -> 10.0.0.2 port 5353\nblock in on en1\n',
  );
  expect(await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 53), inside)).toBe(true);
  await ioctl('DIOCCLRSTATES', {});
  await load(
    'rdr on en1 inet proto udp from any to 192.0.2.1 port 53 -> 10.0.0.2 port 5353\nblock in on en1\n',
  );
  expect(await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 53), inside)).toBe(false);
});

test('what is blocked behind a translation is answered with its own addresses', async () => {
  await load(
    'rdr on en1 inet proto udp from any to 192.0.2.1 port 53 -> 10.0.0.2 port 5353\nblock return-icmp in on en1\n',
  );
  const error = (await through(outside, datagram(OUTSIDE, 5, FW_OUT, 53), outside))!;
  const quoted = parseIp(Buffer.concat([error.icmp!.payload, Buffer.alloc(64)]));
  expect(quoted).toMatchObject({ destination: FW_OUT });
  expect(error.icmp!.payload.readUInt16BE(22)).toBe(53);
});

test('binat translates both ways and keeps the host part', async () => {
  await load('binat on en1 inet from 10.0.0.0/28 to any -> 192.0.2.32/28\n');
  expect((await translated()).source).toBe('192.0.2.34');
  const got = (await through(outside, echo(OUTSIDE, '192.0.2.34', 8, 3), inside))!;
  expect(got.destination).toBe(INSIDE);
  expect((await through(inside, echo(INSIDE, OUTSIDE, 0, 3), outside))!.source).toBe('192.0.2.34');
});

test('the first rule that matches translates; no stops the search', async () => {
  await load(
    'no nat on en1 inet from 10.0.0.2 to any\nnat on en1 inet from 10.0.0.0/24 to any -> 192.0.2.9\nnat on en1 inet from 10.0.0.3 to any -> 192.0.2.10\n',
  );
  expect((await translated()).source).toBe(INSIDE);
  expect((await translated(4000, '10.0.0.3')).source).toBe('192.0.2.9');
});

test.each([
  [
    'round-robin',
    '{ 192.0.2.8, 192.0.2.9 } round-robin',
    ['192.0.2.8', '192.0.2.9', '192.0.2.8', '192.0.2.9'],
  ],
  ['bitmask', '192.0.2.16/28 bitmask', ['192.0.2.18', '192.0.2.18', '192.0.2.18', '192.0.2.18']],
])('pools: %s', async (_name, pool, expected) => {
  await load(`nat on en1 inet from 10.0.0.0/24 to any -> ${pool}\n`);
  const used: string[] = [];
  for (let i = 0; i < 4; i++) used.push((await translated(4000 + i)).source);
  expect(used).toEqual(expected);
});

test('pools: source-hash and sticky-address give a source the same address again, random does not', async () => {
  const sources = async (pool: string, source = INSIDE): Promise<Set<string>> => {
    await load(`nat on en1 inet from 10.0.0.0/24 to any -> ${pool}\n`);
    const used = new Set<string>();
    for (let i = 0; i < 8; i++) used.add((await translated(4000 + i, source)).source);
    await ioctl('DIOCCLRSTATES', {});
    return used;
  };
  const key = '0x0123456789abcdef0123456789abcdef';
  const hashed = await sources(`192.0.2.128/25 source-hash ${key}`);
  expect(hashed.size).toBe(1);
  expect(await sources(`192.0.2.128/25 source-hash ${key}`)).toEqual(hashed);
  expect((await sources('192.0.2.128/25 random')).size).toBeGreaterThan(4);
  expect((await sources('192.0.2.128/25 random sticky-address')).size).toBe(1);
});

test('translation rules count what they translated', async () => {
  await load(NAT);
  await translated();
  await translated();
  expect((await rules('nat'))[0]).toMatchObject({ evaluations: 1, packets: 2, states: 1 });
});

test('what a connection was translated from is told to those who know its outer ends', async () => {
  await load(NAT);
  const { udp } = await translated();
  const { source } = await ioctl('DIOCNATLOOK', {
    protocol: PROTOCOL.udp,
    direction: 'in',
    source: { address: FW_OUT, port: udp!.sourcePort },
    destination: { address: OUTSIDE, port: 53 },
  });
  expect(source).toEqual({ address: INSIDE, port: 4000 });
});

test('a proxy inside learns which address a redirected client meant', async () => {
  await load('rdr on en1 inet proto udp from any to 192.0.2.1 port 53 -> 10.0.0.2 port 5353\n');
  await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 53), inside);
  const { destination } = await ioctl('DIOCNATLOOK', {
    protocol: PROTOCOL.udp,
    direction: 'out',
    source: { address: OUTSIDE, port: 5 },
    destination: { address: INSIDE, port: 5353 },
  });
  expect(destination).toEqual({ address: FW_OUT, port: 53 });
});

test('route-to sends packets out by another interface, reply-to their answers', async () => {
  await load(
    'pass in on en0 route-to (en2 198.51.100.2) inet proto udp to port 53 keep state\npass in on en2 reply-to (en2 198.51.100.2) inet proto udp to port 99 keep state\n',
  );
  expect(await passes(inside, out(4000, 53), side)).toBe(true);
  expect(await passes(inside, out(4000, 54), outside)).toBe(true);
  // Answered by the way it came, though the route says otherwise.
  expect(await passes(side, datagram(OUTSIDE, 7, INSIDE, 99), inside)).toBe(true);
  expect(await passes(inside, datagram(INSIDE, 99, OUTSIDE, 7), side)).toBe(true);
});

test('dup-to sends a copy', async () => {
  await load('pass in on en0 dup-to (en2 198.51.100.2) inet proto udp to port 53\n');
  side.take();
  expect(await passes(inside, out(), outside)).toBe(true);
  expect(side.take()).toHaveLength(1);
});

test('a connection of the firewall itself is translated, too', async () => {
  await load('nat on en1 inet from (en1) to any -> 192.0.2.50\n');
  outside.take();
  outside.send(tcp({ source: OUTSIDE, destination: FW_OUT, sourcePort: 9, port: 9, flags: 'S', seq: 1 }));
  await pass(1e6);
  // The reset that answers comes from the firewall's own address: it belongs to nobody's state.
  expect(outside.take().map(({ source }) => source)).toEqual(['192.0.2.50']);
});

test('filter rules see the tag of a translation', async () => {
  await load(
    'rdr on en1 inet proto udp from any to 192.0.2.1 port 53 tag REDIRECTED -> 10.0.0.2\nblock in on en1\npass in on en1 tagged REDIRECTED keep state\n',
  );
  expect(await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 53), inside)).toBe(true);
  expect(await passes(outside, datagram(OUTSIDE, 5, INSIDE, 53), inside)).toBe(false);
});

test('of binat rules for packets in, too, those are skipped that are like one that was not met', async () => {
  const others = [7, 8, 9].map(
    (host) => `binat on en2 inet from 10.0.0.${host} to any -> 198.51.100.${host}\n`,
  );
  await load(`${others.join('')}binat on en1 inet from 10.0.0.2 to any -> 192.0.2.9\n`);
  expect(await passes(outside, echo(OUTSIDE, '192.0.2.9', 8, 3), inside)).toBe(true);
  expect((await rules('binat')).map(({ evaluations }) => evaluations).slice(0, 4)).toEqual([2, 0, 0, 2]);
});

test('packets that rules send round in circles are dropped', async () => {
  await load(
    'pass out on en1 route-to (en2 198.51.100.2) inet proto udp\npass out on en2 route-to (en1 192.0.2.2) inet proto udp\n',
  );
  expect(await passes(inside, out(), outside)).toBe(false);
  expect(await passes(inside, echo(INSIDE, OUTSIDE, 8, 1), outside)).toBe(true);
});
