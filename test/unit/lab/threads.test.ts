// Labs in real time with workers: the thread that drained an interface becomes the stack thread, many transfers at once, and the death of a worker.
import { afterEach, expect, test, vi } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { enqueue } from '../../../stack/memory/queue.ts';
import { stackParts, stacks } from '../../../stack/net/stack.ts';
import { runQueue } from '../../../stack/runtime/run-queue.ts';
import { raise } from '../../../stack/runtime/source.ts';
import { REASON, TRACE, readTrace, setTracing } from '../../../stack/runtime/trace.ts';
import type { TraceEntry } from '../../../stack/runtime/trace.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';

let lab: RunningLab;
afterEach(async () => {
  setTracing(false);
  await stopLab(lab);
});

const THREADS = 2;
const PING = 'ping -c 20 -i 0.01 10.0.0.2';

async function traced(line: string): Promise<TraceEntry[]> {
  setTracing(true);
  const { status } = await run(lab, 'alpha', line);
  setTracing(false);
  expect(status).toBe(0);
  return readTrace();
}

test('the thread that drained an interface becomes the stack thread in place', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: THREADS });
  const entries = await traced(PING);
  const { source, stack } = lab.findInterface('beta', 'en0')!;
  let taken = 0;
  for (let thread = 1; thread <= THREADS; thread++) {
    let draining = false;
    for (const entry of entries.filter((one) => one.thread === thread)) {
      if (entry.source === source && entry.kind === TRACE.serviceBegin) draining = true;
      if (entry.source === source && entry.kind === TRACE.serviceEnd) draining = false;
      const inPlace = entry.kind === TRACE.contextTaken && entry.source === source && entry.stack === stack;
      if (!inPlace) continue;
      // Between the beginning and the end of the interface's service, on the same thread: nothing was handed over.
      expect(draining).toBe(true);
      if (entry.reason === REASON.afterHardware) taken++;
    }
  }
  // Twenty requests came in, and nobody else had the context of an idle node.
  expect(taken).toBeGreaterThanOrEqual(20);
});

test('no source is serviced twice at once, no context is held twice', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: THREADS });
  const entries = await traced('ttcp -t -s -n 64 -l 8192 -u 10.0.0.2; ping -c 200 -i 0.001 10.0.0.2');
  const serviced = new Map<number, number>();
  const held = new Map<number, number>();
  for (const { kind, source, stack, thread } of entries) {
    if (kind === TRACE.serviceBegin) {
      expect(serviced.get(source)).toBeUndefined();
      serviced.set(source, thread);
    } else if (kind === TRACE.serviceEnd) {
      if (serviced.has(source)) expect(serviced.get(source)).toBe(thread);
      serviced.delete(source);
    } else if (kind === TRACE.contextTaken) {
      expect(held.get(stack)).toBeUndefined();
      held.set(stack, thread);
    } else if (kind === TRACE.contextLeft) {
      if (held.has(stack)) expect(held.get(stack)).toBe(thread);
      held.delete(stack);
    }
  }
  const servicing = entries.filter(({ kind }) => kind === TRACE.serviceBegin).map(({ thread }) => thread);
  expect(new Set(servicing)).toEqual(new Set([1, 2]));
});

test('forty transfers at once arrive whole', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: THREADS });
  void run(lab, 'alpha', 'httpd -p 80');
  void run(lab, 'beta', 'httpd -p 80');
  await vi.waitFor(async () =>
    expect((await run(lab, 'alpha', 'http get -q http://10.0.0.2/')).status).toBe(0),
  );
  await vi.waitFor(async () =>
    expect((await run(lab, 'beta', 'http get -q http://10.0.0.1/')).status).toBe(0),
  );
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const [node, peer] = i % 2 === 0 ? ['alpha', '10.0.0.2'] : ['beta', '10.0.0.1'];
      const file = `/tmp/part${i}`;
      const { status, err } = await run(
        lab,
        node,
        `http get -o ${file} http://${peer}/bytes/${500_000 + i}; ls -l ${file}`,
      );
      return { status, err };
    }),
  );
  expect(outcomes.filter(({ status, err }) => status !== 0 || err !== '')).toEqual([]);
  const listing = await run(lab, 'alpha', 'ls -l /tmp');
  for (let i = 0; i < 40; i += 2) expect(listing.out).toContain(String(500_000 + i));
});

test('a worker that dies is replaced, and the stack it was in starts again', async () => {
  lab = await labFrom(TWO_NODES, { time: 'real', threads: THREADS });
  const beta = nodeOf(lab, 'beta');
  const [port] = [...beta.stacks.values()];
  const { source, home } = { source: stacks.get(port!.address).source, home: 1 };
  expect(runQueue(home).staffed).toBe(1);
  // Something that is no packet among its packets: whoever takes it cannot go on.
  enqueue(stackParts(port!.address).input, port!.address);
  raise(source);
  await vi.waitFor(() => {
    const log = beta.log.entries().map(({ text }) => text);
    expect(log).toContainEqual(expect.stringMatching(/thread \d ended while it held the stack context/));
    expect(log).toContainEqual(expect.stringContaining('restarted'));
  }, 10_000);
  expect([...beta.stacks.values()]).toHaveLength(1);
  await vi.waitFor(() => expect([1, 2].map((thread) => runQueue(thread).staffed)).toEqual([1, 1]), 5000);
  expect((await run(lab, 'alpha', 'ping -c 3 -i 0.01 10.0.0.2')).out).toContain('3 packets received');
  expect((await run(lab, 'beta', 'sloginfo')).out).toContain('restarted');
});
