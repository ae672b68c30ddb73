/** IPv6 (RFC 8200) with the extension headers hop-by-hop, routing, fragment, destination options and AH (RFC 4302). */
import { ipProtocols, named } from './numbers.ts';
import { formatIPv6, hex } from './text.ts';
import type { Dissection } from './tree.ts';

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const NO_NEXT_HEADER = 59;
const DESTINATION_OPTIONS = 60;

export function dissectIPv6(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'IPv6' });
  if (end - at < 40) return packet.tooShort('ipv6', 'Internet Protocol 6', at, end);
  const version = packet.u8(at) >> 4;
  if (version !== 6) {
    packet.layer('ipv6', `Internet Protocol 6, bad version ${version}`, at, end - at);
    packet.show({ info: `Bad IP version ${version}` });
    return;
  }
  const source = formatIPv6(packet.bytes, at + 8);
  const destination = formatIPv6(packet.bytes, at + 24);
  packet.show({ source, destination });
  const payloadLength = packet.u16(at + 4);
  const trafficClass = (packet.u16(at) >> 4) & 0xff;
  const layer = packet.layer('ipv6', `Internet Protocol 6, ${source} → ${destination}`, at, 40);
  layer.add('version', 'Version', 6, at, 1);
  layer.add('dscp', 'Differentiated services', trafficClass >> 2, at, 2);
  layer.add('ecn', 'Congestion notification', trafficClass & 3, at + 1, 1);
  layer.add('flow', 'Flow label', hex(packet.u32(at) & 0xfffff, 5), at + 1, 3);
  layer.add('plen', 'Payload length', payloadLength, at + 4, 2);
  layer.add('nxt', 'Next header', named(ipProtocols, packet.u8(at + 6)), at + 6, 1);
  layer.add('hlim', 'Hop limit', packet.u8(at + 7), at + 7, 1);
  layer.add('src', 'Source', source, at + 8, 16);
  layer.add('dst', 'Destination', destination, at + 24, 16);
  // Length 0 means a jumbogram (RFC 2675) or offloaded segmentation: the capture's end is the best there is.
  const stop = payloadLength === 0 ? end : Math.min(end, at + 40 + payloadLength);
  const whole = payloadLength === 0 || stop === at + 40 + payloadLength;
  packet.ip = { addressLength: 16, sourceAt: at + 8, destinationAt: at + 24, whole };
  headers(packet, packet.u8(at + 6), at + 40, stop);
}

function headers(packet: Dissection, firstHeader: number, start: number, end: number): void {
  let header = firstHeader;
  let at = start;
  while (isExtension(header)) {
    if (end - at < 8) return packet.tooShort('ipv6ext', `${extensionName(header)} header`, at, end);
    const length = extensionLength(packet, header, at);
    addExtension(packet, header, at, length);
    if (header === FRAGMENT && isFragment(packet, at)) {
      markFragment(packet, at, end);
      return;
    }
    header = packet.u8(at);
    at += length;
    if (at > end) return packet.appendInfo(' [extension header too long]');
  }
  const name = named(ipProtocols, header);
  packet.show({ info: name });
  if (header === NO_NEXT_HEADER || !packet.next('ipProtocol', header, at, end)) {
    const known = ipProtocols.get(header);
    if (known !== undefined && header !== NO_NEXT_HEADER) packet.show({ protocol: known });
    packet.data(at, end);
  }
}

function isExtension(header: number): boolean {
  return [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION_OPTIONS].includes(header);
}

function extensionName(header: number): string {
  return ipProtocols.get(header) ?? `Extension ${header}`;
}

function extensionLength(packet: Dissection, header: number, at: number): number {
  if (header === FRAGMENT) return 8;
  return header === AUTHENTICATION ? (packet.u8(at + 1) + 2) * 4 : (packet.u8(at + 1) + 1) * 8;
}

function addExtension(packet: Dissection, header: number, at: number, length: number): void {
  const layer = packet.layer('ipv6ext', `${extensionName(header)} header`, at, length);
  layer.add('nxt', 'Next header', named(ipProtocols, packet.u8(at)), at, 1);
  if (header === FRAGMENT) {
    layer.add('frag_offset', 'Fragment offset', packet.u16(at + 2) & 0xfff8, at + 2, 2);
    layer.add('more', 'More fragments', packet.u8(at + 3) & 1, at + 3, 1);
    layer.add('id', 'Identification', hex(packet.u32(at + 4), 8), at + 4, 4);
    return;
  }
  layer.add('len', 'Length', `${length} bytes`, at + 1, 1);
  if (header === ROUTING) {
    layer.add('routing_type', 'Routing type', packet.u8(at + 2), at + 2, 1);
    layer.add('segments_left', 'Segments left', packet.u8(at + 3), at + 3, 1);
    // Until the last segment the sum is made over an address that is not in the destination field.
    if (packet.u8(at + 3) > 0 && packet.ip !== undefined) packet.ip = { ...packet.ip, whole: false };
  }
}

/** A fragment header with offset 0 and no more fragments (RFC 6946) carries the whole packet. */
function isFragment(packet: Dissection, at: number): boolean {
  return (packet.u16(at + 2) & 0xfff9) !== 0;
}

function markFragment(packet: Dissection, at: number, end: number): void {
  const name = named(ipProtocols, packet.u8(at));
  const offset = packet.u16(at + 2) & 0xfff8;
  packet.show({ info: `Fragment of ${name}, offset ${offset}, ID ${hex(packet.u32(at + 4), 8)}` });
  packet.data(at + 8, end);
}
