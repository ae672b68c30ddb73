/**
 * The kinds of interfaces that nodes make themselves (`ifconfig vlan0 create`), as far as a lab has to know them before it runs: captures may name them, and a
 * capture file says what its packets begin with.
 */
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../../capture/link-type.ts';
import type { NormalLink } from './model.ts';

/** Link types by base name. Interfaces that are no Ethernet show bare IP packets. */
const KINDS: ReadonlyMap<string, number> = new Map([
  ['agr', LINKTYPE_ETHERNET],
  ['bridge', LINKTYPE_ETHERNET],
  ['gif', LINKTYPE_RAW],
  ['gre', LINKTYPE_RAW],
  ['lo', LINKTYPE_RAW],
  ['sl', LINKTYPE_RAW],
  ['tap', LINKTYPE_ETHERNET],
  ['tun', LINKTYPE_RAW],
  ['vlan', LINKTYPE_ETHERNET],
]);

/** The link type of what is seen on a link: frames, or the packets in the bytes of a serial line. */
export function linkTypeOfLink({ baud }: Pick<NormalLink, 'baud'>): number {
  return baud === undefined ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
}

/** The link type of an interface that a node can make under this name; undefined if it can make none. */
export function pseudoLinkType(name: string): number | undefined {
  return /^[a-z]+\d+$/.test(name) ? KINDS.get(name.replace(/\d+$/, '')) : undefined;
}
