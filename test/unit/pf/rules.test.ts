// Rules of PF on the wire (pf.conf(5), "PACKET FILTERING"): which one decides, what they count, how blocked packets are answered.
import { expect, test } from 'vitest';
import { ipv4 } from '../../support/frames.ts';
import { succeed } from '../../support/lab.ts';
import {
  FW_IN,
  INSIDE,
  OUTSIDE,
  datagram,
  echo,
  inside,
  ioctl,
  lab,
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

const out = (port: number): Buffer => datagram(INSIDE, 4000, OUTSIDE, port);
const syn = (port: number, sourcePort = 4000): Buffer =>
  tcp({ source: INSIDE, destination: OUTSIDE, sourcePort, port, flags: 'S', seq: 1000 });

test('without rules everything passes', async () => {
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(outside, echo(OUTSIDE, INSIDE, 8, 7), inside)).toBe(true);
});

test('the last rule that matches decides', async () => {
  await load('block all\npass proto udp to port 53\nblock proto udp from 10.0.0.2 to port 54\n');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
  await load('pass proto udp to port 53\nblock all\n');
  expect(await passes(inside, out(53), outside)).toBe(false);
});

test('a quick rule ends the walk', async () => {
  await load('pass quick proto udp to port 53\nblock all\n');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
});

test('directions and interfaces are told apart', async () => {
  await load(
    'pass all\nblock in on en0 proto udp to port 1\nblock out on en1 proto udp to port 2\nblock out on en0 proto udp to port 3\nblock on ! en1 proto udp to port 4\n',
  );
  expect(await passes(inside, out(1), outside)).toBe(false);
  expect(await passes(inside, out(2), outside)).toBe(false);
  expect(await passes(inside, out(3), outside)).toBe(true);
  expect(await passes(inside, out(4), outside)).toBe(false);
});

test.each([
  ['port 53', [53], [52, 54]],
  ['port != 53', [52, 54], [53]],
  ['port < 53', [52], [53, 54]],
  ['port <= 53', [52, 53], [54]],
  ['port > 53', [54], [53]],
  ['port >= 53', [53, 54], [52]],
  ['port 53:55', [53, 54, 55], [52, 56]],
  ['port 53 >< 56', [54, 55], [53, 56]],
  ['port 53 <> 56', [52, 57], [53, 54, 56]],
  ['port { 53, 60 }', [53, 60], [54]],
])('%s', async (condition, matching, others) => {
  await load(`block all\npass proto udp to any ${condition}\n`);
  for (const port of matching) expect([port, await passes(inside, out(port), outside)]).toEqual([port, true]);
  for (const port of others) expect([port, await passes(inside, out(port), outside)]).toEqual([port, false]);
});

test.each([
  ['10.0.0.2', true],
  ['! 10.0.0.2', false],
  ['10.0.0.0/24', true],
  ['10.0.0.0/30', true],
  ['10.0.0.4/30', false],
  ['! 10.0.0.4/30', true],
  ['(en0:network)', true],
  ['(en1:network)', false],
  ['(en0)', false],
  ['no-route', false],
  ['{ 10.9.9.9, 10.0.0.2 }', true],
])('from %s', async (source, matches) => {
  await load(`pass all\nblock in proto udp from ${source} to any\n`);
  expect(await passes(inside, out(53), outside)).toBe(!matches);
});

test('a dynamic address follows the interface', async () => {
  await load('pass all\nblock in proto udp from (en0:network) to any\n');
  expect(await passes(inside, out(53), outside)).toBe(false);
  await succeed(
    lab,
    'fw',
    'ifconfig en0 10.0.1.1/24 alias; ifconfig en0 10.0.0.1 delete; route add 10.0.0.0/24 -interface en0',
  );
  await pass(1e6);
  expect(await passes(inside, out(53), outside)).toBe(true);
});

test('flags, types of ICMP, type of service', async () => {
  await load(
    'block all\npass in proto tcp flags S/SA\npass out proto tcp\npass inet proto icmp icmp-type echoreq\npass proto udp tos 0x10\n',
  );
  expect(await passes(inside, syn(80), outside)).toBe(true);
  const ack = tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 4000, port: 80, flags: '.', seq: 1 });
  expect(await passes(inside, ack, outside)).toBe(false);
  expect(await passes(inside, echo(INSIDE, OUTSIDE, 8, 1), outside)).toBe(true);
  expect(await passes(inside, echo(INSIDE, OUTSIDE, 0, 1), outside)).toBe(false);
  expect(await passes(inside, datagram(INSIDE, 1, OUTSIDE, 2, { tos: 0x10 }), outside)).toBe(true);
  expect(await passes(inside, datagram(INSIDE, 1, OUTSIDE, 2, { tos: 0x08 }), outside)).toBe(false);
});

test('evaluations count every rule that was looked at, and none that was skipped', async () => {
  // Rules 1 to 3 are for another interface, which the first of them finds out; 5 and 6 differ from the packet in their protocol.
  await load(
    'pass all\nblock on en1 proto tcp\nblock on en1 proto udp to port 1\nblock on en1 proto icmp\nblock on en0 proto tcp to port 1\nblock on en0 proto tcp to port 2\npass on en0 proto udp\n',
  );
  inside.send(datagram(INSIDE, 4000, FW_IN, 9));
  await pass(1e6);
  // Two packets: the datagram in, and the ICMP error that answers it out.
  const counts = (await rules()).map(({ evaluations, packets }) => [evaluations, packets]);
  expect(counts).toEqual([
    [2, 1],
    [2, 0],
    [0, 0],
    [0, 0],
    [2, 0],
    [0, 0],
    [2, 1],
  ]);
});

test('packets and bytes are those of the rule that decides', async () => {
  await load('block all\npass in proto udp to port 53\npass out\n');
  await passes(inside, out(53), outside);
  await passes(inside, out(53), outside);
  const list = await rules();
  expect(list.map(({ packets }) => packets)).toEqual([0, 2, 2]);
  expect(list[1]!.bytes).toBe(2 * 33);
});

test('return-rst answers a SYN, return-icmp and return a datagram', async () => {
  await load(
    'pass all\nblock return-rst in proto tcp to port 80\nblock return-icmp in proto udp to port 53\nblock return in proto { tcp, udp } to port 99\nblock return-icmp(host-prohib) in proto udp to port 54\n',
  );
  const reset = segment((await through(inside, syn(80), inside))!);
  expect(reset).toMatchObject({ sourcePort: 80, port: 4000, flags: 'R.', seq: 0, ack: 1001 });
  expect((await through(inside, out(53), inside))!.icmp).toMatchObject({ type: 3, code: 3 });
  expect((await through(inside, out(54), inside))!.icmp).toMatchObject({ type: 3, code: 10 });
  expect(segment((await through(inside, syn(99), inside))!).flags).toBe('R.');
  expect((await through(inside, out(99), inside))!.icmp).toMatchObject({ type: 3, code: 3 });
});

test('a segment with an acknowledgement is answered with a bare reset of that number', async () => {
  await load('block return-rst in proto tcp\n');
  const ack = tcp({
    source: INSIDE,
    destination: OUTSIDE,
    sourcePort: 4000,
    port: 80,
    flags: '.',
    seq: 5,
    ack: 77,
  });
  expect(segment((await through(inside, ack, inside))!)).toMatchObject({ flags: 'R', seq: 77 });
});

test('options of IP are dropped unless the rule allows them', async () => {
  const payload = Buffer.alloc(16);
  const router = ipv4({
    source: INSIDE,
    destination: OUTSIDE,
    protocol: 99,
    payload,
    options: Buffer.from([0x94, 4, 0, 0]),
  });
  await load('pass all\n');
  expect(await passes(inside, router, outside)).toBe(false);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons['ip-option']).toBe(1);
  await load('pass all allow-opts\n');
  expect(await passes(inside, router, outside)).toBe(true);
});

test('a rule with a probability matches as often as it says', async () => {
  await load('block all\npass in proto udp probability 25%\npass out\n');
  let arrived = 0;
  for (let i = 0; i < 400; i++) if (await passes(inside, out(i + 1), outside)) arrived++;
  expect(arrived).toBeGreaterThan(60);
  expect(arrived).toBeLessThan(140);
});

test('tags go with a packet from its way in to its way out', async () => {
  await load(
    'block out\npass in\npass in proto udp to port 53 keep state tag DNS\npass out tagged DNS keep state\n',
  );
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
  await load('pass in\npass in proto udp to port 53 keep state tag DNS\npass out\nblock out ! tagged DNS\n');
  await ioctl('DIOCCLRSTATES', {});
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
});

test('skipped interfaces are not filtered', async () => {
  await load('set skip on en0\nblock all\n');
  expect(await passes(inside, echo(INSIDE, FW_IN, 8, 1), inside)).toBe(true);
  expect(await passes(outside, datagram(OUTSIDE, 1, '192.0.2.1', 9), outside)).toBe(false);
});

test('an anchor holds rules of its own, which change without the others', async () => {
  await load('block all\nanchor "services/*"\nanchor last\npass out\n');
  await load('pass in proto udp to port 53\n', '3.7', 'services/b');
  await load('block in quick proto udp to port 54\n', '3.7', 'services/a');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
  await load('', '3.7', 'services/a');
  expect(await passes(inside, out(54), outside)).toBe(false);
  await load('pass in proto udp to port 54\n', '3.7', 'last');
  expect(await passes(inside, out(54), outside)).toBe(true);
});

test('a packet that no program takes has no user', async () => {
  await load('pass all\nblock in proto udp user unknown\n');
  expect(await passes(inside, datagram(INSIDE, 1, FW_IN, 9999), inside)).toBe(false);
  await load('pass all\nblock in proto udp user root\n');
  // Port unreachable comes: it was not blocked.
  expect(await passes(inside, datagram(INSIDE, 1, FW_IN, 9999), inside)).toBe(true);
});

test('checksums that are wrong are a reason to drop', async () => {
  const bad = out(53);
  bad[bad.length - 1]! ^= 1;
  await load('pass all\n');
  expect(await passes(inside, bad, outside)).toBe(false);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons['proto-cksum']).toBe(1);
  expect(await states()).toEqual([]);
});

test('return answers what is neither TCP, UDP nor ICMP with port unreachable', async () => {
  await load('block return in\n');
  const gre = ipv4({ source: INSIDE, destination: OUTSIDE, protocol: 47, payload: Buffer.alloc(16) });
  expect((await through(inside, gre, inside))!.icmp).toMatchObject({ type: 3, code: 3 });
  expect(await through(inside, echo(INSIDE, OUTSIDE, 8, 1), inside)).toBeUndefined();
});

test('a tag is there for the rules behind the one that puts it on, which need not decide', async () => {
  await load(
    'pass in on en0\npass in on en0 proto udp to port 53 keep state tag DNS\nblock in on en0 tagged DNS\npass in on en0 proto udp to port 55 keep state tag NTP\nblock in on en0 proto udp to port 55\n',
  );
  expect(await passes(inside, out(53), outside)).toBe(false);
  expect(await passes(inside, out(54), outside)).toBe(true);
  await load(
    'pass in keep state tag A\npass in proto udp to port 1 keep state tag B\nblock out\npass out tagged A keep state\n',
  );
  expect(await passes(inside, out(1), outside)).toBe(false);
  expect(await passes(inside, out(2), outside)).toBe(true);
});
