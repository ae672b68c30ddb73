/** ARP (RFC 826), RARP (RFC 903) and the gratuitous and probing uses of ARP (RFC 5227). */
import { formatHex, formatIPv4, formatMac } from './text.ts';
import type { Dissection } from './tree.ts';

const operations: ReadonlyMap<number, string> = new Map([
  [1, 'request'],
  [2, 'reply'],
  [3, 'reverse request'],
  [4, 'reverse reply'],
  [8, 'inverse request'],
  [9, 'inverse reply'],
]);

const PROTOCOL_IPV4 = 0x0800;

export function dissectArp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'ARP' });
  if (end - at < 8) return packet.tooShort('arp', 'ARP', at, end);
  const [hardwareLength, protocolLength] = [packet.u8(at + 4), packet.u8(at + 5)];
  const operation = packet.u16(at + 6);
  if (operation === 3 || operation === 4) packet.show({ protocol: 'RARP' });
  const length = 8 + 2 * (hardwareLength + protocolLength);
  if (end - at < length) return packet.tooShort('arp', 'ARP', at, end);
  const name = operations.get(operation) ?? `operation ${operation}`;
  const layer = packet.layer('arp', `ARP ${name}`, at, length);
  layer.add('hwtype', 'Hardware type', packet.u16(at), at, 2);
  layer.add(
    'proto',
    'Protocol type',
    `0x${packet
      .u16(at + 2)
      .toString(16)
      .padStart(4, '0')}`,
    at + 2,
    2,
  );
  layer.add('hwlen', 'Hardware address length', hardwareLength, at + 4, 1);
  layer.add('protolen', 'Protocol address length', protocolLength, at + 5, 1);
  layer.add('opcode', 'Operation', `${name} (${operation})`, at + 6, 2);
  const addresses = readAddresses(packet, at, hardwareLength, protocolLength);
  let field = at + 8;
  for (const [key, label, value, size] of [
    ['src_hw', 'Sender hardware address', addresses.senderHardware, hardwareLength],
    ['src_proto', 'Sender protocol address', addresses.sender, protocolLength],
    ['dst_hw', 'Target hardware address', addresses.targetHardware, hardwareLength],
    ['dst_proto', 'Target protocol address', addresses.target, protocolLength],
  ] as const) {
    layer.add(key, label, value, field, size);
    field += size;
  }
  packet.show({ info: summary(operation, addresses) });
}

interface Addresses {
  readonly senderHardware: string;
  readonly sender: string;
  readonly targetHardware: string;
  readonly target: string;
}

function readAddresses(packet: Dissection, at: number, hardware: number, protocol: number): Addresses {
  const { bytes } = packet;
  const ip = protocol === 4 && packet.u16(at + 2) === PROTOCOL_IPV4;
  const protocolText = (from: number) => (ip ? formatIPv4(bytes, from) : formatHex(bytes, from, protocol));
  const hardwareText = (from: number) =>
    hardware === 6 ? formatMac(bytes, from) : formatHex(bytes, from, hardware, ':');
  const sender = at + 8;
  const target = sender + hardware + protocol;
  return {
    senderHardware: hardwareText(sender),
    sender: protocolText(sender + hardware),
    targetHardware: hardwareText(target),
    target: protocolText(target + hardware),
  };
}

function summary(operation: number, { senderHardware, sender, targetHardware, target }: Addresses): string {
  switch (operation) {
    case 1:
      if (sender === target) return `Gratuitous ARP for ${sender} (request)`;
      return sender === '0.0.0.0' ? `Who has ${target}? (probe)` : `Who has ${target}? Tell ${sender}`;
    case 2:
      return sender === target
        ? `Gratuitous ARP for ${sender} (reply), at ${senderHardware}`
        : `${sender} is at ${senderHardware}`;
    case 3:
      return `Who is ${targetHardware}? Tell ${senderHardware}`;
    case 4:
      return `${targetHardware} is at ${target}`;
    default:
      return operations.get(operation) ?? `Operation ${operation}`;
  }
}
