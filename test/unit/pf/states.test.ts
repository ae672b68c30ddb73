// States of PF on the wire (pf.conf(5), "STATEFUL INSPECTION"): what belongs to one passes without rules, what does not is dropped, and how long states live.
import { expect, test } from 'vitest';
import { icmp, ipv4 } from '../../support/frames.ts';
import { SYN_OPTIONS, connect, say, sideOf } from './connection.ts';
import {
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

const client = () => sideOf(inside, INSIDE, 4000, 1000);
const server = () => sideOf(outside, OUTSIDE, 80, 500_000);
const KEEP = 'block all\npass in on en0 proto { tcp, udp, icmp } keep state\npass out on en1 keep state\n';

test('answers pass by the state, strangers do not', async () => {
  await load(KEEP);
  expect(await passes(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside)).toBe(false);
  expect(await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside)).toBe(true);
  expect(await passes(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside)).toBe(true);
  expect(await passes(outside, datagram(OUTSIDE, 54, INSIDE, 4000), inside)).toBe(false);
  expect(await states()).toEqual([
    `17 in ${OUTSIDE}:53 ${OUTSIDE}:53 ${INSIDE}:4000 SINGLE:MULTIPLE`,
    `17 out ${INSIDE}:4000 ${INSIDE}:4000 ${OUTSIDE}:53 MULTIPLE:SINGLE`,
  ]);
});

test('packets of a state are not evaluated against the rules', async () => {
  await load(KEEP);
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  const before = (await rules()).map(({ evaluations }) => evaluations);
  for (let i = 0; i < 5; i++) await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  const after = await rules();
  expect(after.map(({ evaluations }) => evaluations)).toEqual(before);
  // But they count for the rule that made the state.
  expect(after.at(-1)).toMatchObject({ packets: 6, states: 1, statesMade: 1 });
});

test('a TCP connection goes through its states', async () => {
  await load(KEEP);
  const [a, b] = [client(), server()];
  const state = async (): Promise<string> => (await states()).at(-1)!.split(' ').at(-1)!;
  await say(a, b, 'S', { options: SYN_OPTIONS });
  expect(await state()).toBe('SYN_SENT:CLOSED');
  a.seq++;
  b.ack = a.seq;
  await say(b, a, 'S.', { options: SYN_OPTIONS });
  b.seq++;
  a.ack = b.seq;
  expect(await state()).toBe('ESTABLISHED:SYN_SENT');
  await say(a, b, '.');
  expect(await state()).toBe('ESTABLISHED:ESTABLISHED');
  expect((await say(a, b, 'P.', { payload: Buffer.from('hello') }))!.data.toString()).toBe('hello');
  a.seq += 5;
  b.ack = a.seq;
  await say(b, a, '.');
  await say(a, b, 'F.');
  expect(await state()).toBe('CLOSING:ESTABLISHED');
  a.seq++;
  b.ack = a.seq;
  await say(b, a, 'F.');
  expect(await state()).toBe('FIN_WAIT_2:CLOSING');
  b.seq++;
  a.ack = b.seq;
  await say(a, b, '.');
  expect(await state()).toBe('FIN_WAIT_2:FIN_WAIT_2');
});

test('segments outside of the window are dropped and counted', async () => {
  await load(KEEP);
  const [a, b] = [client(), server()];
  await connect(a, b);
  const data = { payload: Buffer.from('x') };
  expect(await say(b, a, 'P.', { ...data, seq: b.seq + 100_000 })).toBeUndefined();
  expect(await say(b, a, 'P.', { ...data, seq: b.seq - 200_000 })).toBeUndefined();
  expect(await say(b, a, '.', { ack: a.seq + 200_000, payload: Buffer.from('y') })).toBeUndefined();
  expect((await ioctl('DIOCGETSTATUS', {})).reasons['state-mismatch']).toBe(3);
  expect(await say(b, a, 'P.', data)).toBeDefined();
});

test('a reset must have the very number that is expected', async () => {
  await load(KEEP);
  const [a, b] = [client(), server()];
  await connect(a, b);
  expect(await say(b, a, 'R', { seq: b.seq + 1000 })).toBeUndefined();
  expect((await states()).at(-1)).toContain('ESTABLISHED:ESTABLISHED');
  expect(await say(b, a, 'R')).toBeDefined();
  expect((await states()).at(-1)).toContain('TIME_WAIT:TIME_WAIT');
});

test('windows are scaled as the SYNs say', async () => {
  await load(KEEP);
  const [a, b] = [client(), server()];
  const scaled = (shift: number): number[] => [2, 4, 5, 180, 1, 3, 3, shift];
  await say(a, b, 'S', { options: scaled(4), window: 65_535 });
  a.seq++;
  b.ack = a.seq;
  await say(b, a, 'S.', { options: scaled(2), window: 65_535 });
  b.seq++;
  a.ack = b.seq;
  // The windows of the SYNs count in full, though the sides scale.
  expect(
    await say(a, b, 'P.', { payload: Buffer.alloc(1000), seq: a.seq + 60_000, window: 4000 }),
  ).toBeDefined();
  expect(
    await say(b, a, 'P.', { payload: Buffer.alloc(1000), seq: b.seq + 60_000, window: 16_000 }),
  ).toBeDefined();
  // 10,000 << 4 = 160,000 bytes are allowed.
  await say(a, b, '.', { window: 10_000 });
  expect(await say(b, a, 'P.', { payload: Buffer.from('x'), seq: b.seq + 150_000 })).toBeDefined();
  expect(await say(b, a, 'P.', { payload: Buffer.from('x'), seq: b.seq + 400_000 })).toBeUndefined();
});

test('a new SYN on a finished connection ends its state', async () => {
  await load(KEEP);
  const [a, b] = [client(), server()];
  await connect(a, b);
  await say(b, a, 'R');
  const again = sideOf(inside, INSIDE, 4000, 90_000);
  expect(await say(again, b, 'S', { options: SYN_OPTIONS })).toBeUndefined();
  expect(await say(again, b, 'S', { options: SYN_OPTIONS })).toBeUndefined();
  expect(await say(again, b, 'S', { options: SYN_OPTIONS })).toBeDefined();
});

test.each([
  ['udp.first', 60, datagram(INSIDE, 4000, OUTSIDE, 53)],
  ['icmp.first', 20, echo(INSIDE, OUTSIDE, 8, 5)],
  [
    'tcp.first',
    120,
    tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 1, port: 2, flags: 'S', seq: 9 }),
  ],
] as const)('%s is %i s', async (_name, seconds, packet) => {
  await load('pass in on en0 keep state\npass out\n');
  await passes(inside, packet, outside);
  await pass((seconds - 11) * SECOND);
  expect(await states()).toHaveLength(1);
  // Up to an interval of 10 s later.
  await pass(21 * SECOND);
  expect(await states()).toEqual([]);
});

test('time-outs of a rule are those of its states', async () => {
  await load('pass in on en0 proto udp keep state (udp.first 300)\npass out\n');
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  await pass(250 * SECOND);
  expect(await states()).toHaveLength(1);
  await pass(70 * SECOND);
  expect(await states()).toEqual([]);
});

test('a time-out of 0 of a rule is that of all rules', async () => {
  await load('pass in on en0 proto udp keep state (udp.first 0)\npass out\n');
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  await pass(45 * SECOND);
  expect(await states()).toHaveLength(1);
  await pass(25 * SECOND);
  expect(await states()).toEqual([]);
});

test('adaptive time-outs shorten the lives of states when there are many', async () => {
  await load(
    'set timeout { adaptive.start 10, adaptive.end 30, udp.first 100, interval 1 }\npass in on en0 proto udp keep state\npass out\n',
  );
  for (let i = 0; i < 20; i++) await passes(inside, datagram(INSIDE, 4000 + i, OUTSIDE, 53), outside);
  // (30 - 20) / (30 - 10) of 100 s.
  await pass(45 * SECOND);
  expect(await states()).toHaveLength(20);
  await pass(10 * SECOND);
  // As states go, those that are left get more time.
  const left = (await states()).length;
  expect(left).toBeLessThan(20);
  expect(left).toBeGreaterThan(5);
});

test('a rule makes no more states than max', async () => {
  await load('block all\npass in on en0 proto udp keep state (max 3)\npass out\n');
  const results: boolean[] = [];
  for (let i = 0; i < 5; i++)
    results.push(await passes(inside, datagram(INSIDE, 4000 + i, OUTSIDE, 53), outside));
  expect(results).toEqual([true, true, true, false, false]);
  const { reasons, limitCounters } = await ioctl('DIOCGETSTATUS', {});
  expect(reasons['state-limit']).toBe(2);
  expect(limitCounters['max states per rule']).toBe(2);
});

test('the limit of all states holds, too', async () => {
  await load('set limit states 4\npass in on en0 proto udp keep state\npass out\n');
  const results: boolean[] = [];
  for (let i = 0; i < 6; i++)
    results.push(await passes(inside, datagram(INSIDE, 4000 + i, OUTSIDE, 53), outside));
  expect(results).toEqual([true, true, true, true, false, false]);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons.memory).toBe(2);
});

test('modulate state shifts the numbers of the side that begins, and shifts them back in answers', async () => {
  await load('block all\npass in on en0 proto tcp modulate state\npass out on en1 proto tcp keep state\n');
  const [a, b] = [client(), server()];
  await connect(a, b);
  const shift = (b.ack - a.seq) >>> 0;
  expect(shift).not.toBe(0);
  const got = await say(a, b, 'P.', { payload: Buffer.from('abc') });
  expect(got).toMatchObject({ seq: (a.seq + shift) >>> 0 });
  b.ack = (got!.seq + 3) >>> 0;
  a.seq += 3;
  expect(await say(b, a, '.')).toMatchObject({ ack: a.seq });
  // Selective acknowledgements speak of the same numbers.
  const edge = (b.ack + 10) >>> 0;
  const bytes = (value: number): number[] => [
    value >>> 24,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  ];
  const sack = [1, 1, 5, 10, ...bytes(edge), ...bytes(edge + 5)];
  const { options } = (await say(b, a, '.', { options: sack }))!;
  expect(options.readUInt32BE(4)).toBe((a.seq + 10) >>> 0);
  expect(options.readUInt32BE(8)).toBe((a.seq + 15) >>> 0);
});

test('synproxy answers the handshake and begins one with the server only when it is complete', async () => {
  await load('pass all\npass in on en0 proto tcp synproxy state\n');
  const [a, b] = [client(), server()];
  const syn = tcp({
    source: INSIDE,
    destination: OUTSIDE,
    sourcePort: 4000,
    port: 80,
    flags: 'S',
    seq: 1000,
    options: SYN_OPTIONS,
  });
  inside.send(syn);
  await pass(1e6);
  expect(outside.take()).toEqual([]);
  const answer = segment(inside.take()[0]!);
  expect(answer).toMatchObject({ flags: 'S.', ack: 1001, window: 0 });
  expect(await states()).toEqual([expect.stringContaining('PROXY:SRC')]);
  a.seq = 1001;
  a.ack = (answer.seq + 1) >>> 0;
  const toServer = await say(a, b, '.');
  expect(toServer).toMatchObject({ flags: 'S' });
  b.ack = (toServer!.seq + 1) >>> 0;
  inside.take();
  outside.send(
    tcp({
      source: OUTSIDE,
      destination: INSIDE,
      sourcePort: 80,
      port: 4000,
      flags: 'S.',
      seq: b.seq,
      ack: b.ack,
      options: SYN_OPTIONS,
    }),
  );
  await pass(1e6);
  b.seq++;
  // The server's handshake is completed, and the client is told that it may send.
  expect(segment(outside.take()[0]!)).toMatchObject({ flags: '.', seq: b.ack, ack: b.seq });
  expect(segment(inside.take()[0]!)).toMatchObject({ flags: '.', seq: a.ack, ack: a.seq });
  const data = await say(a, b, 'P.', { payload: Buffer.from('hi') });
  expect(data).toMatchObject({ seq: b.ack, ack: b.seq });
  b.ack = (b.ack + 2) >>> 0;
  const back = await say(b, a, 'P.', { payload: Buffer.from('yo') });
  expect(back).toMatchObject({ seq: a.ack, ack: a.seq + 2 });
});

test('an ICMP error passes with the connection that it quotes, and only then', async () => {
  await load(KEEP);
  const sent = datagram(INSIDE, 4000, OUTSIDE, 53);
  const error = (quoted: Buffer): Buffer =>
    ipv4({
      source: '192.0.2.77',
      destination: INSIDE,
      protocol: 1,
      payload: icmp(3, 3, 0, quoted.subarray(0, 28)),
    });
  expect(await passes(outside, error(sent), inside)).toBe(false);
  await passes(inside, sent, outside);
  expect(await passes(outside, error(sent), inside)).toBe(true);
  expect(await passes(outside, error(datagram(INSIDE, 4001, OUTSIDE, 53)), inside)).toBe(false);
});

test('an ICMP error about a later fragment tells nothing of ports, and is dropped', async () => {
  await load(KEEP);
  const sent = datagram(INSIDE, 4000, OUTSIDE, 53);
  await passes(inside, sent, outside);
  const later = datagram(INSIDE, 4000, OUTSIDE, 53, { offset: 800 });
  const payload = icmp(3, 3, 0, later.subarray(0, 28));
  const error = ipv4({ source: '192.0.2.77', destination: INSIDE, protocol: 1, payload });
  expect(await passes(outside, error, inside)).toBe(false);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons.fragment).toBe(1);
});

test('an ICMP error about a segment must quote a number that was sent', async () => {
  await load(KEEP);
  const [a, b] = [client(), server()];
  await connect(a, b);
  const about = (seq: number): Buffer => {
    const quoted = tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 4000, port: 80, flags: '.', seq });
    return ipv4({
      source: OUTSIDE,
      destination: INSIDE,
      protocol: 1,
      payload: icmp(3, 4, 1400, quoted.subarray(0, 28)),
    });
  };
  expect(await passes(outside, about(a.seq), inside)).toBe(true);
  expect(await passes(outside, about(a.seq + 900_000), inside)).toBe(false);
});

test('states bound to an interface are for that interface', async () => {
  await load('block all\npass in on en0 proto udp keep state (if-bound)\npass out on en1\n');
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  expect((await ioctl('DIOCGETSTATES', { count: 9 })).states.map((one) => one.interface)).toEqual(['en0']);
  await load('block all\npass in on en0 proto udp keep state\npass out on en1\n');
  await ioctl('DIOCCLRSTATES', {});
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  expect((await ioctl('DIOCGETSTATES', { count: 9 })).states.map((one) => one.interface)).toEqual(['all']);
});

test('states outlive the rules that made them', async () => {
  await load(KEEP);
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  await load('block all\n');
  expect(await passes(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside)).toBe(true);
  await ioctl('DIOCKILLSTATES', { source: { af: 'inet', address: INSIDE, length: 32 } });
  expect(await passes(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside)).toBe(false);
});

test('the counters of a state are those of its two directions', async () => {
  await load(KEEP);
  await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  await passes(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside);
  await through(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside);
  const { states: list } = await ioctl('DIOCGETSTATES', { count: 9 });
  expect(list.map(({ packets }) => packets)).toEqual([
    { forward: 1, backward: 2 },
    { forward: 1, backward: 2 },
  ]);
  expect(list[0]!.bytes).toEqual({ forward: 33, backward: 66 });
});
