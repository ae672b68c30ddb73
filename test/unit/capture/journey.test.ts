// Journeys in pcapng: what is written is read again in either byte order, and no bytes that claim to be a journey do harm.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeJourneyBlock,
  journeyBlocks,
  journeyOf,
  journeyOption,
} from '../../../main/capture/journey.ts';
import type { JourneyStation } from '../../../main/capture/journey.ts';
import type { CapturedPacket, RawBlock } from '../../../main/capture/packet.ts';
import { LINKTYPE_ETHERNET } from '../../../main/capture/link-type.ts';
import { PcapngWriter } from '../../../main/capture/pcapng-writer.ts';
import { memorySink } from '../../../main/capture/sink.ts';
import { summarizeCapture } from '../../../main/capture/summary.ts';

const sample: JourneyStation = {
  journey: 7,
  time: 1_767_225_600_000_000_001n,
  thread: 2,
  node: 'alpha',
  place: 'alpha:en0',
  station: 'driverIn',
  text: 'received by the driver',
  buffer: 0xa300,
};

const anyStation: fc.Arbitrary<JourneyStation> = fc.record({
  journey: fc.integer({ min: 1, max: 0xffff_ffff }),
  time: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  thread: fc.integer({ min: 0, max: 0xffff }),
  node: fc.constantFrom('', 'alpha', 'ß'),
  place: fc.string({ unit: 'grapheme', maxLength: 12 }),
  station: fc.constantFrom('driverIn', 'flow'),
  text: fc.string({ unit: 'grapheme', maxLength: 40 }),
  buffer: fc.integer({ min: 0, max: 0xffff_ffff }),
});

function decoded(block: RawBlock, littleEndian = true): readonly JourneyStation[] {
  const read = decodeJourneyBlock(block, littleEndian);
  if (read === undefined || typeof read === 'string') throw new Error(read ?? 'not a block of journeys');
  return read.stations;
}

/** The one block of these stations. */
function blockOf(stations: readonly JourneyStation[], littleEndian = true, lost = 0): RawBlock {
  const [block, ...more] = journeyBlocks(stations, lost, littleEndian);
  expect(more).toEqual([]);
  return block!;
}

test('stations come back as they were, in either byte order', () => {
  fc.assert(
    fc.property(fc.array(anyStation, { minLength: 1, maxLength: 40 }), fc.boolean(), (stations, order) => {
      expect(decoded(blockOf(stations, order), order)).toEqual(stations);
    }),
  );
});

test('many stations are split over blocks, each of which stands for itself', () => {
  const stations = Array.from({ length: 10_000 }, (_, i) => ({
    ...sample,
    journey: i + 1,
    text: `event ${i}`,
  }));
  const blocks = [...journeyBlocks(stations, 3, true)];
  expect(blocks.length).toBe(3);
  expect(blocks.flatMap((block) => decoded(block))).toEqual(stations);
  expect(decodeJourneyBlock(blocks[2]!, true)).toMatchObject({ lost: 3 });
});

test('a packet has the number of its journey in an option', () => {
  const packet: CapturedPacket = { interfaceId: 0, time: 0n, data: new Uint8Array(0), originalLength: 0 };
  expect(journeyOf(packet, true)).toBe(0);
  for (const order of [true, false]) {
    const options = [{ code: 1, value: Uint8Array.of(65) }, journeyOption(0xdead_beef, order)];
    expect(journeyOf({ ...packet, options }, order)).toBe(0xdead_beef);
    expect(journeyOf({ ...packet, options }, !order)).toBe(0);
  }
  const foreign = journeyOption(5, true);
  foreign.value[4]! ^= 1;
  expect(journeyOf({ ...packet, options: [foreign] }, true)).toBe(0);
  const short = { code: foreign.code, value: journeyOption(5, true).value.subarray(0, 11) };
  expect(journeyOf({ ...packet, options: [short] }, true)).toBe(0);
});

describe('blocks from elsewhere', () => {
  const changed = (change: (view: DataView, body: Uint8Array) => void): RawBlock => {
    const { type, body } = blockOf([sample]);
    const copy = body.slice();
    change(new DataView(copy.buffer), copy);
    return { type, body: copy };
  };

  test.each<[string, RawBlock]>([
    ['another type', { ...blockOf([sample]), type: 0x0bad }],
    ['another enterprise', changed((view) => view.setUint32(0, 32_474, true))],
    ['another magic word', changed((view) => view.setUint8(4, 0))],
    ['another byte order', blockOf([sample], false)],
    ['too short for a magic word', { type: blockOf([sample]).type, body: new Uint8Array(7) }],
    ['empty', { type: blockOf([sample]).type, body: new Uint8Array(0) }],
  ])('%s: not ours', (_, block) => {
    expect(decodeJourneyBlock(block, true)).toBeUndefined();
  });

  test.each<[string, RawBlock, string]>([
    ['another version', changed((view) => view.setUint16(8, 2, true)), 'it is of version 2; 1 can be read'],
    [
      'more stations than fit',
      changed((view) => view.setUint32(12, 0xffff_ffff, true)),
      'it claims 4294967295 stations where 1 fit',
    ],
    [
      'more strings than there are',
      changed((view) => view.setUint16(10, 0xffff, true)),
      'reaches past its end',
    ],
    [
      'a string that is too long',
      changed((view) => view.setUint16(20, 0xffff, true)),
      'string 0 of 4 reaches past its end',
    ],
    [
      'a string that is not there',
      changed((view, body) => view.setUint16(body.length - 10, 4, true)),
      'station 0 of it names a string that it has not',
    ],
    [
      'a cut header',
      { ...changed(() => undefined), body: blockOf([sample]).body.slice(0, 12) },
      'only 12 bytes',
    ],
  ])('%s: says what is wrong', (_, block, message) => {
    expect(decodeJourneyBlock(block, true)).toEqual(expect.stringContaining(message));
  });

  test('cut anywhere, or with any bytes changed, it is read or refused, never more', () => {
    const { type, body } = blockOf([sample, { ...sample, text: 'another' }]);
    for (let length = 0; length < body.length; length++) {
      const read = decodeJourneyBlock({ type, body: body.slice(0, length) }, true);
      expect(read === undefined || typeof read === 'string').toBe(true);
    }
    const change = fc.record({ at: fc.nat(body.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        const copy = body.slice();
        for (const { at, to } of changes) copy[at] = to;
        const read = decodeJourneyBlock({ type, body: copy }, true);
        if (typeof read === 'object') expect(read.stations.length).toBeLessThanOrEqual(3);
      }),
    );
  });

  test('pcap info counts journeys by section and tells of damaged blocks', async () => {
    const { sink, contents } = memorySink();
    const writer = new PcapngWriter(sink);
    writer.addInterface({ name: 'wire', linkType: LINKTYPE_ETHERNET });
    writer.writeBlock(blockOf([sample, sample, { ...sample, journey: 8 }]));
    writer.writeBlock(changed((view) => view.setUint16(8, 9, true)));
    writer.beginSection({ littleEndian: false });
    writer.writeBlock(blockOf([sample], false, 5));
    const summary = await summarizeCapture(contents());
    expect(summary).toMatchObject({ journeys: 3, stations: 4, stationsLost: 5 });
    expect(summary.problems.map(({ message }) => message)).toEqual([
      'a block of journeys is damaged: it is of version 9; 1 can be read',
    ]);
  });
});
