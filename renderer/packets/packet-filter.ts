/**
 * The filter above the packet list: words that must all occur somewhere in a packet's columns, in any order and
 * case. `column:word` looks in one column only, `-word` or `!word` excludes, "quotes keep spaces".
 */
import type { PacketSummary } from '../../main/api/model.ts';

export type PacketPredicate = (packet: PacketSummary) => boolean;

type Column = 'point' | 'source' | 'destination' | 'protocol' | 'info' | 'number' | 'length';

const columnNames: Readonly<Record<string, Column>> = {
  point: 'point',
  src: 'source',
  source: 'source',
  dst: 'destination',
  dest: 'destination',
  destination: 'destination',
  proto: 'protocol',
  protocol: 'protocol',
  info: 'info',
  no: 'number',
  number: 'number',
  len: 'length',
  length: 'length',
};

const wordPattern = /([-!]?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi;

export function parsePacketFilter(text: string): PacketPredicate {
  const tests = [...text.matchAll(wordPattern)].map((match) => toPredicate(match));
  return (packet) => tests.every((test) => test(packet));
}

function toPredicate(match: RegExpMatchArray): PacketPredicate {
  const [, sign, prefix, quoted, word] = match;
  const column = prefix === undefined ? undefined : columnNames[prefix.toLowerCase()];
  // An unknown prefix is part of the word, as in an Ethernet or IPv6 address.
  const before = prefix !== undefined && column === undefined ? `${prefix}:` : '';
  const wanted = `${before}${quoted ?? word ?? ''}`.toLowerCase();
  const excluded = sign !== '';
  return (packet) => haystack(packet, column).includes(wanted) !== excluded;
}

function haystack(packet: PacketSummary, column: Column | undefined): string {
  if (column !== undefined) return String(packet[column]).toLowerCase();
  const { number, point, source, destination, protocol, length, info } = packet;
  // A separator that cannot be typed keeps a word from matching across two columns.
  return [number, point, source, destination, protocol, length, info].join('\n').toLowerCase();
}
