/** Every published capture at hand, whole and cut short, through our reader; counts compared with capinfos. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../main/capture/read.ts';
import { dissect } from '../../../main/capture/dissect/dissect.ts';
import { conformanceDir } from '../../support/conformance.ts';
import { requires } from '../../support/requires.ts';

const captures = conformanceDir('captures');
const files = captures === undefined ? [] : captureFiles(captures);

function captureFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Packet counts by file, of the files capinfos reads without complaint. */
function capinfosCounts(paths: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const path of paths) {
    try {
      const text = execFileSync('capinfos', ['-T', '-r', '-c', '-M', '-B', path], {
        stdio: 'pipe',
        encoding: 'utf8',
      });
      const count = Number(text.trim().split('\t').at(-1));
      if (Number.isInteger(count)) counts.set(path, count);
    } catch {
      // capinfos refuses the file: nothing to compare with.
    }
  }
  return counts;
}

/** A small generator with a fixed seed, so that a failure can be repeated. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe.skipIf(captures === undefined)('published captures', () => {
  // What capinfos takes and this reader refuses on purpose: no bytes at all, and a version that never was.
  const refused = new Set(['empty.pcap', 'ver5_4.pcap'].map((name) => join(captures ?? '', 'odd', name)));

  test.skipIf(requires({ tools: ['capinfos'] }) !== undefined)(
    'have as many packets as capinfos counts',
    { timeout: 180_000 },
    async () => {
      const expected = capinfosCounts(files.filter((file) => !refused.has(file)));
      expect(expected.size).toBeGreaterThan(500);
      const different: string[] = [];
      for (const [path, count] of expected) {
        const { packets, problems } = await readCapture(path);
        if (packets.length !== count || problems.length > 0) {
          different.push(
            `${path}: ${packets.length} instead of ${count}; ${problems.map((p) => p.message).join('; ')}`,
          );
        }
      }
      expect(different).toEqual([]);
    },
  );

  test('cut at any offset keep the packets before the cut', { timeout: 180_000 }, async () => {
    const random = seededRandom(20240501);
    for (const path of files) {
      const bytes = readFileSync(path);
      const whole = await readCapture(bytes);
      for (let round = 0; round < 4; round++) {
        const cut = await readCapture(bytes.subarray(0, Math.floor(random() * bytes.length)));
        expect(cut.packets.length, path).toBeLessThanOrEqual(whole.packets.length);
        expect(cut.packets, path).toEqual(whole.packets.slice(0, cut.packets.length));
      }
    }
  });

  test('with damaged bytes are read and dissected without an exception', { timeout: 180_000 }, async () => {
    const random = seededRandom(7);
    for (const path of files) {
      const bytes = Uint8Array.from(readFileSync(path));
      for (let n = 0; n < 1 + bytes.length / 2000; n++)
        bytes[Math.floor(random() * bytes.length)] = random() * 256;
      const { packets, interfaces } = await readCapture(bytes);
      for (const packet of packets) {
        const linkType = interfaces[packet.interfaceId]?.linkType ?? 0;
        expect(dissect(packet.data, linkType).columns.length).toBeGreaterThanOrEqual(0);
      }
    }
  });
});
