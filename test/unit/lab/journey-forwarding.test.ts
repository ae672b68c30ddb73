// The proof that the fast path leaves the stack alone: a chain of three routers, every packet followed. A packet that takes the fast path has no station of the stack between
// receiver and sender and stays with one thread and in one buffer; one that does not says which condition failed.
import { afterEach, describe, expect, test } from 'vitest';
import type { JourneyStation } from '../../../main/capture/journey.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import type { LabOptions } from '../../../main/lab/lab.ts';
import { stacks } from '../../../stack/net/stack.ts';
import { TRACE, readTrace, setTracing } from '../../../stack/runtime/trace.ts';
import type { TraceEntry } from '../../../stack/runtime/trace.ts';
import { watchJourneys } from '../../support/journeys.ts';
import type { JourneyWatch } from '../../support/journeys.ts';
import { labFrom, nodeOf, run, stopLab, succeed } from '../../support/lab.ts';

let lab: RunningLab;
let watch: JourneyWatch;
afterEach(async () => {
  setTracing(false);
  await stopLab(lab);
});

const ROUTERS = ['r1', 'r2', 'r3'] as const;
const ROUTER_STACK = 'io-pkt-v4-hc -ptcpip forward,fastforward';
const DATAGRAMS = 100;

/** near -- r1 -- r2 -- r3 -- far; link i is 10.0.i.0/24, its left end .1 and its right end .2. */
const CHAIN = `
name: routers
nodes:
  near:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: [ifconfig en0 10.0.1.1/24 up, route add default 10.0.1.2]
${ROUTERS.map((name, i) => {
  const startup = [
    `ifconfig en0 10.0.${i + 1}.2/24 up`,
    `ifconfig en1 10.0.${i + 2}.1/24 up`,
    ...(i > 0 ? [`route add -net 10.0.1.0/24 10.0.${i + 1}.1`] : []),
    ...(i < 2 ? [`route add default 10.0.${i + 2}.2`] : []),
  ];
  return `  ${name}: { stack: '${ROUTER_STACK}', interfaces: [en0, en1], startup: ${JSON.stringify(startup)} }`;
}).join('\n')}
  far:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: [ifconfig en0 10.0.4.2/24 up, route add default 10.0.4.1]
links:
  l1: { between: [near:en0, r1:en0] }
  l2: { between: [r1:en1, r2:en0] }
  l3: { between: [r2:en1, r3:en0] }
  l4: { between: [r3:en1, far:en0] }
`;

async function start(options: Partial<LabOptions>): Promise<void> {
  const onBuilt = (built: RunningLab): void => void (watch = watchJourneys(built));
  lab = await labFrom(CHAIN, { onBuilt, ...options });
  // Everybody knows his neighbours: ICMP makes no flows.
  await succeed(lab, 'near', 'ping -c 1 10.0.4.2');
}

/** Sends datagrams through the chain while they are followed. */
async function sendDatagrams(): Promise<void> {
  const received = run(lab, 'far', 'ttcp -r -s -u');
  lab.journeys.follow({ every: 1, protocol: 17 });
  // The receiver is gone by the last of the marks that end a transfer: the sender may say so.
  await run(lab, 'near', `sleep 0.1; ttcp -t -s -u -n ${DATAGRAMS} -l 100 10.0.4.2`);
  expect((await received).status).toBe(0);
  lab.journeys.follow(undefined);
}

/** Of one packet at one router: the stations from receiving it to sending it. */
function crossings(router: string): JourneyStation[][] {
  const byJourney = new Map<number, JourneyStation[]>();
  for (const one of watch.stations()) {
    if (one.node !== router) continue;
    const list = byJourney.get(one.journey) ?? [];
    list.push(one);
    byJourney.set(one.journey, list);
  }
  return [...byJourney.values()];
}

const kindsOf = (stations: readonly JourneyStation[]): string[] => stations.map(({ station }) => station);
const isHit = (stations: readonly JourneyStation[]): boolean =>
  stations.some(({ station, text }) => station === 'flow' && text.startsWith('hit'));

async function fastForwarded(router: string): Promise<number> {
  const text = await succeed(lab, router, 'netstat -s -p ip');
  return Number(/(\d+) packets fast forwarded/.exec(text)![1]);
}

/** Every packet that took the fast path was left alone by the stack; returns how many did, and how many did not. */
function proveHits(router: string): { hits: number; misses: number } {
  const all = crossings(router);
  const hits = all.filter(isHit);
  for (const stations of hits) {
    expect(kindsOf(stations)).toEqual(['driverIn', 'flow', 'sendQueue', 'driverOut']);
    const [received, verdict, queued] = stations;
    expect(new Set([received!.thread, verdict!.thread, queued!.thread]).size).toBe(1);
    expect(new Set(stations.map(({ buffer }) => buffer)).size).toBe(1);
  }
  for (const stations of all.filter((one) => !isHit(one))) {
    expect(kindsOf(stations)).toEqual(
      expect.arrayContaining(['driverIn', 'flow', 'stackQueue', 'ipInput', 'forward', 'sendQueue']),
    );
    expect(stations.find(({ station }) => station === 'flow')!.text).toMatch(/^not taken, condition \d: ./);
  }
  return { hits: hits.length, misses: all.length - hits.length };
}

/** What a trace says of the contexts that stacks of the routers were in. */
function contextsTaken(entries: readonly TraceEntry[]): number {
  const own = ROUTERS.map((name) => [...nodeOf(lab, name).stacks.values()][0]!.address);
  return entries.filter(({ kind, stack }) => kind === TRACE.contextTaken && own.includes(stack)).length;
}

test('in virtual time: all but the first of a flow, by journeys and by counters', async () => {
  await start({});
  await sendDatagrams();
  for (const router of ROUTERS) {
    const { hits, misses } = proveHits(router);
    // ttcp marks beginning and end with a few more.
    expect(hits + misses).toBeGreaterThanOrEqual(DATAGRAMS);
    expect(misses).toBe(1);
    expect(await fastForwarded(router)).toBe(hits);
    const missed = crossings(router).find((stations) => !isHit(stations))!;
    expect(missed.find(({ station }) => station === 'flow')!.text).toBe(
      'not taken, condition 1: no flow at all yet',
    );
  }
});

test('packets of a flow take nobody into the context of a router: its trace has timers only', async () => {
  await start({});
  await sendDatagrams();
  setTracing(true);
  await sendDatagrams();
  setTracing(false);
  // Datagrams by the hundred; what is left is the half-second timer of flows.
  expect(contextsTaken(readTrace())).toBeLessThan(10);
  expect(stacks.get([...nodeOf(lab, 'r2').stacks.values()][0]!.address).flows).toBeGreaterThan(0);
});

test('with several threads: hits stay in the thread that received them', { timeout: 20_000 }, async () => {
  await start({ time: 'real', threads: 3 });
  await sendDatagrams();
  for (const router of ROUTERS) {
    const { hits, misses } = proveHits(router);
    // More than one may be on its way before the first has been through the stack; the rest is fast.
    expect(hits / (hits + misses)).toBeGreaterThan(0.5);
  }
});

describe('a packet that does not take it says why', () => {
  const reasonAt = (router: string, part: string): string | undefined => {
    const found = watch.packets().findLast(({ text, journey }) => journey !== 0 && text.includes(part))!;
    return watch
      .stations()
      .find(
        ({ journey, node, station }) => journey === found.journey && node === router && station === 'flow',
      )
      ?.text.replace(/^not taken, /, '');
  };

  test.each([
    [
      'ICMP',
      'ping -c 1 10.0.4.2',
      'Echo (ping) request',
      'r2',
      'condition 1: no flow for it, and ICMP never makes one',
    ],
    [
      'the end of its time to live',
      'ping -T 2 -c 1 -w 1 10.0.4.2',
      'Echo (ping) request',
      'r2',
      'condition 8: TTL would reach 0',
    ],
  ])('%s', async (_what, command, part, router, reason) => {
    await start({});
    if (reason.includes('TTL')) await sendDatagrams();
    lab.journeys.follow({ every: 1 });
    await run(lab, 'near', command);
    expect(reasonAt(router, part)).toBe(reason);
  });

  test('a datagram that has to be fragmented further on, and its fragments after that', async () => {
    await start({});
    await sendDatagrams();
    await succeed(lab, 'r2', 'ifconfig en1 mtu 600');
    await sendDatagrams();
    lab.journeys.follow({ every: 1 });
    await run(lab, 'near', 'ping -s 1000 -c 1 10.0.4.2');
    const part = 'Echo (ping) request';
    expect(reasonAt('r1', part)).toMatch(/^hit/);
    expect(reasonAt('r2', part)).toMatch(/^condition 7: longer than the MTU/);
    expect(reasonAt('r3', part)).toMatch(/^hit/);
  });

  test('a filter that is active on a router', async () => {
    await start({});
    await sendDatagrams();
    const stack = stacks.get([...nodeOf(lab, 'r2').stacks.values()][0]!.address);
    stack.activeFilters++;
    await sendDatagrams();
    stack.activeFilters--;
    expect(reasonAt('r1', ' UDP ')).toMatch(/^hit/);
    expect(reasonAt('r2', ' UDP ')).toBe('condition 9: a packet filter is active');
    expect(reasonAt('r3', ' UDP ')).toMatch(/^hit/);
  });
});
