// The spanning tree of bridges and switches against the tree that its definition gives, and what hosts see of it.
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { setImpairments } from '../../../main/lab/link.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { bridgePorts, bridges, portsOf } from '../../../stack/net/bridge-record.ts';
import type { Bridge } from '../../../stack/net/bridge-record.ts';
import { setPort } from '../../../stack/net/bridge-settings.ts';
import { bridgeAddresses } from '../../../stack/net/bridge-table.ts';
import { BROADCAST, Peer, ether, pass } from '../../support/frames.ts';
import { labFrom, run, stopLab, succeed } from '../../support/lab.ts';
import { computedRoles, roleOf, treeOf } from '../../support/spanning-tree.ts';

const SECOND = 1e9;
/** Twice the forward delay, and the first hellos. */
const CONVERGED = 40 * SECOND;
/** The same after messages that nobody renews have become too old. */
const RECONVERGED = 60 * SECOND;

let lab: RunningLab | undefined;
let ends: Peer[] = [];

async function stop(): Promise<void> {
  for (const end of ends) end.leave();
  ends = [];
  const running = lab;
  lab = undefined;
  if (running !== undefined) await stopLab(running);
  expect(
    [bridges.report(), bridgePorts.report(), bridgeAddresses.report()].map(({ inUse }) => inUse),
  ).toEqual([0, 0, 0]);
}

afterEach(stop);

function rolesOf(network: readonly Bridge[]): ReturnType<typeof roleOf>[][] {
  return network.map((bridge) => portsOf(bridge).map((port) => roleOf(bridge, port)));
}

/** The LAN of each port of a switch, by its plug. A link that is cut is a LAN of its own for each of its ends. */
function lansOf(running: RunningLab, cut: ReadonlySet<string>): Map<number, string> {
  return new Map(
    [...running.links.values()].flatMap(({ name, directions }) =>
      directions.map(({ plug }, i) => [plug, cut.has(name) ? `${name}.${i}` : name] as const),
    ),
  );
}

function cutLink(running: RunningLab, name: string): void {
  const lost = { ...running.lab.links[0]!.directions[0]!, lossP: 1 };
  for (const direction of running.links.get(name)!.directions) setImpairments(direction, lost);
}

/** Expects that switches have found the tree of their links, but for those that are cut. */
function expectTree(running: RunningLab, cut: ReadonlySet<string> = new Set()): void {
  const network = [...running.switches.values()].map(({ bridge }) => bridge);
  const lans = lansOf(running, cut);
  expect(rolesOf(network)).toEqual(computedRoles(treeOf(network, ({ end }) => lans.get(end)!)));
}

interface Graph {
  readonly priorities: readonly number[];
  /** The switches on each link; three make a hub, and one may be there twice. */
  readonly links: readonly (readonly number[])[];
  /** Costs that ports take in turn. */
  readonly costs: readonly number[];
  /** A link that is cut when the tree is there. */
  readonly cut: number;
}

const graphs: fc.Arbitrary<Graph> = fc.integer({ min: 2, max: 8 }).chain((count) => {
  const vertex = fc.integer({ min: 0, max: count - 1 });
  return fc.record({
    priorities: fc.array(fc.constantFrom(32_768, 4096, 0), { minLength: count, maxLength: count }),
    links: fc.array(fc.array(vertex, { minLength: 2, maxLength: 3 }), {
      minLength: count - 1,
      maxLength: 14,
    }),
    costs: fc.array(fc.constantFrom(55, 55, 19, 4, 100, 1), { minLength: 1, maxLength: 7 }),
    cut: fc.nat(),
  });
});

function labOf({ priorities, links }: Graph): string {
  const lines = ['name: graph', 'nodes: {}', 'switches:'];
  priorities.forEach((priority, i) => lines.push(`  s${i}: { stp: true, priority: ${priority} }`));
  lines.push('links:');
  links.forEach((at, i) => lines.push(`  l${i}: { between: [${at.map((n) => `s${n}`).join(', ')}] }`));
  return lines.join('\n');
}

/** Runs a graph until its tree is there, cuts a link and lets it find another one. */
async function converge(graph: Graph): Promise<void> {
  const running = await labFrom(labOf(graph));
  lab = running;
  let n = 0;
  for (const { bridge } of running.switches.values()) {
    for (const port of portsOf(bridge))
      setPort(bridge, port, { pathCost: graph.costs[n++ % graph.costs.length]! });
  }
  await pass(CONVERGED);
  expectTree(running);
  const cut = `l${graph.cut % graph.links.length}`;
  cutLink(running, cut);
  await pass(RECONVERGED);
  expectTree(running, new Set([cut]));
}

test('200 random graphs of switches and hubs find the tree that is computed, and again after a cut', async () => {
  const property = fc.asyncProperty(graphs, (graph) => converge(graph).finally(stop));
  await fc.assert(property, { numRuns: 200, seed: 42 });
}, 60_000);

const MAC = ['02:aa:00:00:00:00', '02:aa:00:00:00:01', '02:aa:00:00:00:02', '02:aa:00:00:00:03'] as const;

/** Bridging nodes x0, x1, ... each with a hand behind en0; `links` says which of them have a cable between. */
async function bridged(count: number, links: readonly (readonly [number, number])[]): Promise<Bridge[]> {
  const cards = Array.from({ length: count }, () => 1);
  const cables = links.map(
    ([a, b], i) => `  l${i}: { between: [x${a}:en${cards[a]!++}, x${b}:en${cards[b]!++}] }`,
  );
  const names = cards.map((n) => Array.from({ length: n }, (_, i) => `en${i}`));
  const running = await labFrom(
    [
      'name: bridged',
      'nodes:',
      ...names.flatMap((list, i) => [
        `  x${i}: { stack: io-pkt-v4-hc, interfaces: [${list.join(', ')}] }`,
        `  h${i}: { stack: io-pkt-v4-hc, interfaces: [en0] }`,
      ]),
      'links:',
      ...cables,
      ...names.map((_, i) => `  e${i}: { between: [h${i}:en0, x${i}:en0] }`),
    ].join('\n'),
  );
  lab = running;
  for (const [i, list] of names.entries()) {
    await succeed(running, `x${i}`, ...list.map((name) => `ifconfig ${name} up`));
    const members = list.map((name) => `add ${name}${name === 'en0' ? '' : ` stp ${name}`}`);
    await succeed(running, `x${i}`, `ifconfig bridge0 create; brconfig bridge0 ${members.join(' ')} up`);
  }
  for (const i of names.keys()) ends.push(await Peer.at(running, `h${i}`, `e${i}`, 0));
  const made = names.map((_, i) => bridges.get(running.findInterface(`x${i}`, 'bridge0')!.softc));
  await pass(CONVERGED);
  return made;
}

/** Who hears a broadcast of one hand, and how often. */
async function heard(from: number): Promise<number[]> {
  for (const end of ends) end.take();
  ends[from]!.send(ether(BROADCAST, MAC[from]!, 0x88b5, Buffer.from(`from ${from}`)));
  await pass(1e6);
  return ends.flatMap((end, i) => end.takeParsed().flatMap(({ type }) => (type === 0x88b5 ? [i] : [])));
}

/** Roles of the ports between the bridges. */
function trunkRoles(network: readonly Bridge[]): ReturnType<typeof roleOf>[][] {
  return network.map((bridge) =>
    portsOf(bridge)
      .slice(1)
      .map((port) => roleOf(bridge, port)),
  );
}

describe('bridge interfaces with a hand behind each', () => {
  test('in a triangle: one port blocks, everybody hears everybody once', async () => {
    const network = await bridged(3, [
      [0, 1],
      [1, 2],
      [2, 0],
    ]);
    expect(trunkRoles(network)).toEqual([
      ['designated', 'designated'],
      ['root', 'designated'],
      ['blocked', 'root'],
    ]);
    expect([await heard(0), await heard(1), await heard(2)]).toEqual([
      [1, 2],
      [0, 2],
      [0, 1],
    ]);
  });

  test('in a square: the bridge opposite of the root has a blocked port', async () => {
    const network = await bridged(4, [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 0],
    ]);
    expect(trunkRoles(network)).toEqual([
      ['designated', 'designated'],
      ['root', 'designated'],
      ['root', 'blocked'],
      ['designated', 'root'],
    ]);
    expect(await heard(2)).toEqual([0, 1, 3]);
  });

  test('two parallel links: the lower port leads; cut, the other takes over', async () => {
    const network = await bridged(2, [
      [0, 1],
      [0, 1],
    ]);
    expect(trunkRoles(network)).toEqual([
      ['designated', 'designated'],
      ['root', 'blocked'],
    ]);
    cutLink(lab!, 'l0');
    await pass(RECONVERGED);
    expect(trunkRoles(network)[1]).toEqual(['designated', 'root']);
    expect(await heard(1)).toEqual([0]);
  });

  test('another priority, another root', async () => {
    const network = await bridged(3, [
      [0, 1],
      [1, 2],
      [2, 0],
    ]);
    await succeed(lab!, 'x2', 'brconfig bridge0 priority 4096');
    await pass(CONVERGED);
    expect(trunkRoles(network)).toEqual([
      ['designated', 'root'],
      ['blocked', 'root'],
      ['designated', 'designated'],
    ]);
    expect((await run(lab!, 'x2', 'brconfig bridge0')).out).toContain('priority 4096');
    expect(await heard(0)).toEqual([1, 2]);
  });

  test('a cable that is pulled is noticed at once, and what was learned by the old way is forgotten', async () => {
    const network = await bridged(3, [
      [0, 1],
      [1, 2],
      [2, 0],
    ]);
    await heard(0);
    await heard(2);
    // The root's port to x2 loses its carrier.
    await succeed(lab!, 'x0', 'ifconfig en2 down');
    await pass(CONVERGED);
    expect(trunkRoles(network)).toEqual([
      ['designated', 'disabled'],
      ['root', 'designated'],
      ['root', 'disabled'],
    ]);
    ends[0]!.send(ether(MAC[2], MAC[0], 0x88b5, Buffer.from('the other way round')));
    await pass(1e6);
    expect(ends[2]!.takeParsed().filter(({ type }) => type === 0x88b5).length).toBe(1);
  });
});

describe('switches of the lab', () => {
  const LOOP = `
name: loop
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 up'] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 up'] }
switches:
  left: { stp: true }
  right: { stp: true }
links:
  a: { between: [a:en0, left] }
  b: { between: [b:en0, right] }
  one: { between: [left, right] }
  two: { between: [left, right] }
`;

  test('that take part in the spanning tree stand a loop; hosts are reached after twice the forward delay', async () => {
    lab = await labFrom(LOOP);
    await pass(29 * SECOND);
    expect((await run(lab, 'a', 'ping -c 1 -w 1 10.0.0.2')).status).not.toBe(0);
    await pass(5 * SECOND);
    expect((await run(lab, 'a', 'ping -c 3 10.0.0.2')).out).toContain('3 packets received, 0.0% packet loss');
    expectTree(lab);
  });

  test('that do not, pass on the BPDUs of others', async () => {
    lab = await labFrom(LOOP.replace('left: { stp: true }', 'left: {}'));
    await pass(CONVERGED);
    // Its own messages come round by the other link: the switch that listens blocks one of the two.
    const { bridge } = lab.switches.get('right')!;
    expect(portsOf(bridge).map((port) => roleOf(bridge, port))).toEqual([
      'designated',
      'designated',
      'blocked',
    ]);
    expect((await run(lab, 'a', 'ping -c 3 10.0.0.2')).out).toContain('3 packets received, 0.0% packet loss');
  });

  test('and bridging nodes build one tree', async () => {
    lab = await labFrom(`
name: mixed
nodes:
  x: { stack: io-pkt-v4-hc, interfaces: [en0, en1] }
switches:
  s: { stp: true, priority: 4096 }
  t: { stp: true }
links:
  l0: { between: [x:en0, s] }
  l1: { between: [x:en1, t] }
  l2: { between: [s, t] }
`);
    await succeed(lab, 'x', 'ifconfig en0 up; ifconfig en1 up; ifconfig bridge0 create');
    await succeed(lab, 'x', 'brconfig bridge0 add en0 stp en0 add en1 stp en1 up');
    await pass(CONVERGED);
    const { out } = await run(lab, 'x', 'brconfig bridge0');
    expect(out).toMatch(/en0 flags=.*\n.*\n?.*forwarding/);
    const node = bridges.get(lab.findInterface('x', 'bridge0')!.softc);
    expect(rolesOf([node])).toEqual([['root', 'designated']]);
    expect(rolesOf([lab.switches.get('t')!.bridge])).toEqual([['blocked', 'root']]);
  });
});
