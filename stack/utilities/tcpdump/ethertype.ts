/**
 * Names of EtherTypes as tcpdump prints them.
 */
import { hex } from './printer.ts';

export const ETHERTYPE_IP = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_8021Q = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_SLOW = 0x8809;
export const ETHERTYPE_8021AD = 0x88a8;
export const ETHERTYPE_QINQ = 0x9100;

const NAMES = new Map([
  [ETHERTYPE_IP, 'IPv4'],
  [ETHERTYPE_ARP, 'ARP'],
  [0x8035, 'Reverse ARP'],
  [ETHERTYPE_8021Q, '802.1Q'],
  [0x8204, 'QNX'],
  [ETHERTYPE_IPV6, 'IPv6'],
  [ETHERTYPE_SLOW, 'Slow Protocols'],
  [0x8847, 'MPLS unicast'],
  [0x8848, 'MPLS multicast'],
  [0x8863, 'PPPoE D'],
  [0x8864, 'PPPoE S'],
  [0x888e, 'EAPOL'],
  [ETHERTYPE_8021AD, '802.1Q-QinQ'],
  [0x88cc, 'LLDP'],
  [0x9000, 'Loopback'],
  [ETHERTYPE_QINQ, '802.1Q-9100'],
]);

export function etherTypeName(type: number): string | undefined {
  return NAMES.get(type);
}

/** An EtherType as -e shows it; in short with -q. */
export function etherTypeText(type: number, quiet: boolean): string {
  const name = etherTypeName(type);
  if (quiet) return name ?? `Unknown Ethertype (0x${hex(type, 4)})`;
  return `ethertype ${name ?? 'Unknown'} (0x${hex(type, 4)})`;
}
