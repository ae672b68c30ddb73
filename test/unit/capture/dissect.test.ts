/** What users read of packets: columns and fields of frames written out by hand, and calm in the face of any bytes. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dissect } from '../../../main/capture/dissect/dissect.ts';
import type { Dissected } from '../../../main/capture/dissect/tree.ts';
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_NULL,
  LINKTYPE_RAW,
} from '../../../main/capture/link-type.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(/\s+/g, '').match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function ascii(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const hex16 = (value: number) => value.toString(16).padStart(4, '0');

const MAC_A = '020000000001';
const MAC_B = '020000000002';

function ethernet(type: string, payload: string): Uint8Array {
  return bytesOf(`${MAC_B}${MAC_A}${type}${payload}`);
}

/** An IPv4 packet from 10.0.0.1 to 10.0.0.2 with a right header checksum. */
function ipv4(protocol: string, payload: string, fragment = '4000'): string {
  const length = 20 + payload.replaceAll(/\s+/g, '').length / 2;
  const before = `4500${hex16(length)}1234${fragment}40${protocol}`;
  const addresses = '0a0000010a000002';
  let sum = 0;
  for (const word of `${before}${addresses}`.match(/..../g) ?? []) sum += parseInt(word, 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return `${before}${hex16(~sum & 0xffff)}${addresses}${payload}`;
}

function field(result: Dissected, name: string): string | undefined {
  return result.layers.flatMap((layer) => layer.fields).find((entry) => entry.name === name)?.value;
}

describe('columns', () => {
  const show = (frame: Uint8Array, linkType = LINKTYPE_ETHERNET) => dissect(frame, linkType).columns;

  test('ARP request, reply and gratuitous', () => {
    const arp = (op: string, senderIp: string, targetIp: string) =>
      show(ethernet('0806', `000108000604${op}${MAC_A}${senderIp}${MAC_B}${targetIp}`));
    expect(arp('0001', '0a000001', '0a000002')).toEqual({
      source: '02:00:00:00:00:01',
      destination: '02:00:00:00:00:02',
      protocol: 'ARP',
      length: 42,
      info: 'Who has 10.0.0.2? Tell 10.0.0.1',
    });
    expect(arp('0002', '0a000001', '0a000002').info).toBe('10.0.0.1 is at 02:00:00:00:00:01');
    expect(arp('0001', '0a000001', '0a000001').info).toContain('Gratuitous');
  });

  test('ICMP echo with identifier, sequence number and time to live', () => {
    expect(show(ethernet('0800', ipv4('01', '0800f7fd00010002')))).toMatchObject({
      source: '10.0.0.1',
      destination: '10.0.0.2',
      protocol: 'ICMP',
      info: 'Echo (ping) request  id=0x0001, seq=2, ttl=64',
    });
  });

  test('an ICMP error does not take the columns of the packet it quotes', () => {
    const quoted = '450000300000000040110000c0000201c0000202 0035 3039 0008 0000';
    const columns = show(ethernet('0800', ipv4('01', `0303000000000000${quoted}`)));
    expect(columns).toMatchObject({ source: '10.0.0.1', protocol: 'ICMP' });
    expect(columns.info).toBe('Destination unreachable (port unreachable)');
  });

  test('TCP flags, numbers and options', () => {
    const options = '020405b4 0402 080a0000000100000002 01 030307';
    const segment = `c0000050 00000010 00000020 a012 ffff 0000 0000 ${options}`;
    expect(show(ethernet('0800', ipv4('06', segment))).info).toBe(
      '49152 → 80 [SYN, ACK] Seq=16 Ack=32 Win=65535 Len=0 MSS=1460 SACK_PERM TSval=1 TSecr=2 WS=128',
    );
  });

  test('HTTP request and response lines on any port', () => {
    const http = (text: string) =>
      show(ethernet('0800', ipv4('06', `c0001f40 00000010 00000020 5018 ffff 0000 0000 ${ascii(text)}`)));
    expect(http('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')).toMatchObject({
      protocol: 'HTTP',
      info: 'GET /x HTTP/1.1',
    });
    expect(http('HTTP/1.1 404 Not Found\r\n\r\n')).toMatchObject({ protocol: 'HTTP' });
    expect(http('GETTING nowhere').protocol).toBe('TCP');
    expect(http('GET /\x1b[2J HTTP/1.1\r\n').info).toBe('GET /\\x1b[2J HTTP/1.1');
  });

  test('DNS question and answer, with a compressed name', () => {
    const question = `${'07'}${ascii('example')}03${ascii('com')}0000010001`;
    const message = `abcd81800001000100000000${question}c00c00010001000000780004c0000201`;
    const udp = `00350400${hex16(8 + message.length / 2)}0000${message}`;
    expect(show(ethernet('0800', ipv4('11', udp)))).toMatchObject({
      protocol: 'DNS',
      info: 'Standard query response 0xabcd A example.com A 192.0.2.1',
    });
  });

  test('a name that points at itself ends', () => {
    const message = 'abcd01000001000000000000c00c00010001';
    const udp = `04000035${hex16(8 + message.length / 2)}0000${message}`;
    expect(show(ethernet('0800', ipv4('11', udp))).protocol).toBe('DNS');
  });

  test('DHCP message type and offered address', () => {
    const header = `02010600deadbeef00000000${'00000000'}0a000063${'00'.repeat(8)}${MAC_A}${'00'.repeat(10 + 192)}`;
    const message = `${header}63825363350102ff`;
    const udp = `00430044${hex16(8 + message.length / 2)}0000${message}`;
    expect(show(ethernet('0800', ipv4('11', udp)))).toMatchObject({
      protocol: 'DHCP',
      info: 'DHCP Offer, transaction 0xdeadbeef, address 10.0.0.99',
    });
  });

  test('neighbor solicitation behind a hop-by-hop header', () => {
    const target = 'fe800000000000000000000000000002';
    const body = `8700 0000 00000000 ${target} 0101 ${MAC_A}`;
    const extension = '3a00050200000100';
    const frame = `60000000 0028 00 ff fe800000000000000000000000000001 ${target} ${extension} ${body}`;
    expect(show(ethernet('86dd', frame))).toMatchObject({
      source: 'fe80::1',
      destination: 'fe80::2',
      protocol: 'ICMPv6',
      info: 'Neighbor solicitation for fe80::2 from 02:00:00:00:00:01',
    });
  });

  test('spanning tree over LLC, tagged frames, fragments', () => {
    const bpdu = `0000000000 8000${MAC_A} 00000004 8000${MAC_B} 8001 0000 1400 0200 0f00`;
    expect(show(bytesOf(`0180c2000000${MAC_A}0026424203${bpdu}`))).toMatchObject({
      protocol: 'STP',
      info: 'Configuration  Root = 32768/0/02:00:00:00:00:01  Cost = 4  Port = 0x8001',
    });
    const tagged = dissect(ethernet('8100', `a00a0800${ipv4('01', '0800f7fd00010002')}`), LINKTYPE_ETHERNET);
    expect(tagged.columns.protocol).toBe('ICMP');
    expect(field(tagged, 'vlan.id')).toBe('10');
    const fragment = show(ethernet('0800', ipv4('11', '00'.repeat(16), '20b9')));
    expect(fragment).toMatchObject({
      protocol: 'IPv4',
      info: 'Fragment of UDP (17), offset 1480, ID 0x1234',
    });
  });

  test('link types without an Ethernet header', () => {
    const packet = ipv4('01', '0800f7fd00010002');
    expect(show(bytesOf(packet), LINKTYPE_RAW).protocol).toBe('ICMP');
    expect(show(bytesOf(`02000000${packet}`), LINKTYPE_NULL).protocol).toBe('ICMP');
    expect(show(bytesOf(`000000010006${MAC_A}00000800${packet}`), LINKTYPE_LINUX_SLL).protocol).toBe('ICMP');
    expect(show(bytesOf('00'), 147)).toMatchObject({ protocol: 'USER0', length: 1 });
  });
});

describe('checksums', () => {
  test('of IPv4 and ICMP are judged', () => {
    const good = dissect(ethernet('0800', ipv4('01', '0800f7fc00010002')), LINKTYPE_ETHERNET);
    expect(field(good, 'ip.checksum')).toMatch(/good/);
    expect(field(good, 'icmp.checksum')).toMatch(/good/);
    const bad = dissect(ethernet('0800', ipv4('01', '0800f7fd00010002')), LINKTYPE_ETHERNET);
    expect(field(bad, 'icmp.checksum')).toMatch(/bad/);
  });

  test('of a packet the capture cut short are not judged', () => {
    const frame = ethernet(
      '0800',
      ipv4('06', `c0000050 00000010 00000020 5018 ffff 0000 0000 ${'00'.repeat(40)}`),
    );
    expect(field(dissect(frame.subarray(0, 60), LINKTYPE_ETHERNET), 'tcp.checksum')).toMatch(/not checked/);
  });
});

test('the padding of short Ethernet frames is not taken for data', () => {
  const padded = ethernet(
    '0800',
    `${ipv4('06', 'c0000050 00000010 00000020 5010 ffff 0000 0000')}000000000000`,
  );
  const { columns, layers } = dissect(padded, LINKTYPE_ETHERNET);
  expect(columns.info).toContain('Len=0');
  expect(layers.map((layer) => layer.name)).toEqual(['eth', 'ip', 'tcp']);
});

describe('any bytes', () => {
  const seeds = [
    ethernet(
      '0800',
      ipv4('06', `c0000050 00000010 00000020 5018 ffff 0000 0000 ${ascii('GET / HTTP/1.1\r\n\r\n')}`),
    ),
    ethernet('0800', ipv4('11', `00350400 001c 0000 abcd8180000100010000000003777777c00c0001`)),
    ethernet('86dd', `60000000001000ff${'fe80'.repeat(16)}3a00050200000100870000000000`),
    bytesOf(`0180c2000000${MAC_A}0026424203${'00'.repeat(35)}`),
    ethernet('88cc', '020704020000000001040703020000000001060200780000'),
  ];
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(80), fc.nat(255))), fc.nat(100))
    .map(([seed, changes, length]) => {
      const bytes = seed.slice(0, length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  const linkType = fc.constantFrom(0, 1, 12, 101, 108, 113, 228, 229, 276, 999);

  test('are dissected without an exception, every field inside the packet', () => {
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), linkType, (bytes, type) => {
        const { layers, columns } = dissect(bytes, type);
        expect(columns.length).toBe(bytes.length);
        for (const { offset, length, fields } of layers) {
          for (const part of [{ offset, length }, ...fields]) {
            expect(part.offset).toBeGreaterThanOrEqual(0);
            expect(part.length).toBeGreaterThanOrEqual(0);
            expect(part.offset + part.length).toBeLessThanOrEqual(bytes.length);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('nested without end stop at a fixed depth', () => {
    const tags = '81000001'.repeat(10_000);
    expect(dissect(ethernet('8100', `0001${tags}`), LINKTYPE_ETHERNET).layers.length).toBeLessThan(50);
  });
});

test('the dissectors need nothing of Node, so that they run in a browser too', () => {
  const capture = join(import.meta.dirname, '../../../main/capture');
  const dissectors = readdirSync(join(capture, 'dissect')).map((name) => join(capture, 'dissect', name));
  expect(dissectors.length).toBeGreaterThan(10);
  for (const file of [...dissectors, join(capture, 'link-type.ts'), join(capture, 'packet.ts')]) {
    expect(readFileSync(file, 'utf8'), file).not.toMatch(/from 'node:|\bBuffer\b|\bprocess\./);
  }
});
