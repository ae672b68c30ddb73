// `ifconfig X destroy` and umount under full load: every buffer that was under way is accounted for, whatever the driver, in real and in virtual time.
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { leakReport, mbufReports } from '../../../stack/memory/mbuf.ts';
import { ifnets } from '../../../stack/net/ifnet.ts';
import { moduleRecords } from '../../../stack/net/module-record.ts';
import { sources } from '../../../stack/runtime/source.ts';
import { labFrom, run, stopLab, succeed } from '../../support/lab.ts';
import type { CommandOutcome } from '../../support/lab.ts';

let lab: RunningLab;
afterEach(() => stopLab(lab));

const samples = fileURLToPath(new URL('../../../main/examples/modules', import.meta.url));

/** A link on which there is always something under way: in its queue, on its way, twice. */
const LAB = `
name: load
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0, en1], startup: ['ifconfig en1 10.1.0.1/24'] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0, en1], startup: ['ifconfig en1 10.1.0.2/24'] }
links:
  wire: { between: [alpha:en0, beta:en0], delay: 2ms, rate: 400mbit, duplicate: 1%, reorder: 1% }
  other: { between: [alpha:en1, beta:en1] }
`;

interface Case {
  readonly what: string;
  readonly mount: string;
  readonly name: string;
  readonly destroy: string;
}
const CASES: readonly Case[] = [
  { what: 'native', mount: 'devnp-vnic.so', name: 'en0', destroy: 'ifconfig en0 destroy' },
  { what: 'legacy', mount: '-o unit=0 devn-vnic.so', name: 'en0', destroy: 'umount /dev/io-net/en0' },
  { what: 'third-party', mount: 'devnp-pipe.so', name: 'pipe0', destroy: 'ifconfig pipe0 destroy' },
];

/** What the pools have given out, by owner, and how many records of what comes and goes with interfaces. */
function accounts(): unknown {
  return lab.engine.whileHeld(() => ({
    buffers: Object.fromEntries(leakReport()),
    inUse: mbufReports().map(({ name, inUse }) => [name, inUse]),
    interfaces: ifnets.report().inUse,
    modules: moduleRecords.report().inUse,
    sources: sources.report().inUse,
  }));
}

async function bothMount({ mount, name }: Case): Promise<void> {
  for (const [node, host] of [
    ['alpha', 1],
    ['beta', 2],
  ] as const)
    await succeed(lab, node, `mount -T io-pkt ${mount}`, `ifconfig ${name} 10.0.0.${host}/24`);
}

/** Load in both directions over the interface that goes, and some over one that stays. */
function load(): Promise<CommandOutcome>[] {
  return [
    run(lab, 'alpha', 'ttcp -t -u -s -n 2000 -l 1400 10.0.0.2'),
    run(lab, 'beta', 'ttcp -t -u -s -n 1000 -l 4000 10.0.0.1'),
    run(lab, 'beta', 'ttcp -t -u -s -n 2000 -l 8 10.0.0.1'),
    run(lab, 'alpha', 'ping -f -c 100 -w 1 10.1.0.2'),
  ];
}

test.each(
  CASES.flatMap((each) => [
    // The cable of the third is in the driver, and takes no time.
    ...(each.name === 'en0' ? [{ ...each, time: 'virtual' as const, threads: 1, rounds: 4 }] : []),
    { ...each, time: 'real' as const, threads: 4, rounds: 2 },
  ]),
)('a $what driver goes under load in $time time, $rounds times: all buffers come back', async (each) => {
  lab = await labFrom(LAB, { ...each, modules: [samples] });
  for (const node of ['alpha', 'beta']) await succeed(lab, node, 'ifconfig en0 destroy', 'sleep 0.02');
  await succeed(lab, 'alpha', 'ping -c 2 -i 0.01 10.1.0.2', 'sleep 0.05');
  const before = accounts();
  for (let round = 0; round < each.rounds; round++) {
    await bothMount(each);
    const traffic = load();
    // One end goes while both send; in another round the other, or both at once.
    await succeed(lab, 'alpha', `sleep 0.00${each.time === 'real' ? 1 + round : round}1`);
    const underWay = lab.engine.whileHeld(() => leakReport().size);
    const first = round % 2 === 0 ? 'alpha' : 'beta';
    const second = first === 'alpha' ? 'beta' : 'alpha';
    const ends = [succeed(lab, first, each.destroy)];
    if (round % 3 !== 2) await succeed(lab, second, 'sleep 0.01');
    ends.push(succeed(lab, second, each.destroy));
    await Promise.all(ends);
    const statuses = (await Promise.all(traffic)).map(({ status }) => status);
    // In real time the load was cut off; in virtual time, where sending takes none, frames were on the cable.
    if (each.time === 'real') expect(statuses).toContain(1);
    else expect(underWay).toBeGreaterThan(0);
  }
  // What waits for an address is dropped.
  await succeed(lab, 'beta', 'sleep 0.1');
  expect(await succeed(lab, 'alpha', 'ifconfig -l')).toBe('lo0 en1\n');
  expect(await succeed(lab, 'alpha', 'ping -c 3 -i 0.01 10.1.0.2')).toContain('3 packets received');
  const text = await succeed(lab, 'alpha', 'sloginfo');
  expect(text).not.toMatch(/switched off|never given back|thread \d ended/);
  await succeed(lab, 'alpha', 'sleep 0.1');
  expect(accounts()).toEqual(before);
});
