// Options of the commands, and how mistakes in them are reported.
import { expect, test } from 'vitest';
import { collector } from '../../../stack/kernel/byte-stream.ts';
import { createNode } from '../../../stack/kernel/node.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import { CommandError, command, getopt, getoptAnywhere, numberIn } from '../../../stack/utilities/command.ts';

test('clusters, attached and separate arguments, and the end of options', () => {
  const args = getopt(['-nqc3', '-i', '0.5', '--', '-x', 'host'], 'nqc:i:');
  expect([args.has('n'), args.has('q'), args.has('c')]).toEqual([true, true, true]);
  expect([args.value('c'), args.value('i'), args.value('z')]).toEqual(['3', '0.5', undefined]);
  expect(args.operands).toEqual(['-x', 'host']);
});

test('options end at the first operand; a single dash is one', () => {
  expect(getopt(['-a', '-', '-b'], 'ab').operands).toEqual(['-', '-b']);
  const anywhere = getoptAnywhere(['get', '-q', 'url', '-o', 'file'], 'qo:');
  expect(anywhere.operands).toEqual(['get', 'url']);
  expect(anywhere.value('o')).toBe('file');
});

test('an option given twice is counted, its last argument is taken', () => {
  const args = getopt(['-ss', '-o', 'a', '-o', 'b'], 'so:');
  expect(args.values('s')).toHaveLength(2);
  expect(args.values('o')).toEqual(['a', 'b']);
  expect(args.value('o')).toBe('b');
});

test('mistakes have the texts of getopt(3)', () => {
  expect(() => getopt(['-x'], 'a')).toThrow('unknown option -- x');
  expect(() => getopt(['-c'], 'c:')).toThrow('option requires an argument -- c');
});

test('numbers outside their range are refused with what would be right', () => {
  expect(numberIn('64', 'ttl', 1, 255)).toBe(64);
  expect(() => numberIn('256', 'ttl', 1, 255)).toThrow("ttl must be a whole number from 1 to 255, not '256'");
  expect(() => numberIn('1.5', 'ttl', 1, 255)).toThrow('whole number');
  expect(() => numberIn('0x10', 'ttl', 1, 255)).toThrow('not');
  expect(numberIn('.5', 'interval', 0, 10, false)).toBe(0.5);
});

const greet = command({
  name: 'greet',
  usage: '[-l] name\n-a',
  summary: 'says hello',
  options: 'la',
  run: async (self, args) => {
    if (args.has('a')) throw new CommandError('nobody is here', 3);
    await self.stdout.write(`hello ${args.operands.join(' ')}\n`);
    return 0;
  },
});

async function runGreet(...words: string[]): Promise<{ status: number; out: string; err: string }> {
  const node = createNode({ name: 'alpha' });
  const [stdout, stderr] = [collector(), collector()];
  const status = await spawn(node, greet.run, { argv: ['greet', ...words], stdout, stderr }).exited;
  await node.shutdown();
  return { status, out: stdout.text(), err: stderr.text() };
}

test('--help explains on standard output, a usage error on standard error with status 2', async () => {
  expect(await runGreet('--help')).toEqual({
    status: 0,
    out: 'greet: says hello\nusage: greet [-l] name\n       greet -a\n',
    err: '',
  });
  expect(await runGreet('-z')).toEqual({
    status: 2,
    out: '',
    err: 'greet: unknown option -- z\nusage: greet [-l] name\n       greet -a\n',
  });
});

test('a failure is reported with the name of the command and its status', async () => {
  expect(await runGreet('-a')).toEqual({ status: 3, out: '', err: 'greet: nobody is here\n' });
  expect(await runGreet('beta')).toEqual({ status: 0, out: 'hello beta\n', err: '' });
});
