/**
 * agr(4): link aggregation (IEEE 802.3ad). `ifconfig agr0 create; ifconfig agr0 agrport en0` makes several cards one interface: what is sent on it leaves by one of
 * its ports, what comes in by any of them comes in by it. Its hardware address is that of its first port. The control protocol (lacp.ts) says which ports are
 * used; with `link1` all that work are. `link0` sends by the ports in turn, which does not keep the order of conversations; `link2` asks partners for a
 * sign of life every second instead of every half minute.
 */
import { M_BCAST, M_MCAST, mFree, mFreeList, mbuf } from '../memory/mbuf.ts';
import { be16 } from '../memory/memory.ts';
import { dequeueAll, nextRecord } from '../memory/queue.ts';
import { SECOND, now } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { SLOG } from '../runtime/messages/severity.ts';
import { calloutInit } from '../runtime/wheel.ts';
import { distributeOver, portFor } from './agr-distribute.ts';
import {
  MOST_PORTS,
  MUX,
  actorOf,
  addPort,
  agrPorts,
  agrs,
  freeAgr,
  partnerOf,
  portsOf,
  removePort,
} from './agr-record.ts';
import type { Agr, AgrPort } from './agr-record.ts';
import { CALLOUT, setCalloutHandler } from './callouts.ts';
import { expectWords, registerCloner } from './cloner.ts';
import type { Settings } from './cloner.ts';
import { ETHERMTU, copyMac, etherReceive, queueForStack, setAggregateInput } from './ethernet.ts';
import {
  DRIVER,
  IFT_ETHER,
  announceEvent,
  countOutput,
  driverOf,
  findInterface,
  ifAttach,
  ifPromisc,
  ifQueue,
  ifnets,
  interfaceName,
  onInterfaceEvent,
  registerDriver,
  sendQueue,
} from './ifnet.ts';
import type { DriverCommand, Ifnet, InterfaceEvent } from './ifnet.ts';
import { STATION, station } from './journey.ts';
import { fixedSettle, initializePort, lacpLeave, lacpNext, lacpReceive, lacpSettle } from './lacp.ts';
import {
  ETHERTYPE_SLOW,
  LACP,
  SLOW_LACP,
  SLOW_MARKER,
  makeMarkerResponse,
  parseLacp,
  slowSubtype,
} from './lacp-pdu.ts';
import type { Party } from './lacp-pdu.ts';
import { logStack } from './log.ts';
import { setInputHandler } from './netisr.ts';
import { cancelCallout, setCallout, stacks } from './stack.ts';
import type { Stack } from './stack.ts';
import { OUTBOUND, tapPacket } from './tap.ts';

/** How often the carriers of ports are looked at. */
const CARRIER_TIME = SECOND;

/** The largest MTU while there are no ports. */
const MTU_MAX = 9000;

function agrOf(ifp: Ifnet): Agr {
  return agrs.get(ifp.softc);
}

// Receiving: any thread, no stack context.

function input(ifp: Ifnet, m: number): number {
  // Another thread may have taken it out of its aggregate since it was looked at.
  const ptr = ifp.aggregate;
  const port = ptr === 0 ? undefined : agrPorts.get(ptr);
  if (port === undefined || port.interface !== ifp.ptr) return m;
  const view = mbuf(m);
  if (be16(view.data + 12) === ETHERTYPE_SLOW) {
    queueForStack(ifp, m, ETHERTYPE_SLOW);
    return 0;
  }
  const aggregate = agrs.get(port.agr).interface;
  if (port.collects === 0) {
    ifp.iqdrops++;
    station(m, STATION.drop, ifp.ptr, 0);
    mFree(m);
    return 0;
  }
  station(m, STATION.aggregate, aggregate, ifp.index);
  view.flags &= ~(M_BCAST | M_MCAST);
  etherReceive(ifnets.get(aggregate), m);
  return 0;
}

// Sending: any thread, under the transmit lock of the aggregate's interface.

function start(ifp: Ifnet): void {
  const agr = agrOf(ifp);
  let m = dequeueAll(sendQueue(ifp));
  const inTurn = (ifp.flags & IFF.LINK0) !== 0;
  while (m !== 0) {
    const next = nextRecord(m);
    const view = mbuf(m);
    const { pktLen } = view;
    view.nextpkt = 0;
    if (send(ifp, agr, m, inTurn)) countOutput(ifp, 1, pktLen);
    else ifp.oerrors++;
    m = next;
  }
}

/** Sends a frame by one of the ports; says whether that took it. */
function send(ifp: Ifnet, agr: Agr, m: number, inTurn: boolean): boolean {
  if (agr.distributing === 0) {
    station(m, STATION.drop, ifp.ptr, ERRNO.ENETDOWN);
    mFree(m);
    return false;
  }
  if (ifp.taps !== 0) {
    tapPacket(ifp.taps, m, OUTBOUND, now());
    station(m, STATION.tap, ifp.ptr, OUTBOUND);
  }
  const port = ifnets.get(portFor(agr, m, inTurn));
  station(m, STATION.aggregate, ifp.ptr, port.index);
  return ifQueue(port, m) === 0;
}

// The control protocol and settings: in the stack context.

/** A frame of a slow protocol, for the stack context. */
function slowInput(_stack: number, m: number): void {
  const ifp = ifnets.get(mbuf(m).rcvif);
  const ptr = ifp.aggregate;
  const subtype = slowSubtype(m);
  if (ptr === 0 || (subtype !== SLOW_LACP && subtype !== SLOW_MARKER)) {
    ifp.noproto++;
    mFree(m);
    return;
  }
  station(m, STATION.consumed, ifp.ptr, ETHERTYPE_SLOW);
  const port = agrPorts.get(ptr);
  if (subtype === SLOW_MARKER) {
    answerMarker(ifp, m);
    return;
  }
  const agr = agrs.get(port.agr);
  if (!parseLacp(m)) ifp.ierrors++;
  else if (agr.fixed === 0) {
    lacpReceive(agr, port, now());
    settle(agr);
  }
  mFree(m);
}

/** The marker protocol's responder (§5.3.4.3): what was sent before the marker has been taken by then. */
function answerMarker(ifp: Ifnet, m: number): void {
  const response = makeMarkerResponse(m, ifp.mac);
  if (response !== 0) ifQueue(ifp, response);
}

/** Brings everything in line with what has happened. */
function settle(agr: Agr): void {
  const ifp = ifnets.get(agr.interface);
  const time = now();
  const fixed = (ifp.flags & IFF.LINK1) !== 0 ? 1 : 0;
  if (fixed !== agr.fixed) {
    agr.fixed = fixed;
    for (const port of portsOf(agr)) initializePort(agr, port);
  }
  if (fixed !== 0) fixedSettle(agr);
  else lacpSettle(agr, time);
  updateDistribution(agr);
  const up = (ifp.flags & IFF.UP) !== 0;
  if (up && agr.carrierTimer <= time) agr.carrierTimer = time + CARRIER_TIME;
  const next = Math.min(up ? agr.carrierTimer : Infinity, fixed !== 0 ? Infinity : lacpNext(agr, time));
  if (next === Infinity) cancelCallout(ifp.stack, agr.timer);
  else setCallout(ifp.stack, agr.timer, next);
}

function distributes(port: AgrPort): boolean {
  return port.mux === MUX.distributing;
}

/** Tells senders which ports distribute, if that has changed, and the log. */
function updateDistribution(agr: Agr): void {
  const changed = portsOf(agr).filter((port) => (port.distributes !== 0) !== distributes(port));
  if (changed.length === 0) return;
  const own = ifnets.get(agr.interface);
  for (const port of changed) {
    port.distributes = distributes(port) ? 1 : 0;
    const what = distributes(port) ? 'is used' : 'is not used any more';
    const name = interfaceName(ifnets.get(port.interface));
    logStack(own.stack, SLOG.notice, `${interfaceName(own)}: ${name} ${what}`);
  }
  tellSenders(agr);
}

function tellSenders(agr: Agr): void {
  const members = portsOf(agr).filter(distributes);
  distributeOver(
    agr,
    members.map((port) => port.interface),
  );
}

/** Switches a port on, should it be off. Throws SystemError. */
function bringUp(ifp: Ifnet): void {
  if ((ifp.flags & IFF.UP) !== 0) return;
  ifp.flags |= IFF.UP;
  const status = driverOf(ifp).init(ifp);
  if (status !== 0) {
    ifp.flags &= ~IFF.UP;
    throw new SystemError(status, interfaceName(ifp));
  }
  announceEvent(ifp, 'up');
}

/** Throws SystemError if an interface cannot become a port of an aggregate. */
function checkPort(own: Ifnet, agr: Agr, ifp: Ifnet): void {
  const name = interfaceName(ifp);
  const refuse = (errno: number, why: string): never => {
    throw new SystemError(errno, `${interfaceName(own)}: ${name} ${why}`);
  };
  if (ifp.aggregate !== 0) {
    const other = agrs.get(agrPorts.get(ifp.aggregate).agr);
    if (other.ptr === agr.ptr) refuse(ERRNO.EEXIST, 'is one of its ports already');
    refuse(ERRNO.EBUSY, `is a port of ${interfaceName(ifnets.get(other.interface))}`);
  }
  if (ifp.type !== IFT_ETHER || ifp.driver === DRIVER.agr || ifp.driver === DRIVER.vlan)
    refuse(ERRNO.EINVAL, 'is no Ethernet card, and only those can be its ports');
  if (ifp.addresses !== 0)
    refuse(ERRNO.EBUSY, `has an address; take it away first, with ifconfig ${name} delete`);
  if (ifp.bridge !== 0) refuse(ERRNO.EBUSY, 'is a member of a bridge; add the aggregate to that instead');
  if (ifp.vlans !== 0) refuse(ERRNO.EBUSY, 'has VLANs; put them on the aggregate instead');
  const ports = portsOf(agr);
  if (ports.length === MOST_PORTS)
    refuse(ERRNO.ENOSPC, `would be port ${MOST_PORTS + 1}, and it can have ${MOST_PORTS}`);
  const { mtu } = own;
  if (ports.length > 0 && ifp.mtu !== mtu)
    refuse(ERRNO.EINVAL, `has mtu ${ifp.mtu}; the ports there are have ${mtu}, and all must have the same`);
}

function attachPort(own: Ifnet, ifp: Ifnet): void {
  const agr = agrOf(own);
  checkPort(own, agr, ifp);
  bringUp(ifp);
  const first = agr.ports === 0;
  const ptr = addPort(agr, ifp.ptr);
  if (ptr === 0) throw new SystemError(ERRNO.ENOBUFS, interfaceName(ifp));
  const port = agrPorts.get(ptr);
  if (first) {
    copyMac(own.mac, ifp.mac);
    own.mtu = ifp.mtu;
    announceEvent(own, 'mac');
    announceEvent(own, 'mtu');
  }
  initializePort(agr, port);
  ifp.aggregate = ptr;
  ifPromisc(ifp, true);
  limitMtu(own, agr);
  settle(agr);
}

/** Takes a port out while the aggregate goes on. */
function detachPort(agr: Agr, port: AgrPort): void {
  const ifp = ifnets.get(port.interface);
  if (agr.fixed === 0) lacpLeave(port, now());
  ifPromisc(ifp, false);
  port.mux = MUX.detached;
  updateDistribution(agr);
  dropPort(agr, port);
  limitMtu(ifnets.get(agr.interface), agr);
  settle(agr);
}

/** Takes a port out and says nothing. */
function dropPort(agr: Agr, port: AgrPort): void {
  port.collects = 0;
  ifnets.get(port.interface).aggregate = 0;
  removePort(agr, port);
  port.distributes = 0;
  tellSenders(agr);
}

/** What all ports can carry, an aggregate can. */
function limitMtu(own: Ifnet, agr: Agr): void {
  own.mtuMax = Math.min(MTU_MAX, ...portsOf(agr).map((port) => ifnets.get(port.interface).mtuMax));
}

/** The interface that `agrport` or `-agrport` names. Throws SystemError. */
function portNamed(own: Ifnet, name: string): Ifnet {
  const ifp = findInterface(stacks.get(own.stack), name);
  if (ifp === undefined) throw new SystemError(ERRNO.ENXIO, name);
  return ifp;
}

function detachNamed(own: Ifnet, name: string): void {
  const ifp = portNamed(own, name);
  const agr = agrOf(own);
  const port = portsOf(agr).find((one) => one.interface === ifp.ptr);
  if (port === undefined) throw new SystemError(ERRNO.ENOENT, `${name} is no port of ${interfaceName(own)}`);
  detachPort(agr, port);
}

function configure(own: Ifnet, settings: Settings): void {
  expectWords(own, settings, ['agrport', '-agrport']);
  const names = (word: string): string[] => settings[word]?.split(' ') ?? [];
  for (const name of names('-agrport')) detachNamed(own, name);
  for (const name of names('agrport')) attachPort(own, portNamed(own, name));
}

/** `8000,02:00:00:00:00:00,0002`: a system and its key as LACP writes them. */
function partyText(party: Party): string {
  const hex = (n: number, digits: number): string => (n >>> 0).toString(16).padStart(digits, '0');
  const mac = hex(party.systemHigh, 4) + hex(party.systemLow, 8);
  return `${hex(party.systemPriority, 4)},${mac.replace(/..(?!$)/g, '$&:')},${hex(party.key, 4)}`;
}

function stateText({ state }: Party): string {
  const names = Object.entries(LACP).flatMap(([name, bit]) => ((state & bit) !== 0 ? [name] : []));
  return `${state.toString(16)}<${names.join(',')}>`;
}

const COLLECTING = 1;
const DISTRIBUTING = 2;

function describePort(agr: Agr, port: AgrPort): string[] {
  const bits = (port.collects !== 0 ? COLLECTING : 0) | (port.mux === MUX.distributing ? DISTRIBUTING : 0);
  const names = [
    ...((bits & COLLECTING) !== 0 ? ['COLLECTING'] : []),
    ...((bits & DISTRIBUTING) !== 0 ? ['DISTRIBUTING'] : []),
  ];
  const line = `agrport: ${interfaceName(ifnets.get(port.interface))}, flags=0x${bits}${names.length > 0 ? `<${names.join(',')}>` : ''}`;
  if (agr.fixed !== 0) return [line];
  return [
    line,
    `\tactor ${partyText(actorOf(port))} state ${stateText(actorOf(port))}`,
    `\tpartner ${partyText(partnerOf(port))} state ${stateText(partnerOf(port))}`,
  ];
}

function describe(ifp: Ifnet): string[] {
  const agr = agrOf(ifp);
  return portsOf(agr).flatMap((port) => describePort(agr, port));
}

function create(stack: Stack, name: string): number {
  const softc = agrs.alloc();
  if (softc === 0) return 0;
  const ptr = ifAttach(stack, {
    name,
    type: IFT_ETHER,
    driver: DRIVER.agr,
    flags: IFF.BROADCAST | IFF.SIMPLEX | IFF.MULTICAST,
    mtu: ETHERMTU,
    mtuMax: MTU_MAX,
  });
  if (ptr === 0) {
    agrs.free(softc);
    return 0;
  }
  const agr = agrs.get(softc);
  agr.interface = ptr;
  calloutInit(agr.timer, CALLOUT.agr, softc);
  ifnets.get(ptr).softc = softc;
  return ptr;
}

function ioctl(own: Ifnet, command: DriverCommand, value: number): number {
  const agr = agrOf(own);
  if (command === 'mac') settle(agr);
  if (command !== 'mtu') return 0;
  for (const port of portsOf(agr)) {
    const ifp = ifnets.get(port.interface);
    const status = driverOf(ifp).ioctl(ifp, 'mtu', value);
    if (status !== 0) return status;
    ifp.mtu = value;
    announceEvent(ifp, 'mtu');
  }
  return 0;
}

/** Something happened to an interface: to an aggregate, or to a port of one. */
function onEvent(ifp: Ifnet, event: InterfaceEvent): void {
  if (event === 'leaving' && ifp.driver === DRIVER.agr)
    for (const port of portsOf(agrOf(ifp))) detachPort(agrOf(ifp), port);
  if (ifp.aggregate === 0) return;
  const port = agrPorts.get(ifp.aggregate);
  const agr = agrs.get(port.agr);
  if (event === 'gone') dropPort(agr, port);
  else if (event === 'leaving') detachPort(agr, port);
  else portEvent(ifp, agr, event);
}

function portEvent(ifp: Ifnet, agr: Agr, event: 'up' | 'down' | 'mtu' | 'mac'): void {
  const own = ifnets.get(agr.interface);
  if (event === 'mtu' && ifp.mtu < own.mtu) {
    own.mtu = ifp.mtu;
    announceEvent(own, 'mtu');
  }
  settle(agr);
}

/** The aggregate is switched off: partners are told at once. */
function stop(ifp: Ifnet): void {
  const agr = agrOf(ifp);
  ifp.flags &= ~IFF.RUNNING;
  mFreeList(dequeueAll(sendQueue(ifp)));
  if (agr.fixed === 0) for (const port of portsOf(agr)) lacpLeave(port, now());
  agr.carrierTimer = 0;
  settle(agr);
}

/** Makes link aggregates part of the stack in this thread. */
export function installAgr(): void {
  registerDriver(DRIVER.agr, {
    name: 'agr',
    description: 'IEEE 802.3ad link aggregate',
    init(ifp) {
      ifp.flags |= IFF.RUNNING;
      settle(agrOf(ifp));
      return 0;
    },
    stop,
    start,
    ioctl,
    process: () => true,
    enable: () => false,
    detach(ifp) {
      const agr = agrOf(ifp);
      for (const port of portsOf(agr)) dropPort(agr, port);
      cancelCallout(ifp.stack, agr.timer);
      freeAgr(agr);
    },
    carrier: (ifp) => agrOf(ifp).distributing > 0,
    statistics: (ifp) => ({ txed_ok: ifp.opackets, rxed_ok: ifp.ipackets }),
    configuration(ifp) {
      const agr = agrOf(ifp);
      const names = portsOf(agr).map((port) => interfaceName(ifnets.get(port.interface)));
      return { mode: agr.fixed !== 0 ? 'static' : 'lacp', ports: names.join(' '), in_use: agr.distributing };
    },
  });
  registerCloner({ name: 'agr', driver: DRIVER.agr, create, configure, describe });
  setAggregateInput(input);
  setInputHandler(ETHERTYPE_SLOW, slowInput);
  setCalloutHandler(CALLOUT.agr, (ptr) => settle(agrs.get(ptr)));
  onInterfaceEvent(onEvent);
}
