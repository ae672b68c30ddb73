/** Names of assigned numbers (IANA and IEEE registries) that the dissectors show. */

export const etherTypes: ReadonlyMap<number, string> = new Map([
  [0x0800, 'IPv4'],
  [0x0806, 'ARP'],
  [0x8035, 'RARP'],
  [0x8100, '802.1Q'],
  [0x8204, 'Qnet'],
  [0x86dd, 'IPv6'],
  [0x8809, 'Slow protocols'],
  [0x8847, 'MPLS'],
  [0x8863, 'PPPoE discovery'],
  [0x8864, 'PPPoE session'],
  [0x888e, 'EAPOL'],
  [0x88a8, '802.1ad'],
  [0x88cc, 'LLDP'],
  [0x88e5, 'MACsec'],
  [0x88f7, 'PTP'],
]);

export const ipProtocols: ReadonlyMap<number, string> = new Map([
  [0, 'Hop-by-Hop'],
  [1, 'ICMP'],
  [2, 'IGMP'],
  [4, 'IPIP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [33, 'DCCP'],
  [41, 'IPv6'],
  [43, 'Routing'],
  [44, 'Fragment'],
  [46, 'RSVP'],
  [47, 'GRE'],
  [50, 'ESP'],
  [51, 'AH'],
  [58, 'ICMPv6'],
  [59, 'No next header'],
  [60, 'Destination options'],
  [88, 'EIGRP'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [112, 'VRRP'],
  [132, 'SCTP'],
]);

/** A name with its number, `TCP (6)`; the number alone if it has no name. */
export function named(table: ReadonlyMap<number, string>, value: number): string {
  const name = table.get(value);
  return name === undefined ? String(value) : `${name} (${value})`;
}
