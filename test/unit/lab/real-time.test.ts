// What real time adds: timers of programs that keep to the clock, floods, and a stop in the middle of everything.
import { afterEach, expect, test, vi } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';
import { startCommand } from '../socket/programs.ts';

let lab: RunningLab;
afterEach(() => stopLab(lab));

const start = async (threads = 2): Promise<void> => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads });
};

/** ms that a command took, and its status. */
async function timed(line: string): Promise<{ status: number; took: number }> {
  const from = performance.now();
  const { status } = await run(lab, 'alpha', line);
  return { status, took: performance.now() - from };
}

test('sleep takes its time, and several sleep side by side', async () => {
  await start();
  const outcomes = await Promise.all(['sleep 0.3', 'sleep 0.1', 'sleep 0.2', 'sleep 0'].map(timed));
  [300, 100, 200, 0].forEach((ms, i) => {
    expect(outcomes[i]).toMatchObject({ status: 0 });
    expect(outcomes[i]!.took).toBeGreaterThanOrEqual(ms - 1);
    expect(outcomes[i]!.took).toBeLessThan(ms + 1000);
  });
});

test('sleep ends on Ctrl-C', async () => {
  await start();
  const sleeping = startCommand(nodeOf(lab, 'alpha'), 'sleep 60');
  await run(lab, 'alpha', 'sleep 0.05');
  sleeping.process.kill('SIGINT');
  expect(await sleeping.process.exited).not.toBe(0);
});

test('waitfor resolves when the path comes, and gives up when it does not', async () => {
  await start();
  const waiting = timed('waitfor /tmp/flag 5');
  await run(lab, 'alpha', 'sleep 0.2; echo up > /tmp/flag');
  const { status, took } = await waiting;
  expect(status).toBe(0);
  expect(took).toBeGreaterThanOrEqual(199);
  expect(took).toBeLessThan(2000);
  const late = await timed('waitfor /tmp/never 0.3');
  expect(late.status).toBe(1);
  expect(late.took).toBeGreaterThanOrEqual(299);
});

test('ping keeps its interval', async () => {
  await start();
  const { status, took } = await timed('ping -c 6 -i 0.1 10.0.0.2');
  expect(status).toBe(0);
  expect(took).toBeGreaterThanOrEqual(495);
  expect(took).toBeLessThan(1500);
});

test('floods of datagrams both ways leave the nodes reachable', async () => {
  await start();
  const sinks = ['alpha', 'beta'].map((node) => startCommand(nodeOf(lab, node), 'nc -u -l -k 9000'));
  await run(lab, 'alpha', 'sleep 0.05');
  const floods = [
    run(lab, 'alpha', 'ttcp -t -u -s -p 9000 -l 1400 -n 8000 10.0.0.2'),
    run(lab, 'beta', 'ttcp -t -u -s -p 9000 -l 1400 -n 8000 10.0.0.1'),
  ];
  expect((await run(lab, 'alpha', 'ping -c 20 -i 0.01 10.0.0.2')).status).toBe(0);
  for (const { status } of await Promise.all(floods)) expect(status).toBe(0);
  for (const node of ['alpha', 'beta']) {
    const { out } = await run(lab, node, 'netstat -s -p udp');
    // Nothing is lost unseen: it was delivered, or dropped for want of room and counted.
    const count = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(out)![1]);
    expect(count('datagrams received')).toBeGreaterThan(0);
    expect(count('delivered') + count('dropped due to full socket buffers')).toBe(
      count('datagrams received'),
    );
  }
  expect((await run(lab, 'beta', 'ping -c 3 -i 0.01 10.0.0.1')).out).toContain('3 packets received');
  for (const { process } of sinks) {
    process.kill('SIGINT');
    await process.exited;
  }
});

test.each([1, 2, 3])('a lab stops in the middle of everything, with %i threads', async (threads) => {
  for (const pause of [0, 3, 20]) {
    await start(threads);
    const running = [
      run(lab, 'beta', 'httpd -p 80'),
      run(lab, 'beta', 'ttcp -r -s'),
      run(lab, 'alpha', 'ttcp -t -s -n 100000 10.0.0.2'),
      run(lab, 'beta', 'ttcp -t -u -s -l 8000 -n 100000 10.0.0.1'),
      run(lab, 'alpha', 'ping -i 0.001 -s 20000 10.0.0.2'),
      run(lab, 'alpha', 'http get -q http://10.0.0.2/bytes/50000000'),
      run(lab, 'alpha', 'nc -l 5000'),
      run(lab, 'beta', 'sleep 100'),
    ];
    await new Promise((resolve) => setTimeout(resolve, pause));
    await stopLab(lab);
    const ended = await vi.waitFor(() => Promise.all(running), 5000);
    for (const { status } of ended.slice(6)) expect(status).not.toBe(0);
  }
});
