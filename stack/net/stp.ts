/**
 * The spanning tree protocol as a state machine over the records of a bridge and its ports (IEEE 802.1D-1998 §8.6, the elements of procedure; their names are
 * kept, with the section beside them). Time comes in as an argument; BPDUs go out through the bridge's kind. What happens to it is in stp-events.ts.
 * Everything is called with the bridge's lock held.
 */
import { SECOND } from '../runtime/clock.ts';
import { BPDU_CONFIGURATION, BPDU_TC, BPDU_TCA, BPDU_TOPOLOGY_CHANGE, bpdu, makeBpdu } from './bpdu.ts';
import { PORT_SPANS, PORT_STATE, bridgePorts, kindOf } from './bridge-record.ts';
import type { Bridge, BridgePort } from './bridge-record.ts';
import { flushAddresses, setAddressLife } from './bridge-table.ts';

/** Least time between two configuration BPDUs on a port (§8.10.2), ns. */
const HOLD_TIME = SECOND;
/** What a bridge adds to the age of a message that it passes on (§8.10.1), ns. */
const MESSAGE_AGE_INCREMENT = SECOND;
const MOST_COST = 0xffff_ffff;

/** Which of two identifiers is better (lower): negative, the first. */
export function compareIds(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return aHigh === bHigh ? aLow - bLow : aHigh - bHigh;
}

/** Identifier of a port: its priority, then its number (§8.5.5.1). */
export function portId(port: BridgePort): number {
  return (port.priority << 8) | port.number;
}

/** Calls `visit` for the ports that take part in the spanning tree, in order. */
export function eachSpanning(bridge: Bridge, visit: (port: BridgePort) => void): void {
  for (let at = bridge.ports; at !== 0;) {
    const port = bridgePorts.get(at);
    at = port.next;
    if ((port.flags & PORT_SPANS) !== 0) visit(port);
  }
}

export function isRootBridge(bridge: Bridge): boolean {
  return compareIds(bridge.rootHigh, bridge.rootLow, bridge.idHigh, bridge.idLow) === 0;
}

/** True if this port is the one of its LAN that leads to the root (§8.5.5: designated port). */
export function isDesignatedPort(bridge: Bridge, port: BridgePort): boolean {
  return isDesignatedBridge(bridge, port) && port.designatedPort === portId(port);
}

/** True if this bridge is the designated bridge of the port's LAN. */
export function isDesignatedBridge(bridge: Bridge, port: BridgePort): boolean {
  return compareIds(port.designatedBridgeHigh, port.designatedBridgeLow, bridge.idHigh, bridge.idLow) === 0;
}

function send(bridge: Bridge, port: BridgePort): void {
  const m = makeBpdu(port.mac);
  if (m !== 0) kindOf(bridge).send(port.end, m);
}

/** How old what is known of the root is (§8.6.1.3.3). */
function ageOfRoot(bridge: Bridge, now: number): number {
  if (isRootBridge(bridge)) return 0;
  const { messageAgeTimer } = bridgePorts.get(bridge.rootPort);
  return Math.max(0, bridge.maxAge - (messageAgeTimer - now)) + MESSAGE_AGE_INCREMENT;
}

/** Transmit configuration BPDU (§8.6.1): at most one per hold time. */
export function transmitConfig(bridge: Bridge, port: BridgePort, now: number): void {
  if (port.holdTimer !== 0) {
    port.configPending = 1;
    return;
  }
  const messageAge = ageOfRoot(bridge, now);
  if (messageAge >= bridge.maxAge) return;
  bpdu.type = BPDU_CONFIGURATION;
  bpdu.flags =
    (port.topologyChangeAcknowledge !== 0 ? BPDU_TCA : 0) | (bridge.topologyChange !== 0 ? BPDU_TC : 0);
  bpdu.rootHigh = bridge.rootHigh;
  bpdu.rootLow = bridge.rootLow;
  bpdu.rootCost = bridge.rootCost;
  bpdu.bridgeHigh = bridge.idHigh;
  bpdu.bridgeLow = bridge.idLow;
  bpdu.port = portId(port);
  bpdu.messageAge = messageAge;
  bpdu.maxAge = bridge.maxAge;
  bpdu.helloTime = bridge.helloTime;
  bpdu.forwardDelay = bridge.forwardDelay;
  send(bridge, port);
  port.topologyChangeAcknowledge = 0;
  port.configPending = 0;
  port.holdTimer = now + HOLD_TIME;
}

/** Configuration BPDU generation (§8.6.4): on every LAN for which this bridge is designated. */
export function generateConfigs(bridge: Bridge, now: number): void {
  eachSpanning(bridge, (port) => {
    if (port.state !== PORT_STATE.disabled && isDesignatedPort(bridge, port))
      transmitConfig(bridge, port, now);
  });
}

/** Transmit topology change notification BPDU (§8.6.6), towards the root, and again until it is acknowledged. */
export function transmitTcn(bridge: Bridge, now: number): void {
  if (bridge.rootPort === 0) return;
  bpdu.type = BPDU_TOPOLOGY_CHANGE;
  send(bridge, bridgePorts.get(bridge.rootPort));
  bridge.tcnTimer = now + bridge.ownHelloTime;
}

/** Says whether the BPDU in hand tells of a better way to the root than what is known of the port's LAN (§8.6.2.2). */
export function supersedes(bridge: Bridge, port: BridgePort): boolean {
  const root = compareIds(bpdu.rootHigh, bpdu.rootLow, port.designatedRootHigh, port.designatedRootLow);
  if (root !== 0) return root < 0;
  if (bpdu.rootCost !== port.designatedCost) return bpdu.rootCost < port.designatedCost;
  const from = compareIds(
    bpdu.bridgeHigh,
    bpdu.bridgeLow,
    port.designatedBridgeHigh,
    port.designatedBridgeLow,
  );
  if (from !== 0) return from < 0;
  const own = compareIds(bpdu.bridgeHigh, bpdu.bridgeLow, bridge.idHigh, bridge.idLow) === 0;
  return !own || bpdu.port <= port.designatedPort;
}

/** Record configuration information (§8.6.2). */
export function recordConfig(port: BridgePort, now: number): void {
  port.designatedRootHigh = bpdu.rootHigh;
  port.designatedRootLow = bpdu.rootLow;
  port.designatedCost = bpdu.rootCost;
  port.designatedBridgeHigh = bpdu.bridgeHigh;
  port.designatedBridgeLow = bpdu.bridgeLow;
  port.designatedPort = bpdu.port;
  port.messageAgeTimer = now + bpdu.maxAge - bpdu.messageAge;
}

/** Record configuration time-out values (§8.6.3): those of the root hold everywhere. */
export function recordTimes(bridge: Bridge): void {
  bridge.maxAge = bpdu.maxAge;
  bridge.helloTime = bpdu.helloTime;
  bridge.forwardDelay = bpdu.forwardDelay;
  setTopologyChange(bridge, (bpdu.flags & BPDU_TC) !== 0);
}

/** While it is set, addresses age with the forward delay (§8.3.5). */
export function setTopologyChange(bridge: Bridge, on: boolean): void {
  bridge.topologyChange = on ? 1 : 0;
  setAddressLife(bridge);
}

/** Configuration update (§8.6.7): where the root is, and for which LANs this bridge is designated. */
export function updateConfiguration(bridge: Bridge): void {
  selectRoot(bridge);
  eachSpanning(bridge, (port) => {
    if (shouldBeDesignated(bridge, port)) becomeDesignated(bridge, port);
  });
}

function costBy(port: BridgePort): number {
  return Math.min(port.designatedCost + port.pathCost, MOST_COST);
}

/** True if `a` is a better way to the root than `b` (§8.6.8.3.1). */
function leadsBetter(a: BridgePort, b: BridgePort): boolean {
  const root = compareIds(
    a.designatedRootHigh,
    a.designatedRootLow,
    b.designatedRootHigh,
    b.designatedRootLow,
  );
  if (root !== 0) return root < 0;
  if (costBy(a) !== costBy(b)) return costBy(a) < costBy(b);
  const from = compareIds(
    a.designatedBridgeHigh,
    a.designatedBridgeLow,
    b.designatedBridgeHigh,
    b.designatedBridgeLow,
  );
  if (from !== 0) return from < 0;
  if (a.designatedPort !== b.designatedPort) return a.designatedPort < b.designatedPort;
  return portId(a) < portId(b);
}

/** Root selection (§8.6.8). */
function selectRoot(bridge: Bridge): void {
  let best: BridgePort | undefined;
  eachSpanning(bridge, (port) => {
    if (isDesignatedPort(bridge, port) || port.state === PORT_STATE.disabled) return;
    const root = compareIds(port.designatedRootHigh, port.designatedRootLow, bridge.idHigh, bridge.idLow);
    if (root < 0 && (best === undefined || leadsBetter(port, best))) best = port;
  });
  if (best === undefined) {
    bridge.rootPort = 0;
    bridge.rootHigh = bridge.idHigh;
    bridge.rootLow = bridge.idLow;
    bridge.rootCost = 0;
  } else {
    bridge.rootPort = best.ptr;
    bridge.rootHigh = best.designatedRootHigh;
    bridge.rootLow = best.designatedRootLow;
    bridge.rootCost = costBy(best);
  }
}

/** Designated port selection (§8.6.9). */
function shouldBeDesignated(bridge: Bridge, port: BridgePort): boolean {
  if (isDesignatedPort(bridge, port)) return true;
  const sameRoot =
    compareIds(port.designatedRootHigh, port.designatedRootLow, bridge.rootHigh, bridge.rootLow) === 0;
  if (!sameRoot) return true;
  if (bridge.rootCost !== port.designatedCost) return bridge.rootCost < port.designatedCost;
  const own = compareIds(bridge.idHigh, bridge.idLow, port.designatedBridgeHigh, port.designatedBridgeLow);
  return own < 0 || (own === 0 && portId(port) <= port.designatedPort);
}

/** Become designated port (§8.6.10). */
export function becomeDesignated(bridge: Bridge, port: BridgePort): void {
  port.designatedRootHigh = bridge.rootHigh;
  port.designatedRootLow = bridge.rootLow;
  port.designatedCost = bridge.rootCost;
  port.designatedBridgeHigh = bridge.idHigh;
  port.designatedBridgeLow = bridge.idLow;
  port.designatedPort = portId(port);
}

/** Port state selection (§8.6.11): the root port and the designated ports forward, in time; the others block. */
export function selectStates(bridge: Bridge, now: number): void {
  eachSpanning(bridge, (port) => {
    if (port.ptr === bridge.rootPort) {
      port.configPending = 0;
      port.topologyChangeAcknowledge = 0;
      makeForwarding(bridge, port, now);
    } else if (isDesignatedPort(bridge, port)) {
      port.messageAgeTimer = 0;
      makeForwarding(bridge, port, now);
    } else {
      port.configPending = 0;
      port.topologyChangeAcknowledge = 0;
      makeBlocking(bridge, port, now);
    }
  });
}

/** Make forwarding (§8.6.12): through listening and learning. */
function makeForwarding(bridge: Bridge, port: BridgePort, now: number): void {
  if (port.state !== PORT_STATE.blocking) return;
  port.state = PORT_STATE.listening;
  port.forwardDelayTimer = now + bridge.forwardDelay;
}

/** Make blocking (§8.6.13). What was learned by the port is not there any more. */
function makeBlocking(bridge: Bridge, port: BridgePort, now: number): void {
  const { state } = port;
  if (state === PORT_STATE.disabled || state === PORT_STATE.blocking) return;
  if (state !== PORT_STATE.listening) detectTopologyChange(bridge, now);
  port.state = PORT_STATE.blocking;
  port.forwardDelayTimer = 0;
  flushAddresses(bridge, port.ptr, false);
}

/** Topology change detection (§8.6.14). */
export function detectTopologyChange(bridge: Bridge, now: number): void {
  bridge.topologyChanges++;
  if (isRootBridge(bridge)) {
    setTopologyChange(bridge, true);
    bridge.topologyTimer = now + bridge.ownMaxAge + bridge.ownForwardDelay;
  } else if (bridge.topologyChangeDetected === 0) transmitTcn(bridge, now);
  bridge.topologyChangeDetected = 1;
}

/** Topology change acknowledged (§8.6.15). */
export function topologyChangeAcknowledged(bridge: Bridge): void {
  bridge.topologyChangeDetected = 0;
  bridge.tcnTimer = 0;
}
