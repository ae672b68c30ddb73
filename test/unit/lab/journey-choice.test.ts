// Which packets are followed, in words: what is read, and what a user is told who wrote something else.
import { expect, test } from 'vitest';
import { parseJourneyChoice } from '../../../main/lab/journey-choice.ts';

test.each([
  ['all', { every: 1 }],
  ['  ALL ', { every: 1 }],
  ['every 10', { every: 10 }],
  ['1/10', { every: 10 }],
  ['1/1 udp', { every: 1, protocol: 17 }],
  ['icmp', { every: 1, protocol: 1 }],
  ['tcp', { every: 1, protocol: 6 }],
  ['udp port 53', { every: 1, protocol: 17, port: 53 }],
  ['proto 47', { every: 1, protocol: 47 }],
  ['port 80', { every: 1, port: 80 }],
  ['proto 6 port 65535', { every: 1, protocol: 6, port: 65_535 }],
  ['host 255.255.255.255', { every: 1, address: 0xffff_ffff }],
  ['every 10 tcp\thost 10.0.0.1 port 80', { every: 10, protocol: 6, address: 0x0a00_0001, port: 80 }],
  ['port 80 host 10.0.0.1 tcp every 3', { every: 3, protocol: 6, address: 0x0a00_0001, port: 80 }],
])('%s', (text, value) => {
  expect(parseJourneyChoice(text)).toEqual({ ok: true, value });
});

const GRAMMAR = 'all, or any of: every N (or 1/N), icmp, tcp, udp, proto N, host A.B.C.D, port N';

test.each([
  ['', `must say which packets: ${GRAMMAR}`],
  ['everything', `has 'everything', which is none of: ${GRAMMAR}`],
  ['tcp and port 80', `has 'and', which is none of: ${GRAMMAR}`],
  ['all tcp', 'has all and more; all stands alone'],
  ['tcp all', 'has all and more; all stands alone'],
  ['every', 'needs a whole number from 1 to 1000000000 behind every'],
  ['every tcp', "needs a whole number from 1 to 1000000000 behind every, not 'tcp'"],
  ['every 0', "needs a whole number from 1 to 1000000000 behind every, not '0'"],
  ['every 1e3', "needs a whole number from 1 to 1000000000 behind every, not '1e3'"],
  ['1/0', "needs a whole number from 1 to 1000000000 behind 1/, not '0'"],
  ['1/', "needs a whole number from 1 to 1000000000 behind 1/, not ''"],
  ['1/2 every 3', "has 'every' where a share was given already"],
  ['proto 256', "needs a whole number from 1 to 255 behind proto, not '256'"],
  ['port 65536', "needs a whole number from 1 to 65535 behind port, not '65536'"],
  ['port -1', "needs a whole number from 1 to 65535 behind port, not '-1'"],
  ['host', 'needs an IPv4 address such as 10.0.0.1 behind host'],
  ['host 10.0.0', "needs an IPv4 address such as 10.0.0.1 behind host, not '10.0.0'"],
  ['host 0.0.0.0', "needs an IPv4 address such as 10.0.0.1 behind host, not '0.0.0.0'"],
  ['host fe80::1', "needs an IPv4 address such as 10.0.0.1 behind host, not 'fe80::1'"],
  ['tcp udp', "has 'udp' where a protocol was given already"],
  ['port 1 port 2', "has 'port' where a port was given already"],
  ['every 2 every 3', "has 'every' where a share was given already"],
  ['icmp port 80', 'has port 80, but only tcp and udp have ports'],
])("refuses '%s'", (text, reason) => {
  expect(parseJourneyChoice(text)).toEqual({ ok: false, reason });
});
