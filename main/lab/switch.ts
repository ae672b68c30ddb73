/**
 * Learning switches: each port is a plug of its own; the switch learns where hardware addresses are from the sources of frames, sends frames for known ones to
 * one port and all others to every port (IEEE 802.1D §7, without the spanning tree).
 */
import { be16, be32, i32 } from '../../stack/memory/memory.ts';
import { hashFirst, hashInsert, hashRemove, mix3 } from '../../stack/memory/hash.ts';
import { mPullup, mSharePacket } from '../../stack/memory/mbuf-chain.ts';
import { mFree, mbuf, ownerTag } from '../../stack/memory/mbuf.ts';
import { dequeueAll, enqueue, nextRecord } from '../../stack/memory/queue.ts';
import { slab } from '../../stack/memory/slab.ts';
import { struct } from '../../stack/memory/struct.ts';
import type { ViewOf } from '../../stack/memory/struct.ts';
import { refreshNow } from '../../stack/runtime/clock.ts';
import {
  HANDLER,
  KIND,
  freeSource,
  newSource,
  serviceInPlace,
  setSourceHandler,
} from '../../stack/runtime/source.ts';
import { ETHER_HEADER } from '../../stack/net/ethernet.ts';
import { freePlug, newPlug, plugIn, plugOut, plugs } from '../../stack/net/plug.ts';

const LINK = ownerTag('link');
const BUCKETS = 256;
const SWITCH_PRIORITY = 22;
/** Most addresses of one switch; when it is full new ones are not learned and frames for them go everywhere. */
const MOST_ADDRESSES = 8192;

const switchStruct = struct('bridgeSwitch', {
  next: 'ptr',
  nextpkt: 'ptr',
  source: 'ptr',
  /** First port; the others follow by portStruct.next. */
  ports: 'ptr',
  addresses: 'u32',
  /** Life of what was learned, ns; 0: for ever. */
  ageing: 'f64',
  table: { bytes: BUCKETS * 4 },
});
const switches = slab(switchStruct, 2048);

const portStruct = struct('switchPort', { next: 'ptr', nextpkt: 'ptr', plug: 'ptr' });
const ports = slab(portStruct, 16_384);

const stationStruct = struct('station', {
  next: 'ptr',
  nextpkt: 'ptr',
  /** Hardware address: its first two bytes and its last four. */
  high: 'u32',
  low: 'i32',
  port: 'ptr',
  expires: 'f64',
});
type Station = ViewOf<typeof stationStruct>;
const stations = slab(stationStruct, 65_536);
const LINK_WORD = stationStruct.offsets.next;

/** A switch as the lab keeps it. */
export interface LabSwitch {
  readonly name: string;
  readonly ptr: number;
  /** Plug of each port by its name. */
  readonly plugs: ReadonlyMap<string, number>;
}

/** Makes a switch with ports of these names. Throws when the memory has no room. */
export function createSwitch(
  name: string,
  portNames: readonly string[],
  ageingNs: number,
  home: number,
): LabSwitch {
  const ptr = switches.alloc();
  const source = newSource({
    kind: KIND.hardware,
    handler: HANDLER.switch,
    arg: ptr,
    stack: 0,
    home,
    priority: SWITCH_PRIORITY,
  });
  if (ptr === 0 || source === 0)
    throw new Error(`switch ${name}: at most ${switches.capacity} switches fit into one lab`);
  const made = switches.get(ptr);
  made.source = source;
  made.ageing = ageingNs;
  const byName = new Map<string, number>();
  for (const portName of [...portNames].reverse()) {
    const port = ports.alloc();
    const plug = newPlug();
    if (port === 0 || plug === 0)
      throw new Error(`switch ${name}: at most ${ports.capacity} ports fit into one lab`);
    const view = plugs.get(plug);
    view.device = source;
    view.up = 1;
    view.always = 1;
    ports.get(port).plug = plug;
    ports.get(port).next = made.ports;
    made.ports = port;
    byName.set(portName, plug);
  }
  return { name, ptr, plugs: byName };
}

/** Frees a switch. Its ports are in no link any more, and no thread works. */
export function destroySwitch(record: LabSwitch): void {
  const gone = switches.get(record.ptr);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    for (let at = hashFirst(gone.table, BUCKETS, bucket); at !== 0;) {
      const next = stations.get(at).next;
      stations.free(at);
      at = next;
    }
  }
  for (let at = gone.ports; at !== 0;) {
    const port = ports.get(at);
    const next = port.next;
    freePlug(plugs.get(port.plug));
    ports.free(at);
    at = next;
  }
  freeSource(gone.source);
  switches.free(record.ptr);
}

type SwitchView = ViewOf<typeof switchStruct>;

function findStation(self: SwitchView, high: number, low: number): Station | undefined {
  for (let at = hashFirst(self.table, BUCKETS, mix3(high, low, 0)); at !== 0; at = stations.get(at).next) {
    const station = stations.get(at);
    if (station.low === low && station.high === high) return station;
  }
  return undefined;
}

function learn(self: SwitchView, port: number, high: number, low: number, time: number): void {
  const expires = self.ageing === 0 ? Infinity : time + self.ageing;
  const known = findStation(self, high, low);
  if (known !== undefined) {
    known.port = port;
    known.expires = expires;
    return;
  }
  if (self.addresses >= MOST_ADDRESSES) return;
  const at = stations.alloc();
  if (at === 0) return;
  const station = stations.get(at);
  station.high = high;
  station.low = low;
  station.port = port;
  station.expires = expires;
  hashInsert(self.table, BUCKETS, mix3(high, low, 0), at, LINK_WORD);
  self.addresses++;
}

/** The port where an address was seen, 0 if it is not known (any more). */
function portOf(self: SwitchView, high: number, low: number, time: number): number {
  const station = findStation(self, high, low);
  if (station === undefined) return 0;
  if (station.expires > time) return station.port;
  hashRemove(self.table, BUCKETS, mix3(high, low, 0), station.ptr, LINK_WORD);
  stations.free(station.ptr);
  self.addresses--;
  return 0;
}

/** Queues a frame on a port; its link is raised once the batch is through. */
function output(port: number, m: number): void {
  const plug = plugs.get(ports.get(port).plug);
  if (plug.link === 0 || !enqueue(plugOut(plug), m)) mFree(m);
}

function flood(self: SwitchView, from: number, m: number): void {
  let to = 0;
  for (let port = self.ports; port !== 0; port = ports.get(port).next) {
    if (port === from || plugs.get(ports.get(port).plug).link === 0) continue;
    if (to !== 0) {
      const copy = mSharePacket(LINK, m);
      if (copy !== 0) output(to, copy);
    }
    to = port;
  }
  if (to === 0) mFree(m);
  else output(to, m);
}

function forward(self: SwitchView, from: number, frame: number, time: number): void {
  const m = mbuf(frame).len >= ETHER_HEADER ? frame : mPullup(frame, ETHER_HEADER);
  if (m === 0) return;
  const view = mbuf(m);
  view.time = time;
  const p = view.data;
  const sourceHigh = be16(p + 6);
  if ((sourceHigh & 0x100) === 0) learn(self, from, sourceHigh, be32(p + 8), time);
  const high = be16(p);
  const to = (high & 0x100) !== 0 ? 0 : portOf(self, high, be32(p + 2), time);
  if (to === from) mFree(m);
  else if (to === 0) flood(self, from, m);
  else output(to, m);
}

function serviceSwitch(ptr: number): boolean {
  const self = switches.get(ptr);
  const time = refreshNow();
  for (let port = self.ports; port !== 0; port = ports.get(port).next) {
    for (let m = dequeueAll(plugIn(plugs.get(ports.get(port).plug))); m !== 0;) {
      const next = nextRecord(m);
      i32[(m + 4) >>> 2] = 0;
      forward(self, port, m, time);
      m = next;
    }
  }
  for (let port = self.ports; port !== 0; port = ports.get(port).next) {
    const plug = plugs.get(ports.get(port).plug);
    if (plug.link !== 0 && plugOut(plug).len !== 0) serviceInPlace(plug.link);
  }
  return true;
}

/** Tells the runtime of this thread what services switches. */
export function installSwitches(): void {
  setSourceHandler(HANDLER.switch, serviceSwitch);
}
