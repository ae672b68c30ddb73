/** The colour that marks a protocol in lists: one per layer of the stack. The name always stands beside it. */
const families: readonly (readonly [RegExp, string])[] = [
  [/^(arp|rarp)/, 'arp'],
  [/^(icmp|igmp)/, 'icmp'],
  [/^(tcp|tls)/, 'tcp'],
  [/^(udp)/, 'udp'],
  [/^(ip|ipv4|ipv6)(\s|$)/, 'ip'],
  [/^(eth|802|llc|stp|lldp|vlan)/, 'ethernet'],
];

export function protocolColor(protocol: string): string {
  const name = protocol.toLowerCase();
  const family = families.find(([pattern]) => pattern.test(name))?.[1] ?? 'application';
  return `var(--layer-${family})`;
}
