// Workers that die, in real time: they are reported and replaced, what they were working on starts again, and nobody who waits for them waits in vain.
import { afterEach, expect, test, vi } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { enqueue } from '../../../stack/memory/queue.ts';
import type { Queue } from '../../../stack/memory/queue.ts';
import { plugOut, plugs } from '../../../stack/net/plug.ts';
import { stackParts, stacks } from '../../../stack/net/stack.ts';
import { runQueue } from '../../../stack/runtime/run-queue.ts';
import { raise, sources } from '../../../stack/runtime/source.ts';
import { callStack } from '../../../stack/kernel/stack-client.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';
import { AF_INET, OP, SOCK_DGRAM } from '../../../stack/runtime/messages/request.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';

let lab: RunningLab;
let strays: number[] = [];
afterEach(async () => {
  await stopLab(lab);
  for (const stray of strays) sources.free(stray);
  strays = [];
});

/** Puts something that is no packet among packets: whoever takes it cannot go on. */
function poison(queue: Queue, source: number): void {
  const stray = sources.alloc();
  strays.push(stray);
  enqueue(queue, stray);
  raise(source);
}

function poisonStack(node: string): void {
  const { address } = [...nodeOf(lab, node).stacks.values()][0]!;
  poison(stackParts(address).input, stacks.get(address).source);
}

function poisonLink(): void {
  const plug = plugs.get(lab.links.get('wire')!.directions[0]!.plug);
  poison(plugOut(plug), plug.link);
}

const logOf = (node: string): string =>
  nodeOf(lab, node)
    .log.entries()
    .map(({ text }) => text)
    .join('\n');

/** Until the stack of a node has been started again so often. */
async function restarted(node: string, times = 1): Promise<void> {
  await vi.waitFor(() => expect(logOf(node).match(/restarted after a fault/g)).toHaveLength(times), {
    timeout: 10_000,
  });
}

async function expectStaffed(threads: number): Promise<void> {
  const seats = Array.from({ length: threads }, (_, i) => i + 1);
  await vi.waitFor(() => expect(seats.map((seat) => runQueue(seat).staffed)).toEqual(seats.map(() => 1)), {
    timeout: 5000,
  });
}

async function expectPing(): Promise<void> {
  expect((await run(lab, 'alpha', 'ping -c 3 -i 0.01 10.0.0.2')).out).toContain('3 packets received');
  expect((await run(lab, 'beta', 'ping -c 3 -i 0.01 10.0.0.1')).out).toContain('3 packets received');
}

/** Thread 0 does nothing, and hears of nothing, for so long. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test.each([1, 2])('with %i threads: the stack it was in starts again', async (threads) => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads });
  poisonStack('beta');
  await restarted('beta');
  expect(logOf('beta')).toMatch(/thread \d ended while it held the stack context/);
  expect(logOf('alpha')).toMatch(/thread \d ended: /);
  expect([...nodeOf(lab, 'beta').stacks.values()]).toHaveLength(1);
  await expectStaffed(threads);
  await expectPing();
  expect((await run(lab, 'beta', 'sloginfo')).out).toContain('restarted');
});

test('one dies in a link: all nodes are told, none starts again', async () => {
  // A perfect link would not look at the stray, and pass it on.
  const slow = TWO_NODES.replace('beta:en0]', 'beta:en0], delay: 1ms');
  lab = await labFrom(slow, { time: 'real', threads: 2 });
  poisonLink();
  for (const node of ['alpha', 'beta'])
    await vi.waitFor(() => expect(logOf(node)).toMatch(/thread \d ended: /), {
      timeout: 5000,
    });
  await expectStaffed(2);
  await expectPing();
  expect(logOf('alpha') + logOf('beta')).not.toContain('restart');
});

test('all die at once', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: 2 });
  poisonStack('alpha');
  poisonStack('beta');
  blockEventLoop(100);
  await Promise.all([restarted('alpha'), restarted('beta')]);
  await expectStaffed(2);
  await expectPing();
});

test('the threads can be held before anybody has heard of the death', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: 2 });
  poisonStack('beta');
  blockEventLoop(200);
  expect(lab.engine.whileHeld(() => 'held')).toBe('held');
  await restarted('beta');
  await expectPing();
});

test('again and again, on one node and the other', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: 2 });
  for (let round = 1; round <= 4; round++) {
    for (const node of ['alpha', 'beta']) {
      poisonStack(node);
      await restarted(node, round);
    }
    await expectStaffed(2);
    await expectPing();
  }
});

test('programs on the lost stack end with an error, start-up lines run again, peers can come back', async () => {
  lab = await labFrom(TWO_NODES.replace('10.0.0.2/24 up', "10.0.0.2/24 up', 'httpd -p 80 &"), {
    time: 'real',
    threads: 2,
  });
  const fetch = 'http get -q -w 5 http://10.0.0.2/bytes/1000';
  await vi.waitFor(async () => expect((await run(lab, 'alpha', fetch)).status).toBe(0), { timeout: 5000 });
  const listening = run(lab, 'beta', 'nc -l 5000');
  const waiting = run(lab, 'beta', 'nc -l -u 5001');
  await run(lab, 'alpha', 'sleep 0.1');
  poisonStack('beta');
  await restarted('beta');
  expect((await listening).status).not.toBe(0);
  expect((await waiting).status).not.toBe(0);
  await vi.waitFor(async () => expect((await run(lab, 'alpha', fetch)).status).toBe(0), { timeout: 5000 });
});

test('the call that it was carrying out fails, as do those behind it', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: 2 });
  const { address } = [...nodeOf(lab, 'beta').stacks.values()][0]!;
  // No program can send this: its socket is none.
  const fatal = callStack(address, { op: OP.listen, socket: 8 });
  const behind = callStack(address, { op: OP.socket, a: AF_INET, b: SOCK_DGRAM });
  expect((await fatal.reply).status).toBe(ERRNO.ENXIO);
  expect([0, ERRNO.ENXIO]).toContain((await behind.reply).status);
  await restarted('beta');
  await expectPing();
});
