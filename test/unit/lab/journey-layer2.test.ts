// Journeys through what lies between cards and IP: bridges, VLANs, link aggregates and tunnels are stations, in the order in which a packet passes them.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { watchJourneys } from '../../support/journeys.ts';
import type { JourneyWatch } from '../../support/journeys.ts';
import { TWO_NODES, labFrom, run, stopLab, succeed } from '../../support/lab.ts';

let lab: RunningLab;
let watch: JourneyWatch;
afterEach(() => stopLab(lab));

async function start(text: string): Promise<void> {
  lab = await labFrom(text, { onBuilt: (built) => void (watch = watchJourneys(built)) });
}

const REQUEST = 'Echo (ping) request';

/** What a ping that was answered, after one that taught everybody the way, passes. */
async function followPing(address: string, withText: readonly string[]): Promise<string[]> {
  await succeed(lab, 'alpha', `ping -c 1 ${address}`);
  lab.journeys.follow({ every: 1, protocol: 1 });
  await succeed(lab, 'alpha', `ping -c 1 ${address}`);
  const { journey } = watch.packets().find((one) => one.journey !== 0 && one.text.includes(REQUEST))!;
  return watch.route(journey, withText);
}

const BRIDGED = TWO_NODES.replace(
  'links:',
  `  x:
    stack: io-pkt-v4-hc
    interfaces: [en0, en1]
    startup: [ifconfig en0 up, ifconfig en1 up, ifconfig bridge0 create, brconfig bridge0 add en0 add en1 up]
links:
  left: { between: [alpha:en0, x:en0] }
  right: { between: [x:en1, beta:en0] }`,
).replace(/ {2}wire:.*\n/, '');

test('a bridge: from card to card, and never to the stack', async () => {
  await start(BRIDGED);
  const route = await followPing('10.0.0.2', ['bridge']);
  expect(route.filter((line) => line.startsWith('x'))).toEqual([
    'x:en0 driverIn',
    'x:bridge0 bridge: forwarded to the port of its destination',
    'x:en1 sendQueue',
    'x:en1 driverOut',
  ]);
});

test('a bridge that does not know the destination floods', async () => {
  await start(BRIDGED);
  lab.journeys.follow({ every: 1 });
  await run(lab, 'alpha', 'arp -s 10.0.0.9 02:00:00:00:99:99; ping -c 1 -w 1 10.0.0.9');
  expect(watch.routeOf(REQUEST, ['bridge'])).toContain('x:bridge0 bridge: flooded');
});

test('a VLAN: tagged on one side, untagged on the other', async () => {
  await start(TWO_NODES);
  for (const [node, last] of [
    ['alpha', 1],
    ['beta', 2],
  ] as const) {
    await succeed(lab, node, 'ifconfig vlan0 create', 'ifconfig vlan0 vlan 7 vlanif en0');
    await succeed(lab, node, `ifconfig vlan0 10.0.7.${last}/24`);
  }
  expect((await followPing('10.0.7.2', ['vlan'])).slice(0, 10)).toEqual([
    'alpha output',
    'alpha:vlan0 sendQueue',
    'alpha:vlan0 vlan: VLAN 7',
    'alpha:en0 sendQueue',
    'alpha:en0 driverOut',
    'link:wire link',
    'beta:en0 driverIn',
    'beta:vlan0 vlan: VLAN 7',
    'beta flow',
    'beta:vlan0 stackQueue',
  ]);
});

test('an aggregate: which of its ports sends and which receives', async () => {
  await start(
    TWO_NODES.replace(/interfaces: \[en0\], startup: \[[^\]]*\]/g, 'interfaces: [en0, en1]').replace(
      'links:',
      'links:\n  second: { between: [alpha:en1, beta:en1] }',
    ),
  );
  for (const [node, last] of [
    ['alpha', 1],
    ['beta', 2],
  ] as const) {
    await succeed(lab, node, 'ifconfig agr0 create', 'ifconfig agr0 link1');
    await succeed(lab, node, 'ifconfig agr0 agrport en0 agrport en1', `ifconfig agr0 10.0.9.${last}/24`);
  }
  const route = await followPing('10.0.9.2', ['aggregate']);
  const [sent, received] = route.filter((line) => line.includes(' aggregate'));
  const port = /^alpha:agr0 aggregate: through port (en[01])$/.exec(sent!)![1]!;
  // The links join cards of the same name.
  expect(received).toBe(`beta:agr0 aggregate: through port ${port}`);
  expect(route).toContain(`alpha:${port} driverOut`);
  expect(route).toContain(`beta:${port} driverIn`);
});

test('a tunnel: into it as one packet, and out of it', async () => {
  await start(TWO_NODES);
  for (const [node, own, peer] of [
    ['alpha', 1, 2],
    ['beta', 2, 1],
  ] as const) {
    await succeed(lab, node, 'ifconfig gif0 create', `ifconfig gif0 tunnel 10.0.0.${own} 10.0.0.${peer}`);
    await succeed(lab, node, `ifconfig gif0 10.8.0.${own} 10.8.0.${peer}`);
  }
  const route = await followPing('10.8.0.2', ['tunnel', 'consumed']);
  const marks = route.filter((line) => / (tunnel|link|ipInput|consumed)\b/.test(line));
  expect(marks).toEqual([
    'alpha:gif0 tunnel: into the tunnel',
    'link:wire link',
    'beta ipInput',
    'beta:gif0 tunnel: out of the tunnel',
    'beta ipInput',
    `beta consumed: used by the stack: ICMP ${REQUEST}`,
  ]);
});
