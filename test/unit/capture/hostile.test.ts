/** Files that lie, end too early or are not captures at all: a message, what is readable, and no waste. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CaptureDecoder } from '../../../main/capture/decoder.ts';
import type { CaptureRecord } from '../../../main/capture/packet.ts';
import { PcapWriter } from '../../../main/capture/pcap-writer.ts';
import { PcapngWriter } from '../../../main/capture/pcapng-writer.ts';
import { readCapture } from '../../../main/capture/read.ts';
import { memorySink } from '../../../main/capture/sink.ts';

/** A classic file of 60-byte packets, one per second. */
function classicFile(count: number, precision: 'us' | 'ns' = 'us'): Uint8Array {
  const { sink, contents } = memorySink();
  const writer = new PcapWriter(sink, { linkType: 1, precision });
  for (let i = 0; i < count; i++) {
    const data = new Uint8Array(60).fill(i);
    writer.writePacket({ time: BigInt(i) * 1_000_000_000n, data, originalLength: 60 });
  }
  return contents();
}

function ngFile(count: number): Uint8Array {
  const { sink, contents } = memorySink();
  const writer = new PcapngWriter(sink);
  const interfaceId = writer.addInterface({ name: 'en0', linkType: 1 });
  for (let i = 0; i < count; i++) {
    writer.writePacket({ interfaceId, time: BigInt(i), data: new Uint8Array(61).fill(i), comment: 'c' });
  }
  return contents();
}

const RECORD = 16 + 60;

describe.each(['us', 'ns'] as const)('a classic file (%s)', (precision) => {
  test('with an impossible captured length keeps the packets before it, quickly, however long the file is', async () => {
    const good = classicFile(3, precision);
    const bytes = new Uint8Array(good.length + 100_000_000);
    bytes.set(good);
    new DataView(bytes.buffer).setUint32(good.length + 8, 0xffffffff, true);
    const started = process.hrtime.bigint();
    const file = await readCapture(bytes);
    expect(file.packets).toHaveLength(3);
    expect(file.problems).toMatchObject([{ code: 'malformed', offset: good.length }]);
    expect(file.problems[0]?.message).toContain('4294967295');
    expect(Number(process.hrtime.bigint() - started) / 1e9).toBeLessThan(2);
  });

  test('that ends inside a packet says so and keeps the others', async () => {
    for (const cut of [1, 15, 16, 17, RECORD - 1]) {
      const file = await readCapture(classicFile(3, precision).subarray(0, 24 + 2 * RECORD + cut));
      expect(file.packets).toHaveLength(2);
      expect(file.truncated).toBe(true);
      expect(file.problems).toMatchObject([{ code: 'truncated', offset: 24 + 2 * RECORD }]);
    }
  });

  test('that ends between packets is whole', async () => {
    const file = await readCapture(classicFile(3, precision).subarray(0, 24 + 2 * RECORD));
    expect(file).toMatchObject({ truncated: false, problems: [] });
  });
});

test.each([
  [5, 4],
  [1, 2],
  [2, 5],
])('pcap version %i.%i is refused by name', async (major, minor) => {
  const bytes = classicFile(1);
  new DataView(bytes.buffer).setUint16(4, major, true);
  new DataView(bytes.buffer).setUint16(6, minor, true);
  const file = await readCapture(bytes);
  expect(file.packets).toEqual([]);
  expect(file.problems[0]).toMatchObject({ code: 'unsupported' });
  expect(file.problems[0]?.message).toContain(`${major}.${minor}`);
});

test('version 2.2 files have their two lengths the other way round', async () => {
  const bytes = classicFile(1);
  const view = new DataView(bytes.buffer);
  view.setUint16(6, 2, true);
  view.setUint32(24 + 8, 1514, true);
  view.setUint32(24 + 12, 60, true);
  const { packets } = await readCapture(bytes);
  expect(packets[0]?.data).toHaveLength(60);
  expect(packets[0]?.originalLength).toBe(1514);
});

test('the modified format gives the direction of packets', async () => {
  const bytes = new Uint8Array(24 + 24 + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(classicFile(0));
  view.setUint32(0, 0xa1b2cd34, true);
  view.setUint32(24 + 8, 4, true);
  view.setUint32(24 + 12, 4, true);
  bytes[24 + 22] = 4;
  const file = await readCapture(bytes);
  expect(file.format).toBe('pcap-modified');
  expect(file.packets).toMatchObject([{ direction: 'outbound', originalLength: 4 }]);
  expect(file.problems).toEqual([]);
});

describe('a pcapng file', () => {
  const interfaceOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset);
  const firstPacket = 28 + ngFile(0).subarray(28).length;

  test('cut anywhere keeps the packets before the cut and says it is cut', async () => {
    const whole = ngFile(3);
    const packetLength = (whole.length - firstPacket) / 3;
    for (let end = firstPacket; end < whole.length; end++) {
      const file = await readCapture(whole.subarray(0, end));
      expect(file.packets).toHaveLength(Math.floor((end - firstPacket) / packetLength));
      expect(file.truncated).toBe((end - firstPacket) % packetLength !== 0);
    }
  });

  test('with a block of impossible length stops there', async () => {
    for (const length of [0, 11, 0xfffffff0]) {
      const bytes = ngFile(2);
      interfaceOf(bytes).setUint32(firstPacket + 4, length, true);
      const file = await readCapture(bytes);
      expect(file.packets).toEqual([]);
      expect(file.problems).toMatchObject([{ code: 'malformed', offset: firstPacket + 4 }]);
    }
  });

  test('leaves out a packet that claims more than its block holds, or an unknown interface, and reads on', async () => {
    for (const [field, value] of [
      [20, 0xffffff],
      [8, 77],
    ] as const) {
      const bytes = ngFile(3);
      interfaceOf(bytes).setUint32(firstPacket + field, value, true);
      const file = await readCapture(bytes);
      expect(file.packets).toHaveLength(2);
      expect(file.problems).toMatchObject([{ code: 'malformed', offset: firstPacket }]);
    }
  });

  test('full of bad blocks does not fill the memory with complaints', async () => {
    const bytes = ngFile(5000);
    const length = (bytes.length - firstPacket) / 5000;
    for (let i = 0; i < 5000; i++) interfaceOf(bytes).setUint32(firstPacket + i * length + 8, 9, true);
    expect((await readCapture(bytes)).problems).toHaveLength(100);
  });
});

describe('compressed files', () => {
  test('cut short keep what was compressed before the cut', async () => {
    const noise = fc.sample(fc.uint8Array({ minLength: 60, maxLength: 60 }), { numRuns: 500, seed: 3 });
    const { sink, contents } = memorySink();
    const writer = new PcapWriter(sink, { linkType: 1 });
    for (const data of noise) writer.writePacket({ time: 0n, data, originalLength: 60 });
    const compressed = gzipSync(contents());
    const file = await readCapture(compressed.subarray(0, compressed.length - 2000));
    expect(file.truncated).toBe(true);
    expect(file.packets.length).toBeGreaterThan(400);
    expect(file.packets.length).toBeLessThan(500);
  });

  test('with damage report it and keep all but the last of what came before', async () => {
    const compressed = gzipSync(classicFile(1000));
    // The last eight bytes are the check sum and the length of what was compressed.
    compressed.writeUInt32LE(0, compressed.length - 8);
    const { packets, problems } = await readCapture(compressed);
    expect(packets.length).toBeGreaterThan(1000 - 4096 / RECORD);
    expect(problems).toMatchObject([{ code: 'malformed' }]);
    expect(problems[0]?.message).toMatch(/compressed data is damaged/);
  });

  test('that would grow beyond the limit are read up to it', async () => {
    const file = await readCapture(gzipSync(classicFile(20_000)), { maximumBytes: 100_000 });
    expect(file.problems).toMatchObject([{ code: 'limit', offset: 100_000 }]);
    expect(deflateRawSync(classicFile(20_000)).length).toBeLessThan(100_000);
  });
});

test.each([
  ['an empty file', new Uint8Array(0), /empty/],
  ['two bytes', Uint8Array.of(0xd4, 0xc3), /too short/],
  ['text', new TextEncoder().encode('#!/bin/sh\n'), /not a pcap or pcapng file.*23212f62/],
  ['zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0), /zstd -d/],
])('%s is called what it is', async (_name, bytes, message) => {
  const file = await readCapture(bytes);
  expect(file).toMatchObject({ format: 'unknown', packets: [], problems: [{ code: 'not-a-capture' }] });
  expect(file.problems[0]?.message).toMatch(message);
});

test('a missing file and a folder are problems, not exceptions', async () => {
  for (const path of ['/nonexistent/file.pcap', '/']) {
    expect((await readCapture(path)).problems).toMatchObject([{ code: 'unreadable' }]);
  }
});

test('how the bytes are cut into pieces makes no difference', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(classicFile(5), classicFile(5, 'ns'), ngFile(5)),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
      fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 3 }),
      (original, sizes, damage) => {
        const bytes = original.slice();
        for (const [at, value] of damage) bytes[at + 4] = value;
        expect(summaryOf(decodeInPieces(bytes, sizes))).toEqual(
          summaryOf(decodeInPieces(bytes, [bytes.length])),
        );
      },
    ),
  );
});

function decodeInPieces(bytes: Uint8Array, sizes: readonly number[]): CaptureRecord[] {
  const decoder = new CaptureDecoder();
  const records: CaptureRecord[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    records.push(...decoder.push(bytes.subarray(at, at + size)));
    at += size;
  }
  return [...records, ...decoder.end()];
}

/** Everything but how many bytes were left over when reading stopped for good. */
function summaryOf(records: readonly CaptureRecord[]): unknown[] {
  return records.map((record) => {
    if (record.kind === 'packet') return { ...record.packet, data: [...record.packet.data] };
    return record.kind === 'problem' ? record.problem.offset : record.kind;
  });
}
