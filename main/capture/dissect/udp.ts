/** UDP (RFC 768). */
import { addChecksum, transportVerdict } from './checksum.ts';
import type { Dissection } from './tree.ts';

export const PROTOCOL_UDP = 17;

export function dissectUdp(packet: Dissection, at: number, end: number): void {
  packet.show({ protocol: 'UDP' });
  if (end - at < 8) return packet.tooShort('udp', 'User Datagram Protocol', at, end);
  const [source, destination, length] = [packet.u16(at), packet.u16(at + 2), packet.u16(at + 4)];
  const layer = packet.layer('udp', `User Datagram Protocol, ${source} → ${destination}`, at, 8);
  layer.add('srcport', 'Source port', source, at, 2);
  layer.add('dstport', 'Destination port', destination, at + 2, 2);
  layer.add('length', 'Length', length, at + 4, 2);
  if (packet.u16(at + 6) === 0 && packet.ip?.addressLength === 4) {
    layer.add('checksum', 'Checksum', '0x0000 (none)', at + 6, 2);
  } else {
    addChecksum(packet, layer, at + 6, transportVerdict(packet, PROTOCOL_UDP, at, end));
  }
  packet.show({ info: `${source} → ${destination} Len=${Math.max(0, length - 8)}` });
  if (length > 0 && length < 8) return packet.appendInfo(` [bad length ${length}]`);
  const stop = length === 0 ? end : Math.min(end, at + length);
  if (stop === at + 8) return;
  // As users expect of analyzers, the lower port number is tried first.
  const ports = source < destination ? [source, destination] : [destination, source];
  if (!ports.some((port) => packet.next('udpPort', port, at + 8, stop))) packet.data(at + 8, stop);
}
