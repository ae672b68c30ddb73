/**
 * Dissects one packet into columns for a packet list and layers of fields for a detail tree. Stateless: no
 * reassembly, no streams. Runs anywhere (no Node modules) and never throws, whatever the bytes are.
 */
import { dissectArp } from './arp.ts';
import { dissectLldp, dissectStp } from './bridge.ts';
import { dissectDhcp } from './dhcp.ts';
import { dissectDnsTcp, dissectDnsUdp, dissectMdns } from './dns.ts';
import {
  LLC_SPANNING_TREE,
  dissectEthernet,
  dissectLinuxCooked,
  dissectLinuxCooked2,
  dissectNull,
  dissectRawIp,
  dissectVlan,
} from './ethernet.ts';
import { dissectIcmp, dissectIgmp } from './icmp.ts';
import { PROTOCOL_ICMPV6, dissectIcmpv6 } from './icmpv6.ts';
import { dissectIPv4 } from './ipv4.ts';
import { dissectIPv6 } from './ipv6.ts';
import { PROTOCOL_TCP, dissectTcp } from './tcp.ts';
import { Dissection } from './tree.ts';
import type { Dissected, Dissector, DissectorTables } from './tree.ts';
import { PROTOCOL_UDP, dissectUdp } from './udp.ts';
import * as link from '../link-type.ts';

const tables: DissectorTables = {
  ethertype: new Map<number, Dissector>([
    [0x0800, dissectIPv4],
    [0x0806, dissectArp],
    [0x8035, dissectArp],
    [0x8100, dissectVlan],
    [0x86dd, dissectIPv6],
    [0x88a8, dissectVlan],
    [0x88cc, dissectLldp],
    [0x9100, dissectVlan],
  ]),
  ipProtocol: new Map<number, Dissector>([
    [1, dissectIcmp],
    [2, dissectIgmp],
    [4, dissectIPv4],
    [PROTOCOL_TCP, dissectTcp],
    [PROTOCOL_UDP, dissectUdp],
    [41, dissectIPv6],
    [PROTOCOL_ICMPV6, dissectIcmpv6],
  ]),
  udpPort: new Map<number, Dissector>([
    [53, dissectDnsUdp],
    [67, dissectDhcp],
    [68, dissectDhcp],
    [5353, dissectMdns],
  ]),
  tcpPort: new Map<number, Dissector>([[53, dissectDnsTcp]]),
  llcSap: new Map<number, Dissector>([[LLC_SPANNING_TREE, dissectStp]]),
};

const linkTypes: ReadonlyMap<number, Dissector> = new Map<number, Dissector>([
  [link.LINKTYPE_NULL, dissectNull],
  [link.LINKTYPE_ETHERNET, dissectEthernet],
  // What BSD and Linux programs stored for raw IP before LINKTYPE_RAW existed.
  [12, dissectRawIp],
  [14, dissectRawIp],
  [link.LINKTYPE_RAW, dissectRawIp],
  [link.LINKTYPE_LOOP, dissectNull],
  [link.LINKTYPE_LINUX_SLL, dissectLinuxCooked],
  [link.LINKTYPE_IPV4, dissectIPv4],
  [link.LINKTYPE_IPV6, dissectIPv6],
  [link.LINKTYPE_LINUX_SLL2, dissectLinuxCooked2],
]);

/**
 * @param bytes one captured packet, from the start of its link-layer header.
 * @param linkType LINKTYPE number; packets of unknown types are shown as data.
 */
export function dissect(bytes: Uint8Array, linkType: number): Dissected {
  const packet = new Dissection(bytes, tables);
  const dissector = linkTypes.get(linkType);
  if (dissector === undefined) {
    const name = link.linkTypeName(linkType);
    packet.show({ protocol: name, info: `Link type ${name}, ${bytes.length} bytes` });
    packet.data(0, bytes.length);
  } else {
    dissector(packet, 0, bytes.length);
  }
  return packet.result();
}
