// The picture of the Architecture section: what it makes of a recording, and that the one in the README is such a picture.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { draw } from '../picture/draw.ts';
import type { Recording } from '../picture/record.ts';

const station = (at: number, thread: number, place: string, text: string): Recording['stations'][number] => ({
  ...{ journey: 1, time: BigInt(at), node: '', station: '', buffer: 0xa000 },
  ...{ at, thread, place, text },
});

const RECORDING: Recording = {
  services: [
    { thread: 1, from: 1000, to: 9000, name: 'left' },
    { thread: 1, from: 10_000, to: 20_000, name: 'router:en0' },
    { thread: 2, from: 21_000, to: 40_000, name: 'right:en0' },
    // On another thread, and long over.
    { thread: 2, from: -90_000, to: -80_000, name: 'left:en0' },
  ],
  contexts: [
    { thread: 1, from: 1000, to: 8500, name: 'left' },
    { thread: 2, from: 30_000, to: 40_000, name: 'right' },
  ],
  stations: [
    station(1500, 1, 'left', 'UDP sent by <this> host'),
    station(12_000, 1, 'router', 'hit'),
    station(39_000, 2, 'right', 'received'),
  ],
};

/** Boxes of a kind: where they begin and end. */
function boxes(svg: string, kind: string): { x: number; end: number }[] {
  return [
    ...svg.matchAll(new RegExp(`<rect x="([\\d.]+)" y="[\\d.]+" width="([\\d.]+)"[^>]*class="${kind}"`, 'g')),
  ].map(([, x, width]) => ({ x: Number(x), end: Number(x) + Number(width) }));
}

test('a lane for each thread, what is serviced in blue or green, contexts below, stations in order', () => {
  const svg = draw(RECORDING);
  expect(svg.match(/thread \d</g)).toEqual(['thread 1<', 'thread 2<']);
  const [green] = boxes(svg, 'fast');
  const [left, right] = boxes(svg, 'service');
  expect(boxes(svg, 'fast')).toHaveLength(1);
  expect(boxes(svg, 'service')).toHaveLength(2);
  expect(left!.end).toBeLessThan(green!.x);
  expect(green!.end).toBeLessThan(right!.x);
  // The fast path takes no context: nothing orange begins within its box.
  for (const { x } of boxes(svg, 'context')) expect(x > green!.x && x < green!.end).toBe(false);
  expect(svg).toContain(' 1  thread 1  left         UDP sent by &lt;this&gt; host');
});

test('the picture of the README is one, with the fast path and the contexts of both hosts', () => {
  const svg = readFileSync(join(import.meta.dirname, '../../main/assets/threads.svg'), 'utf8');
  expect(boxes(svg, 'fast').length).toBeGreaterThan(0);
  expect(svg).toContain('context of right');
  expect(svg).toContain('hit: forwarded by this thread, outside the stack context');
  expect(readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')).toContain(
    '](main/assets/threads.svg)',
  );
});
