/** ICMPv6 (RFC 4443), neighbour discovery (RFC 4861), multicast listener discovery (RFC 2710, RFC 3810). */
import { addChecksum, transportVerdict } from './checksum.ts';
import { formatHex, formatIPv6, hex } from './text.ts';
import type { Dissection, LayerBuilder } from './tree.ts';

const ETHERTYPE_IPV6 = 0x86dd;
export const PROTOCOL_ICMPV6 = 58;

const types: ReadonlyMap<number, string> = new Map([
  [1, 'Destination unreachable'],
  [2, 'Packet too big'],
  [3, 'Time exceeded'],
  [4, 'Parameter problem'],
  [128, 'Echo (ping) request'],
  [129, 'Echo (ping) reply'],
  [130, 'Multicast listener query'],
  [131, 'Multicast listener report'],
  [132, 'Multicast listener done'],
  [133, 'Router solicitation'],
  [134, 'Router advertisement'],
  [135, 'Neighbor solicitation'],
  [136, 'Neighbor advertisement'],
  [137, 'Redirect'],
  [138, 'Router renumbering'],
  [139, 'Node information query'],
  [140, 'Node information reply'],
  [143, 'Multicast listener report v2'],
]);

const unreachableCodes = [
  'no route to destination',
  'administratively prohibited',
  'beyond scope of source address',
  'address unreachable',
  'port unreachable',
  'source address failed policy',
  'reject route to destination',
];

export function dissectIcmpv6(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'ICMPv6' });
  if (end - at < 4) return packet.tooShort('icmpv6', 'ICMPv6', at, end);
  const [type, code] = [packet.u8(at), packet.u8(at + 1)];
  const name = types.get(type) ?? `Type ${type}`;
  const codeText = type === 1 ? unreachableCodes[code] : undefined;
  const title = codeText === undefined ? name : `${name} (${codeText})`;
  const layer = packet.layer('icmpv6', `ICMPv6, ${title}`, at, end - at);
  layer.add('type', 'Type', `${name} (${type})`, at, 1);
  layer.add('code', 'Code', codeText === undefined ? code : `${codeText} (${code})`, at + 1, 1);
  addChecksum(packet, layer, at + 2, transportVerdict(packet, PROTOCOL_ICMPV6, at, end));
  packet.show({ info: title });
  if (end - at >= 8) body(packet, layer, type, at, end);
}

function body(packet: Dissection, layer: LayerBuilder, type: number, at: number, end: number): void {
  if (type >= 1 && type <= 4) {
    layer.length = 8;
    if (type === 2) {
      layer.add('mtu', 'MTU', packet.u32(at + 4), at + 4, 4);
      packet.appendInfo(`, MTU ${packet.u32(at + 4)}`);
    }
    packet.quote(() => packet.next('ethertype', ETHERTYPE_IPV6, at + 8, end));
  } else if (type === 128 || type === 129) {
    layer.length = 8;
    echo(packet, layer, at, end);
  } else if (type >= 130 && type <= 132) {
    listener(packet, layer, at, end);
  } else if (type >= 133 && type <= 137) {
    neighborDiscovery(packet, layer, type, at, end);
  } else if (type === 143) {
    listenerReport(packet, layer, at, end);
  }
}

function echo(packet: Dissection, layer: LayerBuilder, at: number, end: number): void {
  const [id, sequence] = [packet.u16(at + 4), packet.u16(at + 6)];
  layer.add('echo.identifier', 'Identifier', hex(id, 4), at + 4, 2);
  layer.add('echo.sequence_number', 'Sequence number', sequence, at + 6, 2);
  // The hop limit stands in the byte before the source address of the header in front.
  const hops = packet.ip?.addressLength === 16 ? `, hop limit=${packet.u8(packet.ip.sourceAt - 1)}` : '';
  packet.appendInfo(`  id=${hex(id, 4)}, seq=${sequence}${hops}`);
  packet.data(at + 8, end);
}

function listener(packet: Dissection, layer: LayerBuilder, at: number, end: number): void {
  if (end - at < 24) return;
  const group = formatIPv6(packet.bytes, at + 8);
  layer.add('mld.maximum_response_delay', 'Maximum response delay', `${packet.u16(at + 4)} ms`, at + 4, 2);
  layer.add('mld.multicast_address', 'Group', group, at + 8, 16);
  packet.appendInfo(group === '::' ? ', general' : ` ${group}`);
}

function listenerReport(packet: Dissection, layer: LayerBuilder, at: number, end: number): void {
  const count = packet.u16(at + 6);
  layer.add('mldr.nb_mcast_records', 'Group records', count, at + 6, 2);
  let record = at + 8;
  for (let i = 0; i < count && record + 20 <= end; i++) {
    const length = 20 + packet.u16(record + 2) * 16 + packet.u8(record + 1) * 4;
    const group = formatIPv6(packet.bytes, record + 4);
    layer.add('mldr.mar', 'Group record', `${group}, type ${packet.u8(record)}`, record, length);
    packet.appendInfo(`${i === 0 ? ' ' : ', '}${group}`);
    record += length;
  }
}

/** Where the options of each message start. */
const optionsOffset: ReadonlyMap<number, number> = new Map([
  [133, 8],
  [134, 16],
  [135, 24],
  [136, 24],
  [137, 40],
]);

function neighborDiscovery(
  packet: Dissection,
  layer: LayerBuilder,
  type: number,
  at: number,
  end: number,
): void {
  const options = optionsOffset.get(type) ?? 8;
  if (end - at < options) return;
  if (type === 134) routerAdvertisement(packet, layer, at);
  if (type >= 135) {
    const target = formatIPv6(packet.bytes, at + 8);
    layer.add('nd.target_address', 'Target', target, at + 8, 16);
    if (type === 135) packet.appendInfo(` for ${target}`);
    if (type === 136) advertisement(packet, layer, at, target);
    if (type === 137) packet.appendInfo(`, use ${target} for ${formatIPv6(packet.bytes, at + 24)}`);
  }
  discoveryOptions(packet, layer, at + options, end);
}

function routerAdvertisement(packet: Dissection, layer: LayerBuilder, at: number): void {
  layer.add('nd.ra.cur_hop_limit', 'Hop limit', packet.u8(at + 4), at + 4, 1);
  layer.add('nd.ra.flag', 'Flags', hex(packet.u8(at + 5), 2), at + 5, 1);
  layer.add('nd.ra.router_lifetime', 'Router lifetime', `${packet.u16(at + 6)} s`, at + 6, 2);
  layer.add('nd.ra.reachable_time', 'Reachable time', `${packet.u32(at + 8)} ms`, at + 8, 4);
  layer.add('nd.ra.retrans_timer', 'Retransmission timer', `${packet.u32(at + 12)} ms`, at + 12, 4);
}

function advertisement(packet: Dissection, layer: LayerBuilder, at: number, target: string): void {
  const bits = packet.u8(at + 4);
  const flags = [
    [0x80, 'router'],
    [0x40, 'solicited'],
    [0x20, 'override'],
  ] as const;
  const set = flags.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  layer.add('nd.na.flag', 'Flags', set.length === 0 ? 'none' : set.join(', '), at + 4, 4);
  packet.appendInfo(` ${target}${set.length === 0 ? '' : ` (${set.join(', ')})`}`);
}

function discoveryOptions(packet: Dissection, layer: LayerBuilder, start: number, end: number): void {
  let at = start;
  while (at + 8 <= end) {
    const type = packet.u8(at);
    const length = packet.u8(at + 1) * 8;
    if (length === 0 || at + length > end) {
      layer.add('opt', 'Option', `type ${type} with a length that does not fit`, at, end - at);
      return;
    }
    layer.add('opt', 'Option', discoveryOption(packet, type, at, length), at, length);
    if (type === 1) packet.appendInfo(` from ${formatHex(packet.bytes, at + 2, 6, ':')}`);
    if (type === 2) packet.appendInfo(` is at ${formatHex(packet.bytes, at + 2, 6, ':')}`);
    at += length;
  }
}

function discoveryOption(packet: Dissection, type: number, at: number, length: number): string {
  const address = formatHex(packet.bytes, at + 2, length - 2, ':');
  switch (type) {
    case 1:
      return `Source link-layer address ${address}`;
    case 2:
      return `Target link-layer address ${address}`;
    case 3:
      return `Prefix ${formatIPv6(packet.bytes, at + 16)}/${packet.u8(at + 2)}`;
    case 4:
      return 'Redirected header';
    case 5:
      return `MTU ${packet.u32(at + 4)}`;
    case 25:
      return `DNS server ${formatIPv6(packet.bytes, at + 8)}`;
    default:
      return `type ${type}, ${length} bytes`;
  }
}
