/**
 * Bridges, their ports and their address caches in the one memory. The same records and the same code serve the bridge interfaces of stacks (bridge.ts) and the
 * lab's switches (main/lab/switch.ts); what differs is how a port sends, and that each kind says for itself.
 *
 * A bridge has one spin lock. Its ports, its address cache and its spanning tree are read and changed under it; it is never held while a driver sends.
 */
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { SECOND } from '../runtime/clock.ts';
import { CALLOUT_BYTES } from '../runtime/wheel.ts';

/** Chains of a bridge's address cache. */
export const ADDRESS_BUCKETS = 512;
/** Ports of a bridge that can be told apart in a spanning tree: their number is one byte. */
export const MOST_PORTS = 255;

export const bridgeStruct = struct('bridge', {
  lock: 'i32',
  nextpkt: 'ptr',
  kind: 'u8',
  /** 1 while it forwards. */
  up: 'u8',
  /** Its interface; 0 for a switch. */
  interface: 'ptr',
  /** Event source of a switch; 0 for an interface. */
  source: 'ptr',
  /** Ports in the order in which they were added. */
  ports: 'ptr',
  /** Records of ports that were taken out: another thread may still be looking at one, so they stay until the bridge goes and are used again first. */
  retired: 'ptr',
  /** Addresses that are learned or permanent, and the most there may be. */
  addresses: 'u32',
  maxAddresses: 'u32',
  /** How long a learned address is kept after it was last heard, ns, as set (0: for ever) and as it is now (Infinity: for ever). */
  ageing: 'f64',
  life: 'f64',
  /** An address heard again is noted only when its last note is this old, ns: most frames write nothing. */
  renewAfter: 'f64',
  /** Chain in which expired addresses are looked for next, to make room. */
  sweep: 'u32',

  // The spanning tree (IEEE 802.1D-1998 §8.5.3, §8.5.4). Identifiers are two words: priority and two bytes of the address, the other four. Times are ns.
  idHigh: 'u32',
  idLow: 'u32',
  rootHigh: 'u32',
  rootLow: 'u32',
  rootCost: 'u32',
  /** Port towards the root; 0 if this bridge is the root. */
  rootPort: 'ptr',
  priority: 'u32',
  /** Times in use: those of the root. */
  maxAge: 'f64',
  helloTime: 'f64',
  forwardDelay: 'f64',
  /** Times as set here: in use when this bridge is the root. */
  ownMaxAge: 'f64',
  ownHelloTime: 'f64',
  ownForwardDelay: 'f64',
  /** 1 while any port takes part and the bridge is up. */
  spanning: 'u8',
  /** 1: packets that it forwards are shown to the filters of its stack. */
  filters: 'u8',
  topologyChangeDetected: 'u8',
  topologyChange: 'u8',
  /** Topology changes since the bridge came up. */
  topologyChanges: 'u32',
  // When they expire; 0 while they do not run.
  helloTimer: 'f64',
  tcnTimer: 'f64',
  topologyTimer: 'f64',
  /** When the carriers of the ports are looked at next. */
  carrierTimer: 'f64',
  /** Callout in the wheel of its stack. */
  timer: { bytes: CALLOUT_BYTES },

  table: { bytes: ADDRESS_BUCKETS * 4 },
});
export type Bridge = ViewOf<typeof bridgeStruct>;
export const bridges = slab(bridgeStruct, 4096);

/** What a port does besides forwarding (IFBIF_*). */
export const PORT_LEARNS = 1;
/** Unknown unicast frames are sent by it. */
export const PORT_DISCOVERS = 2;
/** It takes part in the spanning tree. */
export const PORT_SPANS = 4;

/** State of a port (IEEE 802.1D-1998 §8.4, numbers of NetBSD). Ports that take no part in the spanning tree always forward. */
export const PORT_STATE = { disabled: 0, listening: 1, learning: 2, forwarding: 3, blocking: 4 } as const;

export const bridgePortStruct = struct('bridgePort', {
  next: 'ptr',
  nextpkt: 'ptr',
  bridge: 'ptr',
  /** The interface, or the plug of a switch's port, that is its end; 0 while the record is not in use. */
  end: 'ptr',
  flags: 'u32',
  state: 'u8',
  number: 'u16',
  /** Address of its end: source of what the bridge itself sends. */
  mac: { bytes: 8 },

  // The spanning tree (IEEE 802.1D-1998 §8.5.5, §8.5.6).
  priority: 'u32',
  pathCost: 'u32',
  /** Root, its distance, bridge and port of the best configuration message heard or sent on this LAN. */
  designatedRootHigh: 'u32',
  designatedRootLow: 'u32',
  designatedCost: 'u32',
  designatedBridgeHigh: 'u32',
  designatedBridgeLow: 'u32',
  designatedPort: 'u32',
  topologyChangeAcknowledge: 'u8',
  configPending: 'u8',
  // When they expire; 0 while they do not run.
  messageAgeTimer: 'f64',
  forwardDelayTimer: 'f64',
  holdTimer: 'f64',
});
export type BridgePort = ViewOf<typeof bridgePortStruct>;
export const bridgePorts = slab(bridgePortStruct, 16_384);

/** What differs between a stack's bridges and the lab's switches. */
export interface BridgeKind {
  /** Sends a frame by the port of an `end`; it is gone in any case. */
  send(end: number, m: number): void;
  /** A BPDU came in by a port that takes part in the spanning tree; the frame is the callee's. */
  takeBpdu(port: BridgePort, m: number): void;
  /** True while frames can pass by a port. */
  carries(port: BridgePort): boolean;
  /** Has stpTick() called at `deadline`, ns; Infinity: not before something else happens. With the lock held. */
  schedule(bridge: Bridge, deadline: number): void;
}

/** Numbers of kinds in records: the same in every thread. */
export const BRIDGE_KIND = { interface: 0, switch: 1, test: 2 } as const;
const kinds: BridgeKind[] = [];

/** Says in this thread what a kind of bridge does. */
export function setBridgeKind(kind: number, what: BridgeKind): void {
  kinds[kind] = what;
}

export function kindOf(bridge: Bridge): BridgeKind {
  return kinds[bridge.kind]!;
}

const DEFAULT_MAX_ADDRESSES = 100;
const DEFAULT_AGEING = 1200 * SECOND;
const DEFAULT_BRIDGE_PRIORITY = 32_768;
const DEFAULT_PORT_PRIORITY = 128;
const DEFAULT_PATH_COST = 55;
const DEFAULT_MAX_AGE = 20 * SECOND;
const DEFAULT_HELLO_TIME = 2 * SECOND;
const DEFAULT_FORWARD_DELAY = 15 * SECOND;

/** A bridge with the defaults of brconfig(8), down and without ports; 0 when the slab is full. */
export function newBridge(kind: number): number {
  const ptr = bridges.alloc();
  if (ptr === 0) return 0;
  const bridge = bridges.get(ptr);
  bridge.kind = kind;
  bridge.maxAddresses = DEFAULT_MAX_ADDRESSES;
  bridge.ageing = DEFAULT_AGEING;
  bridge.priority = DEFAULT_BRIDGE_PRIORITY;
  bridge.ownMaxAge = DEFAULT_MAX_AGE;
  bridge.ownHelloTime = DEFAULT_HELLO_TIME;
  bridge.ownForwardDelay = DEFAULT_FORWARD_DELAY;
  return ptr;
}

function isTaken(bridge: Bridge, number: number): boolean {
  for (let at = bridge.ports; at !== 0;) {
    const port = bridgePorts.get(at);
    if (port.number === number) return true;
    at = port.next;
  }
  return false;
}

/** The lowest port number that is free, `wanted` if that is. */
function freeNumber(bridge: Bridge, wanted: number): number {
  if (wanted > 0 && !isTaken(bridge, wanted)) return wanted;
  let number = 1;
  while (isTaken(bridge, number)) number++;
  return number;
}

/** Adds a port for `end` behind the others, with number `wanted` if that is free; 0 when the slab is full. With the lock held, or before others know the bridge. */
export function addPort(bridge: Bridge, end: number, wanted: number): number {
  let ptr = bridge.retired;
  if (ptr !== 0) bridge.retired = bridgePorts.get(ptr).next;
  else ptr = bridgePorts.alloc();
  if (ptr === 0) return 0;
  const port = bridgePorts.get(ptr);
  port.next = 0;
  port.bridge = bridge.ptr;
  port.flags = PORT_LEARNS | PORT_DISCOVERS;
  port.state = PORT_STATE.forwarding;
  port.number = freeNumber(bridge, wanted);
  port.priority = DEFAULT_PORT_PRIORITY;
  port.pathCost = DEFAULT_PATH_COST;
  port.end = end;
  if (bridge.ports === 0) bridge.ports = ptr;
  else {
    let last = bridgePorts.get(bridge.ports);
    while (last.next !== 0) last = bridgePorts.get(last.next);
    last.next = ptr;
  }
  return ptr;
}

/** Takes a port out of its bridge. With the lock held. */
export function removePort(bridge: Bridge, port: BridgePort): void {
  if (bridge.ports === port.ptr) bridge.ports = port.next;
  else {
    let at = bridgePorts.get(bridge.ports);
    while (at.next !== port.ptr) at = bridgePorts.get(at.next);
    at.next = port.next;
  }
  port.end = 0;
  port.next = bridge.retired;
  bridge.retired = port.ptr;
}

/** Frees a bridge that has neither ports nor addresses. No thread works. */
export function freeBridge(bridge: Bridge): void {
  for (let at = bridge.retired; at !== 0;) {
    const { next } = bridgePorts.get(at);
    bridgePorts.free(at);
    at = next;
  }
  bridges.free(bridge.ptr);
}

/** The ports of a bridge, in order: for what is not done for every frame. */
export function portsOf(bridge: Bridge): BridgePort[] {
  const list: BridgePort[] = [];
  for (let at = bridge.ports; at !== 0; at = bridgePorts.get(at).next) list.push(bridgePorts.get(at));
  return list;
}
