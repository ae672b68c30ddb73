// Real time with threads: stacks, interfaces and drivers come and go while traffic of all kinds goes through them.
import { expect } from 'vitest';
import { labFrom, run, stopLab } from '../../support/lab.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';

const NODES = ['a', 'b', 'c', 'd'];
const LAB = `
name: churn
nodes:
${NODES.map((name, i) => `  ${name}: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.${i + 1}/24'] }`).join('\n')}
switches:
  sw: { ports: 4 }
links:
${NODES.map((name, i) => `  l${i}: { between: ['${name}:en0', 'sw:${i + 1}'] }`).join('\n')}
`;

/** One command after the other on a node until the time is over, whatever becomes of each. */
export async function keepBusy(
  lab: RunningLab,
  node: string,
  lines: readonly string[],
  until: number,
): Promise<number> {
  let runs = 0;
  while (performance.now() < until) {
    await run(lab, node, lines[runs++ % lines.length]!);
    // A command that fails at once gives the event loop no turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return runs;
}

/** Everything that the nodes said at the level of a fault. */
export function faults(lab: RunningLab): string[] {
  return [...lab.nodes.values()].flatMap(({ log }) =>
    log
      .entries()
      .map(({ text }) => text)
      .filter((text) => /thread \d ended/.test(text)),
  );
}

/** Does that for so long, in a lab served by so many threads: no thread may fail, nothing may hang, no buffer may be kept. */
export async function churn(threads: number, seconds: number): Promise<void> {
  const lab = await labFrom(LAB, { time: 'real', threads });
  const until = performance.now() + seconds * 1000;
  const restart = (address: string): string =>
    `io-pkt-v4-hc; ifconfig en0 ${address}/24; httpd -p 80 & sleep 0.1; slay io-pkt-v4-hc`;
  const all = [
    keepBusy(lab, 'a', [restart('10.0.0.1')], until),
    keepBusy(
      lab,
      'b',
      ['ping -c 5 -i 0.01 -w 1 -s 20000 10.0.0.1', 'http get -q -w 1 http://10.0.0.1/bytes/900000'],
      until,
    ),
    keepBusy(
      lab,
      'b',
      ['ttcp -t -u -s -n 200 -l 8000 10.0.0.1', 'ttcp -t -u -s -n 200 -l 1000 10.0.0.3'],
      until,
    ),
    keepBusy(
      lab,
      'c',
      [
        'ifconfig en0 down; ifconfig en0 up',
        'sleep 0.03',
        'ifconfig en0 10.0.0.30/24 alias; ifconfig en0 10.0.0.30 delete',
      ],
      until,
    ),
    keepBusy(lab, 'c', ['ping -c 5 -i 0.01 -w 1 10.0.0.4', 'netstat -a', 'arp -d -a'], until),
    keepBusy(
      lab,
      'd',
      ['mount -T io-pkt devnp-vnic.so; ifconfig en1 10.1.0.1/24; ifconfig en1 destroy', 'sleep 0.01'],
      until,
    ),
    keepBusy(
      lab,
      'c',
      [
        'ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.7.0.3/24; ping -c 2 -i 0.01 -w 1 10.7.0.2',
        'ifconfig vlan0 -vlanif; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 destroy',
      ],
      until,
    ),
    keepBusy(
      lab,
      'b',
      [
        'ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0; ifconfig vlan0 10.7.0.2/24; ping -f -c 200 -w 1 10.7.0.3',
        'sleep 0.05; ifconfig vlan0 destroy',
      ],
      until,
    ),
    keepBusy(lab, 'd', ['ping -c 5 -i 0.01 -w 1 10.0.0.2', 'http get -q -w 1 http://10.0.0.1/'], until),
  ];
  try {
    const runs = await Promise.all(all);
    // The stack of the first node has been there more than once.
    expect(runs[0]).toBeGreaterThan(1);
    expect(faults(lab)).toEqual([]);
    expect((await run(lab, 'd', 'ping -c 3 -i 0.01 10.0.0.2')).out).toContain('3 packets received');
  } finally {
    await stopLab(lab);
  }
}
