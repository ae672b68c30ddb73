// Labs in real time with workers: the thread that drained an interface becomes the stack thread, and many transfers at once.
import { afterEach, expect, test, vi } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { REASON, TRACE, readTrace, setTracing } from '../../../stack/runtime/trace.ts';
import type { TraceEntry } from '../../../stack/runtime/trace.ts';
import { TWO_NODES, labFrom, run, stopLab } from '../../support/lab.ts';
import { expectOneAtATime } from '../../support/trace.ts';

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
  expectOneAtATime(entries);
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
