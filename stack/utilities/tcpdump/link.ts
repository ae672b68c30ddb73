/**
 * The other link types as tcpdump prints them: loopback and tunnels (DLT_NULL), serial lines (DLT_SLIP), bare packets (DLT_RAW), and the log of the packet filter
 * (DLT_PFLOG), whose header says which rule a packet met.
 */
import { printIp } from './ip.ts';
import { hex } from './printer.ts';
import type { Printer } from './printer.ts';
import { printUnknown } from './unknown.ts';
import type { View } from './view.ts';

const AF_INET = 2;
const FAMILIES = new Map([
  [AF_INET, 'IPv4'],
  [24, 'IPv6'],
  [28, 'IPv6'],
  [30, 'IPv6'],
]);
const NULL_HEADER = 4;

/** Prints a packet behind an address family in the byte order of the host that captured it. Returns the bytes of the header. */
export function printNull(p: Printer, packet: View): number {
  p.protocol = 'null';
  packet.need(NULL_HEADER);
  const big = packet.u32(0);
  // A family is a small number: what has bits above the lower half has the other byte order.
  const family =
    big >>> 16 === 0
      ? big
      : ((big & 0xff) << 24) | ((big & 0xff00) << 8) | ((big >>> 8) & 0xff00) | (big >>> 24);
  const { ether, quiet } = p.style;
  if (ether) {
    const name = FAMILIES.get(family) ?? 'Unknown';
    p.print(quiet ? name : `AF ${name} (${family})`);
    p.print(`, length ${packet.length}: `);
  }
  const payload = packet.after(NULL_HEADER);
  if (family === AF_INET) printIp(p, payload);
  else {
    if (!ether) p.print(`AF ${FAMILIES.get(family) ?? 'Unknown'} (${family}), length ${packet.length}: `);
    printUnknown(p, payload);
  }
  return NULL_HEADER;
}

const SLIP_HEADER = 16;
const COMPRESSED = 0x80;

/** Prints a packet of a serial line behind its direction and its beginning on the line. Returns the bytes of the header. */
export function printSlip(p: Printer, packet: View): number {
  p.protocol = 'slip';
  packet.need(SLIP_HEADER);
  if (p.style.ether) {
    const direction = packet.u8(0);
    p.print(direction === 0 ? 'I ' : direction === 1 ? 'O ' : `Invalid direction ${direction} `);
    const first = packet.u8(1);
    const kind = (first & COMPRESSED) !== 0 ? 'ctcp' : first >>> 4 === 7 ? 'utcp' : 'ip';
    p.print(`${kind} ${packet.length}: `);
  }
  const payload = packet.after(SLIP_HEADER);
  const version = payload.u8(0) >>> 4;
  if (version === 4) printIp(p, payload);
  else p.print(`ip v${version}`);
  return SLIP_HEADER;
}

/** Prints a bare IP packet. */
export function printRaw(p: Printer, packet: View): number {
  p.protocol = 'raw';
  if (p.style.ether) p.print('ip: ');
  printIp(p, packet);
  return 0;
}

// struct pfloghdr.
const AF = 1;
const ACTION = 2;
const REASON = 3;
const IFNAME = 4;
const RULESET = 20;
const RULE = 36;
const SUBRULE = 40;
const RULE_UID = 52;
const DIRECTION = 60;
/** The header of generations before users were logged ends with its direction at 44. */
const SHORTEST = 45;
const OLD_DIRECTION = 44;
const NO_RULE = 0xffff_ffff;
const ACTIONS = ['pass', 'block', 'scrub', 'nat', 'nat', 'binat', 'binat', 'rdr', 'rdr', 'synproxy-drop'];
const REASONS = [
  'match',
  'bad-offset',
  'fragment',
  'short',
  'normalize',
  'memory',
  'bad-timestamp',
  'congestion',
  'ip-option',
  'proto-cksum',
  'state-mismatch',
  'state-insert',
  'state-limit',
  'src-limit',
  'synproxy',
];
const DIRECTIONS = ['in/out', 'in', 'out'];

function textAt(packet: View, at: number, most: number): string {
  let text = '';
  for (let i = 0; i < most && packet.u8(at + i) !== 0; i++) text += String.fromCharCode(packet.u8(at + i));
  return text;
}

/** Prints a packet of pflog0. Returns the bytes of the header. */
export function printPflog(p: Printer, packet: View): number {
  p.protocol = 'pflog';
  const length = packet.u8(0);
  if (length < SHORTEST) {
    p.print('[pflog: invalid header length!]');
    return packet.captured;
  }
  const header = (length + 3) & ~3;
  packet.need(header);
  if (p.style.ether) {
    const [rule, subrule] = [packet.u32(RULE), packet.u32(SUBRULE)];
    p.print(
      subrule === NO_RULE ? `rule ${rule}/` : `rule ${rule}.${textAt(packet, RULESET, 16)}.${subrule}/`,
    );
    const reason = packet.u8(REASON);
    const why = REASONS[reason];
    p.print(why === undefined ? `unkn(${reason})` : `${reason}(${why})`);
    const old = length <= SHORTEST + 3;
    if (p.style.verbose > 0 && !old) p.print(` [uid ${packet.u32(RULE_UID)}]`);
    const action = packet.u8(ACTION);
    const direction = packet.u8(old ? OLD_DIRECTION : DIRECTION);
    p.print(`: ${ACTIONS[action] ?? `unkn(${action})`} ${DIRECTIONS[direction] ?? `unkn(${direction})`}`);
    p.print(` on ${textAt(packet, IFNAME, 16)}: `);
  }
  const payload = packet.after(header);
  if (packet.u8(AF) === AF_INET) printIp(p, payload);
  else {
    p.print(`address family ${packet.u8(AF)} (0x${hex(packet.u8(AF), 2)})`);
    printUnknown(p, payload);
  }
  return header;
}
