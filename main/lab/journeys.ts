/**
 * The journeys of a running lab: stations come out of the shared ring in order, their places get their names, and whoever listens gets them.
 *
 * Entries name a place by its address. Places are freed only while no thread works, and drain() is called first then, so an address never means two places.
 */
import { inetNtoa } from '../../stack/socket/inet.ts';
import type { LabNode } from '../../stack/kernel/process.ts';
import { ifnets, interfaceName } from '../../stack/net/ifnet.ts';
import { drainJourneys, followPackets, following, journeysLost } from '../../stack/net/journey.ts';
import type { JourneyChoice, JourneyEntry } from '../../stack/net/journey.ts';
import { stacks } from '../../stack/net/stack.ts';
import { wallClock } from '../../stack/runtime/clock.ts';
import type { JourneyStation } from '../capture/journey.ts';
import type { LinkEnd, NormalLab } from './file/model.ts';
import type { LabLinkRecord } from './link.ts';
import { stationName, stationText } from './journey-text.ts';
import type { EntryNames } from './journey-text.ts';

/** Gets the stations passed since its last call, and how many were lost since the lab began. */
export type JourneyListener = (stations: readonly JourneyStation[], lost: number) => void;

export interface JourneyHub {
  /** Begins to follow packets, or stops with undefined; the stations of those under way still come. */
  follow(choice: JourneyChoice | undefined): void;
  /** True while packets are followed. */
  isFollowing(): boolean;
  /** Begins to hand stations to `listener`; returns what ends that. */
  listen(listener: JourneyListener): () => void;
  /** Hands on what is waiting; says whether there was anything. Call it before places are freed. */
  drain(): boolean;
  /** Places are about to be freed: hands on what names them, and forgets them. */
  beforeChange(): void;
}

/** What the hub has to know of a lab. */
export interface JourneyScene {
  readonly lab: NormalLab;
  readonly nodes: ReadonlyMap<string, LabNode>;
  readonly links: ReadonlyMap<string, LabLinkRecord>;
}

interface Place {
  readonly node: string;
  readonly name: string;
  /** The stack that it is or belongs to, 0 for a link. */
  readonly stack: number;
  readonly isStack: boolean;
  readonly ends: readonly LinkEnd[];
}

const NOWHERE: Place = { node: '', name: 'unknown', stack: 0, isStack: false, ends: [] };
const TCP = 6;
const UDP = 17;

export function journeyHub(scene: JourneyScene): JourneyHub {
  const places = new Map<number, Place>();
  const listeners = new Set<JourneyListener>();
  let batch: JourneyStation[] = [];

  function learnPlaces(): void {
    for (const node of scene.nodes.values()) learnNode(node, places);
    for (const link of scene.lab.links) {
      const ptr = scene.links.get(link.name)?.ptr;
      if (ptr === undefined) continue;
      places.set(ptr, { node: '', name: `link:${link.name}`, stack: 0, isStack: false, ends: link.ends });
    }
  }

  function placeAt(ptr: number): Place {
    const known = places.get(ptr);
    if (known !== undefined) return known;
    // Whatever it is, it is looked for once; an interface that is new is among those that are learned now.
    places.set(ptr, NOWHERE);
    learnPlaces();
    return places.get(ptr)!;
  }

  function visit(entry: JourneyEntry): void {
    const place = placeAt(entry.place);
    batch.push({
      journey: entry.id,
      time: wallClock(entry.time),
      thread: entry.thread,
      node: place.node,
      place: entry.protocol === 0 ? place.name : socketName(entry),
      station: stationName(entry.station),
      text: stationText(entry, namesAt(place)),
      buffer: entry.mbuf,
    });
  }

  function drain(): boolean {
    if (listeners.size === 0) return false;
    const any = drainJourneys(visit);
    if (batch.length === 0) return any;
    const stations = batch;
    batch = [];
    for (const listener of listeners) listener(stations, journeysLost());
    return any;
  }

  return {
    follow: followPackets,
    isFollowing: following,
    listen(listener) {
      // What came while nobody listened is of no concern to whoever begins to.
      if (listeners.size === 0) drainJourneys(() => undefined);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    drain,
    beforeChange() {
      drain();
      places.clear();
    },
  };
}

/** The stacks of a node and their interfaces; only the stacks that are not its first show their prefix. */
function learnNode(node: LabNode, places: Map<number, Place>): void {
  for (const { address, prefix } of node.stacks.values()) {
    const common = { node: node.name, stack: address, ends: [] };
    places.set(address, { ...common, name: `${node.name}${prefix}`, isStack: true });
    for (let ptr = stacks.get(address).interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
      places.set(ptr, { ...common, name: `${node.name}:${interfaceName(ifnets.get(ptr))}`, isStack: false });
    }
  }
}

function namesAt(place: Place): EntryNames {
  return {
    atStack: place.isStack,
    interfaceName: (index) => interfaceByIndex(place.stack, index),
    linkEnd: (end) => endName(place.ends[end]),
  };
}

function interfaceByIndex(stack: number, index: number): string {
  let ptr = stack === 0 ? 0 : stacks.get(stack).interfaces;
  while (ptr !== 0 && ifnets.get(ptr).index !== index) ptr = ifnets.get(ptr).next;
  return ptr === 0 ? `interface ${index}` : interfaceName(ifnets.get(ptr));
}

function endName(end: LinkEnd | undefined): string {
  if (end === undefined) return 'an end';
  if (end.kind === 'node') return `${end.node}:${end.interface}`;
  return end.kind === 'switch' ? `${end.name}:${end.port}` : end.name;
}

/** `tcp 10.0.0.1:80`, `udp *:53`, `raw 1 *`: a raw socket has a protocol where others have a port. */
function socketName({ protocol, address, port }: JourneyEntry): string {
  const host = address === 0 ? '*' : inetNtoa(address);
  if (protocol !== TCP && protocol !== UDP) return `raw ${port} ${host}`;
  return `${protocol === TCP ? 'tcp' : 'udp'} ${host}:${port}`;
}
