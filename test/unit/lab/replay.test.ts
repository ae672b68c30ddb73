// Replaying frames into a link of a running lab: who gets them, what of a packet is sent, and what happens when the link is full.
import { afterEach, expect, test } from 'vitest';
import { PcapngWriter } from '../../../main/capture/pcapng-writer.ts';
import type { NewInterface } from '../../../main/capture/pcapng-writer.ts';
import { memorySink } from '../../../main/capture/sink.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { replayCapture } from '../../../main/lab/replay.ts';
import type { ReplayOptions } from '../../../main/lab/replay.ts';
import { readClock } from '../../../stack/runtime/clock.ts';
import { labFrom, stopLab } from '../../support/lab.ts';

const HUB = `
name: hub
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 up'] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 up'] }
  c: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.3/24 up'] }
links:
  hub: { between: [a:en0, b:en0, c:en0] }
`;

let lab: RunningLab | undefined;
afterEach(async () => {
  if (lab !== undefined) await stopLab(lab);
  lab = undefined;
});

/** A broadcast of `length` bytes that no stack answers: ethertype 0x88b5, for local experiments (IEEE 802). */
function frame(length: number, mark = 0): Uint8Array {
  const bytes = new Uint8Array(length).fill(mark, 14);
  bytes.set([255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x88, 0xb5]);
  return bytes;
}

interface Packet {
  readonly data: Uint8Array;
  readonly originalLength?: number;
  readonly time?: bigint;
}

/** A pcapng file with one interface. */
function captureOf(packets: readonly Packet[], point: Partial<NewInterface> = {}): Uint8Array {
  const { sink, contents } = memorySink();
  const writer = new PcapngWriter(sink);
  const interfaceId = writer.addInterface({ name: 'x', linkType: 1, ...point });
  for (const packet of packets) writer.writePacket({ interfaceId, time: 0n, ...packet });
  writer.flush();
  return contents();
}

/** Frames that come in at the interfaces of nodes while a capture is replayed, as [interface, length, last byte]. */
async function replayed(source: Uint8Array, options: ReplayOptions = {}) {
  lab ??= await labFrom(HUB);
  const seen: [string, number, number][] = [];
  const interfaces = lab.places().filter(({ kind, name }) => kind === 'interface' && name.endsWith(':en0'));
  const capture = lab.captures.listen(interfaces, 65_535, ({ point, length, direction, bytes }) => {
    if (direction === 'inbound') seen.push([point.name, length, bytes.at(-1)!]);
  });
  const result = await replayCapture(source, lab.links.get('hub')!, options);
  capture.stop();
  return { seen, result };
}

test('all other ends of the link get the frame, the end that sends it does not', async () => {
  const { seen } = await replayed(captureOf([{ data: frame(60, 7) }]), { end: 1 });
  expect(seen.sort()).toEqual([
    ['a:en0', 60, 7],
    ['c:en0', 60, 7],
  ]);
});

test('a frame check sequence that was captured is not sent', async () => {
  const { seen, result } = await replayed(captureOf([{ data: frame(64, 1) }], { fcsLength: 4 }));
  expect(seen.map(([, length]) => length)).toEqual([60, 60]);
  expect(result).toMatchObject({ packets: 1, bytes: 60 });
});

test('what is no frame is left out, and frames that the capture cut are sent as they are', async () => {
  const packets = [
    { data: frame(60).subarray(0, 13) },
    { data: frame(80), originalLength: 1514 },
    { data: frame(9014) },
  ];
  const { seen, result } = await replayed(captureOf(packets), { speed: 0 });
  expect(result).toEqual({ packets: 2, bytes: 9094, otherLinkType: 0, unfit: 1, cut: 1 });
  expect(seen.filter(([name]) => name === 'c:en0').map(([, length]) => length)).toEqual([80, 9014]);
});

test('at full speed a link that is full holds the replay up, and no frame is lost', async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({ data: frame(60, index % 251) }));
  const { seen, result } = await replayed(captureOf(many), { speed: 0 });
  expect(result.packets).toBe(many.length);
  const marks = seen.filter(([name]) => name === 'b:en0').map(([, , mark]) => mark);
  expect(marks).toEqual(many.map(({ data }) => data.at(-1)));
});

test('packets whose times go backwards are sent at once, in their order', async () => {
  const times = [5_000_000n, 3_000_000n, 6_000_000n];
  const packets = times.map((time, index) => ({ data: frame(60, index), time }));
  lab = await labFrom(HUB);
  const begin = readClock();
  const { seen } = await replayed(captureOf(packets));
  expect(seen.filter(([name]) => name === 'b:en0').map(([, , mark]) => mark)).toEqual([0, 1, 2]);
  expect(readClock() - begin).toBeLessThan(10e6);
});

test('a replay can be ended early', async () => {
  const controller = new AbortController();
  const packets = [0n, 1_000_000_000n].map((time) => ({ data: frame(60), time }));
  lab = await labFrom(HUB, { time: 'real', threads: 1 });
  setTimeout(() => controller.abort(), 100);
  const begin = performance.now();
  const { result } = await replayed(captureOf(packets), { signal: controller.signal });
  expect(result.packets).toBe(1);
  expect(performance.now() - begin).toBeLessThan(900);
});

test('an end that the link has not is refused', async () => {
  await expect(replayed(captureOf([]), { end: 3 })).rejects.toThrow(
    'link hub has 3 ends, counted from 0; there is no end 3',
  );
});
