// pfctl on a router between two hosts: what it loads, shows and changes, and that a wrong rule set changes nothing (pfctl(8)).
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { collector, sourceOf } from '../../../stack/kernel/byte-stream.ts';
import { runCommandLine } from '../../../stack/utilities/shell/shell.ts';
import { labFrom, nodeOf, refusal, run, stopLab, succeed } from '../../support/lab.ts';
import { testNode } from '../shell/on-node.ts';

const LAB = `
name: pfctl
nodes:
  left:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: [ifconfig en0 10.1.0.2/24 up, route add default 10.1.0.1]
  fw:
    stack: io-pkt-v4-hc -ptcpip forward
    interfaces: [en0, en1]
    startup: [ifconfig en0 10.1.0.1/24 up, ifconfig en1 10.2.0.1/24 up]
  right:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: [ifconfig en0 10.2.0.2/24 up, route add default 10.2.0.1, httpd -p 80 &]
links:
  lan: { between: [left:en0, fw:en0] }
  wan: { between: [fw:en1, right:en0] }
`;

const RULES = `
lan = "en0"
table <bad> persist { 10.9/16, !10.9.1.1 }
set limit states 500
scrub in
nat on en1 from $lan:network to any -> (en1)
block log all label "refused $nr"
pass in on $lan from $lan:network to any keep state
pass out all keep state
anchor guests
`;

let lab: RunningLab;

/** Puts a file on the firewall. */
async function put(path: string, text: string): Promise<void> {
  const [stdout, stderr] = [collector(), collector()];
  const streams = { stdout, stderr, stdin: sourceOf(text) };
  expect(await runCommandLine(nodeOf(lab, 'fw'), `tee ${path}`, streams)).toBe(0);
}

/** Lines that a command prints. */
async function lines(command: string): Promise<string[]> {
  return (await succeed(lab, 'fw', command)).trimEnd().split('\n');
}

describe('without /dev/pf', () => {
  it('reads rule sets, and says what is missing for all else', async () => {
    const { node, run: runLine } = testNode();
    await runLine("echo 'pass in all' > /etc/pf.conf");
    expect(await runLine('pfctl -nvf /etc/pf.conf')).toMatchObject({ status: 0, stdout: 'pass in all\n' });
    expect(await runLine('pfctl -s rules')).toMatchObject({
      status: 1,
      stderr:
        'pfctl: /dev/pf: No such file or directory (is lsm-pf-v4.so mounted? mount -T io-pkt lsm-pf-v4.so)\n',
    });
    expect((await runLine('pfctl -s wrong')).status).toBe(1);
    await node.shutdown();
  });

  it('reads standard input, macros of the command line, and 4.2', async () => {
    const { node, run: runLine } = testNode();
    const out = await runLine('pfctl -nv -G 4.2 -o none -D if=en7 -f -', 'pass on $if\npass on $if\n');
    expect(out.stdout.split('\n')[0]).toBe('pass on en7 all flags S/SA keep state');
    expect(out.stdout.trimEnd().split('\n')).toHaveLength(2);
    const merged = await runLine('pfctl -nv -G 4.2 -D if=en7 -f -', 'pass on $if\npass on $if\n');
    expect(merged.stdout.trimEnd().split('\n')).toHaveLength(1);
    await node.shutdown();
  });
});

describe('with PF', () => {
  beforeEach(async () => {
    lab = await labFrom(LAB);
    await succeed(lab, 'fw', 'mount -T io-pkt lsm-pf-v4.so');
    await put('/etc/pf.conf', RULES);
  });
  afterEach(() => stopLab(lab));

  it('loads rules that count what passes', async () => {
    expect(await run(lab, 'fw', 'pfctl -e -f /etc/pf.conf')).toEqual({
      status: 0,
      out: '',
      err: 'pf enabled\n',
    });
    expect(await refusal(lab, 'fw', 'pfctl -e')).toBe('pfctl: pf already enabled\n');
    await succeed(lab, 'left', 'ping -c 3 10.2.0.2');
    expect(await lines('pfctl -sr')).toEqual([
      'scrub in all fragment reassemble',
      'block drop log all label "refused 2"',
      'pass in on en0 inet from 10.1.0.0/24 to any keep state',
      'pass out all keep state',
      'anchor "guests" all',
    ]);
    const verbose = await lines('pfctl -vsr');
    expect(verbose[4]).toBe('pass in on en0 inet from 10.1.0.0/24 to any keep state');
    expect(verbose[5]).toMatch(/^ {2}\[ Evaluations: 2 {9}Packets: 6 {9}Bytes: 504 {9}States: 1 {5}\]$/);
    expect((await lines('pfctl -vvsn')).slice(0, 3)).toEqual([
      '@0 nat on en1 inet from 10.1.0.0/24 to any -> (en1) round-robin',
      expect.stringMatching(/Packets: 6 /),
      expect.stringMatching(/^ {2}\[ Inserted: uid 0 pid \d+ \]$/),
    ]);
    expect(await lines('pfctl -s labels')).toEqual(['refused 2 2 0 0']);
    expect((await lines('pfctl -s memory'))[0]).toBe('states     hard limit    500');
  });

  it('shows states, ends them, and flushes what it has', async () => {
    await succeed(lab, 'fw', 'pfctl -q -e -f /etc/pf.conf');
    await succeed(lab, 'left', 'ping -c 1 10.2.0.2');
    const states = await lines('pfctl -ss');
    expect(states).toEqual([
      expect.stringMatching(/^all icmp 10\.2\.0\.2:\d+ <- 10\.1\.0\.2 {7}0:0$/),
      expect.stringMatching(/^all icmp 10\.1\.0\.2:\d+ -> 10\.2\.0\.1:\d+ -> 10\.2\.0\.2 {7}0:0$/),
    ]);
    expect((await lines('pfctl -vvss'))[1]).toMatch(
      /^ {3}age 00:00:0\d, expires in 00:00:\d\d, 1:1 pkts, 84:84 bytes, rule 1$/,
    );
    const status = await succeed(lab, 'fw', 'pfctl -si');
    expect(status).toMatch(/^Status: Enabled for 0 days 00:00:0\d {11}Debug: Urgent\n/);
    expect(status).toMatch(/\n {2}current entries {24}2\n/);
    expect((await run(lab, 'fw', 'pfctl -k 10.1.0.2')).err).toBe(
      'killed 2 states from 1 sources and 0 destinations\n',
    );
    expect(await succeed(lab, 'fw', 'pfctl -ss')).toBe('');
    expect((await run(lab, 'fw', 'pfctl -F rules -a guests')).err).toBe('rules cleared\n');
    expect((await lines('pfctl -sr')).length).toBe(5);
    await succeed(lab, 'fw', 'pfctl -F all');
    expect(await succeed(lab, 'fw', 'pfctl -sr; pfctl -sn; pfctl -sT')).toBe('');
  });

  it('leaves everything as it was when a rule set is wrong', async () => {
    await succeed(lab, 'fw', 'pfctl -q -f /etc/pf.conf');
    const before = await succeed(
      lab,
      'fw',
      'pfctl -sr; pfctl -sn; pfctl -st; pfctl -sm; pfctl -t bad -T show',
    );
    await put(
      '/etc/wrong.conf',
      'set limit states 7\ntable <bad> { 1.1.1.1 }\npass in\npass out on en9 prot tcp\nblock to nosuch\n',
    );
    expect(await refusal(lab, 'fw', 'pfctl -f /etc/wrong.conf')).toBe(
      "/etc/wrong.conf:4: syntax error: expected the end of the line instead of 'prot'\n" +
        '/etc/wrong.conf:5: no IP address found for nosuch\n' +
        'pfctl: Syntax error in config file: pf rules not loaded\n',
    );
    expect(await succeed(lab, 'fw', 'pfctl -sr; pfctl -sn; pfctl -st; pfctl -sm; pfctl -t bad -T show')).toBe(
      before,
    );
  });

  it('takes options back when PF refuses one', async () => {
    await succeed(lab, 'fw', 'pfctl -q -e -f /etc/pf.conf');
    await succeed(lab, 'left', 'ping -c 1 10.2.0.2');
    const before = await succeed(lab, 'fw', 'pfctl -sr; pfctl -st; pfctl -sm');
    await put('/etc/low.conf', 'set timeout frag 5\nset limit states 1\npass all keep state\n');
    expect(await refusal(lab, 'fw', 'pfctl -f /etc/low.conf')).toMatch(
      /limit of states: more than 1 are in use.*pf rules not loaded/s,
    );
    expect(await succeed(lab, 'fw', 'pfctl -sr; pfctl -st; pfctl -sm')).toBe(before);
  });

  it('loads parts of a file, anchors, and files into anchors', async () => {
    await put('/etc/guests.conf', 'pass in proto tcp to port 80 keep state\n');
    await put('/etc/all.conf', `${RULES}load anchor guests from "/etc/guests.conf"\n`);
    await succeed(lab, 'fw', 'pfctl -q -N -f /etc/all.conf');
    expect(await lines('pfctl -sn')).toHaveLength(1);
    expect(await succeed(lab, 'fw', 'pfctl -sr')).toBe('');
    await succeed(lab, 'fw', 'pfctl -q -f /etc/all.conf');
    expect(await lines('pfctl -a guests -sr')).toEqual([
      'pass in proto tcp from any to any port = http keep state',
    ]);
    expect(await lines('pfctl -sA')).toEqual(['  guests']);
    await succeed(lab, 'fw', "echo 'block in all' | pfctl -q -a guests/night -f -");
    expect(await lines('pfctl -vsA')).toEqual(['  guests', '  guests/night']);
    expect(await lines("pfctl -a 'guests/night' -sr")).toEqual(['block drop in all']);
  });

  it('changes and asks tables', async () => {
    await succeed(lab, 'fw', 'pfctl -q -f /etc/pf.conf');
    const answer = async (line: string): Promise<[number, string, string]> => {
      const { status, out, err } = await run(lab, 'fw', line);
      return [status, err, out];
    };
    expect(await answer('pfctl -t bad -T show')).toEqual([0, '', '   10.9.0.0/16\n  !10.9.1.1\n']);
    expect(await answer('pfctl -t bad -vT add 10.8.0.1 10.9.0.0/16')).toEqual([
      0,
      '1/2 addresses added.\n',
      'A  10.8.0.1\n',
    ]);
    expect(await answer('pfctl -t bad -T test 10.9.1.1 10.9.2.2')).toEqual([2, '1/2 addresses match.\n', '']);
    expect(await answer('pfctl -t bad -T delete 10.8.0.1')).toEqual([0, '1/1 addresses deleted.\n', '']);
    await put('/etc/list', '# more\n10.7.0.0/24\n!10.7.0.9 10.9.0.0/16\n');
    expect(await answer('pfctl -t bad -T replace -f /etc/list')).toEqual([
      0,
      '2 addresses added.\n1 addresses deleted.\n',
      '',
    ]);
    expect(await answer('pfctl -t new -T add 10.0.0.1')).toEqual([
      0,
      '1 table created.\n1/1 addresses added.\n',
      '',
    ]);
    expect(await answer('pfctl -sT')).toEqual([0, '', 'bad\nnew\n']);
    expect(await answer('pfctl -t new -T kill')).toEqual([0, '1 table deleted.\n', '']);
    expect(await answer('pfctl -t none -T show')).toEqual([1, 'pfctl: Table does not exist.\n', '']);
    expect(await answer('pfctl -t bad -T add nowhere')).toEqual([
      1,
      'pfctl: no IP address found for nowhere\n',
      '',
    ]);
  });

  it('loads 4.2 with rules in braces, and lists them so', async () => {
    await put(
      '/etc/new.conf',
      'block\nanchor in on en0 {\npass proto tcp to port 80\nanchor "deep" {\npass quick\n}\n}\n',
    );
    await succeed(lab, 'fw', 'pfctl -q -G 4.2 -f /etc/new.conf');
    // From now on the device says which generation it has.
    expect(await lines("pfctl -a '*' -sr")).toEqual([
      'block drop all',
      'anchor in on en0 all {',
      '  pass proto tcp from any to any port = http flags S/SA keep state',
      '  anchor "deep" all {',
      '    pass quick all flags S/SA keep state',
      '  }',
      '}',
    ]);
  });
});
