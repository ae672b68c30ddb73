// Layer 2 under load, in real time with four workers: interfaces of all kinds, drivers and stacks are created and destroyed at random while traffic is bridged,
// tagged, tunnelled and forwarded by flows. No source is ever serviced twice at once, no context is lost or held twice, nothing leaks.
// STACKSCOPE_SOAK_SECONDS says for how long: 45 if it is not set; `npm run soak:layer2` takes ten minutes.
import { expect, test } from 'vitest';
import { slabReports } from '../../../stack/memory/slab.ts';
import { contextHolder } from '../../../stack/runtime/context.ts';
import { readTrace, setTracing } from '../../../stack/runtime/trace.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';
import { expectOneAtATime } from '../../support/trace.ts';
import { faults, keepBusy } from './churning.ts';

const SECONDS = Number(process.env['STACKSCOPE_SOAK_SECONDS'] ?? 45);
const WORKERS = 4;

// west - router - east, and west - bridge - north, two links of the bridge to the same switch: a loop for its spanning tree.
const LAB = `
name: layer-2
nodes:
  west:
    stack: io-pkt-v4-hc
    interfaces: [en0, en1]
    startup: ['ifconfig en0 10.0.0.1/24', 'ifconfig en1 10.2.0.1/24', 'route add -net 10.1.0.0/24 10.0.0.2', 'httpd -p 80 &']
  router:
    stack: io-pkt-v4-hc -ptcpip forward,fastforward
    interfaces: [en0, en1]
    startup: ['ifconfig en0 10.0.0.2/24', 'ifconfig en1 10.1.0.2/24']
  east:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 10.1.0.3/24', 'route add default 10.1.0.2', 'httpd -p 80 &']
  bridge:
    stack: io-pkt-v4-hc
    interfaces: [en0, en1, en2]
    startup: ['ifconfig en0 up', 'ifconfig en1 up', 'ifconfig en2 up']
  north:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 10.2.0.4/24', 'httpd -p 80 &']
switches:
  sw: { ports: 3 }
links:
  w: { between: ['west:en0', 'router:en0'] }
  e: { between: ['router:en1', 'east:en0'] }
  s: { between: ['west:en1', 'sw:1'] }
  b0: { between: ['bridge:en0', 'sw:2'] }
  b1: { between: ['bridge:en1', 'sw:3'] }
  n: { between: ['bridge:en2', 'north:en0'] }
`;

const BRIDGED =
  'ifconfig bridge0 create; brconfig bridge0 add en0 stp en0 add en1 stp en1 add en2 fwddelay 4 up';

/** What happens where, each line again and again in a random order; lines may fail, because of what others do. */
const CHANGES: readonly (readonly [node: string, lines: readonly string[]])[] = [
  [
    'bridge',
    [
      `${BRIDGED}; sleep 0.2; ifconfig bridge0 destroy`,
      `${BRIDGED}; sleep 2; brconfig bridge0 delete en1; brconfig bridge0 flushall; brconfig bridge0 add en1; sleep 1; ifconfig bridge0 destroy`,
      `${BRIDGED}; brconfig bridge0 -stp en0 -stp en1 delete en1; sleep 3; ifconfig bridge0 down; ifconfig bridge0 up; sleep 0.5; ifconfig bridge0 destroy`,
    ],
  ],
  [
    'bridge',
    ['mount -T io-pkt devnp-vnic.so', 'ifconfig en3 destroy', 'brconfig bridge0 add en3', 'brconfig -a'],
  ],
  [
    'west',
    [
      'ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.7.0.1/24; ping -f -c 100 -w 1 10.7.0.2; ifconfig vlan0 destroy',
      'ifconfig vlan1 create; ifconfig vlan1 vlan 8 vlanif en1; ifconfig vlan1 -vlanif; ifconfig vlan1 destroy',
    ],
  ],
  [
    'router',
    [
      'ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.7.0.2/24; sleep 0.5; ifconfig vlan0 destroy',
      'sysctl -w net.inet.ip.maxflows=0; sysctl -w net.inet.ip.maxflows=256',
      'ifconfig en1 down; ifconfig en1 up',
      'arp -d -a; route add -net 10.9.0.0/16 10.1.0.3; route delete -net 10.9.0.0/16',
      'mount -T io-pkt devnp-vnic.so; ifconfig en2 10.5.0.1/24; ifconfig en2 destroy',
    ],
  ],
  [
    'west',
    [
      'ifconfig gif0 create; ifconfig gif0 tunnel 10.0.0.1 10.1.0.3; ifconfig gif0 10.8.0.1 10.8.0.2; ping -f -c 50 -w 1 10.8.0.2; ifconfig gif0 destroy',
      'ifconfig gre0 create; ifconfig gre0 tunnel 10.0.0.1 10.1.0.3; ifconfig gre0 deletetunnel; ifconfig gre0 destroy',
      'ifconfig agr0 create; ifconfig agr0 agrport en1; sleep 0.2; ifconfig agr0 -agrport en1; ifconfig agr0 destroy; ifconfig en1 10.2.0.1/24 up',
      'ifconfig tap0 create; ifconfig tap0 up; ifconfig tap0 destroy',
    ],
  ],
  [
    'east',
    [
      'ifconfig gif0 create; ifconfig gif0 tunnel 10.1.0.3 10.0.0.1; ifconfig gif0 10.8.0.2 10.8.0.1; sleep 0.3; ifconfig gif0 destroy',
      'mount -T io-pkt lsm-autoip.so; sleep 0.1; ifconfig en0 10.1.0.3/24; route add default 10.1.0.2',
      'mount -T io-pkt devn-vnic.so; ifconfig en1 10.6.0.1/24; umount /dev/io-net/en1',
    ],
  ],
  [
    'north',
    [
      'slay io-pkt-v4-hc; io-pkt-v4-hc -d vnic; ifconfig en0 10.2.0.4/24; httpd -p 80 & sleep 3',
      'sleep 1; netstat -m',
    ],
  ],
];

const TRAFFIC: readonly (readonly [node: string, lines: readonly string[]])[] = [
  ['west', ['ttcp -t -u -s -n 500 -l 1000 10.1.0.3', 'ping -f -c 200 -w 1 10.1.0.3']],
  ['west', ['http get -q -w 2 http://10.1.0.3/bytes/900000', 'ping -c 5 -i 0.01 -w 1 -s 20000 10.1.0.3']],
  ['east', ['http get -q -w 2 http://10.0.0.1/bytes/900000', 'ttcp -t -u -s -n 300 -l 18 10.0.0.1']],
  ['north', ['ping -f -c 200 -w 1 10.2.0.1', 'http get -q -w 2 http://10.2.0.1/bytes/300000', 'sleep 0.1']],
  ['west', ['ttcp -t -u -s -n 300 -l 18 10.2.0.4', 'ping -f -c 100 -w 1 10.2.0.4', 'arp -d -a']],
];

/** The same numbers from the same seed (Lehmer). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
}

/** Some of the lines, more often than there are, in an order of their own. */
function shuffled(lines: readonly string[], random: () => number): string[] {
  return Array.from({ length: 200 }, () => lines[Math.floor(random() * lines.length)]!);
}

function traceSwitched(lab: RunningLab, on: boolean): void {
  lab.engine.whileHeld(() => setTracing(on));
}

/** Looks at a while of what the threads do. */
async function watch(lab: RunningLab): Promise<{ services: number; contexts: number }> {
  traceSwitched(lab, true);
  await sleepNs(300e6);
  traceSwitched(lab, false);
  return expectOneAtATime(readTrace());
}

const inUse = (): Record<string, number> =>
  Object.fromEntries(slabReports().map(({ name, inUse: records }) => [name, records]));

test(
  `all kinds of interfaces come and go under traffic for ${SECONDS} s, with ${WORKERS} threads`,
  async () => {
    const before = inUse();
    const seed = 1 + Math.floor(Math.random() * 1e6);
    const random = randomFrom(seed);
    const lab = await labFrom(LAB, { time: 'real', threads: WORKERS });
    const until = performance.now() + SECONDS * 1000;
    const busy = [...CHANGES, ...TRAFFIC].map(([node, lines]) =>
      keepBusy(lab, node, shuffled(lines, random), until),
    );
    let seen = { services: 0, contexts: 0 };
    try {
      while (performance.now() < until) {
        const { services, contexts } = await watch(lab);
        seen = { services: seen.services + services, contexts: seen.contexts + contexts };
        await sleepNs(700e6);
      }
      const runs = await Promise.all(busy);
      expect(Math.min(...runs), `seed ${seed}`).toBeGreaterThan(0);
      expect(faults(lab)).toEqual([]);
      expect(seen.services).toBeGreaterThan(1000);
      expect(seen.contexts).toBeGreaterThan(1000);
      await run(lab, 'router', 'ifconfig en1 up; sleep 1');
      expect((await run(lab, 'west', 'ping -c 3 -i 0.1 10.1.0.3')).out).toContain('3 packets received');
      const stacks = [...lab.nodes.values()].flatMap((node) => [...node.stacks.values()]);
      expect(lab.engine.whileHeld(() => stacks.map(({ address }) => contextHolder(address)))).toEqual(
        stacks.map(() => -1),
      );
    } finally {
      setTracing(false);
      await stopLab(lab);
    }
    expect(inUse(), `seed ${seed}`).toEqual(before);
  },
  (SECONDS + 60) * 1000,
);
