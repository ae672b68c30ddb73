/**
 * Names of IP protocols: as tcpdump's -v shows them of a header, and as getprotobynumber(3) knows them.
 */
const VERBOSE = new Map([
  [0, 'Options'],
  [1, 'ICMP'],
  [2, 'IGMP'],
  [4, 'IPIP'],
  [6, 'TCP'],
  [8, 'EGP'],
  [9, 'IGRP'],
  [17, 'UDP'],
  [33, 'DCCP'],
  [41, 'IPv6'],
  [46, 'RSVP'],
  [47, 'GRE'],
  [50, 'ESP'],
  [51, 'AH'],
  [55, 'Mobile IP'],
  [58, 'ICMPv6'],
  [77, 'unknown'],
  [88, 'EIGRP'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [108, 'Compressed IP'],
  [112, 'VRRP'],
  [113, 'PGM'],
  [132, 'SCTP'],
]);
const NAMES = new Map([
  [1, 'icmp'],
  [2, 'igmp'],
  [4, 'ipencap'],
  [6, 'tcp'],
  [17, 'udp'],
  [47, 'gre'],
  [50, 'esp'],
  [51, 'ah'],
  [89, 'ospf'],
  [103, 'pim'],
  [112, 'vrrp'],
  [132, 'sctp'],
]);

/** As `proto NAME (N)` in a line of -v. */
export function protocolTitle(protocol: number): string {
  return VERBOSE.get(protocol) ?? 'unknown';
}

/** `tcp`, or `ip-proto-6` where names are not wanted or there is none. */
export function protocolName(protocol: number, numeric: boolean): string {
  return (numeric ? undefined : NAMES.get(protocol)) ?? `ip-proto-${protocol}`;
}
