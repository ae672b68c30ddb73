// Options of IPv4, and the largest and smallest pieces of datagrams.
import { expect, test } from 'vitest';
import { PROTOCOL, icmp, pass } from '../../support/frames.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';
import { ME, NODE, SECOND, frame, onNode, packets, peer, useNeighbour } from './neighbour.ts';

useNeighbour();

/** No operation; record route with room for one address (stays with the first piece); router alert (goes with every piece). */
const OPTIONS = Buffer.from([1, 7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0]);
const echo = (bytes: number): Buffer => icmp(8, 0, 0x12340001, Buffer.alloc(bytes, 0x33));

test('a packet with options is delivered, and answered without them', async () => {
  const [answer] = packets(
    await peer.exchange([frame({ protocol: PROTOCOL.icmp, payload: echo(56), options: OPTIONS })]),
  );
  expect(answer).toMatchObject({ headerLength: 20, source: NODE, destination: ME });
  expect(answer!.icmp).toMatchObject({ type: 0, checksumGood: true });
});

test('options are forwarded as they are; pieces behind the first carry those that are to be copied', async () => {
  const through = {
    protocol: PROTOCOL.icmp,
    destination: '10.0.0.200',
    source: '10.1.0.2',
    options: OPTIONS,
  };
  await onNode('arp -s 10.0.0.200 02:00:00:00:00:99');
  const [whole] = packets(await peer.exchange([frame({ ...through, payload: echo(100) })]));
  expect(whole!.options).toEqual(OPTIONS);
  await onNode('ifconfig en0 mtu 300');
  const pieces = packets(await peer.exchange([frame({ ...through, payload: echo(1000) })]));
  expect(pieces.length).toBeGreaterThan(3);
  expect(pieces[0]!.options).toEqual(OPTIONS);
  for (const piece of pieces.slice(1)) expect(piece.options).toEqual(Buffer.from([0x94, 4, 0, 0]));
  for (const piece of pieces) expect(piece.headerLength + piece.payload.length).toBeLessThanOrEqual(300);
  const data = Buffer.concat(pieces.map(({ payload }) => payload));
  expect(data).toEqual(echo(1000));
});

test('options that lie about their length harm nobody', async () => {
  await onNode('arp -s 10.0.0.200 02:00:00:00:00:99');
  await onNode('ifconfig en0 mtu 300');
  const through = {
    protocol: PROTOCOL.icmp,
    destination: '10.0.0.200',
    source: '10.1.0.2',
    payload: echo(1000),
  };
  for (const options of ['94000000', '94ff0000', '01010194', '9428000000000000', '94010000', '00ffffff']) {
    const pieces = packets(
      await peer.exchange([frame({ ...through, options: Buffer.from(options, 'hex') })]),
    );
    const data = Buffer.concat(pieces.map(({ payload }) => payload));
    if (pieces.length > 0) expect(data).toEqual(echo(1000));
  }
  const [alive] = packets(await peer.exchange([frame({ protocol: PROTOCOL.icmp, payload: echo(8) })]));
  expect(alive!.icmp!.type).toBe(0);
});

test('pieces whose sum with the header of the first is more than a datagram can be are refused', async () => {
  const data = echo(65_515 - 8);
  const options = Buffer.alloc(40, 1);
  const cut = 1400;
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; at += cut) {
    pieces.push(
      frame({
        protocol: PROTOCOL.icmp,
        payload: data.subarray(at, at + cut),
        id: 77,
        offset: at,
        more: at + cut < data.length,
        ...(at === 0 && { options }),
      }),
    );
  }
  expect(packets(await peer.exchange(pieces, SECOND))).toEqual([]);
  const { out } = await onNode('netstat -s -p ip');
  expect(out).toMatch(/0 packets reassembled ok/);
  expect(out).toMatch(/1 malformed fragments dropped/);
  await pass(40 * SECOND);
});

test.each([9000, 1500, 576])('a ping of 65507 bytes passes interfaces with an MTU of %i', async (mtu) => {
  const lab = await labFrom(`
name: large
nodes:
  alpha: { stack: io-pkt-v4, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 mtu ${mtu}'] }
  beta: { stack: io-pkt-v4, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 mtu ${mtu}'] }
links:
  wire: { between: [alpha:en0, beta:en0], delay: 1ms }
`);
  // More pieces than packets may wait for an unknown neighbour: it is made known first.
  await run(lab, 'alpha', 'ping -c 1 10.0.0.2');
  const { out, status } = await run(lab, 'alpha', 'ping -c 2 -s 65507 10.0.0.2');
  expect(out).toContain('2 packets transmitted, 2 packets received');
  expect(status).toBe(0);
  await stopLab(lab);
});

test('directed broadcasts are forwarded only if that is wanted', async () => {
  const there = frame({ protocol: PROTOCOL.icmp, payload: echo(56), destination: '10.1.0.255' });
  const counted = async (): Promise<number> =>
    Number(/(\d+) packets? forwarded/.exec((await onNode('netstat -s -p ip')).out)![1]);
  const before = await counted();
  await peer.exchange([there]);
  expect(await counted()).toBe(before);
  await onNode('sysctl -w net.inet.ip.directed-broadcast=1');
  await peer.exchange([there]);
  expect(await counted()).toBe(before + 1);
});
