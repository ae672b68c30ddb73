// Links to the nanosecond and to the frame: what each impairment does, alone, repeatably, and in its own direction only.
import { afterEach, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { now } from '../../../stack/runtime/clock.ts';
import { labFrom, stopLab } from '../../support/lab.ts';
import { Peer, pass } from '../../support/frames.ts';

const MS = 1e6;
/** Preamble, frame check sequence and gap, bytes. */
const OVERHEAD = 24;

interface Wire {
  readonly lab: RunningLab;
  readonly ends: readonly Peer[];
}
let wire: Wire | undefined;

/** A link with a hand at each end. */
async function wireWith(
  impairments: string,
  { nodes = ['a', 'b'], seed = 1 }: { nodes?: readonly string[]; seed?: number } = {},
): Promise<Wire> {
  const lab = await labFrom(
    `
name: link
nodes: { ${nodes.map((name) => `${name}: { stack: io-pkt-v4-hc, interfaces: [en0] }`).join(', ')} }
links:
  wire: { between: [${nodes.map((name) => `${name}:en0`).join(', ')}]${impairments === '' ? '' : `, ${impairments}`} }
`,
    { seed },
  );
  const ends: Peer[] = [];
  for (const [i, name] of nodes.entries()) ends.push(await Peer.at(lab, name, 'wire', i));
  wire = { lab, ends };
  return wire;
}

async function takeDown(): Promise<void> {
  if (wire === undefined) return;
  for (const end of wire.ends) end.leave();
  const { lab } = wire;
  wire = undefined;
  await stopLab(lab);
}
afterEach(takeDown);

/** A frame of `length` bytes that carries a number. */
function numbered(n: number, length = 60): Buffer {
  const frame = Buffer.alloc(length, 0x5a);
  frame.writeUInt32BE(n, 14);
  return frame;
}

const numbersOf = (frames: readonly Buffer[]): number[] => frames.map((frame) => frame.readUInt32BE(14));

/** Sends `count` numbered frames, `gap` ns apart in batches of `batch`, and waits until all that arrive have arrived. */
async function sendMany(
  peer: Peer,
  count: number,
  { batch = 1000, gap = MS, length = 60 }: { batch?: number; gap?: number; length?: number } = {},
): Promise<void> {
  for (let n = 0; n < count; n += batch) {
    peer.send(...Array.from({ length: Math.min(batch, count - n) }, (_, i) => numbered(n + i, length)));
    await pass(gap);
  }
  await pass(1000 * MS);
}

/** Whether `hits` of `trials` fits a probability: within five standard deviations. */
function expectRate(hits: number, trials: number, p: number): void {
  const deviation = Math.sqrt(trials * p * (1 - p));
  expect(Math.abs(hits - trials * p)).toBeLessThan(5 * deviation);
}

describe('delay', () => {
  test('a perfect link takes no time', async () => {
    const { ends } = await wireWith('');
    const start = now();
    ends[0]!.send(numbered(1));
    await pass(5);
    expect(ends[1]!.arrivals.map(({ time }) => time - start)).toEqual([0]);
  });

  test('is exact to the nanosecond, for every frame and every pause between them', async () => {
    const { ends } = await wireWith('delay: 1.234567ms');
    const sent: number[] = [];
    for (const pause of [0, 1, 17, 999, 123_456, 1_234_567, 7_654_321]) {
      await pass(pause);
      sent.push(now());
      ends[0]!.send(numbered(sent.length));
    }
    await pass(10 * MS);
    expect(ends[1]!.arrivals.map(({ time }, i) => time - sent[i]!)).toEqual(sent.map(() => 1_234_567));
  });

  test('jitter stays within its bounds, reaches both sides of the delay and keeps the order', async () => {
    const { ends } = await wireWith('delay: 2ms, jitter: 0.5ms');
    const count = 2000;
    const sent: number[] = [];
    for (let n = 0; n < count; n++) {
      sent.push(now());
      ends[0]!.send(numbered(n));
      await pass(2 * MS);
    }
    await pass(10 * MS);
    const delays = ends[1]!.arrivals.map(({ time }, i) => time - sent[i]!);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(1.5 * MS);
    expect(Math.max(...delays)).toBeLessThanOrEqual(2.5 * MS);
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / count;
    // Uniform on 1 ms: the mean of 2000 deviates by less than 5 * 0.289 ms / sqrt(2000).
    expect(Math.abs(mean - 2 * MS)).toBeLessThan(0.033 * MS);
    expect(delays.filter((delay) => delay < 1.75 * MS).length).toBeGreaterThan(count / 8);
    expect(delays.filter((delay) => delay > 2.25 * MS).length).toBeGreaterThan(count / 8);
    expect(numbersOf(ends[1]!.take())).toEqual(sent.map((_, n) => n));
  });

  test('jitter never lets a frame overtake another', async () => {
    const { ends } = await wireWith('delay: 2ms, jitter: 2ms');
    for (let n = 0; n < 3000; n++) {
      ends[0]!.send(numbered(n));
      await pass(10_000);
    }
    await pass(10 * MS);
    const numbers = numbersOf(ends[1]!.take());
    expect(numbers).toEqual(Array.from({ length: 3000 }, (_, n) => n));
  });
});

describe('chance', () => {
  const COUNT = 20_000;

  test('loss has the rate asked for', async () => {
    const { lab, ends } = await wireWith('loss: 3%');
    await sendMany(ends[0]!, COUNT);
    const arrived = ends[1]!.take().length;
    expectRate(COUNT - arrived, COUNT, 0.03);
    expect(lab.links.get('wire')!.directions[0]!.drops).toBe(COUNT - arrived);
  });

  test('a duplicate follows its frame', async () => {
    const { ends } = await wireWith('duplicate: 10%, delay: 1ms');
    await sendMany(ends[0]!, COUNT);
    const numbers = numbersOf(ends[1]!.take());
    expectRate(numbers.length - COUNT, COUNT, 0.1);
    expect(new Set(numbers).size).toBe(COUNT);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  test('a reordered frame skips the delay and so overtakes those before it', async () => {
    const { ends } = await wireWith('reorder: 5%, delay: 3ms');
    const count = 5000;
    const sent: number[] = [];
    for (let n = 0; n < count; n++) {
      sent.push(now());
      ends[0]!.send(numbered(n));
      await pass(MS);
    }
    await pass(10 * MS);
    const arrivals = ends[1]!.arrivals.map(({ time, bytes }) => time - sent[bytes.readUInt32BE(14)]!);
    expect(new Set(arrivals)).toEqual(new Set([0, 3 * MS]));
    expectRate(arrivals.filter((delay) => delay === 0).length, count, 0.05);
    const numbers = numbersOf(ends[1]!.take());
    expect(numbers).not.toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(count);
  });

  test('corruption flips exactly one bit, anywhere in the frame', async () => {
    const { ends } = await wireWith('corrupt: 20%');
    await sendMany(ends[0]!, COUNT, { length: 100 });
    const places = new Set<number>();
    let corrupt = 0;
    const original = numbered(0, 100);
    for (const [n, frame] of ends[1]!.take().entries()) {
      original.writeUInt32BE(n, 14);
      let flipped = 0;
      for (let i = 0; i < frame.length; i++) {
        for (let bits = frame[i]! ^ original[i]!; bits !== 0; bits &= bits - 1) {
          flipped++;
          places.add(i);
        }
      }
      expect(flipped).toBeLessThanOrEqual(1);
      corrupt += flipped;
    }
    expectRate(corrupt, COUNT, 0.2);
    expect(places.size).toBe(100);
  });

  const EVERYTHING =
    'delay: 1ms, jitter: 0.4ms, loss: 5%, duplicate: 5%, reorder: 5%, corrupt: 5%, rate: 1gbit';

  /** What comes out of a link that does everything, with times. */
  async function trail(seed: number, impairments = EVERYTHING): Promise<string[]> {
    const { ends } = await wireWith(impairments, { seed });
    const start = now();
    await sendMany(ends[0]!, 1000, { batch: 10, gap: 0.3 * MS });
    const list = ends[1]!.arrivals.map(({ time, bytes }) => `${time - start} ${bytes.toString('hex')}`);
    await takeDown();
    return list;
  }

  test('the same seed does the same, another seed something else', async () => {
    const first = await trail(7);
    expect(await trail(7)).toEqual(first);
    expect(await trail(8)).not.toEqual(first);
  });

  test('each direction draws its own numbers: traffic the other way changes nothing', async () => {
    const alone = await trail(7);
    const { ends } = await wireWith(EVERYTHING, { seed: 7 });
    const start = now();
    ends[1]!.send(...Array.from({ length: 50 }, (_, n) => numbered(n)));
    await sendMany(ends[0]!, 1000, { batch: 10, gap: 0.3 * MS });
    const list = ends[1]!.arrivals.map(({ time, bytes }) => `${time - start} ${bytes.toString('hex')}`);
    expect(list).toEqual(alone);
  });
});

describe('rate', () => {
  const perFrame = (length: number, rate: number): number => ((length + OVERHEAD) * 8e9) / rate;

  test('counts preamble, check sequence and gap: 24 bytes more for each frame', async () => {
    const { ends } = await wireWith('rate: 10mbit, queue: 100');
    const start = now();
    const lengths = [60, 1514, 60, 700];
    ends[0]!.send(...lengths.map((length, n) => numbered(n, length)));
    await pass(100 * MS);
    let due = start;
    const expected = lengths.map((length) => (due += perFrame(length, 10e6)) - start);
    expect(ends[1]!.arrivals.map(({ time }) => time - start)).toEqual(expected);
    // 67.2 us for the shortest frame at 10 Mbit/s, 1230.4 us for the longest: the figures of the standard.
    expect(expected.slice(0, 2)).toEqual([67_200, 67_200 + 1_230_400]);
  });

  test('then comes the delay', async () => {
    const { ends } = await wireWith('rate: 100mbit, delay: 5ms');
    const start = now();
    ends[0]!.send(numbered(0, 1226));
    await pass(10 * MS);
    expect(ends[1]!.arrivals[0]!.time - start).toBe(100_000 + 5 * MS);
  });

  test('an idle line serves the next frame at once, not in arrears', async () => {
    const { ends } = await wireWith('rate: 1mbit');
    ends[0]!.send(numbered(0, 101));
    await pass(50 * MS);
    const start = now();
    ends[0]!.send(numbered(1, 101));
    await pass(50 * MS);
    expect(ends[1]!.arrivals[1]!.time - start).toBe(MS);
  });

  test('as many frames wait as the queue has places, and one is on the wire', async () => {
    const { lab, ends } = await wireWith('rate: 1mbit, queue: 8');
    ends[0]!.send(...Array.from({ length: 20 }, (_, n) => numbered(n)));
    await pass(100 * MS);
    expect(numbersOf(ends[1]!.take())).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(lab.links.get('wire')!.directions[0]!.drops).toBe(11);
  });

  test('a place is free again when a frame has left', async () => {
    const { ends } = await wireWith('rate: 1mbit, queue: 1');
    ends[0]!.send(numbered(0, 101), numbered(1, 101), numbered(2, 101));
    await pass(1.5 * MS);
    ends[0]!.send(numbered(3, 101));
    await pass(100 * MS);
    expect(numbersOf(ends[1]!.take())).toEqual([0, 1, 3]);
  });
});

describe('directions and ends', () => {
  test('impairments count for the direction they are given for', async () => {
    const { ends } = await wireWith(
      'delay: 1ms, "b:en0->a:en0": { delay: 7ms, loss: 0% }, "a->b": { rate: 1mbit }',
    );
    const start = now();
    ends[0]!.send(numbered(0, 101));
    ends[1]!.send(numbered(1, 101));
    await pass(100 * MS);
    expect(ends[1]!.arrivals.map(({ time }) => time - start)).toEqual([2 * MS]);
    expect(ends[0]!.arrivals.map(({ time }) => time - start)).toEqual([7 * MS]);
  });

  test('a link with an MTU drops what is longer', async () => {
    const { lab, ends } = await wireWith('mtu: 1000');
    ends[0]!.send(numbered(0, 1014), numbered(1, 1015));
    await pass(MS);
    expect(numbersOf(ends[1]!.take())).toEqual([0]);
    expect(lab.links.get('wire')!.directions[0]!.drops).toBe(1);
  });

  test('on a hub everybody but the sender hears every frame', async () => {
    const { ends } = await wireWith('delay: 1ms', { nodes: ['a', 'b', 'c'] });
    ends[0]!.send(numbered(1), numbered(2, 3000));
    ends[2]!.send(numbered(3));
    await pass(10 * MS);
    expect(ends.map((end) => numbersOf(end.take()))).toEqual([[3], [1, 2, 3], [1, 2]]);
  });

  test('frames are counted where they enter', async () => {
    const { lab, ends } = await wireWith('loss: 50%');
    await sendMany(ends[0]!, 100, { length: 200 });
    const [there, back] = lab.links.get('wire')!.directions;
    expect(there).toMatchObject({ packets: 100, bytes: 20_000 });
    expect(back).toMatchObject({ packets: 0, bytes: 0, drops: 0 });
  });
});
