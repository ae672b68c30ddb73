// The spanning tree of a network of bridges, computed from its definition (IEEE 802.1D-1998 §8.3.1, §8.3.2) and not by the protocol: who the root is, how far
// everybody is from it, which port leads to it, and which port serves each LAN. And what the protocol has made of it in bridges of ours.
import { PORT_STATE, portsOf } from '../../stack/net/bridge-record.ts';
import type { Bridge, BridgePort } from '../../stack/net/bridge-record.ts';
import { isDesignatedPort, portId } from '../../stack/net/stp.ts';

export interface TreePort {
  /** Priority, then number. */
  readonly id: number;
  readonly cost: number;
  readonly lan: string;
}

export interface TreeBridge {
  /** Priority, then address: as many hexadecimal digits for all, so that texts compare as numbers do. */
  readonly id: string;
  readonly ports: readonly TreePort[];
}

export type Role = 'root' | 'designated' | 'blocked';

/** Compares lists by their first difference. */
function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [i, value] of a.entries()) {
    if (value === b[i]) continue;
    return value < b[i]! ? -1 : 1;
  }
  return 0;
}

function best<T>(items: readonly T[], key: (item: T) => readonly (string | number)[]): T | undefined {
  return items.length === 0 ? undefined : items.reduce((a, b) => (compare(key(b), key(a)) < 0 ? b : a));
}

/** Distances of all bridges to the best root they can reach: relaxed until nothing changes. */
function distances(bridges: readonly TreeBridge[]): Map<TreeBridge, { root: string; cost: number }> {
  const known = new Map(bridges.map((bridge) => [bridge, { root: bridge.id, cost: 0 }]));
  for (let changed = true; changed;) {
    changed = false;
    for (const bridge of bridges) {
      for (const port of bridge.ports) {
        for (const other of bridges.filter(({ ports }) => ports.some(({ lan }) => lan === port.lan))) {
          const { root, cost } = known.get(other)!;
          const mine = known.get(bridge)!;
          if (compare([root, cost + port.cost], [mine.root, mine.cost]) >= 0) continue;
          known.set(bridge, { root, cost: cost + port.cost });
          changed = true;
        }
      }
    }
  }
  return known;
}

/** The role of every port, in the order of bridges and their ports. */
export function computedRoles(bridges: readonly TreeBridge[]): Role[][] {
  const known = distances(bridges);
  const ends = bridges.flatMap((bridge) => bridge.ports.map((port) => ({ bridge, port })));
  const designated = (lan: string): (typeof ends)[number] =>
    best(
      ends.filter(({ port }) => port.lan === lan),
      ({ bridge, port }) => [known.get(bridge)!.cost, bridge.id, port.id],
    )!;
  return bridges.map((bridge) => {
    const uplinks = bridge.ports.filter(({ lan }) => designated(lan).bridge !== bridge);
    const rootPort =
      known.get(bridge)!.root === bridge.id
        ? undefined
        : best(uplinks, (port) => {
            const towards = designated(port.lan);
            return [known.get(towards.bridge)!.cost + port.cost, towards.bridge.id, towards.port.id, port.id];
          });
    return bridge.ports.map((port) => {
      if (port === rootPort) return 'root';
      return designated(port.lan).port === port ? 'designated' : 'blocked';
    });
  });
}

function hex(n: number, digits: number): string {
  return (n >>> 0).toString(16).padStart(digits, '0');
}

/** Role that the protocol has given a port: `unsettled` while a blocked one forwards, or another one does not. */
export function roleOf(bridge: Bridge, port: BridgePort): Role | 'disabled' | 'unsettled' {
  if (port.state === PORT_STATE.disabled) return 'disabled';
  const role =
    bridge.rootPort === port.ptr ? 'root' : isDesignatedPort(bridge, port) ? 'designated' : 'blocked';
  return port.state === (role === 'blocked' ? PORT_STATE.blocking : PORT_STATE.forwarding)
    ? role
    : 'unsettled';
}

/** The network of bridges as its definition sees it; `lanOf` names the LAN of a port. */
export function treeOf(network: readonly Bridge[], lanOf: (port: BridgePort) => string): TreeBridge[] {
  return network.map((bridge) => ({
    id: hex(bridge.idHigh, 8) + hex(bridge.idLow, 8),
    ports: portsOf(bridge).map((port) => ({ id: portId(port), cost: port.pathCost, lan: lanOf(port) })),
  }));
}
