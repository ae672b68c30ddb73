/**
 * Records what the threads of a lab did while one packet crossed it: the trace of services and stack contexts, and the stations of the packet's journey.
 */
import type { JourneyStation } from '../../main/capture/journey.ts';
import { sourceNames } from '../../main/lab/anatomy.ts';
import { formatProblem, parseLab } from '../../main/lab/file/parse.ts';
import { startLab } from '../../main/lab/lab.ts';
import type { RunningLab } from '../../main/lab/lab.ts';
import { wallClock } from '../../stack/runtime/clock.ts';
import { TRACE, readTrace, setTracing } from '../../stack/runtime/trace.ts';
import { spawn } from '../../stack/kernel/process.ts';
import type { Process } from '../../stack/kernel/process.ts';
import { AF_INET, SOCK_DGRAM } from '../../stack/runtime/messages/request.ts';
import { sleepNs } from '../../stack/runtime/timers.ts';
import { INADDR_ANY, inetAton } from '../../stack/socket/inet.ts';
import * as libsocket from '../../stack/socket/libsocket.ts';

const LAB = `
name: threads
nodes:
  left:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 10.1.0.2/24', 'route add default 10.1.0.1']
  router:
    stack: io-pkt-v4-hc -ptcpip forward,fastforward
    interfaces: [en0, en1]
    startup: ['ifconfig en0 10.1.0.1/24', 'ifconfig en1 10.2.0.1/24']
  right:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 10.2.0.2/24', 'route add default 10.2.0.1']
links:
  lan: { between: ['left:en0', 'router:en0'] }
  wan: { between: ['router:en1', 'right:en0'] }
`;
const PORT = 5001;
/** The threads of a machine that has other work are interrupted: of so many attempts the shortest is shown. */
const TRIES = 40;
export const WORKERS = 2;

/** Something that lasted, times in ns of the lab's clock. */
export interface Span {
  readonly thread: number;
  readonly from: number;
  readonly to: number;
  /** `router:en0`, `link:lan`, `right` (its stack). */
  readonly name: string;
}

export interface Recording {
  readonly services: readonly Span[];
  /** Stack contexts: `name` is the node. */
  readonly contexts: readonly Span[];
  /** The stations of one packet, in order, with times in ns of the lab's clock. */
  readonly stations: readonly (JourneyStation & { readonly at: number })[];
}

/** Runs the lab and records packets that cross it over the fast path, from one thread to another. */
export async function record(): Promise<Recording> {
  const parsed = parseLab(LAB, 'threads');
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  const lab = await startLab(parsed.lab, { time: 'real', seed: 1, threads: WORKERS });
  try {
    const right = spawn(lab.nodes.get('right')!, receive, { argv: ['receive'] });
    let recording: Recording | undefined;
    const left = spawn(
      lab.nodes.get('left')!,
      async (self) => {
        const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
        await libsocket.connect(self, fd, { address: inetAton('10.2.0.2')!, port: PORT });
        // Flows and neighbours are there before anything is recorded.
        await send(self, fd, 200);
        for (let tries = 0; tries < TRIES; tries++)
          recording = shorter(recording, await attempt(lab, () => send(self, fd, 24)));
        return 0;
      },
      { argv: ['send'] },
    );
    await left.exited;
    right.kill('SIGKILL');
    await right.exited;
    if (recording !== undefined) return recording;
    throw new Error('no packet crossed the lab over the fast path while it was traced');
  } finally {
    setTracing(false);
    await lab.stop();
  }
}

/** Sends datagrams from left to right, one call after the other. */
async function send(self: Process, fd: number, packets: number): Promise<void> {
  const payload = new Uint8Array(100);
  for (let i = 0; i < packets; i++) await libsocket.send(self, fd, payload);
}

/** Takes what arrives on right, until its process is ended. */
async function receive(self: Process): Promise<number> {
  const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
  await libsocket.bind(self, fd, { address: INADDR_ANY, port: PORT });
  for (;;) await libsocket.recv(self, fd, 100);
}

/** The one in which the machine let the threads run, and the packet was faster. */
function shorter(one: Recording | undefined, other: Recording | undefined): Recording | undefined {
  const lasted = (recording?: Recording): number =>
    recording === undefined ? Infinity : recording.stations.at(-1)!.at - recording.stations[0]!.at;
  return lasted(other) < lasted(one) ? other : one;
}

async function attempt(lab: RunningLab, begin: () => Promise<void>): Promise<Recording | undefined> {
  const seen: JourneyStation[] = [];
  const end = lab.journeys.listen((stations) => void seen.push(...stations));
  lab.journeys.follow({ every: 1, protocol: 17 });
  lab.engine.whileHeld(() => setTracing(true));
  await begin();
  await sleepNs(5e6);
  lab.engine.whileHeld(() => setTracing(false));
  lab.journeys.follow(undefined);
  lab.journeys.drain();
  end();
  const name = sourceNames(lab);
  const entries = readTrace();
  const services = spans(
    TRACE.serviceBegin,
    TRACE.serviceEnd,
    ({ source }) => source,
    ({ source }) => name(source),
  );
  const contexts = spans(
    TRACE.contextTaken,
    TRACE.contextLeft,
    ({ stack }) => stack,
    ({ stack }) => nodeOf(lab, stack),
  );
  const whole = bestJourney(seen);
  if (whole === undefined) return undefined;
  const start = wallClock(0);
  return { services, contexts, stations: whole.map((one) => ({ ...one, at: Number(one.time - start) })) };

  function spans(
    begin: number,
    finish: number,
    key: (entry: (typeof entries)[number]) => number,
    label: (entry: (typeof entries)[number]) => string,
  ): Span[] {
    const open = new Map<string, number>();
    const list: Span[] = [];
    for (const entry of entries) {
      const id = `${entry.thread} ${key(entry)}`;
      if (entry.kind === begin) open.set(id, entry.time);
      const from = open.get(id);
      if (entry.kind !== finish || from === undefined) continue;
      open.delete(id);
      list.push({ thread: entry.thread, from, to: entry.time, name: label(entry) });
    }
    return list;
  }
}

function nodeOf(lab: RunningLab, stack: number): string {
  for (const [name, node] of lab.nodes)
    for (const { address } of node.stacks.values()) if (address === stack) return name;
  return '?';
}

/** A journey over the fast path to a socket, on more than one thread if there is one. */
function bestJourney(seen: readonly JourneyStation[]): JourneyStation[] | undefined {
  const journeys = new Map<number, JourneyStation[]>();
  for (const station of seen) {
    const list = journeys.get(station.journey) ?? [];
    journeys.set(station.journey, list);
    list.push(station);
  }
  const whole = [...journeys.values()].filter(
    (list) =>
      list.some(({ station }) => station === 'output') &&
      list.some(({ node, text }) => node === 'router' && text.startsWith('hit')) &&
      list.some(({ station }) => station === 'socket'),
  );
  const threads = (list: readonly JourneyStation[]): number => new Set(list.map(({ thread }) => thread)).size;
  return whole.find((list) => threads(list) > 1);
}
