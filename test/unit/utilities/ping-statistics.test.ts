// What ping counts and prints at the end.
import { expect, test } from 'vitest';
import { createPingStatistics } from '../../../stack/utilities/ping-statistics.ts';

const MS = 1e6;

test('three requests, two replies and a duplicate', () => {
  const statistics = createPingStatistics();
  expect([0, 1000, 2000].map((ms) => statistics.sent(ms * MS))).toEqual([0, 1, 2]);
  expect(statistics.reply(0, 2 * MS)).toEqual({ sequence: 0, ms: 2, duplicate: false });
  expect(statistics.reply(2, 2004 * MS)).toEqual({ sequence: 2, ms: 4, duplicate: false });
  expect(statistics.reply(2, 2006 * MS)).toEqual({ sequence: 2, ms: 6, duplicate: true });
  expect(statistics.reply(7, 2006 * MS)).toBeUndefined();
  expect(statistics.summary('10.0.0.2', true)).toBe(
    '\n----10.0.0.2 PING Statistics----\n' +
      '3 packets transmitted, 2 packets received, +1 duplicates, 33.3% packet loss\n' +
      'round-trip min/avg/max/stddev = 2.000/4.000/6.000/1.633 ms\n',
  );
});

test('without a reply there are no round trips', () => {
  const statistics = createPingStatistics();
  statistics.sent(0);
  expect(statistics.summary('beta', true)).toBe(
    '\n----beta PING Statistics----\n1 packets transmitted, 0 packets received, 100.0% packet loss\n',
  );
});

test('numbers go on behind 65,535 although the message has 16 bits', () => {
  const statistics = createPingStatistics();
  for (let i = 0; i <= 0x10000; i++) statistics.sent(i);
  expect(statistics.reply(0, 0x10000 + MS)).toMatchObject({ sequence: 0x10000 });
});
