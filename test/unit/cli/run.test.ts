// `stackscope run` as a user types it: what it prints, its exit status, and that what cannot work is refused before anything starts.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { examples, stackscope, start, twoNodes } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: readonly string[]) => stackscope(folder, 'run', ...args);

function lab(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const brokenStart = lab(
  'broken-start.lab.yaml',
  `
name: broken-start
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 up'] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en7 10.0.0.2/24 up'] }
links:
  wire: { between: [alpha:en0, beta:en0] }
`,
);

interface JsonEvent {
  readonly event: string;
  readonly [key: string]: unknown;
}

function eventsOf(out: string): JsonEvent[] {
  expect(out.endsWith('\n')).toBe(true);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonEvent);
}

describe('commands', () => {
  test('run in order on their nodes, and their output is all that is printed', async () => {
    const { status, out, err } = await run(
      twoNodes,
      ...['--time', 'virtual', '--seed', '7'],
      ...['--exec', 'alpha: ping -c 3 10.0.0.2', '--exec', 'alpha: http get http://10.0.0.2/'],
    );
    expect(err).toBe('');
    expect(out.match(/^64 bytes from 10\.0\.0\.2: icmp_seq=[012] /gm)).toHaveLength(3);
    expect(out.indexOf('3 packets received')).toBeLessThan(out.indexOf('<h1>beta</h1>'));
    expect(status).toBe(0);
  });

  test('run in real time as well', async () => {
    const { status, out } = await run(twoNodes, '--threads', '2', '--exec', 'beta: ping -c 1 10.0.0.1');
    expect(out).toContain('1 packets received');
    expect(status).toBe(0);
  });

  test('keep standard output and standard error apart', async () => {
    const { out, err } = await run(
      twoNodes,
      '--time',
      'virtual',
      '--exec',
      'alpha: echo here; nosuch; echo there',
    );
    expect(out).toBe('here\nthere\n');
    expect(err).toContain('nosuch: not found');
  });

  test('give their exit status: that of the first one that fails', async () => {
    const commands = ['true', 'sh -c "exit 3"', 'nosuch', 'echo last'].flatMap((line) => [
      '--exec',
      `alpha: ${line}`,
    ]);
    const { status, out } = await run(twoNodes, '--time', 'virtual', ...commands);
    expect(out).toBe('last\n');
    expect(status).toBe(3);
  });

  test('stay in the background with &, while the others go on', async () => {
    const { status, out } = await run(
      twoNodes,
      ...['--time', 'virtual', '--exec', 'beta: nc -l 5000 &'],
      ...['--exec', 'alpha: echo hello | nc 10.0.0.2 5000', '--for', '2s'],
    );
    expect(out).toBe('hello\n');
    expect(status).toBe(0);
  });
});

test('a start-up line that fails is told with its node and makes the status 1', async () => {
  const { status, err } = await run(brokenStart, '--time', 'virtual', '--exec', 'alpha: true');
  expect(err).toContain('interface en7 does not exist');
  expect(err).toContain("node beta: start-up line 'ifconfig en7 10.0.0.2/24 up' ended with status 1");
  expect(status).toBe(1);
  const other = await run(brokenStart, '--time', 'virtual', '--exec', 'alpha: nosuch');
  expect(other.status).toBe(127);
});

test('--for runs until so much lab time has passed, which virtual time makes short', async () => {
  const begin = performance.now();
  const { status, out } = await run(twoNodes, '--time', 'virtual', '--for', '300s', '--json');
  const stopped = eventsOf(out).at(-1)!;
  expect(stopped).toMatchObject({ event: 'stopped', reason: 'done', status: 0, time: 300 });
  expect(performance.now() - begin).toBeLessThan(30_000);
  expect(status).toBe(0);
});

test('--json prints every event as an object of one line and nothing else', async () => {
  const { status, out } = await run(
    brokenStart,
    ...['--time', 'virtual', '--json', '--capture', 'all=events.pcapng'],
    ...['--exec', 'alpha: echo one; nosuch', '--exec', 'alpha: echo "käse\n"'],
  );
  const events = eventsOf(out);
  expect(events.filter(({ event }) => event === 'started')).toEqual([
    {
      event: 'started',
      lab: 'broken-start',
      time: 'virtual',
      seed: 1,
      nodes: ['alpha', 'beta'],
      links: ['wire'],
    },
  ]);
  const told = events.slice(events.findIndex(({ event }) => event === 'started') + 1);
  const command = 'echo one; nosuch';
  expect(told.slice(0, 3)).toEqual([
    { event: 'output', node: 'alpha', command, stream: 'stdout', text: 'one\n' },
    {
      event: 'output',
      node: 'alpha',
      command,
      stream: 'stderr',
      text: expect.stringContaining('nosuch') as unknown,
    },
    { event: 'exit', node: 'alpha', command, status: 127 },
  ]);
  expect(told.map(({ text }) => text)).toContainEqual(expect.stringContaining('käse'));
  expect(told.slice(-2)).toEqual([
    { event: 'capture', file: 'events.pcapng', packets: 1, dropped: 0 },
    { event: 'stopped', status: 127, reason: 'done', time: expect.any(Number) as unknown },
  ]);
  expect(events).toContainEqual({
    event: 'exit',
    node: 'beta',
    command: 'ifconfig en7 10.0.0.2/24 up',
    status: 1,
    startup: true,
  });
  expect(status).toBe(127);
});

describe('Ctrl-C', () => {
  test('stops a lab that runs without an end', async () => {
    const running = start(folder, ['run', twoNodes]);
    await running.wrote('two-nodes is running (nodes: 2, links: 1); Ctrl-C stops it');
    running.process.kill('SIGINT');
    expect(await running.ended).toMatchObject({ status: 0, out: '' });
  });

  test('ends the command that runs, which may have a last word, and no further one starts', async () => {
    const commands = ['--exec', 'alpha: ping 10.0.0.2', '--exec', 'alpha: echo never'];
    const running = start(folder, ['run', twoNodes, ...commands]);
    await running.wrote('icmp_seq=1 ');
    running.process.kill('SIGINT');
    const { status, out } = await running.ended;
    expect(out).toMatch(/(\d+) packets transmitted, \1 packets received/);
    expect(out).not.toContain('never');
    expect(status).toBe(130);
  });

  test('stops a lab in virtual time in which nothing happens', async () => {
    const running = start(folder, ['run', twoNodes, '--time', 'virtual', '--json']);
    await running.wrote('"started"');
    running.process.kill('SIGTERM');
    const { status, out } = await running.ended;
    expect(eventsOf(out).at(-1)).toMatchObject({ event: 'stopped', reason: 'interrupted' });
    expect(status).toBe(0);
  });
});

test('a reader that goes away ends the run without a complaint', async () => {
  const running = start(folder, ['run', twoNodes, '--exec', 'alpha: ping 10.0.0.2']);
  await running.wrote('icmp_seq=0 ');
  running.process.stdout?.destroy();
  expect((await running.ended).err).toBe('');
});

describe('refused before anything starts, with status 2:', () => {
  const tap = join(examples, 'tap.lab.yaml');
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    ['no lab file', [], 'which lab? Name a lab file, or --from a snapshot'],
    ['a lab file that is not there', ['absent.lab.yaml'], 'absent.lab.yaml:1:1: there is no such file'],
    ['an unknown option', [twoNodes, '--fast'], "unknown option '--fast'"],
    ['an unknown clock', [twoNodes, '--time', 'dream'], 'Allowed choices are real, virtual'],
    ['a seed that is no number', [twoNodes, '--seed', 'x'], 'whole number from 0 to 4294967295'],
    ['no threads', [twoNodes, '--threads', '0'], 'whole number from 1 to 32'],
    ['a time without a unit', [twoNodes, '--for', '10'], 'It must be a duration such as 1ms'],
    ['a command without a node', [twoNodes, '--exec', 'ping'], "Write 'NODE: COMMAND'"],
    ['a node without a command', [twoNodes, '--exec', 'alpha: '], "Write 'NODE: COMMAND'"],
    ['an unknown node', [twoNodes, '--exec', 'alhpa: ls'], 'there is no node alhpa (did you mean alpha?)'],
    ['a capture without a file', [twoNodes, '--capture', 'all'], 'Write WHAT=FILE'],
    ['a capture of nothing', [twoNodes, '--capture', 'wire=x.pcapng'], 'Write WHAT=FILE'],
    [
      'an unknown link',
      [twoNodes, '--capture', 'link:wier=x.pcapng'],
      'there is no link wier (did you mean wire?)',
    ],
    [
      'an unknown interface',
      [twoNodes, '--capture', 'beta:en1=x.pcapng'],
      'node beta has no interface en1; it has: en0',
    ],
    [
      'a folder that is not there',
      [twoNodes, '--capture', 'all=no/x.pcapng'],
      'cannot write no/x.pcapng: there is no such folder',
    ],
    ['a capture over the lab file', [brokenStart, '--capture', `all=${brokenStart}`], 'would overwrite'],
    ['a port to the host in virtual time', [tap, '--time', 'virtual'], 'port host leads to the host'],
  ];
  test.each(cases)('%s', async (_name, args, message) => {
    const { status, out, err } = await run(...args, '--exec', 'alpha: echo started');
    expect(err).toContain(message);
    expect(err).not.toMatch(/^\s+at /m);
    expect({ out, status }).toEqual({ out: '', status: 2 });
    expect(existsSync(join(folder, 'x.pcapng'))).toBe(false);
  });

  test('the lab file is as it was', () => {
    expect(readFileSync(brokenStart, 'utf8')).toContain('name: broken-start');
  });
});
