// The documented rules of io-pkt's threads on the stacks of a lab (io-pkt, "Threading model", "Threading priorities"): -t, -P, -D, receive priorities, clients that take
// the stack to their priority, drivers that are not safe for more than one thread, fairness, starvation.
import { afterEach, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { callStack } from '../../../stack/kernel/stack-client.ts';
import { queueLength } from '../../../stack/memory/queue.ts';
import { AF_INET, OP, SOCK_DGRAM } from '../../../stack/runtime/messages/request.ts';
import { sources } from '../../../stack/runtime/source.ts';
import { TRACE, readTrace, setTracing } from '../../../stack/runtime/trace.ts';
import type { TraceEntry, TraceKind } from '../../../stack/runtime/trace.ts';
import { gates } from '../../../stack/runtime/gate.ts';
import { stackParts, stacks } from '../../../stack/net/stack.ts';
import { ETHERTYPE, PROTOCOL, Peer, ether, icmp, ipv4, pass } from '../../support/frames.ts';
import { labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';

let lab: RunningLab;
const peers: Peer[] = [];
afterEach(async () => {
  setTracing(false);
  for (const peer of peers.splice(0)) peer.leave();
  await stopLab(lab);
});

/** Alpha with two cards, each on a cable: to beta and to gamma. */
const threeNodes = (alpha: string, beta = 'io-pkt-v4-hc') => `
name: threading
nodes:
  alpha:
    stack: ${alpha}
    interfaces: [en0, en1]
    startup: ['ifconfig en0 10.0.0.1/24 up', 'ifconfig en1 10.0.1.1/24 up']
  beta: { stack: ${beta}, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 up'] }
  gamma: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.1.2/24 up'] }
links:
  left: { between: [alpha:en0, beta:en0] }
  right: { between: [alpha:en1, gamma:en0] }
`;

const logOf = (node: string): string =>
  nodeOf(lab, node)
    .log.entries()
    .map(({ text }) => text)
    .join('\n');
const stackOf = (node: string): number => [...nodeOf(lab, node).stacks.values()][0]!.address;
const sourceOf = (node: string): number => stacks.get(stackOf(node)).source;
const cardOf = (node: string, name: string): number => lab.findInterface(node, name)!.source;
const priorityOf = (source: number): number => sources.get(source).priority;
const sourcesOf = (node: string): Set<number> =>
  new Set([sourceOf(node), ...lab.interfacesOf(node).map(({ source }) => source)]);

async function traced(work: () => Promise<unknown>): Promise<TraceEntry[]> {
  setTracing(true);
  await work();
  setTracing(false);
  return readTrace();
}

const ofKind = (entries: readonly TraceEntry[], ...kinds: TraceKind[]): TraceEntry[] =>
  entries.filter(({ kind }) => kinds.includes(kind));

/** Traffic in all directions. */
async function chatter(): Promise<void> {
  const outcomes = await Promise.all([
    run(lab, 'beta', 'ping -c 60 -i 0.002 10.0.0.1'),
    run(lab, 'gamma', 'ping -c 60 -i 0.002 10.0.1.1'),
    run(lab, 'alpha', 'ping -c 60 -i 0.002 10.0.0.2'),
  ]);
  for (const { out } of outcomes) expect(out).toContain('60 packets received');
}

/** Most threads that serviced the sources of a node at once. */
function mostAtOnce(entries: readonly TraceEntry[], node: string): number {
  const own = sourcesOf(node);
  const now = new Set<number>();
  let most = 0;
  for (const { kind, source } of ofKind(entries, TRACE.serviceBegin, TRACE.serviceEnd)) {
    if (!own.has(source)) continue;
    if (kind === TRACE.serviceBegin) now.add(source);
    else now.delete(source);
    most = Math.max(most, now.size);
  }
  return most;
}

describe('-t: the threads of the pool that may work on a stack at once', () => {
  test('one of three: no two sources of the stack are serviced at the same time, and nothing is lost', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -t1'), { time: 'real', threads: 3 });
    const entries = await traced(chatter);
    expect(mostAtOnce(entries, 'alpha')).toBe(1);
    const { gate } = stacks.get(stackOf('alpha'));
    expect(gates.get(gate)).toMatchObject({ limit: 1, inside: 0, parked: 0 });
    if (gates.get(gate).waits > 0) expect(logOf('alpha')).toContain('out of threads: it may have 1 thread');
    expect(stacks.get(stackOf('beta')).gate).toBe(0);
  });

  test('more than the lab has: an entry in the system log, and the stack has all there are', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -t5'), { time: 'real', threads: 2 });
    expect(logOf('alpha')).toContain('-t 5: the lab has 2');
    expect(stacks.get(stackOf('alpha')).gate).toBe(0);
    await chatter();
  });

  test.each([
    ['-t0', '-t 0: not a whole number from 1 to 64'],
    ['-P 64', '-P 64: not a whole number from 1 to 63'],
    ['-Dx', 'unknown option -x'],
  ])('%s is refused', async (option, message) => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc'));
    const { status, err } = await run(lab, 'beta', `io-pkt-v4-hc -i1 -ptcpip prefix=/alt ${option}`);
    expect(err).toContain(message);
    expect(status).not.toBe(0);
  });

  test('a stack that ends leaves no gate behind', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -t1'), { time: 'real', threads: 2 });
    const { inUse } = gates.report();
    await run(lab, 'alpha', 'slay io-pkt-v4-hc');
    expect(gates.report().inUse).toBe(inUse - 1);
    await run(lab, 'alpha', 'io-pkt-v4-hc -t1');
    expect(gates.report().inUse).toBe(inUse);
  });
});

describe('priorities', () => {
  test('receive work has 21, and so has the stack; -P and rx_prio change them', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc', 'io-pkt-v4-hc -P 30 -ptcpip rx_prio=25'));
    expect([sourceOf('alpha'), cardOf('alpha', 'en0')].map(priorityOf)).toEqual([21, 21]);
    expect([sourceOf('beta'), cardOf('beta', 'en0')].map(priorityOf)).toEqual([30, 25]);
    expect((await run(lab, 'beta', 'pidin')).out).toMatch(/io-pkt-v4-hc +30r/);
    const entries = await traced(() => run(lab, 'alpha', 'ping -c 2 10.0.0.2'));
    const begun = ofKind(entries, TRACE.serviceBegin).filter(
      ({ source }) => source === cardOf('beta', 'en0'),
    );
    expect(begun.length).toBeGreaterThan(0);
    expect(begun.filter(({ level }) => level !== 25)).toEqual([]);
  });

  test('rx_pulse_prio is the same; a number that cannot be is logged and ignored', async () => {
    lab = await labFrom(
      threeNodes('io-pkt-v4-hc -ptcpip rx_pulse_prio=18', 'io-pkt-v4-hc -ptcpip rx_prio=99'),
    );
    expect(priorityOf(cardOf('alpha', 'en1'))).toBe(18);
    expect(priorityOf(cardOf('beta', 'en0'))).toBe(21);
    expect(logOf('beta')).toContain('-ptcpip rx_prio=99: not a whole number from 1 to 63, ignored');
  });

  const own = 'io-pkt-v4-hc -d vnic unit=0,priority=50 -d vnic unit=1,priority=20';

  test('priority= of a driver counts when there is a thread for each interface that has one', async () => {
    lab = await labFrom(threeNodes(own), { time: 'real', threads: 2 });
    expect(['en0', 'en1'].map((name) => priorityOf(cardOf('alpha', name)))).toEqual([50, 20]);
    expect(logOf('alpha')).not.toContain('fewer threads');
    await chatter();
  });

  test.each([
    ['a lab of one thread', own, 1],
    ['-t1 in a lab of two', `${own} -t1`, 2],
  ])('with fewer threads all revert to the default, with a warning: %s', async (_name, command, threads) => {
    lab = await labFrom(threeNodes(command), { time: 'real', threads });
    expect(['en0', 'en1'].map((name) => priorityOf(cardOf('alpha', name)))).toEqual([21, 21]);
    expect(logOf('alpha')).toContain(
      'fewer threads (1) than interfaces with a priority of their own: en0 (50), en1 (20); all receive at 21',
    );
  });

  test('so do they when a driver is mounted later that makes them too many', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -d vnic unit=0,priority=50'));
    expect(priorityOf(cardOf('alpha', 'en0'))).toBe(50);
    await run(lab, 'alpha', 'mount -T io-pkt -o unit=7,priority=40 devnp-vnic.so');
    expect(['en0', 'en7'].map((name) => priorityOf(cardOf('alpha', name)))).toEqual([21, 21]);
    expect(logOf('alpha')).toContain('fewer threads (1)');
  });

  test('-d vnic with the number of a card of the lab file is that card, on its cable', async () => {
    lab = await labFrom(
      threeNodes('io-pkt-v4-hc -d vnic unit=1,mac=02:11:22:33:44:55 -d vnic unit=5,priority=10'),
    );
    expect((await run(lab, 'alpha', 'ifconfig en1')).out).toContain('02:11:22:33:44:55');
    expect((await run(lab, 'alpha', 'ping -c 1 10.0.1.2')).status).toBe(0);
    expect((await run(lab, 'alpha', 'ifconfig -l')).out.trim().split(' ').sort()).toEqual([
      'en0',
      'en1',
      'en5',
      'lo0',
    ]);
  });
});

describe('the request of a client runs at its priority', () => {
  const levelsOf = (entries: readonly TraceEntry[], node: string): number[] =>
    ofKind(entries, TRACE.serviceBegin)
      .filter(({ source }) => source === sourceOf(node))
      .map(({ level }) => level);

  test('and the stack has its own again after that', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc'));
    const urgent = levelsOf(await traced(() => run(lab, 'alpha', 'on -p 40 ifconfig en0')), 'alpha');
    expect(new Set(urgent)).toEqual(new Set([40]));
    const usual = levelsOf(await traced(() => run(lab, 'alpha', 'ifconfig en0')), 'alpha');
    expect(new Set(usual)).toEqual(new Set([10]));
    // The timer of ARP is the stack's own work.
    const timed = levelsOf(await traced(() => run(lab, 'alpha', 'ping -c 1 10.0.0.77')), 'alpha');
    expect(new Set(timed)).toEqual(new Set([10, 21]));
  });

  test('the most urgent one of those that wait counts for all', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc'));
    const ask = (priority: number) =>
      callStack(stackOf('alpha'), { op: OP.socket, a: AF_INET, b: SOCK_DGRAM, priority }).reply;
    const entries = await traced(async () => {
      const replies = await Promise.all([ask(12), ask(33), ask(8)]);
      for (const { value } of replies)
        await callStack(stackOf('alpha'), { op: OP.close, socket: value, priority: 5 }).reply;
    });
    expect(levelsOf(entries, 'alpha')).toEqual([33, 5, 5, 5]);
    const raised = ofKind(entries, TRACE.raise).filter(({ source }) => source === sourceOf('alpha'));
    // Less urgent than what waits already: nothing changes.
    expect(raised.slice(0, 2).map(({ level }) => level)).toEqual([12, 33]);
  });

  test('before receive work if it is more urgent than that, otherwise after it', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc'));
    const peer = await peerAt('beta', 'left');
    const order = async (priority: number): Promise<string[]> => {
      const entries = await traced(async () => {
        peer.send(reply('10.0.0.1'));
        await callStack(stackOf('alpha'), { op: OP.poll, priority }).reply;
        await pass(1000);
      });
      return ofKind(entries, TRACE.serviceBegin)
        .filter(({ source }) => source === sourceOf('alpha') || source === cardOf('alpha', 'en0'))
        .map(({ source }) => (source === sourceOf('alpha') ? 'stack' : 'card'));
    };
    expect(await order(40)).toEqual(['stack', 'card']);
    // The thread that serviced the card carries the request out in passing.
    expect((await order(10))[0]).toBe('card');
  });
});

async function peerAt(node: string, link: string): Promise<Peer> {
  const peer = await Peer.at(lab, node, link, 1);
  peers.push(peer);
  return peer;
}

/** An answer to a ping that nobody sent: the stack has nothing to do but to look at it. */
function reply(to: string): Buffer {
  const payload = icmp(0, 0, 7, Buffer.alloc(20));
  const packet = ipv4({ source: '10.0.0.2', destination: to, protocol: PROTOCOL.icmp, payload });
  const interfaceNumber = to === '10.0.0.1' ? '00' : '01';
  return ether(`0200000000${interfaceNumber}`, '02:00:00:00:00:99', ETHERTYPE.ip, packet);
}

/** What the thread did for alpha, in order: the cards by name, and the stack wherever its context was taken. */
function storyOf(entries: readonly TraceEntry[]): string[] {
  const names = new Map([
    [cardOf('alpha', 'en0'), 'en0'],
    [cardOf('alpha', 'en1'), 'en1'],
  ]);
  return entries.flatMap(({ kind, source, stack }) => {
    if (kind === TRACE.contextTaken && stack === stackOf('alpha')) return ['stack'];
    const name = names.get(source);
    return kind === TRACE.serviceBegin && name !== undefined ? [name] : [];
  });
}

/** Frames that a card takes in one service before others get their turn. */
const BUDGET = 256;

test('a driver that stops early lets another interface of its thread have its turn', async () => {
  lab = await labFrom(threeNodes('io-pkt-v4-hc'));
  const [left, right] = [await peerAt('beta', 'left'), await peerAt('gamma', 'right')];
  const entries = await traced(async () => {
    left.send(...Array.from({ length: 3 * BUDGET }, () => reply('10.0.0.1')));
    right.send(reply('10.0.1.1'));
    await pass(1000);
  });
  const cards = storyOf(entries).filter((name) => name !== 'stack');
  expect(cards.filter((name) => name === 'en0').length).toBeGreaterThanOrEqual(3);
  expect(cards.indexOf('en1')).toBeGreaterThan(cards.indexOf('en0'));
  expect(cards.indexOf('en1')).toBeLessThan(cards.lastIndexOf('en0'));
  // It was called again because it had not finished, not because it was raised.
  const ends = ofKind(entries, TRACE.serviceEnd).filter(({ source }) => source === cardOf('alpha', 'en0'));
  expect(ends.map(({ reason }) => reason).slice(0, 3)).toEqual([0, 0, 0]);
});

describe('a busy interface', () => {
  const backlog = 6 * BUDGET + 10;

  test('of higher priority starves the stack on one thread until it is quiet', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -d vnic unit=0,priority=50'));
    const peer = await peerAt('beta', 'left');
    let waiting = 0;
    const entries = await traced(async () => {
      peer.send(...Array.from({ length: backlog }, () => reply('10.0.0.1')));
      const asked = run(lab, 'alpha', 'ifconfig en0');
      await pass(1000);
      waiting = queueLength(stackParts(stackOf('alpha')).input);
      await asked;
    });
    const story = storyOf(entries);
    expect(story.slice(0, 8)).toEqual([...Array.from({ length: 7 }, () => 'en0'), 'stack']);
    expect(waiting).toBe(0);
  });

  test('of the usual priority takes turns with the stack', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc'));
    const peer = await peerAt('beta', 'left');
    const entries = await traced(async () => {
      peer.send(...Array.from({ length: backlog }, () => reply('10.0.0.1')));
      await pass(1000);
    });
    expect(storyOf(entries).slice(0, 6)).toEqual(['en0', 'stack', 'en0', 'stack', 'en0', 'stack']);
  });

  test('loses what the starved stack has no room for, counted', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -d vnic unit=0,priority=50'));
    await run(lab, 'alpha', 'sysctl -w net.inet.ip.ifq.maxlen=100');
    const peer = await peerAt('beta', 'left');
    peer.send(...Array.from({ length: backlog }, () => reply('10.0.0.1')));
    await pass(1000);
    const { out } = await run(lab, 'alpha', 'netstat -i -d -I en0');
    expect(out.trim().split('\n').at(-1)!.trim().split(/\s+/).at(-1)).toBe(String(backlog - 100));
    expect((await run(lab, 'alpha', 'netstat -s -p ip')).out).toContain('\t100 total packets received');
  });
});

describe('-D: the stack context in a thread of its own', () => {
  test('hardware threads never take it, and that thread does nothing else', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -D'), { time: 'real', threads: 3 });
    const entries = await traced(chatter);
    const taken = ofKind(entries, TRACE.contextTaken);
    const threadsOf = (node: string): Set<number> =>
      new Set(taken.filter(({ stack }) => stack === stackOf(node)).map(({ thread }) => thread));
    expect(threadsOf('alpha')).toEqual(new Set([3]));
    expect([...threadsOf('beta'), ...threadsOf('gamma')]).not.toContain(3);
    const serviced = ofKind(entries, TRACE.serviceBegin).filter(({ thread }) => thread === 3);
    expect(new Set(serviced.map(({ source }) => source))).toEqual(new Set([sourceOf('alpha')]));
  });

  test('the thread shares the work of all again when the last such stack has ended', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -D', 'io-pkt-v4-hc -D -t1'), { time: 'real', threads: 2 });
    expect([sourceOf('alpha'), sourceOf('beta')].map((source) => sources.get(source).home)).toEqual([2, 2]);
    expect(sources.get(cardOf('beta', 'en0')).home).toBe(1);
    await chatter();
    await run(
      lab,
      'alpha',
      'slay io-pkt-v4-hc; io-pkt-v4-hc; ifconfig en0 10.0.0.1/24; ifconfig en1 10.0.1.1/24',
    );
    expect(lab.engine.workers()).toBe(1);
    await run(lab, 'beta', 'slay io-pkt-v4-hc; io-pkt-v4-hc; ifconfig en0 10.0.0.2/24');
    expect(lab.engine.workers()).toBe(2);
    const entries = await traced(chatter);
    const threads = new Set(ofKind(entries, TRACE.serviceBegin).map(({ thread }) => thread));
    expect(threads).toEqual(new Set([1, 2]));
  });

  test('a lab that cannot spare a thread says so', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -D'), { time: 'real', threads: 1 });
    expect(logOf('alpha')).toContain('-D: the lab has no thread to spare');
    await chatter();
  });
});

describe('a driver that is not safe for more than one thread', () => {
  test('makes all sources of its stack single-threaded, which the system log tells', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -d vnic unit=1,single'), { time: 'real', threads: 3 });
    expect(logOf('alpha')).toContain(
      'devnp-vnic.so (en1) is single-threaded: one thread at a time services this stack',
    );
    expect(mostAtOnce(await traced(chatter), 'alpha')).toBe(1);
  });

  test('so does one that is mounted on a running stack, whatever -t says', async () => {
    lab = await labFrom(threeNodes('io-pkt-v4-hc -t2 -D'), { time: 'real', threads: 3 });
    const busy = chatter();
    await run(lab, 'alpha', 'mount -T io-pkt -o unit=9,single devnp-vnic.so');
    await busy;
    expect(logOf('alpha')).toContain('devnp-vnic.so (en9) is single-threaded');
    expect(mostAtOnce(await traced(chatter), 'alpha')).toBe(1);
  });
});

test('a source is serviced by the thread it is at home with, unless that is busy', async () => {
  lab = await labFrom(threeNodes('io-pkt-v4-hc'), { time: 'real', threads: 2 });
  const entries = await traced(chatter);
  /** What each thread services. */
  const current = new Map<number, number>();
  /** Entries of other threads since a source was raised: as long as it waits for its home. */
  const raisedAt = new Map<number, number>();
  let [atHome, stolenFromBusy, stolenOtherwise] = [0, 0, 0];
  entries.forEach(({ kind, source, thread, time }) => {
    if (kind === TRACE.raise) raisedAt.set(source, time);
    if (kind === TRACE.serviceEnd) current.delete(thread);
    if (kind !== TRACE.serviceBegin) return;
    current.set(thread, source);
    const { home } = sources.get(source);
    if (home === thread) atHome++;
    // It had work, or slept and was not there within microseconds.
    else if (current.has(home) || time - (raisedAt.get(source) ?? 0) > 2_000) stolenFromBusy++;
    else stolenOtherwise++;
  });
  expect(atHome).toBeGreaterThan(0);
  expect(stolenOtherwise).toBeLessThan((atHome + stolenFromBusy) / 10);
});
