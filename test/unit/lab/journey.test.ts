// The journeys of packets through a lab: every station in order, at the right place, with the reason where something happened to the packet.
import { afterEach, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import type { JourneyChoice } from '../../../stack/net/journey.ts';
import { TWO_NODES, labFrom, run, stopLab } from '../../support/lab.ts';
import { watchJourneys } from '../../support/journeys.ts';
import type { JourneyWatch } from '../../support/journeys.ts';

let lab: RunningLab;
let watch: JourneyWatch;
afterEach(() => stopLab(lab));

const ALL: JourneyChoice = { every: 1 };

async function start(text: string, journey?: JourneyChoice): Promise<void> {
  const onBuilt = (built: RunningLab): void => void (watch = watchJourneys(built));
  lab = await labFrom(text, { ...(journey !== undefined && { journey }), onBuilt });
}

const DELAYED = TWO_NODES.replace('beta:en0] }', 'beta:en0], delay: 1ms }');

const WITH_SERVER = TWO_NODES.replace("10.0.0.2/24 up'", "10.0.0.2/24 up', 'httpd -p 80 &'");

describe('two nodes on a cable', () => {
  test('ping: ARP, the request that waits for it, the reply in a journey of its own', async () => {
    await start(DELAYED, ALL);
    await run(lab, 'alpha', 'sleep 1; ping -c 1 10.0.0.2');
    expect(watch.packets().map(({ text }) => text.replace(/ id=.*/, '').trim())).toEqual([
      expect.stringContaining('Gratuitous ARP for 10.0.0.1'),
      expect.stringContaining('Gratuitous ARP for 10.0.0.2'),
      expect.stringContaining('Who has 10.0.0.2? Tell 10.0.0.1'),
      expect.stringContaining('10.0.0.2 is at'),
      '10.0.0.1 > 10.0.0.2 ICMP Echo (ping) request',
      '10.0.0.2 > 10.0.0.1 ICMP Echo (ping) reply',
    ]);
    expect(watch.routeOf('Who has', ['link', 'consumed'])).toEqual([
      'alpha:en0 sendQueue',
      'alpha:en0 driverOut',
      'link:wire link: enters from alpha:en0',
      'beta:en0 driverIn',
      'beta:en0 stackQueue',
      'beta consumed: used by the stack: ARP',
    ]);
    expect(watch.routeOf('Echo (ping) request', ['output', 'transport', 'consumed'])).toEqual([
      'alpha output: ICMP sent by this host',
      'alpha:en0 arpHold',
      'alpha:en0 sendQueue',
      'alpha:en0 driverOut',
      'link:wire link',
      'beta:en0 driverIn',
      'beta flow',
      'beta:en0 stackQueue',
      'beta ipInput',
      'beta transport: handed to ICMP',
      'beta consumed: used by the stack: ICMP Echo (ping) request',
    ]);
    expect(watch.routeOf('Echo (ping) reply', ['consumed', 'socket'])).toEqual([
      'beta output',
      'beta:en0 sendQueue',
      'beta:en0 driverOut',
      'link:wire link',
      'alpha:en0 driverIn',
      'alpha flow',
      'alpha:en0 stackQueue',
      'alpha ipInput',
      'alpha transport',
      'alpha consumed: used by the stack: ICMP Echo (ping) reply',
      'raw 1 * socket: 84 bytes in the receive buffer',
    ]);
  });

  test('times, threads, nodes and buffers of a request', async () => {
    await start(DELAYED, ALL);
    await run(lab, 'alpha', 'sleep 1; ping -c 1 10.0.0.2');
    const { journey } = watch.packets().find(({ text }) => text.includes('request  id'))!;
    const stations = watch.stations().filter((one) => one.journey === journey);
    const since = stations.map(({ time }) => Number(time - stations[0]!.time));
    // 2 ms for ARP to ask and learn, 1 ms for the cable.
    expect(since.map((ns) => Math.round(ns / 1000))).toEqual([
      0, 0, 2000, 2000, 2000, 3000, 3000, 3000, 3000, 3000, 3000,
    ]);
    expect(new Set(stations.map(({ thread }) => thread))).toEqual(new Set([0]));
    expect(stations.map(({ node }) => node)).toEqual([
      ...['alpha', 'alpha', 'alpha', 'alpha'],
      '',
      ...['beta', 'beta', 'beta', 'beta', 'beta', 'beta'],
    ]);
    // Not copied from the stack that sends to the one that receives.
    expect(new Set(stations.slice(0, -1).map(({ buffer }) => buffer)).size).toBe(1);
  });

  test('http: the SYN to its listener, the request into the socket, an acknowledgement to its connection', async () => {
    await start(WITH_SERVER, ALL);
    expect((await run(lab, 'alpha', 'http get http://10.0.0.2/')).status).toBe(0);
    const wire = [
      'alpha output',
      'alpha:en0 sendQueue',
      'alpha:en0 driverOut',
      'link:wire link',
      'beta:en0 driverIn',
      'beta flow',
      'beta:en0 stackQueue',
      'beta ipInput',
      'beta transport',
    ];
    expect(watch.routeOf('[SYN]', ['connection']).filter((line) => !line.includes('arpHold'))).toEqual([
      ...wire,
      'tcp *:80 connection: for this connection, 0 bytes of data',
    ]);
    expect(watch.routeOf('GET /', ['connection', 'socket'])).toEqual([
      ...wire,
      'tcp 10.0.0.2:80 connection: for this connection, 53 bytes of data',
      'tcp 10.0.0.2:80 socket: 53 bytes in the receive buffer',
    ]);
    expect(watch.routeOf('[ACK]', ['connection'])).toEqual([
      ...wire,
      'tcp 10.0.0.2:80 connection: for this connection, 0 bytes of data',
    ]);
  });

  test('capture points at interfaces are stations', async () => {
    await start(TWO_NODES, ALL);
    lab.captures.listen(
      lab.places().filter(({ name }) => name.endsWith(':en0')),
      64,
      () => undefined,
    );
    await run(lab, 'alpha', 'ping -c 1 10.0.0.2');
    expect(watch.routeOf('Echo (ping) request', ['tap'])).toEqual([
      'alpha output',
      'alpha:en0 arpHold',
      'alpha:en0 sendQueue',
      'alpha:en0 driverOut',
      'alpha:en0 tap: shown to capture points, outbound',
      'link:wire link',
      'beta:en0 driverIn',
      'beta:en0 tap: shown to capture points, inbound',
      ...['beta flow', 'beta:en0 stackQueue', 'beta ipInput', 'beta transport', 'beta consumed'],
    ]);
  });

  test('a datagram to a port where nobody listens: its sender is told, in another journey', async () => {
    await start(TWO_NODES, ALL);
    await run(lab, 'alpha', 'echo hi | nc -u -w 1 10.0.0.2 9');
    expect(watch.routeOf(' UDP ', ['refused']).slice(-2)).toEqual([
      'beta transport',
      'beta refused: dropped, and its sender is told: ICMP Destination unreachable (port unreachable)',
    ]);
    expect(watch.routeOf('port unreachable', ['consumed']).slice(-2)).toEqual([
      'alpha transport',
      'alpha consumed: used by the stack: ICMP Destination unreachable',
    ]);
  });

  test('a datagram into a socket bound to any address', async () => {
    await start(TWO_NODES, ALL);
    await run(lab, 'beta', 'nc -u -l 5000 &');
    await run(lab, 'alpha', 'echo hi | nc -u -w 1 10.0.0.2 5000');
    expect(watch.routeOf(' UDP ', ['socket']).at(-1)).toBe(
      'udp *:5000 socket: 3 bytes in the receive buffer',
    );
  });

  test('what the link loses, and why', async () => {
    await start(TWO_NODES.replace('beta:en0] }', 'beta:en0], loss: 100% }'), ALL);
    await run(lab, 'alpha', 'arp -s 10.0.0.2 02:00:00:00:01:00; ping -c 1 -w 1 10.0.0.2');
    expect(watch.routeOf('Echo (ping) request', ['linkLoss']).slice(-2)).toEqual([
      'link:wire link',
      'link:wire linkLoss: lost by chance',
    ]);
  });

  test('what comes while the receiver is down, or is for nobody', async () => {
    await start(TWO_NODES, ALL);
    await run(lab, 'alpha', 'arp -s 10.0.0.2 02:00:00:00:01:00; arp -s 10.0.0.9 02:00:00:00:01:00');
    await run(lab, 'alpha', 'ping -c 1 -w 1 10.0.0.9');
    expect(watch.routeOf('10.0.0.9 ICMP', ['drop']).at(-1)).toBe(
      'beta drop: dropped: packets not forwardable',
    );
    await run(lab, 'beta', 'ifconfig en0 down');
    await run(lab, 'alpha', 'ping -c 1 -w 1 10.0.0.2');
    expect(watch.routeOf('10.0.0.2 ICMP', ['linkLoss']).at(-1)).toBe(
      'link:wire linkLoss: lost: the interface at the other end is down',
    );
  });

  test('a packet of several fragments is one journey', async () => {
    await start(TWO_NODES, ALL);
    await run(lab, 'alpha', 'ping -c 1 -s 3000 10.0.0.2');
    const fragments = watch.packets().filter(({ text }) => text.startsWith('10.0.0.1 > 10.0.0.2'));
    expect(fragments.length).toBe(3);
    expect(new Set(fragments.map(({ journey }) => journey)).size).toBe(1);
    const route = watch.route(fragments[0]!.journey);
    expect(route.filter((line) => line === 'link:wire link').length).toBe(3);
    expect(route.filter((line) => line === 'beta reassembly').length).toBe(3);
    expect(route.filter((line) => line === 'beta transport').length).toBe(1);
  });
});

test('a second stack of a node shows its prefix', async () => {
  await start(
    `${TWO_NODES.replace('beta: {', "beta: { stack: 'io-pkt-v4-hc', interfaces: [] }\n  gamma: {").replace('beta:en0', 'gamma:en0')}`,
    ALL,
  );
  await run(lab, 'beta', 'io-pkt-v4-hc -i1 -ptcpip prefix=/alt');
  await run(lab, 'beta', 'SOCK=/alt ping -c 1 127.0.0.1');
  const places = new Set(
    watch
      .stations()
      .filter(({ node }) => node === 'beta')
      .map(({ place }) => place),
  );
  expect(places).toEqual(new Set(['beta/alt', 'beta:lo0', 'raw 1 *']));
});

describe('which packets are followed', () => {
  const count = (): number => new Set(watch.stations().map(({ journey }) => journey)).size;

  test('none unless asked for: nothing is noted', async () => {
    await start(TWO_NODES);
    await run(lab, 'alpha', 'ping -c 3 10.0.0.2');
    expect(watch.packets().every(({ journey }) => journey === 0)).toBe(true);
    expect(watch.stations()).toEqual([]);
  });

  test.each<[string, JourneyChoice, number]>([
    ['all', { every: 1 }, 12],
    ['every third', { every: 3 }, 4],
    ['ICMP', { every: 1, protocol: 1 }, 8],
    ['every second of ICMP', { every: 2, protocol: 1 }, 4],
    ['TCP', { every: 1, protocol: 6 }, 0],
    ['a host, with its ARP', { every: 1, address: 0x0a000002 }, 11],
    ['another host', { every: 1, address: 0x0a000009 }, 0],
  ])('%s', async (_, choice, expected) => {
    await start(TWO_NODES, choice);
    await run(lab, 'alpha', 'ping -c 4 10.0.0.2');
    expect(count()).toBe(expected);
  });

  test('ports of either end', async () => {
    await start(WITH_SERVER, { every: 1, port: 80 });
    await run(lab, 'alpha', 'ping -c 1 10.0.0.2; http get http://10.0.0.2/');
    const followed = watch.packets().filter(({ journey }) => journey !== 0);
    expect(followed.length).toBeGreaterThan(5);
    expect(followed.every(({ text }) => /TCP|HTTP/.test(text))).toBe(true);
    expect(watch.packets().filter(({ text, journey }) => journey === 0 && / (TCP|HTTP) /.test(text))).toEqual(
      [],
    );
  });

  test('following begins and ends while the lab runs', async () => {
    await start(TWO_NODES);
    await run(lab, 'alpha', 'ping -c 1 10.0.0.2');
    lab.journeys.follow({ every: 1, protocol: 1 });
    expect(lab.journeys.isFollowing()).toBe(true);
    await run(lab, 'alpha', 'ping -c 1 10.0.0.2');
    lab.journeys.follow(undefined);
    await run(lab, 'alpha', 'ping -c 1 10.0.0.2');
    const journeys = watch
      .packets()
      .filter(({ text }) => text.includes('Echo'))
      .map(({ journey }) => journey);
    expect(journeys).toEqual([0, 0, 1, 2, 0, 0]);
  });
});

test('stations of places that are gone meanwhile have their names', async () => {
  await start(TWO_NODES, ALL);
  // All in one go: the stack ends, and another takes its records, before anybody reads the ring.
  await run(lab, 'alpha', 'ping -c 1 10.0.0.2; slay io-pkt-v4-hc; io-pkt-v4-hc -ptcpip prefix=/other');
  expect(watch.routeOf('Echo (ping) reply').at(-2)).toBe('alpha consumed');
  expect(watch.stations().filter(({ place }) => place === 'unknown')).toEqual([]);
});
