/** What bridges say: spanning tree BPDUs (IEEE 802.1D §9, 802.1w, 802.1s) and LLDP (IEEE 802.1AB §8). */
import { formatHex, formatIPv4, formatMac, hex, printable } from './text.ts';
import type { Dissection, LayerBuilder } from './tree.ts';

const BPDU_CONFIGURATION = 0x00;
const BPDU_RAPID = 0x02;
const BPDU_TOPOLOGY_CHANGE = 0x80;
const CONFIGURATION_LENGTH = 35;
const VERSION_MULTIPLE = 3;

export function dissectStp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'STP' });
  if (end - at < 4) return packet.tooShort('stp', 'Spanning Tree Protocol', at, end);
  const version = packet.u8(at + 2);
  const type = packet.u8(at + 3);
  const name = bpduName(version, type);
  const layer = packet.layer('stp', `Spanning Tree Protocol, ${name}`, at, end - at);
  layer.add('protocol', 'Protocol', packet.u16(at), at, 2);
  layer.add('version', 'Version', version, at + 2, 1);
  layer.add('type', 'Type', `${name} (${hex(type, 2)})`, at + 3, 1);
  packet.show({ info: name });
  if (type === BPDU_TOPOLOGY_CHANGE || end - at < CONFIGURATION_LENGTH) return;
  const root = bridgeId(packet, at + 5);
  const port = hex(packet.u16(at + 25), 4);
  const cost = packet.u32(at + 13);
  layer.add('flags', 'Flags', bpduFlags(packet.u8(at + 4)), at + 4, 1);
  layer.add('root', 'Root bridge', root, at + 5, 8);
  layer.add('root.cost', 'Root path cost', cost, at + 13, 4);
  layer.add('bridge', 'Bridge', bridgeId(packet, at + 17), at + 17, 8);
  layer.add('port', 'Port', port, at + 25, 2);
  for (const [key, label, offset] of [
    ['msg_age', 'Message age', 27],
    ['max_age', 'Maximum age', 29],
    ['hello', 'Hello time', 31],
    ['forward', 'Forward delay', 33],
  ] as const) {
    layer.add(key, label, `${packet.u16(at + offset) / 256} s`, at + offset, 2);
  }
  const change = (packet.u8(at + 4) & 1) !== 0 ? ', topology change' : '';
  packet.appendInfo(`${change}  Root = ${root}  Cost = ${cost}  Port = ${port}`);
}

function bpduName(version: number, type: number): string {
  if (type === BPDU_CONFIGURATION) return 'Configuration';
  if (type === BPDU_TOPOLOGY_CHANGE) return 'Topology change notification';
  if (type === BPDU_RAPID)
    return version >= VERSION_MULTIPLE ? 'Multiple spanning tree' : 'Rapid spanning tree';
  return `Type ${hex(type, 2)}`;
}

function bpduFlags(flags: number): string {
  const names = [
    'topology change',
    'proposal',
    undefined,
    undefined,
    'learning',
    'forwarding',
    'agreement',
    'topology change acknowledgment',
  ];
  const set = names.filter((name, bit) => name !== undefined && (flags & (1 << bit)) !== 0);
  return `${hex(flags, 2)}${set.length === 0 ? '' : ` (${set.join(', ')})`}`;
}

/** Priority, system ID extension, address. */
function bridgeId(packet: Dissection, at: number): string {
  const priority = packet.u16(at);
  return `${priority & 0xf000}/${priority & 0xfff}/${formatMac(packet.bytes, at + 2)}`;
}

const tlvNames: ReadonlyMap<number, string> = new Map([
  [0, 'End'],
  [1, 'Chassis ID'],
  [2, 'Port ID'],
  [3, 'Time to live'],
  [4, 'Port description'],
  [5, 'System name'],
  [6, 'System description'],
  [7, 'Capabilities'],
  [8, 'Management address'],
  [127, 'Organization'],
]);

export function dissectLldp(packet: Dissection, start: number, end: number): void {
  packet.show({ protocol: 'LLDP', info: '' });
  if (end - start < 2) return packet.tooShort('lldp', 'Link Layer Discovery Protocol', start, end);
  const layer = packet.layer('lldp', 'Link Layer Discovery Protocol', start, end - start);
  const summary: string[] = [];
  let at = start;
  while (at + 2 <= end) {
    const type = packet.u8(at) >> 1;
    const length = packet.u16(at) & 0x1ff;
    if (at + 2 + length > end) {
      layer.add(
        'tlv',
        tlvNames.get(type) ?? `Type ${type}`,
        'reaches past the end of the frame',
        at,
        end - at,
      );
      break;
    }
    const text = addTlv(packet, layer, type, at, length);
    if (type >= 1 && type <= 3) summary.push(text);
    if (type === 5) summary.push(`system ${text}`);
    at += 2 + length;
    if (type === 0) break;
  }
  layer.length = at - start;
  packet.show({ info: summary.join(', ') });
}

function addTlv(packet: Dissection, layer: LayerBuilder, type: number, at: number, length: number): string {
  const value = tlvValue(packet, type, at + 2, length);
  layer.add('tlv', tlvNames.get(type) ?? `Type ${type}`, value, at, 2 + length);
  return value;
}

function tlvValue(packet: Dissection, type: number, at: number, length: number): string {
  const { bytes } = packet;
  if ((type === 1 || type === 2) && length >= 2) return identifier(packet, type, at, length);
  if (type === 3 && length >= 2) return `${packet.u16(at)} s`;
  if (type >= 4 && type <= 6) return printable(bytes, at, at + length);
  if (type === 7 && length >= 4) return `${hex(packet.u16(at), 4)}, enabled ${hex(packet.u16(at + 2), 4)}`;
  return formatHex(bytes, at, Math.min(length, 64));
}

/** Chassis and port identifiers begin with a subtype that tells how to read them. */
function identifier(packet: Dissection, type: number, at: number, length: number): string {
  const subtype = packet.u8(at);
  const mac = type === 1 ? 4 : 3;
  const network = type === 1 ? 5 : 4;
  if (subtype === mac && length === 7) return formatMac(packet.bytes, at + 1);
  if (subtype === network && length === 6 && packet.u8(at + 1) === 1) return formatIPv4(packet.bytes, at + 2);
  return printable(packet.bytes, at + 1, at + length);
}
