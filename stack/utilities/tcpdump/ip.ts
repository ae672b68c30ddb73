/**
 * IPv4 (RFC 791) as tcpdump prints it, and what it carries.
 */
import { printGre } from './gre.ts';
import { printIcmp } from './icmp.ts';
import { printIgmp } from './igmp.ts';
import { protocolName, protocolTitle } from './ip-protocol.ts';
import { printIpOptions } from './ip-options.ts';
import { bitNames, hex, onesSum, rightChecksum } from './printer.ts';
import type { Printer } from './printer.ts';
import { printTcp } from './tcp.ts';
import { printUdp } from './udp.ts';
import type { View } from './view.ts';

const HEADER = 20;
const ICMP = 1;
const IGMP = 2;
const IPIP = 4;
const TCP = 6;
const UDP = 17;
const GRE = 47;
const MORE = 0x2000;
const OFFSET = 0x1fff;
const FLAGS: readonly (readonly [number, string])[] = [
  [MORE, '+'],
  [0x4000, 'DF'],
  [0x8000, 'rsvd'],
];
const ECN = ['', ',ECT(1)', ',ECT(0)', ',CE'];

/** Prints an IPv4 packet; `packet` begins with its header. */
export function printIp(p: Printer, packet: View): void {
  p.protocol = 'ip';
  const version = packet.u8(0) >>> 4;
  if (version !== 4) {
    p.print(`IP${version}${version === 6 ? ', wrong link-layer encapsulation' : ''} (invalid)`);
    return;
  }
  if (!p.style.ether) p.print('IP ');
  packet.need(HEADER);
  if (packet.length < HEADER) {
    p.print(`truncated-ip ${packet.length}`);
    return;
  }
  const header = (packet.u8(0) & 15) * 4;
  const length = packet.u16(2);
  if (header < HEADER) p.print(`bad-hlen ${header}`);
  else if (length < header) p.print(`bad-len ${length}`);
  else {
    if (packet.length < length) p.print(`truncated-ip - ${length - packet.length} bytes missing! `);
    printDatagram(p, packet.first(length), header, length);
  }
}

function printDatagram(p: Printer, packet: View, header: number, length: number): void {
  const fragment = packet.u16(6);
  const protocol = packet.u8(9);
  if (p.style.verbose > 0) printHeader(p, packet, header, length);
  const ends = `${p.host(packet.u32(12))} > ${p.host(packet.u32(16))}:`;
  if ((fragment & OFFSET) !== 0) {
    p.print(`${ends} ${protocolName(protocol, p.style.numeric)}`);
    return;
  }
  if (protocol !== TCP && protocol !== UDP) p.print(`${ends} `);
  printPayload(p, packet, header, length - header, (fragment & MORE) !== 0);
}

function printHeader(p: Printer, packet: View, header: number, length: number): void {
  const tos = packet.u8(1);
  const ttl = packet.u8(8);
  const fragment = packet.u16(6);
  const protocol = packet.u8(9);
  p.print(`(tos 0x${hex(tos, 1)}${ECN[tos & 3]!}`);
  if (ttl >= 1) p.print(`, ttl ${ttl}`);
  p.print(`, id ${packet.u16(4)}, offset ${(fragment & OFFSET) * 8}`);
  p.print(`, flags [${bitNames(FLAGS, fragment, ', ')}]`);
  p.print(`, proto ${protocolTitle(protocol)} (${protocol}), length ${length}`);
  if (header > HEADER) {
    p.print(', options (');
    printIpOptions(p, packet.first(header).after(HEADER));
    p.print(')');
  }
  if (packet.has(0, header)) {
    const sum = onesSum(packet.bytes.subarray(0, header));
    const found = packet.u16(10);
    if (sum !== 0xffff) p.print(`, bad cksum ${hex(found, 1)} (->${hex(rightChecksum(found, sum), 1)})!`);
  }
  p.print(')\n    ');
}

function printPayload(p: Printer, packet: View, header: number, length: number, fragmented: boolean): void {
  const ip = packet;
  const payload = packet.after(header);
  const protocol = packet.u8(9);
  switch (protocol) {
    case TCP:
      return printTcp(p, ip, payload, length, fragmented);
    case UDP:
      return printUdp(p, ip, payload, length, fragmented);
    case ICMP:
      return printIcmp(p, payload, length, fragmented, printIp);
    case IGMP:
      return printIgmp(p, payload, length);
    case GRE:
      return printGre(p, payload, length, printIp);
    case IPIP:
      return printIp(p, payload);
    default:
      return p.print(` ${protocolName(protocol, p.style.numeric)} ${length}`);
  }
}
