/**
 * vlan(4): IEEE 802.1Q VLANs on an Ethernet interface, the parent. What is sent on a VLAN's interface leaves by the parent with a tag; tagged frames that come
 * in there lose it and come in by the VLAN's interface. That has the parent's hardware address and MTU (the tag's 4 bytes come on top: the cards of a lab
 * take them) and works while the parent does. A frame whose tag names no VLAN (priority only) is one of the parent.
 */
import { be16, putBe16, u8 } from '../memory/memory.ts';
import { M_BCAST, M_MCAST, mFree, mFreeList, mbuf } from '../memory/mbuf.ts';
import { mPrepend, mPullup, mWritableFront } from '../memory/mbuf-chain.ts';
import { dequeueAll, nextRecord } from '../memory/queue.ts';
import { now } from '../runtime/clock.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { SLOG } from '../runtime/messages/severity.ts';
import { expectWords, registerCloner } from './cloner.ts';
import type { Settings } from './cloner.ts';
import {
  ETHERMTU,
  ETHERTYPE_VLAN,
  ETHER_ADDRESS,
  ETHER_HEADER,
  ETHER_TAG,
  copyMac,
  etherReceive,
  setVlanInput,
} from './ethernet.ts';
import {
  DRIVER,
  IFT_ETHER,
  announceEvent,
  countOutput,
  driverOf,
  findInterface,
  ifAttach,
  ifQueue,
  ifnets,
  interfaceName,
  onInterfaceEvent,
  registerDriver,
  sendQueue,
} from './ifnet.ts';
import type { DriverCommand, Ifnet, InterfaceEvent } from './ifnet.ts';
import { STATION, station } from './journey.ts';
import { logStack } from './log.ts';
import { stacks } from './stack.ts';
import type { Stack } from './stack.ts';
import { OUTBOUND, tapPacket } from './tap.ts';
import { findVlan, linkVlan, unlinkVlan, vlans } from './vlan-table.ts';
import type { Vlan } from './vlan-table.ts';

const LAST_VID = 4094;
const VID_MASK = 0xfff;
const PRIORITY_SHIFT = 13;
const ADDRESSES = 2 * ETHER_ADDRESS;
const TAGGED_HEADER = ETHER_HEADER + ETHER_TAG;
const WORKS = IFF.UP | IFF.RUNNING;

function vlanOf(ifp: Ifnet): Vlan {
  return vlans.get(ifp.softc);
}

// Receiving: any thread, no stack context.

/** Drops a frame of no VLAN of ours. */
function refuse(ifp: Ifnet, m: number): number {
  ifp.noproto++;
  station(m, STATION.drop, ifp.ptr, 0);
  mFree(m);
  return 0;
}

/** Takes the tag off a frame. 0 (the frame freed) when buffers are exhausted. */
function removeTag(ifp: Ifnet, frame: number): number {
  const m = mWritableFront(frame, TAGGED_HEADER);
  if (m === 0) {
    ifp.iqdrops++;
    return 0;
  }
  const view = mbuf(m);
  const p = view.data;
  for (let i = ADDRESSES - 1; i >= 0; i--) u8[p + ETHER_TAG + i] = u8[p + i]!;
  view.data += ETHER_TAG;
  view.len -= ETHER_TAG;
  view.pktLen -= ETHER_TAG;
  return m;
}

function vlanInput(parent: Ifnet, frame: number): number {
  if (mbuf(frame).pktLen < TAGGED_HEADER) {
    parent.ierrors++;
    mFree(frame);
    return 0;
  }
  let m = mPullup(frame, TAGGED_HEADER);
  if (m === 0) {
    parent.iqdrops++;
    return 0;
  }
  const vid = be16(mbuf(m).data + ETHER_HEADER) & VID_MASK;
  if (vid === 0) return removeTag(parent, m);
  const ptr = parent.vlans === 0 ? 0 : findVlan(parent.ptr, vid);
  if (ptr === 0) return refuse(parent, m);
  const ifp = ifnets.get(vlans.get(ptr).interface);
  if ((ifp.flags & WORKS) !== WORKS) return refuse(parent, m);
  m = removeTag(parent, m);
  if (m === 0) return 0;
  station(m, STATION.vlan, ifp.ptr, vid);
  mbuf(m).flags &= ~(M_BCAST | M_MCAST);
  etherReceive(ifp, m);
  return 0;
}

// Sending: any thread, under the transmit lock of the VLAN's interface.

/** Puts a tag behind the addresses of a frame. 0 (the frame freed) when buffers are exhausted. */
function addTag(frame: number, tag: number): number {
  const m = mPullup(frame, ETHER_HEADER);
  const front = m === 0 ? 0 : mPrepend(m, ETHER_TAG);
  if (front === 0) return 0;
  const view = mbuf(front);
  if (front !== m) {
    // The tag has a buffer of its own: the addresses move over to it.
    const rest = mbuf(m);
    rest.data += ADDRESSES;
    rest.len -= ADDRESSES;
    view.data -= ADDRESSES;
    view.len += ADDRESSES;
    for (let i = 0; i < ADDRESSES; i++) u8[view.data + i] = u8[rest.data - ADDRESSES + i]!;
  } else for (let i = 0; i < ADDRESSES; i++) u8[view.data + i] = u8[view.data + ETHER_TAG + i]!;
  putBe16(view.data + ADDRESSES, ETHERTYPE_VLAN);
  putBe16(view.data + ADDRESSES + 2, tag);
  return front;
}

/** Hands a frame to the parent; says whether that took it. */
function sendTagged(ifp: Ifnet, frame: number, parent: number, tag: number): boolean {
  if (ifp.taps !== 0) {
    tapPacket(ifp.taps, frame, OUTBOUND, now());
    station(frame, STATION.tap, ifp.ptr, OUTBOUND);
  }
  station(frame, STATION.vlan, ifp.ptr, tag & VID_MASK);
  const m = addTag(frame, tag);
  return m !== 0 && ifQueue(ifnets.get(parent), m) === 0;
}

function start(ifp: Ifnet): void {
  const { parent, vid, priority } = vlanOf(ifp);
  let m = dequeueAll(sendQueue(ifp));
  if (parent === 0) {
    mFreeList(m);
    return;
  }
  const tag = (priority << PRIORITY_SHIFT) | vid;
  while (m !== 0) {
    const next = nextRecord(m);
    const view = mbuf(m);
    const { pktLen } = view;
    view.nextpkt = 0;
    if (sendTagged(ifp, m, parent, tag)) countOutput(ifp, 1, pktLen);
    else ifp.oerrors++;
    m = next;
  }
}

// Settings: in the stack context.

/** The interface works while it is up and its parent works; says whether that has changed. */
function followState(ifp: Ifnet): boolean {
  const { parent } = vlanOf(ifp);
  const works = (ifp.flags & IFF.UP) !== 0 && parent !== 0 && (ifnets.get(parent).flags & WORKS) === WORKS;
  if (works === ((ifp.flags & IFF.RUNNING) !== 0)) return false;
  ifp.flags = works ? ifp.flags | IFF.RUNNING : ifp.flags & ~IFF.RUNNING;
  return true;
}

/** An MTU that was the parent's stays so; another one is kept as long as the parent can carry it. */
function followMtu(ifp: Ifnet, mtu: number): void {
  const vlan = vlanOf(ifp);
  const before = ifp.mtu;
  ifp.mtuMax = mtu;
  if (before === vlan.parentMtu || before > mtu) ifp.mtu = mtu;
  vlan.parentMtu = mtu;
  if (ifp.mtu !== before) announceEvent(ifp, 'mtu');
}

/** Tells those above that a VLAN began or ceased to work. */
function announceState(ifp: Ifnet): void {
  if (followState(ifp)) announceEvent(ifp, (ifp.flags & IFF.RUNNING) !== 0 ? 'up' : 'down');
}

function attach(ifp: Ifnet, parent: Ifnet, vid: number): void {
  linkVlan(vlanOf(ifp), parent.ptr, vid);
  copyMac(ifp.mac, parent.mac);
  followMtu(ifp, parent.mtu);
  announceEvent(ifp, 'mac');
  announceState(ifp);
}

function detach(ifp: Ifnet): void {
  const vlan = vlanOf(ifp);
  if (vlan.parent === 0) return;
  unlinkVlan(vlan);
  announceState(ifp);
}

/** The parent that `vlanif` names. Throws SystemError if it cannot be one. */
function parentNamed(ifp: Ifnet, name: string): Ifnet {
  const own = interfaceName(ifp);
  const parent = findInterface(stacks.get(ifp.stack), name);
  if (parent === undefined) throw new SystemError(ERRNO.ENXIO, name);
  if (parent.driver === DRIVER.vlan)
    throw new SystemError(
      ERRNO.EINVAL,
      `${own} on ${name}: VLANs of VLANs are not supported; name the card itself`,
    );
  if (parent.type !== IFT_ETHER)
    throw new SystemError(ERRNO.EINVAL, `${own} on ${name}: only Ethernet interfaces carry VLANs`);
  if (parent.aggregate !== 0)
    throw new SystemError(
      ERRNO.EBUSY,
      `${own} on ${name}: it is a port of a link aggregate; put the VLAN on that`,
    );
  return parent;
}

/** The number that a word's value is. Throws SystemError. */
function numberOf(word: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new SystemError(ERRNO.EINVAL, `${word} ${text}: it takes a number from ${least} to ${most}`);
}

/** Carries out `vlan N vlanif IF`. Throws SystemError. */
function attachNamed(ifp: Ifnet, vidText: string, parentText: string): void {
  const vlan = vlanOf(ifp);
  const vid = numberOf('vlan', vidText, 1, LAST_VID);
  const parent = parentNamed(ifp, parentText);
  if (vlan.parent === parent.ptr && vlan.vid === vid) return;
  if (vlan.parent !== 0)
    throw new SystemError(
      ERRNO.EBUSY,
      `${interfaceName(ifp)} is VLAN ${vlan.vid} of ${interfaceName(ifnets.get(vlan.parent))}; detach it first, with -vlanif`,
    );
  const other = findVlan(parent.ptr, vid);
  if (other !== 0)
    throw new SystemError(
      ERRNO.EEXIST,
      `VLAN ${vid} of ${parentText} is ${interfaceName(ifnets.get(vlans.get(other).interface))}`,
    );
  attach(ifp, parent, vid);
}

const WORDS = ['vlan', 'vlanif', '-vlanif', 'vlanprio'];

function configure(ifp: Ifnet, settings: Settings): void {
  expectWords(ifp, settings, WORDS);
  const { vlan, vlanif, vlanprio } = settings;
  const wantsDetach = settings['-vlanif'] !== undefined;
  if ((vlan === undefined) !== (vlanif === undefined) || (wantsDetach && vlan !== undefined))
    throw new SystemError(
      ERRNO.EINVAL,
      `${interfaceName(ifp)}: 'vlan' and 'vlanif' belong together, '-vlanif' stands alone`,
    );
  const priority = vlanprio === undefined ? undefined : numberOf('vlanprio', vlanprio, 0, 7);
  if (vlan !== undefined && vlanif !== undefined) attachNamed(ifp, vlan, vlanif);
  if (wantsDetach) detach(ifp);
  if (priority !== undefined) vlanOf(ifp).priority = priority;
}

function describe(ifp: Ifnet): string[] {
  const { vid, parent, priority } = vlanOf(ifp);
  const name = parent === 0 ? '<none>' : interfaceName(ifnets.get(parent));
  return [`vlan: ${vid} parent: ${name}${priority === 0 ? '' : ` priority: ${priority}`}`];
}

function create(stack: Stack, name: string): number {
  const softc = vlans.alloc();
  if (softc === 0) return 0;
  const ptr = ifAttach(stack, {
    name,
    type: IFT_ETHER,
    driver: DRIVER.vlan,
    flags: IFF.BROADCAST | IFF.SIMPLEX | IFF.MULTICAST,
    mtu: ETHERMTU,
    mtuMax: ETHERMTU,
  });
  if (ptr === 0) {
    vlans.free(softc);
    return 0;
  }
  ifnets.get(ptr).softc = softc;
  vlans.get(softc).interface = ptr;
  vlans.get(softc).parentMtu = ETHERMTU;
  return ptr;
}

function ioctl(ifp: Ifnet, command: DriverCommand, value: number): number {
  const { parent } = vlanOf(ifp);
  if (parent === 0) return 0;
  const below = ifnets.get(parent);
  if (command === 'mac') {
    copyMac(ifp.mac, below.mac);
    throw new SystemError(
      ERRNO.EINVAL,
      `${interfaceName(ifp)} has the address of ${interfaceName(below)}; change it there`,
    );
  }
  // The parent has to let through what is for others, also when it does not want that for itself.
  if (command === 'promiscuous' && (below.flags & IFF.PROMISC) === 0)
    return driverOf(below).ioctl(below, command, value);
  return 0;
}

/** What happens to an interface concerns the VLANs on it. */
function onEvent(ifp: Ifnet, event: InterfaceEvent): void {
  if (event === 'leaving' || event === 'gone') {
    if (ifp.driver === DRIVER.vlan) detach(ifp);
    while (ifp.vlans !== 0) orphan(ifp, event);
    return;
  }
  for (let ptr = ifp.vlans; ptr !== 0; ptr = vlans.get(ptr).next) {
    const vlan = ifnets.get(vlans.get(ptr).interface);
    if (event === 'mtu') followMtu(vlan, ifp.mtu);
    else if (event === 'mac') {
      copyMac(vlan.mac, ifp.mac);
      announceEvent(vlan, 'mac');
    } else announceState(vlan);
  }
}

/** Detaches the first VLAN of an interface that goes. */
function orphan(parent: Ifnet, event: InterfaceEvent): void {
  const { interface: ptr, vid } = vlans.get(parent.vlans);
  const ifp = ifnets.get(ptr);
  detach(ifp);
  if (event !== 'leaving') return;
  const name = interfaceName(parent);
  logStack(
    ifp.stack,
    SLOG.warning,
    `${interfaceName(ifp)}: ${name} was destroyed; it is VLAN ${vid} of nothing now`,
  );
}

/** Makes VLANs part of the stack in this thread. */
export function installVlan(): void {
  registerDriver(DRIVER.vlan, {
    name: 'vlan',
    description: 'IEEE 802.1Q VLAN',
    init(ifp) {
      followState(ifp);
      return 0;
    },
    stop(ifp) {
      ifp.flags &= ~IFF.RUNNING;
      mFreeList(dequeueAll(sendQueue(ifp)));
    },
    start,
    ioctl,
    process: () => true,
    enable: () => false,
    detach: (ifp) => vlans.free(ifp.softc),
    carrier(ifp) {
      const { parent } = vlanOf(ifp);
      return parent !== 0 && driverOf(ifnets.get(parent)).carrier(ifnets.get(parent));
    },
    statistics: (ifp) => ({ txed_ok: ifp.opackets, rxed_ok: ifp.ipackets }),
    configuration(ifp) {
      const { vid, parent, priority } = vlanOf(ifp);
      return { vlan: vid, parent: parent === 0 ? 'none' : interfaceName(ifnets.get(parent)), priority };
    },
  });
  registerCloner({ name: 'vlan', driver: DRIVER.vlan, create, configure, describe });
  setVlanInput(vlanInput);
  onInterfaceEvent(onEvent);
}
