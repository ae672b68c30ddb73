/** ICMP (RFC 792, RFC 1122, RFC 1191 next-hop MTU) and IGMP 1 to 3 (RFC 1112, 2236, 3376). */
import { addChecksum, sumIsRight } from './checksum.ts';
import { formatIPv4, hex } from './text.ts';
import type { Dissection, LayerBuilder } from './tree.ts';

const ETHERTYPE_IPV4 = 0x0800;

const types: ReadonlyMap<number, string> = new Map([
  [0, 'Echo (ping) reply'],
  [3, 'Destination unreachable'],
  [4, 'Source quench'],
  [5, 'Redirect'],
  [8, 'Echo (ping) request'],
  [9, 'Router advertisement'],
  [10, 'Router solicitation'],
  [11, 'Time exceeded'],
  [12, 'Parameter problem'],
  [13, 'Timestamp request'],
  [14, 'Timestamp reply'],
  [17, 'Address mask request'],
  [18, 'Address mask reply'],
  [42, 'Extended echo request'],
  [43, 'Extended echo reply'],
]);

/** Code texts by type. */
const codes: ReadonlyMap<number, readonly string[]> = new Map([
  [
    3,
    [
      'network unreachable',
      'host unreachable',
      'protocol unreachable',
      'port unreachable',
      'fragmentation needed',
      'source route failed',
      'network unknown',
      'host unknown',
      'source host isolated',
      'network administratively prohibited',
      'host administratively prohibited',
      'network unreachable for this service',
      'host unreachable for this service',
      'communication administratively prohibited',
    ],
  ],
  [5, ['for network', 'for host', 'for service and network', 'for service and host']],
  [11, ['time to live exceeded in transit', 'fragment reassembly time exceeded']],
]);

const FRAGMENTATION_NEEDED = 4;

/** A message in words, such as `Destination unreachable (port unreachable)`; without `code` its type only. */
export function icmpText(type: number, code?: number): string {
  const name = types.get(type) ?? `Type ${type}`;
  const codeText = code === undefined ? undefined : codes.get(type)?.[code];
  return codeText === undefined ? name : `${name} (${codeText})`;
}

export function dissectIcmp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'ICMP' });
  if (end - at < 4) return packet.tooShort('icmp', 'ICMP', at, end);
  const [type, code] = [packet.u8(at), packet.u8(at + 1)];
  const codeText = codes.get(type)?.[code];
  const title = icmpText(type, code);
  const layer = packet.layer('icmp', `ICMP, ${title}`, at, Math.min(8, end - at));
  layer.add('type', 'Type', `${icmpText(type)} (${type})`, at, 1);
  layer.add('code', 'Code', codeText === undefined ? code : `${codeText} (${code})`, at + 1, 1);
  addChecksum(packet, layer, at + 2, packet.ip?.whole === true ? sumIsRight(packet, at, end) : undefined);
  packet.show({ info: title });
  if (end - at < 8) return;
  if (isQuery(type)) echo(packet, layer, at, end);
  else if (quotesPacket(type)) quotation(packet, layer, type, code, at, end);
  else packet.data(at + 8, end);
}

function isQuery(type: number): boolean {
  return [0, 8, 13, 14, 17, 18].includes(type);
}

function quotesPacket(type: number): boolean {
  return [3, 4, 5, 11, 12].includes(type);
}

function echo(packet: Dissection, layer: LayerBuilder, at: number, end: number): void {
  const [id, sequence] = [packet.u16(at + 4), packet.u16(at + 6)];
  layer.add('ident', 'Identifier', hex(id, 4), at + 4, 2);
  layer.add('seq', 'Sequence number', sequence, at + 6, 2);
  // The time to live stands four bytes before the source address of the header in front.
  const ttl = packet.ip === undefined ? undefined : packet.u8(packet.ip.sourceAt - 4);
  packet.appendInfo(`  id=${hex(id, 4)}, seq=${sequence}${ttl === undefined ? '' : `, ttl=${ttl}`}`);
  packet.data(at + 8, end);
}

function quotation(
  packet: Dissection,
  layer: LayerBuilder,
  type: number,
  code: number,
  at: number,
  end: number,
): void {
  if (type === 3 && code === FRAGMENTATION_NEEDED) {
    layer.add('mtu', 'Next-hop MTU', packet.u16(at + 6), at + 6, 2);
    packet.appendInfo(`, next-hop MTU ${packet.u16(at + 6)}`);
  } else if (type === 5) {
    layer.add('redir_gw', 'Gateway', formatIPv4(packet.bytes, at + 4), at + 4, 4);
    packet.appendInfo(`, gateway ${formatIPv4(packet.bytes, at + 4)}`);
  }
  packet.quote(() => packet.next('ethertype', ETHERTYPE_IPV4, at + 8, end));
}

const igmpTypes: ReadonlyMap<number, { name: string; protocol: string }> = new Map([
  [0x11, { name: 'Membership query', protocol: 'IGMPv2' }],
  [0x12, { name: 'Membership report', protocol: 'IGMPv1' }],
  [0x16, { name: 'Membership report', protocol: 'IGMPv2' }],
  [0x17, { name: 'Leave group', protocol: 'IGMPv2' }],
  [0x22, { name: 'Membership report', protocol: 'IGMPv3' }],
]);

const IGMP_QUERY = 0x11;
const IGMP_V3_REPORT = 0x22;

export function dissectIgmp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'IGMP' });
  if (end - at < 8) return packet.tooShort('igmp', 'IGMP', at, end);
  const type = packet.u8(at);
  const known = igmpTypes.get(type);
  const name = known?.name ?? `Type ${hex(type, 2)}`;
  const protocol = type === IGMP_QUERY ? queryProtocol(packet, at, end) : (known?.protocol ?? 'IGMP');
  const layer = packet.layer('igmp', `${protocol}, ${name}`, at, end - at);
  layer.add('type', 'Type', `${name} (${hex(type, 2)})`, at, 1);
  addChecksum(packet, layer, at + 2, packet.ip?.whole === true ? sumIsRight(packet, at, end) : undefined);
  packet.show({ protocol, info: name });
  if (type === IGMP_V3_REPORT) {
    groupRecords(packet, layer, at, end);
    return;
  }
  const group = formatIPv4(packet.bytes, at + 4);
  layer.add('max_resp', 'Maximum response time', `${packet.u8(at + 1) / 10} s`, at + 1, 1);
  layer.add('maddr', 'Group', group, at + 4, 4);
  packet.appendInfo(group === '0.0.0.0' ? ', general' : ` ${group}`);
}

/** RFC 3376 §7.1: queries are told apart by their length and the response code. */
function queryProtocol(packet: Dissection, at: number, end: number): string {
  if (end - at >= 12) return 'IGMPv3';
  return packet.u8(at + 1) === 0 ? 'IGMPv1' : 'IGMPv2';
}

const recordTypes = [
  '',
  'include',
  'exclude',
  'change to include',
  'change to exclude',
  'allow new sources',
  'block old sources',
];

function groupRecords(packet: Dissection, layer: LayerBuilder, at: number, end: number): void {
  const count = packet.u16(at + 6);
  layer.add('num_grp_recs', 'Group records', count, at + 6, 2);
  let record = at + 8;
  for (let i = 0; i < count && record + 8 <= end; i++) {
    const group = formatIPv4(packet.bytes, record + 4);
    const type = recordTypes[packet.u8(record)] ?? `type ${packet.u8(record)}`;
    const length = 8 + packet.u16(record + 2) * 4 + packet.u8(record + 1) * 4;
    layer.add('grec', 'Group record', `${group}, ${type}, ${packet.u16(record + 2)} sources`, record, length);
    packet.appendInfo(`${i === 0 ? ' ' : ', '}${group} (${type})`);
    record += length;
  }
}
