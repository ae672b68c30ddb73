/**
 * UDP (RFC 768) as tcpdump prints it.
 */
import { hex, onesSum, rightChecksum } from './printer.ts';
import type { Printer } from './printer.ts';
import { pseudoSum } from './pseudo-header.ts';
import { Truncated } from './view.ts';
import type { View } from './view.ts';

const HEADER = 8;
const UDP = 17;

/** Prints a datagram of `length` bytes in the packet `ip`. */
export function printUdp(p: Printer, ip: View, datagram: View, length: number, fragmented: boolean): void {
  p.protocol = 'udp';
  const ends = [p.host(ip.u32(12)), p.host(ip.u32(16))] as const;
  if (!datagram.has(0, 4)) {
    p.print(`${ends[0]} > ${ends[1]}:`);
    throw new Truncated();
  }
  p.print(`${ends[0]}.${p.port(datagram.u16(0))} > ${ends[1]}.${p.port(datagram.u16(2))}: `);
  if (length < HEADER) {
    p.print(`truncated-udp ${length}`);
    return;
  }
  const claimed = datagram.u16(4);
  if (claimed < HEADER && claimed !== 0) {
    p.print(`truncated-udplength ${claimed}`);
    return;
  }
  datagram.need(HEADER);
  const bytes = (claimed === 0 ? length : Math.min(claimed, length)) - HEADER;
  if (p.style.quiet) {
    p.print(`UDP, length ${bytes}`);
    return;
  }
  if (p.style.verbose > 1 && !fragmented) printChecksum(p, ip, datagram, length);
  if (claimed - HEADER > bytes && !fragmented) p.print(`UDP, bad length ${claimed - HEADER} > ${bytes}`);
  else p.print(`UDP, length ${claimed === 0 ? bytes : claimed - HEADER}`);
}

function printChecksum(p: Printer, ip: View, datagram: View, length: number): void {
  const found = datagram.u16(6);
  if (found === 0) {
    p.print('[no cksum] ');
    return;
  }
  if (!datagram.has(0, length)) return;
  const sum = onesSum(datagram.bytes.subarray(0, length), pseudoSum(ip, UDP, length));
  if (sum === 0xffff) p.print('[udp sum ok] ');
  else p.print(`[bad udp cksum 0x${hex(found, 4)} -> 0x${hex(rightChecksum(found, sum), 4)}!] `);
}
