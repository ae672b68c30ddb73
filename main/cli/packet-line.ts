/** One line per packet: number, time, source, destination, protocol, length, info; or the same as a JSON object. */
import { dissect } from '../capture/dissect/dissect.ts';
import type { CapturedPacket } from '../capture/packet.ts';
import { isoTime, secondsText } from '../capture/time-text.ts';

/** @param first time of the first packet, from which the line counts; nanoseconds since the epoch. */
export function packetLine(number: number, packet: CapturedPacket, linkType: number, first: bigint): string {
  const { source, destination, protocol, info } = dissect(packet.data, linkType).columns;
  const time = packet.untimed === true ? '-' : secondsText(packet.time - first);
  return [
    String(number).padStart(5),
    time.padStart(14),
    source.padEnd(17),
    destination.padEnd(17),
    protocol.padEnd(8),
    String(packet.originalLength).padStart(5),
    info,
  ].join(' ');
}

export function packetJson(number: number, packet: CapturedPacket, linkType: number): string {
  const { source, destination, protocol, info } = dissect(packet.data, linkType).columns;
  const time = packet.untimed === true ? null : isoTime(packet.time);
  const length = packet.originalLength;
  return JSON.stringify({ number, time, source, destination, protocol, length, info });
}
