/** The `pcap` command as a user runs it: output, messages and exit status. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PcapWriter } from '../../../main/capture/pcap-writer.ts';
import { PcapngWriter } from '../../../main/capture/pcapng-writer.ts';
import { readCapture } from '../../../main/capture/read.ts';
import { fileSink } from '../../../main/capture/sink.ts';
import { pcapCommand } from '../../../main/cli/pcap.ts';
import { requires } from '../../support/requires.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-pcap-'));
const path = (name: string) => join(folder, name);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const arpRequest = Buffer.from(
  'ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000002',
  'hex',
);

const wire = path('wire.pcapng');
const writer = new PcapngWriter(fileSink(wire), { comment: 'two\u001b[2J points' });
const ids = ['alpha:en0', 'beta:en0'].map((name) => writer.addInterface({ name, linkType: 1 }));
ids.forEach((interfaceId, index) => {
  writer.writePacket({ interfaceId, time: 1_700_000_000_000_000_001n + BigInt(index), data: arpRequest });
});
ids.forEach((interfaceId) => writer.writeStatistics({ interfaceId, time: 0n, received: 1n, dropped: 0n }));
writer.close();

const cut = path('cut.pcap');
const classic = new PcapWriter(fileSink(cut), { linkType: 1 });
for (const time of [0n, 1n]) classic.writePacket({ time, data: arpRequest, originalLength: 42 });
classic.close();
writeFileSync(cut, readFileSync(cut).subarray(0, -1));
writeFileSync(path('notes.txt'), 'not a capture at all');

let output = '';
let errors = '';

beforeEach(() => {
  output = errors = '';
  const capture = (take: (text: string) => void) => (text: string | Uint8Array, done?: unknown) => {
    take(String(text));
    if (typeof done === 'function') (done as () => void)();
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(capture((text) => (output += text)));
  vi.spyOn(process.stderr, 'write').mockImplementation(capture((text) => (errors += text)));
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs the command. @returns the exit status it would end with. */
async function run(...args: string[]): Promise<number> {
  process.exitCode = undefined;
  try {
    await pcapCommand().parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } finally {
    process.exitCode = undefined;
  }
}

describe('info', () => {
  test('--json prints one object with the figures of the file', async () => {
    expect(await run('info', '--json', wire)).toBe(0);
    expect(JSON.parse(output)).toEqual({
      file: wire,
      format: 'pcapng',
      packets: 2,
      bytes: 84,
      capturedBytes: 84,
      start: '2023-11-14T22:13:20.000000001Z',
      end: '2023-11-14T22:13:20.000000002Z',
      interfaces: [
        { name: 'alpha:en0', linkType: 'EN10MB', snapLen: 0, packets: 1, received: 1, dropped: 0 },
        { name: 'beta:en0', linkType: 'EN10MB', snapLen: 0, packets: 1, received: 1, dropped: 0 },
      ],
      linkTypes: ['EN10MB'],
      comments: ['two\u001b[2J points'],
      truncated: false,
      problems: [],
      journeys: 0,
    });
  });

  test('prints the same as text, without control characters of the file', async () => {
    expect(await run('info', wire)).toBe(0);
    expect(output).toMatch(/packets: +2\n/);
    expect(output).toMatch(/interface 1: +beta:en0, EN10MB, 1 packets/);
    expect(output).toContain('two\\x1b[2J points');
  });

  test('of a file that is cut short gives what there is and fails', async () => {
    expect(await run('info', '--json', cut)).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ packets: 1, truncated: true });
    expect(errors).toMatch(/cut\.pcap at byte 82: .*middle of a packet/);
  });

  test.each(['notes.txt', 'missing.pcap'])('of %s says why it cannot be read', async (name) => {
    expect(await run('info', '--json', path(name))).toBe(2);
    expect(output).toBe('');
    expect(errors).toContain(name);
  });
});

describe('list', () => {
  test('prints one line per packet', async () => {
    expect(await run('list', wire)).toBe(0);
    const lines = output.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]?.trim().split(/\s+/)).toEqual([
      ...['2', '0.000000001', '02:00:00:00:00:01', 'ff:ff:ff:ff:ff:ff', 'ARP', '42'],
      ...'Who has 10.0.0.2? Tell 10.0.0.1'.split(' '),
    ]);
  });

  test('--json prints one object per packet, --limit stops early', async () => {
    expect(await run('list', '--json', '-n', '1', wire)).toBe(0);
    expect(JSON.parse(output)).toEqual({
      number: 1,
      time: '2023-11-14T22:13:20.000000001Z',
      source: '02:00:00:00:00:01',
      destination: 'ff:ff:ff:ff:ff:ff',
      protocol: 'ARP',
      length: 42,
      info: 'Who has 10.0.0.2? Tell 10.0.0.1',
    });
  });

  test('of a file that is cut short prints the packets before the cut', async () => {
    expect(await run('list', cut)).toBe(1);
    expect(output.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('convert', () => {
  test('chooses the format by the extension', async () => {
    expect(await run('convert', wire, path('out.pcap'))).toBe(0);
    expect(await run('convert', path('out.pcap'), path('back.pcapng'))).toBe(0);
    const [classicFile, ngFile] = await Promise.all([
      readCapture(path('out.pcap')),
      readCapture(path('back.pcapng')),
    ]);
    expect([classicFile.format, ngFile.format]).toEqual(['pcap', 'pcapng']);
    expect([classicFile.packets.length, ngFile.packets.length]).toEqual([2, 2]);
  });

  test('keeps nanoseconds with --format pcap-ns', async () => {
    expect(await run('convert', '--format', 'pcap-ns', wire, path('ns.pcap'))).toBe(0);
    expect((await readCapture(path('ns.pcap'))).packets[0]?.time).toBe(1_700_000_000_000_000_001n);
  });

  test('leaves no file behind for a source that is no capture, and refuses to overwrite its own source', async () => {
    expect(await run('convert', path('notes.txt'), path('never.pcap'))).toBe(2);
    expect(existsSync(path('never.pcap'))).toBe(false);
    const before = readFileSync(wire);
    expect(await run('convert', wire, wire)).toBe(2);
    expect(errors).toMatch(/same file/);
    expect(readFileSync(wire)).toEqual(before);
  });

  test('leaves an old output file alone when the conversion fails', async () => {
    const mixed = path('mixed.pcapng');
    const two = new PcapngWriter(fileSink(mixed));
    for (const linkType of [1, 101]) {
      two.writePacket({ interfaceId: two.addInterface({ name: '', linkType }), time: 0n, data: arpRequest });
    }
    two.close();
    writeFileSync(path('old.pcap'), 'precious');
    expect(await run('convert', mixed, path('old.pcap'))).toBe(1);
    expect(errors).toMatch(/EN10MB and RAW; use pcapng/);
    expect(readFileSync(path('old.pcap'), 'utf8')).toBe('precious');
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(await run('convert', wire, path('no/such/folder.pcap'))).toBe(2);
    expect(errors).toMatch(/cannot write/);
  });

  test.skipIf(requires({ tools: ['capinfos'] }) !== undefined)('writes what capinfos reads', async () => {
    expect(await run('convert', wire, path('judged.pcap'))).toBe(0);
    const { stdout, status } = spawnSync('capinfos', ['-Trc', path('judged.pcap')], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toMatch(/\t2\n$/);
  });
});

test('wrong usage ends with status 2', async () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation((status) => {
    throw new Error(`exit ${String(status)}`);
  });
  await expect(run('convert', wire)).rejects.toThrow('exit 2');
  await expect(run('list', '-n', 'few', wire)).rejects.toThrow('exit 2');
  expect(errors).toMatch(/whole number/);
  await expect(run('info', '--help')).rejects.toThrow('exit 0');
  exit.mockRestore();
});

test('each verb explains itself', () => {
  for (const verb of pcapCommand().commands) {
    expect(verb.helpInformation()).toMatch(/Usage: .*\n\n\S+/);
    expect(verb.description().length).toBeGreaterThan(20);
  }
});
