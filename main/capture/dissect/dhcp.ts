/** BOOTP and DHCP (RFC 951, RFC 2131, options of RFC 2132). */
import { formatHex, formatIPv4, formatMac, hex, printable } from './text.ts';
import type { Dissection, LayerBuilder } from './tree.ts';

const FIXED_LENGTH = 236;
const MAGIC_COOKIE = 0x63825363;
const OPTION_PAD = 0;
const OPTION_END = 255;
const OPTION_MESSAGE_TYPE = 53;

const messageTypes = ['', 'Discover', 'Offer', 'Request', 'Decline', 'ACK', 'NAK', 'Release', 'Inform'];

type ValueKind = 'addresses' | 'text' | 'number' | 'type' | 'bytes';

const options: ReadonlyMap<number, readonly [name: string, kind: ValueKind]> = new Map([
  [1, ['Subnet mask', 'addresses']],
  [3, ['Router', 'addresses']],
  [6, ['Domain name server', 'addresses']],
  [12, ['Host name', 'text']],
  [15, ['Domain name', 'text']],
  [26, ['Interface MTU', 'number']],
  [28, ['Broadcast address', 'addresses']],
  [42, ['NTP server', 'addresses']],
  [50, ['Requested address', 'addresses']],
  [51, ['Lease time', 'number']],
  [OPTION_MESSAGE_TYPE, ['Message type', 'type']],
  [54, ['Server identifier', 'addresses']],
  [55, ['Parameter request list', 'bytes']],
  [56, ['Message', 'text']],
  [57, ['Maximum message size', 'number']],
  [58, ['Renewal time', 'number']],
  [59, ['Rebinding time', 'number']],
  [60, ['Vendor class', 'text']],
  [61, ['Client identifier', 'bytes']],
]);

export function dissectDhcp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'BOOTP' });
  if (end - at < FIXED_LENGTH) return packet.tooShort('dhcp', 'Bootstrap Protocol', at, end);
  const request = packet.u8(at) === 1;
  const kind = request ? 'Boot request' : 'Boot reply';
  const client = formatMac(packet.bytes, at + 28);
  const layer = packet.layer('dhcp', `Bootstrap Protocol, ${kind}`, at, end - at);
  addHeader(packet, layer, kind, at);
  packet.show({ info: `${kind} ${request ? 'from' : 'to'} ${client}` });
  if (end - at < FIXED_LENGTH + 4 || packet.u32(at + FIXED_LENGTH) !== MAGIC_COOKIE) return;
  const type = addOptions(packet, layer, at + FIXED_LENGTH + 4, end);
  if (type === undefined) return;
  const name = messageTypes[type] ?? `type ${type}`;
  layer.title = `Dynamic Host Configuration Protocol, ${name}`;
  const offered = formatIPv4(packet.bytes, at + 16);
  const address = offered === '0.0.0.0' ? '' : `, address ${offered}`;
  packet.show({
    protocol: 'DHCP',
    info: `DHCP ${name}, transaction ${hex(packet.u32(at + 4), 8)}${address}`,
  });
}

function addHeader(packet: Dissection, layer: LayerBuilder, kind: string, at: number): void {
  const { bytes } = packet;
  layer.add('type', 'Message', kind, at, 1);
  layer.add('hw.type', 'Hardware type', packet.u8(at + 1), at + 1, 1);
  layer.add('hw.len', 'Hardware address length', packet.u8(at + 2), at + 2, 1);
  layer.add('hops', 'Hops', packet.u8(at + 3), at + 3, 1);
  layer.add('id', 'Transaction ID', hex(packet.u32(at + 4), 8), at + 4, 4);
  layer.add('secs', 'Seconds', packet.u16(at + 8), at + 8, 2);
  layer.add('flags', 'Flags', packet.u8(at + 10) >= 0x80 ? 'broadcast' : 'unicast', at + 10, 2);
  layer.add('ip.client', 'Client address', formatIPv4(bytes, at + 12), at + 12, 4);
  layer.add('ip.your', 'Your address', formatIPv4(bytes, at + 16), at + 16, 4);
  layer.add('ip.server', 'Next server', formatIPv4(bytes, at + 20), at + 20, 4);
  layer.add('ip.relay', 'Relay agent', formatIPv4(bytes, at + 24), at + 24, 4);
  layer.add('hw.mac_addr', 'Client hardware address', formatMac(bytes, at + 28), at + 28, 6);
}

/** @returns the DHCP message type, if there is one. */
function addOptions(packet: Dissection, layer: LayerBuilder, start: number, end: number): number | undefined {
  let type: number | undefined;
  let at = start;
  while (at < end) {
    const code = packet.u8(at);
    if (code === OPTION_END) {
      layer.add('option.end', 'End', '', at, 1);
      break;
    }
    if (code === OPTION_PAD) {
      at++;
      continue;
    }
    const length = packet.u8(at + 1);
    if (at + 2 + length > end) {
      layer.add('option', `Option ${code}`, 'reaches past the end of the message', at, end - at);
      break;
    }
    if (code === OPTION_MESSAGE_TYPE && length === 1) type = packet.u8(at + 2);
    const [label, kind] = options.get(code) ?? [`Option ${code}`, 'bytes'];
    layer.add('option', label, valueText(packet, kind, at + 2, length), at, 2 + length);
    at += 2 + length;
  }
  return type;
}

function valueText(packet: Dissection, kind: ValueKind, at: number, length: number): string {
  if (kind === 'text') return printable(packet.bytes, at, at + length);
  if (kind === 'addresses' && length % 4 === 0) {
    const addresses: string[] = [];
    for (let i = 0; i < length; i += 4) addresses.push(formatIPv4(packet.bytes, at + i));
    return addresses.join(', ');
  }
  if (kind === 'number' && length === 2) return String(packet.u16(at));
  if (kind === 'number' && length === 4) return String(packet.u32(at));
  if (kind === 'type' && length === 1) return messageTypes[packet.u8(at)] ?? String(packet.u8(at));
  return formatHex(packet.bytes, at, length);
}
