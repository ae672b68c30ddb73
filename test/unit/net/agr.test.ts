// Link aggregates between two nodes with several cables: who finds whom, which cables are used, and what happens when one is cut.
import { afterEach, describe, expect, test } from 'vitest';
import { setImpairments } from '../../../main/lab/link.ts';
import type { LabOptions, RunningLab } from '../../../main/lab/lab.ts';
import { agrPorts, agrs } from '../../../stack/net/agr-record.ts';
import { ETHERTYPE, PROTOCOL, pass } from '../../support/frames.ts';
import { labFrom, refusal, run, stopLab, succeed } from '../../support/lab.ts';

const SECOND = 1e9;
let lab: RunningLab;

afterEach(async () => {
  await stopLab(lab);
  expect([agrs.report().inUse, agrPorts.report().inUse]).toEqual([0, 0]);
});

/** Two nodes with `count` cables between them, and an aggregate of all on each: 10.0.0.1 on a, 10.0.0.2 on b. */
async function pair(count: number, words = '', cable = '', options: Partial<LabOptions> = {}): Promise<void> {
  const cards = Array.from({ length: count }, (_, i) => `en${i}`);
  lab = await labFrom(
    `
name: pair
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [${cards.join(', ')}] }
  b: { stack: io-pkt-v4-hc, interfaces: [${cards.join(', ')}] }
links:
${cards.map((card, i) => `  l${i}: { between: [a:${card}, b:${card}]${cable} }`).join('\n')}
`,
    options,
  );
  for (const [node, address] of [
    ['a', '10.0.0.1'],
    ['b', '10.0.0.2'],
  ] as const) {
    await succeed(lab, node, 'ifconfig agr0 create');
    if (words !== '') await succeed(lab, node, `ifconfig agr0 ${words}`);
    await succeed(lab, node, `ifconfig agr0 ${cards.map((card) => `agrport ${card}`).join(' ')}`);
    await succeed(lab, node, `ifconfig agr0 ${address}/24`);
  }
}

/** Frames that each cable has carried, in both directions, since the last call. */
function carried(): number[] {
  const totals = [...lab.links.values()].map(({ directions }) => directions.map(({ packets }) => packets));
  const since = totals.map((now, i) => now.reduce((sum, n, j) => sum + n - (before[i]?.[j] ?? 0), 0));
  before = totals;
  return since;
}
let before: number[][] = [];

function cut(link: string, lossP: number): void {
  for (const direction of lab.links.get(link)!.directions)
    setImpairments(direction, { ...lab.lab.links[0]!.directions[0]!, lossP });
}

const pings = async (node: string, target: string, count = 3): Promise<string> =>
  (await run(lab, node, `ping -c ${count} -i 0.2 ${target}`)).out;
const ifconfig = async (node: string, name = 'agr0'): Promise<string> =>
  (await run(lab, node, `ifconfig ${name}`)).out;
const used = async (node: string): Promise<string[]> =>
  [...(await ifconfig(node)).matchAll(/agrport: (\w+), flags=0x3</g)].map(([, name]) => name!);

describe('with the control protocol', () => {
  test('two nodes find each other in 2 s, use all cables and show both ends', async () => {
    await pair(2);
    await pass(1.9 * SECOND);
    expect(await used('a')).toEqual([]);
    expect(await ifconfig('a')).toContain('status: no carrier');
    await pass(0.2 * SECOND);
    expect([await used('a'), await used('b')]).toEqual([
      ['en0', 'en1'],
      ['en0', 'en1'],
    ]);
    expect(await pings('a', '10.0.0.2')).toContain('3 packets received, 0.0% packet loss');
    expect(await ifconfig('a')).toBe(
      [
        'agr0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500',
        '\taddress: 02:00:00:00:00:00',
        '\tmedia: Ethernet autoselect (1000baseT full-duplex)',
        '\tstatus: active',
        '\tagrport: en0, flags=0x3<COLLECTING,DISTRIBUTING>',
        '\t\tactor 8000,02:00:00:00:00:00,0004 state 3d<ACTIVE,AGGREGATABLE,SYNC,COLLECTING,DISTRIBUTING>',
        '\t\tpartner 8000,02:00:00:00:01:00,0004 state 3d<ACTIVE,AGGREGATABLE,SYNC,COLLECTING,DISTRIBUTING>',
        '\tagrport: en1, flags=0x3<COLLECTING,DISTRIBUTING>',
        '\t\tactor 8000,02:00:00:00:00:00,0004 state 3d<ACTIVE,AGGREGATABLE,SYNC,COLLECTING,DISTRIBUTING>',
        '\t\tpartner 8000,02:00:00:00:01:00,0004 state 3d<ACTIVE,AGGREGATABLE,SYNC,COLLECTING,DISTRIBUTING>',
        '\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255',
        '',
      ].join('\n'),
    );
  });

  test('conversations keep to their cable, and many of them use all', async () => {
    await pair(3);
    await pass(3 * SECOND);
    await pings('a', '10.0.0.2', 1);
    const seen = new Map<string, Set<string>>();
    const place = lab.places().filter(({ kind }) => kind === 'link');
    const capture = lab.captures.listen(place, 65_535, ({ point, bytes }) => {
      const frame = Buffer.from(bytes);
      if (frame.readUInt16BE(12) !== ETHERTYPE.ip || frame[23] !== PROTOCOL.tcp) return;
      const flow = frame.subarray(26, 38).toString('hex');
      seen.set(flow, (seen.get(flow) ?? new Set()).add(point.name));
    });
    await succeed(lab, 'b', 'httpd -p 80 &');
    for (let i = 0; i < 40; i++) await succeed(lab, 'a', 'http get http://10.0.0.2/ > /dev/null; true');
    lab.captures.drain();
    capture.stop();
    expect(seen.size).toBe(80);
    expect([...seen.values()].every((links) => links.size === 1)).toBe(true);
    const shares = new Map<string, number>();
    for (const [link] of seen.values()) shares.set(link!, (shares.get(link!) ?? 0) + 1);
    expect([...shares.keys()].sort()).toEqual(['link:l0', 'link:l1', 'link:l2']);
    expect(Math.min(...shares.values())).toBeGreaterThan(10);
  });

  test('a cut cable is missed after three fast periods, and the rest carries on', async () => {
    await pair(2, 'link2');
    await pass(4 * SECOND);
    cut('l0', 1);
    await pass(3.2 * SECOND);
    expect([await used('a'), await used('b')]).toEqual([['en1'], ['en1']]);
    carried();
    expect(await pings('a', '10.0.0.2', 10)).toContain('10 packets received');
    expect(carried()[1]).toBeGreaterThanOrEqual(20);
    cut('l0', 0);
    await pass(5 * SECOND);
    expect(await used('a')).toEqual(['en0', 'en1']);
    expect((await run(lab, 'a', 'sloginfo')).out).toMatch(
      /agr0: en0 is not used any more[^]*agr0: en0 is used/,
    );
  });

  test('without fast periods that takes 90 s', async () => {
    await pair(2);
    await pass(4 * SECOND);
    cut('l0', 1);
    await pass(50 * SECOND);
    expect(await used('a')).toEqual(['en0', 'en1']);
    await pass(50 * SECOND);
    expect(await used('a')).toEqual(['en1']);
  });

  test('a pulled cable is noticed within a second, and a port whose address comes back is used again', async () => {
    await pair(2);
    await pass(4 * SECOND);
    await succeed(lab, 'b', 'ifconfig en1 down');
    await pass(1.1 * SECOND);
    expect([await used('a'), await used('b')]).toEqual([['en0'], ['en0']]);
    expect(await pings('a', '10.0.0.2')).toContain('3 packets received');
    await succeed(lab, 'b', 'ifconfig en1 up');
    await pass(5 * SECOND);
    expect([await used('a'), await used('b')]).toEqual([
      ['en0', 'en1'],
      ['en0', 'en1'],
    ]);
  });

  test('an aggregate that goes down, or lets a port go, says so', async () => {
    await pair(2);
    await pass(4 * SECOND);
    await succeed(lab, 'b', 'ifconfig agr0 -agrport en0');
    await pass(1000);
    expect(await used('a')).toEqual(['en1']);
    await succeed(lab, 'b', 'ifconfig agr0 down');
    await pass(1000);
    expect(await used('a')).toEqual([]);
  });

  test('where nobody speaks it, a single cable is used', async () => {
    await pair(2);
    await succeed(lab, 'b', 'ifconfig agr0 destroy; ifconfig en0 10.0.0.2/24');
    // It did so before, and is believed for the long time-out.
    await pass(98 * SECOND);
    expect(await used('a')).toEqual(['en0']);
    expect(await pings('a', '10.0.0.2')).toContain('3 packets received');
  });

  test('cables to another system are not mixed in; when the first has gone they are used', async () => {
    lab = await labFrom(`
name: split
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0, en1, en2] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0] }
  c: { stack: io-pkt-v4-hc, interfaces: [en0, en1] }
links:
  l0: { between: [a:en0, b:en0] }
  l1: { between: [a:en1, c:en0] }
  l2: { between: [a:en2, c:en1] }
`);
    await succeed(lab, 'a', 'ifconfig agr0 create; ifconfig agr0 agrport en0 agrport en1 agrport en2 up');
    await succeed(lab, 'b', 'ifconfig agr0 create; ifconfig agr0 agrport en0 up');
    await succeed(lab, 'c', 'ifconfig agr0 create; ifconfig agr0 agrport en0 agrport en1 up');
    await pass(5 * SECOND);
    const first = await used('a');
    expect([['en0'], ['en1', 'en2']]).toContainEqual(first);
    await succeed(lab, first[0] === 'en0' ? 'b' : 'c', 'ifconfig agr0 destroy');
    await pass(2.1 * SECOND);
    expect(await used('a')).toEqual(first[0] === 'en0' ? ['en1', 'en2'] : ['en0']);
  });

  test('a cable from one of its ports to another makes no aggregate', async () => {
    lab = await labFrom(`
name: loop
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0, en1] }
links:
  l0: { between: [a:en0, a:en1] }
`);
    await succeed(lab, 'a', 'ifconfig agr0 create; ifconfig agr0 agrport en0 agrport en1 up');
    await pass(10 * SECOND);
    expect(await used('a')).toEqual([]);
  });
});

describe('without it (link1)', () => {
  test('every port that works is used at once, and nothing but traffic is on the cables', async () => {
    await pair(2, 'link1');
    await pass(1.1 * SECOND);
    expect([await used('a'), await used('b')]).toEqual([
      ['en0', 'en1'],
      ['en0', 'en1'],
    ]);
    carried();
    await pass(100 * SECOND);
    expect(carried()).toEqual([0, 0]);
    expect(await pings('a', '10.0.0.2')).toContain('3 packets received');
    await succeed(lab, 'b', 'ifconfig en0 down');
    await pass(1.1 * SECOND);
    expect(await used('a')).toEqual(['en1']);
    expect(await pings('a', '10.0.0.2')).toContain('3 packets received');
  });

  test('link0 sends by the ports in turn', async () => {
    await pair(2, 'link0 link1');
    await pings('a', '10.0.0.2', 1);
    carried();
    expect(await pings('a', '10.0.0.2', 10)).toContain('10 packets received');
    expect(carried()).toEqual([10, 10]);
  });
});

test('what is built on it: VLANs, and a bridge with it as a member', async () => {
  await pair(2);
  await succeed(
    lab,
    'a',
    'ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif agr0; ifconfig vlan0 10.0.7.1/24',
  );
  await succeed(
    lab,
    'b',
    'ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif agr0; ifconfig vlan0 10.0.7.2/24',
  );
  await pass(4 * SECOND);
  expect(await pings('a', '10.0.7.2')).toContain('3 packets received');
  await succeed(lab, 'b', 'ifconfig bridge0 create; brconfig bridge0 add agr0 up');
  expect(await pings('a', '10.0.0.2')).toContain('3 packets received');
});

test('large packets: an MTU for it is one for its ports', async () => {
  await pair(2, 'link1');
  await succeed(lab, 'a', 'ifconfig agr0 mtu 9000');
  await succeed(lab, 'b', 'ifconfig agr0 mtu 9000');
  expect(await ifconfig('a', 'en1')).toContain('mtu 9000');
  expect((await run(lab, 'a', 'ping -c 2 -s 8972 10.0.0.2')).out).toContain('2 packets received');
  await succeed(lab, 'a', 'ifconfig en0 mtu 1400');
  expect(await ifconfig('a')).toContain('mtu 1400');
});

test('what cannot be is refused, and says why', async () => {
  await pair(2, 'link1');
  const refused = (line: string): Promise<string> => refusal(lab, 'a', line);
  expect(await refused('ifconfig agr0 agrport en0')).toContain('agr0: en0 is one of its ports already');
  expect(await refused('ifconfig agr0 agrport en7')).toContain('en7');
  expect(await refused('ifconfig agr0 -agrport lo0')).toContain('lo0 is no port of agr0');
  expect(await refused('ifconfig agr0 agrport lo0')).toContain('lo0 is no Ethernet card');
  await succeed(lab, 'a', 'ifconfig agr1 create');
  expect(await refused('ifconfig agr1 agrport en0')).toContain('en0 is a port of agr0');
  expect(await refused('ifconfig agr1 agrport agr0')).toContain('agr0 is no Ethernet card');
  expect(await refused('ifconfig en0 10.9.0.1/24')).toContain('en0 is a port of a link aggregate');
  expect(await refused('ifconfig vlan0 create; ifconfig vlan0 vlan 3 vlanif en0')).toContain(
    'port of a link aggregate',
  );
  expect(await refused('ifconfig bridge0 create; brconfig bridge0 add en0')).toContain(
    'port of a link aggregate',
  );
  await succeed(lab, 'a', 'ifconfig agr0 -agrport en1; ifconfig en1 10.9.0.1/24');
  expect(await refused('ifconfig agr0 agrport en1')).toContain('en1 has an address; take it away first');
  await succeed(lab, 'a', 'ifconfig en1 delete; ifconfig en1 mtu 1400');
  expect(await refused('ifconfig agr0 agrport en1')).toContain('all must have the same');
  await succeed(lab, 'a', 'ifconfig en1 mtu 1500; ifconfig vlan0 vlan 3 vlanif en1');
  expect(await refused('ifconfig agr0 agrport en1')).toContain('en1 has VLANs');
  await succeed(lab, 'a', 'ifconfig vlan0 destroy; brconfig bridge0 add en1');
  expect(await refused('ifconfig agr0 agrport en1')).toContain('en1 is a member of a bridge');
});

test('ports and aggregates that are destroyed under traffic leave nothing behind', async () => {
  await pair(3, 'link2', ', rate: 20mbit');
  await pass(4 * SECOND);
  const traffic = [run(lab, 'b', 'ttcp -r -s'), run(lab, 'a', 'sleep 0.1; ttcp -t -s -n 65536 10.0.0.2')];
  await pass(0.2 * SECOND);
  await succeed(lab, 'a', 'ifconfig en0 destroy');
  await pass(0.01 * SECOND);
  expect(await used('a')).toEqual(['en1', 'en2']);
  await succeed(lab, 'b', 'ifconfig en1 destroy');
  await pass(1.5 * SECOND);
  expect(await used('a')).toEqual(['en2']);
  await succeed(lab, 'a', 'ifconfig agr0 destroy');
  await pass(0.1 * SECOND);
  expect(await used('b')).toEqual([]);
  await succeed(
    lab,
    'a',
    'ifconfig agr0 create; ifconfig agr0 agrport en1 agrport en2; ifconfig agr0 10.0.0.1/24',
  );
  await pass(5 * SECOND);
  expect(await pings('a', '10.0.0.2')).toContain('3 packets received');
  await succeed(lab, 'b', 'slay ttcp; true');
  await succeed(lab, 'a', 'slay ttcp; true');
  await Promise.all(traffic);
});

test('in real time on several threads: a transfer survives the loss of a cable', async () => {
  await pair(2, 'link2', '', { time: 'real', threads: 3 });
  const deadline = Date.now() + 10_000;
  while ((await used('a')).length < 2 && Date.now() < deadline) await pass(0.1 * SECOND);
  expect(await used('a')).toEqual(['en0', 'en1']);
  const sink = run(lab, 'b', 'ttcp -r -s');
  const source = run(lab, 'a', 'sleep 0.1; ttcp -t -s -n 4000 10.0.0.2');
  await pass(0.3 * SECOND);
  await succeed(lab, 'b', 'ifconfig en0 destroy');
  expect((await source).status).toBe(0);
  expect((await sink).out).toContain('32768000 bytes');
}, 30_000);
