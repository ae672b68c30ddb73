/** The filter above the packet list. */
import { describe, expect, it } from 'vitest';
import { parsePacketFilter } from '../../../renderer/packets/packet-filter.ts';
import { summary } from '../api/sample-host.ts';

const packet = summary(7, {
  source: '10.0.0.1',
  destination: 'fe80::2',
  protocol: 'TCP',
  length: 54,
  info: '49153 → 80 [SYN] Seq=0',
  point: 'link:wire',
});

describe('a packet filter', () => {
  it.each([
    '',
    '   ',
    'tcp',
    'TCP syn',
    'syn 10.0.0.1',
    'proto:tcp',
    'src:10.0.0.1 dst:fe80::2',
    'point:link:wire',
    '"[SYN] Seq"',
    'info:"80 [syn]"',
    '-arp',
    '!proto:udp syn',
    'no:7',
    'len:54',
    'fe80::2',
    'fe80:',
    '"unfinished'.replace('unfinished', 'syn'),
  ])('lets it pass with %j', (text) => expect(parsePacketFilter(text)(packet)).toBe(true));

  it.each([
    'arp',
    'tcp arp',
    'dst:10.0.0.1',
    '-tcp',
    '!info:syn',
    '"syn Seq"',
    'proto:10.0.0.1',
    'nonsense:tcp',
  ])('holds it back with %j', (text) => expect(parsePacketFilter(text)(packet)).toBe(false));

  it('does not match across two columns', () => {
    expect(parsePacketFilter('"10.0.0.1 fe80"')(packet)).toBe(false);
  });
});
