/** One rule as `pfctl -s rules` and `pfctl -nv` list it: its parts in a fixed order, names for numbers where there are some. */
import type { PfEnvironment } from './environment.ts';
import { icmpCodeName, icmpTypeName, tcpFlagLetters } from './names.ts';
import { NAT_PORT_HIGH, NAT_PORT_LOW } from './pool.ts';
import { printAddress, printFromTo, printOwner } from './print-address.ts';
import { TCP } from './protocols.ts';
import { PF_TIMEOUTS } from './ruleset.ts';
import type {
  PfFamily,
  PfGeneration,
  PfPool,
  PfPoolAddress,
  PfReturn,
  PfRule,
  PfScrubOptions,
  PfStateOptions,
  PfTimeout,
} from './ruleset.ts';

export interface PfPrintOptions {
  readonly generation: PfGeneration;
  /** Anchors by the end of their path, from the last `/` on, as 4.2 lists a file that it has not loaded. */
  readonly shortAnchors?: boolean;
  /** Keyword of an anchor by the list that it stands in. */
  readonly part?: 'filter' | 'nat' | 'rdr' | 'binat' | 'scrub';
}

/** A rule in normal form, without line end. */
export function printRule(rule: PfRule, environment: PfEnvironment, options: PfPrintOptions): string {
  return [
    printAction(rule, options),
    rule.action === 'block' ? printReturn(rule.return ?? { kind: 'drop' }, rule.af) : '',
    rule.direction ? ` ${rule.direction}` : '',
    printLog(rule, options.generation),
    rule.quick ? ' quick' : '',
    rule.interface ? ` on ${rule.interface.not ? '! ' : ''}${rule.interface.name}` : '',
    printRoute(rule),
    rule.af ? ` ${rule.af}` : '',
    printProtocol(rule, environment),
    printFromTo(rule, environment),
    rule.user ? printOwner('user', rule.user) : '',
    rule.group ? printOwner('group', rule.group) : '',
    printFlags(rule, options.generation),
    printIcmp(rule),
    rule.tos !== undefined ? ` tos 0x${rule.tos.toString(16).padStart(2, '0')}` : '',
    printState(rule, options.generation),
    rule.probability !== undefined ? ` probability ${printPercent(rule.probability)}%` : '',
    rule.stateOptions ? printStateOptions(rule.stateOptions) : '',
    rule.fragment ? ' fragment' : '',
    rule.scrub ? printScrubHeader(rule.scrub) : '',
    rule.allowOpts ? ' allow-opts' : '',
    rule.scrub && !rule.no ? printScrubFragments(rule.scrub) : '',
    rule.label !== undefined ? ` label "${rule.label}"` : '',
    printQueueNames(rule),
    rule.tag !== undefined ? ` tag ${rule.tag}` : '',
    rule.tagged ? `${rule.tagged.not ? ' !' : ''} tagged ${rule.tagged.name}` : '',
    rule.rtable !== undefined ? ` rtable ${rule.rtable}` : '',
    rule.pool && !rule.no ? ` -> ${printTarget(rule, rule.pool)}` : '',
  ].join('');
}

function printAction(rule: PfRule, { part, shortAnchors }: PfPrintOptions): string {
  if (rule.action !== 'anchor') {
    return (rule.no ? 'no ' : '') + rule.action + (rule.translationPass ? ' pass' : '');
  }
  const keyword = part === undefined || part === 'filter' || part === 'scrub' ? 'anchor' : `${part}-anchor`;
  const name = rule.anchor ?? '';
  if (rule.inline && /^_\d+$/.test(name)) return keyword;
  return `${keyword} "${shortAnchors ? endOfPath(name, rule.inline === true) : name}"`;
}

/** The end of an anchor's path: of one with its rules in braces without the `/`, as it is known by then. */
function endOfPath(path: string, known: boolean): string {
  if (!known) return path.slice(Math.max(0, path.lastIndexOf('/')));
  const named = path.endsWith('/*') ? path.slice(0, -2) : path;
  return named.slice(named.lastIndexOf('/') + 1);
}

function printReturn(answer: PfReturn, af: PfFamily | undefined): string {
  switch (answer.kind) {
    case 'return-rst':
      return ` return-rst${answer.ttl === undefined ? '' : `(ttl ${answer.ttl})`}`;
    case 'return-icmp': {
      const code = printCode('inet', answer.icmp);
      const code6 = printCode('inet6', answer.icmp6);
      if (af === 'inet6') return ` return-icmp6(${code6})`;
      return ` return-icmp(${af === 'inet' ? code : `${code}, ${code6}`})`;
    }
    default:
      return ` ${answer.kind}`;
  }
}

function printCode(af: PfFamily, typeAndCode: number): string {
  return icmpCodeName(af, typeAndCode >> 8, typeAndCode & 0xff) ?? String(typeAndCode & 0xff);
}

function printLog(rule: PfRule, generation: PfGeneration): string {
  if (!rule.log) return '';
  if (generation === '3.7') return rule.log === 'all' ? ' log-all' : ' log';
  const options = [
    ...(rule.log === 'all' ? ['all'] : []),
    ...(rule.logUser ? ['user'] : []),
    ...(rule.logInterface ? [`to pflog${rule.logInterface}`] : []),
  ];
  return options.length > 0 ? ` log (${options.join(', ')})` : ' log';
}

function printRoute({ route, af }: PfRule): string {
  if (!route) return '';
  const hop = ({ address, interface: name }: PfPoolAddress): string =>
    address.kind === 'any' ? (name ?? '') : `(${name ?? ''} ${printAddress(address, af)})`;
  return ` ${route.kind}${route.pool ? ` ${printList(route.pool, hop)}${printPoolType(route.pool)}` : ''}`;
}

function printList(pool: PfPool, print: (address: PfPoolAddress) => string): string {
  const texts = pool.addresses.map(print);
  return texts.length === 1 ? texts.join('') : `{ ${texts.join(', ')} }`;
}

function printPoolType(pool: PfPool): string {
  const key = pool.type === 'source-hash' ? ` 0x${pool.key ?? ''}` : '';
  return (pool.type ? ` ${pool.type}${key}` : '') + (pool.sticky ? ' sticky-address' : '');
}

/** What nat, rdr or binat translates to. */
function printTarget(rule: PfRule, pool: PfPool): string {
  const addresses = printList(pool, ({ address }) => printAddress(address, rule.af));
  const staticPort = pool.staticPort ? ' static-port' : '';
  return addresses + printPoolPort(rule, pool) + printPoolType(pool) + staticPort;
}

function printPoolPort(rule: PfRule, { port }: PfPool): string {
  if (!port || port.a === 0 || rule.action === 'binat') return '';
  const isDefault = rule.action === 'nat' && port.a === NAT_PORT_LOW && port.b === NAT_PORT_HIGH;
  if (isDefault) return '';
  return ` port ${port.a}${port.b === undefined || port.b === port.a ? '' : `:${port.b}`}`;
}

function printProtocol({ protocol }: PfRule, environment: PfEnvironment): string {
  return protocol === undefined ? '' : ` proto ${environment.protocolName(protocol) ?? protocol}`;
}

/** In 4.2 a rule that keeps state says so when it looks at no flags. */
function printFlags(rule: PfRule, generation: PfGeneration): string {
  if (rule.flags) return ` flags ${tcpFlagLetters(rule.flags.set)}/${tcpFlagLetters(rule.flags.of)}`;
  const tcp = rule.protocol === undefined || rule.protocol === TCP;
  const keeps = rule.state !== undefined && rule.state !== 'no';
  return generation === '4.2' && rule.action === 'pass' && tcp && !rule.fragment && keeps ? ' flags any' : '';
}

function printIcmp({ icmp, af }: PfRule): string {
  if (!icmp) return '';
  const family = af ?? 'inet';
  const type = icmpTypeName(family, icmp.type) ?? icmp.type;
  const keyword = family === 'inet6' ? 'icmp6-type' : 'icmp-type';
  if (icmp.code === undefined) return ` ${keyword} ${type}`;
  return ` ${keyword} ${type} code ${icmpCodeName(family, icmp.type, icmp.code) ?? icmp.code}`;
}

function printState({ action, state }: PfRule, generation: PfGeneration): string {
  if (state !== undefined && state !== 'no') return ` ${state} state`;
  return generation === '4.2' && action === 'pass' ? ' no state' : '';
}

/** A share as a percentage of at most six places. */
function printPercent(share: number): string {
  return (share * 100).toFixed(6).replace(/\.?0+$/, '');
}

/** Time-outs in the order in which rules keep them. */
const TIMEOUT_ORDER: readonly PfTimeout[] = [
  ...PF_TIMEOUTS.filter((name) => name !== 'tcp.tsdiff'),
  'tcp.tsdiff',
];

function printStateOptions(options: PfStateOptions): string {
  const { timeouts = {}, maxSrcConnRate: rate, overload, binding } = options;
  const flush = overload?.flush && (overload.flush === 'global' ? ' flush global' : ' flush');
  const words = [
    options.max !== undefined && `max ${options.max}`,
    options.noSync && 'no-sync',
    options.sourceTrack && `source-track ${options.sourceTrack}`,
    options.maxSrcStates !== undefined && `max-src-states ${options.maxSrcStates}`,
    options.maxSrcConn !== undefined && `max-src-conn ${options.maxSrcConn}`,
    rate && `max-src-conn-rate ${rate.limit}/${rate.seconds}`,
    options.maxSrcNodes !== undefined && `max-src-nodes ${options.maxSrcNodes}`,
    overload && `overload <${overload.table}>${flush ?? ''}`,
    binding !== undefined && binding !== 'floating' && binding,
    ...TIMEOUT_ORDER.map((name) => timeouts[name] !== undefined && `${name} ${timeouts[name]}`),
  ].filter((word) => typeof word === 'string');
  return words.length > 0 ? ` (${words.join(', ')})` : '';
}

function printScrubHeader({ noDf, randomId, minTtl, maxMss }: PfScrubOptions): string {
  return [
    noDf ? ' no-df' : '',
    randomId ? ' random-id' : '',
    minTtl === undefined ? '' : ` min-ttl ${minTtl}`,
    maxMss === undefined ? '' : ` max-mss ${maxMss}`,
  ].join('');
}

function printScrubFragments({ reassembleTcp, fragment }: PfScrubOptions): string {
  return `${reassembleTcp ? ' reassemble tcp' : ''} fragment ${fragment}`;
}

function printQueueNames({ queue }: PfRule): string {
  if (!queue) return '';
  return queue.priority === undefined ? ` queue ${queue.name}` : ` queue(${queue.name}, ${queue.priority})`;
}
