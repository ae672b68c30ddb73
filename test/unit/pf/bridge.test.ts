// Filtering of what is bridged (brconfig ipf): PF on a node that is a bridge between two hosts, and no router.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { labFrom, run, stopLab, succeed } from '../../support/lab.ts';

const LAB = `
name: bridged
nodes:
  left: { stack: io-pkt-v4, interfaces: [en0], startup: [ifconfig en0 10.0.0.1/24 up] }
  wall:
    stack: io-pkt-v4-hc -p pf-v4
    interfaces: [en0, en1]
    startup: [ifconfig en0 up, ifconfig en1 up, ifconfig bridge0 create, brconfig bridge0 add en0 add en1 up, pfctl -e]
  right: { stack: io-pkt-v4, interfaces: [en0], startup: [ifconfig en0 10.0.0.2/24 up] }
links:
  a: { between: [left:en0, wall:en0] }
  b: { between: [wall:en1, right:en0] }
`;

let lab: RunningLab;
beforeEach(async () => {
  lab = await labFrom(LAB);
});
afterEach(() => stopLab(lab));

const rules = (...lines: string[]): Promise<string> =>
  succeed(
    lab,
    'wall',
    ...lines.map((line, i) => `echo "${line}" ${i === 0 ? '>' : '>>'} /etc/pf.conf`),
    'pfctl -f /etc/pf.conf',
  );
const pings = async (from: string, to: string): Promise<boolean> =>
  (await run(lab, from, `ping -c 1 -w 1 ${to}`)).status === 0;

test('without ipf bridged packets are none of the filter’s business', async () => {
  await rules('block all');
  expect(await pings('left', '10.0.0.2')).toBe(true);
  expect(await succeed(lab, 'wall', 'brconfig bridge0')).toContain('ipfilter disabled');
});

test('with ipf they come in by one member and go out by the other', async () => {
  await succeed(lab, 'wall', 'brconfig bridge0 ipf');
  expect(await succeed(lab, 'wall', 'brconfig bridge0')).toContain('ipfilter enabled');
  await rules('block all', 'pass in on en0 proto icmp keep state', 'pass out on en1 proto icmp keep state');
  expect(await pings('left', '10.0.0.2')).toBe(true);
  // The other way round they are blocked. The first ping of both nodes has the same identifier: its state must be gone.
  await succeed(lab, 'wall', 'pfctl -F states');
  expect(await pings('right', '10.0.0.1')).toBe(false);
  await succeed(lab, 'wall', 'brconfig bridge0 -ipf');
  expect(await pings('right', '10.0.0.1')).toBe(true);
});

test('packets for the host that bridges still reach it', async () => {
  await succeed(lab, 'wall', 'brconfig bridge0 ipf', 'ifconfig en0 10.0.0.9/24 up');
  await rules('pass all');
  expect(await pings('left', '10.0.0.9')).toBe(true);
  expect(await pings('right', '10.0.0.9')).toBe(true);
  await rules('pass all', 'block in on en1');
  expect(await pings('left', '10.0.0.9')).toBe(true);
  expect(await pings('right', '10.0.0.9')).toBe(false);
});
