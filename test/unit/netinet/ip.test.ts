import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ETHERTYPE, PROTOCOL, ether, icmp, pass, udp } from '../../support/frames.ts';
import type { ParsedIp } from '../../support/frames.ts';
import { MAC, ME, NODE, NODE_MAC, SECOND, frame, onNode, packets, peer, useNeighbour } from './neighbour.ts';

useNeighbour();

const echo = (payload: Uint8Array): Buffer => icmp(8, 0, 0x12340001, payload);
const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => (i * 7) & 255));

/** Pieces of a datagram's payload as [from, to) in bytes; the last one has no more behind it. */
function fragments(payload: Buffer, cuts: readonly (readonly [number, number])[], id = 7): Buffer[] {
  return cuts.map(([from, to]) =>
    frame({
      protocol: PROTOCOL.icmp,
      payload: payload.subarray(from, to),
      id,
      offset: from,
      more: to < payload.length,
    }),
  );
}

/** The payload of what came, put together. */
function joined(list: readonly ParsedIp[]): Buffer {
  const sorted = [...list].sort((a, b) => a.offset - b.offset);
  return Buffer.concat(sorted.map(({ payload }) => payload));
}

test('an echo request is answered with the same data, also when it comes in pieces in any order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 40, max: 6000 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      fc.nat(60_000),
      async (size, points, order, id) => {
        const message = echo(bytes(size));
        const ends = [...new Set(points.map((point) => point * 8).filter((at) => at < message.length))].sort(
          (a, b) => a - b,
        );
        const cuts = [0, ...ends].map((from, i) => [from, ends[i] ?? message.length] as const);
        const keys = cuts.map(() => order.next().value as number);
        const shuffled = fragments(message, cuts, id)
          .map((piece, i) => ({ piece, key: keys[i]! }))
          .sort((a, b) => a.key - b.key)
          .map(({ piece }) => piece);
        const answers = packets(await peer.exchange(shuffled));
        const answer = joined(answers);
        expect(answer[0]).toBe(0);
        expect(answer.subarray(8)).toEqual(bytes(size));
      },
    ),
    { numRuns: 60 },
  );
});

test('pieces that overlap, repeat or contradict each other never make a wrong datagram', async () => {
  const message = echo(bytes(800));
  const whole = [
    [0, 400],
    [400, 808],
  ] as const;
  expect(
    packets(
      await peer.exchange(
        fragments(
          message,
          [
            [0, 400],
            [0, 400],
            [392, 600],
            [400, 808],
          ],
          1,
        ),
      ),
    ),
  ).toHaveLength(1);
  // The end is said to be in two places.
  expect(
    packets(
      await peer.exchange([
        ...fragments(message, [[400, 808]], 2),
        ...fragments(message.subarray(0, 904), [[400, 808]], 2),
      ]),
    ),
  ).toEqual([]);
  // A piece beyond the largest datagram, an empty one, one whose length is no multiple of 8.
  const bad = [
    frame({ protocol: PROTOCOL.icmp, payload: bytes(100), id: 3, offset: 65_528, more: false }),
    frame({ protocol: PROTOCOL.icmp, payload: bytes(0), id: 3, offset: 8, more: true }),
    frame({ protocol: PROTOCOL.icmp, payload: bytes(9), id: 3, offset: 8, more: true }),
  ];
  expect(packets(await peer.exchange(bad))).toEqual([]);
  expect((await onNode('netstat -s -p ip')).out).toMatch(/3 malformed fragments dropped/);
  expect(packets(await peer.exchange(fragments(message, whole, 4)))).toHaveLength(1);
});

test('an incomplete datagram is given up after 30 s, and the sender is told if its first piece came', async () => {
  const message = echo(bytes(800));
  peer.send(...fragments(message, [[0, 400]], 5), ...fragments(message, [[400, 808]], 6));
  await pass(29 * SECOND);
  expect(packets(peer.takeParsed())).toEqual([]);
  await pass(2 * SECOND);
  const told = packets(peer.takeParsed());
  expect(told).toHaveLength(1);
  expect(told[0]!.icmp).toMatchObject({ type: 11, code: 1 });
  expect((await onNode('netstat -s -p ip')).out).toMatch(/2 fragments dropped after timeout/);
});

test('the number of datagrams under reassembly is bounded', async () => {
  await onNode('sysctl -w net.inet.ip.maxfragpackets=10');
  const message = echo(bytes(800));
  peer.send(...Array.from({ length: 15 }, (_, i) => fragments(message, [[0, 400]], 100 + i)[0]!));
  await pass(1000);
  expect((await onNode('netstat -s -p ip')).out).toMatch(/5 fragments dropped \(dup/);
});

test('packets with a wrong header are counted and dropped', async () => {
  const good = frame({ protocol: PROTOCOL.icmp, payload: echo(bytes(56)) });
  const broken = (change: (ip: Buffer) => void): Buffer => {
    const copy = Buffer.from(good);
    change(copy.subarray(14));
    return copy;
  };
  const answers = await peer.exchange([
    frame({ protocol: PROTOCOL.icmp, payload: echo(bytes(56)), badChecksum: true }),
    broken((ip) => (ip[0] = 0x55)),
    broken((ip) => (ip[0] = 0x44)),
    broken((ip) => ip.writeUInt16BE(2000, 2)),
    ether(NODE_MAC, MAC, ETHERTYPE.ip, good.subarray(14, 30)).subarray(0, 30),
    frame({ protocol: PROTOCOL.icmp, payload: echo(bytes(56)), source: '127.0.0.1' }),
    frame({ protocol: PROTOCOL.icmp, payload: echo(bytes(56)), source: '224.0.0.1' }),
  ]);
  expect(answers).toEqual([]);
  const { out } = await onNode('netstat -s -p ip');
  for (const line of [
    '2 bad header checksums',
    '1 with incorrect version number',
    '2 with bad source or destination address',
  ])
    expect(out).toContain(line);
});

test('a packet for an unknown protocol, and a datagram for a closed port, are refused with what they said', async () => {
  const [unknown] = packets(await peer.exchange([frame({ protocol: 200, payload: bytes(40) })]));
  expect(unknown!.icmp).toMatchObject({ type: 3, code: 2, checksumGood: true });
  expect(unknown!.source).toBe(NODE);
  const datagram = udp({ source: ME, destination: NODE, sourcePort: 1111, port: 2222, payload: bytes(40) });
  const [closed] = packets(await peer.exchange([frame({ protocol: PROTOCOL.udp, payload: datagram })]));
  expect(closed!.icmp).toMatchObject({ type: 3, code: 3, checksumGood: true });
  expect(closed!.icmp!.payload.subarray(20, 28)).toEqual(datagram.subarray(0, 8));
});

test('no error about errors, later fragments or broadcasts; others are limited to 100 a second', async () => {
  const datagram = udp({ source: ME, destination: NODE, sourcePort: 1111, port: 2222, payload: bytes(40) });
  const silent = [
    frame({
      protocol: PROTOCOL.icmp,
      payload: icmp(3, 3, 0, frame({ protocol: 200, payload: bytes(20) }).subarray(14)),
    }),
    ether(
      'ff:ff:ff:ff:ff:ff',
      MAC,
      ETHERTYPE.ip,
      frame({ protocol: 200, payload: bytes(20), destination: '10.0.0.255' }).subarray(14),
    ),
  ];
  expect(packets(await peer.exchange(silent))).toEqual([]);
  const flood = Array.from({ length: 250 }, () => frame({ protocol: PROTOCOL.udp, payload: datagram }));
  expect(packets(await peer.exchange(flood))).toHaveLength(100);
  await pass(SECOND);
  expect(packets(await peer.exchange(flood.slice(0, 50)))).toHaveLength(50);
});

test('forwarding: time to live, no route, too big, refused and black-holed', async () => {
  const through = (fields: { ttl?: number; destination?: string; df?: boolean; size?: number }): Buffer =>
    frame({
      protocol: PROTOCOL.icmp,
      payload: echo(bytes(fields.size ?? 56)),
      destination: '10.1.0.2',
      ...fields,
    });
  const [reply] = packets(await peer.exchange([through({ ttl: 9 })], 10e6));
  expect(reply).toMatchObject({ source: '10.1.0.2', destination: ME, ttl: 63 });
  const [expired] = packets(await peer.exchange([through({ ttl: 1 })]));
  expect(expired).toMatchObject({ source: NODE, icmp: { type: 11, code: 0 } });
  const [nowhere] = packets(await peer.exchange([through({ destination: '172.16.0.1' })]));
  expect(nowhere!.icmp).toMatchObject({ type: 3, code: 0 });
  await onNode('ifconfig en1 mtu 600');
  const [big] = packets(await peer.exchange([through({ df: true, size: 1000 })]));
  expect(big!.icmp).toMatchObject({ type: 3, code: 4, rest: 600 });
  expect(joined(packets(await peer.exchange([through({ size: 1000 })], 10e6))).length).toBe(1008);
  await onNode('route add -net 172.16.0.0/16 127.0.0.1 -reject');
  const [rejected] = packets(await peer.exchange([through({ destination: '172.16.0.1' })]));
  expect(rejected!.icmp).toMatchObject({ type: 3, code: 1 });
  await onNode('route add -net 172.17.0.0/16 127.0.0.1 -blackhole');
  expect(await peer.exchange([through({ destination: '172.17.0.1' })])).toEqual([]);
  await onNode('sysctl -w net.inet.ip.forwarding=0');
  expect(await peer.exchange([through({})], 10e6)).toEqual([]);
});

test('a sender that could use a nearer router is told so', async () => {
  await onNode('route add -net 10.7.0.0/16 10.0.0.9');
  await onNode('arp -s 10.0.0.9 02:09:09:09:09:09');
  const all = packets(
    await peer.exchange([
      frame({ protocol: PROTOCOL.icmp, payload: echo(bytes(56)), destination: '10.7.0.1' }),
    ]),
  );
  const redirect = all.find(({ destination }) => destination === ME)!;
  expect(redirect.icmp).toMatchObject({ type: 5, code: 1, rest: 0x0a000009 });
  expect(all.some(({ destination }) => destination === '10.7.0.1')).toBe(true);
});

test('ifconfig down takes routes and neighbours with it; up brings the network back', async () => {
  expect((await onNode('netstat -rn')).out).toContain('10.0.0');
  await onNode('ifconfig en0 down');
  expect((await onNode('netstat -rn')).out).not.toContain('10.0.0');
  expect((await onNode('ifconfig en0')).out).toContain('no carrier');
  expect((await onNode('ping -c 1 10.0.0.2')).err).toContain('No route to host');
  expect(await peer.exchange([frame({ protocol: PROTOCOL.icmp, payload: echo(bytes(56)) })])).toEqual([]);
  await onNode('ifconfig en0 up');
  expect((await onNode('netstat -rn')).out).toContain('10.0.0');
  expect((await onNode('ifconfig en0')).out).toContain('active');
});
