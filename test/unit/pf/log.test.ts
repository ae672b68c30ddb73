// pflog0 (pflog(4)): what is logged, with which rule, reason, direction and interface.
import { expect, test } from 'vitest';
import { ipv4 } from '../../support/frames.ts';
import { SYN_OPTIONS, connect, say, sideOf } from './connection.ts';
import { FW_OUT, INSIDE, OUTSIDE, datagram, inside, load, outside, passes, useFirewall } from './firewall.ts';
import { logged } from './log.ts';

useFirewall();

const out = (port: number): Buffer => datagram(INSIDE, 4000, OUTSIDE, port);

test('a rule that logs shows the packets that it decides about', async () => {
  await load('pass all\nblock in log on en0 proto udp to port 53\npass out log on en1\n');
  const lines = await logged(async () => {
    await passes(inside, out(53), outside);
    await passes(inside, out(54), outside);
  });
  expect(lines).toEqual(['rule 1/0(match): block in on en0', 'rule 2/0(match): pass out on en1']);
});

test('rules in anchors are shown with the anchor', async () => {
  await load('pass all\nanchor services\n');
  await load('pass in proto udp to port 1\nblock in log proto udp to port 53\n', '3.7', 'services');
  expect(await logged(() => passes(inside, out(53), outside))).toEqual([
    'rule 1.services.1/0(match): block in on en0',
  ]);
});

test('of a state only its first packet is logged, with log-all every one', async () => {
  const several = async (): Promise<void> => {
    await passes(inside, out(53), outside);
    await passes(inside, out(53), outside);
    await passes(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside);
  };
  await load('pass in log on en0 proto udp keep state\n');
  expect(await logged(several)).toEqual(['rule 0/0(match): pass in on en0']);
  await load('block in on en1\npass in log-all on en0 proto udp to port 53 keep state\n');
  const lines = await logged(async () => {
    await passes(inside, datagram(INSIDE, 4001, OUTSIDE, 53), outside);
    await passes(inside, datagram(INSIDE, 4001, OUTSIDE, 53), outside);
  });
  expect(lines).toEqual(['rule 1/0(match): pass in on en0', 'rule 1/0(match): pass in on en0']);
});

test('a translation that passes logs every packet of its states with log-all', async () => {
  await load('rdr pass log (all) on en1 inet proto udp from any to 192.0.2.1 port 53 -> 10.0.0.2\n', '4.2');
  const lines = await logged(async () => {
    await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 53), inside);
    await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 53), inside);
  });
  expect(lines.map((line) => line.replace(/^rule \d+\//, ''))).toEqual([
    '0(match): pass in on en1',
    '0(match): pass in on en1',
  ]);
});

test('options of IP that are dropped are logged whatever the rule says, with a state or without', async () => {
  const options = Buffer.from([0x94, 4, 0, 0]);
  const odd = ipv4({
    source: INSIDE,
    destination: OUTSIDE,
    protocol: 99,
    payload: Buffer.alloc(16),
    options,
  });
  await load('pass all\n');
  expect(await logged(() => passes(inside, odd, outside))).toEqual(['rule 0/8(ip-option): block in on en0']);
  await load('pass in on en0 keep state\n');
  const plain = ipv4({ source: INSIDE, destination: OUTSIDE, protocol: 99, payload: Buffer.alloc(16) });
  const lines = await logged(async () => {
    expect(await passes(inside, plain, outside)).toBe(true);
    expect(await passes(inside, odd, outside)).toBe(false);
  });
  expect(lines).toEqual(['rule 0/8(ip-option): block in on en0']);
});

test('what cannot be read is logged', async () => {
  await load('pass all\n');
  const short = ipv4({ source: INSIDE, destination: OUTSIDE, protocol: 17, payload: Buffer.alloc(4) });
  expect(await logged(() => passes(inside, short, outside))).toEqual([
    expect.stringMatching(/3\(short\): block in on en0$/),
  ]);
});

test('what a state refuses is logged if its rule logs all', async () => {
  await load('pass in log-all on en0 proto tcp keep state\n');
  const [a, b] = [sideOf(inside, INSIDE, 4000, 1000), sideOf(outside, OUTSIDE, 80, 5000)];
  await connect(a, b);
  const lines = await logged(() =>
    say(a, b, 'P.', { payload: Buffer.from('x'), seq: a.seq + 900_000, options: SYN_OPTIONS }),
  );
  expect(lines).toEqual(['rule 0/10(state-mismatch): block in on en0']);
});
