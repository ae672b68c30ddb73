// ICMP errors at the corners: what they quote, when they keep quiet, and when the way back is as dead as the way out.
import { expect, test } from 'vitest';
import { ETHERTYPE, PROTOCOL, arp, ether, icmp, parseIp, pass, udp } from '../../support/frames.ts';
import { MAC, ME, NODE, SECOND, frame, onNode, packets, peer, useNeighbour } from './neighbour.ts';

useNeighbour();

const echo = icmp(8, 0, 0x12340001, Buffer.alloc(56, 7));
const closedPort = (destination: string): Buffer =>
  udp({ source: ME, destination, sourcePort: 1111, port: 2222, payload: Buffer.alloc(40) });

test('a redirect quotes the packet as it came', async () => {
  await onNode('route add -net 10.7.0.0/16 10.0.0.9');
  await onNode('arp -s 10.0.0.9 02:09:09:09:09:09');
  const sent = frame({ protocol: PROTOCOL.icmp, payload: echo, destination: '10.7.0.1', ttl: 33 });
  const all = packets(await peer.exchange([sent]));
  const redirect = all.find(({ destination }) => destination === ME)!;
  expect(parseIp(redirect.icmp!.payload)).toMatchObject({ ttl: 33, checksumGood: true });
  expect(all.find(({ destination }) => destination === '10.7.0.1')).toMatchObject({ ttl: 32 });
});

test('a datagram to the broadcast address gets no error and an echo request no answer, even in a frame for us alone', async () => {
  const silent = [
    frame({ protocol: PROTOCOL.udp, payload: closedPort('10.0.0.255'), destination: '10.0.0.255' }),
    frame({ protocol: PROTOCOL.icmp, payload: echo, destination: '10.0.0.255' }),
    frame({ protocol: 200, payload: Buffer.alloc(40), destination: '10.0.0.255' }),
  ];
  expect(packets(await peer.exchange(silent))).toEqual([]);
  await onNode('sysctl -w net.inet.icmp.bmcastecho=1');
  const [answer] = packets(await peer.exchange(silent));
  expect(answer).toMatchObject({ source: NODE, destination: ME, icmp: { type: 0 } });
});

test('packets for a dead router, from somebody who can only be told through the same router', async () => {
  await onNode('route add default 10.0.0.9');
  const stranger = {
    protocol: PROTOCOL.icmp,
    payload: echo,
    source: '172.16.0.5',
    destination: '172.20.0.1',
  };
  for (let round = 0; round < 3; round++) {
    peer.send(...Array.from({ length: 8 }, (_, i) => frame({ ...stranger, id: i })));
    await pass(30 * SECOND);
    const asked = peer.takeParsed().filter((one) => one.arp?.target === '10.0.0.9');
    expect(asked).toHaveLength(5);
  }
  const [alive] = packets(await peer.exchange([frame({ protocol: PROTOCOL.icmp, payload: echo })], SECOND));
  expect(alive?.icmp?.type).toBe(0);
});

test('a packet of which less than the error needs is there is not reported', async () => {
  expect(packets(await peer.exchange([frame({ protocol: 200, payload: Buffer.alloc(0) })]))).toEqual([]);
  const [refused] = packets(await peer.exchange([frame({ protocol: 200, payload: Buffer.alloc(4, 1) })]));
  expect(refused!.icmp!.payload.subarray(20)).toEqual(Buffer.alloc(4, 1));
});

test('what an error quotes is at most 548 bytes', async () => {
  const [refused] = packets(await peer.exchange([frame({ protocol: 200, payload: Buffer.alloc(1400, 1) })]));
  expect(refused!.payload).toHaveLength(8 + 548);
});

test('errors that are cut short or about nothing of ours change nothing', async () => {
  const quoted = frame({ protocol: PROTOCOL.udp, payload: closedPort(NODE) }).subarray(14);
  const errors = [3, 4, 5, 11, 12].flatMap((type) => [
    icmp(type, 0, 0),
    icmp(type, 0, 0, quoted.subarray(0, 19)),
    icmp(type, 4, 40, quoted),
    icmp(type, 255, 0, quoted),
  ]);
  const sent = errors.map((payload) => frame({ protocol: PROTOCOL.icmp, payload }));
  expect(packets(await peer.exchange(sent))).toEqual([]);
  const { out } = await onNode('netstat -s -p icmp');
  expect(out).toMatch(/[1-9]\d* messages with bad length/);
  expect(out).toMatch(/[1-9]\d* messages with bad code fields/);
});

test('a message with a wrong checksum, or too short for one, is counted and dropped', async () => {
  const wrong = Buffer.from(echo);
  wrong[2]! ^= 1;
  const sent = [wrong, echo.subarray(0, 5)].map((payload) => frame({ protocol: PROTOCOL.icmp, payload }));
  expect(packets(await peer.exchange(sent))).toEqual([]);
  const { out } = await onNode('netstat -s -p icmp');
  expect(out).toMatch(/1 bad checksums/);
  expect(out).toMatch(/1 messages < minimum length/);
});

test('a redirect from the router in use is followed, from somebody else not', async () => {
  await onNode('route add default 10.0.0.2');
  const about = (payload: Buffer): Buffer => icmp(5, 1, 0x0a000009, payload);
  const quoted = frame({ protocol: PROTOCOL.icmp, payload: echo, source: NODE, destination: '172.16.0.1' });
  const redirect = (source: string): Buffer =>
    frame({ protocol: PROTOCOL.icmp, payload: about(quoted.subarray(14)), source });
  await peer.exchange([redirect('10.0.0.3')]);
  expect((await onNode('route get 172.16.0.1')).out).not.toContain('10.0.0.9');
  await peer.exchange([redirect(ME)]);
  expect((await onNode('route get 172.16.0.1')).out).toContain('10.0.0.9');
  void onNode('ping -c 1 -w 1 172.16.0.1');
  await pass(1000);
  expect(peer.takeParsed()[0]?.arp).toMatchObject({ op: 'request', target: '10.0.0.9' });
});

test('a traceroute through two routers names them', async () => {
  peer.send(
    ether(
      'ff:ff:ff:ff:ff:ff',
      MAC,
      ETHERTYPE.arp,
      arp({ op: 'reply', senderMac: MAC, sender: ME, target: ME }),
    ),
  );
  await onNode('route add -net 172.16.0.0/16 10.0.0.2');
  const { out, status } = await onNode('traceroute -n 10.1.0.2');
  expect(out).toMatch(/1 +10\.1\.0\.2/);
  expect(status).toBe(0);
});
