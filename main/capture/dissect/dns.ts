/** DNS messages (RFC 1035, RFC 3596, RFC 2782, RFC 6891) over UDP and TCP, and multicast DNS (RFC 6762). */
import { formatIPv4, formatIPv6, hex, printable } from './text.ts';
import type { Dissection, LayerBuilder } from './tree.ts';

const recordTypes: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [13, 'HINFO'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [41, 'OPT'],
  [43, 'DS'],
  [46, 'RRSIG'],
  [47, 'NSEC'],
  [48, 'DNSKEY'],
  [50, 'NSEC3'],
  [65, 'HTTPS'],
  [251, 'IXFR'],
  [252, 'AXFR'],
  [255, 'ANY'],
  [257, 'CAA'],
]);

const opcodes: ReadonlyMap<number, string> = new Map([
  [0, 'Standard query'],
  [1, 'Inverse query'],
  [2, 'Server status request'],
  [4, 'Zone change notification'],
  [5, 'Dynamic update'],
]);

const replyCodes = [
  'No error',
  'Format error',
  'Server failure',
  'No such name',
  'Not implemented',
  'Refused',
];

const TYPE_OPT = 41;
/** Compression pointers followed per name, and characters shown of it: both bound hostile messages. */
const MAXIMUM_JUMPS = 32;
const MAXIMUM_NAME = 255;
/** Records dissected per message. */
const MAXIMUM_RECORDS = 256;
/** Records named in the info column. */
const INFO_RECORDS = 8;

interface Name {
  readonly text: string;
  /** Where the next field starts. */
  readonly end: number;
}

export function dissectDnsUdp(packet: Dissection, at: number, end: number): void {
  message(packet, 'DNS', at, end);
}

export function dissectMdns(packet: Dissection, at: number, end: number): void {
  message(packet, 'MDNS', at, end);
}

/** Over TCP a message is preceded by its length. */
export function dissectDnsTcp(packet: Dissection, at: number, end: number): void {
  const length = packet.u16(at);
  if (end - at < 14 || length < 12) {
    packet.data(at, end);
    return;
  }
  message(packet, 'DNS', at + 2, Math.min(end, at + 2 + length));
}

function message(packet: Dissection, protocol: string, at: number, end: number): void {
  packet.show({ protocol });
  if (end - at < 12) return packet.tooShort('dns', 'Domain Name System', at, end);
  const flags = packet.u16(at + 2);
  const response = (flags & 0x8000) !== 0;
  const opcode = opcodes.get((flags >> 11) & 15) ?? `Operation ${(flags >> 11) & 15}`;
  const kind = response ? `${opcode} response` : opcode;
  const layer = packet.layer('dns', `Domain Name System, ${kind}`, at, end - at);
  layer.add('id', 'Transaction ID', hex(packet.u16(at), 4), at, 2);
  layer.add('flags', 'Flags', flagsText(flags), at + 2, 2);
  packet.show({ info: `${kind} ${hex(packet.u16(at), 4)}` });
  const code = flags & 15;
  if (response && code !== 0) packet.appendInfo(` ${replyCodes[code] ?? `error ${code}`}`);
  new Records(packet, layer, at, end).all();
}

function flagsText(flags: number): string {
  const names = [
    [0x8000, 'response'],
    [0x0400, 'authoritative'],
    [0x0200, 'truncated'],
    [0x0100, 'recursion desired'],
    [0x0080, 'recursion available'],
    [0x0020, 'authenticated data'],
    [0x0010, 'checking disabled'],
  ] as const;
  const set = names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return `${hex(flags, 4)}${set.length === 0 ? '' : ` (${set.join(', ')})`}`;
}

/** Walks the four sections of one message. */
class Records {
  private at: number;
  private shown = 0;
  private records = 0;

  constructor(
    private readonly packet: Dissection,
    private readonly layer: LayerBuilder,
    private readonly start: number,
    private readonly end: number,
  ) {
    this.at = start + 12;
  }

  all(): void {
    const sections = [
      ['queries', 'Questions'],
      ['answers', 'Answers'],
      ['auth_rr', 'Authorities'],
      ['add_rr', 'Additional'],
    ] as const;
    sections.forEach(([name, label], index) => {
      const field = this.start + 4 + index * 2;
      this.layer.add(`count.${name}`, label, this.packet.u16(field), field, 2);
    });
    sections.forEach(([name], index) => {
      const count = this.packet.u16(this.start + 4 + index * 2);
      for (let i = 0; i < count && this.at < this.end && this.records < MAXIMUM_RECORDS; i++) {
        this.records++;
        if (index === 0) this.question();
        else this.resource(name);
      }
    });
  }

  private question(): void {
    const name = this.name(this.at);
    const type = typeName(this.packet.u16(name.end));
    this.layer.add('qry', 'Question', `${name.text} ${type}`, this.at, name.end + 4 - this.at);
    this.show(`${type} ${name.text}`);
    this.at = name.end + 4;
  }

  private resource(section: string): void {
    const name = this.name(this.at);
    const type = this.packet.u16(name.end);
    const dataAt = name.end + 10;
    const dataLength = this.packet.u16(name.end + 8);
    const dataEnd = Math.min(this.end, dataAt + dataLength);
    const data = dataEnd < dataAt ? '' : this.dataText(type, dataAt, dataEnd);
    const ttl = type === TYPE_OPT ? '' : `, ${this.packet.u32(name.end + 4)} s`;
    const text = `${name.text} ${typeName(type)} ${data}${ttl}`;
    this.layer.add(`resp.${section}`, 'Record', text, this.at, dataAt + dataLength - this.at);
    if (type !== TYPE_OPT) this.show(`${typeName(type)} ${data === '' ? name.text : data}`);
    this.at = dataAt + dataLength;
  }

  private show(text: string): void {
    if (this.shown++ < INFO_RECORDS) this.packet.appendInfo(` ${text}`);
  }

  private dataText(type: number, at: number, end: number): string {
    const { bytes } = this.packet;
    switch (type) {
      case 1:
        return end - at === 4 ? formatIPv4(bytes, at) : '';
      case 28:
        return end - at === 16 ? formatIPv6(bytes, at) : '';
      case 2:
      case 5:
      case 6:
      case 12:
        return this.name(at).text;
      case 15:
        return `${this.packet.u16(at)} ${this.name(at + 2).text}`;
      case 16:
        return `"${printable(bytes, at + 1, Math.min(end, at + 1 + this.packet.u8(at)))}"`;
      case 33:
        return `${this.name(at + 6).text}:${this.packet.u16(at + 4)}`;
      default:
        return '';
    }
  }

  /** A domain name, compression pointers followed. */
  private name(from: number): Name {
    const labels: string[] = [];
    let length = 0;
    let at = from;
    let end: number | undefined;
    for (let jumps = 0; at < this.end && length < MAXIMUM_NAME;) {
      const size = this.packet.u8(at);
      if (size >= 0xc0) {
        end ??= at + 2;
        at = this.start + (this.packet.u16(at) & 0x3fff);
        if (++jumps > MAXIMUM_JUMPS) break;
        continue;
      }
      at += 1;
      if (size === 0) break;
      labels.push(printable(this.packet.bytes, at, Math.min(at + size, this.end)));
      length += size + 1;
      at += size;
    }
    return { text: labels.length === 0 ? '<root>' : labels.join('.'), end: end ?? at };
  }
}

function typeName(type: number): string {
  return recordTypes.get(type) ?? `TYPE${type}`;
}
