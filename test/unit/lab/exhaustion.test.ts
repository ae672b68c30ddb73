// When the memory's tables and buffers run out: ordinary errors for whoever asked, counted, and everything works again afterwards.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { limitMbufs, mbufCapacity } from '../../../stack/memory/mbuf.ts';
import { limitSlab, slabReports } from '../../../stack/memory/slab.ts';
import { TWO_NODES, labFrom, run, stopLab } from '../../support/lab.ts';

let lab: RunningLab;
beforeEach(async () => {
  lab = await labFrom(TWO_NODES);
  void run(lab, 'beta', 'httpd -p 80');
  expect((await run(lab, 'alpha', 'ping -c 1 10.0.0.2')).status).toBe(0);
});
afterEach(async () => {
  for (const { name } of slabReports()) limitSlab(name, undefined);
  limitMbufs(mbufCapacity, mbufCapacity);
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

test.each([
  [200, mbufCapacity],
  [mbufCapacity, 60],
  [120, 40],
])(
  'with %i mbufs and %i clusters transfers are slow or fail, and nothing breaks',
  async (mbufs, clusters) => {
    limitMbufs(mbufs, clusters);
    const outcomes = await Promise.all([
      run(lab, 'alpha', 'http get -q -w 60 http://10.0.0.2/bytes/3000000'),
      run(lab, 'alpha', 'ping -c 5 -i 0.2 -s 8000 10.0.0.2'),
      run(lab, 'beta', 'ping -c 5 -i 0.2 -s 3000 10.0.0.1'),
    ]);
    for (const { status } of outcomes) expect([0, 1, 2]).toContain(status);
    limitMbufs(mbufCapacity, mbufCapacity);
    await run(lab, 'alpha', 'sleep 120');
    await expectWorking();
  },
);
