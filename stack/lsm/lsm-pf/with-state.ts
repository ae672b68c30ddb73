/**
 * A packet that belongs to a state passes without a look at the rules: it is counted, followed, and translated as the first packet of the state was.
 */
import { now } from '../../runtime/clock.ts';
import { PFIL_IN } from '../../net/pfil.ts';
import { IP_DST, IP_SRC } from '../../netinet/ip.ts';
import { REASON } from './counters.ts';
import { testIcmpError } from './icmp-state.ts';
import { outcome, refuse } from './outcome.ts';
import { connectionMade } from './overload.ts';
import {
  AT_DPORT,
  AT_SPORT,
  ICMP_HEADER,
  PROTOCOL,
  TCP_HEADER,
  isError,
  isQuery,
  mine,
  pd,
  setAddress,
  setPort,
} from './packet.ts';
import { STATE_ALLOW_OPTS, peerOf, stateRecords } from './records.ts';
import type { State } from './records.ts';
import { ruleByRecord } from './rule-index.ts';
import { TIMEOUT, countState, findState } from './states.ts';
import { continueProxy } from './synproxy.ts';
import { dropReason, isReused, trackTcp } from './tcp-state.ts';

/** States of a side of UDP and other protocols without connections. */
export const SIDE = { none: 0, single: 1, multiple: 2 } as const;

function lookup(): number {
  const { pf, ifp, direction, protocol, source, destination } = pd;
  // The identifier of an ICMP query is the port of our side: of the sender out, of the receiver in.
  const isQueryIn = protocol === PROTOCOL.icmp && direction === PFIL_IN;
  const sourcePort = isQueryIn ? 0 : pd.sourcePort;
  const destinationPort = isQueryIn ? pd.sourcePort : pd.destinationPort;
  return findState(pf, ifp.ptr, direction, protocol, source, sourcePort, destination, destinationPort);
}

/** Gives the packet the addresses that its state has for its direction. False when buffers are exhausted. */
function translateByState(state: State): boolean {
  const same = state.lanAddress === state.gatewayAddress && state.lanPort === state.gatewayPort;
  if (same) return true;
  const transport = pd.protocol === PROTOCOL.tcp ? TCP_HEADER : ICMP_HEADER;
  if (!mine(pd.header + transport)) return false;
  if (pd.direction === PFIL_IN) {
    setAddress(IP_DST, state.lanAddress);
    setPort(AT_DPORT, state.lanPort);
  } else {
    setAddress(IP_SRC, state.gatewayAddress);
    setPort(AT_SPORT, state.gatewayPort);
  }
  return true;
}

/** Follows a datagram: both sides have sent, or one of them. */
function trackDatagram(state: State, single: number, multiple: number): void {
  const src = peerOf(state, pd.direction === state.direction);
  const dst = peerOf(state, pd.direction !== state.direction);
  if (src.state < SIDE.single) src.state = SIDE.single;
  if (dst.state === SIDE.single) dst.state = SIDE.multiple;
  state.touched = now();
  const both = src.state === SIDE.multiple && dst.state === SIDE.multiple;
  state.timeout = both ? multiple : single;
}

function follow(state: State): boolean {
  switch (pd.protocol) {
    case PROTOCOL.tcp:
      if (continueProxy(state, connectionMade)) return refuse(REASON.synproxy, true);
      if (isReused(state)) {
        outcome.state = 0;
        return refuse(REASON.match, true);
      }
      return trackTcp(state) === 'pass' || refuse(dropReason);
    case PROTOCOL.udp:
      trackDatagram(state, TIMEOUT['udp.single'], TIMEOUT['udp.multiple']);
      return true;
    case PROTOCOL.icmp:
      state.touched = now();
      state.timeout = TIMEOUT['icmp.error'];
      return true;
    default:
      trackDatagram(state, TIMEOUT['other.single'], TIMEOUT['other.multiple']);
      return true;
  }
}

/** A rule that logs every packet of its states (Rule.log). */
const LOG_ALL = 2;

/** What a state's rule says of its packets. */
function takeFromState(state: State): void {
  outcome.state = state.ptr;
  outcome.tag = state.tag;
  outcome.queue = state.queue;
  outcome.priorityQueue = state.priorityQueue;
  outcome.nat = state.natRule === 0 ? undefined : ruleByRecord(state.natRule);
  outcome.log = state.log === LOG_ALL;
  if (state.rule === 0) {
    if (outcome.log) outcome.rule = outcome.nat;
    return;
  }
  outcome.rule = ruleByRecord(state.rule);
  outcome.anchor = state.anchorRule === 0 ? undefined : ruleByRecord(state.anchorRule);
}

/** An ICMP error goes with the packet it is about. */
function testError(): boolean {
  const found = testIcmpError();
  if ('reason' in found) {
    refuse(found.reason);
    return true;
  }
  if (found.state === 0) return false;
  const state = stateRecords.get(found.state);
  takeFromState(state);
  countState(state, pd.direction, pd.length);
  refuseOptions(state);
  return true;
}

/** Options of IP pass only by a state that allows them. */
function refuseOptions(state: State): void {
  if (!pd.options || (state.flags & STATE_ALLOW_OPTS) !== 0) return;
  outcome.log = true;
  refuse(REASON['ip-option']);
}

/** True if a state decides about the packet at hand; the outcome says how. */
export function testState(): boolean {
  if (pd.protocol === PROTOCOL.icmp && !isQuery(pd.icmpType)) return isError(pd.icmpType) && testError();
  const ptr = lookup();
  if (ptr === 0) return false;
  const state = stateRecords.get(ptr);
  takeFromState(state);
  if (!follow(state)) return true;
  countState(state, pd.direction, pd.length);
  refuseOptions(state);
  if (outcome.pass && !translateByState(state)) refuse(REASON.memory);
  return true;
}
