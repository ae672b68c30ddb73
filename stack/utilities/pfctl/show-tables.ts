/** Tables as `pfctl -s Tables` and `-T show` list them, and what became of addresses. */
import type { PfFeedback, PfTableAddressInfo, PfTableInfo, PfTableTraffic } from '../../filter/pf/ioctl.ts';
import { printLength } from '../../filter/pf/print-address.ts';
import type { PfTableAddress } from '../../filter/pf/ruleset.ts';
import { trafficLine } from './text.ts';

/** Letters by which -v marks what became of an address. */
const MARKS: Readonly<Record<PfFeedback, string>> = {
  none: ' ',
  match: 'M',
  added: 'A',
  deleted: 'D',
  changed: 'C',
  cleared: 'Z',
  'no match': 'X',
  duplicate: 'Y',
};

/** An address with its mark: `A  10.0.0.0/8`, `   !10.0.0.1`. */
export function addressLine(address: PfTableAddress, result: PfFeedback = 'none', name?: string): string {
  const network = address.address + printLength(address.length, address.af);
  return `${MARKS[result]} ${address.not ? '!' : ' '}${network}${name === undefined ? '' : `\t(${name})`}`;
}

function trafficLines(traffic: PfTableTraffic, translated: boolean): string[] {
  return [
    trafficLine('In/Block:', traffic.inBlock),
    trafficLine('In/Pass:', traffic.inPass),
    ...(translated ? [trafficLine('In/XPass:', traffic.inXPass)] : []),
    trafficLine('Out/Block:', traffic.outBlock),
    trafficLine('Out/Pass:', traffic.outPass),
    ...(translated ? [trafficLine('Out/XPass:', traffic.outXPass)] : []),
  ];
}

/** `-v -T show`: an address with its counters. */
export function addressLines(address: PfTableAddressInfo, cleared: string, name?: string): string[] {
  return [
    addressLine(address, 'none', name),
    `\tCleared:     ${cleared}`,
    ...trafficLines(address.traffic, false),
  ];
}

/** `-s Tables`: the name, with -v the flags before it. */
export function tableLine(table: PfTableInfo, verbose: boolean): string {
  if (!verbose) return table.name;
  const flags = [
    table.const ? 'c' : '-',
    table.persist ? 'p' : '-',
    table.active ? 'a' : '-',
    table.inactive ? 'i' : '-',
    table.referenced ? 'r' : '-',
    table.hidden ? 'h' : '-',
  ].join('');
  return `${flags}\t${table.name}${table.anchor === '' ? '' : `\t${table.anchor}`}`;
}

/** `-vvs Tables`. */
export function tableLines(table: PfTableInfo, cleared: string): string[] {
  const { references, match, noMatch } = table;
  const pair = (name: string, a: string, x: number, b: string, y: number): string =>
    `\t${name.padEnd(12)} [ ${a} ${String(x).padEnd(18)} ${b} ${String(y).padEnd(18)} ]`;
  return [
    tableLine(table, true),
    `\tAddresses:   ${table.addresses}`,
    `\tCleared:     ${cleared}`,
    pair('References:', 'Anchors:', references.anchors, 'Rules:', references.rules),
    pair('Evaluations:', 'NoMatch:', noMatch, 'Match:', match),
    ...trafficLines(table.traffic, true),
  ];
}
