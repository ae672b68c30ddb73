/**
 * A packet without a state: translation, then the filter rules decide, and a rule that keeps state makes one (pf.conf(5), "STATEFUL INSPECTION", "STATEFUL TRACKING OPTIONS").
 */
import { be16, be32 } from '../../memory/memory.ts';
import { now } from '../../runtime/clock.ts';
import { findInterface } from '../../net/ifnet.ts';
import { PFIL_OUT } from '../../net/pfil.ts';
import { IP_DST, IP_SRC } from '../../netinet/ip.ts';
import { REASON } from './counters.ts';
import { holdList } from './lists.ts';
import { beginTags, matchFilter, tagOfRules, verdict } from './match.ts';
import { beginNormalise, wantsTcpNormalised } from './normalise-tcp.ts';
import { outcome, refuse } from './outcome.ts';
import {
  AT_DPORT,
  AT_SPORT,
  PROTOCOL,
  TCP_ACK,
  TCP_SEQ,
  TCP_WIN,
  TH_ACK,
  TH_FIN,
  TH_SYN,
  isQuery,
  mine,
  pd,
  setAddress,
  setPort,
  setTcpWord,
} from './packet.ts';
import { mapAddress, POOL_KIND } from './pool.ts';
import { STATE_ALLOW_OPTS, STATE_NORMALISE, STATE_NO_SYNC, peerOf, stateRecords } from './records.ts';
import type { State } from './records.ts';
import { sendIcmpError, sendReset } from './respond.ts';
import { ACTION, RETURN, STATE } from './rules.ts';
import type { Rule } from './rules.ts';
import { SCALE_KNOWN, SCALE_MASK, maximumSegment, windowScale } from './segment.ts';
import { SOURCE_KIND, holdSource, sourceFor, sourceHasRoom } from './sources.ts';
import {
  TIMEOUT,
  countState,
  discardState,
  holdRule,
  insertState,
  limitOf,
  newState,
  ruleHasRoom,
} from './states.ts';
import { answerSyn, randomSequence } from './synproxy.ts';
import { PROXY, TCPS } from './tcp-state.ts';
import { translate } from './translate.ts';
import type { Translated } from './translate.ts';
import { PART } from './view.ts';
import { SIDE } from './with-state.ts';

const DEFAULT_MSS = 536;
/** Code of the ICMP error that `return` sends, type 3: port unreachable. */
const PORT_UNREACHABLE = 0x0303;

/** Gives the packet its own addresses back, for those who are told that it was blocked. */
function undo(translated: Translated): void {
  setAddress(IP_SRC, translated.source);
  setAddress(IP_DST, translated.destination);
  if (pd.direction === PFIL_OUT) setPort(AT_SPORT, translated.sourcePort);
  else if (pd.protocol !== PROTOCOL.icmp) setPort(AT_DPORT, translated.destinationPort);
}

/** Tells the sender that its packet was blocked, as the rule says. */
function answerBlocked(rule: Rule): void {
  const { source } = rule;
  if (rule.returns === RETURN.drop || pd.fragment) return;
  const isTcp = pd.protocol === PROTOCOL.tcp;
  if (isTcp && rule.returns !== RETURN['return-icmp']) {
    const ttl = source.return?.kind === 'return-rst' ? (source.return.ttl ?? 0) : 0;
    sendReset(ttl, be32(pd.transport + TCP_SEQ) >>> 0, be32(pd.transport + TCP_ACK) >>> 0);
    return;
  }
  if (pd.protocol === PROTOCOL.icmp || rule.returns === RETURN['return-rst']) return;
  const code = source.return?.kind === 'return-icmp' ? source.return.icmp : PORT_UNREACHABLE;
  sendIcmpError(code >>> 8, code & 0xff);
}

/** True if the rule, or a translation, makes a state of this packet. */
function keepsState(rule: Rule | undefined, translated: Translated | undefined): boolean {
  if (pd.fragment) return false;
  if (pd.protocol === PROTOCOL.icmp && !isQuery(pd.icmpType)) return false;
  return (rule !== undefined && rule.state !== STATE.no) || translated !== undefined || wantsTcpNormalised();
}

/** The addresses of a state, by the direction of its first packet. */
function setKey(state: State, translated: Translated | undefined): void {
  const isIcmp = pd.protocol === PROTOCOL.icmp;
  const source = translated?.source ?? pd.source;
  const sourcePort = translated?.sourcePort ?? pd.sourcePort;
  const destination = translated?.destination ?? pd.destination;
  const destinationPort = translated?.destinationPort ?? pd.destinationPort;
  if (pd.direction === PFIL_OUT) {
    state.lanAddress = source;
    state.lanPort = sourcePort;
    state.gatewayAddress = pd.source;
    state.gatewayPort = pd.sourcePort;
    state.externalAddress = pd.destination;
    state.externalPort = isIcmp ? 0 : pd.destinationPort;
    return;
  }
  state.externalAddress = pd.source;
  state.externalPort = isIcmp ? 0 : pd.sourcePort;
  state.gatewayAddress = destination;
  state.gatewayPort = isIcmp ? sourcePort : destinationPort;
  state.lanAddress = pd.destination;
  state.lanPort = isIcmp ? pd.sourcePort : pd.destinationPort;
}

function beginTcp(state: State, rule: Rule | undefined): boolean {
  const src = peerOf(state, true);
  const dst = peerOf(state, false);
  const syn = (pd.flags & TH_SYN) !== 0;
  const seq = be32(pd.transport + TCP_SEQ) >>> 0;
  src.low = seq;
  src.high = (seq + pd.dataLength + 1 + (syn ? 1 : 0) + ((pd.flags & TH_FIN) !== 0 ? 1 : 0)) >>> 0;
  src.window = Math.max(be16(pd.transport + TCP_WIN), 1);
  if (syn) {
    src.scale = windowScale();
    // The window of a SYN is not scaled: count it as if it were.
    const shift = src.scale & SCALE_MASK;
    if ((src.scale & SCALE_KNOWN) !== 0) src.window = (src.window + (1 << shift) - 1) >>> shift;
  }
  src.state = TCPS.synSent;
  dst.high = 1;
  dst.window = 1;
  dst.state = TCPS.closed;
  state.timeout = TIMEOUT['tcp.first'];
  if (rule?.state === STATE.modulate && (pd.flags & (TH_SYN | TH_ACK)) === TH_SYN) {
    src.diff = randomSequence();
    if (!mine(pd.header + pd.tcpHeader)) return false;
    setTcpWord(TCP_SEQ, (seq + src.diff) >>> 0);
  }
  return true;
}

function beginSides(state: State, rule: Rule | undefined): boolean {
  switch (pd.protocol) {
    case PROTOCOL.tcp:
      return beginTcp(state, rule);
    case PROTOCOL.icmp:
      state.timeout = TIMEOUT['icmp.first'];
      return true;
    default:
      peerOf(state, true).state = SIDE.single;
      peerOf(state, false).state = SIDE.none;
      state.timeout = pd.protocol === PROTOCOL.udp ? TIMEOUT['udp.first'] : TIMEOUT['other.first'];
      return true;
  }
}

/** The source that a rule tracks, made if need be: 0 for a rule that tracks none, undefined at a limit. */
function trackedSource(rule: Rule | undefined, address: number): number | undefined {
  const options = rule?.source.stateOptions;
  if (rule === undefined || options?.sourceTrack === undefined) return 0;
  const perRule = options.sourceTrack === 'rule';
  const most = limitOf(pd.pf, 'src-nodes');
  const ptr = sourceFor(pd.pf, perRule ? rule.record.ptr : 0, SOURCE_KIND.filter, address, options, most);
  if (ptr === 0 || !sourceHasRoom(pd.pf, ptr, options.maxSrcStates ?? 0)) return undefined;
  return ptr;
}

/** Where packets of the state go instead of by the routing table. */
function chooseRoute(state: State, rule: Rule | undefined, source: number): boolean {
  const route = rule?.source.route;
  if (rule === undefined || route?.pool === undefined) return true;
  const mapped = mapAddress(route.pool, verdict.path, rule.record, source, POOL_KIND.route);
  if (mapped === undefined) return false;
  state.routeTo = mapped.choice.address;
  state.routeIfp = findInterface(pd.stack, mapped.choice.interface ?? '')?.ptr ?? 0;
  return true;
}

function hold(rule: Rule | undefined): number {
  if (rule === undefined) return 0;
  holdRule(rule.record.ptr);
  holdList(rule.record.list);
  return rule.record.ptr;
}

/** Makes a state of the packet at hand; false when it is refused (the outcome says why). */
function makeState(
  rule: Rule | undefined,
  anchor: Rule | undefined,
  translated: Translated | undefined,
): boolean {
  const { pf } = pd;
  const options = rule?.source.stateOptions;
  if (rule !== undefined && !ruleHasRoom(pf, rule.record, options?.max ?? 0))
    return refuse(REASON['state-limit']);
  const source = trackedSource(rule, translated?.source ?? pd.source);
  if (source === undefined) return refuse(REASON['src-limit']);
  const ptr = newState(pf);
  if (ptr === 0) return refuse(REASON.memory);
  const state = stateRecords.get(ptr);
  state.protocol = pd.protocol;
  state.direction = pd.direction;
  const binding = options?.binding;
  state.ifp = binding === 'if-bound' || binding === 'group-bound' ? pd.ifp.ptr : 0;
  state.made = now();
  state.touched = now();
  state.flags =
    (rule?.allowOpts === true ? STATE_ALLOW_OPTS : 0) |
    (wantsTcpNormalised() ? STATE_NORMALISE : 0) |
    (options?.noSync === true ? STATE_NO_SYNC : 0);
  state.log = Math.max(rule?.log ?? 0, translated?.rule.log ?? 0);
  state.tag = outcome.tag;
  state.queue = rule?.queue ?? 0;
  state.priorityQueue = rule?.priorityQueue ?? 0;
  setKey(state, translated);
  state.rule = hold(rule);
  state.anchorRule = hold(anchor);
  state.natRule = hold(translated?.rule);
  if (source !== 0) holdSource((state.source = source));
  if (translated !== undefined && translated.node !== 0) holdSource((state.natSource = translated.node));
  if (!beginSides(state, rule) || !chooseRoute(state, rule, pd.source)) {
    discardState(pf, state);
    return refuse(REASON.memory);
  }
  if (!insertState(pf, state)) {
    discardState(pf, state);
    return refuse(REASON['state-insert']);
  }
  if ((state.flags & STATE_NORMALISE) !== 0) beginNormalise(state);
  outcome.state = ptr;
  countState(state, pd.direction, pd.length);
  return rule?.state !== STATE.synproxy || !proxies(state);
}

/** synproxy: PF answers the SYN itself. */
function proxies(state: State): boolean {
  if (pd.protocol !== PROTOCOL.tcp || (pd.flags & (TH_SYN | TH_ACK)) !== TH_SYN) return false;
  const src = peerOf(state, true);
  src.state = PROXY.src;
  src.high = randomSequence();
  src.mss = maximumSegment(DEFAULT_MSS);
  answerSyn(state);
  refuse(REASON.synproxy, true);
  return true;
}

/** Decides about a packet that belongs to no state. */
export function testRules(): void {
  beginTags();
  const translated = pd.fragment ? undefined : translate();
  if (translated === 'drop') {
    refuse(REASON.memory);
    return;
  }
  outcome.nat = translated?.rule;
  const passes = translated?.rule.source.translationPass === true;
  if (!passes) matchFilter(PART.filter);
  const rule = passes ? undefined : verdict.rule;
  outcome.rule = rule ?? (passes ? translated.rule : undefined);
  outcome.anchor = passes ? translated.anchor : verdict.anchor;
  outcome.tag = tagOfRules();
  outcome.log = (rule?.log ?? 0) > 0 || (passes && translated.rule.log > 0);
  outcome.queue = rule?.queue ?? 0;
  outcome.priorityQueue = rule?.priorityQueue ?? 0;
  if (rule?.action === ACTION.block) {
    refuse(REASON.match);
    if (translated !== undefined) undo(translated);
    answerBlocked(rule);
    return;
  }
  if (keepsState(rule, translated) && !makeState(rule, outcome.anchor, translated)) return;
  const mayHaveOptions = rule?.allowOpts === true;
  if (pd.options && !mayHaveOptions) {
    outcome.log = true;
    refuse(REASON['ip-option']);
  }
}

/** True for the direction in which a rule's route-to applies, rather than its reply-to. */
export function isForward(state: number): boolean {
  return state === 0 || stateRecords.get(state).direction === pd.direction;
}
