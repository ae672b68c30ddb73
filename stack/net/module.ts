/**
 * What a loadable module is (io-pkt, "Driver API" and "Protocol modules"): an ES module whose one default export says what it is, which options it takes, and
 * attaches it to a stack. A file devnp-NAME holds a driver, lsm-NAME a protocol; devn-NAME is a driver in io-net's style behind the shim.
 *
 * A module is imported by every thread, but attaches in thread 0 while no thread works. What it does later runs in whichever thread has the work: so its callbacks are
 * members of the default export, not made by `attach`, and what it must remember lies in the one memory (`state`, `queues`), not in variables of its own.
 *
 * Modules from outside the project see what is in this file and nothing else. An exception in one of their callbacks switches off the interface, or the module, that
 * it belongs to, with a line in the system log.
 */
import type { Fields, View } from '../memory/struct.ts';
import type { SLOG } from '../runtime/messages/severity.ts';

/** How the text of an option is read: a flag may stand without a value; a number may be hexadecimal. */
export type OptionType = 'text' | 'number' | 'flag' | 'address' | 'mac';
export const OPTION_TYPES: readonly OptionType[] = ['text', 'number', 'flag', 'address', 'mac'];

export interface OptionSpec {
  readonly type: OptionType;
  /** Completes "NAME: …" in what `use` prints. */
  readonly meaning: string;
  readonly default?: string | number | boolean;
  /** Bounds of a number, included. */
  readonly min?: number;
  readonly max?: number;
}
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The options that a module was loaded with: what was given and could be read, otherwise the default. */
export interface ModuleOptions {
  text(name: string): string | undefined;
  number(name: string): number | undefined;
  flag(name: string): boolean;
  /** An IPv4 address in host order. */
  address(name: string): number | undefined;
  /** Six bytes. */
  mac(name: string): Uint8Array | undefined;
}

/** Names of the variants, by the number in a stack's record (VARIANT). */
export const VARIANT_NAMES = ['io-pkt-v4', 'io-pkt-v4-hc', 'io-pkt-v6-hc'] as const;
export type VariantName = (typeof VARIANT_NAMES)[number];

/** Severity of a line in the system log, by its name. */
export type LogLevel = keyof typeof SLOG;

export type ModuleKind = 'driver' | 'protocol';

/** Most queues, and most timers, of a module. */
export const MOST_QUEUES = 4;
export const MOST_TIMERS = 4;

/** What every module says of itself. */
interface ModuleBase<S extends Fields> {
  /** NAME of its file. */
  readonly name: string;
  readonly description: string;
  readonly options?: OptionSpecs;
  /** Variants of io-pkt that it can be loaded into; default: all. */
  readonly variants?: readonly VariantName[];
  /** What each of its interfaces, or the protocol on each stack, remembers: numbers, or places of so many bytes; zero at first. */
  readonly state?: S;
  /** Queues of packets that each of them has, with the most packets that each takes. */
  readonly queues?: Readonly<Record<string, number>>;
}

/** Work after attaching, in thread 0 while the threads go on: for what takes the world outside the lab. A failure is logged; the interface stays. */
export type Finish = () => Promise<void>;

export interface DriverModule<S extends Fields = Fields> extends ModuleBase<S> {
  readonly kind: 'driver';
  /** True for a driver in io-net's style: devn-NAME. */
  readonly legacy?: boolean;
  /** True if its callbacks must never run in two threads at once, not even for two of its interfaces. */
  readonly singleThreaded?: boolean;
  /** True if it stays loaded when its last interface is gone. */
  readonly resident?: boolean;
  /** Finds its devices and adds an interface for each. Throws when there is none, or no room. */
  attach(side: DriverSide<S>, options: ModuleOptions): Finish | undefined;

  // The callbacks of cards made with side.attachCard().

  /** The interface comes up. Returns 0, nothing, or an errno. In the stack context. */
  init?(card: Card<S>): number | undefined;
  /** The interface goes down: packets in its queues are freed behind this. In the stack context. */
  stop?(card: Card<S>, disable: boolean): void;
  /** Packets wait on the send queue: take() them, as many as the device can, and call full() if some must wait. Any thread, one at a time for each card. */
  start?(card: Card<S>): void;
  /**
   * raise() was called: the device has something. receive() what came in; ready() if start() may go on. Returns false when it stops early for fairness: it is called
   * again then. Outside the stack context, any thread, one at a time for each card.
   */
  process?(card: Card<S>): boolean | undefined;
  /** After a process() that finished: true if something came in meanwhile. */
  enable?(card: Card<S>): boolean;
  /** A setting has changed: 'mtu', 'promiscuous', 'multicast', 'capabilities', 'mac'. Returns 0, nothing, or an errno that refuses it. In the stack context. */
  ioctl?(card: Card<S>, command: string, value: number): number | undefined;
  /** The interface is destroyed. While no thread works. */
  detach?(card: Card<S>): void;
  /** False while the cable is out. */
  carrier?(card: Card<S>): boolean;
  /** Counters and settings for nicinfo. */
  statistics?(card: Card<S>): Record<string, number>;
  configuration?(card: Card<S>): Record<string, string | number>;
}

/** What a timer does. Written as a method, so that a module with a state of its own is a module like any other. */
type Timer<S extends Fields> = { run(self: Protocol<S>): void }['run'];

/** All callbacks run in the stack context, except attach and detach, which run while no thread works. */
export interface ProtocolModule<S extends Fields = Fields> extends ModuleBase<S> {
  readonly kind: 'protocol';
  /** A path of its own, such as /dev/hello: what is read there comes from read(), what is written goes to write(). */
  readonly path?: string;
  /** Links itself into the stack. Throws when it cannot. */
  attach(self: Protocol<S>, options: ModuleOptions): void;
  /** A packet of an EtherType that claimEtherType() has claimed; its Ethernet header is cut off. The module owns it. */
  input?(self: Protocol<S>, m: Packet, etherType: number, ifp: Interface): void;
  /** A packet of an IP protocol that claimIpProtocol() has claimed; it begins with its IP header of `header` bytes. The module owns it. */
  ipInput?(self: Protocol<S>, m: Packet, header: number, protocol: number): void;
  /**
   * After watchInput(): every packet that came in for this host, before the stack has seen it, its Ethernet header cut off. True: the stack goes on with it. False: the
   * module has freed or kept it. Not to be changed in place.
   */
  watch?(self: Protocol<S>, m: Packet, etherType: number, ifp: Interface): boolean;
  /**
   * After hookFilter(): every IPv4 packet in (`direction` 1) and out (2), beginning with its IP header, which is contiguous and checked. Returns the packet, which writable() may have
   * put into another buffer, to let it go on, or 0 when the module has freed or kept it. Checksums of what it changes are its business.
   */
  filter?(self: Protocol<S>, m: Packet, ifp: Interface, direction: number): Packet;
  /** By name, for setTimer(). */
  readonly timers?: Readonly<Record<string, Timer<S>>>;
  /** What happened to an interface of the stack: 'up', 'down', 'mtu', 'mac', 'leaving'. */
  interfaceEvent?(self: Protocol<S>, ifp: Interface, event: string): void;
  read?(self: Protocol<S>): string;
  /** Throws with a text for the system log, and EINVAL for the writer, when it makes no sense. */
  write?(self: Protocol<S>, text: string): void;
  /** A devctl() at its path: takes and gives what can be sent as JSON. Throws SystemError for what cannot be done. */
  control?(self: Protocol<S>, command: string, data: unknown): unknown;
  /** The stack ends. Packets in its queues are freed behind this. */
  detach?(self: Protocol<S>): void;
}

export type LoadableModule = DriverModule | ProtocolModule;

/** A driver while it attaches to a stack. */
export interface DriverSide<S extends Fields = Fields> {
  /** Address of the stack's record (net/stack.ts). */
  readonly stack: number;
  readonly variant: VariantName;
  /** Name of the node. */
  readonly node: string;
  /** Adds an Ethernet interface that the callbacks of the module serve; the generic driver options name it and set it up. Throws when there is no room. */
  attachCard(traits?: CardTraits): Card<S>;
  /** Writes a line into the node's system log. */
  log(text: string, level?: LogLevel): void;
  /** The card of the lab file with this name, while no driver has it: its end of a cable (net/plug.ts) and its hardware address. */
  labCard(name: string): { readonly plug: number; readonly mac: Uint8Array } | undefined;
  /** Run queue for an event source that belongs to no stack. */
  nextHome(): number;
  /** Calls `work` while no thread works: for changes made by a Finish. Returns undefined, without a call, when the stack has ended meanwhile. */
  whileHeld<T>(work: () => T): T | undefined;
  /** Has the lab wait for `closed` when it ends: something outside that the module has opened. */
  onEnd(closed: () => Promise<void>): void;
}

/** What a driver may say of a card. */
export interface CardTraits {
  /** Base name of the interface where name= does not say; default en. */
  readonly base?: string;
  /** Largest MTU, bytes; default 1500. */
  readonly mtuMax?: number;
}

/** A packet: the handle of its first mbuf. 0 where there is none. */
export type Packet = number;
/** An interface: the address of its record. */
export type Interface = number;

/** Packets in their own queue: first in, first out. Any thread. */
export interface PacketQueue {
  readonly length: number;
  /** Gives the packet to the queue, also to one of another card of the module; false when it is full: the packet is still the caller's then. */
  push(m: Packet): boolean;
  /** The first packet, 0 when it is empty. */
  shift(): Packet;
}

/** What modules do with packets that are theirs. Anything else with a packet, such as freeing it twice, is a fault. */
export interface Packets {
  /** The one memory. */
  readonly bytes: Uint8Array;
  /** A packet of `length` bytes, at most 1518, in a row; what they are is not said. 0 when buffers are exhausted. */
  packet(length: number): Packet;
  length(m: Packet): number;
  /** Where in `bytes` its first byte is; contiguous() bytes follow there. */
  data(m: Packet): number;
  contiguous(m: Packet): number;
  /**
   * Makes the first `count` bytes, at most 128, contiguous and the module's to change: others may share the bytes of a packet. Returns the packet, or 0 when it is
   * shorter or buffers are exhausted: it is freed then.
   */
  writable(m: Packet, count: number): Packet;
  /** Copies bytes out, as far as there are any. */
  read(m: Packet, offset: number, count: number): Uint8Array;
  /** A second packet that shares the bytes; 0 when buffers are exhausted. */
  copy(m: Packet): Packet;
  /** Cuts bytes off its front. */
  trimFront(m: Packet, count: number): void;
  free(m: Packet): void;
}

/** What cards and protocols have in common. */
export interface ModuleSelf<S extends Fields = Fields> extends Packets {
  /** What it remembers: the fields that the module declares as its `state`. */
  readonly state: View<S>;
  readonly queues: Readonly<Record<string, PacketQueue>>;
  /** ns of the lab's clock. */
  now(): number;
  /** The next number in [0, 1) of its own generator. */
  random(): number;
  /** Writes a line into the node's system log. */
  log(text: string, level?: LogLevel): void;
}

/** A card of a driver. */
export interface Card<S extends Fields = Fields> extends ModuleSelf<S> {
  /** Name of its interface. */
  readonly name: string;
  /** Where in `bytes` its hardware address is. */
  readonly mac: number;
  readonly up: boolean;
  readonly mtu: number;
  /** Packets on the send queue. */
  readonly waiting: number;
  /** In start(): the next packet to be sent, with its Ethernet header; 0 when there is none. It is the module's from now on. */
  take(): Packet;
  /** In start(): what is left must wait until ready(). */
  full(): void;
  /** In process(): start() may go on after full(). */
  ready(): void;
  /** In process(): a packet came in, with its Ethernet header. It is the stack's from now on. */
  receive(m: Packet): void;
  /** Interrupt: has process() called soon. Any thread. */
  raise(): void;
  /** Has process() called at `time`, ns of the lab's clock. An earlier time that is set stays. */
  raiseAt(time: number): void;
  /** The first card of the module, on whichever stack, for which `wanted` is true. */
  find(wanted: (other: Card<S>) => boolean): Card<S> | undefined;
}

/** A protocol module on a stack. */
export interface Protocol<S extends Fields = Fields> extends ModuleSelf<S> {
  /** Address of the stack's record (net/stack.ts). */
  readonly stack: number;
  /** In attach(): packets of this EtherType, or this IP protocol, are for input() or ipInput(). Throws when they belong to somebody. */
  claimEtherType(etherType: number): void;
  claimIpProtocol(protocol: number): void;
  /** In attach(): has watch() see what comes in, or only packets of one EtherType. No packet is fast-forwarded while somebody watches those of IPv4. */
  watchInput(etherType?: number): void;
  /** In attach(): has filter() see packets in and out. Nothing is fast-forwarded on the stack meanwhile. */
  hookFilter(): void;
  /** Calls timers[name] in `ns`; an earlier setting is replaced. */
  setTimer(name: string, ns: number): void;
  cancelTimer(name: string): void;
  interfaces(): Interface[];
  /** 0 when there is none of that name. */
  interfaceNamed(name: string): Interface;
  interfaceName(ifp: Interface): string;
  /** Where in `bytes` the hardware address of an interface is. */
  macOf(ifp: Interface): number;
  /**
   * Sends a packet in an Ethernet frame to the hardware address at `to` in `bytes`, or as text, or to all with 0. Returns 0 or an errno; the packet is gone in any case.
   */
  send(ifp: Interface, m: Packet, to: number | string, etherType: number): number;
  /** Sends a packet in an IP packet; addresses in host order, the source 0 to have one chosen. Returns 0 or an errno; the packet is gone in any case. */
  sendIp(m: Packet, protocol: number, source: number, destination: number): number;
}

/** The file of a module without its ending: devnp-vnic, devn-vnic, lsm-autoip. */
export function moduleFile(module: LoadableModule): string {
  if (module.kind === 'protocol') return `lsm-${module.name}`;
  return `${module.legacy === true ? 'devn' : 'devnp'}-${module.name}`;
}
