// Long lists of rules that differ in addresses or ports: rules are looked up in them, and count as if each had been walked to (pf.conf(5); skip steps).
import { expect, test } from 'vitest';
import {
  INSIDE,
  OUTSIDE,
  datagram,
  inside,
  ioctl,
  load,
  outside,
  pass,
  rules,
  useFirewall,
} from './firewall.ts';

useFirewall();

/** A repeatable series of numbers from 0 to below `count`. */
function numbers(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

/** A criterion: how it is written, and whether a packet meets it. */
interface Criterion {
  readonly text: string;
  readonly meets: (value: number) => boolean;
}
const anything: Criterion = { text: '', meets: () => true };
const hosts = [OUTSIDE, '192.0.2.3', '192.0.2.4', '192.0.2.5'];

const address: readonly Criterion[] = [
  ...hosts.map((text, host) => ({ text, meets: (value: number) => value === host })),
  { text: '192.0.2.2/31', meets: (value) => value < 2 },
  { text: '192.0.2.4/31', meets: (value) => value > 1 },
  { text: '! 192.0.2.4', meets: (value) => value !== 2 },
];
const ports: readonly Criterion[] = [
  anything,
  ...[50, 51, 52].map((port) => ({ text: `port ${port}`, meets: (value: number) => value === port })),
  { text: 'port 51:53', meets: (value) => value >= 51 && value <= 53 },
];

interface Written {
  readonly to: Criterion;
  readonly port: Criterion;
  readonly sourcePort: Criterion;
  readonly quick: boolean;
}

function textOf({ to, port, sourcePort, quick }: Written): string {
  return `pass in ${quick ? 'quick ' : ''}on en0 inet proto udp from any ${sourcePort.text} to ${to.text} ${port.text}`;
}

interface Packet {
  readonly host: number;
  readonly sourcePort: number;
  readonly port: number;
}

/** Counts a walk over the rules, one by one; a mismatch skips those that have the same criterion. */
function walk(list: readonly Written[], counts: number[], { host, sourcePort, port }: Packet): void {
  const criteria = [
    ['sourcePort', sourcePort],
    ['to', host],
    ['port', port],
  ] as const;
  for (let i = 0; i < list.length;) {
    const rule = list[i]!;
    counts[i]!++;
    const failed = criteria.find(([name, value]) => !rule[name].meets(value));
    if (failed === undefined && rule.quick) return;
    const [name] = failed ?? [undefined];
    let next = i + 1;
    if (name !== undefined) while (next < list.length && list[next]![name] === rule[name]) next++;
    i = next;
  }
}

test.each([1, 2, 3, 4, 5, 6])('rules count as if they were walked to (random list %i)', async (seed) => {
  const random = numbers(seed);
  const oneOf = <T>(list: readonly T[]): T => list[random(list.length)]!;
  // Stretches in which only some of the criteria change, so that there are runs of every kind.
  const list: Written[] = [];
  while (list.length < 200) {
    const varied = random(4);
    const fixed: Written = { to: oneOf(address), port: oneOf(ports), sourcePort: oneOf(ports), quick: false };
    for (let left = 4 + random(40); left > 0; left--)
      list.push({
        ...fixed,
        ...(varied !== 1 ? { to: oneOf(address) } : {}),
        ...(varied === 1 || varied === 3 ? { port: oneOf(ports) } : {}),
        ...(varied === 2 ? { sourcePort: oneOf(ports) } : {}),
        quick: random(60) === 0,
      });
  }
  await load(`${list.map(textOf).join('\n')}\n`);
  const counts = list.map(() => 0);
  for (let round = 0; round < 3; round++) {
    for (let sent = 0; sent < 40; sent++) {
      const packet = { host: random(hosts.length), sourcePort: 50 + random(4), port: 50 + random(5) };
      inside.send(datagram(INSIDE, packet.sourcePort, hosts[packet.host]!, packet.port));
      walk(list, counts, packet);
      // On its way out it leaves by an interface that no rule is for: the first one says so.
      counts[0]!++;
    }
    await pass(1e6);
    // Read in parts, to see that reading changes nothing.
    const read = (await rules()).map(({ evaluations }) => evaluations);
    expect(read).toEqual(counts);
  }
  await ioctl('DIOCCLRRULECTRS', {});
  expect((await rules()).every(({ evaluations }) => evaluations === 0)).toBe(true);
});

test('the rule that decides among thousands is the one that a walk would find', async () => {
  const list = Array.from(
    { length: 3000 },
    (_, i) => `pass in on en0 proto udp from any to any port ${i + 1}`,
  );
  await load(`block in on en0\n${list.join('\n')}\nblock in on en0 proto udp from any to any port 70\n`);
  for (const [port, arrives] of [
    [69, true],
    [70, false],
    [3000, true],
    [3001, false],
  ] as const) {
    outside.take();
    inside.send(datagram(INSIDE, 4000, OUTSIDE, port));
    await pass(1e6);
    expect([port, outside.take().length]).toEqual([port, arrives ? 1 : 0]);
  }
  const page = await ioctl('DIOCGETRULES', { anchor: '', part: 'filter', first: 0, count: 1000 });
  expect(page.total).toBe(3002);
  expect(page.rules.map(({ packets }, i) => (packets > 0 ? i : 0)).filter((i) => i > 0)).toEqual([69]);
  expect(page.rules[500]!.evaluations).toBe(4);
});
