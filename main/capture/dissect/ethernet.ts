/**
 * Link layers: Ethernet II and IEEE 802.3 with LLC and SNAP, 802.1Q/802.1ad tags, Linux cooked captures, BSD null and
 * loop headers, raw IP. After IEEE 802.3 §3.2, 802.1Q §9, 802.2 and the LINKTYPE pages of tcpdump.org.
 */
import { etherTypes, named } from './numbers.ts';
import { formatHex, formatMac, hex } from './text.ts';
import type { Dissection } from './tree.ts';

const FIRST_ETHERTYPE = 0x0600;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;

function etherTypeText(type: number): string {
  return `${etherTypes.get(type) ?? 'unknown'} (${hex(type, 4)})`;
}

/** Continues with the protocol of an EtherType, or shows the type and the bytes. */
function etherPayload(packet: Dissection, type: number, at: number, end: number): void {
  if (packet.next('ethertype', type, at, end)) return;
  packet.show({ protocol: etherTypes.get(type) ?? hex(type, 4), info: `EtherType ${etherTypeText(type)}` });
  packet.data(at, end);
}

export function dissectEthernet(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'Ethernet' });
  if (end - at < 14) return packet.tooShort('eth', 'Ethernet', at, end);
  const destination = formatMac(packet.bytes, at);
  const source = formatMac(packet.bytes, at + 6);
  const type = packet.u16(at + 12);
  packet.show({ source, destination });
  const framing = type >= FIRST_ETHERTYPE ? 'Ethernet II' : 'IEEE 802.3 Ethernet';
  const layer = packet.layer('eth', `${framing}, ${source} → ${destination}`, at, 14);
  layer.add('dst', 'Destination', destination, at, 6);
  layer.add('src', 'Source', source, at + 6, 6);
  if (type >= FIRST_ETHERTYPE) {
    layer.add('type', 'Type', etherTypeText(type), at + 12, 2);
    etherPayload(packet, type, at + 14, end);
  } else {
    layer.add('len', 'Length', type, at + 12, 2);
    dissectLlc(packet, at + 14, Math.min(end, at + 14 + type));
  }
}

export function dissectVlan(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'VLAN' });
  if (end - at < 4) return packet.tooShort('vlan', '802.1Q', at, end);
  const tag = packet.u16(at);
  const type = packet.u16(at + 2);
  const id = tag & 0xfff;
  const layer = packet.layer('vlan', `802.1Q, VLAN ${id}, priority ${tag >> 13}`, at, 4);
  layer.add('priority', 'Priority', tag >> 13, at, 2);
  layer.add('dei', 'Drop eligible', (tag >> 12) & 1, at, 2);
  layer.add('id', 'VLAN', id, at, 2);
  packet.show({ info: `VLAN ${id}` });
  if (type >= FIRST_ETHERTYPE) {
    layer.add('etype', 'Type', etherTypeText(type), at + 2, 2);
    etherPayload(packet, type, at + 4, end);
  } else {
    layer.add('len', 'Length', type, at + 2, 2);
    dissectLlc(packet, at + 4, Math.min(end, at + 4 + type));
  }
}

const LLC_SNAP = 0xaa;
export const LLC_SPANNING_TREE = 0x42;
const UNNUMBERED_INFORMATION = 0x03;

export function dissectLlc(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'LLC' });
  if (end - at < 3) return packet.tooShort('llc', 'LLC', at, end);
  const [dsap, ssap, control] = [packet.u8(at), packet.u8(at + 1), packet.u8(at + 2)];
  const unnumbered = (control & 3) === 3;
  const length = unnumbered ? 3 : 4;
  const layer = packet.layer('llc', `Logical Link Control, DSAP ${hex(dsap, 2)}`, at, length);
  layer.add('dsap', 'Destination service access point', hex(dsap, 2), at, 1);
  layer.add('ssap', 'Source service access point', hex(ssap, 2), at + 1, 1);
  layer.add('control', 'Control', hex(control, 2), at + 2, length - 2);
  packet.show({ info: `DSAP ${hex(dsap, 2)}, SSAP ${hex(ssap, 2)}, control ${hex(control, 2)}` });
  if (dsap === LLC_SNAP && ssap === LLC_SNAP && control === UNNUMBERED_INFORMATION && end - at >= 8) {
    const oui = formatHex(packet.bytes, at + 3, 3, ':');
    const protocol = packet.u16(at + 6);
    layer.length = Math.min(8, packet.bytes.length - layer.offset);
    layer.add('oui', 'Organization', oui, at + 3, 3);
    layer.add('type', 'Protocol', etherTypeText(protocol), at + 6, 2);
    packet.show({ info: `SNAP, organization ${oui}, protocol ${hex(protocol, 4)}` });
    snapPayload(packet, oui, protocol, at + 8, end);
  } else if (control !== UNNUMBERED_INFORMATION || !packet.next('llcSap', dsap, at + length, end)) {
    packet.data(at + length, end);
  }
}

/** Cisco's per-VLAN spanning tree carries ordinary BPDUs under its own organization code. */
const CISCO_PVST = 0x010b;

function snapPayload(packet: Dissection, oui: string, protocol: number, at: number, end: number): void {
  const encapsulated = oui === '00:00:00' || oui === '00:00:f8';
  if (encapsulated && packet.next('ethertype', protocol, at, end)) return;
  if (oui === '00:00:0c' && protocol === CISCO_PVST && packet.next('llcSap', LLC_SPANNING_TREE, at, end))
    return;
  packet.data(at, end);
}

const cookedTypes: ReadonlyMap<number, string> = new Map([
  [0, 'to us'],
  [1, 'broadcast'],
  [2, 'multicast'],
  [3, 'to another host'],
  [4, 'sent by us'],
]);

export function dissectLinuxCooked(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'SLL' });
  if (end - at < 16) return packet.tooShort('sll', 'Linux cooked capture', at, end);
  const layer = packet.layer('sll', 'Linux cooked capture', at, 16);
  layer.add('pkttype', 'Packet', named(cookedTypes, packet.u16(at)), at, 2);
  layer.add('hatype', 'Device type', packet.u16(at + 2), at + 2, 2);
  const addressLength = Math.min(packet.u16(at + 4), 8);
  const address = formatHex(packet.bytes, at + 6, addressLength, ':');
  layer.add('halen', 'Address length', packet.u16(at + 4), at + 4, 2);
  layer.add('src', 'Source', address, at + 6, addressLength);
  layer.add('etype', 'Protocol', etherTypeText(packet.u16(at + 14)), at + 14, 2);
  packet.show({ source: address });
  cookedPayload(packet, packet.u16(at + 14), at + 16, end);
}

export function dissectLinuxCooked2(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'SLL' });
  if (end - at < 20) return packet.tooShort('sll', 'Linux cooked capture v2', at, end);
  const layer = packet.layer('sll', 'Linux cooked capture v2', at, 20);
  const addressLength = Math.min(packet.u8(at + 11), 8);
  const address = formatHex(packet.bytes, at + 12, addressLength, ':');
  layer.add('etype', 'Protocol', etherTypeText(packet.u16(at)), at, 2);
  layer.add('ifindex', 'Interface', packet.u32(at + 4), at + 4, 4);
  layer.add('hatype', 'Device type', packet.u16(at + 8), at + 8, 2);
  layer.add('pkttype', 'Packet', named(cookedTypes, packet.u8(at + 10)), at + 10, 1);
  layer.add('src', 'Source', address, at + 12, addressLength);
  packet.show({ source: address });
  cookedPayload(packet, packet.u16(at), at + 20, end);
}

/** Linux marks 802.2 frames with a pseudo EtherType. */
function cookedPayload(packet: Dissection, type: number, at: number, end: number): void {
  const linux8022 = 0x0004;
  if (type === linux8022) dissectLlc(packet, at, end);
  else etherPayload(packet, type, at, end);
}

/** Address families of the BSDs; 2 is the same everywhere, IPv6 differs from system to system. */
const familyEtherTypes: ReadonlyMap<number, number> = new Map([
  [2, ETHERTYPE_IPV4],
  [10, ETHERTYPE_IPV6],
  [24, ETHERTYPE_IPV6],
  [28, ETHERTYPE_IPV6],
  [30, ETHERTYPE_IPV6],
]);

/** The family is in the byte order of the capturing machine (NULL) or in network order (LOOP); families are small. */
export function dissectNull(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'Loopback' });
  if (end - at < 4) return packet.tooShort('null', 'Loopback', at, end);
  const network = packet.u32(at);
  const family = network <= 0xffff ? network : packet.u8(at) | (packet.u8(at + 1) << 8);
  const layer = packet.layer('null', `Loopback, family ${family}`, at, 4);
  layer.add('family', 'Family', family, at, 4);
  packet.show({ info: `Address family ${family}` });
  const type = familyEtherTypes.get(family);
  if (type === undefined || !packet.next('ethertype', type, at + 4, end)) packet.data(at + 4, end);
}

/** IP without any link header: the version field tells which. */
export function dissectRawIp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'Raw' });
  const type = packet.u8(at) >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
  if (!packet.next('ethertype', type, at, end)) packet.data(at, end);
}
