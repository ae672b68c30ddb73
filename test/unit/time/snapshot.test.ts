// The file of a snapshot: what is written can be read, whatever else is in a file is refused without unpacking more than can be true.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SnapshotError, decodeSnapshot, encodeSnapshot } from '../../../main/lab/snapshot/format.ts';
import type { SnapshotHeader } from '../../../main/lab/snapshot/header.ts';
import { layoutDifferences, memoryLayouts } from '../../../main/lab/snapshot/layouts.ts';
import { MOST_FILE_BYTES, readSnapshot } from '../../../main/lab/snapshot/snapshot.ts';
import { loadZstd } from '../../../main/lab/snapshot/zstd.ts';
import { debugPool, memoryBytes } from '../../../stack/memory/memory.ts';

const zstd = await loadZstd();

const HEADER: Omit<SnapshotHeader, 'image'> = {
  program: '1.2.3',
  layouts: { structs: { a: 'x:u32@0 =4' }, regions: { r: '64+4' }, poison: debugPool },
  allLayouts: { structs: {}, regions: {}, poison: false },
  history: {
    lab: { file: 'x.lab.yaml', text: 'name: x' },
    seed: 7,
    modules: [],
    plan: { commands: [{ node: 'a', command: 'ping b' }] },
    journal: [{ at: { events: 3, time: 2.5 }, input: { kind: 'exec', node: 'a', command: 'ls' } }],
  },
  place: { events: 9, time: 1e9 },
  cold: { nodes: [], links: [] },
};
const IMAGE = [
  { address: 4096, bytes: new Uint8Array(4096).fill(5) },
  { address: 16384, bytes: Uint8Array.of(1, 2, 3) },
];
const GOOD = encodeSnapshot(HEADER, IMAGE, zstd);

/** A file whose digest is right, whatever else is wrong with it. */
function sealed(change: (bytes: Buffer) => void, from: Uint8Array = GOOD): Buffer {
  const bytes = Buffer.from(from);
  change(bytes);
  bytes.set(createHash('sha256').update(bytes.subarray(64)).digest(), 32);
  return bytes;
}

/** A file with another header, whose image has one frame. */
function withHeader(change: object, frame: Uint8Array): Buffer {
  const plain = Buffer.from(JSON.stringify({ ...HEADER, ...change }));
  const packed = zstd.compress(plain);
  const file = Buffer.concat([GOOD.subarray(0, 64), packed, frame]);
  return sealed((bytes) => {
    bytes.writeUInt32LE(packed.length, 12);
    bytes.writeUInt32LE(plain.length, 16);
    bytes.writeBigUInt64LE(BigInt(bytes.length), 24);
  }, file);
}

function reasonAgainst(bytes: Uint8Array): string {
  try {
    decodeSnapshot(bytes, zstd);
  } catch (error) {
    if (error instanceof SnapshotError) return error.message;
    throw error;
  }
  throw new Error('it was read');
}

describe('the file', () => {
  test('is read as it was written, and the same is written twice', () => {
    const { header, image } = decodeSnapshot(GOOD, zstd);
    expect(header).toMatchObject(HEADER);
    expect(image).toEqual(IMAGE);
    expect(encodeSnapshot(HEADER, IMAGE, zstd)).toEqual(GOOD);
  });

  test('cut off anywhere, it is refused', () => {
    for (let length = 0; length < GOOD.length; length++) {
      const reason = reasonAgainst(GOOD.subarray(0, length));
      expect(reason).toMatch(length === 0 ? /^is not a snapshot$/ : /^is cut off after \d+/);
    }
  });

  test('with something behind it, it is refused', () => {
    expect(reasonAgainst(Buffer.concat([GOOD, Buffer.alloc(9)]))).toMatch(/^is damaged: it is longer than/);
  });

  test('with any bit wrong, it is refused', () => {
    for (let at = 0; at < GOOD.length; at++) {
      const bytes = Uint8Array.from(GOOD);
      bytes[at]! ^= 1 << (at % 8);
      // The word that is always zero is for later.
      if (at < 20 || at >= 24) expect(() => decodeSnapshot(bytes, zstd)).toThrow(SnapshotError);
    }
  });

  test('of a later format, it is refused by number', () => {
    expect(reasonAgainst(sealed((bytes) => bytes.writeUInt32LE(9, 8)))).toBe(
      'is of format 9; this program reads format 1',
    );
  });

  test.each([
    ['a header longer than the file', (bytes: Buffer) => bytes.writeUInt32LE(0xffff_ffff, 12)],
    ['a header that unpacks to 4 GiB', (bytes: Buffer) => bytes.writeUInt32LE(0xffff_ffff, 16)],
    ['a header that unpacks to something else', (bytes: Buffer) => bytes.writeUInt32LE(10, 16)],
  ])('%s is refused', (_what, change) => {
    expect(reasonAgainst(sealed(change))).toBe('is damaged: its header makes no sense');
  });

  test('a frame that would unpack to far more than it may is not unpacked', () => {
    const bomb = zstd.compress(new Uint8Array(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(10_000);
    const image = (bytes: number, ...rest: object[]): object => ({
      image: [{ address: 4096, bytes, packed: bomb.length }, ...rest],
    });
    const wrong = 'is damaged: its memory image makes no sense';
    expect(reasonAgainst(withHeader(image(4096), bomb))).toBe(wrong);
    expect(reasonAgainst(withHeader(image(64 * 1024 * 1024), bomb))).toBe(wrong);
    // The frame itself says 2^62 bytes.
    const liar = Buffer.from(bomb);
    liar.writeUInt8(liar[4]! | 0xc0, 4);
    expect(reasonAgainst(withHeader(image(4096), liar))).toBe(wrong);
  });

  test('runs that overlap, or lie outside the memory, are refused', () => {
    const frame = zstd.compress(new Uint8Array(4096));
    const at = (address: number): object => ({ address, bytes: 4096, packed: frame.length });
    const wrong = 'is damaged: its memory image makes no sense';
    const two = Buffer.concat([frame, frame]);
    expect(reasonAgainst(withHeader({ image: [at(4096), at(4096)] }, two))).toBe(wrong);
    expect(reasonAgainst(withHeader({ image: [at(memoryBytes - 4095)] }, frame))).toBe(wrong);
    expect(reasonAgainst(withHeader({ image: [at(0)] }, two))).toBe(wrong);
  });

  test('a header without what it must have is refused by name', () => {
    expect(reasonAgainst(withHeader({ place: { events: -1, time: 0 }, image: [] }, Buffer.alloc(0)))).toMatch(
      /^is damaged: its header: place\.events: /,
    );
  });
});

test('what is no file, or none of this program, is refused before it is read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stackscope-snapshot-'));
  try {
    const write = (name: string, bytes: string | Uint8Array): string => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const huge = write('huge.snap', '');
    truncateSync(huge, MOST_FILE_BYTES + 1);
    const cases = [
      [join(folder, 'nothing.snap'), /^is not there$/],
      [folder, /^is a folder$/],
      ['/dev/zero', /^is no file$/],
      [huge, /^is larger than any snapshot$/],
      [write('text.snap', 'name: lab\n'), /^is not a snapshot$/],
      [
        write('other.snap', GOOD),
        /^was made by Stackscope 1\.2\.3, whose memory has another layout than that of this program \(\d.*\): struct a: this program has none; /,
      ],
    ] as const;
    for (const [file, reason] of cases) await expect(readSnapshot(file)).rejects.toThrow(reason);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('layouts that differ are told by struct and field', () => {
  const ours = memoryLayouts();
  const name = Object.keys(ours.structs)[0]!;
  const theirs = { ...ours, structs: { ...ours.structs, [name]: 'state:u32@0 =4', gone: 'x:u8@0 =1' } };
  expect(layoutDifferences(ours, ours)).toEqual([]);
  const [first, second] = layoutDifferences(theirs, ours);
  expect(first).toContain(`struct ${name} has state:u32@0 there, `);
  expect(second).toBe('struct gone: this program has none');
  expect(layoutDifferences({ ...ours, poison: !ours.poison }, ours)).toHaveLength(1);
});
