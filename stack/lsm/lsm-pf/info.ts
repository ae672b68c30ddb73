/**
 * States, sources and rules as those who ask are told of them (filter/pf/ioctl.ts).
 */
import { f64 } from '../../memory/memory.ts';
import { SECOND, now } from '../../runtime/clock.ts';
import { ifnets, interfaceName } from '../../net/ifnet.ts';
import { PFIL_IN } from '../../net/pfil.ts';
import type { PfPeer, PfRuleInfo, PfSourceNodeInfo, PfStateInfo } from '../../filter/pf/ioctl.ts';
import { text4 } from './address.ts';
import { PROTOCOL } from './packet.ts';
import { lists, peerOf, ruleStruct } from './records.ts';
import type { ListRecord, Peer, Pf, SourceNode, State } from './records.ts';
import { recordOf, ruleByRecord } from './rule-index.ts';
import type { Rule } from './rules.ts';
import { SCALE_MASK } from './segment.ts';
import { rateOf } from './sources.ts';
import { expiryOf } from './states.ts';
import { PROXY } from './tcp-state.ts';

const TCP_NAMES = [
  'CLOSED',
  'LISTEN',
  'SYN_SENT',
  'SYN_RCVD',
  'ESTABLISHED',
  'CLOSE_WAIT',
  'FIN_WAIT_1',
  'CLOSING',
  'LAST_ACK',
  'FIN_WAIT_2',
  'TIME_WAIT',
];
/** tcp-state.ts has no state between closing and LAST_ACK: both sides of a state that closes are shown as CLOSING. */
const CLOSING = 6;
const SIDE_NAMES = ['NO_TRAFFIC', 'SINGLE', 'MULTIPLE'];

function tcpName(state: number): string {
  return state === CLOSING ? 'CLOSING' : (TCP_NAMES[state] ?? String(state));
}

/** The two sides as pfctl shows them: our side first for states of packets out, the other side's view for those in. */
function stateText(state: State): string {
  const out = state.direction !== PFIL_IN;
  const first = peerOf(state, out).state;
  const second = peerOf(state, !out).state;
  if (state.protocol === PROTOCOL.tcp) {
    const proxy = peerOf(state, true).state;
    if (proxy === PROXY.src) return 'PROXY:SRC';
    if (proxy === PROXY.dst) return 'PROXY:DST';
    return `${tcpName(first)}:${tcpName(second)}`;
  }
  if (state.protocol === PROTOCOL.icmp) return `${first}:${second}`;
  return `${SIDE_NAMES[first] ?? first}:${SIDE_NAMES[second] ?? second}`;
}

function peerInfo(peer: Peer): PfPeer {
  return {
    state: peer.state,
    seqLow: peer.low,
    seqHigh: peer.high,
    seqDiff: peer.diff,
    maxWindow: peer.window,
    windowScale: peer.scale & SCALE_MASK,
  };
}

const seconds = (ns: number): number => Math.max(0, Math.floor(ns / SECOND));

/** The number of a rule that is loaded still. */
function loadedNumber(record: number): number | undefined {
  if (record === 0) return undefined;
  const { list, number } = recordOf(record);
  // One reference is that of the anchor.
  return lists.get(list).references > 0 ? number : undefined;
}

export function stateId(state: State): string {
  return state.id.toString(16).padStart(16, '0');
}

export function stateInfo(pf: Pf, state: State): PfStateInfo {
  const optional: { rule?: number; anchorRule?: number; natRule?: number; line?: number } = {};
  const rule = loadedNumber(state.rule);
  const anchorRule = loadedNumber(state.anchorRule);
  const natRule = loadedNumber(state.natRule);
  if (rule !== undefined) {
    optional.rule = rule;
    optional.line = ruleByRecord(state.rule).source.line;
  }
  if (anchorRule !== undefined) optional.anchorRule = anchorRule;
  if (natRule !== undefined) optional.natRule = natRule;
  return {
    id: stateId(state),
    creatorId: pf.hostid,
    interface: state.ifp === 0 ? 'all' : interfaceName(ifnets.get(state.ifp)),
    af: 'inet',
    protocol: state.protocol,
    direction: state.direction === PFIL_IN ? 'in' : 'out',
    lan: { address: text4(state.lanAddress), port: state.lanPort },
    gateway: { address: text4(state.gatewayAddress), port: state.gatewayPort },
    external: { address: text4(state.externalAddress), port: state.externalPort },
    source: peerInfo(peerOf(state, true)),
    destination: peerInfo(peerOf(state, false)),
    state: stateText(state),
    age: seconds(now() - state.made),
    expires: seconds(expiryOf(pf, state) - now()),
    packets: { forward: state.packetsForward, backward: state.packetsBackward },
    bytes: { forward: state.bytesForward, backward: state.bytesBackward },
    sourceTracked: state.source !== 0,
    sticky: state.natSource !== 0,
    ...optional,
  };
}

const KINDS = ['filter', 'nat', 'rdr'] as const;

export function sourceInfo(node: SourceNode): PfSourceNodeInfo {
  const rule = loadedNumber(node.rule);
  return {
    address: text4(node.address),
    ...(node.chosen === 1 ? { target: text4(node.target) } : {}),
    states: node.states,
    connections: node.connections,
    ...(node.rateLimit === 0
      ? {}
      : { rate: { count: rateOf(node), limit: node.rateLimit, seconds: node.rateSeconds } }),
    age: seconds(now() - node.made),
    expires: node.expires === 0 ? 0 : seconds(node.expires - now()),
    packets: node.packets,
    bytes: node.bytes,
    kind: KINDS[node.kind] ?? 'filter',
    ...(rule === undefined ? {} : { rule }),
  };
}

export function ruleInfo(list: ListRecord, { source, record, number }: Rule): PfRuleInfo {
  return {
    number,
    rule: source,
    evaluations: record.evaluations,
    packets: record.packetsIn + record.packetsOut,
    bytes: record.bytesIn + record.bytesOut,
    states: record.states,
    statesMade: record.statesMade,
    sourceNodes: record.sourceNodes,
    uid: list.uid,
    pid: list.pid,
  };
}

const COUNTERS = ['evaluations', 'packetsIn', 'packetsOut', 'bytesIn', 'bytesOut', 'statesMade'] as const;

/** Zeroes the counters of a rule; those of what it has now stay. */
export function clearRule({ record }: Rule): void {
  for (const field of COUNTERS) f64[(record.ptr + ruleStruct.offsets[field]) >>> 3] = 0;
}
