// The interactive shell on a terminal: what a person types and sees.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { registerProgram } from '../../../stack/kernel/program-table.ts';
import { createNode } from '../../../stack/kernel/node.ts';
import type { LabNode, Process } from '../../../stack/kernel/process.ts';
import { interactiveShell } from '../../../stack/utilities/shell/interactive.ts';
import '../../../stack/utilities/programs.ts';
import { createScreen } from './screen.ts';
import type { Screen } from './screen.ts';

const UP = '\x1b[A';
const DOWN = '\x1b[B';
const RIGHT = '\x1b[C';
const LEFT = '\x1b[D';
const HOME = '\x1b[H';
const END = '\x1b[F';
const DELETE = '\x1b[3~';
const ctrl = (letter: string): string => String.fromCharCode(letter.charCodeAt(0) - 64);

registerProgram({
  name: 'interface-test',
  usage: 'interface',
  summary: 'has a completer of its own',
  run: () => Promise.resolve(0),
  complete: (words, index) => (index === 1 ? ['en0', 'en1', 'lo0'] : words.slice(1, index)),
});

let node: LabNode;
let screen: Screen;
let shell: Process;
beforeEach(async () => {
  node = createNode({ name: 'alpha' });
  screen = createScreen();
  shell = interactiveShell(node, screen);
  await screen.type('');
});
afterEach(() => node.shutdown());

const PROMPT = 'alpha:/# ';
const last = (): string => screen.lines().at(-1) ?? '';

test('a command typed is run and the prompt comes again, with the directory', async () => {
  await screen.type('echo hello\r');
  expect(screen.lines()).toEqual([`${PROMPT}echo hello`, 'hello', PROMPT.trim()]);
  await screen.type('cd /tmp\r');
  expect(last()).toBe('alpha:/tmp#');
});

describe('editing', () => {
  test.each([
    ['left and insert', `ac${LEFT}b`, 'abc', 2],
    ['right', `ab${LEFT}${LEFT}${RIGHT}x`, 'axb', 2],
    ['Home, End', `bc${HOME}a${END}d`, 'abcd', 4],
    ['Ctrl-A, Ctrl-E', `bc${ctrl('A')}a${ctrl('E')}d`, 'abcd', 4],
    ['backspace', 'abx\x7fc', 'abc', 3],
    ['Delete', `axb${LEFT}${LEFT}${DELETE}`, 'ab', 1],
    ['Ctrl-D deletes at the cursor', `axb${LEFT}${LEFT}${ctrl('D')}`, 'ab', 1],
    ['Ctrl-U', `abc def${LEFT}${ctrl('U')}`, 'f', 0],
    ['Ctrl-K', `abc def${HOME}${RIGHT}${ctrl('K')}`, 'a', 1],
    ['Ctrl-W', `abc def ${ctrl('W')}x`, 'abc x', 5],
    ['Ctrl-W and Ctrl-Y', `abc${ctrl('W')}${ctrl('Y')}${ctrl('Y')}`, 'abcabc', 6],
    ['words with Ctrl and arrows', `ab cd ef\x1b[1;5D\x1b[1;5Dx\x1b[1;5Cy`, 'ab xcdy ef', 7],
    ['characters outside the basic plane', 'a😀b\x7f\x7fc', 'ac', 2],
    ['keys without meaning', 'a\x1b[5~\x1bOP\x1bxb', 'ab', 2],
  ])('%s', async (_name, keys, text, cursor) => {
    await screen.type(keys);
    expect(last()).toBe((PROMPT + text).trimEnd());
    expect(screen.cursor().column).toBe(PROMPT.length + cursor);
  });

  test('a sequence that arrives in pieces is one key', async () => {
    for (const piece of ['ac', '\x1b', '[', 'D', 'b']) await screen.type(piece);
    expect(last()).toBe(`${PROMPT}abc`);
  });

  test('a line longer than the screen wraps and can be edited in every row', async () => {
    const long = `echo ${'0123456789'.repeat(7)}`;
    await screen.type(long);
    expect(screen.lines()).toEqual(
      [
        `${PROMPT}${long}`.slice(0, 40),
        `${PROMPT}${long}`.slice(40, 80),
        `${PROMPT}${long}`.slice(80),
      ].filter(Boolean),
    );
    await screen.type(`${HOME}true; `);
    expect(screen.cursor()).toEqual({ row: 0, column: PROMPT.length + 6 });
    expect(screen.lines().join('')).toBe(`${PROMPT}true; ${long}`);
    await screen.type('\r');
    expect(screen.lines().slice(3)).toEqual(['0123456789'.repeat(4), '0123456789'.repeat(3), PROMPT.trim()]);
  });

  test('a line that fills its row exactly keeps the cursor right', async () => {
    await screen.type('x'.repeat(40 - PROMPT.length));
    expect(screen.cursor()).toEqual({ row: 1, column: 0 });
    await screen.type('\x7f');
    expect(screen.lines()).toEqual([PROMPT + 'x'.repeat(39 - PROMPT.length)]);
  });

  test('Ctrl-L clears the screen and keeps the line', async () => {
    await screen.type(`echo a\recho b${ctrl('L')}`);
    expect(screen.lines()).toEqual([`${PROMPT}echo b`]);
  });

  test('Ctrl-C gives a line up', async () => {
    await screen.type(`rm -r /${ctrl('C')}`);
    expect(screen.lines()).toEqual([`${PROMPT}rm -r /^C`, PROMPT.trim()]);
    await screen.type('echo $?\r');
    expect(screen.lines().at(-2)).toBe('130');
  });

  test('an open quote goes on in the next line', async () => {
    await screen.type("echo 'a\r");
    expect(last()).toBe('>');
    await screen.type("b'\r");
    expect(screen.lines().slice(-3)).toEqual(['a', 'b', PROMPT.trim()]);
  });
});

describe('history', () => {
  beforeEach(() => screen.type('echo one\recho two\recho two\r'));

  test('arrows go through it and back to the line begun', async () => {
    await screen.type(`new${UP}`);
    expect(last()).toBe(`${PROMPT}echo two`);
    await screen.type(UP);
    expect(last()).toBe(`${PROMPT}echo one`);
    await screen.type(UP);
    expect(last()).toBe(`${PROMPT}echo one`);
    await screen.type(DOWN + DOWN);
    expect(last()).toBe(`${PROMPT}new`);
  });

  test('another console of the node has it too', async () => {
    const other = createScreen();
    interactiveShell(node, other);
    await other.type(UP);
    expect(other.lines()).toEqual([`${PROMPT}echo two`]);
  });

  test('Ctrl-R searches it, Enter runs what was found', async () => {
    await screen.type(`${ctrl('R')}on`);
    expect(last()).toBe("(reverse-i-search)`on': echo one");
    await screen.type('\r');
    expect(screen.lines().slice(-3)).toEqual([`${PROMPT}echo one`, 'one', PROMPT.trim()]);
  });

  test('`history` lists it once per repetition', async () => {
    await screen.type('history\r');
    expect(screen.lines().slice(-4, -1)).toEqual(['    1  echo one', '    2  echo two', '    3  history']);
  });
});

describe('completion', () => {
  test('of a command that is the only one', async () => {
    await screen.type('hostn\t');
    expect(last()).toBe(`${PROMPT}hostname`);
    expect(screen.cursor().column).toBe(PROMPT.length + 9);
  });

  test('as far as several agree; they are listed when nothing can be added', async () => {
    await screen.type('io-\t');
    expect(last()).toBe(`${PROMPT}io-pkt-v`);
    await screen.type('\t');
    expect(screen.lines()).toEqual([
      `${PROMPT}io-pkt-v`,
      'io-pkt-v4     io-pkt-v4-hc  io-pkt-v6-hc',
      `${PROMPT}io-pkt-v`,
    ]);
  });

  test('of files, with quotes where they are needed and on into directories', async () => {
    await screen.type("touch '/tmp/a b'\r");
    await screen.type('cat /t\t');
    expect(last()).toBe(`${PROMPT}cat /tmp/`);
    await screen.type('\t\r');
    expect(screen.lines().at(-2)).toBe(`${PROMPT}cat /tmp/a\\ b`);
  });

  test("by the program's own completer, and of files after a redirection", async () => {
    await screen.type('interface-test l\t');
    expect(last()).toBe(`${PROMPT}interface-test lo0`);
    await screen.type('> /etc/h\t');
    expect(last()).toBe(`${PROMPT}interface-test lo0 > /etc/hosts`);
  });

  test('after a separator a command is expected again, and variables after $', async () => {
    await screen.type('true && hostn\t; echo $HOSTN\t');
    expect(screen.lines().join('')).toContain('true && hostname ; echo $HOSTNAME');
  });
});

describe('jobs', () => {
  test('the foreground job reads lines; Ctrl-D ends its input', async () => {
    await screen.type('cat | wc -l\r');
    await screen.type('one\rtwx\x7fo\r');
    await screen.type(ctrl('D'));
    expect(screen.lines()).toEqual([`${PROMPT}cat | wc -l`, 'one', 'two', '       2', PROMPT.trim()]);
  });

  test('Ctrl-C ends the foreground job and the rest of its line', async () => {
    await screen.type('cat; echo never\r');
    await screen.type(ctrl('C'));
    expect(screen.lines()).toEqual([`${PROMPT}cat; echo never`, '^C', PROMPT.trim()]);
    await screen.type('echo $?\r');
    expect(screen.lines().at(-2)).toBe('130');
  });

  test('what is typed while a job runs goes to the next prompt', async () => {
    await screen.type('sloginfo -w\r');
    await screen.type('echo next\r');
    node.processes
      .all()
      .find(({ name }) => name === 'sloginfo')!
      .kill();
    await screen.type('');
    expect(screen.lines().slice(-3)).toEqual([`${PROMPT}echo next`, 'next', PROMPT.trim()]);
  });

  test('a job that computes without end leaves the console alive', async () => {
    await screen.type('cat /dev/zero | wc -c\r');
    await screen.type(`lost${ctrl('C')}`);
    expect(screen.lines()).toEqual([`${PROMPT}cat /dev/zero | wc -c`, '^C', PROMPT.trim()]);
  });

  test('a background job is numbered, listed, killed and reported', async () => {
    await screen.type('sloginfo -w > /dev/null &\r');
    const pid = node.processes.all().find(({ name }) => name === 'sloginfo')!.pid;
    expect(screen.lines()[1]).toBe(`[1] ${pid}`);
    await screen.type('jobs\r');
    expect(screen.lines().slice(-3, -1).join('')).toBe(
      '[1] + Running              sloginfo -w > /dev/null &',
    );
    await screen.type(ctrl('L') + 'kill %1\r');
    await screen.type('\r');
    expect(screen.lines().slice(2)).toEqual([
      '[1] + Terminated           sloginfo -w >',
      ' /dev/null &',
      PROMPT.trim(),
    ]);
    expect(node.processes.get(pid)).toBeUndefined();
  });

  test('wait waits for a job and can be interrupted', async () => {
    await screen.type('sloginfo -w >/dev/null &\r');
    await screen.type(ctrl('L') + 'wait; echo never\r');
    expect(screen.lines()).toEqual([`${PROMPT}wait; echo never`]);
    await screen.type(ctrl('C'));
    expect(last()).toBe(PROMPT.trim());
    expect(screen.lines()).not.toContain('never');
  });

  test('a list of commands runs in the background as one job', async () => {
    await screen.type('true && echo in background &\r');
    expect(screen.lines().join('\n')).toContain('in background');
    expect(screen.lines()[1]).toMatch(/^\[1\] \d+/);
  });
});

describe('the end', () => {
  test('exit leaves with its status', async () => {
    await screen.type('exit 5\r');
    expect(await shell.exited).toBe(5);
  });

  test('Ctrl-D on an empty line leaves', async () => {
    await screen.type(`false\r${ctrl('D')}`);
    expect(await shell.exited).toBe(1);
  });

  test('a hang-up ends the shell and its foreground job, not the background', async () => {
    await screen.type('sloginfo -w >/dev/null &\r');
    await screen.type('cat\r');
    shell.kill('SIGHUP');
    expect(await shell.exited).toBe(129);
    await screen.type('');
    expect(node.processes.all().map(({ name }) => name)).toEqual(['procnto', 'slogger', 'sloginfo']);
  });
});
