// Link aggregates: two nodes with several cables between them, and hands on the cables that see what leaves by which.
import { afterEach, describe, expect, test } from 'vitest';
import { setImpairments } from '../../../main/lab/link.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { agrPorts, agrs } from '../../../stack/net/agr-record.ts';
import { BROADCAST, ETHERTYPE, PROTOCOL, Peer, ether, icmp, ipv4, pass, udp } from '../../support/frames.ts';
import { labFrom, refusal, run, stopLab, succeed } from '../../support/lab.ts';

const SECOND = 1e9;
let lab: RunningLab;
let ends: Peer[] = [];

afterEach(async () => {
  for (const end of ends) end.leave();
  ends = [];
  await stopLab(lab);
  expect([agrs.report().inUse, agrPorts.report().inUse]).toEqual([0, 0]);
});

/** Two nodes with `count` cables between them, and an aggregate of all on each: 10.0.0.1 on a, 10.0.0.2 on b. */
async function pair(count: number, words = ''): Promise<void> {
  const cards = Array.from({ length: count }, (_, i) => `en${i}`);
  lab = await labFrom(`
name: pair
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [${cards.join(', ')}] }
  b: { stack: io-pkt-v4-hc, interfaces: [${cards.join(', ')}] }
links:
${cards.map((card, i) => `  l${i}: { between: [a:${card}, b:${card}] }`).join('\n')}
`);
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
});
