/** The Internet checksum (RFC 1071) and its pseudo headers (RFC 9293 §3.1, RFC 8200 §8.1), to judge captured packets. */
import type { Dissection, LayerBuilder } from './tree.ts';

/** Ones' complement sum of 16-bit words; `initial` is added. */
function wordSum(packet: Dissection, start: number, end: number, initial: number): number {
  let sum = initial;
  for (let at = start; at + 1 < end; at += 2) sum += packet.u16(at);
  if ((end - start) % 2 === 1) sum += packet.u8(end - 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** @returns whether a range that contains its own checksum adds up. */
export function sumIsRight(packet: Dissection, start: number, end: number, initial = 0): boolean {
  return wordSum(packet, start, end, initial) === 0xffff;
}

/** Adds a checksum field with its verdict: good, bad, or not checked when bytes are missing. */
export function addChecksum(
  packet: Dissection,
  layer: LayerBuilder,
  fieldAt: number,
  verdict: boolean | undefined,
): void {
  const stored = `0x${packet.u16(fieldAt).toString(16).padStart(4, '0')}`;
  const words = verdict === undefined ? 'not checked' : verdict ? 'good' : 'bad';
  layer.add('checksum', 'Checksum', `${stored} (${words})`, fieldAt, 2);
}

/** Verdict on a transport checksum, or undefined if the segment is not whole. */
export function transportVerdict(
  packet: Dissection,
  protocol: number,
  start: number,
  end: number,
): boolean | undefined {
  const { ip } = packet;
  if (ip?.whole !== true) return undefined;
  let pseudo = protocol + (end - start);
  for (let i = 0; i < ip.addressLength; i += 2) {
    pseudo += packet.u16(ip.sourceAt + i) + packet.u16(ip.destinationAt + i);
  }
  return sumIsRight(packet, start, end, pseudo);
}
