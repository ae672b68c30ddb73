/**
 * The lab's switches: bridges (stack/net/bridge-record.ts) whose ports are plugs. Learning, flooding and the spanning tree are those of bridge interfaces; here is
 * how a switch comes by frames, how its ports send, and when its timers run: all of it in one event source, serviced by one thread at a time.
 */
import { mPullup } from '../../stack/memory/mbuf-chain.ts';
import { mFree, mFreeList, mbuf, mbufStruct } from '../../stack/memory/mbuf.ts';
import { f64 as sharedF64, putBe16, u32 as sharedU32 } from '../../stack/memory/memory.ts';
import { dequeueAll, enqueueList } from '../../stack/memory/queue.ts';
import { now, refreshNow } from '../../stack/runtime/clock.ts';
import {
  HANDLER,
  KIND,
  freeSource,
  newSource,
  raise,
  raiseAt,
  serviceInPlace,
  setSourceHandler,
} from '../../stack/runtime/source.ts';
import { parseBpdu } from '../../stack/net/bpdu.ts';
import { changeBridge } from '../../stack/net/bridge-change.ts';
import { bridgeFrame } from '../../stack/net/bridge-forward.ts';
import {
  BRIDGE_KIND,
  PORT_SPANS,
  addPort,
  bridgePorts,
  bridges,
  freeBridge,
  newBridge,
  portsOf,
  removePort,
  setBridgeKind,
} from '../../stack/net/bridge-record.ts';
import type { Bridge, BridgePort } from '../../stack/net/bridge-record.ts';
import { clearAddresses, setAddressLife } from '../../stack/net/bridge-table.ts';
import { ETHER_HEADER } from '../../stack/net/ethernet.ts';
import { freePlug, newPlug, plugCarrier, plugIn, plugOut, plugStruct, plugs } from '../../stack/net/plug.ts';
import type { Plug } from '../../stack/net/plug.ts';
import { stpReceive, stpStart, stpTick } from '../../stack/net/stp-events.ts';
import type { NormalSwitch } from './file/model.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const f64 = sharedF64;
const u32 = sharedU32;

// What of every frame and of its port is looked at, by word: no views are made.
const NEXTPKT = mbufStruct.offsets.nextpkt >>> 2;
const TIME = mbufStruct.offsets.time >>> 3;
const PLUG_LINK = plugStruct.offsets.link >>> 2;
const BATCH_FIRST = plugStruct.offsets.batchFirst >>> 2;
const BATCH_LAST = plugStruct.offsets.batchLast >>> 2;
const BATCHED = plugStruct.offsets.batched >>> 2;

const SWITCH_PRIORITY = 22;
/** Most addresses of one switch; when it is full new ones are not learned and frames for them go everywhere. */
const MOST_ADDRESSES = 8192;

/** A switch as the lab keeps it. */
export interface LabSwitch {
  readonly name: string;
  readonly bridge: Bridge;
  /** Plug of each port by its name. */
  readonly plugs: ReadonlyMap<string, number>;
}

/** Makes switch number `index` of a lab. Throws when the memory has no room. */
export function createSwitch(options: NormalSwitch, index: number, home: number): LabSwitch {
  const { name } = options;
  const ptr = newBridge(BRIDGE_KIND.switch);
  const source = newSource({
    kind: KIND.hardware,
    handler: HANDLER.switch,
    arg: ptr,
    stack: 0,
    home,
    priority: SWITCH_PRIORITY,
  });
  if (ptr === 0 || source === 0)
    throw new Error(`switch ${name}: at most ${bridges.capacity} switches and bridges fit into one lab`);
  const bridge = bridges.get(ptr);
  bridge.source = source;
  bridge.up = 1;
  bridge.maxAddresses = MOST_ADDRESSES;
  bridge.ageing = options.ageingNs;
  bridge.priority = options.priority;
  setAddressLife(bridge);
  const byName = new Map<string, number>();
  options.ports.forEach((port, i) => byName.set(port, createPort(bridge, name, index, i + 1)));
  if (options.stp) for (const port of portsOf(bridge)) port.flags |= PORT_SPANS;
  return { name, bridge, plugs: byName };
}

/**
 * Adds port `number` to a switch; returns its plug. Numbers above 255 take bits of the priority in the port's identifier, as in IEEE 802.1D-2004 §9.2.7: those of
 * the default are 0.
 */
function createPort(bridge: Bridge, name: string, index: number, number: number): number {
  const plug = newPlug();
  const port = plug === 0 ? 0 : addPort(bridge, plug, number);
  if (port === 0) throw new Error(`switch ${name}: at most ${bridgePorts.capacity} ports fit into one lab`);
  putHardwareAddress(bridgePorts.get(port).mac, index, number);
  const view = plugs.get(plug);
  view.device = bridge.source;
  view.up = 1;
  view.always = 1;
  return plug;
}

/** Locally administered, and other than those of cards: the switch's number, then the port's. */
function putHardwareAddress(mac: number, index: number, number: number): void {
  putBe16(mac, 0x0600);
  putBe16(mac + 2, index);
  putBe16(mac + 4, number);
}

/** Lets a switch take part in the spanning tree, if it is to. Its links are there; no thread works yet. */
export function startSwitch({ bridge }: LabSwitch): void {
  if (portsOf(bridge).every(({ flags }) => (flags & PORT_SPANS) === 0)) return;
  changeBridge(bridge, (time) => stpStart(bridge, time));
  raise(bridge.source);
}

/** Frees a switch. Its ports are in no link any more, and no thread works. */
export function destroySwitch({ bridge }: LabSwitch): void {
  clearAddresses(bridge);
  for (const port of portsOf(bridge)) {
    freePlug(plugs.get(port.end));
    removePort(bridge, port);
  }
  freeSource(bridge.source);
  freeBridge(bridge);
}

/** Puts a frame among those that leave by a port once the batch is through. */
function send(plug: number, m: number): void {
  const word = plug >>> 2;
  if (u32[word + PLUG_LINK] === 0) {
    mFree(m);
    return;
  }
  f64[(m >>> 3) + TIME] = now();
  u32[(m >>> 2) + NEXTPKT] = 0;
  if (u32[word + BATCHED]!++ === 0) u32[word + BATCH_FIRST] = m;
  else u32[(u32[word + BATCH_LAST]! >>> 2) + NEXTPKT] = m;
  u32[word + BATCH_LAST] = m;
}

/** What was gathered for a port goes into its link. */
function sendBatch(plug: Plug): void {
  const { batched } = plug;
  if (batched === 0) return;
  plug.batched = 0;
  mFreeList(enqueueList(plugOut(plug), plug.batchFirst, plug.batchLast, batched));
  serviceInPlace(plug.link);
}

function takeBpdu(port: BridgePort, m: number): void {
  if (parseBpdu(m)) {
    const bridge = bridges.get(port.bridge);
    changeBridge(bridge, (time) => stpReceive(bridge, port, time));
  }
  mFree(m);
}

function input(bridge: Bridge, port: BridgePort, frame: number): void {
  const m = mbuf(frame).len >= ETHER_HEADER ? frame : mPullup(frame, ETHER_HEADER);
  if (m !== 0) bridgeFrame(bridge, port, port.end, m);
}

function serviceSwitch(ptr: number): boolean {
  const bridge = bridges.get(ptr);
  refreshNow();
  if (bridge.spanning !== 0) changeBridge(bridge, (time) => stpTick(bridge, time));
  for (let at = bridge.ports; at !== 0;) {
    const port = bridgePorts.get(at);
    for (let m = dequeueAll(plugIn(plugs.get(port.end))); m !== 0;) {
      const next = u32[(m >>> 2) + NEXTPKT]!;
      u32[(m >>> 2) + NEXTPKT] = 0;
      input(bridge, port, m);
      m = next;
    }
    at = port.next;
  }
  for (let at = bridge.ports; at !== 0; at = bridgePorts.get(at).next)
    sendBatch(plugs.get(bridgePorts.get(at).end));
  return true;
}

/** Tells the runtime of this thread what services switches. */
export function installSwitches(): void {
  setSourceHandler(HANDLER.switch, serviceSwitch);
  setBridgeKind(BRIDGE_KIND.switch, {
    send,
    takeBpdu,
    carries: ({ end }) => plugCarrier(plugs.get(end)),
    schedule(bridge, deadline) {
      if (deadline !== Infinity) raiseAt(bridge.source, deadline);
    },
  });
}
