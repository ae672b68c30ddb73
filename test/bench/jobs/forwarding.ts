/**
 * Frames through one node between two links: over its bridge, or routed by its IP fast path. In virtual time one thread does everything, generator and counter included, as
 * the Linux kernel does when a packet socket sends; in real time generator and counter have thread 0 and the node the workers.
 */
import { u8 } from '../../../stack/memory/memory.ts';
import {
  HANDLER,
  KIND,
  freeSource,
  newSource,
  raise,
  setSourceHandler,
} from '../../../stack/runtime/source.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import type { JourneyChoice } from '../../../stack/net/journey.ts';
import type { Plug } from '../../../stack/net/plug.ts';
import { inetAton } from '../../../stack/socket/inet.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { Generator, OFFSET, bytesAre, countArrivals, frameOf, takeEnd } from './frames.ts';
import { labOf, startBenchLab } from './bench-lab.ts';
import type { LabMode } from './bench-lab.ts';
import { preparePf } from './pf-rules.ts';
import type { PfOptions } from './pf-rules.ts';
import type { Timing } from './transfer.ts';

/** `ip`: routed without the fast path. */
export type Forwarding = 'bridge' | 'ipflow' | 'ip';

const NEAR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const FAR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 4);
const NEAR = inetAton('198.18.1.2')!;
const FAR = inetAton('198.18.2.2')!;
const TTL = 64;
const BATCHES_PER_LOOK = 16;
const WINDOW = 512;
const LOST_AFTER_MS = 20;
/** Below those of interfaces and links: a batch goes all the way before the next one is made. */
const PRIORITY = { generator: 1, counter: 21 } as const;

const ROUTER = [
  'ifconfig en0 198.18.1.1/24 up',
  'ifconfig en1 198.18.2.1/24 up',
  'arp -s 198.18.2.2 02:00:00:00:00:04',
] as const;

const MIDDLE = {
  bridge: {
    stack: 'io-pkt-v4-hc',
    startup: [
      'ifconfig en0 up',
      'ifconfig en1 up',
      'ifconfig bridge0 create',
      'brconfig bridge0 add en0 add en1 up',
    ],
  },
  ipflow: {
    stack: 'io-pkt-v4-hc -ptcpip forward,fastforward',
    startup: ROUTER,
  },
  ip: {
    stack: 'io-pkt-v4-hc -ptcpip forward',
    startup: [...ROUTER, 'sysctl -w net.inet.ip.maxflows=0'],
  },
} as const;

function labText(forwarding: Forwarding, hasPf: boolean): string {
  const { startup } = MIDDLE[forwarding];
  const stack = `${MIDDLE[forwarding].stack}${hasPf ? ' -p pf-v4' : ''}`;
  return `
name: forwarding
nodes:
  near: { stack: io-pkt-v4-hc, interfaces: [en0] }
  middle: { stack: '${stack}', interfaces: [en0, en1], startup: ${JSON.stringify(startup)} }
  far: { stack: io-pkt-v4-hc, interfaces: [en0] }
links:
  in: { between: [near:en0, middle:en0] }
  out: { between: [middle:en1, far:en0] }
`;
}

/** The two ends, and what has arrived at the far one. */
interface Course {
  readonly near: Generator;
  readonly far: Plug;
  /** Takes what has arrived, counts it, and returns how many frames that were. */
  count(): number;
  arrived: number;
}

async function courseIn(lab: RunningLab, forwarding: Forwarding): Promise<Course> {
  const near = await takeEnd(lab, 'near', 'in', 0);
  const far = await takeEnd(lab, 'far', 'out', 1);
  const router = macOf(lab, 'en0');
  const addresses = { source: NEAR, destination: FAR, ttl: TTL };
  const destinationMac = forwarding === 'bridge' ? FAR_MAC : router;
  const frame = frameOf({ ...addresses, destinationMac, sourceMac: NEAR_MAC });
  // The bridge learns where the far end is.
  if (forwarding === 'bridge')
    new Generator(far, frameOf({ ...addresses, destinationMac: NEAR_MAC, sourceMac: FAR_MAC })).send(1);
  const ttl = forwarding === 'bridge' ? TTL : TTL - 1;
  const look = (data: number): void => {
    if (!bytesAre(data + OFFSET.destination, FAR_MAC) || u8[data + OFFSET.ttl] !== ttl)
      throw new Error(`what arrives has not been ${forwarding === 'bridge' ? 'bridged' : 'routed'}`);
  };
  const course: Course = {
    near: new Generator(near, frame),
    far,
    count() {
      const arrived = countArrivals(far, look);
      course.arrived += arrived;
      return arrived;
    },
    arrived: 0,
  };
  return course;
}

function macOf(lab: RunningLab, name: string): Uint8Array {
  const { mac } = lab.findInterface('middle', name)!;
  return u8.slice(mac, mac + 6);
}

/** Everything on this thread: a source that sends a batch whenever nothing else is to be done, and one that counts. */
async function sendInTurns(course: Course, seconds: number): Promise<void> {
  const until = performance.now() + seconds * 1000;
  const idle = { handler: HANDLER.test, arg: 0, stack: 0, home: 0 };
  const generator = newSource({ ...idle, kind: KIND.other, priority: PRIORITY.generator });
  const counter = newSource({ ...idle, kind: KIND.hardware, priority: PRIORITY.counter });
  let batches = 0;
  setSourceHandler(HANDLER.test, (_arg, source) => {
    if (source === counter) {
      course.count();
      return true;
    }
    course.near.send();
    return ++batches % BATCHES_PER_LOOK === 0 && performance.now() >= until;
  });
  course.far.device = counter;
  raise(generator);
  // Time goes on when nothing is left to be done.
  await sleepNs(1);
  course.far.device = 0;
  freeSource(generator);
  freeSource(counter);
}

/**
 * The workers forward; this thread sends and counts. As a packet socket makes its sender wait, no more than `WINDOW` frames are under way; after a while without arrivals
 * those that were count as lost.
 */
function sendToWorkers(course: Course, seconds: number): void {
  const until = performance.now() + seconds * 1000;
  let time = performance.now();
  let waitingSince = time;
  let underWay = 0;
  while (time < until) {
    for (let i = 0; i < BATCHES_PER_LOOK; i++) {
      if (underWay < WINDOW) underWay += course.near.send();
      const arrived = course.count();
      underWay -= arrived;
      if (arrived > 0) waitingSince = time;
    }
    time = performance.now();
    if (time - waitingSince > LOST_AFTER_MS) underWay = 0;
  }
}

export interface ForwardingOptions {
  readonly forwarding: Forwarding;
  /** Packets that are followed; default: none. */
  readonly journey?: JourneyChoice;
  /** The packet filter of the node in the middle; default: none. */
  readonly pf?: PfOptions;
}

/** Follows packets as a run with `--journey` does, but for the file; returns what says how many stations that were. */
function follow(lab: RunningLab, journey: JourneyChoice): () => number {
  let seen = 0;
  lab.journeys.listen((stations) => (seen += stations.length));
  lab.journeys.follow(journey);
  return () => {
    lab.journeys.drain();
    return seen;
  };
}

/** One run in a lab of its own: frames per second that arrive at the far end. */
export async function forwardingJob({
  forwarding,
  warmUp,
  measured,
  onWarm,
  journey,
  pf,
  ...mode
}: LabMode & Timing & ForwardingOptions): Promise<number> {
  const lab = await startBenchLab(labOf(labText(forwarding, pf !== undefined)), mode);
  try {
    if (pf !== undefined) await preparePf(lab, 'middle', pf);
    const course = await courseIn(lab, forwarding);
    const followed = journey && follow(lab, journey);
    const send: (course: Course, seconds: number) => Promise<void> | void =
      mode.time === 'virtual' ? sendInTurns : sendToWorkers;
    await send(course, warmUp);
    onWarm?.();
    const [before, from] = [course.arrived, performance.now()];
    await send(course, measured);
    const rate = (course.arrived - before) / ((performance.now() - from) / 1000);
    if (followed?.() === 0) throw new Error('no packet was followed');
    return rate;
  } finally {
    await lab.stop();
  }
}
