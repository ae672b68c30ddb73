/** TCP (RFC 9293) with the options MSS, window scale and time stamps (RFC 7323), SACK (RFC 2018) and fast open (RFC 7413). */
import { addChecksum, transportVerdict } from './checksum.ts';
import { dissectHttp, looksLikeHttp } from './http.ts';
import { formatHex } from './text.ts';
import type { Dissection, LayerBuilder } from './tree.ts';

export const PROTOCOL_TCP = 6;

const flagNames = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'AE'];
const ACK = 0x10;
const URG = 0x20;

export function dissectTcp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'TCP' });
  if (end - at < 20) return packet.tooShort('tcp', 'Transmission Control Protocol', at, end);
  const [source, destination] = [packet.u16(at), packet.u16(at + 2)];
  const headerLength = (packet.u8(at + 12) >> 4) * 4;
  const title = `Transmission Control Protocol, ${source} → ${destination}`;
  const layer = packet.layer('tcp', title, at, Math.max(20, Math.min(headerLength, end - at)));
  layer.add('srcport', 'Source port', source, at, 2);
  layer.add('dstport', 'Destination port', destination, at + 2, 2);
  if (headerLength < 20) {
    layer.add('hdr_len', 'Header length', `${headerLength} bytes (at least 20 needed)`, at + 12, 1);
    packet.show({ info: `${source} → ${destination}, bad header length ${headerLength}` });
    return;
  }
  const payload = Math.min(at + headerLength, end);
  addHeader(packet, layer, at, end);
  const optionTexts = addOptions(packet, layer, at + 20, payload);
  packet.show({ info: summary(packet, at, end - payload, optionTexts) });
  if (payload < end) dissectPayload(packet, at, payload, end);
}

function flagsText(flags: number): string {
  const set = flagNames.filter((_, bit) => (flags & (1 << bit)) !== 0);
  return set.length === 0 ? '<none>' : set.join(', ');
}

function addHeader(packet: Dissection, layer: LayerBuilder, at: number, end: number): void {
  const flags = packet.u16(at + 12) & 0x1ff;
  layer.add('seq', 'Sequence number', packet.u32(at + 4), at + 4, 4);
  layer.add('ack', 'Acknowledgment number', packet.u32(at + 8), at + 8, 4);
  layer.add('hdr_len', 'Header length', `${(packet.u8(at + 12) >> 4) * 4} bytes`, at + 12, 1);
  layer.add('flags', 'Flags', flagsText(flags), at + 12, 2);
  layer.add('window_size', 'Window', packet.u16(at + 14), at + 14, 2);
  addChecksum(packet, layer, at + 16, transportVerdict(packet, PROTOCOL_TCP, at, end));
  if ((flags & URG) !== 0) layer.add('urgent_pointer', 'Urgent pointer', packet.u16(at + 18), at + 18, 2);
}

function summary(packet: Dissection, at: number, payloadLength: number, options: readonly string[]): string {
  const flags = packet.u16(at + 12) & 0x1ff;
  const parts = [
    `${packet.u16(at)} → ${packet.u16(at + 2)}`,
    `[${flagsText(flags)}]`,
    `Seq=${packet.u32(at + 4)}`,
    ...((flags & ACK) === 0 ? [] : [`Ack=${packet.u32(at + 8)}`]),
    `Win=${packet.u16(at + 14)}`,
    ...((flags & URG) === 0 ? [] : [`Urg=${packet.u16(at + 18)}`]),
    `Len=${payloadLength}`,
    ...options,
  ];
  return parts.join(' ');
}

interface OptionText {
  readonly label: string;
  readonly value: string;
  /** For the info column. */
  readonly short?: string;
}

function optionText(packet: Dissection, kind: number, at: number, length: number): OptionText {
  if (kind === 2 && length === 4) {
    const size = packet.u16(at + 2);
    return { label: 'Maximum segment size', value: String(size), short: `MSS=${size}` };
  }
  if (kind === 3 && length === 3) {
    const factor = 2 ** packet.u8(at + 2);
    return {
      label: 'Window scale',
      value: `shift ${packet.u8(at + 2)} (× ${factor})`,
      short: `WS=${factor}`,
    };
  }
  if (kind === 4 && length === 2) return { label: 'SACK permitted', value: 'yes', short: 'SACK_PERM' };
  if (kind === 5 && length >= 10 && length % 8 === 2) {
    const blocks: string[] = [];
    for (let edge = at + 2; edge + 8 <= at + length; edge += 8) {
      blocks.push(`${packet.u32(edge)}-${packet.u32(edge + 4)}`);
    }
    return { label: 'SACK', value: blocks.join(', '), short: `SACK=${blocks.join(',')}` };
  }
  if (kind === 8 && length === 10) {
    const [value, echo] = [packet.u32(at + 2), packet.u32(at + 6)];
    return {
      label: 'Time stamps',
      value: `value ${value}, echo reply ${echo}`,
      short: `TSval=${value} TSecr=${echo}`,
    };
  }
  if (kind === 34) {
    const cookie = formatHex(packet.bytes, at + 2, length - 2);
    return { label: 'Fast open', value: cookie === '' ? 'cookie request' : `cookie ${cookie}`, short: 'TFO' };
  }
  return { label: 'Option', value: `kind ${kind}, ${length} bytes` };
}

function addOptions(packet: Dissection, layer: LayerBuilder, start: number, end: number): string[] {
  const texts: string[] = [];
  let at = start;
  while (at < end) {
    const kind = packet.u8(at);
    if (kind === 0) {
      layer.add('option', 'End of options', 'padding after it', at, end - at);
      break;
    }
    if (kind === 1) {
      layer.add('option', 'No operation', '', at++, 1);
      continue;
    }
    const length = packet.u8(at + 1);
    if (length < 2 || at + length > end) {
      layer.add(
        'option',
        'Option',
        `kind ${kind} with a length of ${length} that does not fit`,
        at,
        end - at,
      );
      break;
    }
    const text = optionText(packet, kind, at, length);
    layer.add('option', text.label, text.value, at, length);
    if (text.short !== undefined) texts.push(text.short);
    at += length;
  }
  return texts;
}

function dissectPayload(packet: Dissection, header: number, at: number, end: number): void {
  const [source, destination] = [packet.u16(header), packet.u16(header + 2)];
  const ports = source < destination ? [source, destination] : [destination, source];
  if (ports.some((port) => packet.next('tcpPort', port, at, end))) return;
  if (looksLikeHttp(packet, at, end)) dissectHttp(packet, at, end);
  else packet.data(at, end);
}
