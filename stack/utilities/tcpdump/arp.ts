/**
 * ARP (RFC 826) as tcpdump prints it.
 */
import { etherTypeName } from './ethertype.ts';
import { printUnknown } from './unknown.ts';
import { hex } from './printer.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

const OPERATIONS = new Map([
  [1, 'Request'],
  [2, 'Reply'],
  [3, 'Reverse Request'],
  [4, 'Reverse Reply'],
]);
const HARDWARE = new Map([
  [1, 'Ethernet'],
  [6, 'TokenRing'],
  [15, 'Frame Relay'],
]);
const ETHERNET = 1;
const IPV4 = 0x0800;
const FIXED = 8;

/** Prints an ARP packet; `packet` begins with its hardware type. */
export function printArp(p: Printer, packet: View): void {
  p.protocol = 'arp';
  packet.need(FIXED);
  const [hardware, protocol] = [packet.u16(0), packet.u16(2)];
  const [macBytes, addressBytes] = [packet.u8(4), packet.u8(5)];
  const operation = packet.u16(6);
  const sender = FIXED;
  const target = FIXED + macBytes + addressBytes;
  packet.need(target + macBytes + addressBytes);
  const { verbose, ether } = p.style;
  if (!ether) p.print('ARP, ');
  const plain = hardware === ETHERNET && protocol === IPV4 && addressBytes === 4 && macBytes !== 0;
  if (!plain || verbose > 0) {
    p.print(`${HARDWARE.get(hardware) ?? `Unknown Hardware (${hardware})`} (len ${macBytes}), `);
    p.print(
      `${etherTypeName(protocol) ?? `Unknown Protocol (0x${hex(protocol, 4)})`} (len ${addressBytes}), `,
    );
  }
  p.print(`${OPERATIONS.get(operation) ?? `Unknown (${operation})`} `);
  const address = (at: number): string =>
    addressBytes === 4 && protocol === IPV4 ? p.host(packet.u32(at)) : '<wrong proto type>';
  const mac = (at: number): string =>
    Array.from({ length: macBytes }, (_, i) => hex(packet.u8(at + i), 2)).join(':') || '<No address>';
  const bare = Array.from({ length: macBytes }, (_, i) => packet.u8(target + i)).every((byte) => byte === 0);
  switch (operation) {
    case 1:
      p.print(`who-has ${address(target + macBytes)}`);
      if (!bare) p.print(` (${mac(target)})`);
      p.print(` tell ${address(sender + macBytes)}`);
      break;
    case 2:
      p.print(`${address(sender + macBytes)} is-at ${mac(sender)}`);
      break;
    case 3:
      p.print(`who-is ${mac(target)} tell ${mac(sender)}`);
      break;
    case 4:
      p.print(`${mac(target)} at ${address(target + macBytes)}`);
      break;
    default:
      printUnknown(p, packet);
      return;
  }
  p.print(`, length ${packet.length}`);
}
