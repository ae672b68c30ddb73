/** The protocol column against tshark's, over every frame of the published captures whose layers are dissected here. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { dissect } from '../../../main/capture/dissect/dissect.ts';
import { PcapngWriter } from '../../../main/capture/pcapng-writer.ts';
import { readCapture } from '../../../main/capture/read.ts';
import { fileSink } from '../../../main/capture/sink.ts';
import { conformanceDir } from '../../support/conformance.ts';
import { requires } from '../../support/requires.ts';

const captures = conformanceDir('captures/tcpdump');
const missing = requires({ tools: ['tshark'] });

const protocols = new Set(
  'TCP UDP ICMP ICMPv6 IGMPv1 IGMPv2 IGMPv3 ARP IPv4 IPv6 HTTP DNS MDNS DHCP STP LLDP LLC'.split(' '),
);

/** Names of the layers dissected here, as tshark calls them; other layers around a packet are out of scope. */
const layers = new Set(
  (
    'frame eth ethertype vlan ieee8021ad llc sll null loop raw arp ip ipv6 ipv6.hopopts ipv6.routing ipv6.fraghdr ' +
    'ipv6.dstopts icmp icmpv6 igmp udp tcp http dns mdns dhcp stp lldp data data-text-lines'
  ).split(' '),
);

interface Sample {
  readonly file: string;
  readonly protocol: string;
}

/** Writes the packets of all files into one, an interface per file, so that one run of tshark sees them all. */
async function mergeInto(path: string, files: readonly string[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  const writer = new PcapngWriter(fileSink(path));
  for (const file of files) {
    const { packets, interfaces } = await readCapture(file);
    const ids = interfaces.map((point) => writer.addInterface(point));
    for (const { interfaceId, data, originalLength } of packets) {
      const linkType = interfaces[interfaceId]?.linkType ?? 0;
      writer.writePacket({ interfaceId: ids[interfaceId] ?? 0, time: 0n, data, originalLength });
      samples.push({ file, protocol: dissect(data, linkType).columns.protocol });
    }
  }
  writer.close();
  return samples;
}

/** For each frame the protocol tshark shows and the chain of its layers. Nothing is reassembled, as here. */
function tsharkRows(path: string): (readonly [protocol: string, chain: string])[] {
  const stateless = ['tcp.desegment_tcp_streams', 'ip.defragment', 'ipv6.defragment'];
  const preferences = stateless.flatMap((name) => ['-o', `${name}:FALSE`]);
  const fields = ['_ws.col.Protocol', 'frame.protocols'].flatMap((name) => ['-e', name]);
  const text = execFileSync('tshark', ['-n', '-r', path, ...preferences, '-T', 'fields', ...fields], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: 'pipe',
  });
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const [protocol = '', chain = ''] = line.split('\t');
    return [protocol, chain];
  });
}

describe.skipIf(captures === undefined || missing !== undefined)('the protocol column', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stackscope-dissect-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('is that of tshark for at least 95 % of the frames', { timeout: 120_000 }, async () => {
    const merged = join(folder, 'all.pcapng');
    const names = readdirSync(captures ?? '.').sort();
    const files = names.map((name) => join(captures ?? '', name));
    const ours = await mergeInto(merged, files);
    const rows = tsharkRows(merged);
    expect(rows).toHaveLength(ours.length);
    let total = 0;
    const different: string[] = [];
    rows.forEach(([protocol, chain], index) => {
      if (!protocols.has(protocol) || !chain.split(':').every((layer) => layers.has(layer))) return;
      total++;
      const sample = ours[index];
      if (sample?.protocol !== protocol) {
        different.push(`${sample?.file ?? ''}: ${sample?.protocol ?? ''}, tshark says ${protocol}`);
      }
    });
    console.log(`protocol column: ${total - different.length} of ${total} frames as in tshark`);
    expect(total).toBeGreaterThan(2000);
    if (different.length > total * 0.05) expect(different).toEqual([]);
  });
});
