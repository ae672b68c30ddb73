/**
 * ICMP (RFC 792) as tcpdump prints it.
 */
import { protocolName } from './ip-protocol.ts';
import { hex, onesSum, rightChecksum } from './printer.ts';
import type { Printer } from './printer.ts';
import { View } from './view.ts';

const ECHO_REPLY = 0;
const UNREACHABLE = 3;
const QUENCH = 4;
const REDIRECT = 5;
const ECHO = 8;
const EXCEEDED = 11;
const PARAMETER = 12;
const ERRORS = [UNREACHABLE, QUENCH, REDIRECT, EXCEEDED, PARAMETER];
const HEADER = 8;

const NAMES = new Map([
  [QUENCH, 'source quench'],
  [9, 'router advertisement'],
  [10, 'router solicitation'],
  [15, 'information request'],
  [16, 'information reply'],
  [17, 'address mask request'],
]);
/** What is unreachable by code, and why; the packet that was not delivered is quoted behind the header. */
const UNREACHABLE_TEXTS: Readonly<Record<number, (address: string) => string>> = {
  0: (to) => `net ${to} unreachable`,
  1: (to) => `host ${to} unreachable`,
  5: (to) => `${to} unreachable - source route failed`,
  6: (to) => `net ${to} unreachable - unknown`,
  7: (to) => `host ${to} unreachable - unknown`,
  8: (to) => `${to} unreachable - source host isolated`,
  9: (to) => `net ${to} unreachable - admin prohibited`,
  10: (to) => `host ${to} unreachable - admin prohibited`,
  11: (to) => `net ${to} unreachable - tos prohibited`,
  12: (to) => `host ${to} unreachable - tos prohibited`,
  13: (to) => `host ${to} unreachable - admin prohibited filter`,
  14: (to) => `host ${to} unreachable - host precedence violation`,
  15: (to) => `host ${to} unreachable - precedence cutoff`,
};
const PROTOCOL = 2;
const PORT = 3;
const NEED_FRAGMENT = 4;
const REDIRECTS = [
  'redirect %s to net',
  'redirect %s to host',
  'redirect-tos %s to net',
  'redirect-tos %s to host',
];

/** Prints a packet that an ICMP error quotes. */
type PrintPacket = (p: Printer, packet: View) => void;

/** Prints a message of `length` bytes. */
export function printIcmp(
  p: Printer,
  message: View,
  length: number,
  fragmented: boolean,
  printPacket: PrintPacket,
): void {
  p.protocol = 'icmp';
  const type = message.u8(0);
  p.print(`ICMP ${describe(p, message, type, message.u8(1))}, length ${length}`);
  if (p.style.verbose === 0) return;
  if (!fragmented && message.has(0, length)) {
    const sum = onesSum(message.bytes.subarray(0, length));
    const found = message.u16(2);
    if (sum !== 0xffff)
      p.print(` (wrong icmp cksum ${hex(found, 1)} (->${hex(rightChecksum(found, sum), 1)})!)`);
  }
  if (!ERRORS.includes(type)) return;
  p.print('\n\t');
  const quoted = message.after(HEADER);
  quoted.need(4);
  // It is cut, which is no fault of its own.
  printPacket(p, new View(quoted.bytes, Math.max(quoted.length, quoted.u16(2))));
}

function describe(p: Printer, message: View, type: number, code: number): string {
  switch (type) {
    case ECHO:
    case ECHO_REPLY:
      return `echo ${type === ECHO ? 'request' : 'reply'}, id ${message.u16(4)}, seq ${message.u16(6)}`;
    case UNREACHABLE:
      return unreachable(p, message, code);
    case REDIRECT: {
      const text = REDIRECTS[code];
      const quoted = p.host(message.u32(HEADER + 16));
      return text === undefined
        ? `redirect-#${code} ${quoted} to net ${p.host(message.u32(4))}`
        : `${text.replace('%s', quoted)} ${p.host(message.u32(4))}`;
    }
    case EXCEEDED:
      if (code === 0) return 'time exceeded in-transit';
      return code === 1 ? 'ip reassembly time exceeded' : `time exceeded-#${code}`;
    case PARAMETER:
      return code === 0 ? `parameter problem - octet ${message.u8(4)}` : `parameter problem - code ${code}`;
    case 13:
      return `time stamp query id ${message.u16(4)} seq ${message.u16(6)}`;
    case 18:
      return `address mask is 0x${hex(message.u32(8), 8)}`;
    default:
      return NAMES.get(type) ?? `type-#${type}`;
  }
}

function unreachable(p: Printer, message: View, code: number): string {
  const quoted = message.after(HEADER);
  const to = p.host(quoted.u32(16));
  if (code === PROTOCOL) return `${to} protocol ${quoted.u8(9)} unreachable`;
  if (code === PORT) return portUnreachable(p, quoted, to);
  if (code === NEED_FRAGMENT) {
    const mtu = message.u16(6);
    return `${to} unreachable - need to frag${mtu === 0 ? '' : ` (mtu ${mtu})`}`;
  }
  return UNREACHABLE_TEXTS[code]?.(to) ?? `${to} unreachable - #${code}`;
}

function portUnreachable(p: Printer, quoted: View, to: string): string {
  const port = quoted.u16((quoted.u8(0) & 15) * 4 + 2);
  const protocol = quoted.u8(9);
  if (protocol === 6) return `${to} tcp port ${p.port(port)} unreachable`;
  if (protocol === 17) return `${to} udp port ${p.port(port)} unreachable`;
  return `${to} protocol ${protocolName(protocol, true).replace('ip-proto-', '')} port ${port} unreachable`;
}
