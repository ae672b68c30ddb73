/** pcap-filter(7) for CodeMirror: colours by the grammar beside this file, and completion of what may be meant. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { LRLanguage, LanguageSupport } from '@codemirror/language';
import { styleTags, tags } from '@lezer/highlight';
import { parser } from './bpf.grammar';

const bpfLanguage = LRLanguage.define({
  name: 'pcap-filter',
  parser: parser.configure({
    props: [
      styleTags({
        Logic: tags.keyword,
        Type: tags.modifier,
        Direction: tags.modifier,
        Protocol: tags.typeName,
        Primitive: tags.propertyName,
        Named: tags.variableName,
        Number: tags.number,
        Address: tags.number,
        Escaped: tags.string,
        Identifier: tags.name,
      }),
    ],
  }),
  languageData: { closeBrackets: { brackets: ['(', '['] } },
});

/** Names that only the lab and the host know. */
export interface BpfNames {
  /** Name of the link type that the expression is for, as far as it is known. */
  readonly linkType: string | undefined;
  readonly addresses: readonly string[];
  readonly networks: readonly string[];
  readonly macs: readonly string[];
  readonly services: readonly string[];
}

const words = (type: string, entries: Readonly<Record<string, string>>): readonly Completion[] =>
  Object.entries(entries).map(([label, detail]) => ({ label, detail, type }));
const values = (labels: readonly string[], detail: string): readonly Completion[] =>
  labels.map((label) => ({ label, detail, type: 'constant' }));

const NETWORK_PROTOCOLS = words('type', {
  ip: 'IPv4',
  ip6: 'IPv6',
  arp: 'ARP',
  rarp: 'reverse ARP',
});
const TRANSPORTS = words('type', {
  tcp: 'TCP',
  udp: 'UDP',
  sctp: 'SCTP',
});
const OTHER_PROTOCOLS = words('type', {
  icmp: 'ICMP',
  icmp6: 'ICMP for IPv6',
  igmp: 'IGMP',
  pim: 'PIM',
  vrrp: 'VRRP',
  carp: 'CARP',
  ah: 'IPsec AH',
  esp: 'IPsec ESP',
  ether: 'Ethernet',
  stp: 'spanning tree',
});
const TYPES = words('keyword', {
  host: 'an address',
  net: 'a network, as 10.0.0.0/8',
  port: 'a port or service',
  portrange: 'ports, as 1024-65535',
});
const DIRECTIONS = words('keyword', {
  src: 'where it comes from',
  dst: 'where it goes to',
});
const JOINS = words('keyword', { and: 'both', or: 'either', not: 'the opposite' });
const NOT = JOINS.filter(({ label }) => label === 'not');
const BINARY = JOINS.filter(({ label }) => label !== 'not');
const KINDS_OF_ADDRESS = words('keyword', {
  broadcast: 'sent to everybody',
  multicast: 'sent to a group',
});
const PROTO = words('keyword', {
  proto: 'a protocol by number or name',
  protochain: 'a protocol anywhere in the chain of headers',
});
const OTHERS = words('property', {
  vlan: 'a tag of 802.1Q; what follows looks behind it',
  mpls: 'a label of MPLS',
  pppoed: 'PPPoE discovery',
  pppoes: 'a session of PPPoE',
  geneve: 'a tunnel of Geneve',
  vxlan: 'a tunnel of VXLAN',
  llc: '802.2 LLC',
  less: 'at most so many bytes',
  greater: 'at least so many bytes',
  len: 'length of the packet',
});
const PFLOG = words('property', {
  ifname: 'pflog: interface',
  rnr: 'pflog: number of the rule',
  ruleset: 'pflog: anchor',
  reason: 'pflog: reason of the verdict',
  action: 'pflog: pass or block',
});
const REASONS = values(['match', 'bad-offset', 'fragment', 'short', 'normalize', 'memory'], 'reason');
const ACTIONS = values(['pass', 'block', 'nat', 'binat', 'rdr', 'scrub'], 'action');
const FIELDS = words('variable', {
  tcpflags: 'flags of TCP',
  icmptype: 'type of ICMP',
  icmpcode: 'code of ICMP',
  icmp6type: 'type of ICMPv6',
  icmp6code: 'code of ICMPv6',
});
const FIELD_VALUES: readonly Completion[] = [
  'tcp-syn',
  'tcp-ack',
  'tcp-fin',
  'tcp-rst',
  'tcp-push',
  'tcp-urg',
  'icmp-echo',
  'icmp-echoreply',
  'icmp-unreach',
  'icmp-redirect',
  'icmp-timxceed',
  'icmp6-echo',
  'icmp6-echoreply',
  'icmp6-neighborsolicit',
  'icmp6-neighboradvert',
].map((label) => ({ label, type: 'constant' }));
/** Names of protocols that are also words of the language stand behind a backslash. */
const PROTOCOL_NAMES = values(['\\icmp', '\\tcp', '\\udp', '\\sctp', '\\igmp', '\\esp', '\\ah'], 'protocol');
const ETHERTYPES = values(['\\ip', '\\ip6', '\\arp', '\\rarp'], 'protocol');

const PRIMITIVES = [
  ...NOT,
  ...TRANSPORTS,
  ...NETWORK_PROTOCOLS,
  ...OTHER_PROTOCOLS,
  ...TYPES,
  ...DIRECTIONS,
  ...KINDS_OF_ADDRESS,
  ...OTHERS,
];

const isOneOf = (list: readonly Completion[], word: string): boolean =>
  list.some(({ label }) => label === word);

/** What may stand behind the text so far, without the word at the cursor. */
function candidates(before: string, names: BpfNames): readonly Completion[] {
  const [, beforeLast = '', last = ''] = /(?:(\S+)\s+)?(\S+)\s*$/.exec(before) ?? [];
  const addresses = values(names.addresses, 'address');
  const networks = values(names.networks, 'network');
  if (before.lastIndexOf('[') > before.lastIndexOf(']')) return FIELDS;
  if (last === '' || ['and', 'or', 'not', '&&', '||', '!'].includes(last) || /[(!]$/.test(last))
    return names.linkType === 'PFLOG' ? [...PRIMITIVES, ...PFLOG] : PRIMITIVES;
  if (/[=<>&|+*/%^-]$/.test(last)) return FIELD_VALUES;
  if (last === 'host') return beforeLast === 'ether' ? values(names.macs, 'address') : addresses;
  if (last === 'net') return networks;
  if (last === 'port') return values(names.services, 'service');
  if (last === 'proto') return beforeLast === 'ether' ? ETHERTYPES : PROTOCOL_NAMES;
  if (last === 'reason') return REASONS;
  if (last === 'action') return ACTIONS;
  if (last === 'src' || last === 'dst')
    return beforeLast === 'ether'
      ? values(names.macs, 'address')
      : [...TYPES, ...addresses, ...networks, ...BINARY];
  if (last === 'ether') return [...TYPES.slice(0, 1), ...DIRECTIONS, ...PROTO, ...KINDS_OF_ADDRESS];
  if (isOneOf(TRANSPORTS, last)) return [...BINARY, ...TYPES.slice(2), ...DIRECTIONS];
  if (isOneOf(NETWORK_PROTOCOLS, last))
    return [...BINARY, ...TYPES.slice(0, 2), ...DIRECTIONS, ...PROTO, ...KINDS_OF_ADDRESS];
  return BINARY;
}

/** Completes at the cursor. */
export function completeBpf(names: () => BpfNames): (context: CompletionContext) => CompletionResult | null {
  return (context) => {
    const word = context.matchBefore(/[\\\w:.-]*/);
    if (word === null || (word.from === word.to && !context.explicit)) return null;
    const before = context.state.sliceDoc(0, word.from);
    return { from: word.from, options: candidates(before, names()), validFor: /^[\\\w:.-]*$/ };
  };
}

export function bpfSupport(names: () => BpfNames): LanguageSupport {
  return new LanguageSupport(bpfLanguage, bpfLanguage.data.of({ autocomplete: completeBpf(names) }));
}
