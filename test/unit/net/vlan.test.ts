// IEEE 802.1Q VLANs on a card: a hand on its cable sends and sees the tags; two nodes talk over several of them.
import { afterEach, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import {
  BROADCAST,
  ETHERTYPE,
  PROTOCOL,
  arp,
  ether,
  icmp,
  ipv4,
  parseFrame,
  pass,
  tagged,
} from '../../support/frames.ts';
import { TWO_NODES, labFrom, refusal, run, stopLab, succeed } from '../../support/lab.ts';
import { MAC, NODE_MAC, lab as neighbourLab, onNode, peer, useNeighbour } from '../netinet/neighbour.ts';

const THEM = '10.0.7.2';
const NODE = '10.0.7.1';

const echo = (size: number): Buffer =>
  ipv4({
    source: THEM,
    destination: NODE,
    protocol: PROTOCOL.icmp,
    payload: icmp(8, 0, 1, Buffer.alloc(size, 5)),
  });
const ping = (size = 56): Buffer => ether(NODE_MAC, MAC, ETHERTYPE.ip, echo(size));
const who = (target = NODE): Buffer =>
  ether(BROADCAST, MAC, ETHERTYPE.arp, arp({ op: 'request', senderMac: MAC, sender: THEM, target }));

/** Frames of en0 that nobody there knew what to do with. */
const unknown = (): number => neighbourLab.findInterface('node', 'en0')!.noproto;

describe('on the wire', () => {
  useNeighbour();

  test('requests and answers have the tag of their VLAN, and others get none', async () => {
    await onNode('ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.0.7.1/24');
    await pass(1000);
    const [announced] = peer.takeParsed();
    expect(announced).toMatchObject({
      destination: BROADCAST,
      source: NODE_MAC,
      vlan: { vid: 7, priority: 0 },
      arp: { sender: NODE, target: NODE },
    });
    const [resolved] = await peer.exchange([tagged(who(), 7, 3)]);
    expect(resolved).toMatchObject({
      vlan: { vid: 7, priority: 0 },
      arp: { op: 'reply', senderMac: NODE_MAC, sender: NODE, target: THEM },
    });
    const [answer] = await peer.exchange([tagged(ping(), 7)]);
    expect(answer).toMatchObject({
      vlan: { vid: 7 },
      ip: { source: NODE, icmp: { type: 0, checksumGood: true } },
    });
    // The same without a tag, with a reserved one, and with one of a VLAN that the node has not: nobody answers.
    const before = unknown();
    expect(await peer.exchange([who(), tagged(who(), 8), tagged(who(), 4095), tagged(who(), 6)])).toEqual([]);
    expect(unknown() - before).toBe(3);
  });

  test('every bit of the tag is as the standard has it', async () => {
    await onNode(
      'ifconfig vlan9 create; ifconfig vlan9 vlan 2748 vlanif en0 vlanprio 5; ifconfig vlan9 10.0.7.1/24',
    );
    await peer.exchange([tagged(who(), 2748)]);
    peer.send(tagged(ping(), 2748));
    await pass(1e6);
    const [frame] = peer.take();
    // To us, from the node, 802.1Q, priority 5 and VLAN 0xabc, IPv4.
    expect(frame!.subarray(0, 19).toString('hex')).toBe(
      '020000000099' + '020000000000' + '8100' + 'aabc' + '0800' + '45',
    );
  });

  test('a tag without a VLAN is no tag: such a frame is for the card itself', async () => {
    const request = ether(
      BROADCAST,
      MAC,
      ETHERTYPE.arp,
      arp({ op: 'request', senderMac: MAC, sender: '10.0.0.2', target: '10.0.0.1' }),
    );
    const [answer] = await peer.exchange([tagged(request, 0, 6)]);
    expect(answer).toMatchObject({ arp: { op: 'reply', sender: '10.0.0.1' } });
    expect(answer!.vlan).toBeUndefined();
    expect(await peer.exchange([tagged(tagged(request, 0), 0), tagged(tagged(request, 7), 0)])).toEqual([]);
  });

  test('frames that are cut off are counted and dropped', async () => {
    await onNode('ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.0.7.1/24');
    const whole = tagged(ping(), 7);
    for (const length of [14, 15, 16, 17, 18, 20, 37]) {
      const cut = whole.subarray(0, length);
      expect(await peer.exchange([cut])).toEqual([]);
    }
    expect((await onNode('ifconfig -v en0')).out).toMatch(/4 errors/);
    await peer.exchange([tagged(who(), 7)]);
    expect(await peer.exchange([whole])).toHaveLength(1);
  });

  test('what is forwarded from an untagged network to a VLAN gets its tag, wherever its bytes lie', async () => {
    await onNode('ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.0.7.1/24');
    await peer.exchange([tagged(who(), 7)]);
    for (const size of [0, 1, 56, 1400]) {
      const payload = icmp(8, 0, 1, Buffer.alloc(size, 9));
      const packet = { source: '10.0.0.2', destination: THEM, protocol: PROTOCOL.icmp, payload };
      const [forwarded] = await peer.exchange([ether(NODE_MAC, MAC, ETHERTYPE.ip, ipv4(packet))]);
      expect(forwarded).toMatchObject({ destination: MAC, source: NODE_MAC, vlan: { vid: 7 } });
      expect(forwarded!.ip).toMatchObject({ ttl: 63, checksumGood: true, payload });
    }
  });

  test('a full packet of the parent is a full packet of the VLAN, 4 bytes longer on the wire', async () => {
    await onNode('ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.0.7.1/24');
    await peer.exchange([tagged(who(), 7)]);
    peer.send(tagged(ping(1472), 7));
    await pass(1e6);
    const [frame, ...more] = peer.take();
    expect(more).toEqual([]);
    expect(frame).toHaveLength(1518);
    expect(parseFrame(frame!).ip).toMatchObject({ more: false, offset: 0 });
    // One byte more comes in pieces.
    const [first, second] = await peer.exchange([
      ...[
        [0, 1480],
        [1480, 1481],
      ].map(([from, to]) =>
        tagged(
          ether(
            NODE_MAC,
            MAC,
            ETHERTYPE.ip,
            ipv4({
              source: THEM,
              destination: NODE,
              protocol: PROTOCOL.icmp,
              payload: icmp(8, 0, 1, Buffer.alloc(1473, 5)).subarray(from, to),
              offset: from!,
              more: to === 1480,
            }),
          ),
          7,
        ),
      ),
    ]);
    expect(first!.ip).toMatchObject({ more: true });
    expect(second!.ip).toMatchObject({ more: false, offset: 1480 });
  });
});

const VLANS = ['ifconfig vlan0 create', 'ifconfig vlan0 vlan 7 vlanif en0'];

describe('between nodes', () => {
  let lab: RunningLab;
  afterEach(() => stopLab(lab));

  const expectOk = (node: string, ...lines: readonly string[]): Promise<string> =>
    succeed(lab, node, ...lines);
  const refused = (node: string, line: string): Promise<string> => refusal(lab, node, line);

  async function start(): Promise<void> {
    lab = await labFrom(TWO_NODES);
    for (const [node, last] of [
      ['alpha', 1],
      ['beta', 2],
    ] as const)
      await expectOk(node, ...VLANS, `ifconfig vlan0 10.0.7.${last}/24`);
    await expectOk('alpha', 'ping -c 1 10.0.7.2');
  }

  test('many VLANs of one card keep their traffic apart, TCP included', async () => {
    lab = await labFrom(TWO_NODES);
    const vids = [1, 2, 700, 4094];
    for (const [i, vid] of vids.entries()) {
      for (const [node, last] of [
        ['alpha', 1],
        ['beta', 2],
      ] as const)
        await expectOk(
          node,
          `ifconfig vlan${i} create`,
          `ifconfig vlan${i} vlan ${vid} vlanif en0`,
          `ifconfig vlan${i} 10.7.${i}.${last}/24`,
        );
    }
    for (const i of vids.keys()) await expectOk('alpha', `ping -c 2 -s 3000 10.7.${i}.2`);
    const receiving = run(lab, 'beta', 'ttcp -r -s');
    await expectOk('alpha', 'sleep 0.01; ttcp -t -s -n 200 10.7.2.2');
    expect((await receiving).out).toContain(`${200 * 8192} bytes`);
    const shown = await expectOk('beta', 'ifconfig -v vlan2');
    expect(shown).toContain('vlan: 700 parent: en0');
    expect(Number(/input: (\d+) packets/.exec(shown)![1])).toBeGreaterThan(1000);
    expect(await expectOk('beta', 'ifconfig -v vlan1')).toMatch(/input: \d\d? packets/);
    // A VLAN that only one of them has.
    await expectOk('beta', 'ifconfig vlan3 -vlanif');
    expect((await run(lab, 'alpha', 'ping -c 1 -w 1 10.7.3.2')).status).not.toBe(0);
  });

  test('address, MTU and state are those of the parent, and follow it', async () => {
    await start();
    const shown = await expectOk('alpha', 'ifconfig vlan0');
    expect(shown).toContain('flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500');
    expect(shown).toContain('address: 02:00:00:00:00:00');
    await expectOk('alpha', 'ifconfig en0 mtu 4000');
    expect(await expectOk('alpha', 'ifconfig vlan0')).toContain('mtu 4000');
    expect(await refused('alpha', 'ifconfig vlan0 mtu 4001')).toContain('vlan0 takes 72 to 4000');
    // One that was chosen stays as long as it can.
    await expectOk('alpha', 'ifconfig vlan0 mtu 1400', 'ifconfig en0 mtu 1500');
    expect(await expectOk('alpha', 'ifconfig vlan0')).toContain('mtu 1400');
    await expectOk('alpha', 'ifconfig en0 mtu 1000');
    expect(await expectOk('alpha', 'ifconfig vlan0')).toContain('mtu 1000');
    await expectOk('alpha', 'ifconfig en0 down');
    const down = await expectOk('alpha', 'ifconfig vlan0');
    expect(down).toContain('<UP,BROADCAST,SIMPLEX,MULTICAST>');
    expect(down).toContain('no carrier');
    expect(await refused('alpha', 'ping -c 1 10.0.7.2')).toContain('Network is down');
    await expectOk('alpha', 'ifconfig en0 lladdr 02:00:00:00:00:77', 'ifconfig en0 up');
    expect(await expectOk('alpha', 'ifconfig vlan0')).toContain('address: 02:00:00:00:00:77');
    // The other node has heard of the new address, which was announced in the VLAN.
    await expectOk('beta', 'ping -c 1 10.0.7.1');
    expect(await expectOk('beta', 'arp -an')).toMatch(/10\.0\.7\.1.*02:00:00:00:00:77/);
    expect(await refused('alpha', 'ifconfig vlan0 lladdr 02:00:00:00:00:78')).toContain(
      'vlan0 has the address of en0; change it there',
    );
    await expectOk('alpha', 'ping -c 1 10.0.7.2');
  });

  test('what cannot be is refused with the reason, and changes nothing', async () => {
    await start();
    await expectOk('alpha', 'ifconfig vlan1 create', 'ifconfig lo1 create');
    for (const [words, reason] of [
      ['vlan 7 vlanif en0', 'VLAN 7 of en0 is vlan0: File exists'],
      ['vlan 8 vlanif vlan0', 'vlan1 on vlan0: VLANs of VLANs are not supported'],
      ['vlan 8 vlanif lo1', 'vlan1 on lo1: only Ethernet interfaces carry VLANs'],
      ['vlan 8 vlanif en5', 'en5: No such device or address'],
      ['vlan 4095 vlanif en0', 'vlan 4095: it takes a number from 1 to 4094'],
      ['vlan 0 vlanif en0', 'vlan 0: it takes a number from 1 to 4094'],
      ['vlan x vlanif en0', 'vlan x: it takes'],
      ['vlan 8', "'vlan' and 'vlanif' belong together"],
      ['vlan 8 vlanif en0 vlanprio 8', 'vlanprio 8: it takes a number from 0 to 7'],
      ['tunnel 10.0.0.1 10.0.0.2', 'vlan1 does not know tunnel; it knows vlan, vlanif, -vlanif, vlanprio'],
    ] as const) {
      expect(await refused('alpha', `ifconfig vlan1 ${words}`)).toContain(reason);
      expect(await expectOk('alpha', 'ifconfig vlan1')).toContain('vlan: 0 parent: <none>');
    }
    expect(await refused('alpha', 'ifconfig vlan0 vlan 9 vlanif en0')).toContain(
      'vlan0 is VLAN 7 of en0; detach it first, with -vlanif: Resource busy',
    );
    await expectOk('alpha', 'ifconfig vlan0 vlan 7 vlanif en0', 'ping -c 1 10.0.7.2');
    expect(await refused('alpha', 'ifconfig en0 vlan 9 vlanif en0')).toContain(
      'en0 does not know vlan, vlanif',
    );
  });

  test('a VLAN is detached, destroyed and made again; its number is free at once', async () => {
    await start();
    await expectOk('alpha', 'ifconfig vlan0 -vlanif');
    expect(await refused('alpha', 'ping -c 1 10.0.7.2')).toContain('Network is down');
    await expectOk('alpha', 'ifconfig vlan0 vlan 7 vlanif en0', 'ping -c 1 10.0.7.2');
    for (let i = 0; i < 3; i++)
      await expectOk(
        'alpha',
        `ifconfig vlan${i} destroy; ifconfig vlan${i + 1} create; ifconfig vlan${i + 1} vlan 7 vlanif en0; ifconfig vlan${i + 1} 10.0.7.1/24`,
        'ping -c 1 10.0.7.2',
      );
  });

  test('a parent that is destroyed leaves its VLANs behind, and says so in the log', async () => {
    await start();
    await expectOk(
      'alpha',
      'ifconfig vlan1 create; ifconfig vlan1 vlan 8 vlanif en0 up',
      'ifconfig en0 destroy',
    );
    await pass(1);
    const log = await expectOk('alpha', 'sloginfo');
    expect(log).toContain('vlan0: en0 was destroyed; it is VLAN 7 of nothing now');
    expect(log).toContain('vlan1: en0 was destroyed; it is VLAN 8 of nothing now');
    expect(await expectOk('alpha', 'ifconfig vlan0')).toContain('vlan: 0 parent: <none>');
    expect(await refused('alpha', 'ping -c 1 10.0.7.2')).toContain('Network is down');
    await expectOk('alpha', 'mount -T io-pkt devnp-vnic.so', 'ifconfig vlan0 vlan 7 vlanif en0');
    expect(await expectOk('alpha', 'ifconfig vlan0')).toContain('vlan: 7 parent: en0');
  });

  test('an address may come before the parent', async () => {
    lab = await labFrom(TWO_NODES);
    for (const [node, last] of [
      ['alpha', 1],
      ['beta', 2],
    ] as const) {
      await expectOk(node, 'ifconfig en0 down', 'ifconfig vlan0 create', `ifconfig vlan0 10.0.7.${last}/24`);
      await expectOk(node, 'ifconfig vlan0 vlan 7 vlanif en0', 'ifconfig en0 up');
    }
    await expectOk('alpha', 'ping -c 1 10.0.7.2');
  });

  test('a link with an MTU lets tagged packets of that size through', async () => {
    lab = await labFrom(TWO_NODES.replace('beta:en0] }', 'beta:en0], mtu: 1500 }'));
    for (const [node, last] of [
      ['alpha', 1],
      ['beta', 2],
    ] as const)
      await expectOk(node, ...VLANS, `ifconfig vlan0 10.0.7.${last}/24`);
    await expectOk('alpha', 'ping -c 1 -s 1472 10.0.7.2');
    await expectOk('alpha', 'ifconfig en0 mtu 1600');
    expect((await run(lab, 'alpha', 'ping -c 1 -w 1 -s 1500 10.0.7.2')).status).not.toBe(0);
  });
});
