// scrub on the wire (pf.conf(5), "TRAFFIC NORMALIZATION").
import { expect, test } from 'vitest';
import { PROTOCOL, ipv4, udp } from '../../support/frames.ts';
import type { ParsedIp } from '../../support/frames.ts';
import { connect, say, sideOf } from './connection.ts';
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
  segment,
  tcp,
  through,
  useFirewall,
} from './firewall.ts';

useFirewall();

const base = { source: INSIDE, destination: OUTSIDE, protocol: PROTOCOL.udp } as const;
const whole = udp({
  source: INSIDE,
  destination: OUTSIDE,
  sourcePort: 4000,
  port: 53,
  payload: Buffer.alloc(1000, 'x'),
});

/** A piece of a datagram of 1,008 bytes. */
function fragment(from: number, to: number, id = 9, extra: { df?: boolean } = {}): Buffer {
  return ipv4({
    ...base,
    id,
    offset: from,
    more: to < whole.length,
    payload: whole.subarray(from, to),
    ...extra,
  });
}

async function send(...packets: Buffer[]): Promise<ParsedIp[]> {
  outside.take();
  inside.send(...packets);
  await pass(1e6);
  return outside.take();
}

test('fragments are put together before they are filtered', async () => {
  await load('scrub in all\nblock in proto udp\npass in proto udp to port 53\n');
  const arrived = await send(fragment(0, 504), fragment(504, 1008));
  expect(arrived.map(({ more, payload }) => [more, payload.length])).toEqual([[false, 1008]]);
  await load('scrub in all\nblock in proto udp to port 53\n');
  expect(await send(fragment(0, 504, 10), fragment(504, 1008, 10))).toEqual([]);
});

test('without scrub a fragment meets rules that need no ports', async () => {
  await load('block in\npass in proto udp to port 53\n');
  expect(await send(fragment(0, 504), fragment(504, 1008))).toEqual([]);
  await load('block in\npass in proto udp fragment\n');
  expect(await send(fragment(0, 504), fragment(504, 1008))).toHaveLength(2);
  expect(await passes(inside, datagram(INSIDE, 1, OUTSIDE, 53), outside)).toBe(false);
});

test('fragments that cannot be are dropped', async () => {
  await load('scrub in all fragment crop\n');
  expect(await send(ipv4({ ...base, offset: 65_528, payload: Buffer.alloc(64) }))).toEqual([]);
  expect(await send(fragment(0, 500))).toEqual([]);
  expect(await send(fragment(0, 504, 3, { df: true }))).toEqual([]);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons.fragment).toBe(3);
});

test('crop cuts off what has passed already', async () => {
  await load('scrub in all fragment crop\n');
  expect(await send(fragment(0, 504))).toHaveLength(1);
  expect(await send(fragment(0, 504))).toEqual([]);
  const [rest] = await send(fragment(400, 1008));
  expect(rest).toMatchObject({ offset: 504, more: false });
  expect(rest!.payload).toHaveLength(504);
  const [front] = await send(fragment(504, 1008, 77), fragment(0, 600, 77)).then((list) => list.slice(1));
  expect(front).toMatchObject({ offset: 0, more: true });
  expect(front!.payload).toHaveLength(504);
});

test('drop-ovl drops a datagram whose fragments overlap', async () => {
  await load('scrub in all fragment drop-ovl\n');
  expect(await send(fragment(0, 504))).toHaveLength(1);
  expect(await send(fragment(400, 1008))).toEqual([]);
  expect(await send(fragment(504, 1008))).toEqual([]);
});

test('fragments of a datagram that never completes are forgotten', async () => {
  await load(
    'scrub in all fragment crop\nset timeout { frag 5, interval 1 }\n'.split('\n').reverse().join('\n'),
  );
  await send(fragment(0, 504));
  await pass(10 * SECOND);
  expect(await send(fragment(0, 504))).toHaveLength(1);
});

test('no-df, min-ttl and random-id change the header', async () => {
  await load('scrub in all no-df min-ttl 40 random-id\n');
  const ids = new Set<number>();
  for (let i = 0; i < 4; i++) {
    const got = (await through(
      inside,
      datagram(INSIDE, 1, OUTSIDE, 2, { ttl: 3, df: true, id: 1 }),
      outside,
    ))!;
    // Forwarded once.
    expect(got).toMatchObject({ ttl: 39, df: false });
    ids.add(got.id);
  }
  expect(ids.size).toBe(4);
});

test('max-mss limits what a SYN announces', async () => {
  await load('scrub all max-mss 1000\n');
  const syn = (mss: number): Buffer =>
    tcp({
      source: INSIDE,
      destination: OUTSIDE,
      sourcePort: 1,
      port: 2,
      flags: 'S',
      options: [2, 4, mss >>> 8, mss & 255],
    });
  expect(segment((await through(inside, syn(1460), outside))!).options.readUInt16BE(2)).toBe(1000);
  expect(segment((await through(inside, syn(536), outside))!).options.readUInt16BE(2)).toBe(536);
});

test.each(['SR', 'SRF', '', 'F', 'P', 'U'])('flags %s make no sense', async (flags) => {
  const odd = tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 1, port: 2, flags });
  expect(await passes(inside, odd, outside)).toBe(true);
  await load('scrub in all\n');
  expect(await passes(inside, odd, outside)).toBe(false);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons.normalize).toBe(1);
});

test('no scrub leaves packets alone', async () => {
  await load('no scrub in proto udp to port 53\nscrub in all min-ttl 200\n');
  const ttlOf = async (port: number): Promise<number> =>
    (await through(inside, datagram(INSIDE, 1, OUTSIDE, port), outside))!.ttl;
  expect(await ttlOf(53)).toBe(63);
  expect(await ttlOf(54)).toBe(199);
});

test('reassemble tcp hides timestamps and evens out the time to live', async () => {
  await load('scrub on en0 all reassemble tcp\npass in on en0 proto tcp keep state\n');
  const [a, b] = [sideOf(inside, INSIDE, 4000, 1000), sideOf(outside, OUTSIDE, 80, 9000)];
  const stamp = (value: number, echo: number): number[] => {
    const bytes = Buffer.alloc(12);
    bytes.set([1, 1, 8, 10]);
    bytes.writeUInt32BE(value, 4);
    bytes.writeUInt32BE(echo, 8);
    return [...bytes];
  };
  const syn = (await say(a, b, 'S', { options: stamp(5000, 0) }))!;
  const shown = syn.options.readUInt32BE(4);
  expect(shown).not.toBe(5000);
  a.seq++;
  b.ack = a.seq;
  const answer = (await say(b, a, 'S.', { options: stamp(77, shown) }))!;
  expect(answer.options.readUInt32BE(8)).toBe(5000);
  expect(answer.options.readUInt32BE(4)).not.toBe(77);
});

test('what is scrubbed still connects', async () => {
  await load(
    'scrub all reassemble tcp max-mss 1400\nblock all\npass in on en0 proto tcp keep state\npass out on en1 proto tcp keep state\n',
  );
  const [a, b] = [sideOf(inside, INSIDE, 4000, 1000), sideOf(outside, OUTSIDE, 80, 9000)];
  await connect(a, b);
  expect(await say(a, b, 'P.', { payload: Buffer.from('data') })).toBeDefined();
});

test('a segment that begins and ends a connection only begins it', async () => {
  const odd = tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 1, port: 2, flags: 'SF' });
  await load('scrub in all\nblock in\npass in proto tcp flags S/SF\n');
  expect(segment((await through(inside, odd, outside))!).flags).toBe('S');
});

test('stray bits and urgent pointers that mean nothing are cleared', async () => {
  const odd = tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 1, port: 2, flags: '.', seq: 1 });
  odd[20 + 12]! |= 0x0f;
  odd.writeUInt16BE(77, 20 + 18);
  // One's complement: what is added to the words that the sum covers is taken from it.
  const sum = (odd.readUInt16BE(20 + 16) + 0xffff * 2 - 0x0f00 - 77) % 0xffff;
  odd.writeUInt16BE(sum, 20 + 16);
  await load('scrub in all\n');
  const { payload } = (await through(inside, odd, outside))!;
  expect([payload[12]! & 0x0f, payload.readUInt16BE(18)]).toEqual([0, 0]);
});

test('a timestamp that is out of time is a reason to drop; one outside of the window says nothing', async () => {
  await load('scrub on en0 all reassemble tcp\npass in on en0 proto tcp keep state\n');
  const [a, b] = [sideOf(inside, INSIDE, 4000, 1000), sideOf(outside, OUTSIDE, 80, 9000)];
  const stamp = (value: number): number[] => {
    const bytes = Buffer.alloc(12);
    bytes.set([1, 1, 8, 10]);
    bytes.writeUInt32BE(value, 4);
    return [...bytes];
  };
  await say(a, b, 'S', { options: stamp(100_000) });
  a.seq++;
  b.ack = a.seq;
  const answer = (await say(b, a, 'S.', { options: stamp(7) }))!;
  b.seq++;
  a.ack = (answer.seq + 1) >>> 0;
  await say(a, b, '.', { options: stamp(100_000) });
  const data = { payload: Buffer.from('x') };
  // From far outside of the window, with a time long after: forged, and forgotten.
  expect(await say(a, b, 'P.', { ...data, seq: a.seq + 900_000, options: stamp(900_000) })).toBeUndefined();
  expect(await say(a, b, 'P.', { ...data, options: stamp(100_001) })).toBeDefined();
  a.seq++;
  expect(await say(a, b, 'P.', { ...data, options: stamp(1) })).toBeUndefined();
  const { reasons } = await ioctl('DIOCGETSTATUS', {});
  expect([reasons['state-mismatch'], reasons['bad-timestamp']]).toEqual([1, 1]);
});

test('a fragment of UDP meets rules that ask for flags of TCP', async () => {
  // With 4.2 a rule that keeps state has `flags S/SA` unless it says otherwise.
  await load('block in\npass in on en0\n', '4.2');
  expect(await send(fragment(0, 504), fragment(504, 1008))).toHaveLength(2);
});
