// Snapshots from the command line: what goes on from one is the rest of the run that was not stopped, and going back is having been there; what cannot be used is refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../../main/capture/read.ts';
import { decodeSnapshot, encodeSnapshot } from '../../../main/lab/snapshot/format.ts';
import type { SnapshotFile } from '../../../main/lab/snapshot/format.ts';
import { loadZstd } from '../../../main/lab/snapshot/zstd.ts';
import { examples, stackscope, twoNodes } from './stackscope.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-snapshot-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);
const example = (name: string): string => join(examples, `${name}.lab.yaml`);
const cli = (...args: readonly string[]) => stackscope(folder, ...args);
const virtual = (lab: string, ...args: readonly string[]) =>
  cli('run', lab, '--time', 'virtual', '--seed', '7', ...args);

/** Packets with their times, as text. */
async function packetsOf(file: string): Promise<string[]> {
  const { packets } = await readCapture(path(file));
  return packets.map(({ time, data }) => `${time} ${Buffer.from(data).toString('hex')}`);
}

interface Case {
  readonly lab: string;
  readonly commands: readonly string[];
  readonly at: string;
}

// A transfer in flight, a link that loses packets, a switch that has learned, pings on the way: none of them is over when the lab is saved.
const cases: readonly Case[] = [
  {
    lab: 'two-nodes',
    commands: ['alpha: ping -c 3 10.0.0.2', 'alpha: http get -q http://10.0.0.2/bytes/300000'],
    at: '2.02s',
  },
  { lab: 'router', commands: ['left: http get -q http://10.2.0.2/bytes/500000'], at: '150ms' },
  { lab: 'chain', commands: ['n1: ping -c 5 -i 0.2 10.0.7.2 &', 'n1: sleep 1'], at: '0.5s' },
];

const execs = ({ commands }: Case): string[] => commands.flatMap((command) => ['--exec', command]);

test.each(cases)(
  '$lab: what goes on from a snapshot at $at is the rest of the run, to the byte and the nanosecond',
  async (one) => {
    const { lab, at } = one;
    const [whole, saved] = await Promise.all([
      virtual(example(lab), ...execs(one), '--for', '4s', '--capture', `all=${lab}-whole.pcapng`),
      virtual(example(lab), ...execs(one), '--for', '4s', '--snapshot-at', `${at}=${lab}.snapshot`),
    ]);
    expect(saved.status).toBe(whole.status);
    const rest = await cli('run', '--from', `${lab}.snapshot`, '--capture', `all=${lab}-rest.pcapng`);
    expect(rest.err).toBe('');
    const [all, later] = [await packetsOf(`${lab}-whole.pcapng`), await packetsOf(`${lab}-rest.pcapng`)];
    expect(later.length).toBeGreaterThan(3);
    expect(later.length).toBeLessThan(all.length);
    expect(later).toEqual(all.slice(all.length - later.length));
    expect(whole.out.endsWith(rest.out)).toBe(true);
  },
  60_000,
);

describe('a run that was saved', () => {
  const ping = ['--exec', 'alpha: ping -c 4 -w 6 10.0.0.2'];
  beforeAll(async () => {
    const { status } = await virtual(twoNodes, ...ping, '--snapshot-at', '1.5s=ping.snapshot', '--for', '4s');
    expect(status).toBe(0);
  }, 30_000);

  test('is saved in the same bytes by another run that is the same', async () => {
    const { out } = await cli(
      'snapshot',
      twoNodes,
      '--seed',
      '7',
      '--at',
      '1.5s',
      ...ping,
      '-o',
      'again.snapshot',
    );
    expect(out).toMatch(/^event \d+, 1\.500000000 s: saved in again\.snapshot, \d+ bytes\n$/);
    const { events } = JSON.parse((await cli('snapshot', 'info', '--json', 'ping.snapshot')).out) as {
      events: number;
    };
    const again = JSON.parse((await cli('snapshot', 'info', '--json', 'again.snapshot')).out) as {
      events: number;
    };
    expect(again.events).toBe(events);
    const zstd = await loadZstd();
    const [one, other] = ['ping.snapshot', 'again.snapshot'].map((name) =>
      decodeSnapshot(readFileSync(path(name)), zstd),
    );
    expect(other!.image).toEqual(one!.image);
  }, 30_000);

  test('goes on another way with commands that are added', async () => {
    const { out, status } = await cli(
      'run',
      '--from',
      'ping.snapshot',
      '--exec',
      'beta: netstat -rn',
      '--exec',
      'alpha: ping -c 1 10.0.0.2',
    );
    expect(status).toBe(0);
    expect(out).toContain('icmp_seq=3');
    expect(out.split('PING Statistics')).toHaveLength(3);
  });

  test('can be saved again where it goes on', async () => {
    expect((await cli('run', '--from', 'ping.snapshot', '--snapshot-at', '2.5s=later.snapshot')).status).toBe(
      0,
    );
    const rest = await cli('run', '--from', 'later.snapshot');
    expect(rest.out).toContain('icmp_seq=3');
    expect(rest.out).not.toContain('icmp_seq=2');
  });

  test('saved where it goes on, makes the file that the whole run makes there, and goes on for its time', async () => {
    const [whole, part] = await Promise.all([
      virtual(twoNodes, ...ping, '--for', '4s', '--snapshot-at', '2.5s=whole.snapshot'),
      cli('run', '--from', 'ping.snapshot', '--snapshot-at', '2.5s=part.snapshot', '--json'),
    ]);
    expect(whole.status).toBe(0);
    expect(readFileSync(path('part.snapshot')).equals(readFileSync(path('whole.snapshot')))).toBe(true);
    expect(part.out).toMatch(/"event":"stopped".*"time":4\}\n$/);
    const modules = await cli('run', '--from', 'ping.snapshot', '--modules', '.');
    expect(modules.err).toBe(
      'stackscope: ping.snapshot was made without --modules; go on from it in the same way\n',
    );
  }, 60_000);

  test('is looked into without being run', async () => {
    const { out } = await cli('snapshot', 'info', 'ping.snapshot');
    expect(out).toContain('two-nodes.lab.yaml, seed 7');
    expect(out).toContain('command    alpha: ping -c 4 -w 6 10.0.0.2');
    expect(out).toMatch(/en0 +10\.0\.0\.1 +\d+ packets in, \d+ out/);
    expect(out).toMatch(/pid \d+: httpd -p 80/);
  });
});

describe('going back', () => {
  const ping = ['--exec', 'alpha: ping -c 4 -w 6 10.0.0.2'];
  const control = async (script: string, ...args: readonly string[]) => {
    writeFileSync(path('script'), script);
    return virtual(twoNodes, ...ping, '--control', 'script', ...args);
  };

  test('and forward again is the run that never went back, in the capture as well', async () => {
    await virtual(twoNodes, ...ping, '--capture', 'all=straight.pcapng');
    const { out } = await control(
      'to 2.5s\nback 2s\nstep 3\nnext 2\nback-to event 20\nto +1s\n',
      '--capture',
      'all=bent.pcapng',
    );
    expect(out).toMatch(/^event 20, \d\.\d{9} s: went back; what came after has not happened$/m);
    expect(await packetsOf('bent.pcapng')).toEqual(await packetsOf('straight.pcapng'));
  }, 30_000);

  test('what the script let in has not happened then', async () => {
    const { out } = await control('to 1.5s\nexec beta: ifconfig en0 down\nto 2.5s\nback 1s\nto 3s\n');
    expect(out).toContain('4 packets received');
    const kept = await control('to 2.5s\nback 1s\nexec beta: ifconfig en0 down\nto 3s\n');
    expect(kept.out).toContain('2 packets received');
  }, 30_000);

  test.each([
    ['back-to 9s\n', /^stackscope: back-to: that is ahead of event \d+, 0 s; 'to' goes there$/m],
    ['to 1s\nto 0.5s\n', /^stackscope: to 0.5s: the lab is at 1 s already; 'back-to' goes back$/m],
    ['to 1s\nbakc 1s\n', /^script:2: there is no command 'bakc'; there are: pause, resume, /m],
    [
      '# first\nstep x\nto 3x\n',
      /^script:2: 'step x' is not: step \[EVENTS\]\nscript:3: 'to 3x' is not: to TIME, such as 2s, /m,
    ],
    ['exec gamma: ls\n', /there is no node gamma/],
  ])('%j is refused', async (script, message) => {
    const { status, err } = await control(script);
    expect(status).toBe(2);
    expect(err).toMatch(message);
  });
});

describe('refused', () => {
  let good: SnapshotFile;
  let bytes: Buffer;
  beforeAll(async () => {
    await virtual(twoNodes, '--exec', 'alpha: ping -c 2 10.0.0.2', '--snapshot-at', '1s=good.snapshot');
    bytes = readFileSync(path('good.snapshot'));
    good = decodeSnapshot(bytes, await loadZstd());
    writeFileSync(path('lab'), readFileSync(twoNodes));
  }, 30_000);

  /** Writes a file and goes on from it. */
  const from = (content: Uint8Array) => {
    writeFileSync(path('bad.snapshot'), content);
    return cli('run', '--from', 'bad.snapshot');
  };

  test('one that is cut off', async () => {
    const { status, err } = await from(bytes.subarray(0, 3000));
    expect(status).toBe(2);
    expect(err).toContain('bad.snapshot is cut off after 3000 of ');
  });

  test.each<[string, (header: SnapshotFile['header']) => SnapshotFile['header'], string]>([
    [
      'a command on a node that its lab has not',
      ({ history, ...rest }) => ({
        ...rest,
        history: { ...history, plan: { commands: [{ node: 'gamma', command: 'ls' }] } },
      }),
      'is damaged: its history names a node gamma, its lab has none',
    ],
    [
      'an input on a node that its lab has not',
      ({ history, ...rest }) => {
        const input = { kind: 'exec', node: 'gamma', command: 'ls' } as const;
        return { ...rest, history: { ...history, journal: [{ at: { events: 3, time: 0 }, input }] } };
      },
      'is damaged: its history names a node gamma, its lab has none',
    ],
    [
      'a journal that goes back in time',
      ({ history, ...rest }) => {
        const input = { kind: 'exec', node: 'beta', command: 'ls' } as const;
        const journal = [5, 4].map((events) => ({ at: { events, time: 0 }, input }));
        return { ...rest, history: { ...history, journal } };
      },
      'is damaged: the order of its journal makes no sense',
    ],
    [
      'a place before its journal',
      ({ history, ...rest }) => {
        const input = { kind: 'exec', node: 'beta', command: 'ls' } as const;
        return { ...rest, history: { ...history, journal: [{ at: { events: 10 ** 9, time: 0 }, input }] } };
      },
      'is damaged: the order of its journal makes no sense',
    ],
  ])('%s', async (_what, change, message) => {
    const { status, err } = await from(encodeSnapshot(change(good.header), good.image, await loadZstd()));
    expect(status).toBe(2);
    expect(err).toContain(`bad.snapshot ${message}`);
  });

  test('images that unpack to more than the memory, that overlap or lie outside of it: before they are unpacked', async () => {
    const zstd = await loadZstd();
    const unpacked: number[] = [];
    const counting = {
      ...zstd,
      decompress(packed: Uint8Array, size: number) {
        unpacked.push(size);
        return zstd.decompress(packed, size);
      },
    };
    const zeros = new Uint8Array(1024 * 1024);
    const runs = (addresses: readonly number[], bytes = zeros) =>
      addresses.map((address) => ({ address, bytes }));
    const bomb = runs(Array.from({ length: 24 }, () => 65_536));
    for (const image of [
      bomb,
      runs([0x7fff_0000]),
      runs([65_536, 65_536 + 4096]),
      runs([2 * 1024 * 1024, 65_536]),
      runs([65_536], new Uint8Array(2 * 1024 * 1024)),
    ]) {
      unpacked.length = 0;
      const packed = encodeSnapshot(good.header, image, zstd);
      expect(() => decodeSnapshot(packed, counting)).toThrow('is damaged: its memory image makes no sense');
      // Only the header was.
      expect(unpacked).toHaveLength(1);
    }
  });

  test('a header that says less of its size than it unpacks to', () => {
    const copy = Buffer.from(bytes);
    copy.writeUInt32LE(bytes.readUInt32LE(16) - 1, 16);
    return expect(from(copy)).resolves.toMatchObject({ status: 2 });
  });

  test('what is no file', async () => {
    const { status, err } = await cli('run', '--from', '/dev/zero');
    expect(err).toContain('/dev/zero is no file');
    expect(status).toBe(2);
  });

  test('going on from a snapshot leaves the captures of the run that was saved alone', async () => {
    const text = readFileSync(twoNodes, 'utf8') + 'captures: { own: { at: all, file: own.pcapng } }\n';
    writeFileSync(path('own.lab.yaml'), text);
    const ping = ['--exec', 'alpha: ping -c 2 10.0.0.2'];
    expect((await virtual('own.lab.yaml', ...ping, '--snapshot-at', '1s=own.snapshot')).err).toBe('');
    const before = readFileSync(path('own.pcapng'));
    expect(before.length).toBeGreaterThan(500);
    const { status } = await cli('run', '--from', 'own.snapshot', '-w', 'rest.pcapng');
    expect(status).toBe(0);
    expect(readFileSync(path('own.pcapng')).equals(before)).toBe(true);
    expect((await packetsOf('rest.pcapng')).length).toBeGreaterThan(1);
  }, 30_000);

  test('a layout that is not that of this program, with what is different', async () => {
    const { layouts } = good.header;
    const structs = { ...layouts.structs, tcpcb: layouts.structs['tcpcb']!.replace('=', 'extra:u32@400 =') };
    const header = { ...good.header, program: '0.0.9', layouts: { ...layouts, structs } };
    const { status, err } = await from(encodeSnapshot(header, good.image, await loadZstd()));
    expect(status).toBe(2);
    expect(err).toContain(
      'was made by Stackscope 0.0.9, whose memory has another layout than that of this program',
    );
    expect(err).toContain('struct tcpcb has extra:u32@400 there');
  });

  test('a memory to which its history does not lead, with where it differs', async () => {
    const image = good.image.map(({ address, bytes: run }, i) => {
      const copy = Uint8Array.from(run);
      if (i === good.image.length - 1) copy[copy.length - 1]! ^= 1;
      return { address, bytes: copy };
    });
    const { status, err } = await from(encodeSnapshot(good.header, image, await loadZstd()));
    expect(status).toBe(1);
    expect(err).toContain('its history, played again, does not lead to its state: ');
  });

  test.each([
    [
      ['run', twoNodes, '--snapshot-at', '1s=x'],
      '--snapshot-at needs --time virtual: programs cannot be saved, only done again',
    ],
    [['run', twoNodes, '--control', 'x'], '--control needs --time virtual'],
    [['run'], 'which lab? Name a lab file, or --from a snapshot'],
    [['run', twoNodes, '--from', 'good.snapshot'], 'has a lab of its own'],
    [
      ['run', '--from', 'good.snapshot', '--seed', '3'],
      '--seed cannot be chosen with --from: it is that of the snapshot',
    ],
    [
      ['run', '--from', 'good.snapshot', '--snapshot-at', '0.5s=x'],
      'x: the run goes on at 1 s, after that time',
    ],
    [['run', 'lab', '--time', 'virtual', '--snapshot-at', '1s=lab'], 'a snapshot to lab would overwrite lab'],
    [
      ['run', 'lab', '--time', 'virtual', '--snapshot-at', '1s=./p', '-w', 'p'],
      'a snapshot to ./p would overwrite p',
    ],
    [['run', 'lab', '--time', 'virtual', '--snapshot-at', '1s=no/x'], 'no/x: there is no such folder'],
    [['run', '--from', 'good.snapshot', '-w', 'good.snapshot'], 'would overwrite good.snapshot'],
    [['run', '--from', 'nowhere.snapshot'], 'nowhere.snapshot is not there'],
    [
      ['run', example('tap'), '--time', 'virtual', '--snapshot-at', '1s=x'],
      'such a lab can neither be saved nor go back',
    ],
    [['snapshot', twoNodes], 'snapshot needs --at TIME and -o FILE'],
  ])('%j', async (args, message) => {
    const { status, err } = await cli(...args);
    expect(status).toBe(2);
    expect(err).toContain(message);
  });
});
