/**
 * What a loadable module is (io-pkt, "Driver API" and "Protocol modules"): an ES module whose one default export says what it is, which options it takes, and
 * attaches it to a stack. A file devnp-NAME holds a driver, lsm-NAME a protocol; devn-NAME is a driver in io-net's style behind the shim.
 *
 * A module is imported by every thread, but attaches in thread 0 while no thread works. What it does later runs in whichever thread has the work: so its callbacks are
 * members of the default export, not made by `attach`, and what it must remember lies in the one memory, not in variables of its own.
 */
import type { SLOG } from '../runtime/messages/severity.ts';

/** How the text of an option is read: a flag may stand without a value; a number may be hexadecimal. */
export type OptionType = 'text' | 'number' | 'flag' | 'address' | 'mac';

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

/** What every module says of itself. */
interface ModuleBase {
  /** NAME of its file. */
  readonly name: string;
  readonly description: string;
  readonly options?: OptionSpecs;
  /** Variants of io-pkt that it can be loaded into; default: all. */
  readonly variants?: readonly VariantName[];
}

/** Work after attaching, in thread 0 while the threads go on: for what takes the world outside the lab. A failure is logged; the interface stays. */
export type Finish = () => Promise<void>;

export interface DriverModule extends ModuleBase {
  readonly kind: 'driver';
  /** True for a driver in io-net's style: devn-NAME. */
  readonly legacy?: boolean;
  /** True if its callbacks must never run in two threads at once, not even for two of its interfaces. */
  readonly singleThreaded?: boolean;
  /** True if it stays loaded when its last interface is gone. */
  readonly resident?: boolean;
  /** Finds its devices and adds an interface for each. Throws SystemError when there is none, or no room. */
  attach(side: DriverSide, options: ModuleOptions): Finish | undefined;
}

export interface ProtocolModule extends ModuleBase {
  readonly kind: 'protocol';
  /** Links itself into the stack. Throws SystemError when it cannot. */
  attach(side: ModuleSide, options: ModuleOptions): void;
}

export type LoadableModule = DriverModule | ProtocolModule;

/** What a module is given of the stack that it attaches to. */
export interface ModuleSide {
  /** Address of the stack's record (net/stack.ts). */
  readonly stack: number;
  readonly variant: VariantName;
  /** Name of the node. */
  readonly node: string;
  /** Writes an entry into the node's system log. */
  log(text: string, level?: LogLevel): void;
}

export interface DriverSide extends ModuleSide {
  /** Run queue for an event source that belongs to no stack. */
  nextHome(): number;
  /** Calls `work` while no thread works: for changes made by a Finish. Returns undefined, without a call, when the stack has ended meanwhile. */
  whileHeld<T>(work: () => T): T | undefined;
  /** Has the lab wait for `closed` when it ends: something outside that the module has opened. */
  onEnd(closed: () => Promise<void>): void;
}

/** The file of a module without its ending: devnp-vnic, devn-vnic, lsm-autoip. */
export function moduleFile(module: LoadableModule): string {
  if (module.kind === 'protocol') return `lsm-${module.name}`;
  return `${module.legacy === true ? 'devn' : 'devnp'}-${module.name}`;
}
