/**
 * Link aggregates and their ports in the one memory. Settings and the control protocol change them in the stack context. What every frame asks for (does its port
 * collect, which ports distribute) any thread reads: the first is one byte, the others change under the transmit lock of the aggregate's interface only.
 */
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { ViewOf } from '../memory/struct.ts';
import { CALLOUT_BYTES } from '../runtime/wheel.ts';
import { PARTY_BYTES, partyStruct } from './lacp-pdu.ts';
import type { Party } from './lacp-pdu.ts';

/** Ports of one aggregate. */
export const MOST_PORTS = 16;
/** Classes of conversations that are distributed over the ports. */
export const CLASSES = 256;

export const agrStruct = struct('agr', {
  next: 'ptr',
  nextpkt: 'ptr',
  interface: 'ptr',
  /** Ports in the order in which they were added. */
  ports: 'ptr',
  /** Records of ports that were taken out: another thread may still be looking at one, so they stay until the aggregate goes and are used again first. */
  retired: 'ptr',
  /** 1: no control protocol; every port that works is used. */
  fixed: 'u8',
  /** The partner whose links are aggregated (its system and key); with `individual` the one port that is used, since nobody answers on its link. */
  chosen: 'u8',
  individual: 'ptr',
  partner: { bytes: PARTY_BYTES },
  /** When the carriers of the ports are looked at next, ns; 0 while it is down. */
  carrierTimer: 'f64',
  timer: { bytes: CALLOUT_BYTES },
  // What senders read, under the transmit lock of the interface.
  /** Ports that distribute, as interfaces, and how many. */
  distributing: 'u32',
  members: { bytes: MOST_PORTS * 4 },
  /** Port of each class: an index into `members`. */
  classes: { bytes: CLASSES },
  /** Next port in turn, for round robin. */
  turn: 'u32',
});
export type Agr = ViewOf<typeof agrStruct>;
export const agrs = slab(agrStruct, 2048);

/** Receive machine (IEEE 802.1AX-2008 §5.4.12). */
export const RX = { disabled: 0, expired: 1, defaulted: 2, current: 3 } as const;
/** Mux machine with independent control (§5.4.15). */
export const MUX = { detached: 0, waiting: 1, attached: 2, collecting: 3, distributing: 4 } as const;

export const agrPortStruct = struct('agrPort', {
  next: 'ptr',
  nextpkt: 'ptr',
  agr: 'ptr',
  /** Its interface; 0 while the record is not in use. */
  interface: 'ptr',
  /** 1 while frames that come in by it are taken. */
  collects: 'u8',
  receive: 'u8',
  mux: 'u8',
  /** 1 if it belongs to the links that are aggregated. */
  selected: 'u8',
  /** 1 if senders know that it distributes. */
  distributes: 'u8',
  /** 1: the partner needs to be told something. */
  needToTransmit: 'u8',
  /** LACPDUs sent in the second that began at `sentSince`. */
  sent: 'u8',
  sentSince: 'f64',
  // When they expire, ns; 0 while they do not run.
  currentWhile: 'f64',
  waitWhile: 'f64',
  periodic: 'f64',
  transmitTimer: 'f64',
  actor: { bytes: PARTY_BYTES },
  partner: { bytes: PARTY_BYTES },
});
export type AgrPort = ViewOf<typeof agrPortStruct>;
export const agrPorts = slab(agrPortStruct, 4096);

const parties = new Map<number, Party>();

function party(ptr: number): Party {
  let view = parties.get(ptr);
  if (view === undefined) {
    view = partyStruct.at(ptr);
    parties.set(ptr, view);
  }
  return view;
}

/** What this end is on a port's link. */
export function actorOf(port: AgrPort): Party {
  return party(port.actor);
}

/** What is known of the other end of a port's link. */
export function partnerOf(port: AgrPort): Party {
  return party(port.partner);
}

/** The partner whose links an aggregate has chosen. */
export function chosenPartner(agr: Agr): Party {
  return party(agr.partner);
}

/** The ports of an aggregate, in order. */
export function portsOf(agr: Agr): AgrPort[] {
  const list: AgrPort[] = [];
  for (let at = agr.ports; at !== 0; at = agrPorts.get(at).next) list.push(agrPorts.get(at));
  return list;
}

/** Adds a port for an interface behind the others; 0 when the slab is full. */
export function addPort(agr: Agr, ifp: number): number {
  let ptr = agr.retired;
  if (ptr !== 0) agr.retired = agrPorts.get(ptr).next;
  else ptr = agrPorts.alloc();
  if (ptr === 0) return 0;
  const port = agrPorts.get(ptr);
  port.next = 0;
  port.agr = agr.ptr;
  port.interface = ifp;
  if (agr.ports === 0) agr.ports = ptr;
  else portsOf(agr).at(-1)!.next = ptr;
  return ptr;
}

/** Takes a port out of its aggregate. */
export function removePort(agr: Agr, port: AgrPort): void {
  if (agr.ports === port.ptr) agr.ports = port.next;
  else portsOf(agr).find(({ next }) => next === port.ptr)!.next = port.next;
  port.interface = 0;
  port.next = agr.retired;
  agr.retired = port.ptr;
}

/** Frees an aggregate that has no ports. No thread works. */
export function freeAgr(agr: Agr): void {
  for (let at = agr.retired; at !== 0;) {
    const { next } = agrPorts.get(at);
    agrPorts.free(at);
    at = next;
  }
  agrs.free(agr.ptr);
}
