/**
 * The link aggregation control protocol (IEEE 802.1AX-2008 §5.4) of an aggregate: per port the receive, periodic and transmit machines and the mux with independent
 * control; for all ports together the selection logic. Churn detection, which only informs, is left out. In the stack context.
 *
 * An aggregate is one aggregator. It takes the links to one partner, the first that answers, and stays with it as long as one of them works. Where nobody answers a
 * single link is used, as it would be without aggregation.
 */
import { be16, be32 } from '../memory/memory.ts';
import { SECOND } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import { MUX, RX, actorOf, chosenPartner, partnerOf, portsOf } from './agr-record.ts';
import type { Agr, AgrPort } from './agr-record.ts';
import { driverOf, ifQueue, ifnets } from './ifnet.ts';
import { LACP, lacpdu, makeLacp } from './lacp-pdu.ts';
import type { Party } from './lacp-pdu.ts';

// §5.4.4.
const FAST_PERIODIC = SECOND;
const SLOW_PERIODIC = 30 * SECOND;
const SHORT_TIMEOUT = 3 * SECOND;
const LONG_TIMEOUT = 90 * SECOND;
const AGGREGATE_WAIT = 2 * SECOND;
/** LACPDUs that a port may send in a fast period (§5.4.16). */
const MOST_SENT = 3;

const PRIORITY = 0x8000;
/** What is assumed of a partner that does not speak the protocol: an individual link that can be used. */
const DEFAULT_PARTNER = LACP.SYNC | LACP.COLLECTING | LACP.DISTRIBUTING;
const WORKS = IFF.UP | IFF.RUNNING;

function isDue(timer: number, now: number): boolean {
  return timer !== 0 && timer <= now;
}

function set(party: Party, bit: number, on: boolean): void {
  party.state = on ? party.state | bit : party.state & ~bit;
}

function has(party: Party, bit: number): boolean {
  return (party.state & bit) !== 0;
}

function sameSystem(a: Party, b: Party): boolean {
  return (
    a.systemPriority === b.systemPriority && a.systemHigh === b.systemHigh && a.systemLow === b.systemLow
  );
}

/** The same port of the same system with the same key, aggregatable or not in the same way. */
function sameParty(a: Party, b: Party): boolean {
  const port = a.port === b.port && a.portPriority === b.portPriority && a.key === b.key;
  return port && sameSystem(a, b) && ((a.state ^ b.state) & LACP.AGGREGATABLE) === 0;
}

function copyParty(to: Party, from: Party): void {
  to.systemPriority = from.systemPriority;
  to.systemHigh = from.systemHigh;
  to.systemLow = from.systemLow;
  to.key = from.key;
  to.portPriority = from.portPriority;
  to.port = from.port;
  to.state = from.state;
}

/** True if frames can pass by a port (port_enabled). */
function isEnabled(agr: Agr, port: AgrPort): boolean {
  const ifp = ifnets.get(port.interface);
  const aggregateUp = (ifnets.get(agr.interface).flags & IFF.UP) !== 0;
  return aggregateUp && (ifp.flags & WORKS) === WORKS && driverOf(ifp).carrier(ifp);
}

/** True if a partner is known, and is not this system itself at the other end of a loop. */
function hasPartner(port: AgrPort): boolean {
  const partner = partnerOf(port);
  const known = (partner.systemHigh | partner.systemLow) !== 0;
  return known && !sameSystem(partner, actorOf(port));
}

/** Sets what this system is, on a port: its address is that of the aggregate, its key the aggregate's number, the port's number that of its interface. */
function setActor(agr: Agr, port: AgrPort): void {
  const ifp = ifnets.get(agr.interface);
  const actor = actorOf(port);
  const high = be16(ifp.mac);
  const low = be32(ifp.mac + 2) >>> 0;
  const short = (ifp.flags & IFF.LINK2) !== 0;
  const same =
    actor.systemHigh === high && actor.systemLow === low && has(actor, LACP.SHORT_TIMEOUT) === short;
  if (!same) port.needToTransmit = 1;
  actor.systemPriority = PRIORITY;
  actor.systemHigh = high;
  actor.systemLow = low;
  actor.key = ifp.index & 0xffff;
  actor.portPriority = PRIORITY;
  actor.port = ifnets.get(port.interface).index & 0xffff;
  set(actor, LACP.ACTIVE, true);
  set(actor, LACP.AGGREGATABLE, true);
  set(actor, LACP.SHORT_TIMEOUT, short);
}

/** A port begins (INITIALIZE of the receive machine). */
export function initializePort(agr: Agr, port: AgrPort): void {
  actorOf(port).state = 0;
  setActor(agr, port);
  port.receive = RX.disabled;
  port.mux = MUX.detached;
  port.selected = 0;
  port.collects = 0;
  port.needToTransmit = 0;
  port.sent = 0;
  port.sentSince = 0;
  port.currentWhile = 0;
  port.waitWhile = 0;
  port.periodic = 0;
  port.transmitTimer = 0;
  recordDefault(port);
  set(partnerOf(port), LACP.SYNC, false);
}

/** Record default (§5.4.9). */
function recordDefault(port: AgrPort): void {
  const partner = partnerOf(port);
  partner.systemPriority = 0;
  partner.systemHigh = 0;
  partner.systemLow = 0;
  partner.key = 0;
  partner.portPriority = 0;
  partner.port = 0;
  partner.state = DEFAULT_PARTNER;
  set(actorOf(port), LACP.DEFAULTED, true);
}

// The receive machine (§5.4.12).

function becomeExpired(port: AgrPort, now: number): void {
  port.receive = RX.expired;
  const partner = partnerOf(port);
  set(partner, LACP.SYNC, false);
  set(partner, LACP.SHORT_TIMEOUT, true);
  port.currentWhile = now + SHORT_TIMEOUT;
  set(actorOf(port), LACP.EXPIRED, true);
}

function becomeDefaulted(port: AgrPort): void {
  port.receive = RX.defaulted;
  port.currentWhile = 0;
  if (hasPartner(port)) port.selected = 0;
  recordDefault(port);
  set(actorOf(port), LACP.EXPIRED, false);
}

function stepReceive(agr: Agr, port: AgrPort, now: number): void {
  if (!isEnabled(agr, port)) {
    port.receive = RX.disabled;
    port.currentWhile = 0;
    set(partnerOf(port), LACP.SYNC, false);
  } else if (port.receive === RX.disabled) {
    port.needToTransmit = 1;
    becomeExpired(port, now);
  } else if (isDue(port.currentWhile, now)) {
    if (port.receive === RX.current) becomeExpired(port, now);
    else becomeDefaulted(port);
  }
}

/** The LACPDU in `lacpdu` came in by a port. */
export function lacpReceive(agr: Agr, port: AgrPort, now: number): void {
  stepReceive(agr, port, now);
  if (port.receive === RX.disabled) return;
  const actor = actorOf(port);
  const partner = partnerOf(port);
  // update_Selected, update_NTT, recordPDU (§5.4.9).
  if (!sameParty(lacpdu.actor, partner)) port.selected = 0;
  const told = LACP.ACTIVE | LACP.SHORT_TIMEOUT | LACP.SYNC | LACP.AGGREGATABLE;
  const knowsUs = sameParty(lacpdu.partner, actor);
  if (!knowsUs || ((lacpdu.partner.state ^ actor.state) & told) !== 0) port.needToTransmit = 1;
  copyParty(partner, lacpdu.actor);
  const matches = knowsUs || !has(lacpdu.actor, LACP.AGGREGATABLE);
  set(partner, LACP.SYNC, matches && has(lacpdu.actor, LACP.SYNC));
  set(actor, LACP.DEFAULTED, false);
  set(actor, LACP.EXPIRED, false);
  port.receive = RX.current;
  port.currentWhile = now + (has(actor, LACP.SHORT_TIMEOUT) ? SHORT_TIMEOUT : LONG_TIMEOUT);
}

// The selection logic (§5.4.14).

/** True if a port may become part of some aggregate. */
function isCandidate(port: AgrPort): boolean {
  if (port.receive === RX.disabled) return false;
  return hasPartner(port) || port.receive === RX.defaulted;
}

/** True if a port's link is one of those that the aggregate has chosen. */
function isChosen(agr: Agr, port: AgrPort): boolean {
  if (agr.chosen === 0 || !isCandidate(port)) return false;
  const partner = partnerOf(port);
  const aggregatable = has(partner, LACP.AGGREGATABLE);
  if (agr.individual !== 0) return agr.individual === port.ptr && !aggregatable;
  const chosen = chosenPartner(agr);
  return aggregatable && sameSystem(partner, chosen) && partner.key === chosen.key;
}

/** What choosing a port would be worth: most if its partner aggregates, least if nobody answers or a partner does not want the link now. */
function worth(port: AgrPort): number {
  if (!isCandidate(port)) return 0;
  if (!hasPartner(port)) return 1;
  const partner = partnerOf(port);
  if (has(partner, LACP.AGGREGATABLE)) return 3;
  return has(partner, LACP.SYNC) ? 2 : 1;
}

/** Chooses the partner of the first of the best ports. */
function choose(agr: Agr, ports: readonly AgrPort[]): void {
  const most = Math.max(0, ...ports.map(worth));
  const first = ports.find((port) => worth(port) === most);
  agr.chosen = most > 0 ? 1 : 0;
  agr.individual = 0;
  if (first === undefined) return;
  copyParty(chosenPartner(agr), partnerOf(first));
  if (!has(partnerOf(first), LACP.AGGREGATABLE)) agr.individual = first.ptr;
}

function select(agr: Agr, ports: readonly AgrPort[]): void {
  const kept = Math.max(0, ...ports.filter((port) => isChosen(agr, port)).map(worth));
  if (ports.some((port) => worth(port) > kept)) choose(agr, ports);
  for (const port of ports) {
    if (!isChosen(agr, port)) port.selected = 0;
    // Having been taken out, it has to be let go of first.
    else if (port.mux === MUX.detached) port.selected = 1;
  }
}

// The mux machine (§5.4.15).

function enterMux(port: AgrPort, state: number, now: number): void {
  const actor = actorOf(port);
  port.mux = state;
  port.waitWhile = state === MUX.waiting ? now + AGGREGATE_WAIT : 0;
  set(actor, LACP.SYNC, state >= MUX.attached);
  set(actor, LACP.COLLECTING, state >= MUX.collecting);
  set(actor, LACP.DISTRIBUTING, state === MUX.distributing);
  port.collects = state >= MUX.collecting ? 1 : 0;
  port.needToTransmit = 1;
}

/** The next state of a port's mux; the same if it stays. */
function nextMux(port: AgrPort, ready: boolean): number {
  const partner = partnerOf(port);
  const selected = port.selected !== 0;
  const inSync = selected && has(partner, LACP.SYNC);
  switch (port.mux) {
    case MUX.detached:
      return selected ? MUX.waiting : MUX.detached;
    case MUX.waiting:
      if (!selected) return MUX.detached;
      return ready ? MUX.attached : MUX.waiting;
    case MUX.attached:
      if (!selected) return MUX.detached;
      return inSync ? MUX.collecting : MUX.attached;
    case MUX.collecting:
      if (!inSync) return MUX.attached;
      return has(partner, LACP.COLLECTING) ? MUX.distributing : MUX.collecting;
    default:
      return inSync && has(partner, LACP.COLLECTING) ? MUX.distributing : MUX.collecting;
  }
}

/** Ports that wait are attached together, when each has waited long enough. */
function areReady(ports: readonly AgrPort[], now: number): boolean {
  return ports.every(({ mux, waitWhile }) => mux !== MUX.waiting || isDue(waitWhile, now));
}

function stepMux(ports: readonly AgrPort[], now: number): void {
  const ready = areReady(ports, now);
  for (const port of ports) {
    for (let next = nextMux(port, ready); next !== port.mux; next = nextMux(port, ready)) {
      const waitsAnew = next === MUX.waiting;
      enterMux(port, next, now);
      if (waitsAnew) break;
    }
  }
}

// The periodic and the transmit machine (§5.4.13, §5.4.16).

function stepPeriodic(port: AgrPort, now: number): void {
  if (port.receive === RX.disabled) {
    port.periodic = 0;
    return;
  }
  const interval = has(partnerOf(port), LACP.SHORT_TIMEOUT) ? FAST_PERIODIC : SLOW_PERIODIC;
  const tooLate = port.periodic > now + interval;
  if (port.periodic !== 0 && !isDue(port.periodic, now) && !tooLate) return;
  if (port.periodic !== 0) port.needToTransmit = 1;
  port.periodic = now + interval;
}

function stepTransmit(port: AgrPort, now: number): void {
  port.transmitTimer = 0;
  if (port.receive === RX.disabled) port.needToTransmit = 0;
  if (port.needToTransmit === 0) return;
  if (now >= port.sentSince + FAST_PERIODIC || port.sent === 0) {
    port.sentSince = now;
    port.sent = 0;
  }
  if (port.sent >= MOST_SENT) {
    port.transmitTimer = port.sentSince + FAST_PERIODIC;
    return;
  }
  port.sent++;
  transmit(port);
}

function transmit(port: AgrPort): void {
  const ifp = ifnets.get(port.interface);
  const m = makeLacp(ifp.mac, actorOf(port), partnerOf(port));
  if (m !== 0) ifQueue(ifp, m);
  port.needToTransmit = 0;
}

/** A port takes no part any more: its partner is told that it is not for aggregation, so that it need not wait until it misses us. */
export function lacpLeave(port: AgrPort, now: number): void {
  const known = hasPartner(port);
  port.selected = 0;
  stepMux([port], now);
  set(actorOf(port), LACP.AGGREGATABLE, false);
  if (known) transmit(port);
}

/** Lets all machines of an aggregate come to rest. */
export function lacpSettle(agr: Agr, now: number): void {
  const ports = portsOf(agr);
  for (const port of ports) {
    setActor(agr, port);
    stepReceive(agr, port, now);
  }
  stepMux(ports, now);
  select(agr, ports);
  stepMux(ports, now);
  for (const port of ports) {
    stepPeriodic(port, now);
    stepTransmit(port, now);
  }
}

/** Without the protocol: every port that works is used. */
export function fixedSettle(agr: Agr): void {
  for (const port of portsOf(agr)) {
    const enabled = isEnabled(agr, port);
    port.mux = enabled ? MUX.distributing : MUX.detached;
    port.collects = enabled ? 1 : 0;
  }
}

/** The earliest time after `now` at which something expires, ns; Infinity if nothing will. A port that has waited long enough may still wait for others. */
export function lacpNext(agr: Agr, now: number): number {
  const timers = portsOf(agr).flatMap(({ currentWhile, waitWhile, periodic, transmitTimer }) => [
    currentWhile,
    waitWhile,
    periodic,
    transmitTimer,
  ]);
  return Math.min(Infinity, ...timers.filter((timer) => timer > now));
}
