/**
 * TCP (RFC 9293) as tcpdump prints it: sequence numbers count from the first that was seen of a connection, unless -S is given.
 */
import { hex, onesSum, rightChecksum } from './printer.ts';
import type { Conversation, Printer } from './printer.ts';
import { pseudoSum } from './pseudo-header.ts';
import { printTcpOptions } from './tcp-options.ts';
import { printHttp } from './text-protocol.ts';
import { Truncated } from './view.ts';
import type { View } from './view.ts';

const HEADER = 20;
const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const URG = 0x20;
/** Letters in the order of the bits. */
const FLAGS = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W'];
const HTTP_PORTS = [80, 8080, 3128];
const TCP = 6;
const MOST_RESET_TEXT = 30;

function flagText(flags: number): string {
  const text = FLAGS.filter((_, bit) => (flags & (1 << bit)) !== 0).join('');
  return text === '' ? 'none' : text;
}

/** What sequence numbers of a segment count from. */
interface Origin {
  readonly sequence: number;
  readonly acknowledgment: number;
  /** What the numbers in its selective acknowledgments count from. */
  readonly selective: number;
}

const AS_THEY_ARE: Origin = { sequence: 0, acknowledgment: 0, selective: 0 };

/** Finds or begins the conversation of a segment. */
function originOf(p: Printer, ip: View, segment: View, flags: number): Origin {
  const [sport, dport] = [segment.u16(0), segment.u16(2)];
  const [source, destination] = [ip.u32(12), ip.u32(16)];
  const reverse = sport > dport || (sport === dport && source > destination);
  const key = reverse
    ? `${destination}.${source}.${dport}.${sport}`
    : `${source}.${destination}.${sport}.${dport}`;
  const [sequence, acknowledgment] = [segment.u32(4), segment.u32(8)];
  const known = p.conversations.get(key);
  if (known === undefined || (flags & SYN) !== 0) {
    const before = (acknowledgment - 1) >>> 0;
    const begun: Conversation = reverse
      ? { sequence: before, acknowledgment: sequence }
      : { sequence, acknowledgment: before };
    p.conversations.set(key, begun);
    const selective = reverse ? begun.sequence : begun.acknowledgment;
    return { ...AS_THEY_ARE, selective };
  }
  const [own, peer] = reverse
    ? [known.acknowledgment, known.sequence]
    : [known.sequence, known.acknowledgment];
  return { sequence: own, acknowledgment: peer, selective: peer };
}

/** Prints a segment of `length` bytes in the packet `ip`. */
export function printTcp(p: Printer, ip: View, segment: View, length: number, fragmented: boolean): void {
  p.protocol = 'tcp';
  const ends = [p.host(ip.u32(12)), p.host(ip.u32(16))] as const;
  if (!segment.has(0, 4)) {
    p.print(`${ends[0]} > ${ends[1]}:`);
    throw new Truncated();
  }
  const [sport, dport] = [segment.u16(0), segment.u16(2)];
  p.print(`${ends[0]}.${p.port(sport)} > ${ends[1]}.${p.port(dport)}: `);
  segment.need(HEADER);
  const header = (segment.u8(12) >>> 4) * 4;
  if (p.style.quiet) {
    p.print(`tcp ${length - header}`);
    if (header > length) p.print(` [bad hdr length ${header}, too long, > ${length}]`);
    return;
  }
  const flags = segment.u8(13);
  p.print(`Flags [${flagText(flags)}]`);
  const origin = !p.style.absolute && (flags & ACK) !== 0 ? originOf(p, ip, segment, flags) : AS_THEY_ARE;
  if (header > length) return p.print(` [bad hdr length ${header}, too long, > ${length}]`);
  if (header < HEADER) return p.print(` [bad hdr length ${header}, too short, < ${HEADER}]`);
  if (p.style.verbose > 0 && !fragmented) printChecksum(p, ip, segment, length);
  printNumbers(p, segment, flags, origin, length - header);
  if (header > HEADER) printTcpOptions(p, segment.first(header).after(HEADER), origin.selective);
  p.print(`, length ${length - header}`);
  if (length === header) return undefined;
  return printData(p, segment.after(header), flags, sport, dport);
}

function printChecksum(p: Printer, ip: View, segment: View, length: number): void {
  if (!segment.has(0, length)) return;
  const sum = onesSum(segment.bytes.subarray(0, length), pseudoSum(ip, TCP, length));
  const found = segment.u16(16);
  p.print(`, cksum 0x${hex(found, 4)}`);
  p.print(sum === 0xffff ? ' (correct)' : ` (incorrect -> 0x${hex(rightChecksum(found, sum), 4)})`);
}

function printNumbers(p: Printer, segment: View, flags: number, origin: Origin, data: number): void {
  if (p.style.verbose > 1 || data > 0 || (flags & (SYN | FIN | RST)) !== 0) {
    const sequence = (segment.u32(4) - origin.sequence) >>> 0;
    p.print(`, seq ${sequence}`);
    if (data > 0) p.print(`:${(sequence + data) >>> 0}`);
  }
  if ((flags & ACK) !== 0) p.print(`, ack ${(segment.u32(8) - origin.acknowledgment) >>> 0}`);
  p.print(`, win ${segment.u16(14)}`);
  if ((flags & URG) !== 0) p.print(`, urg ${segment.u16(18)}`);
}

/** What a reset says of its reason (RFC 1122, section 4.2.2.12). */
function printResetText(p: Printer, data: View): void {
  const shown = [...data.bytes.subarray(0, MOST_RESET_TEXT)];
  const text = shown.map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
  const whole = data.captured >= data.length;
  p.print(` [${whole ? '' : '!'}RST${data.length > MOST_RESET_TEXT ? '+' : ''} ${text}]`);
}

function printData(p: Printer, data: View, flags: number, sport: number, dport: number): void {
  if ((flags & RST) !== 0 && p.style.verbose > 0) {
    printResetText(p, data);
  } else if (HTTP_PORTS.includes(sport) || HTTP_PORTS.includes(dport)) {
    p.print(': ');
    printHttp(p, data);
  }
}
