/**
 * The path of a packet through PF (pf.conf(5); io-pkt, "PF"): scrub; a state lets it pass without rules; otherwise translation, then the filter rules, and perhaps a new state.
 * Packets in are seen after IP has checked them, packets out before they are fragmented; always in the stack context.
 */
import { PF_GENERATED, mbuf, setFilterQueue, setFilterTag } from '../../memory/mbuf.ts';
import { STATION, station } from '../../net/journey.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import { PFIL_IN, PFIL_OUT, pfilTaken } from '../../net/pfil.ts';
import type { Stack } from '../../net/stack.ts';
import { REASON, countReason } from './counters.ts';
import { countKif, kifOf } from './kifs.ts';
import { logPacket } from './log.ts';
import { isForward, testRules } from './new-state.ts';
import { scrub } from './normalise.ts';
import { beginOutcome, countRule, outcome, refuse } from './outcome.ts';
import {
  PROTOCOL,
  TH_ACK,
  TH_FIN,
  TH_RST,
  TH_SYN,
  checksumGood,
  dropPacket,
  pd,
  readPacket,
  readTransport,
} from './packet.ts';
import { pfs } from './records.ts';
import type { Kif } from './records.ts';
import { sendWaiting } from './respond.ts';
import { divert } from './route.ts';
import type { Rule } from './rules.ts';
import { countTraffic } from './tables.ts';
import { tellVerdict } from './verdicts.ts';
import { tableOf } from './view.ts';
import { testState } from './with-state.ts';

const LOW_DELAY = 0x10;

/**
 * Detail of STATION.filter: bit 0 blocked; bit 1 by a state; bit 2 by a rule in an anchor; above, the number of the rule in the main rule set plus 1 (of the anchor, with
 * bit 2), 0 for none.
 */
function stationDetail(): number {
  const { rule, anchor, state, pass } = outcome;
  const inAnchor = anchor !== undefined && anchor !== rule;
  const shown = inAnchor ? anchor : rule;
  const number = shown === undefined ? 0 : shown.number + 1;
  return (number << 3) | (inAnchor ? 4 : 0) | (state !== 0 ? 2 : 0) | (pass ? 0 : 1);
}

/** Counts the addresses of a rule that are in tables: of an answer to what the rule has let pass the other way round. */
function countTables(rule: Rule): void {
  const out = pd.direction === PFIL_OUT;
  const fate = outcome.pass ? 1 : 0;
  const forward = isForward(outcome.state);
  const source = rule.src.kind === TABLE ? tableOf(pd.pf, rule.anchor, rule.src) : undefined;
  if (source !== undefined) countTraffic(source, forward ? pd.source : pd.destination, out, fate, pd.length);
  const destination = rule.dst.kind === TABLE ? tableOf(pd.pf, rule.anchor, rule.dst) : undefined;
  if (destination !== undefined)
    countTraffic(destination, forward ? pd.destination : pd.source, out, fate, pd.length);
}
const TABLE = 2;

function countOutcome(kif: Kif | undefined): void {
  countKif(kif, pd.direction, outcome.pass, pd.length);
  countReason(pd.pf, outcome.reason);
  const { rule } = outcome;
  countRule(rule);
  if (outcome.anchor !== rule) countRule(outcome.anchor);
  if (outcome.nat !== rule) countRule(outcome.nat);
  if (rule !== undefined && (rule.src.kind === TABLE || rule.dst.kind === TABLE)) countTables(rule);
}

/** A bare acknowledgement, or a packet that asks for low delay, takes the second queue of a rule. */
function isUrgent(): boolean {
  if ((pd.tos & LOW_DELAY) !== 0) return true;
  const bare = (pd.flags & (TH_ACK | TH_SYN | TH_FIN | TH_RST)) === TH_ACK;
  return pd.protocol === PROTOCOL.tcp && pd.dataLength === 0 && bare;
}

function mark(): void {
  const view = mbuf(pd.m);
  if (outcome.tag !== 0) setFilterTag(view, outcome.tag);
  if (outcome.queue === 0) return;
  setFilterQueue(view, outcome.priorityQueue !== 0 && isUrgent() ? outcome.priorityQueue : outcome.queue);
}

/** Reads and judges the packet; the outcome says how. */
function judge(): void {
  if (!pd.fragment) {
    const unreadable = readTransport();
    if (unreadable !== undefined) {
      outcome.log = unreadable !== 'gone';
      refuse(unreadable === 'gone' ? REASON.memory : REASON[unreadable]);
      return;
    }
    if (pd.direction === PFIL_IN && hasSum() && !checksumGood()) {
      refuse(REASON['proto-cksum']);
      return;
    }
    if (testState()) return;
  }
  testRules();
}

function hasSum(): boolean {
  return pd.protocol === PROTOCOL.tcp || pd.protocol === PROTOCOL.udp || pd.protocol === PROTOCOL.icmp;
}

/** Filters a packet that begins with its IP header. Returns it, or 0 when it is gone. */
export function filterPacket(
  arg: number,
  stack: Stack,
  packet: number,
  ifp: Ifnet,
  direction: number,
): number {
  const pf = pfs.get(arg);
  if ((mbuf(packet).csum & PF_GENERATED) !== 0) return packet;
  const kif = kifOf(pf, ifp);
  if (kif?.skip === 1) return packet;
  pd.pf = pf;
  pd.stack = stack;
  pd.ifp = ifp;
  pd.direction = direction;
  readPacket(packet);
  beginOutcome();
  const scrubbed = scrub();
  // A fragment that waits for the others.
  if (scrubbed === 'held') {
    pfilTaken(0);
    return 0;
  }
  if (scrubbed === 'pass') judge();
  return settle(kif);
}

function filterOut(stack: Stack, m: number, ifp: Ifnet): number {
  return filterPacket(stack.pf, stack, m, ifp, PFIL_OUT);
}

function settle(kif: Kif | undefined): number {
  const { stack, ifp } = pd;
  const { m } = pd;
  countOutcome(kif);
  if (m !== 0) {
    station(m, STATION.filter, ifp.ptr, stationDetail());
    if (outcome.log) logPacket();
  }
  tellVerdict();
  if (!outcome.pass) {
    if (outcome.silent) pfilTaken(0);
    dropPacket();
    sendWaiting(stack.ptr);
    return 0;
  }
  mark();
  const sent = divert(pd.m, filterOut);
  sendWaiting(stack.ptr);
  return sent;
}
