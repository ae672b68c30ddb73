/**
 * The slow protocols of IEEE 802.3 (LACP and Marker of link aggregates) as tcpdump prints them.
 */
import { hexLines } from './hexdump.ts';
import { bitNames, hex } from './printer.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

const LACP = 1;
const MARKER = 2;
const NAMES = new Map([
  [LACP, 'LACP'],
  [MARKER, 'Marker'],
  [3, 'OAM'],
]);
/** Names of parts by protocol and type. */
const PARTS = new Map([
  [(LACP << 8) | 0, 'Terminator'],
  [(LACP << 8) | 1, 'Actor Information'],
  [(LACP << 8) | 2, 'Partner Information'],
  [(LACP << 8) | 3, 'Collector Information'],
  [(MARKER << 8) | 0, 'Terminator'],
  [(MARKER << 8) | 1, 'Marker Information'],
  [(MARKER << 8) | 2, 'Marker Response Information'],
]);
const STATE: readonly (readonly [number, string])[] = [
  [0x01, 'Activity'],
  [0x02, 'Timeout'],
  [0x04, 'Aggregation'],
  [0x08, 'Synchronization'],
  [0x10, 'Collecting'],
  [0x20, 'Distributing'],
  [0x40, 'Default'],
  [0x80, 'Expired'],
];

/** Prints a packet of a slow protocol; `packet` begins with the subtype. */
export function printSlow(p: Printer, packet: View): void {
  p.protocol = 'slow';
  const subtype = packet.u8(0);
  const name = NAMES.get(subtype) ?? `unknown (${subtype})`;
  const versioned = subtype === LACP || subtype === MARKER;
  p.print(versioned ? `${name}v${packet.u8(1)}` : name);
  p.print(`, length ${packet.length}`);
  if (!NAMES.has(subtype)) p.print(hexLines(packet.bytes));
  if (p.style.verbose === 0 || !versioned) return;
  for (let rest = packet.after(2); rest.length > 0;) {
    const [type, length] = [rest.u8(0), rest.u8(1)];
    p.print(`\n\t${PARTS.get((subtype << 8) | type) ?? 'Unknown'} TLV (0x${hex(type, 2)}), length ${length}`);
    if (type === 0 || length < 2) return;
    printPart(p, subtype, type, rest);
    if (p.style.verbose > 1) p.print(hexLines(rest.bytes.subarray(2, length), '  '));
    rest = rest.after(length);
  }
}

function printPart(p: Printer, subtype: number, type: number, part: View): void {
  if (subtype === MARKER) {
    p.print(`\n\t  Request System ${part.mac(4)}, Request Port ${part.u16(2)}`);
    p.print(`, Request Transaction ID 0x${hex(part.u32(10), 8)}`);
  } else if (type === 3) p.print(`\n\t  Max Delay ${part.u16(2)}`);
  else {
    p.print(`\n\t  System ${part.mac(4)}, System Priority ${part.u16(2)}, Key ${part.u16(10)}`);
    p.print(`, Port ${part.u16(14)}, Port Priority ${part.u16(12)}`);
    p.print(`\n\t  State Flags [${bitNames(STATE, part.u8(16), ', ')}]`);
  }
}
