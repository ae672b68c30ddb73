/** The bytes of a packet and the fields they belong to. */
import { describe, expect, it } from 'vitest';
import type { PacketDetail } from '../../../main/api/model.ts';
import { base64FromBytes, bytesFromBase64 } from '../../../renderer/api/base64.ts';
import { dumpRows, lineAtByte, rangeOfLine } from '../../../renderer/packets/bytes.ts';
import { summary } from '../api/sample-host.ts';

const detail: PacketDetail = {
  summary: summary(1),
  bytes: '',
  layers: [
    {
      name: 'eth',
      title: 'Ethernet',
      offset: 0,
      length: 14,
      fields: [
        { name: 'eth.dst', label: 'Destination', value: 'ff:ff:ff:ff:ff:ff', offset: 0, length: 6 },
        { name: 'eth.type', label: 'Type', value: 'IPv4', offset: 12, length: 2 },
      ],
    },
    {
      name: 'ip',
      title: 'Internet Protocol',
      offset: 14,
      length: 20,
      fields: [
        { name: 'ip.flags', label: 'Flags and offset', value: '0x4000', offset: 20, length: 2 },
        { name: 'ip.df', label: "Don't fragment", value: 'set', offset: 20, length: 1 },
      ],
    },
  ],
};

describe('a byte', () => {
  it('belongs to the smallest field around it', () => {
    expect(lineAtByte(detail, 20)).toBe('1.1');
    expect(lineAtByte(detail, 21)).toBe('1.0');
    expect(lineAtByte(detail, 5)).toBe('0.0');
  });

  it('that no field covers belongs to its layer, or to nothing', () => {
    expect(lineAtByte(detail, 7)).toBe('0');
    expect(lineAtByte(detail, 30)).toBe('1');
    expect(lineAtByte(detail, 34)).toBeUndefined();
  });
});

it('a line of the tree has the range of its layer or field', () => {
  expect(rangeOfLine(detail, '1')).toMatchObject({ offset: 14, length: 20 });
  expect(rangeOfLine(detail, '0.1')).toMatchObject({ offset: 12, length: 2 });
  expect(rangeOfLine(detail, undefined)).toBeUndefined();
  expect(rangeOfLine(detail, '9.9')).toBeUndefined();
});

it('a dump has offsets, hex and printable text', () => {
  const rows = dumpRows(new TextEncoder().encode('GET /\r\n\x7fé-end'), 8);
  expect(rows.map(({ offset }) => offset)).toEqual(['0000', '0008']);
  expect(rows[0]?.bytes.map(({ hex }) => hex).join(' ')).toBe('47 45 54 20 2f 0d 0a 7f');
  expect(rows.map(({ bytes }) => bytes.map(({ text }) => text).join(''))).toEqual(['GET /···', '··-end']);
  expect(rows[1]?.bytes[0]?.offset).toBe(8);
});

it('base64 carries bytes of any value and length', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) & 0xff);
  expect(bytesFromBase64(base64FromBytes(bytes))).toEqual(bytes);
  expect(base64FromBytes(bytes)).toBe(Buffer.from(bytes).toString('base64'));
  expect(bytesFromBase64('')).toHaveLength(0);
});
