// ICMP messages of ping and traceroute.
import { expect, test } from 'vitest';
import fc from 'fast-check';
import {
  dontFragmentHeader,
  echoRequest,
  icmpErrorText,
  inChecksum,
  parseIcmp,
  parseIp,
} from '../../../stack/utilities/icmp-packet.ts';

test("the checksum of RFC 1071's example", () => {
  expect(inChecksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(0xffff & ~0xddf2);
});

test('an echo request reads back and its checksum is right, whatever the data', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xffff), fc.uint8Array({ maxLength: 99 }), (id, sequence, data) => {
      const message = echoRequest(id, sequence, data);
      expect(inChecksum(message)).toBe(0);
      expect(parseIcmp(message)).toMatchObject({ type: 8, code: 0, id, sequence });
      expect([...parseIcmp(message)!.data]).toEqual([...data]);
    }),
  );
});

test('a header for -D has don’t-fragment set and reads back', () => {
  const header = dontFragmentHeader(0x0a000002, 9, 64);
  expect(header.readUInt16BE(2)).toBe(84);
  expect(header.readUInt16BE(6)).toBe(0x4000);
  expect(parseIp(header)).toMatchObject({ ttl: 9, protocol: 1, destination: 0x0a000002 });
});

test('a header with options is skipped whole; bytes that are too short are no packet', () => {
  const packet = Buffer.alloc(32);
  packet[0] = 0x46;
  packet[24] = 11;
  expect(parseIp(packet)!.data[0]).toBe(11);
  expect(parseIp(packet.subarray(0, 19))).toBeUndefined();
  expect(parseIp(packet.subarray(0, 23))).toBeUndefined();
  expect(parseIcmp(Buffer.alloc(7))).toBeUndefined();
});

test.each([
  [3, 1, 0, 'Destination Host Unreachable'],
  [3, 4, 1400, 'frag needed and DF set (MTU 1400)'],
  [3, 99, 0, 'Destination Unreachable, Bad Code: 99'],
  [11, 0, 0, 'Time to live exceeded'],
  [0, 0, 0, undefined],
])('type %i code %i says %s', (type, code, nextMtu, text) => {
  expect(icmpErrorText({ type, code, nextMtu, id: 0, sequence: nextMtu, data: Buffer.alloc(0) })).toBe(text);
});
