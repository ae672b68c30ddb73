/**
 * What can be seen in a snapshot without playing its history: the lab as it was at its place, read from the memory image with the very calls that `ifconfig`, `netstat`
 * and `route` make on a node.
 */
import '../one-memory.ts';
import { slabReports } from '../../../stack/memory/slab.ts';
import type { SlabReport } from '../../../stack/memory/slab.ts';
import { mbufReports } from '../../../stack/memory/mbuf.ts';
import { hashFirst } from '../../../stack/memory/hash.ts';
import type { InterfaceInfo, RouteInfo, SocketInfo } from '../../../stack/runtime/messages/control.ts';
import { interfaceControls } from '../../../stack/io-pkt/control-interfaces.ts';
import { routeControls } from '../../../stack/io-pkt/control-routes.ts';
import { statisticsControls } from '../../../stack/io-pkt/control-statistics.ts';
import { ifaddrs, ifnets } from '../../../stack/net/ifnet.ts';
import { plugs } from '../../../stack/net/plug.ts';
import { routes } from '../../../stack/net/route.ts';
import { sockets } from '../../../stack/net/socket.ts';
import { NEIGHBOUR_BUCKETS, ROUTE_BUCKETS, stacks } from '../../../stack/net/stack.ts';
import type { Stack } from '../../../stack/net/stack.ts';
import { neighbours } from '../../../stack/netinet/arp.ts';
import { directions, links } from '../link-record.ts';
import { SnapshotError } from './format.ts';
import type { SnapshotFile } from './format.ts';
import { layoutHash } from './layouts.ts';
import { loadImage } from './snapshot.ts';

export interface StackInspection {
  /** '' or '/alt'. */
  readonly prefix: string;
  readonly variant: string;
  readonly interfaces: readonly InterfaceInfo[];
  readonly routes: readonly RouteInfo[];
  readonly sockets: readonly SocketInfo[];
}

export interface LinkInspection {
  readonly name: string;
  /** What has entered the link at each of its ends. */
  readonly ends: readonly {
    readonly end: string;
    readonly packets: number;
    readonly bytes: number;
    readonly drops: number;
  }[];
}

export interface Inspection {
  readonly nodes: readonly {
    readonly name: string;
    readonly stacks: readonly StackInspection[];
    readonly programs: readonly { readonly pid: number; readonly argv: readonly string[] }[];
  }[];
  readonly links: readonly LinkInspection[];
  readonly pools: readonly SlabReport[];
  readonly image: { readonly layout: string; readonly bytes: number; readonly packed: number };
}

/** Looks into a snapshot. This program runs no lab before or after. @throws SnapshotError if its memory makes no sense. */
export function inspectSnapshot(snapshot: SnapshotFile): Inspection {
  loadImage(snapshot.image);
  const { cold, image, allLayouts } = snapshot.header;
  const total = (what: 'bytes' | 'packed'): number => image.reduce((sum, run) => sum + run[what], 0);
  try {
    checkPlugs();
    return {
      nodes: cold.nodes.map(({ name, stacks: list, programs }) => ({
        name,
        stacks: list.map(({ prefix, variant, address }) => ({ prefix, variant, ...inspectStack(address) })),
        programs,
      })),
      links: cold.links.map(({ name, address, ends }) => inspectLink(name, address, ends)),
      pools: [...mbufReports(), ...slabReports()],
      image: { layout: layoutHash(allLayouts), bytes: total('bytes'), packed: total('packed') },
    };
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
    throw new SnapshotError(
      `is damaged: its memory image makes no sense (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

function inspectStack(address: number): Omit<StackInspection, 'prefix' | 'variant'> {
  const stack = stacks.get(address);
  checkLists(stack);
  return {
    interfaces: interfaceControls.SIOCGIFCONF(stack, {}),
    routes: routeControls.RTM_LIST(stack, {}),
    sockets: statisticsControls.SOCKETS(stack, { all: true }),
  };
}

function inspectLink(name: string, address: number, ends: readonly string[]): LinkInspection {
  const records = listOf(
    links.get(address).directions,
    (ptr) => directions.get(ptr).next,
    directions.capacity,
  );
  return {
    name,
    ends: records.map((ptr, i) => {
      const { packets, bytes, drops } = directions.get(ptr);
      return { end: ends[i] ?? '?', packets, bytes, drops };
    }),
  };
}

/** The records of a list, which must end: the calls that follow it have trust in that. */
function listOf(first: number, next: (ptr: number) => number, most: number): number[] {
  const list: number[] = [];
  for (let ptr = first; ptr !== 0; ptr = next(ptr)) {
    if (list.push(ptr) > most) throw new SnapshotError('is damaged: a list in its memory image has no end');
  }
  return list;
}

function checkLists(stack: Stack): void {
  for (const ptr of listOf(stack.interfaces, (at) => ifnets.get(at).next, ifnets.capacity)) {
    listOf(ifnets.get(ptr).addresses, (at) => ifaddrs.get(at).next, ifaddrs.capacity);
  }
  listOf(stack.sockets, (at) => sockets.get(at).next, sockets.capacity);
  for (let bucket = 0; bucket < ROUTE_BUCKETS; bucket++) {
    listOf(hashFirst(stack.routes, ROUTE_BUCKETS, bucket), (at) => routes.get(at).next, routes.capacity);
  }
  for (let bucket = 0; bucket < NEIGHBOUR_BUCKETS; bucket++) {
    const first = hashFirst(stack.neighbours, NEIGHBOUR_BUCKETS, bucket);
    listOf(first, (at) => neighbours.get(at).next, neighbours.capacity);
  }
}

/** The plugs of a link lie in a ring: one that never comes back to where it began would never end. */
function checkPlugs(): void {
  plugs.each((plug) => {
    if (plug.ring === 0) return;
    listOf(plug.ring, (at) => (at === plug.ptr ? 0 : plugs.get(at).ring), plugs.capacity);
  });
}
