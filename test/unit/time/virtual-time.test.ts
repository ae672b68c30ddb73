// Virtual time under control: it stands still, steps and stops where it is told to, and none of that changes what happens in the lab.
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import type { Place } from '../../../main/lab/time/history.ts';
import { digestMemory, keepPristine, resetMemory } from '../../../main/lab/time/memory-state.ts';
import { VirtualTime } from '../../../main/lab/time/virtual-time.ts';
import type { VirtualTimeOptions } from '../../../main/lab/time/virtual-time-options.ts';
import { collector } from '../../../stack/kernel/byte-stream.ts';
import { runCommandLine } from '../../../stack/utilities/shell/shell.ts';
import { labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';
import { LOSSY_ROUTER } from './labs.ts';

beforeAll(keepPristine);

let lab: RunningLab | undefined;
afterEach(async () => {
  if (lab !== undefined) await stopLab(lab);
  lab = undefined;
});

/** Starts the lab from a clear memory. */
async function start(text: string, options: VirtualTimeOptions = {}): Promise<VirtualTime> {
  resetMemory();
  const virtual = new VirtualTime(options);
  const starting = labFrom(text, { virtual, onBuilt: (built) => (lab = built) });
  if (options.paused === true) void starting;
  else await starting;
  return virtual;
}

const TWO = `
name: two
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 up'] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 up'] }
links:
  wire: { between: [alpha:en0, beta:en0], delay: 1ms }
`;

/** Digests of the lab at given times while several commands are under way. @param meddle is called when they have begun. */
async function history(meddle: (time: VirtualTime) => Promise<void>): Promise<string[]> {
  const time = await start(LOSSY_ROUTER);
  const digests: string[] = [];
  const note = ({ events, time: at }: Place): void => {
    digests.push(`${events} events at ${at}: ${digestMemory()}`);
  };
  for (const at of [1e6, 0.15e9, 0.9e9, 2.5e9]) time.at(at, note);
  const commands = Promise.all([
    run(lab!, 'alpha', 'ping -c 3 10.0.2.1'),
    run(lab!, 'alpha', 'http get http://10.0.2.1/'),
    run(lab!, 'beta', 'ttcp -r -s'),
    run(lab!, 'alpha', 'sleep 0.1; ttcp -t -s -n 32 10.0.2.1'),
  ]);
  await meddle(time);
  time.resume();
  for (const { out } of await commands) digests.push(out);
  await stopLab(lab!);
  lab = undefined;
  return digests;
}

test('a run that is paused, stepped and looked at anywhere is the same run', async () => {
  const undisturbed = await history(() => Promise.resolve());
  expect(undisturbed[2]).toContain('at 900000000: ');
  const disturbed = await history(async (time) => {
    time.pause();
    for (let i = 0; i < 40; i++) {
      await time.step(1 + (i % 7) * i);
      await new Promise((resolve) => setTimeout(resolve, i % 3));
    }
    await time.nextPacket();
    await time.runTo(0.3e9);
    await time.nextPacket();
    time.setSpeed(100);
    await time.runTo(0.9e9);
    time.setSpeed(Infinity);
  });
  expect(disturbed).toEqual(undisturbed);
});

describe('control', () => {
  test('a lab that begins paused does nothing until it is stepped, then one event at a time', async () => {
    const time = await start(TWO, { paused: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(time.place).toEqual({ events: 0, time: 0 });
    expect(await time.step(1)).toBe('paused');
    expect(time.place.events).toBe(1);
    await time.step(5);
    expect(time.place.events).toBe(6);
  });

  test('to a time: all before it has happened, nothing of it or later', async () => {
    const time = await start(TWO);
    const seen: number[] = [];
    lab!.captures.listen(lab!.places(), 100, (packet) => seen.push(packet.time));
    time.pause();
    void run(lab!, 'alpha', 'ping -c 3 10.0.0.2');
    expect(await time.runTo(1.0015e9)).toBe('paused');
    lab!.captures.drain();
    expect(time.place.time).toBe(1.0015e9);
    expect(seen.length).toBeGreaterThan(3);
    expect(Math.max(...seen)).toBeLessThan(1.0015e9);
    const before = seen.length;
    await time.runTo(1.0025e9);
    lab!.captures.drain();
    expect(seen.slice(before).every((at) => at >= 1.0015e9)).toBe(true);
    expect(seen.length).toBeGreaterThan(before);
  });

  test('to the next packet: one frame more has entered a link', async () => {
    const time = await start(TWO);
    time.pause();
    const frames = (): number =>
      lab!.links.get('wire')!.directions.reduce((sum, direction) => sum + direction.packets, 0);
    void run(lab!, 'alpha', 'ping -c 2 10.0.0.2');
    for (let i = 0; i < 4; i++) {
      const before = frames();
      expect(await time.nextPacket()).toBe('paused');
      expect(frames()).toBe(before + 1);
    }
  });

  test('where nothing will ever happen, it says so', async () => {
    const time = await start(TWO);
    time.pause();
    for (let i = 0; i < 100 && (await time.nextPacket()) === 'paused';) i++;
    expect(await time.nextPacket()).toBe('idle');
  });

  test('at ten times the speed of the wall, a second takes a tenth of one', async () => {
    const time = await start(TWO, { speed: 10 });
    void run(lab!, 'alpha', 'ping -c 10 -i 0.1 10.0.0.2');
    const begin = performance.now();
    await time.runTo(time.place.time + 1e9);
    const took = performance.now() - begin;
    expect(took).toBeGreaterThan(90);
    expect(took).toBeLessThan(1000);
  });

  test('between two events the time that is shown goes on with the wall, and stands still with a pause', async () => {
    const time = await start(TWO, { speed: 1 });
    const before = time.place.time;
    await new Promise((resolve) => setTimeout(resolve, 30));
    const after = time.place.time;
    expect(after - before).toBeGreaterThan(20e6);
    time.pause();
    const paused = time.place;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(time.place).toEqual(paused);
  });

  test('a lab that is paused can be stopped', async () => {
    const time = await start(TWO);
    time.pause();
    void run(lab!, 'alpha', 'ping 10.0.0.2');
    await stopLab(lab!);
    lab = undefined;
  });
});

describe('the journal', () => {
  const outputs = (): {
    readonly perform: NonNullable<VirtualTimeOptions['perform']>;
    readonly text: () => string;
  } => {
    const stdout = collector();
    return {
      perform(input) {
        if (input.kind === 'exec') {
          void runCommandLine(nodeOf(lab!, input.node), input.command, { stdout, stderr: stdout });
        }
      },
      text: stdout.text,
    };
  };

  test('what came in while the lab stood still or ran comes in again at the same places', async () => {
    const first = outputs();
    const time = await start(LOSSY_ROUTER, { perform: first.perform });
    time.pause();
    await time.runTo(0.2e9);
    time.input({ kind: 'exec', node: 'alpha', command: 'ping -c 3 10.0.2.1' });
    await time.step(3);
    time.input({ kind: 'exec', node: 'beta', command: 'ping -c 2 10.0.1.1' });
    await time.runTo(1.5e9);
    time.input({ kind: 'exec', node: 'alpha', command: 'http get http://10.0.2.1/' });
    await time.runTo(3e9);
    const { journal, place } = time;
    const digest = digestMemory();
    await stopLab(lab!);
    lab = undefined;
    expect(journal.map(({ at }) => at.events)).toEqual(
      [...journal.map(({ at }) => at.events)].sort((a, b) => a - b),
    );
    expect(journal[0]!.at.time).toBe(0.2e9);

    const second = outputs();
    let arrived: Place | undefined;
    let again = '';
    const onArrival = (at: Place): void => {
      arrived = at;
      again = digestMemory();
    };
    const replay = { until: place, onArrival };
    await start(LOSSY_ROUTER, { perform: second.perform, journal, replay, paused: true });
    await expect.poll(() => arrived).toEqual(place);
    expect(again).toBe(digest);
    expect(second.text()).toBe(first.text());
    expect(second.text()).toContain('3 packets transmitted');
  });
});
