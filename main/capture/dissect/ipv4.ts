/** IPv4 (RFC 791) with its options, differentiated services (RFC 2474) and congestion bits (RFC 3168). */
import { addChecksum, sumIsRight } from './checksum.ts';
import { ipProtocols, named } from './numbers.ts';
import { formatIPv4, hex } from './text.ts';
import type { Dissection, LayerBuilder } from './tree.ts';

const MORE_FRAGMENTS = 0x2000;
const DONT_FRAGMENT = 0x4000;

export function dissectIPv4(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'IPv4' });
  if (end - at < 20) return packet.tooShort('ip', 'Internet Protocol 4', at, end);
  const headerLength = (packet.u8(at) & 0x0f) * 4;
  const version = packet.u8(at) >> 4;
  if (version !== 4 || headerLength < 20) {
    const wrong = version !== 4 ? `version ${version}` : `header length ${headerLength}`;
    packet.layer('ip', `Internet Protocol 4, bad ${wrong}`, at, end - at);
    packet.show({ info: `Bad IP ${wrong}` });
    return;
  }
  const source = formatIPv4(packet.bytes, at + 12);
  const destination = formatIPv4(packet.bytes, at + 16);
  packet.show({ source, destination });
  const layer = packet.layer('ip', `Internet Protocol 4, ${source} → ${destination}`, at, headerLength);
  const totalLength = addHeader(packet, layer, at, headerLength, end);
  addOptions(packet, layer, at + 20, Math.min(at + headerLength, end));
  // A total length of 0 is what segmentation offload leaves in captures of the sender.
  const stop = totalLength === 0 ? end : Math.min(end, at + totalLength);
  payload(
    packet,
    at,
    Math.min(at + headerLength, stop),
    stop,
    totalLength === 0 || stop === at + totalLength,
  );
}

function addHeader(
  packet: Dissection,
  layer: LayerBuilder,
  at: number,
  headerLength: number,
  end: number,
): number {
  const totalLength = packet.u16(at + 2);
  const fragment = packet.u16(at + 6);
  layer.add('version', 'Version', 4, at, 1);
  layer.add('hdr_len', 'Header length', `${headerLength} bytes`, at, 1);
  layer.add('dscp', 'Differentiated services', packet.u8(at + 1) >> 2, at + 1, 1);
  layer.add('ecn', 'Congestion notification', packet.u8(at + 1) & 3, at + 1, 1);
  layer.add('len', 'Total length', totalLength, at + 2, 2);
  layer.add('id', 'Identification', hex(packet.u16(at + 4), 4), at + 4, 2);
  layer.add('flags', 'Flags', flagsText(fragment), at + 6, 1);
  layer.add('frag_offset', 'Fragment offset', (fragment & 0x1fff) * 8, at + 6, 2);
  layer.add('ttl', 'Time to live', packet.u8(at + 8), at + 8, 1);
  layer.add('proto', 'Protocol', named(ipProtocols, packet.u8(at + 9)), at + 9, 1);
  const verdict = at + headerLength <= end ? sumIsRight(packet, at, at + headerLength) : undefined;
  addChecksum(packet, layer, at + 10, verdict);
  layer.add('src', 'Source', formatIPv4(packet.bytes, at + 12), at + 12, 4);
  layer.add('dst', 'Destination', formatIPv4(packet.bytes, at + 16), at + 16, 4);
  return totalLength;
}

function flagsText(fragment: number): string {
  const flags: string[] = [];
  if ((fragment & DONT_FRAGMENT) !== 0) flags.push("don't fragment");
  if ((fragment & MORE_FRAGMENTS) !== 0) flags.push('more fragments');
  return flags.length === 0 ? 'none' : flags.join(', ');
}

const optionNames: ReadonlyMap<number, string> = new Map([
  [7, 'Record route'],
  [68, 'Time stamp'],
  [130, 'Security'],
  [131, 'Loose source route'],
  [137, 'Strict source route'],
  [148, 'Router alert'],
]);

function addOptions(packet: Dissection, layer: LayerBuilder, start: number, end: number): void {
  let at = start;
  while (at < end) {
    const type = packet.u8(at);
    const single = type < 2;
    const length = single ? 1 : packet.u8(at + 1);
    if (!single && (length < 2 || at + length > end)) {
      layer.add('opt', 'Option', `type ${type} with a length of ${length} that does not fit`, at, end - at);
      return;
    }
    const name = type === 0 ? 'End of options' : type === 1 ? 'No operation' : optionNames.get(type);
    layer.add('opt', 'Option', `${name ?? `type ${type}`}, ${length} bytes`, at, length);
    if (type === 0) return;
    at += length;
  }
}

function payload(packet: Dissection, header: number, at: number, end: number, complete: boolean): void {
  const protocol = packet.u8(header + 9);
  const fragment = packet.u16(header + 6);
  const offset = (fragment & 0x1fff) * 8;
  const fragmented = offset > 0 || (fragment & MORE_FRAGMENTS) !== 0;
  packet.ip = {
    addressLength: 4,
    sourceAt: header + 12,
    destinationAt: header + 16,
    whole: complete && !fragmented,
  };
  const name = named(ipProtocols, protocol);
  const id = hex(packet.u16(header + 4), 4);
  packet.show({ info: fragmented ? `Fragment of ${name}, offset ${offset}, ID ${id}` : name });
  if (fragmented || !packet.next('ipProtocol', protocol, at, end)) {
    const known = ipProtocols.get(protocol);
    if (!fragmented && known !== undefined) packet.show({ protocol: known });
    packet.data(at, end);
  }
}
