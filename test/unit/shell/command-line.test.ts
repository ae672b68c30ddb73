// The shell's language, judged by what commands print and return.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testNode } from './on-node.ts';
import type { TestNode } from './on-node.ts';

let alpha: TestNode;
beforeEach(() => {
  alpha = testNode();
});
afterEach(() => alpha.node.shutdown());

const out = async (line: string, stdin?: string): Promise<string> => (await alpha.run(line, stdin)).stdout;

describe('quoting', () => {
  test.each([
    [`echo 'a  b' "c  d" e\\ \\ f`, 'a  b c  d e  f'],
    [`echo 'it'"'"'s'`, "it's"],
    [`echo "a\\"b\\\\c\\$d\\e"`, 'a"b\\c$d\\e'],
    [`echo '$HOME' "$HOSTNAME" $HOSTNAME`, '$HOME alpha alpha'],
    [`echo a#b # a comment`, 'a#b'],
    [`echo "a # b"`, 'a # b'],
    [`echo a\\\nb`, 'ab'],
    [`echo "" x`, ' x'],
  ])('%s', async (line, expected) => {
    expect(await out(line)).toBe(`${expected}\n`);
  });
});

describe('variables', () => {
  test.each([
    ['X=1; echo $X ${X}2 $Xy', '1 12'],
    ['X="a  b"; echo $X "$X"', 'a b a  b'],
    ['echo ${NONE:-fallback} "${NONE}"', 'fallback '],
    ['false; echo $?', '1'],
    ['X=outer; X=inner env | grep ^X=; echo $X', 'X=inner\nouter'],
    ['X=1; env | grep -c ^X=', '0'],
    ["export X=1; sh -c 'echo $X'", '1'],
    ['export X=1; unset X; echo "<$X>"', '<>'],
    ['echo $ a$', '$ a$'],
  ])('%s', async (line, expected) => {
    expect(await out(line)).toBe(`${expected}\n`);
  });

  test('what one line exports the next one has', async () => {
    await alpha.run('export SOCK=/alt');
    expect(await out('echo $SOCK')).toBe('/alt\n');
    await alpha.run('unset SOCK');
    expect(await out('echo "<$SOCK>"')).toBe('<>\n');
  });

  test('$$ is the pid of the shell that pidin shows', async () => {
    const text = await out('echo $$; pidin -p sh arguments | tail -n 1');
    expect(text).toMatch(/^(\d+)\n +\1 sh -c echo \$\$/);
  });
});

describe('lists', () => {
  test.each([
    ['true && echo yes || echo no', 'yes'],
    ['false && echo yes || echo no', 'no'],
    ['false || false && echo x; echo end', 'end'],
    ['! false && echo inverted', 'inverted'],
    ['echo a; echo b\necho c', 'a\nb\nc'],
    ['false; true; echo $?', '0'],
    ['exit 3; echo never', ''],
  ])('%s', async (line, expected) => {
    expect(await out(line)).toBe(expected === '' ? '' : `${expected}\n`);
  });

  test('the status is that of the last command', async () => {
    expect((await alpha.run('true; false')).status).toBe(1);
    expect((await alpha.run('exit 7')).status).toBe(7);
    expect((await alpha.run('')).status).toBe(0);
  });
});

describe('pipes and redirections', () => {
  test.each([
    ['echo hello | cat | wc -c', '       6'],
    ['echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f', 'a\nb'],
    ['echo a>/tmp/f;cat</tmp/f', 'a'],
    ['ls /none 2> /tmp/err; cat /tmp/err', 'ls: /none: No such file or directory'],
    ['ls /none 2>&1 | wc -l', '       1'],
    ['echo x > /tmp/f 2>&1; cat /tmp/f', 'x'],
    ['cat /dev/zero | head -n 0; echo done', 'done'],
    ['echo a | tee /tmp/f | grep -c a; cat /tmp/f', '1\na'],
    ['X="/tmp/a b"; echo q > "$X"; cat "/tmp/a b"', 'q'],
  ])('%s', async (line, expected) => {
    expect(await out(line)).toBe(`${expected}\n`);
  });

  test('standard input reaches the first command', async () => {
    expect(await out('cat | grep b', 'abc\nxyz\n')).toBe('abc\n');
  });

  test('a file that cannot be opened fails the command, not the line', async () => {
    expect(await alpha.run('cat < /none; echo on')).toEqual({
      stdout: 'on\n',
      stderr: 'sh: /none: No such file or directory\n',
      status: 0,
    });
    expect((await alpha.run('echo x > /none/f')).status).toBe(1);
  });

  test('a writer ends when its reader has gone', async () => {
    expect(await alpha.run('cat /dev/zero | true')).toEqual({ stdout: '', stderr: '', status: 0 });
    expect((await out('pidin')).includes('cat')).toBe(false);
  });
});

describe('patterns', () => {
  beforeEach(() => alpha.run('cd /tmp; touch a1 a2 b1 .hidden; mkdir d e; touch d/a9 e/x'));
  test.each([
    ['echo a*', 'a1 a2'],
    ['echo ?1', 'a1 b1'],
    ['echo [a-b]1 [!a]1', 'a1 b1 b1'],
    ['echo *', 'a1 a2 b1 d e'],
    ['echo .h*', '.hidden'],
    ['echo "a*" a\\*', 'a* a*'],
    ['echo none*', 'none*'],
    ['echo */a*', 'd/a9'],
    ['echo */x', 'e/x'],
    ['echo /tmp/a[1-2]', '/tmp/a1 /tmp/a2'],
    ['echo [z-a]', '[z-a]'],
    ['P="a*"; echo $P "$P"', 'a1 a2 a*'],
  ])('%s', async (line, expected) => {
    expect(await out(`cd /tmp; ${line}`)).toBe(`${expected}\n`);
  });
});

describe('errors', () => {
  test.each([
    ['ecko hi', 127, 'sh: ecko: not found (did you mean echo?)\n'],
    ['xyzzy', 127, 'sh: xyzzy: not found\n'],
    ['echo "open', 2, 'sh: syntax error: no closing "\n'],
    ["echo 'open", 2, "sh: syntax error: no closing '\n"],
    ['echo a |', 2, 'sh: syntax error: a command expected at the end\n'],
    ['| echo', 2, 'sh: syntax error: | where a command was expected\n'],
    ['echo a; ; echo b', 2, 'sh: syntax error: ; where a command was expected\n'],
    ['echo >', 2, 'sh: syntax error: a file name expected at the end\n'],
    ['echo $(date)', 2, 'sh: syntax error: $(command) is not supported by this shell\n'],
    ['(echo)', 2, 'sh: syntax error: ( is not supported by this shell\n'],
    ['cd /none', 1, 'sh: /none: No such file or directory\n'],
    ['cd /etc/hosts', 1, 'sh: /etc/hosts: Not a directory\n'],
    ['kill 999', 1, 'kill: 999: No such process\n'],
    ['kill -FOO 1', 2, 'kill: FOO: unknown signal; one of SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGTERM\n'],
    ['kill 1', 1, 'sh: kill: 1: Not owner\n'],
  ])('%s', async (line, status, stderr) => {
    expect(await alpha.run(line)).toEqual({ stdout: '', stderr, status });
  });
});

test('cd, pwd and cd - move about', async () => {
  expect(await out('cd /etc; pwd; cd ../tmp; pwd; cd -; cd; pwd')).toBe('/etc\n/tmp\n/etc\n/root\n');
});

test('a file of commands runs by path and by sh', async () => {
  await alpha.run("echo 'echo from $0; exit 4' > /tmp/script");
  expect(await alpha.run('/tmp/script')).toMatchObject({ stdout: 'from sh\n', status: 4 });
  expect(await alpha.run('sh /tmp/script')).toMatchObject({ status: 4 });
  expect(await alpha.run('echo "echo piped" | sh')).toMatchObject({ stdout: 'piped\n', status: 0 });
});
