// `stackscope top` as a user types it: pictures one after the other, JSON, commands that fail, Ctrl-C; and the picture that is drawn in place.
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openScreen } from '../../../main/cli/screen.ts';
import type { ScreenInput, ScreenOutput } from '../../../main/cli/screen.ts';
import type { AnatomyRates } from '../../../main/lab/anatomy-rates.ts';
import { stackscope, start, twoNodes } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-top-'));
afterAll(() => rmSync(folder, { recursive: true }));

const top = (...args: readonly string[]) => stackscope(folder, 'top', twoNodes, ...args);
const VIRTUAL = ['--time', 'virtual'];
const PING = ['--exec', 'alpha: ping -c 3 10.0.0.2'];

test('--json: one object per interval of virtual time, the same in every run', async () => {
  const args = [...VIRTUAL, '--json', '--interval', '500ms', '--for', '3100ms', ...PING];
  const [one, other] = await Promise.all([top(...args), top(...args)]);
  expect(one).toMatchObject({ status: 0, err: '' });
  expect(other.out).toBe(one.out);
  const lines = one.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AnatomyRates);
  expect(lines).toHaveLength(6);
  for (const { interval } of lines) expect(interval).toBeCloseTo(0.5, 9);
  const packets = lines.map(({ stacks }) =>
    Math.round(stacks.find(({ name }) => name === 'alpha')!.packetsOut / 2),
  );
  // A request each second; ARP before the first one.
  expect(packets).toEqual([2, 0, 1, 0, 1, 0]);
  expect(lines[0]!.threads[0]).toMatchObject({ thread: 0, role: 'idle', busy: 0 });
  expect(lines[0]!.pools.map(({ name }) => name)).toContain('socket');
});

test('in real time the pictures follow each other, with a row for each thread, stack, card and pool', async () => {
  const { status, out } = await top('--threads', '2', '--interval', '200ms', '--for', '2s');
  expect(status).toBe(0);
  const pictures = out.split(/^(?=two-nodes: )/m);
  expect(pictures.length).toBeGreaterThanOrEqual(2);
  for (const picture of pictures) {
    expect(picture).toMatch(/^two-nodes: \d+\.\d{3} s of real time, rates over 0\.\d{3} s\n\nTHREAD ROLE/);
    expect(picture).toMatch(/^ +1 (asleep|idle|hardware|stack) .*\n +2 (asleep|idle|hardware|stack) /m);
    expect(picture).toMatch(/^alpha +(free|1|2) .*\nbeta +(free|1|2) /m);
    expect(picture).toMatch(/^alpha:en0 +0 +0 /m);
    expect(picture).toMatch(/^stack +\d+ +2 +2 +2048 +0$/m);
  }
});

test('a command that fails is told at the end, with what it said, and gives its status', async () => {
  const { status, out, err } = await top(...VIRTUAL, '--exec', 'alpha: echo hidden; nosuch');
  expect(out).not.toContain('hidden');
  expect(err).toContain('nosuch: not found');
  expect(err).toContain("'alpha: echo hidden; nosuch' ended with status 127");
  expect(status).toBe(127);
});

test('Ctrl-C ends it cleanly', async () => {
  const running = start(folder, ['top', twoNodes, '--interval', '50ms', '--json']);
  await running.wrote('"threads"');
  running.process.kill('SIGINT');
  expect(await running.ended).toMatchObject({ status: 0, err: '' });
});

test('a reader that goes away ends it', async () => {
  const running = start(folder, ['top', twoNodes, ...VIRTUAL, '--json']);
  await running.wrote('"threads"');
  running.process.stdout?.destroy();
  expect((await running.ended).err).toBe('');
});

test.each([
  ['an interval without a unit', ['--interval', '1'], 'It must be a duration such as 1ms'],
  ['an interval of nothing', ['--interval', '0s'], 'It must be at least 1ms'],
  ['an unknown node', ['--exec', 'gamma: ls'], 'there is no node gamma'],
])('%s is refused with status 2', async (_name, args, message) => {
  const { status, out, err } = await top(...args);
  expect(err).toContain(message);
  expect({ status, out }).toEqual({ status: 2, out: '' });
});

test('--help says what the columns mean', async () => {
  const { status, out } = await top('--help');
  expect(status).toBe(0);
  for (const word of ['--interval', 'SENDQ', 'context.taken', 'Exit status']) expect(out).toContain(word);
});

/** A terminal of 20 columns and 4 rows that keeps what is written. */
class Terminal extends EventEmitter implements ScreenOutput {
  columns = 20;
  rows = 4;
  written = '';
  write(text: string | Uint8Array): boolean {
    this.written += text.toString();
    return true;
  }
}

class Keyboard extends EventEmitter implements ScreenInput {
  isTTY = true;
  raw = false;
  reading = false;
  setRawMode(mode: boolean): void {
    this.raw = mode;
  }
  resume(): void {
    this.reading = true;
  }
  pause(): void {
    this.reading = false;
  }
}

describe('on a terminal', () => {
  test('the picture is drawn in place, cut to the screen, and again when that changes its size', () => {
    const [terminal, keyboard] = [new Terminal(), new Keyboard()];
    const screen = openScreen(terminal, keyboard, () => undefined);
    screen.draw(['a line that is longer than twenty', 'two', 'three', 'four', 'five']);
    expect(terminal.written).toBe(
      '\x1b[?1049h\x1b[?25l' +
        '\x1b[Ha line that is longe\x1b[K\r\ntwo\x1b[K\r\nthree\x1b[K\r\n(2 lines more)\x1b[K\x1b[J',
    );
    terminal.written = '';
    terminal.rows = 10;
    terminal.emit('resize');
    expect(terminal.written).toContain('four\x1b[K\r\nfive\x1b[K\x1b[J');
    terminal.written = '';
    screen.close();
    screen.close();
    expect(terminal.written).toBe('\x1b[?25h\x1b[?1049l');
    expect({ raw: keyboard.raw, reading: keyboard.reading, left: terminal.listenerCount('resize') }).toEqual({
      raw: false,
      reading: false,
      left: 0,
    });
  });

  test('q and Ctrl-C end it, other keys do not', () => {
    const [terminal, keyboard] = [new Terminal(), new Keyboard()];
    let quits = 0;
    const screen = openScreen(terminal, keyboard, () => quits++);
    expect(keyboard.raw).toBe(true);
    keyboard.emit('data', Buffer.from('xyz'));
    expect(quits).toBe(0);
    keyboard.emit('data', Buffer.from('q'));
    keyboard.emit('data', Buffer.from('\x03'));
    expect(quits).toBe(2);
    screen.close();
  });
});
