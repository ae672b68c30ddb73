// Link aggregates as a partner made by hand sees them: every bit of LACPDUs and markers, when they come, and what is done with those that make no sense.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { ETHERTYPE, PROTOCOL, Peer, ether, icmp, ipv4, pass } from '../../support/frames.ts';
import { labFrom, run, stopLab, succeed } from '../../support/lab.ts';

const SECOND = 1e9;
let lab: RunningLab;
let ends: Peer[] = [];

afterEach(async () => {
  for (const end of ends) end.leave();
  ends = [];
  await stopLab(lab);
});

const used = async (): Promise<string[]> => {
  const { out } = await run(lab, 'a', 'ifconfig agr0');
  return [...out.matchAll(/agrport: (\w+), flags=0x3</g)].map(([, name]) => name!);
};

/** A node with an aggregate of two cables, and a hand on each of them. */
async function hands(words = ''): Promise<void> {
  lab = await labFrom(`
name: hands
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0, en1] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0] }
  c: { stack: io-pkt-v4-hc, interfaces: [en0] }
links:
  l0: { between: [a:en0, b:en0] }
  l1: { between: [a:en1, c:en0] }
`);
  ends = [await Peer.at(lab, 'b', 'l0', 1), await Peer.at(lab, 'c', 'l1', 1)];
  await succeed(lab, 'a', 'ifconfig agr0 create');
  if (words !== '') await succeed(lab, 'a', `ifconfig agr0 ${words}`);
  await succeed(lab, 'a', 'ifconfig agr0 agrport en0 agrport en1; ifconfig agr0 10.0.0.1/24');
}

const SLOW = '0180c2000002';
const MAC = ['02:aa:00:00:00:00', '02:aa:00:00:00:01'] as const;

/** The LACPDU with which a partner 02:aa:00:00:00:00 would answer one of the node's. */
function answerTo(pdu: Buffer, port: number, state: number): Buffer {
  const answer = Buffer.from(pdu);
  Buffer.from(MAC[port]!.replaceAll(':', ''), 'hex').copy(answer, 6);
  pdu.copy(answer, 14 + 24, 14 + 4, 14 + 19);
  Buffer.from(`800002aa0000000000118000000${port + 1}`, 'hex').copy(answer, 14 + 4);
  answer[14 + 18] = state;
  return answer;
}

/** LACPDUs among frames. */
const pdus = (frames: readonly Buffer[]): Buffer[] =>
  frames.filter((frame) => frame.readUInt16BE(12) === 0x8809 && frame[14] === 1);

/** The last LACPDU that each hand has got. */
const latest: (Buffer | undefined)[] = [];

/** Each hand answers the last LACPDU that it has got. */
function answer(state: number): void {
  ends.forEach((end, port) => {
    latest[port] = pdus(end.take()).at(-1) ?? latest[port];
    end.send(answerTo(latest[port]!, port, state));
  });
}

/** The hands answer until their ports are used. */
async function join(state: number): Promise<void> {
  for (let i = 0; i < 4; i++) {
    await pass(SECOND);
    answer(state);
  }
  await pass(SECOND);
}

test('a LACPDU is as the standard has it', async () => {
  await hands();
  await pass(1000);
  const [pdu] = pdus(ends[1]!.take());
  expect(pdu!.toString('hex')).toBe(
    `${SLOW}0200000000018809` +
      '0101' +
      '0114' +
      '8000' +
      '020000000000' +
      '0004' +
      '8000' +
      '0003' +
      'c5' +
      '000000' +
      '0214' +
      '0000' +
      '000000000000' +
      '0000' +
      '0000' +
      '0000' +
      '32' +
      '000000' +
      '0310' +
      '0000' +
      '00'.repeat(12) +
      '0000' +
      '00'.repeat(50),
  );
});

test('partners that ask for it get one every second, others every half minute, and never more than three in a second', async () => {
  await hands();
  await join(0x3d);
  expect(await used()).toEqual(['en0', 'en1']);
  for (const end of ends) end.take();
  await pass(60 * SECOND);
  expect(pdus(ends[0]!.take()).length).toBe(2);
  await join(0x3f);
  for (const end of ends) end.take();
  await pass(60 * SECOND);
  expect(pdus(ends[0]!.take()).length).toBeGreaterThanOrEqual(59);
  ends[0]!.take();
  // One that knows nothing of us needs an answer, every time.
  const ignorant = answerTo(latest[0]!, 0, 0x05);
  ignorant.fill(0, 14 + 24, 14 + 39);
  for (let i = 0; i < 50; i++) {
    ends[0]!.send(ignorant);
    await pass(0.01 * SECOND);
  }
  expect(pdus(ends[0]!.take()).length).toBeLessThanOrEqual(4);
});

test('a marker is answered where it came in, also while the port is not used', async () => {
  await hands();
  await pass(1000);
  ends[0]!.take();
  const marker = Buffer.concat([
    Buffer.from(`${SLOW}02aa000000008809`, 'hex'),
    Buffer.from('0201', 'hex'),
    Buffer.from('0110' + '0001' + '02aa00000000' + '12345678' + '0000', 'hex'),
    Buffer.alloc(92),
  ]);
  ends[0]!.send(marker);
  await pass(1000);
  const [answer] = ends[0]!.take().filter((frame) => frame[14] === 2);
  const expected = Buffer.from(marker);
  Buffer.from('020000000000', 'hex').copy(expected, 6);
  expected[16] = 2;
  expect(answer!.toString('hex')).toBe(expected.toString('hex'));
  // A response is no question.
  ends[0]!.send(expected);
  await pass(1000);
  expect(ends[0]!.take()).toEqual([]);
});

test('what comes in by a port that is not used goes nowhere; by one that is, it comes in by the aggregate', async () => {
  await hands('link2');
  const echo = ipv4({
    source: '10.0.0.2',
    destination: '10.0.0.1',
    protocol: PROTOCOL.icmp,
    payload: icmp(8, 0, 1),
  });
  await succeed(lab, 'a', `arp -s 10.0.0.2 ${MAC[0]}`);
  const ping = ether('02:00:00:00:00:00', MAC[0], ETHERTYPE.ip, echo);
  await pass(1000);
  for (const end of ends) end.take();
  ends[1]!.send(ping);
  await pass(1000);
  expect(ends.flatMap((end) => end.take())).toEqual([]);
  await join(0x3d);
  for (const end of ends) end.take();
  ends[1]!.send(ping);
  await pass(1000);
  const replies = ends.flatMap((end) => end.takeParsed().filter(({ ip }) => ip !== undefined));
  expect(replies.map(({ source, ip }) => [source, ip!.icmp!.type])).toEqual([['02:00:00:00:00:00', 0]]);
  expect((await run(lab, 'a', 'ifconfig -v agr0')).out).toContain('input: 1 packet, 60 bytes');
});

test('fragments of a datagram leave by one port, as do whole ones of a conversation', async () => {
  await hands('link1');
  await pass(2 * SECOND);
  await succeed(lab, 'a', `arp -s 10.0.0.2 ${MAC[0]}`);
  for (const end of ends) end.take();
  for (let i = 0; i < 8; i++) await run(lab, 'a', `ping -c 1 -w 1 -s ${3000 + i} 10.0.0.2`);
  const counts = ends.map((end) => end.takeParsed().filter(({ ip }) => ip !== undefined).length);
  expect(counts.filter((count) => count > 0).length).toBe(1);
  expect(Math.max(...counts)).toBe(24);
});

test('frames of the protocol that are cut off, or say nothing sensible, change nothing', async () => {
  await hands('link2');
  await join(0x3d);
  const good = answerTo(latest[0]!, 0, 0x3d);
  expect(await used()).toContain('en0');
  for (let length = 14; length < 124; length++) ends[0]!.send(good.subarray(0, length));
  for (const [at, value] of [
    [14, 3],
    [14, 10],
    [15, 0],
    [16, 2],
    [17, 19],
    [36, 1],
    [37, 255],
    [5, 3],
  ] as const) {
    const bad = Buffer.from(good);
    bad[at] = value;
    ends[0]!.send(bad);
  }
  await pass(1e6);
  expect(await used()).toContain('en0');
  expect((await run(lab, 'a', 'ifconfig -v en0')).out).toMatch(/input: .* 11\d errors/);
});
