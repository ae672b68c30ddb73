/** What is written is read back: pcap and pcapng, both byte orders, conversions, and other programs as judges. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { convertCapture } from '../../../main/capture/convert.ts';
import type { OutputFormat } from '../../../main/capture/convert.ts';
import { decodeLinkField, encodeLinkField } from '../../../main/capture/link-type.ts';
import type { CapturedPacket } from '../../../main/capture/packet.ts';
import { PcapWriter } from '../../../main/capture/pcap-writer.ts';
import { PcapngWriter } from '../../../main/capture/pcapng-writer.ts';
import { readCapture } from '../../../main/capture/read.ts';
import { fileSink, memorySink } from '../../../main/capture/sink.ts';
import { conformanceDir } from '../../support/conformance.ts';
import { requires } from '../../support/requires.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-capture-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const second = 1_000_000_000n;

/** Packets whose time fits both formats and whose lengths make sense. */
const packets = fc.array(
  fc
    .record({
      time: fc.bigInt({ min: 0n, max: 0xffff_ffffn * second }),
      data: fc.uint8Array({ maxLength: 200 }),
      cut: fc.nat({ max: 2000 }),
      direction: fc.constantFrom(undefined, 'inbound' as const, 'outbound' as const),
      comment: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 }), { nil: undefined }),
    })
    .map(({ cut, direction, comment, ...packet }): CapturedPacket => {
      const text = comment?.replaceAll('\0', '');
      return {
        ...packet,
        interfaceId: 0,
        originalLength: packet.data.length + cut,
        ...(direction === undefined ? {} : { direction }),
        ...(text === undefined ? {} : { comment: text }),
      };
    }),
  { maxLength: 30 },
);

function writePcapng(list: readonly CapturedPacket[], littleEndian: boolean): Uint8Array {
  const { sink, contents } = memorySink();
  const writer = new PcapngWriter(sink, { littleEndian, application: 'test', comment: 'made by a test' });
  const id = writer.addInterface({ name: 'alpha:en0', description: 'wire', linkType: 1 });
  for (const packet of list) writer.writePacket({ ...packet, interfaceId: id });
  writer.writeNames([{ address: '10.0.0.1', names: ['alpha', 'a'] }]);
  writer.writeNames([{ address: 'fe80::1', names: ['beta'] }]);
  const count = BigInt(list.length);
  writer.writeStatistics({ interfaceId: id, time: 5n * second, received: count, dropped: 2n });
  writer.close();
  return contents();
}

async function converted(source: Uint8Array, format: OutputFormat): Promise<Uint8Array> {
  const { sink, contents } = memorySink();
  await convertCapture(source, sink, format);
  return contents();
}

/** The same bytes in a plain array type, whatever buffer they came from. */
function comparable(list: readonly CapturedPacket[]): unknown[] {
  return list.map((packet) => ({ ...packet, data: [...packet.data] }));
}

describe('pcapng', () => {
  test('reads back every packet, name and counter that was written', async () => {
    await fc.assert(
      fc.asyncProperty(packets, fc.boolean(), async (list, littleEndian) => {
        const file = await readCapture(writePcapng(list, littleEndian));
        expect(file.problems).toEqual([]);
        expect(comparable(file.packets)).toEqual(comparable(list));
        expect(file.interfaces).toMatchObject([{ name: 'alpha:en0', description: 'wire', linkType: 1 }]);
        expect(file.names).toEqual([
          { address: '10.0.0.1', names: ['alpha', 'a'] },
          { address: 'fe80::1', names: ['beta'] },
        ]);
        expect(file.statistics).toEqual([
          { interfaceId: 0, time: 5n * second, received: BigInt(list.length), dropped: 2n },
        ]);
        expect(file.comments).toEqual(['made by a test']);
      }),
      { numRuns: 100 },
    );
  });

  test('is the same for the same input', () => {
    const [list] = fc.sample(packets, { numRuns: 1, seed: 1 });
    expect(writePcapng(list ?? [], true)).toEqual(writePcapng(list ?? [], true));
  });

  test('keeps time stamps of any resolution', async () => {
    const file = (await readCapture(interfaceWithTime(0x80 | 10, 1024n * 3n + 512n))).packets[0];
    expect(file?.time).toBe(3_500_000_000n);
    expect((await readCapture(interfaceWithTime(3, 1500n))).packets[0]?.time).toBe(1_500_000_000n);
    expect((await readCapture(interfaceWithTime(12, 1_000_000_001_000n))).packets[0]?.time).toBe(
      1_000_000_001n,
    );
    expect((await readCapture(interfaceWithTime(6, 7n, 100n))).packets[0]?.time).toBe(100_000_007_000n);
  });

  test('refuses packets for an interface that was not added, and times that do not fit', () => {
    const writer = new PcapngWriter(memorySink().sink);
    expect(() => writer.writePacket({ interfaceId: 0, time: 0n, data: new Uint8Array(1) })).toThrow(
      /interface 0/,
    );
    const id = writer.addInterface({ name: 'x', linkType: 1 });
    const late = { interfaceId: id, time: 2n ** 64n, data: new Uint8Array(1) };
    expect(() => writer.writePacket(late)).toThrow(/2554/);
  });
});

/** One big-endian section with one interface of the given if_tsresol (and if_tsoffset) and one empty packet. */
function interfaceWithTime(resolution: number, units: bigint, offset = 0n): Uint8Array {
  const bytes = new Uint8Array(28 + 44 + 32);
  const view = new DataView(bytes.buffer);
  const words = (at: number, ...values: number[]) => values.forEach((v, i) => view.setUint32(at + i * 4, v));
  words(0, 0x0a0d0d0a, 28, 0x1a2b3c4d, 0x00010000, 0xffffffff, 0xffffffff, 28);
  words(28, 1, 44, 0x00010000, 0, 0x00090001, resolution * 2 ** 24, 0x000e0008);
  view.setBigInt64(28 + 28, offset);
  words(28 + 36, 0, 44);
  words(72, 6, 32, 0, Number(units >> 32n), Number(units & 0xffff_ffffn), 0, 0, 32);
  return bytes;
}

describe('classic pcap', () => {
  const precisions = fc.constantFrom('us' as const, 'ns' as const);

  test('reads back every packet in either precision and byte order', async () => {
    await fc.assert(
      fc.asyncProperty(packets, precisions, fc.boolean(), async (list, precision, littleEndian) => {
        const { sink, contents } = memorySink();
        const writer = new PcapWriter(sink, { linkType: 1, precision, littleEndian, fcsLength: 4 });
        for (const packet of list) writer.writePacket(packet);
        writer.close();
        const file = await readCapture(contents());
        const unit = precision === 'ns' ? 1n : 1000n;
        const expected = list.map(({ time, data, originalLength }) => {
          return { interfaceId: 0, time: time - (time % unit), data, originalLength };
        });
        expect(file.problems).toEqual([]);
        expect(file.format).toBe(precision === 'ns' ? 'pcap-ns' : 'pcap');
        expect(file.interfaces[0]).toMatchObject({ linkType: 1, fcsLength: 4 });
        expect(comparable(file.packets)).toEqual(comparable(expected));
      }),
      { numRuns: 100 },
    );
  });

  test('splits the link type field into type and frame check sequence and joins it again', () => {
    expect(decodeLinkField(0x24000001)).toEqual({ linkType: 1, fcsLength: 4 });
    expect(encodeLinkField(1, 4)).toBe(0x24000001);
    expect(encodeLinkField(0xffff, 30)).toBe(0xf400ffff);
    expect(decodeLinkField(113)).toEqual({ linkType: 113 });
  });
});

describe('conversion', () => {
  test('pcap to pcapng and back gives the same bytes', async () => {
    const { sink, contents } = memorySink();
    const writer = new PcapWriter(sink, { linkType: 101, precision: 'ns', littleEndian: false });
    for (const packet of fc.sample(packets, { numRuns: 5, seed: 2 }).flat()) writer.writePacket(packet);
    const ng = await converted(contents(), 'pcapng');
    expect(await converted(ng, 'pcap-ns')).toEqual(contents());
  });

  test('refuses several link types in one classic file', async () => {
    const { sink, contents } = memorySink();
    const writer = new PcapngWriter(sink);
    for (const linkType of [1, 101]) {
      const interfaceId = writer.addInterface({ name: '', linkType });
      writer.writePacket({ interfaceId, time: 0n, data: new Uint8Array(20) });
    }
    await expect(converted(contents(), 'pcap')).rejects.toThrow(/packet 2: .*EN10MB and RAW/);
  });

  const published = conformanceDir('captures/pcapng');
  test.skipIf(published === undefined)('loses nothing of published pcapng files', async () => {
    for (const order of ['le', 'be']) {
      for (const name of ['basic/test006', 'advanced/test102', 'difficult/test202', 'basic/test018']) {
        const source = readFileSync(join(published ?? '', `output_${order}-${name}.pcapng`));
        const before = await readCapture(source);
        const after = await readCapture(await converted(source, 'pcapng'));
        // The unit of stored times is the one thing that changes: it becomes nanoseconds.
        const stable = (file: typeof before) =>
          file.interfaces.map(({ tsResolution: _unit, tsOffset: _offset, ...rest }) => rest);
        expect(stable(after)).toEqual(stable(before));
        expect({ ...after, interfaces: [] }).toEqual({ ...before, interfaces: [] });
      }
    }
  });
});

describe.skipIf(requires({ tools: ['tshark', 'capinfos'] }) !== undefined)('other programs', () => {
  test('capinfos and tshark read a pcapng file as it was meant', () => {
    const path = join(folder, 'two-points.pcapng');
    const writer = new PcapngWriter(fileSink(path), { application: 'Stackscope' });
    const ids = ['alpha:en0', 'beta:en0'].map((name) => writer.addInterface({ name, linkType: 1 }));
    ids.forEach((interfaceId, index) => {
      const time = 1_700_000_000_123_456_789n + BigInt(index);
      const direction = index === 0 ? 'outbound' : 'inbound';
      writer.writePacket({ interfaceId, time, data: new Uint8Array(60), direction, comment: `hop ${index}` });
    });
    for (const interfaceId of ids)
      writer.writeStatistics({ interfaceId, time: 0n, received: 1n, dropped: 0n });
    writer.close();
    expect(execFileSync('capinfos', ['-Trc', path], { encoding: 'utf8' })).toMatch(/\t2\n$/);
    const fields = [
      'frame.time_epoch',
      'frame.interface_name',
      'frame.packet_flags_direction',
      'frame.comment',
    ];
    const shown = execFileSync('tshark', ['-r', path, '-T', 'fields', ...fields.flatMap((f) => ['-e', f])], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    expect(
      shown
        .trim()
        .split('\n')
        .map((line) => line.split('\t')),
    ).toEqual([
      ['1700000000.123456789', 'alpha:en0', '0x00000002', 'hop 0'],
      ['1700000000.123456790', 'beta:en0', '0x00000001', 'hop 1'],
    ]);
  });

  test('capinfos reads classic files in both precisions and byte orders', () => {
    for (const precision of ['us', 'ns'] as const) {
      for (const littleEndian of [true, false]) {
        const path = join(folder, `${precision}-${String(littleEndian)}.pcap`);
        const writer = new PcapWriter(fileSink(path), { linkType: 1, precision, littleEndian });
        writer.writePacket({ time: 3_000_001_000n, data: new Uint8Array(60), originalLength: 100 });
        writer.close();
        expect(execFileSync('capinfos', ['-TrcdS', path], { encoding: 'utf8' })).toMatch(/\t1\t100/);
      }
    }
  });
});

test('a gzip-compressed file reads like the file itself', async () => {
  const [list = []] = fc.sample(packets, { numRuns: 1, seed: 4 });
  const path = join(folder, 'compressed.pcapng.gz');
  writeFileSync(path, gzipSync(writePcapng(list, true)));
  expect(comparable((await readCapture(path)).packets)).toEqual(comparable(list));
});
