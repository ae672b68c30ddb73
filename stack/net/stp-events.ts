/**
 * What happens to a spanning tree (IEEE 802.1D-1998 §8.7, operation of the protocol, and §8.8, management): BPDUs received, timers that expire, ports that come and
 * go, settings that change. Everything is called with the bridge's lock held; whoever calls has stpTick() called again at stpNext().
 */
import { be16, be32 } from '../memory/memory.ts';
import { BPDU_CONFIGURATION, BPDU_TCA, bpdu } from './bpdu.ts';
import { PORT_SPANS, PORT_STATE, kindOf } from './bridge-record.ts';
import type { Bridge, BridgePort } from './bridge-record.ts';
import { flushAddresses } from './bridge-table.ts';
import {
  becomeDesignated,
  compareIds,
  detectTopologyChange,
  eachSpanning,
  generateConfigs,
  isDesignatedBridge,
  isDesignatedPort,
  isRootBridge,
  portId,
  recordConfig,
  recordTimes,
  selectStates,
  setTopologyChange,
  supersedes,
  topologyChangeAcknowledged,
  transmitConfig,
  transmitTcn,
  updateConfiguration,
} from './stp.ts';

/** Begins to take part (§8.8.1): this bridge takes itself for the root until it hears of a better one. */
export function stpStart(bridge: Bridge, now: number): void {
  stpStop(bridge);
  bridge.spanning = 1;
  bridge.topologyChanges = 0;
  setOwnId(bridge);
  updateConfiguration(bridge);
  takeOwnTimes(bridge);
  bridge.carrierTimer = now + bridge.ownHelloTime;
  eachSpanning(bridge, (port) => {
    if (kindOf(bridge).carries(port)) initialize(bridge, port);
  });
  selectStates(bridge, now);
  generateConfigs(bridge, now);
  bridge.helloTimer = now + bridge.helloTime;
}

/** Takes no part any more; the ports that did are disabled. */
export function stpStop(bridge: Bridge): void {
  bridge.spanning = 0;
  bridge.rootPort = 0;
  bridge.helloTimer = 0;
  bridge.tcnTimer = 0;
  bridge.topologyTimer = 0;
  bridge.carrierTimer = 0;
  bridge.topologyChangeDetected = 0;
  setTopologyChange(bridge, false);
  eachSpanning(bridge, (port) => {
    port.state = PORT_STATE.disabled;
    stopTimers(port);
  });
}

function stopTimers(port: BridgePort): void {
  port.messageAgeTimer = 0;
  port.forwardDelayTimer = 0;
  port.holdTimer = 0;
}

function takeOwnTimes(bridge: Bridge): void {
  bridge.maxAge = bridge.ownMaxAge;
  bridge.helloTime = bridge.ownHelloTime;
  bridge.forwardDelay = bridge.ownForwardDelay;
}

/** Initialize port (§8.8.1.4). */
function initialize(bridge: Bridge, port: BridgePort): void {
  becomeDesignated(bridge, port);
  port.state = PORT_STATE.blocking;
  port.topologyChangeAcknowledge = 0;
  port.configPending = 0;
  stopTimers(port);
}

/** A BPDU, now in `bpdu`, came in by a port (§8.7.1, §8.7.2). */
export function stpReceive(bridge: Bridge, port: BridgePort, now: number): void {
  if (bridge.spanning === 0 || port.state === PORT_STATE.disabled) return;
  if (bpdu.type === BPDU_CONFIGURATION) receivedConfig(bridge, port, now);
  else if (isDesignatedPort(bridge, port)) {
    detectTopologyChange(bridge, now);
    port.topologyChangeAcknowledge = 1;
    transmitConfig(bridge, port, now);
  }
}

function receivedConfig(bridge: Bridge, port: BridgePort, now: number): void {
  const acknowledged = (bpdu.flags & BPDU_TCA) !== 0;
  // Our own message, round a loop in the cable: it says nothing about others.
  const own = compareIds(bpdu.bridgeHigh, bpdu.bridgeLow, bridge.idHigh, bridge.idLow) === 0;
  if (own && bpdu.port === portId(port)) return;
  if (!supersedes(bridge, port)) {
    if (isDesignatedPort(bridge, port)) transmitConfig(bridge, port, now);
    return;
  }
  const wasRoot = isRootBridge(bridge);
  recordConfig(port, now);
  updateConfiguration(bridge);
  // Before ports change their states, which takes the times of the root.
  if (port.ptr === bridge.rootPort) recordTimes(bridge);
  selectStates(bridge, now);
  if (wasRoot && !isRootBridge(bridge)) {
    bridge.helloTimer = 0;
    if (bridge.topologyChangeDetected !== 0) {
      bridge.topologyTimer = 0;
      transmitTcn(bridge, now);
    }
  }
  if (port.ptr !== bridge.rootPort) return;
  generateConfigs(bridge, now);
  if (acknowledged) topologyChangeAcknowledged(bridge);
}

/** Becomes the root, if it is that now and was not before. */
function becomeRoot(bridge: Bridge, wasRoot: boolean, now: number): void {
  if (wasRoot || !isRootBridge(bridge)) return;
  takeOwnTimes(bridge);
  detectTopologyChange(bridge, now);
  bridge.tcnTimer = 0;
  generateConfigs(bridge, now);
  bridge.helloTimer = now + bridge.helloTime;
}

/** A port can carry frames again (§8.8.2). */
function enablePort(bridge: Bridge, port: BridgePort, now: number): void {
  initialize(bridge, port);
  selectStates(bridge, now);
  // Hears at once who is there, instead of with the next hello.
  transmitConfig(bridge, port, now);
}

/** A port can carry no frames (§8.8.3). */
function disablePort(bridge: Bridge, port: BridgePort, now: number): void {
  const wasRoot = isRootBridge(bridge);
  becomeDesignated(bridge, port);
  port.state = PORT_STATE.disabled;
  port.topologyChangeAcknowledge = 0;
  port.configPending = 0;
  stopTimers(port);
  flushAddresses(bridge, port.ptr, false);
  updateConfiguration(bridge);
  selectStates(bridge, now);
  becomeRoot(bridge, wasRoot, now);
}

/** Looks whether ports have lost or gained their carriers. */
export function stpCheckCarriers(bridge: Bridge, now: number): void {
  if (bridge.spanning === 0) return;
  eachSpanning(bridge, (port) => {
    const carries = kindOf(bridge).carries(port);
    if (carries === (port.state !== PORT_STATE.disabled)) return;
    if (carries) enablePort(bridge, port, now);
    else disablePort(bridge, port, now);
  });
}

/** A port begins to take part. */
export function stpAddPort(bridge: Bridge, port: BridgePort, now: number): void {
  port.flags |= PORT_SPANS;
  port.state = PORT_STATE.disabled;
  stopTimers(port);
  if (bridge.up === 0) return;
  if (bridge.spanning === 0) {
    stpStart(bridge, now);
    return;
  }
  stpSetId(bridge, now);
  stpCheckCarriers(bridge, now);
}

/** A port takes no part any more: it forwards, as without the protocol. */
export function stpRemovePort(bridge: Bridge, port: BridgePort, now: number): void {
  if (bridge.spanning !== 0) disablePort(bridge, port, now);
  port.flags &= ~PORT_SPANS;
  port.state = PORT_STATE.forwarding;
  let left = 0;
  eachSpanning(bridge, () => left++);
  if (left === 0) stpStop(bridge);
  else if (bridge.spanning !== 0) stpSetId(bridge, now);
}

/** The identifier: priority, then the lowest address of the ports that take part (§8.5.1.3, §7.12.5). */
function setOwnId(bridge: Bridge): void {
  let high = Infinity;
  let low = Infinity;
  eachSpanning(bridge, ({ mac }) => {
    const [macHigh, macLow] = [be16(mac), be32(mac + 2) >>> 0];
    if (compareIds(macHigh, macLow, high, low) < 0) [high, low] = [macHigh, macLow];
  });
  if (high === Infinity) return;
  bridge.idHigh = ((bridge.priority << 16) | high) >>> 0;
  bridge.idLow = low;
}

/** The identifier may have changed: with the bridge's priority, or with the addresses of its ports (§8.8.4). */
export function stpSetId(bridge: Bridge, now: number): void {
  if (bridge.spanning === 0) return;
  const wasRoot = isRootBridge(bridge);
  const designated: BridgePort[] = [];
  eachSpanning(bridge, (port) => {
    if (isDesignatedPort(bridge, port)) designated.push(port);
  });
  setOwnId(bridge);
  for (const port of designated) {
    port.designatedBridgeHigh = bridge.idHigh;
    port.designatedBridgeLow = bridge.idLow;
  }
  updateConfiguration(bridge);
  selectStates(bridge, now);
  becomeRoot(bridge, wasRoot, now);
}

/** Sets the priority of a port (§8.8.5). */
export function stpSetPortPriority(bridge: Bridge, port: BridgePort, priority: number, now: number): void {
  const designated = isDesignatedPort(bridge, port);
  port.priority = priority;
  if (bridge.spanning === 0) return;
  if (designated) port.designatedPort = portId(port);
  else if (isDesignatedBridge(bridge, port) && portId(port) < port.designatedPort)
    becomeDesignated(bridge, port);
  updateConfiguration(bridge);
  selectStates(bridge, now);
}

/** Sets what it costs to go by a port (§8.8.6). */
export function stpSetPathCost(bridge: Bridge, port: BridgePort, cost: number, now: number): void {
  port.pathCost = cost;
  if (bridge.spanning === 0) return;
  updateConfiguration(bridge);
  selectStates(bridge, now);
}

/** The times that count while this bridge is the root were set. */
export function stpSetTimes(bridge: Bridge): void {
  if (bridge.spanning !== 0 && isRootBridge(bridge)) takeOwnTimes(bridge);
}

/** The earliest time at which something expires, ns; Infinity if nothing will. */
export function stpNext(bridge: Bridge): number {
  let next = Infinity;
  const consider = (timer: number): void => {
    if (timer !== 0 && timer < next) next = timer;
  };
  consider(bridge.helloTimer);
  consider(bridge.tcnTimer);
  consider(bridge.topologyTimer);
  consider(bridge.carrierTimer);
  eachSpanning(bridge, (port) => {
    consider(port.messageAgeTimer);
    consider(port.forwardDelayTimer);
    consider(port.holdTimer);
  });
  return next;
}

function isDue(timer: number, now: number): boolean {
  return timer !== 0 && timer <= now;
}

/** Does what is due. */
export function stpTick(bridge: Bridge, now: number): void {
  if (isDue(bridge.carrierTimer, now)) {
    bridge.carrierTimer = now + bridge.ownHelloTime;
    stpCheckCarriers(bridge, now);
  }
  if (isDue(bridge.helloTimer, now)) {
    bridge.helloTimer = now + bridge.helloTime;
    generateConfigs(bridge, now);
  }
  if (isDue(bridge.tcnTimer, now)) transmitTcn(bridge, now);
  if (isDue(bridge.topologyTimer, now)) {
    bridge.topologyTimer = 0;
    bridge.topologyChangeDetected = 0;
    setTopologyChange(bridge, false);
  }
  eachSpanning(bridge, (port) => tickPort(bridge, port, now));
}

function tickPort(bridge: Bridge, port: BridgePort, now: number): void {
  if (isDue(port.messageAgeTimer, now)) messageTooOld(bridge, port, now);
  if (isDue(port.forwardDelayTimer, now)) forwardDelayOver(bridge, port, now);
  if (isDue(port.holdTimer, now)) {
    port.holdTimer = 0;
    if (port.configPending !== 0) transmitConfig(bridge, port, now);
  }
}

/** Nothing was heard of the designated bridge of the port's LAN for too long (§8.7.4). */
function messageTooOld(bridge: Bridge, port: BridgePort, now: number): void {
  const wasRoot = isRootBridge(bridge);
  port.messageAgeTimer = 0;
  becomeDesignated(bridge, port);
  updateConfiguration(bridge);
  selectStates(bridge, now);
  becomeRoot(bridge, wasRoot, now);
}

/** Forward delay timer expiry (§8.7.5). */
function forwardDelayOver(bridge: Bridge, port: BridgePort, now: number): void {
  port.forwardDelayTimer = 0;
  if (port.state === PORT_STATE.listening) {
    port.state = PORT_STATE.learning;
    port.forwardDelayTimer = now + bridge.forwardDelay;
  } else if (port.state === PORT_STATE.learning) {
    port.state = PORT_STATE.forwarding;
    let designated = false;
    eachSpanning(bridge, (other) => (designated ||= isDesignatedBridge(bridge, other)));
    if (designated) detectTopologyChange(bridge, now);
  }
}
