/**
 * The `check` verb as a user sees it: standard output, standard error, exit status.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkCommand } from '../../../main/cli/check.ts';
import { EXAMPLES_FOLDER } from './examples.ts';

const TWO_NODES = join(EXAMPLES_FOLDER, 'two-nodes.lab.yaml');

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stackscope-check-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function run(...args: string[]): Promise<{ out: string; err: string; status: number }> {
  let out = '';
  let err = '';
  const stdout = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((chunk) => ((out += String(chunk)), true));
  const stderr = vi
    .spyOn(process.stderr, 'write')
    .mockImplementation((chunk) => ((err += String(chunk)), true));
  process.exitCode = 0;
  try {
    await checkCommand().parseAsync(args, { from: 'user' });
    return { out, err, status: process.exitCode };
  } finally {
    process.exitCode = 0;
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

describe('check', () => {
  it('says ok with the numbers of nodes and links', async () => {
    expect(await run(TWO_NODES)).toEqual({ out: `${TWO_NODES}: ok (2 nodes, 1 link)\n`, err: '', status: 0 });
  });

  it('prints three mistakes with their lines and ends with 2, and still checks the other file', async () => {
    const bad = file(
      'bad.lab.yaml',
      'name: bad\nnodes:\n  a: { stack: io-pkt-v9, interfaces: [en0] }\nlinks:\n  l:\n    between: [a:en0, b:en0]\n    loss: 5\n',
    );
    const { out, err, status } = await run(bad, TWO_NODES);
    expect(
      err
        .trim()
        .split('\n')
        .map((line) => line.slice(bad.length).split(': ')[0]),
    ).toEqual([':3:15', ':6:22', ':7:11']);
    expect(err.startsWith(`${bad}:3:15: nodes.a.stack: must be a stack`)).toBe(true);
    expect(out).toBe(`${TWO_NODES}: ok (2 nodes, 1 link)\n`);
    expect(status).toBe(2);
  });

  it('prints one object a file with --json and nothing else', async () => {
    const bad = file('bad.lab.yaml', 'name: bad\n');
    const { out, err, status } = await run('--json', bad, TWO_NODES);
    const objects = out
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(objects).toEqual([
      {
        file: bad,
        ok: false,
        problems: [
          { file: bad, line: 1, column: 1, message: 'nodes: is required but missing', path: ['nodes'] },
        ],
        warnings: [],
      },
      { file: TWO_NODES, ok: true, nodes: 2, links: 1, problems: [], warnings: [] },
    ]);
    expect(err).toBe('');
    expect(status).toBe(2);
  });

  it('prints warnings without failing', async () => {
    const lonely = file('lonely.lab.yaml', 'name: x\nnodes:\n  a: { stack: io-pkt-v4, interfaces: [en0] }\n');
    expect(await run(lonely)).toEqual({
      out: `${lonely}: ok (1 node, 0 links)\n`,
      err: `${lonely}:3:39: warning: nodes.a.interfaces[0]: en0 is on no link\n`,
      status: 0,
    });
  });

  it('names files that are absent, directories or not text', async () => {
    const absent = join(folder, 'absent.lab.yaml');
    const binary = file('binary.lab.yaml', Uint8Array.of(0x6e, 0xff, 0xfe, 0x00));
    const { err, status } = await run(absent, folder, binary);
    expect(err.split('\n').slice(0, 3)).toEqual([
      `${absent}:1:1: there is no such file`,
      `${folder}:1:1: is a directory; name a lab file such as two-nodes.lab.yaml`,
      `${binary}:1:1: the file is not UTF-8 text`,
    ]);
    expect(status).toBe(2);
  });
});
