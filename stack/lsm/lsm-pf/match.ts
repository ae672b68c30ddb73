/**
 * Which rules match the packet at hand (pf.conf(5), "PACKET FILTERING"): the criteria in the order of the skip steps, then the rest. A mismatch goes on with the next rule
 * that differs in that criterion, so that the counters of evaluations are those of PF. Of filter rules the last match wins unless one is quick; of translation the first.
 */
import { f64 } from '../../memory/memory.ts';
import { filterTag, mbuf } from '../../memory/mbuf.ts';
import { randomUnit } from '../../runtime/random.ts';
import { stackStruct } from '../../net/stack.ts';
import { findInterface, ifaddrs } from '../../net/ifnet.ts';
import { PFIL_IN } from '../../net/pfil.ts';
import { lookupRoute, routes } from '../../net/route.ts';
import { lookupBound } from '../../netinet/inpcb.ts';
import { lookupConnection } from '../../netinet/tcp-demux.ts';
import type { PfAddress } from '../../filter/pf/ruleset.ts';
import { PF_UNKNOWN_ID } from '../../filter/pf/ruleset.ts';
import { address4, mask4 } from './address.ts';
import { matchesFingerprint } from './os.ts';
import { PROTOCOL, TH_ACK, TH_SYN, pd } from './packet.ts';
import { ACTION, ADDRESS, SKIP, meets } from './rules.ts';
import type { HostTest, IdTest, Rule } from './rules.ts';
import { BIT_INET6, BIT_RUN, BIT_SPECIAL, END, KIND, PORTS, WORD, WORDS } from './rule-words.ts';
import type { RuleList } from './rule-list.ts';
import { matchesTable } from './tables.ts';
import { PART, anchorsBelow, mainRules, rulesAt, tableOf } from './view.ts';

/** Most anchors within each other. */
const MOST_DEPTH = 64;
/** Most anchors that one walk enters: each of those that lead to each other would multiply it. */
const MOST_ENTERED = 16_384;

/** The addresses that an interface has now, as `(if)` and its modifiers mean it: networks in host order. */
export function dynamicNetworks(
  address: PfAddress & { kind: 'dynamic' },
): { address: number; mask: number }[] {
  const ifp = findInterface(pd.stack, address.interface);
  const found: { address: number; mask: number }[] = [];
  const { modifiers } = address;
  for (let ptr = ifp?.addresses ?? 0; ptr !== 0; ptr = ifaddrs.get(ptr).next) {
    const entry = ifaddrs.get(ptr);
    const mask = address.length === undefined ? 0xffffffff : mask4(address.length);
    if (modifiers.includes('network')) {
      const own = address.length === undefined ? entry.netmask : mask;
      found.push({ address: (entry.address & own) >>> 0, mask: own });
    } else if (modifiers.includes('broadcast')) {
      if (entry.broadcast !== 0) found.push({ address: entry.broadcast, mask: 0xffffffff });
    } else if (modifiers.includes('peer')) {
      if (entry.destination !== 0) found.push({ address: entry.destination, mask: 0xffffffff });
    } else found.push({ address: (entry.address & mask) >>> 0, mask });
    if (modifiers.includes('0')) break;
  }
  return found;
}

function isDynamic(source: PfAddress, address: number): boolean {
  if (source.kind !== 'dynamic') return false;
  return dynamicNetworks(source).some((network) => ((address ^ network.address) & network.mask) === 0);
}

/** True unless the way back to the source leads over the interface that the packet came by. */
function pathFails(address: number): boolean {
  const route = lookupRoute(pd.stack, address);
  return route === 0 || routes.get(route).interface !== pd.ifp.ptr;
}

/** True if an address is one that the rule names. */
function addressMatches(host: HostTest, anchor: string, address: number): boolean {
  switch (host.kind) {
    case ADDRESS.any:
      return !host.not;
    case ADDRESS.network:
      return (((address ^ host.address) & host.mask) === 0) !== host.not;
    case ADDRESS.table: {
      const table = tableOf(pd.pf, anchor, host);
      return (table !== undefined && matchesTable(table, address)) !== host.not;
    }
    case ADDRESS.range:
      return (address >= host.address && address <= host.mask) !== host.not;
    case ADDRESS.dynamic:
      return isDynamic(host.source, address) !== host.not;
    case ADDRESS.noRoute:
      return (lookupRoute(pd.stack, address) === 0) !== host.not;
    case ADDRESS.urpf:
      return pathFails(address) !== host.not;
    default:
      return host.not;
  }
}

const TCP_BOUND = stackStruct.offsets.tcpBound;
const UDP_BOUND = stackStruct.offsets.udpBound;

/** The user of the socket that a packet comes from or goes to. All programs of a node are root's: 0, or PF_UNKNOWN_ID without a socket. */
function socketUser(): number {
  const into = pd.direction === PFIL_IN;
  const local = into ? pd.destination : pd.source;
  const localPort = into ? pd.destinationPort : pd.sourcePort;
  const foreign = into ? pd.source : pd.destination;
  const foreignPort = into ? pd.sourcePort : pd.destinationPort;
  const { ptr } = pd.stack;
  if (pd.protocol === PROTOCOL.tcp && lookupConnection(ptr, local, localPort, foreign, foreignPort) !== 0)
    return 0;
  const table = pd.protocol === PROTOCOL.tcp ? TCP_BOUND : UDP_BOUND;
  return lookupBound(ptr, table, local, localPort, foreign, foreignPort) !== 0 ? 0 : PF_UNKNOWN_ID;
}

function idMatches(test: IdTest): boolean {
  if (pd.protocol !== PROTOCOL.tcp && pd.protocol !== PROTOCOL.udp) return false;
  const id = socketUser();
  // An unknown user is compared for being unknown only.
  if (id === PF_UNKNOWN_ID && test.operator > 2) return false;
  return meets(test.operator, test.a, test.b, id);
}

/** The criteria that few rules have. */
function specialMatches(rule: Rule): boolean {
  if (rule.tos >= 0 && rule.tos !== pd.tos) return false;
  if (rule.fragment && !pd.fragment) return false;
  if (rule.icmpType >= 0 && rule.icmpType !== pd.icmpType) return false;
  if (rule.icmpCode >= 0 && rule.icmpCode !== pd.icmpCode) return false;
  if (rule.flagsOf !== 0 && pd.protocol === PROTOCOL.tcp && (pd.flags & rule.flagsOf) !== rule.flagsSet)
    return false;
  if (rule.user !== undefined && !idMatches(rule.user)) return false;
  if (rule.group !== undefined && !idMatches(rule.group)) return false;
  if (rule.probability < 1 && randomUnit(pd.stack.ptr + RANDOM) > rule.probability) return false;
  if (rule.source.tagged !== undefined && !tagMatches(rule)) return false;
  if (rule.source.os === undefined) return true;
  const syn = pd.protocol === PROTOCOL.tcp && (pd.flags & (TH_SYN | TH_ACK)) === TH_SYN;
  return syn && matchesFingerprint(rule.source.os);
}
const RANDOM = stackStruct.offsets.random;

/** The packet has the tag of the last rule that has matched, decide or not; until then the one that it came with. */
function tagMatches(rule: Rule): boolean {
  const tag = pendingTag !== 0 ? pendingTag : filterTag(mbuf(pd.m));
  return (tag === rule.tagged) !== rule.taggedNot;
}

/** An end of a rule, by its first word. */
type RuleEnd = typeof WORD.source | typeof WORD.destination;

/** True unless an end of rule `i` of a list has the address. */
function addressMisses(list: RuleList, i: number, end: RuleEnd, address: number): boolean {
  const { words } = list;
  const at = i * WORDS + end;
  const kind = words[at + END.kind]!;
  if (kind === KIND.any) return false;
  if (kind === KIND.asked) {
    const { src, dst } = list.rules[i]!;
    return !addressMatches(end === WORD.source ? src : dst, list.anchor, address);
  }
  return (((address ^ words[at + END.value]!) & words[at + END.mask]!) === 0) !== (kind === KIND.network);
}

/** True unless an end of rule `i` of a list has the port; NO_PORT is none of any. */
function portMisses({ words }: RuleList, i: number, end: RuleEnd, port: number): boolean {
  const at = i * WORDS + end;
  const kind = words[at + END.ports]!;
  if (kind === PORTS.any) return false;
  const inside = port >= words[at + END.lowest]! && port <= words[at + END.highest]!;
  return port === NO_PORT || inside !== (kind === PORTS.inside);
}
const NO_PORT = -1;

/** Fragments have no ports, and so do protocols that are neither TCP nor UDP. */
function hasPorts(): boolean {
  return !pd.fragment && (pd.protocol === PROTOCOL.tcp || pd.protocol === PROTOCOL.udp);
}

/** The index of the first rule of a list, from `from` on, that matches; their number if none does. Counts every rule that is looked at. */
function findMatch(list: RuleList, from: number): number {
  const met = list.interfacesMet(pd.ifp, pd.pf.generation);
  const ports = hasPorts();
  const sourcePort = ports ? pd.sourcePort : NO_PORT;
  const destinationPort = ports ? pd.destinationPort : NO_PORT;
  const count = list.rules.length;
  list.noteFrom(from);
  for (let i = from; i < count;) {
    const next = look(list, i, met, sourcePort, destinationPort);
    if (next === i) {
      list.noteTo(i + 1);
      return i;
    }
    if (next !== i + 1) {
      list.noteTo(i + 1);
      list.noteFrom(next);
    }
    i = next;
  }
  return count;
}

/** Looks at a rule: itself if the packet meets it, else the next one to look at. */
function look(
  list: RuleList,
  i: number,
  met: Uint8Array,
  sourcePort: number,
  destinationPort: number,
): number {
  const { words } = list;
  const at = i * WORDS;
  if (met[words[at + WORD.interface]!] === 0) return list.skip(i, SKIP.interface);
  const direction = words[at + WORD.direction]!;
  if (direction !== 0 && direction !== pd.direction) return list.skip(i, SKIP.direction);
  const bits = words[at + WORD.bits]!;
  if ((bits & BIT_INET6) !== 0) return list.skip(i, SKIP.family);
  const protocol = words[at + WORD.protocol]!;
  if (protocol >= 0 && protocol !== pd.protocol) return list.skip(i, SKIP.protocol);
  if (addressMisses(list, i, WORD.source, pd.source)) return nextHost(list, i, SKIP.sourceAddress, pd.source);
  if (portMisses(list, i, WORD.source, sourcePort)) return nextPort(list, i, SKIP.sourcePort, sourcePort);
  if (addressMisses(list, i, WORD.destination, pd.destination))
    return nextHost(list, i, SKIP.destinationAddress, pd.destination);
  if (portMisses(list, i, WORD.destination, destinationPort))
    return nextPort(list, i, SKIP.destinationPort, destinationPort);
  return (bits & BIT_SPECIAL) === 0 || specialMatches(list.rules[i]!) ? i : i + 1;
}

function isInRun({ words }: RuleList, i: number, step: number): boolean {
  return (words[i * WORDS + WORD.bits]! & (BIT_RUN << step)) !== 0;
}

/** Where to go on from a rule that another address or port would have met. */
function nextHost(list: RuleList, i: number, step: number, address: number): number {
  const next = list.skip(i, step);
  return isInRun(list, i, step) ? list.run(i, step).next(next, address) : next;
}

function nextPort(list: RuleList, i: number, step: number, port: number): number {
  const next = list.skip(i, step);
  if (!isInRun(list, i, step)) return next;
  const run = list.run(i, step);
  return port === NO_PORT ? run.behind(next) : run.next(next, port);
}

/** The path that an anchor rule of a list leads to, without its wildcard. */
function anchorTarget(list: RuleList, rule: Rule): { path: string; wildcard: boolean } {
  const written = rule.source.anchor ?? '';
  const wildcard = written === '*' || written.endsWith('/*');
  const plain = wildcard ? written.slice(0, written === '*' ? 0 : -2) : written;
  if (plain.startsWith('/')) return { path: plain.slice(1), wildcard };
  if (list.anchor === '') return { path: plain, wildcard };
  return { path: plain === '' ? list.anchor : `${list.anchor}/${plain}`, wildcard };
}

/** The lists that an anchor rule leads to, looked up once after each change of anchors. */
function listsBehind(list: RuleList, rule: Rule, part: number): readonly RuleList[] {
  const behind = list.behind(pd.pf.generation);
  const known = behind.get(rule.number);
  if (known !== undefined) return known;
  const found = findListsBehind(list, rule, part);
  behind.set(rule.number, found);
  return found;
}

function findListsBehind(list: RuleList, rule: Rule, part: number): RuleList[] {
  const { path, wildcard } = anchorTarget(list, rule);
  const paths = wildcard ? anchorsBelow(pd.pf, path) : [path];
  return paths.flatMap((one) => rulesAt(pd.pf, one, part) ?? []);
}

/** What a walk of filter rules has found: the rule, and the anchor rule of the main rule set that led to it. */
export interface Verdict {
  rule: Rule | undefined;
  anchor: Rule | undefined;
  /** Path of the anchor that the rule is in. */
  path: string;
}
export const verdict: Verdict = { rule: undefined, anchor: undefined, path: '' };

/** Walks a list; true once a quick rule has matched. */
function walk(list: RuleList, part: number, outer: Rule | undefined): boolean {
  const { rules } = list;
  for (let i = findMatch(list, 0); i < rules.length; i = findMatch(list, i + 1)) {
    const rule = rules[i]!;
    if (pd.fragment && needsMore(rule)) continue;
    if (rule.tag !== 0) pendingTag = rule.tag;
    if (rule.action === ACTION.anchor) {
      if (enter(list, rule, part, outer ?? rule)) return true;
      continue;
    }
    verdict.rule = rule;
    verdict.anchor = outer;
    verdict.path = list.anchor;
    matches++;
    if (rule.quick) return true;
  }
  return false;
}
/** Tag of the last matching rule: PF puts it on as rules match, whether or not they decide. */
let pendingTag = 0;
/** Rules that have matched in this walk, and anchors that it has entered. */
let matches = 0;
let entered = 0;
/** The lists behind anchors that the walk is in now. */
const within: RuleList[] = [];

/** Begins a walk. */
function begin(): void {
  matches = 0;
  entered = 0;
  within.length = 0;
}

/** True if the walk may go into the list behind an anchor: not into one that it is in already, which would not end. */
function mayEnter(list: RuleList): boolean {
  return within.length < MOST_DEPTH && ++entered <= MOST_ENTERED && !within.includes(list);
}

/** Criteria that a fragment without its transport header cannot meet. */
function needsMore(rule: Rule): boolean {
  const flags = rule.flagsOf !== 0 && pd.protocol === PROTOCOL.tcp;
  return flags || rule.icmpType >= 0 || rule.source.os !== undefined || rule.user !== undefined;
}

/** Walks what is behind an anchor rule; true if that ends the walk: a quick rule, or the anchor is quick and something in it has matched. */
function enter(list: RuleList, rule: Rule, part: number, outer: Rule): boolean {
  const before = matches;
  for (const inner of listsBehind(list, rule, part)) {
    if (!mayEnter(inner)) continue;
    within.push(inner);
    const ended = walk(inner, part, outer);
    within.pop();
    if (ended) return true;
  }
  return rule.quick && matches !== before;
}

/** Begins with a packet that no rule has put a tag on yet. */
export function beginTags(): void {
  pendingTag = 0;
}

/** The tag that matching rules have put on the packet at hand, 0 for none. */
export function tagOfRules(): number {
  return pendingTag;
}

/** Finds the filter rule that decides about the packet at hand; the answer is in `verdict`. */
export function matchFilter(part: number): void {
  verdict.rule = undefined;
  verdict.anchor = undefined;
  verdict.path = '';
  begin();
  const main = mainRules(pd.pf, part);
  if (main !== undefined) walk(main, part, undefined);
}

/** What a walk of translation rules has found. */
interface Translation {
  readonly rule: Rule;
  readonly anchor: Rule | undefined;
  readonly path: string;
}

/** The first rule of a part (nat, binat, rdr, scrub) that matches; rules with `no` end the walk without an answer. */
export function matchFirst(part: number): Translation | undefined {
  const main = mainRules(pd.pf, part);
  begin();
  const found = main === undefined ? undefined : first(main, part, undefined);
  return found === undefined || found.rule.source.no === true ? undefined : found;
}

function first(list: RuleList, part: number, outer: Rule | undefined): Translation | undefined {
  const { rules } = list;
  const find = part === PART.binat && pd.direction === PFIL_IN ? findInward : findMatch;
  for (let i = find(list, 0); i < rules.length; i = find(list, i + 1)) {
    const rule = rules[i]!;
    if (rule.tag !== 0) pendingTag = rule.tag;
    if (rule.action !== ACTION.anchor) return { rule, anchor: outer, path: list.anchor };
    for (const inner of listsBehind(list, rule, part)) {
      if (!mayEnter(inner)) continue;
      within.push(inner);
      const found = first(inner, part, outer ?? rule);
      within.pop();
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The same for binat and packets that come in: from the rule's destination, to the address that it translates to. */
function findInward(list: RuleList, from: number): number {
  const { rules } = list;
  const met = list.interfacesMet(pd.ifp, pd.pf.generation);
  let i = from;
  while (i < rules.length) {
    const rule = rules[i]!;
    f64[rule.evaluations]!++;
    if (met[list.words[i * WORDS + WORD.interface]!] === 0) i = list.skip(i, SKIP.interface);
    else if (rule.direction !== 0 && rule.direction !== pd.direction) i = list.skip(i, SKIP.direction);
    else if (rule.family === 2) i = list.skip(i, SKIP.family);
    else if (rule.protocol >= 0 && rule.protocol !== pd.protocol) i = list.skip(i, SKIP.protocol);
    else if (rule.action === ACTION.anchor) return i;
    else if (!addressMatches(rule.dst, list.anchor, pd.source)) i = list.skip(i, SKIP.destinationAddress);
    else if (!inwardMatches(list, rule)) i++;
    else return i;
  }
  return i;
}

function inwardMatches(list: RuleList, rule: Rule): boolean {
  const target = rule.pool?.addresses[0]?.address;
  // A rule with `no` has no target: what it exempts is its own side.
  const isMeant =
    target === undefined
      ? addressMatches(rule.src, list.anchor, pd.destination)
      : inTarget(target, pd.destination);
  return isMeant && (rule.source.tagged === undefined || tagMatches(rule));
}

function inTarget(target: PfAddress, address: number): boolean {
  if (target.kind === 'dynamic') return isDynamic(target, address);
  if (target.kind !== 'network' || target.af !== 'inet') return false;
  const mask = mask4(target.length);
  return ((address4(target.address) ^ address) & mask) === 0;
}
