/**
 * GRE (RFC 2784, RFC 2890) as tcpdump prints it.
 */
import { ETHERTYPE_IP, etherTypeName } from './ethertype.ts';
import { bitNames, hex } from './printer.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

const CHECKSUM = 0x8000;
const ROUTING = 0x4000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;
const FLAGS: readonly (readonly [number, string])[] = [
  [CHECKSUM, 'checksum present'],
  [ROUTING, 'routing present'],
  [KEY, 'key present'],
  [SEQUENCE, 'sequence# present'],
  [0x0800, 'source routing present'],
  [0x0080, 'ack present'],
];

/** Prints a packet of `length` bytes and, with `printPacket`, the IPv4 packet in it. */
export function printGre(
  p: Printer,
  packet: View,
  length: number,
  printPacket: (p: Printer, inner: View) => void,
): void {
  p.protocol = 'gre';
  const flags = packet.u16(0);
  const version = flags & 7;
  p.print(`GREv${version}`);
  if (version !== 0) {
    p.print(' ERROR: unknown-version');
    return;
  }
  const { verbose, ether } = p.style;
  if (verbose > 0) p.print(`, Flags [${bitNames(FLAGS, flags, ', ')}]`);
  const type = packet.u16(2);
  let header = 4;
  if ((flags & (CHECKSUM | ROUTING)) !== 0) {
    if (verbose > 0 && (flags & CHECKSUM) !== 0) p.print(`, sum 0x${hex(packet.u16(header), 1)}`);
    header += 4;
  }
  if ((flags & KEY) !== 0) {
    p.print(`, key=0x${hex(packet.u32(header), 1)}`);
    header += 4;
  }
  if ((flags & SEQUENCE) !== 0) {
    p.print(`, seq ${packet.u32(header)}`);
    header += 4;
  }
  if (ether) p.print(`, proto ${etherTypeName(type) ?? 'unknown'} (0x${hex(type, 4)})`);
  p.print(`, length ${length}`);
  p.print(verbose > 0 ? '\n\t' : ': ');
  if (type === ETHERTYPE_IP) printPacket(p, packet.after(header));
  else p.print(`gre-proto-0x${hex(type, 1)}`);
}
