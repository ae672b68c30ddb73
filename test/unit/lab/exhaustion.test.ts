// When the memory's tables and buffers run out: ordinary errors for whoever asked, counted, and everything works again afterwards.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import {
  clusterCapacity,
  limitMbufs,
  mFree,
  mGetCluster,
  mGetHeader,
  mbufCapacity,
  mbufReports,
  ownerTag,
} from '../../../stack/memory/mbuf.ts';
import { limitSlab, slabReports } from '../../../stack/memory/slab.ts';
import { TWO_NODES, labFrom, run, stopLab } from '../../support/lab.ts';

const TEST = ownerTag('test');
const hoard: number[] = [];
let lab: RunningLab;
beforeEach(() => start('virtual'));

async function start(time: 'virtual' | 'real'): Promise<void> {
  await lab?.stop();
  lab = await labFrom(TWO_NODES, { time, threads: 2 });
  void run(lab, 'beta', 'httpd -p 80');
  await vi.waitFor(expectWorking);
}
afterEach(async () => {
  for (const { name } of slabReports()) limitSlab(name, undefined);
  giveBack();
  await stopLab(lab);
});

function inUse(name: string): number {
  return slabReports().find((report) => report.name === name)!.inUse;
}

/** Failures of a pool as `netstat -m` shows them. */
async function failures(name: string): Promise<number> {
  const { out } = await run(lab, 'alpha', 'netstat -m');
  const line = out.split('\n').find((text) => text.startsWith(`${name} `))!;
  return Number(line.trim().split(/\s+/).at(-1));
}

async function expectWorking(): Promise<void> {
  expect((await run(lab, 'alpha', 'http get -q http://10.0.0.2/bytes/100000')).err).toBe('');
}

test.each(['socket', 'inpcb', 'tcpcb'])('no more of %s: ENOBUFS for the program, counted', async (name) => {
  limitSlab(name, inUse(name));
  const { status, err } = await run(lab, 'alpha', 'http get http://10.0.0.2/');
  expect(status).not.toBe(0);
  expect(err).toContain('No buffer space available');
  limitSlab(name, undefined);
  expect(await failures(name)).toBeGreaterThan(0);
  await expectWorking();
});

test('no more requests: calls fail with ENOBUFS', async () => {
  limitSlab('request', inUse('request'));
  const { status, err } = await run(lab, 'alpha', 'ifconfig en0');
  expect(status).not.toBe(0);
  expect(err).toContain('No buffer space available');
  limitSlab('request', undefined);
  expect(await failures('request')).toBeGreaterThan(0);
  await expectWorking();
});

test('no room for a neighbour, a route, an address', async () => {
  limitSlab('neighbour', inUse('neighbour'));
  expect((await run(lab, 'alpha', 'ping -c 1 10.0.0.77')).err).toContain('No buffer space available');
  limitSlab('neighbour', undefined);
  limitSlab('route', inUse('route'));
  expect((await run(lab, 'alpha', 'route add -net 10.5.0.0/16 10.0.0.2')).err).toContain(
    'No buffer space available',
  );
  limitSlab('route', undefined);
  limitSlab('ifaddr', inUse('ifaddr'));
  expect((await run(lab, 'alpha', 'ifconfig en0 10.4.0.1/24 alias')).err).toContain(
    'No buffer space available',
  );
  limitSlab('ifaddr', undefined);
  await expectWorking();
});

test('a listener without room for a connection drops the call, and takes it later', async () => {
  const full = inUse('socket') + 1;
  limitSlab('socket', full);
  const fetching = run(lab, 'alpha', 'http get -q http://10.0.0.2/');
  await run(lab, 'alpha', 'sleep 2');
  limitSlab('socket', undefined);
  expect((await fetching).status).toBe(0);
});

/** Takes buffers until only so many are left. */
function leaveFree(kind: 'mbuf' | 'mbuf cluster', count: number): void {
  const take = kind === 'mbuf' ? mGetHeader : mGetCluster;
  const [mbufs, clusters] = mbufReports();
  limitMbufs(
    kind === 'mbuf' ? mbufs!.highWater + count : mbufCapacity,
    kind === 'mbuf' ? clusterCapacity : clusters!.highWater + count,
  );
  for (let m = take(TEST, 0); m !== 0; m = take(TEST, 0)) hoard.push(m);
  for (let i = 0; i < count; i++) mFree(hoard.pop()!);
}

function giveBack(): void {
  for (const m of hoard.splice(0)) mFree(m);
  limitMbufs(mbufCapacity, clusterCapacity);
}

/** What programs may say then: the error itself, or what its peer makes of it. */
const ORDINARY = /No buffer space available|timed out|hang up|aborted|refused|packet loss/;
const MODES = [
  ['virtual', 'mbuf', 0],
  ['virtual', 'mbuf', 3],
  ['virtual', 'mbuf', 40],
  ['virtual', 'mbuf', 150],
  ['virtual', 'mbuf cluster', 0],
  ['virtual', 'mbuf cluster', 3],
  ['virtual', 'mbuf cluster', 40],
  ['real', 'mbuf', 150],
  ['real', 'mbuf cluster', 60],
] as const;

test.each(MODES)('in %s time, when %s is scarce', async (time, kind, count) => {
  await start(time);
  const before = await failures(kind);
  leaveFree(kind, count);
  const outcomes = await Promise.all([
    run(lab, 'alpha', 'http get -q -w 2 http://10.0.0.2/bytes/3000000'),
    run(lab, 'alpha', 'ping -c 5 -i 0.2 -w 1 -s 8000 10.0.0.2'),
    run(lab, 'beta', 'ping -c 5 -i 0.2 -w 1 -s 3000 10.0.0.1'),
    run(lab, 'alpha', 'ttcp -t -u -s -l 1400 -n 500 10.0.0.2'),
  ]);
  giveBack();
  for (const { status, out, err } of outcomes) {
    if (status !== 0) expect(out + err).toMatch(ORDINARY);
  }
  if (count === 0) expect(outcomes[1].err).toContain('sendto: No buffer space available');
  expect(await failures(kind)).toBeGreaterThan(before);
  if (time === 'virtual') await run(lab, 'alpha', 'sleep 120');
  await expectWorking();
});
