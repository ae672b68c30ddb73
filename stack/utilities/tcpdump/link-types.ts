/**
 * The link types that tcpdump prints: their names, what they are called in words, and who prints them.
 */
import { printEthernet } from './ethernet.ts';
import { printNull, printPflog, printRaw, printSlip } from './link.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

export interface LinkType {
  /** DLT_NAME. */
  readonly name: string;
  readonly text: string;
  /** Prints a packet; returns the bytes of its link header. */
  readonly print: (p: Printer, packet: View) => number;
}

const TYPES = new Map<number, LinkType>([
  [0, { name: 'NULL', text: 'BSD loopback', print: printNull }],
  [1, { name: 'EN10MB', text: 'Ethernet', print: printEthernet }],
  [8, { name: 'SLIP', text: 'SLIP', print: printSlip }],
  [12, { name: 'RAW', text: 'Raw IP', print: printRaw }],
  [117, { name: 'PFLOG', text: 'OpenBSD pflog file', print: printPflog }],
]);

export function linkTypeByNumber(dlt: number): LinkType | undefined {
  return TYPES.get(dlt);
}

/** The number of a link type given as -y has it: `EN10MB` or `DLT_EN10MB`. */
export function linkTypeByName(name: string): number | undefined {
  const wanted = name.toUpperCase().replace(/^DLT_/, '');
  return [...TYPES].find(([, type]) => type.name === wanted)?.[0];
}

/** As it stands in `link-type EN10MB (Ethernet)`. */
export function linkTypeTitle(dlt: number): string {
  const type = TYPES.get(dlt);
  return type === undefined ? String(dlt) : `${type.name} (${type.text})`;
}
