/**
 * What ifconfig prints about an interface, in the shape of NetBSD 4 and io-pkt.
 */
import { IFF } from '../runtime/messages/control.ts';
import type { InterfaceAddress, InterfaceCounters, InterfaceInfo } from '../runtime/messages/control.ts';
import { hexMask } from './address-text.ts';

/** How much is printed. */
export interface Detail {
  /** -v, -z: counters. */
  readonly counters: boolean;
  /** -m: the media that may be set. */
  readonly media: boolean;
}

/** Bits of the capabilities line (if.h). */
const CAPABILITIES: Readonly<Record<string, number>> = {
  ip4csum: 0x1,
  tcp4csum: 0x2,
  udp4csum: 0x4,
  tso4: 0x8,
};

/** Names of capabilities that can be switched, as ifconfig's words. */
export const CAPABILITY_NAMES = Object.keys(CAPABILITIES);

/** `8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>`. */
export function flagsText(flags: number): string {
  const names = Object.entries(IFF).flatMap(([name, bit]) => ((flags & bit) !== 0 ? [name] : []));
  return bitsText(flags, names);
}

function bitsText(bits: number, names: readonly string[]): string {
  return names.length === 0 ? bits.toString(16) : `${bits.toString(16)}<${names.join(',')}>`;
}

function capabilitiesText(names: readonly string[]): string {
  const bits = names.reduce((sum, name) => sum | (CAPABILITIES[name.toLowerCase()] ?? 0), 0);
  return bitsText(
    bits,
    names.map((name) => name.toUpperCase()),
  );
}

function addressLine({ address, netmask, broadcast, destination }: InterfaceAddress, first: boolean): string {
  const end = broadcast === undefined ? '' : ` broadcast ${broadcast}`;
  const far = destination === undefined ? '' : ` -> ${destination}`;
  return `\tinet ${first ? '' : 'alias '}${address}${far} netmask ${hexMask(netmask)}${end}`;
}

function counterLines(counters: InterfaceCounters): string[] {
  const parts = (list: readonly (readonly [number, string])[]): string =>
    list
      .filter(([count], i) => i < 2 || count > 0)
      .map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`)
      .join(', ');
  const { ipackets, ibytes, imcasts, ierrors, iqdrops } = counters;
  const { opackets, obytes, omcasts, oerrors, odrops, collisions } = counters;
  return [
    `\tinput: ${parts([
      [ipackets, 'packet'],
      [ibytes, 'byte'],
      [imcasts, 'multicast'],
      [ierrors, 'error'],
      [iqdrops, 'queue drop'],
    ])}`,
    `\toutput: ${parts([
      [opackets, 'packet'],
      [obytes, 'byte'],
      [omcasts, 'multicast'],
      [oerrors, 'error'],
      [odrops, 'drop'],
      [collisions, 'collision'],
    ])}`,
  ];
}

/** All lines about an interface, each with its newline. */
export function interfaceText(info: InterfaceInfo, detail: Detail): string {
  const { name, flags, mtu, metric, mac, media, carrier, capabilities, enabled, addresses } = info;
  const lines = [`${name}: flags=${flagsText(flags)}${metric === 0 ? '' : ` metric ${metric}`} mtu ${mtu}`];
  if (capabilities.length > 0) {
    lines.push(`\tcapabilities=${capabilitiesText(capabilities)}`, `\tenabled=${capabilitiesText(enabled)}`);
  }
  if (mac !== undefined) lines.push(`\taddress: ${mac}`);
  if (media !== undefined) lines.push(`\tmedia: ${media}`);
  if (carrier !== undefined) lines.push(`\tstatus: ${carrier ? 'active' : 'no carrier'}`);
  if (detail.media && media !== undefined) lines.push('\tsupported Ethernet media:', '\t\tmedia autoselect');
  lines.push(...info.details.map((line) => `\t${line}`));
  lines.push(...addresses.map((address, i) => addressLine(address, i === 0)));
  if (detail.counters) lines.push(...counterLines(info.counters));
  return `${lines.join('\n')}\n`;
}
