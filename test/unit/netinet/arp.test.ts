import { expect, test } from 'vitest';
import { ETHERTYPE, PROTOCOL, arp, ether, pass, udp } from '../../support/frames.ts';
import { MAC, ME, NODE, NODE_MAC, SECOND, frame, onNode, packets, peer, useNeighbour } from './neighbour.ts';

useNeighbour(false);

const reply = (mac = MAC): Buffer =>
  ether(
    NODE_MAC,
    mac,
    ETHERTYPE.arp,
    arp({ op: 'reply', senderMac: mac, sender: ME, targetMac: NODE_MAC, target: NODE }),
  );
const request = (target: string, sender = ME): Buffer =>
  ether('ff:ff:ff:ff:ff:ff', MAC, ETHERTYPE.arp, arp({ op: 'request', senderMac: MAC, sender, target }));

test('packets wait for the answer, the newest eight of them, and leave in order', async () => {
  const sending = onNode('ping -c 12 -i 0.01 -w 3 10.0.0.2');
  await pass(0.5 * SECOND);
  const [asked] = peer.takeParsed();
  expect(asked).toMatchObject({
    destination: 'ff:ff:ff:ff:ff:ff',
    arp: { op: 'request', sender: NODE, target: ME },
  });
  const sent = packets(await peer.exchange([reply()]));
  expect(sent.map(({ icmp }) => icmp!.rest & 0xffff)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
  await sending;
  expect((await onNode('arp -a')).out).toContain(MAC);
});

test('it asks five times, a second apart, then the host counts as down for 20 s', async () => {
  void onNode('ping -c 1 -w 40 10.0.0.2');
  await pass(10 * SECOND);
  const asked = peer.arrivals.filter(({ bytes }) => bytes.readUInt16BE(12) === ETHERTYPE.arp);
  expect(asked).toHaveLength(5);
  for (let i = 1; i < 5; i++) expect(asked[i]!.time - asked[i - 1]!.time).toBeCloseTo(SECOND, -3);
  expect((await onNode('ping -c 1 10.0.0.2')).err).toContain('Host is down');
  await pass(20 * SECOND);
  peer.take();
  void onNode('ping -c 1 -w 1 10.0.0.2');
  await pass(1000);
  expect(peer.takeParsed()[0]).toMatchObject({ arp: { op: 'request', target: ME } });
});

test('what was learned is used until it is old', async () => {
  await onNode('sysctl -w net.inet.arp.keep=60');
  peer.send(request(NODE));
  await pass(50 * SECOND);
  peer.take();
  void onNode('ping -c 1 -w 1 10.0.0.2');
  await pass(1000);
  expect(packets(peer.takeParsed())).toHaveLength(1);
  await pass(15 * SECOND);
  void onNode('ping -c 1 -w 1 10.0.0.2');
  await pass(1000);
  expect(peer.takeParsed()[0]).toMatchObject({ arp: { op: 'request', target: ME } });
});

test('it answers for its own address only, or for published ones', async () => {
  const [mine] = await peer.exchange([request(NODE)]);
  expect(mine).toMatchObject({
    destination: MAC,
    arp: { op: 'reply', senderMac: NODE_MAC, sender: NODE, target: ME },
  });
  expect(await peer.exchange([request('10.0.0.7')])).toEqual([]);
  expect((await onNode('arp -s 10.0.0.7 02:77:77:77:77:77 pub')).err).toBe('');
  const [published] = await peer.exchange([request('10.0.0.7')]);
  expect(published).toMatchObject({
    arp: { op: 'reply', senderMac: '02:77:77:77:77:77', sender: '10.0.0.7' },
  });
});

test('a probe is answered without learning from it', async () => {
  const [answer] = await peer.exchange([request(NODE, '0.0.0.0')]);
  expect(answer).toMatchObject({ arp: { op: 'reply', target: '0.0.0.0' } });
  expect((await onNode('arp -an')).out).not.toContain('0.0.0.0');
});

test('answers to others teach nothing; an announcement changes what is known', async () => {
  const toOthers = arp({
    op: 'reply',
    senderMac: MAC,
    sender: ME,
    targetMac: NODE_MAC,
    target: '10.0.0.200',
  });
  expect(await peer.exchange([ether(NODE_MAC, MAC, ETHERTYPE.arp, toOthers)])).toEqual([]);
  expect((await onNode('arp -an')).out).not.toContain(ME);
  await peer.exchange([request(NODE)]);
  await peer.exchange([
    ether(
      'ff:ff:ff:ff:ff:ff',
      '02:55:55:55:55:55',
      ETHERTYPE.arp,
      arp({ op: 'request', senderMac: '02:55:55:55:55:55', sender: ME, target: ME }),
    ),
  ]);
  expect((await onNode('arp -an')).out).toContain('02:55:55:55:55:55');
});

test('a static entry stays as it is', async () => {
  await onNode('arp -s 10.0.0.2 02:12:12:12:12:12');
  await peer.exchange([request(NODE)]);
  expect((await onNode('arp -an')).out).toContain('02:12:12:12:12:12');
  await onNode('arp -d 10.0.0.2');
  expect((await onNode('arp -an')).out).not.toContain('02:12:12:12:12:12');
});

test('an own address is announced, and defended against others', async () => {
  await onNode('ifconfig en0 10.0.0.5/24 alias');
  await pass(1000);
  expect(peer.takeParsed()[0]).toMatchObject({
    destination: 'ff:ff:ff:ff:ff:ff',
    arp: { sender: '10.0.0.5', target: '10.0.0.5' },
  });
  const [defence] = await peer.exchange([
    ether(
      'ff:ff:ff:ff:ff:ff',
      MAC,
      ETHERTYPE.arp,
      arp({ op: 'request', senderMac: MAC, sender: NODE, target: NODE }),
    ),
  ]);
  expect(defence).toMatchObject({ arp: { senderMac: NODE_MAC, sender: NODE, target: NODE } });
  expect((await onNode('netstat -s -p arp')).out).toMatch(/1 packets with own address of another host/);
});

test('a packet for an unknown neighbour that was forwarded is answered with host unreachable', async () => {
  await peer.exchange([request(NODE)]);
  const payload = udp({
    source: ME,
    destination: '10.1.0.77',
    sourcePort: 1,
    port: 2,
    payload: Buffer.alloc(20),
  });
  const answers = packets(
    await peer.exchange([frame({ destination: '10.1.0.77', protocol: PROTOCOL.udp, payload })], 10 * SECOND),
  );
  expect(answers[0]?.icmp).toMatchObject({ type: 3, code: 1 });
});
