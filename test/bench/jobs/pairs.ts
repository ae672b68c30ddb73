/**
 * Pairs of nodes that have nothing to do with each other, for as many workers as a bench asks for: how much more do two of them get done than one?
 *
 * *stream*: bulk TCP in each pair. Its programs run on thread 0 and want a processor for themselves.
 * *routers*: each of a pair has its default route to the other, so that a packet for a third place goes to and fro until its time to live is over: 254 packets for one that thread
 * 0 sends in, and the workers have all the work.
 */
import { u8 } from '../../../stack/memory/memory.ts';
import { mFreeList } from '../../../stack/memory/mbuf.ts';
import { dequeueAll } from '../../../stack/memory/queue.ts';
import { plugIn } from '../../../stack/net/plug.ts';
import { inetAton } from '../../../stack/socket/inet.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { labOf, startBenchLab } from './bench-lab.ts';
import { Generator, frameOf, takeEnd } from './frames.ts';
import { handlingsOf } from './handlings.ts';
import { stream } from './stream.ts';
import { countsPerSecond, transferRates } from './transfer.ts';
import type { Meter, Timing } from './transfer.ts';

export type PairWork = 'stream' | 'routers';

const NOWHERE = inetAton('203.0.113.1')!;
const FEED_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const TTL = 255;
/** Packets that go to and fro in a pair, and how often they are made up for those that are gone, ms. */
const GOING = 64;
const REFILL_MS = 2;
/** When nothing moves for so long, what went to and fro is lost, ms: a worker may have to wait for a processor. */
const LOST_AFTER_MS = 2000;

/** Nodes and links in an order in which all of a pair is at home on the same worker, for one and for two: they go round (engine.ts). */
function labText(pairs: number, work: PairWork): string {
  const numbers = Array.from({ length: pairs }, (_, i) => i);
  const node = (name: string, startup: readonly string[]): string =>
    `  ${name}: { stack: 'io-pkt-v4-hc -ptcpip forward,fastforward', interfaces: [en0, en1], startup: ${JSON.stringify(startup)} }`;
  const routers = work === 'routers';
  const feed = (i: number): string[] => [
    `ifconfig en1 10.0.${i}.1/24 up`,
    `arp -s 10.0.${i}.2 02:00:00:00:00:01`,
  ];
  return [
    'name: pairs',
    'nodes:',
    ...numbers.map((i) =>
      node(`a${i}`, [
        `ifconfig en0 10.1.${i}.1/24 up`,
        ...(routers ? [`route add default 10.1.${i}.2`, ...feed(i)] : []),
      ]),
    ),
    ...numbers.map((i) =>
      node(`b${i}`, [
        `ifconfig en0 10.1.${i}.2/24 up`,
        ...(routers ? [`route add default 10.1.${i}.1`] : []),
      ]),
    ),
    ...numbers.map((i) => (routers ? node(`f${i}`, []) : '')),
    'links:',
    ...numbers.map((i) => `  pair${i}: { between: [a${i}:en0, b${i}:en0] }`),
    ...numbers.map((i) => (routers ? `  feed${i}: { between: [a${i}:en1, f${i}:en0] }` : '')),
  ].join('\n');
}

/** Keeps packets going in pair `i`; returns what refills it. */
async function feeder(lab: RunningLab, i: number, handled: Meter): Promise<() => void> {
  const plug = await takeEnd(lab, `f${i}`, `feed${i}`, 1);
  const { mac } = lab.findInterface(`a${i}`, 'en1')!;
  const frame = frameOf({
    destinationMac: u8.slice(mac, mac + 6),
    sourceMac: FEED_MAC,
    source: inetAton(`10.0.${i}.2`)!,
    destination: NOWHERE,
    ttl: TTL,
  });
  const generator = new Generator(plug, frame);
  let [last, gone, sent] = [handled.count, 0, 0];
  let movedAt = performance.now();
  return () => {
    // What comes back are reports of the ends of packets.
    mFreeList(dequeueAll(plugIn(plug)));
    const [count, time] = [handled.count, performance.now()];
    if (count !== last) movedAt = time;
    gone += (count - last) / TTL;
    last = count;
    if (time - movedAt > LOST_AFTER_MS) gone = sent;
    const missing = GOING - Math.ceil(sent - gone);
    if (missing > 0) sent += generator.send(missing);
  };
}

async function routerRate(lab: RunningLab, pairs: number, timing: Timing): Promise<number> {
  const refills: (() => void)[] = [];
  for (let i = 0; i < pairs; i++) refills.push(await feeder(lab, i, handlingsOf(lab, [`a${i}`, `b${i}`])));
  const refilling = setInterval(() => refills.forEach((refill) => refill()), REFILL_MS);
  try {
    const [rate] = await countsPerSecond([handlingsOf(lab)], timing);
    return rate!;
  } finally {
    clearInterval(refilling);
  }
}

async function streamRate(lab: RunningLab, pairs: number, timing: Timing): Promise<number> {
  const courses = Array.from({ length: pairs }, (_, i) => {
    return { from: `a${i}`, to: `b${i}`, address: inetAton(`10.1.${i}.2`)! };
  });
  const rates = await transferRates(lab, timing, stream, courses);
  return rates.reduce((sum, rate) => sum + rate, 0);
}

/** One run in a lab of its own, in real time: bytes, or packets that interfaces take in, per second in all pairs together. */
export async function pairsJob({
  pairs,
  threads,
  work,
  ...timing
}: Timing & { readonly pairs: number; readonly threads: number; readonly work: PairWork }): Promise<number> {
  const lab = await startBenchLab(labOf(labText(pairs, work)), { time: 'real', threads });
  try {
    return await (work === 'routers' ? routerRate : streamRate)(lab, pairs, timing);
  } finally {
    await lab.stop();
  }
}
