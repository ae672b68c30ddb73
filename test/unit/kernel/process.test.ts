// Processes: exit statuses, signals, what is given up when one ends.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collector, pipe } from '../../../stack/kernel/byte-stream.ts';
import { open } from '../../../stack/kernel/files.ts';
import { O_CREAT, O_WRONLY } from '../../../stack/kernel/io-message.ts';
import { attachStack, detachStack, stackOf } from '../../../stack/kernel/io-pkt.ts';
import { createNode } from '../../../stack/kernel/node.ts';
import { UsageError, spawn } from '../../../stack/kernel/process.ts';
import type { LabNode, Process, Program } from '../../../stack/kernel/process.ts';
import { slabReports } from '../../../stack/memory/slab.ts';
import { ERRNO, SystemError } from '../../../stack/runtime/messages/errno.ts';

let node: LabNode;
beforeEach(() => {
  node = createNode({ name: 'alpha', env: { COLOR: 'blue' } });
});
afterEach(() => node.shutdown());

const reads: Program = async (self) => {
  await self.stdin.read(self.signal);
  return 0;
};
/** A program that is deaf to signals. */
const deaf: Program = () => new Promise(() => undefined);
const openPipe = (): { stdin: Process['stdin'] } => ({ stdin: pipe().source });

describe('the exit status', () => {
  const ended = async (program: Program): Promise<{ status: number; stderr: string }> => {
    const stderr = collector();
    const status = await spawn(node, program, { argv: ['prog'], stderr }).exited;
    return { status, stderr: stderr.text() };
  };

  test('is what the program returns', async () => {
    expect(await ended(() => Promise.resolve(42))).toEqual({ status: 42, stderr: '' });
  });
  test('is 1 after a system error, which is told', async () => {
    const program = (): Promise<number> => Promise.reject(new SystemError(ERRNO.ENOENT, 'file'));
    expect(await ended(program)).toEqual({ status: 1, stderr: 'prog: file: No such file or directory\n' });
  });
  test('is 2 after wrong usage, which is told', async () => {
    const program = (): Promise<number> => Promise.reject(new UsageError('a host is expected'));
    expect(await ended(program)).toEqual({ status: 2, stderr: 'prog: a host is expected\n' });
  });
  test('a fault of the program is in the system log with its place', async () => {
    const program = (): Promise<number> => Promise.reject(new TypeError('x is not a function'));
    expect(await ended(program)).toEqual({ status: 1, stderr: 'prog: x is not a function\n' });
    expect(node.log.entries()[0]).toMatchObject({ source: 'prog', severity: 2 });
    expect(node.log.entries()[0]?.text).toContain('process.test.ts');
  });
  test('is that of SIGPIPE, in silence, when nobody reads what it writes', async () => {
    const { source, sink } = pipe();
    source.close();
    const stderr = collector();
    const program: Program = async (self) => {
      await self.stdout.write('text');
      return 0;
    };
    expect(await spawn(node, program, { argv: ['prog'], stdout: sink, stderr }).exited).toBe(141);
    expect(stderr.text()).toBe('');
  });
});

describe('signals', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', 137],
  ] as const)('%s ends a program that waits: status %i', async (signal, status) => {
    const process = spawn(node, reads, { argv: ['prog'], ...openPipe() });
    process.kill(signal);
    expect(await process.exited).toBe(status);
    expect(node.processes.get(process.pid)).toBeUndefined();
  });

  test('a program may finish its work after SIGINT with a status of its own', async () => {
    const stdout = collector();
    const program: Program = async (self) => {
      await self.stdin.read(self.signal).catch(() => undefined);
      await self.stdout.write('summary');
      return 1;
    };
    const process = spawn(node, program, { argv: ['prog'], stdout, ...openPipe() });
    process.kill('SIGINT');
    expect(await process.exited).toBe(1);
    expect(stdout.text()).toBe('summary');
  });

  test('a deaf program is ended by a second signal', async () => {
    const process = spawn(node, deaf, { argv: ['prog'] });
    process.kill('SIGTERM');
    process.kill('SIGTERM');
    expect(await process.exited).toBe(137);
  });
});

test('a process inherits environment and directory, and changes only its own', async () => {
  const parent = spawn(node, reads, { argv: ['parent'], ...openPipe() });
  parent.env.set('COLOR', 'red');
  parent.cwd = '/tmp';
  const child = spawn(node, reads, { argv: ['child'], parent });
  child.env.set('COLOR', 'green');
  expect([child.cwd, child.ppid, parent.env.get('COLOR'), node.env.get('COLOR')]).toEqual([
    '/tmp',
    parent.pid,
    'red',
    'blue',
  ]);
});

test('open files are closed when a process ends', async () => {
  const program: Program = async (self) => {
    await open(self, '/tmp/a', O_WRONLY | O_CREAT);
    await open(self, '/tmp/a');
    return 0;
  };
  const process = spawn(node, program, { argv: ['prog'] });
  await process.exited;
  expect(process.fds.entries()).toEqual([]);
});

test('shutting a node down ends every process and gives its memory back', async () => {
  const other = createNode({ name: 'beta' });
  const used = (): number => slabReports().find(({ name }) => name === 'nodeRandom')!.inUse;
  const before = used();
  const processes = [
    spawn(other, deaf, { argv: ['a'] }),
    spawn(other, reads, { argv: ['b'], ...openPipe() }),
  ];
  await other.shutdown();
  expect(await Promise.all(processes.map(({ exited }) => exited))).toEqual([137, 137]);
  expect(other.processes.all()).toEqual([]);
  expect(other.paths.prefixes()).toEqual([]);
  expect(used()).toBe(before - 1);
});

test('nodes of one name and seed draw the same random numbers, others do not', async () => {
  const draw = async (name: string, seed: number): Promise<number> => {
    const made = createNode({ name, seed });
    const value = made.random();
    await made.shutdown();
    return value;
  };
  expect(await draw('x', 1)).toBe(await draw('x', 1));
  expect(await draw('x', 1)).not.toBe(await draw('y', 1));
  expect(await draw('x', 1)).not.toBe(await draw('x', 2));
});

describe('network managers', () => {
  const port = (prefix: string): Parameters<typeof attachStack>[1] => ({
    address: prefix === '' ? 1000 : 2000,
    instance: prefix === '' ? 0 : 1,
    prefix,
    variant: 'io-pkt-v4-hc',
  });
  const client = (sock?: string): Process => {
    const env = new Map(sock === undefined ? [] : [['SOCK', sock]]);
    return spawn(node, reads, { argv: ['client'], env, ...openPipe() });
  };

  test('a program uses the default one, or that of SOCK', () => {
    attachStack(node, port(''));
    attachStack(node, port('/alt'));
    expect(stackOf(client()).address).toBe(1000);
    expect(stackOf(client('')).address).toBe(1000);
    expect(stackOf(client('/alt')).address).toBe(2000);
    expect(stackOf(client('/alt/')).address).toBe(2000);
    expect(() => attachStack(node, port('/alt'))).toThrow('a stack at /alt/dev/socket: File exists');
  });

  test('what is missing is said', () => {
    expect(() => stackOf(client())).toThrow(/^no network manager is running on this node$/);
    attachStack(node, port(''));
    expect(() => stackOf(client('/alt'))).toThrow(/^SOCK=\/alt: no stack is registered there$/);
  });

  test('it is a process at priority 21 with a path, until it is detached or slain', async () => {
    const first = attachStack(node, port(''));
    expect([first.name, first.priority]).toEqual(['io-pkt-v4-hc', 21]);
    expect(node.paths.resolve('/dev/socket')?.server.pid).toBe(first.pid);
    detachStack(node, port(''));
    expect(node.stacks.size).toBe(1);
    detachStack(node, node.stacks.get('')!);
    await first.exited;
    expect(node.paths.resolve('/dev/socket')?.prefix).toBe('/');

    let slain = 0;
    const second = attachStack(node, port(''), { onSlain: () => slain++ });
    second.kill();
    await second.exited;
    expect([slain, node.stacks.size]).toEqual([1, 0]);
  });
});
