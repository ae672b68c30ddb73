// The commands on files, processes and the log, as they are typed.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startClock } from '../../../stack/runtime/clock.ts';
import { testNode } from './on-node.ts';
import type { TestNode } from './on-node.ts';

let alpha: TestNode;
beforeEach(() => {
  startClock('virtual', 1);
  alpha = testNode();
});
afterEach(() => alpha.node.shutdown());

const out = async (line: string, stdin?: string): Promise<string> => (await alpha.run(line, stdin)).stdout;

describe('pidin', () => {
  test('shows processes, their priority, and what they wait for', async () => {
    await alpha.run('on -p 15 sloginfo -w > /dev/null &');
    await alpha.run('ls | cat');
    const lines = (await out('pidin')).split('\n');
    expect(lines.slice(0, 3)).toEqual([
      '     pid tid name               prio STATE       Blocked',
      '       1   1 procnto             10r RECEIVE     1',
      '       2   1 slogger             10r RECEIVE     1',
    ]);
    expect(lines).toContainEqual(expect.stringMatching(/^ +\d+ +1 on +10r WAITPID +\d+$/));
    expect(lines).toContainEqual(expect.stringMatching(/^ +\d+ +1 sloginfo +15r SIGWAITINFO$/));
    expect(lines).toContainEqual(expect.stringMatching(/^ +\d+ +1 sh +10r WAITPID$/));
    expect(lines).toContainEqual(expect.stringMatching(/^ +\d+ +1 pidin +10r READY$/));
  });

  test('shows command lines and descriptors', async () => {
    expect(await out('pidin -p pidin arguments | tail -n 1')).toMatch(/^ +\d+ pidin -p pidin arguments\n$/);
    expect(await out('sh -c "pidin -p sh fd" | tail -n 1')).toMatch(/^ +\d+ sh$/m);
    expect((await alpha.run('pidin nonsense')).status).toBe(2);
  });
});

describe('slay', () => {
  test('ends processes by name or pid', async () => {
    await alpha.run('sloginfo -w & sloginfo -w &');
    expect((await alpha.run('slay sloginfo')).status).toBe(0);
    expect(await out('pidin -p sloginfo')).not.toContain('sloginfo');
    expect(await alpha.run('slay sloginfo')).toMatchObject({
      status: 1,
      stderr: "slay: Unable to find process 'sloginfo'\n",
    });
  });

  test('leaves procnto alone', async () => {
    expect(await alpha.run('slay procnto')).toMatchObject({
      status: 1,
      stderr: 'slay: procnto: Not owner\n',
    });
  });
});

describe('sloginfo', () => {
  test('prints the log with time, severity and source; -c empties it', async () => {
    alpha.node.log.write(2, 'io-pkt-v4', 'no such driver');
    await alpha.run('echo hello > /dev/slog');
    expect((await out('sloginfo')).split('\n').slice(1)).toEqual([
      'Jan 01 00:00:00.000    2 io-pkt-v4          no such driver',
      'Jan 01 00:00:00.000    5 echo               hello',
      '',
    ]);
    await alpha.run('sloginfo -c');
    expect(await out('sloginfo | wc -l')).toBe('       1\n');
  });

  test('-w goes on with what comes', async () => {
    await alpha.run('sloginfo -w > /tmp/log &');
    alpha.node.log.write(4, 'test', 'later');
    await out('ls');
    expect(await out('tail -n 1 /tmp/log')).toContain('test               later');
  });
});

describe('files', () => {
  test('ls lists names, and with -l kind, size and time', async () => {
    await alpha.run('cd /tmp; mkdir d; echo hello > d/f; touch d/.hidden');
    expect(await out('ls /tmp /tmp/d')).toBe('/tmp:\nd\n\n/tmp/d:\nf\n');
    expect(await out('ls -a /tmp/d')).toBe('.\n..\n.hidden\nf\n');
    expect(await out('ls -l /tmp/d')).toBe('-rw-r--r--  1 root      root               6 Jan 01 00:00 f\n');
    expect(await out('ls -ld /tmp/d | grep -c ^drwxr-xr-x')).toBe('1\n');
  });

  test('mkdir -p, cp, mv and rm -r', async () => {
    expect(
      (await alpha.run('mkdir -p /tmp/a/b/c; echo x > /tmp/a/f; cp /tmp/a/f /tmp/a/b; mv /tmp/a/f /tmp/g'))
        .stderr,
    ).toBe('');
    expect(await out('cat /tmp/a/b/f /tmp/g; ls /tmp/a')).toBe('x\nx\nb\n');
    expect(await alpha.run('rm /tmp/a')).toMatchObject({ status: 2 });
    expect((await alpha.run('rm -r /tmp/a; ls /tmp')).stdout).toBe('g\n');
    expect((await alpha.run('rm -f /tmp/none')).status).toBe(0);
    expect(await alpha.run('rm /tmp/none')).toMatchObject({
      status: 1,
      stderr: 'rm: /tmp/none: No such file or directory\n',
    });
  });

  test('wc, head, tail and grep count and choose', async () => {
    const text = 'one two\nthree\nfour\n';
    expect(await out('wc', text)).toBe('       3       4      19\n');
    expect(await out('head -n 1', text)).toBe('one two\n');
    expect(await out('tail -n 1', text)).toBe('four\n');
    expect(await out('grep -n "^[of]"', text)).toBe('1:one two\n3:four\n');
    expect(await out('grep -v o', text)).toBe('three\n');
    expect((await alpha.run('grep -q THREE', text)).status).toBe(1);
    expect((await alpha.run('grep -qi THREE', text)).status).toBe(0);
    expect((await alpha.run('grep "[" /etc/hosts')).status).toBe(2);
  });
});

describe('the node', () => {
  test('hostname prints and sets its name', async () => {
    expect(await out('hostname; hostname gate; hostname')).toBe('alpha\ngate\n');
  });

  test('help lists programs and built-ins and shows usage', async () => {
    const all = await out('help');
    for (const name of ['cd', 'io-pkt-v4-hc', 'ls', 'pidin', 'slay'])
      expect(all).toMatch(new RegExp(`^  ${name} +\\w`, 'm'));
    expect(await out('help sleep')).toBe('sleep: wait\nusage: sleep seconds\n');
    expect((await alpha.run('help nothing')).stderr).toBe('help: nothing: there is no such command\n');
  });

  test('env runs a command in a changed environment', async () => {
    expect(await out("env A=1 B='x y' sh -c 'echo $A $B'")).toBe('1 x y\n');
    expect((await alpha.run('env A=1 nothing')).status).toBe(127);
  });

  test('a stack cannot be started where there is none to start', async () => {
    expect(await alpha.run('io-pkt-v4')).toMatchObject({
      status: 1,
      stderr: 'io-pkt-v4: starting a stack: Function not implemented\n',
    });
  });

  test('waitfor finds a path at once, sleep wants a number', async () => {
    expect((await alpha.run('waitfor /dev/slog')).status).toBe(0);
    expect((await alpha.run('waitfor /dev/socket 0')).stderr).toBe(
      'waitfor: /dev/socket: not there after 0 seconds\n',
    );
    expect((await alpha.run('sleep soon')).status).toBe(2);
  });
});
