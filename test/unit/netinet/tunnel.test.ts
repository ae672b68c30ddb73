// gif and gre tunnels: every byte of their packets on a cable, two nodes with a router between them, loops, errors and hostile headers.
import { afterEach, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { ETHERTYPE, PROTOCOL, checksum, ether, icmp, ipv4, parseIp, pass } from '../../support/frames.ts';
import type { Parsed, ParsedIp } from '../../support/frames.ts';
import { labFrom, refusal, run, stopLab, succeed } from '../../support/lab.ts';
import { MAC, ME, NODE, NODE_MAC, frame, onNode, packets, peer, useNeighbour } from './neighbour.ts';

const GIF = 4;
const GRE = 47;
const INNER_ME = '10.9.0.2';
const INNER_NODE = '10.9.0.1';

const echo = (size: number): Buffer => icmp(8, 0, 0x12340001, Buffer.alloc(size, 7));
const inner = (size = 56, tos = 0): Buffer =>
  ipv4({ source: INNER_ME, destination: INNER_NODE, protocol: PROTOCOL.icmp, payload: echo(size), tos });
const greHeader = (flags = 0, type: number = ETHERTYPE.ip): Buffer =>
  Buffer.from([flags >>> 8, flags & 255, type >>> 8, type & 255]);
/** Packets of a protocol among frames, with what they carry. */
const outer = (frames: readonly Parsed[], protocol: number): ParsedIp[] =>
  packets(frames).filter((ip) => ip.protocol === protocol);

describe('on the wire', () => {
  useNeighbour();
  const tunnels = (kind: string): Promise<unknown> =>
    onNode(
      `ifconfig ${kind}0 create; ifconfig ${kind}0 tunnel ${NODE} ${ME}; ifconfig ${kind}0 ${INNER_NODE} ${INNER_ME}`,
    );

  test('a packet of gif is an IPv4 packet in an IPv4 packet', async () => {
    await tunnels('gif');
    const [answer] = outer(await peer.exchange([frame({ protocol: GIF, payload: inner(56, 0x2b) })]), GIF);
    expect(answer).toMatchObject({ source: NODE, destination: ME, ttl: 30, df: false, checksumGood: true });
    const within = parseIp(answer!.payload);
    expect(within).toMatchObject({ source: INNER_NODE, destination: INNER_ME, ttl: 64, checksumGood: true });
    expect(within.icmp).toMatchObject({ type: 0, rest: 0x12340001, payload: Buffer.alloc(56, 7) });
    // The type of service shows outside, without the bits of congestion notification.
    expect(within.payload.length).toBe(64);
    peer.send(frame({ protocol: GIF, payload: inner(0, 0x2b) }));
    await pass(1000);
    const [bytes] = peer.take();
    expect([bytes![15], bytes![35]]).toEqual([0x28, 0x2b]);
    await onNode('sysctl -w net.inet.ip.gifttl=9');
    expect(outer(await peer.exchange([frame({ protocol: GIF, payload: inner() })]), GIF)[0]!.ttl).toBe(9);
  });

  test('a packet of gre has four bytes of header in front of it', async () => {
    await tunnels('gre');
    const sent = frame({ protocol: GRE, payload: Buffer.concat([greHeader(), inner()]) });
    const [answer] = outer(await peer.exchange([sent]), GRE);
    expect(answer).toMatchObject({ source: NODE, destination: ME, ttl: 30 });
    expect(answer!.payload.subarray(0, 4).toString('hex')).toBe('00000800');
    expect(parseIp(answer!.payload.subarray(4))).toMatchObject({ source: INNER_NODE, icmp: { type: 0 } });
  });

  test('a checksum in a GRE header is verified; keys, routes, versions and other protocols are refused', async () => {
    await tunnels('gre');
    const summed = (bad: number): Buffer => {
      const packet = Buffer.concat([greHeader(0x8000), Buffer.alloc(4), inner()]);
      packet.writeUInt16BE(checksum(packet) ^ bad, 4);
      return frame({ protocol: GRE, payload: packet });
    };
    expect(outer(await peer.exchange([summed(0)]), GRE)).toHaveLength(1);
    const words = Buffer.alloc(8);
    const bad = [
      summed(1),
      ...[0x4000, 0x2000, 0x1000, 0x0800, 0x0001, 0x0080, 0xa000].map((flags) =>
        frame({ protocol: GRE, payload: Buffer.concat([greHeader(flags), words, inner()]) }),
      ),
      frame({ protocol: GRE, payload: Buffer.concat([greHeader(0, 0x6558), inner()]) }),
      frame({ protocol: GRE, payload: Buffer.concat([greHeader(0, 0x86dd), inner()]) }),
    ];
    expect(await peer.exchange(bad)).toEqual([]);
    expect((await onNode('netstat -s -p tunnel')).out).toContain(
      `${bad.length} dropped for bad or unknown headers`,
    );
  });

  test.each([
    ['gif', GIF, Buffer.alloc(0)],
    ['gre', GRE, greHeader()],
  ])('packets of %s that are cut off anywhere are counted and dropped', async (kind, protocol, header) => {
    await tunnels(kind);
    const whole = Buffer.concat([header, inner()]);
    const shortest = header.length + 20;
    const cut = Array.from({ length: shortest }, (_, length) =>
      frame({ protocol, payload: whole.subarray(0, length) }),
    );
    expect(await peer.exchange(cut)).toEqual([]);
    expect((await onNode(`ifconfig -v ${kind}0`)).out).toContain(`${shortest} errors`);
    // Inside is no IPv4, or a header that says more than there is: for IP to judge.
    const six = Buffer.from(whole);
    six[header.length] = 0x60;
    expect(await peer.exchange([frame({ protocol, payload: six })])).toEqual([]);
    expect(await peer.exchange([frame({ protocol, payload: whole.subarray(0, shortest) })])).toEqual([]);
    expect(outer(await peer.exchange([frame({ protocol, payload: whole })]), protocol)).toHaveLength(1);
  });

  test('a packet that no tunnel is for is refused as an unknown protocol', async () => {
    await tunnels('gif');
    const elsewhere = frame({ protocol: GIF, payload: inner(), source: '10.0.0.3' });
    await onNode('arp -s 10.0.0.3 02:00:00:00:00:03');
    const [refused] = packets(await peer.exchange([elsewhere]));
    expect(refused).toMatchObject({ destination: '10.0.0.3', icmp: { type: 3, code: 2 } });
    const [other] = packets(
      await peer.exchange([frame({ protocol: GRE, payload: Buffer.concat([greHeader(), inner()]) })]),
    );
    expect(other!.icmp).toMatchObject({ type: 3, code: 2 });
    await onNode('ifconfig gif0 down');
    const [down] = packets(await peer.exchange([frame({ protocol: GIF, payload: inner() })]));
    expect(down!.icmp).toMatchObject({ type: 3, code: 2 });
  });

  test('an ICMP error about an outer packet is counted by its tunnel', async () => {
    await tunnels('gif');
    void onNode(`ping -c 1 -w 1 ${INNER_ME}`);
    await pass(1000);
    const [sent] = peer.take();
    const error = icmp(3, 1, 0, sent!.subarray(14, 14 + 28));
    await peer.exchange([frame({ protocol: PROTOCOL.icmp, payload: error })]);
    expect((await onNode('nicinfo gif0')).out).toMatch(/icmp_errors \.+ 1\n/);
    expect((await onNode('netstat -s -p tunnel')).out).toContain('1 ICMP errors about outer packets');
  });

  test('a full packet inside comes in pieces outside, and pieces are put together', async () => {
    await tunnels('gif');
    await onNode('ifconfig gif0 mtu 1500');
    const payload = inner(1472);
    const pieces = [
      frame({ protocol: GIF, payload: payload.subarray(0, 800), more: true, id: 9 }),
      frame({ protocol: GIF, payload: payload.subarray(800), offset: 800, id: 9 }),
    ];
    const answers = outer(await peer.exchange(pieces), GIF);
    expect(answers.map(({ offset, more }) => [offset, more])).toEqual([
      [0, true],
      [1480, false],
    ]);
    const whole = Buffer.concat(answers.map((ip) => ip.payload));
    expect(parseIp(whole).icmp).toMatchObject({ type: 0, checksumGood: true });
  });

  test('an inner packet may be anything: the stack judges it as if it had come in by a card', async () => {
    await tunnels('gif');
    const odd = [
      ipv4({ source: INNER_ME, destination: '172.16.0.9', protocol: 1, payload: echo(8) }),
      ipv4({ source: '127.0.0.1', destination: INNER_NODE, protocol: 1, payload: echo(8) }),
      ipv4({ source: INNER_ME, destination: INNER_NODE, protocol: 1, payload: echo(8), badChecksum: true }),
    ];
    const answers = outer(await peer.exchange(odd.map((payload) => frame({ protocol: GIF, payload }))), GIF);
    expect(answers.map(({ payload }) => parseIp(payload).icmp)).toMatchObject([{ type: 3, code: 0 }]);
    // A tunnel in the tunnel, as often as the packet has room.
    let nested = inner(0);
    while (nested.length < 1400)
      nested = ipv4({ source: ME, destination: NODE, protocol: GIF, payload: nested });
    const [answer] = outer(await peer.exchange([ether(NODE_MAC, MAC, ETHERTYPE.ip, nested)]), GIF);
    expect(parseIp(answer!.payload).icmp!.type).toBe(0);
  });
});

const LAB = `
name: tunnels
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: [ifconfig en0 10.1.0.1/24, route add default 10.1.0.254] }
  middle:
    stack: io-pkt-v4-hc -ptcpip forward
    interfaces: [en0, en1]
    startup: [ifconfig en0 10.1.0.254/24, ifconfig en1 10.2.0.254/24]
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: [ifconfig en0 10.2.0.2/24, route add default 10.2.0.254] }
  plain: { stack: io-pkt-v4, interfaces: [] }
links:
  left: { between: [alpha:en0, middle:en0] }
  right: { between: [middle:en1, beta:en0] }
`;

describe('between nodes', () => {
  let lab: RunningLab;
  afterEach(() => stopLab(lab));
  const onLab = (node: string, ...lines: readonly string[]): Promise<string> => succeed(lab, node, ...lines);
  const refused = (node: string, line: string): Promise<string> => refusal(lab, node, line);

  async function start(kind: string): Promise<void> {
    lab = await labFrom(LAB);
    for (const [node, ends, addresses] of [
      ['alpha', '10.1.0.1 10.2.0.2', '10.9.0.1 10.9.0.2'],
      ['beta', '10.2.0.2 10.1.0.1', '10.9.0.2 10.9.0.1'],
    ] as const)
      await onLab(
        node,
        `ifconfig ${kind}0 create`,
        `ifconfig ${kind}0 tunnel ${ends}`,
        `ifconfig ${kind}0 ${addresses}`,
      );
  }

  test.each([
    ['gif', 1280],
    ['gre', 1476],
  ])('%s carries pings of any size and TCP', async (kind, mtu) => {
    await start(kind);
    for (const size of [0, 56, mtu - 28, mtu - 27, 4000, 20_000])
      await onLab('alpha', `ping -c 2 -s ${size} 10.9.0.2`);
    const receiving = run(lab, 'beta', 'ttcp -r -s');
    await onLab('alpha', 'sleep 0.01; ttcp -t -s -n 100 10.9.0.2');
    expect((await receiving).out).toContain(`${100 * 8192} bytes`);
    const shown = await onLab('alpha', `ifconfig -v ${kind}0`);
    expect(shown).toContain(`${kind}0: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu ${mtu}`);
    expect(shown).toContain('tunnel inet 10.1.0.1 --> 10.2.0.2');
    expect(shown).toContain('inet 10.9.0.1 -> 10.9.0.2');
    // Nothing of the inside passes the router.
    expect((await run(lab, 'middle', 'ping -c 1 -w 1 10.9.0.2')).err).toContain('No route to host');
    await onLab('alpha', `ifconfig ${kind}0 deletetunnel`);
    expect(await refused('alpha', 'ping -c 1 10.9.0.2')).toContain('Network is down');
    await onLab('alpha', `ifconfig ${kind}0 tunnel 10.1.0.1 10.2.0.2`, 'ping -c 1 10.9.0.2');
  });

  test('networks behind the ends reach each other through the tunnel', async () => {
    await start('gre');
    await onLab('beta', 'ifconfig lo1 create', 'ifconfig lo1 10.77.0.1/24');
    await onLab('alpha', 'route add -net 10.77.0.0/24 10.9.0.2', 'ping -c 2 10.77.0.1');
    expect(await onLab('alpha', 'traceroute -n 10.77.0.1')).toMatch(/^ 1 {2}10\.77\.0\.1/m);
  });

  test('a tunnel whose outer packets go through itself drops them, says so once, and works when that is over', async () => {
    await start('gif');
    await onLab('alpha', 'route add -host 10.2.0.2 10.9.0.2');
    expect(await refused('alpha', 'ping -c 3 -i 0.1 10.9.0.2')).toContain('Network is unreachable');
    await pass(1);
    expect(await onLab('alpha', 'netstat -s -p tunnel')).toMatch(
      /[1-9]\d* dropped because their route leads/,
    );
    const log = (await onLab('alpha', 'sloginfo')).split('\n').filter((line) => line.includes('gif0'));
    expect(log).toEqual([
      expect.stringContaining('gif0: the route to 10.2.0.2 leads through the tunnel itself'),
    ]);
    await onLab('alpha', 'route delete -host 10.2.0.2', 'ping -c 1 10.9.0.2');
  });

  test('two tunnels that carry each other are no way out', async () => {
    await start('gif');
    await onLab(
      'alpha',
      'ifconfig gre0 create',
      'ifconfig gre0 tunnel 10.9.0.1 10.9.0.2',
      'ifconfig gre0 10.8.0.1 10.8.0.2',
    );
    await onLab(
      'beta',
      'ifconfig gre0 create',
      'ifconfig gre0 tunnel 10.9.0.2 10.9.0.1',
      'ifconfig gre0 10.8.0.2 10.8.0.1',
    );
    await onLab('alpha', 'ping -c 1 -s 3000 10.8.0.2', 'route add -host 10.2.0.2 10.8.0.2');
    for (const address of ['10.9.0.2', '10.8.0.2'])
      expect(await refused('alpha', `ping -c 1 ${address}`)).toContain('Network is unreachable');
  });

  test('what cannot be is refused with the reason', async () => {
    await start('gif');
    await onLab('alpha', 'ifconfig gif1 create');
    for (const [words, reason] of [
      ['tunnel 10.1.0.1 10.2.0.2', 'gif0 is the one from 10.1.0.1 to 10.2.0.2'],
      ['tunnel 10.1.0.1 10.1.0.1', 'both ends are 10.1.0.1'],
      ['tunnel 10.1.0.1 224.0.0.1', '224.0.0.1 is no address of a host'],
      ['tunnel 10.1.0.1 beta', 'beta is not an IPv4 address'],
      ['tunnel 10.1.0.1 10.2.0.3 deletetunnel', 'exclude each other'],
      ['vlan 7 vlanif en0', 'gif1 does not know vlan, vlanif; it knows tunnel, deletetunnel'],
      ['10.9.0.1/24', 'gif1 is point-to-point: give both ends'],
    ] as const)
      expect(await refused('alpha', `ifconfig gif1 ${words}`)).toContain(reason);
    // The other kind is another tunnel.
    await onLab('alpha', 'ifconfig gre5 create', 'ifconfig gre5 tunnel 10.1.0.1 10.2.0.2');
    await onLab('alpha', 'ifconfig gif0 destroy; ifconfig gif1 tunnel 10.1.0.1 10.2.0.2');
    for (const kind of ['gif', 'gre'])
      expect(await refused('plain', `ifconfig ${kind}0 create`)).toContain(
        `io-pkt-v4 has no ${kind} interfaces`,
      );
  });
});
