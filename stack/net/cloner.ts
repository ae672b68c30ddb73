/**
 * Pseudo-interfaces that `ifconfig NAME create` makes (if_clone(4)): each kind registers itself under its base name, in every thread.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { findInterface, interfaceName } from './ifnet.ts';
import type { Ifnet } from './ifnet.ts';
import { VARIANT } from './stack.ts';
import type { Stack } from './stack.ts';

export interface Cloner {
  /** Base name: `bridge` of bridge0. */
  readonly name: string;
  /** Driver (DRIVER.*) of its interfaces: a card may have such a name, too. */
  readonly driver: number;
  /** True for what io-pkt-v4 does not have. */
  readonly hcOnly?: boolean;
  /** Why a stack has no such interfaces, and what to do; undefined if it has. For those of loadable modules. */
  missing?(stack: Stack): string | undefined;
  /** Makes the interface `name` with number `unit`, down and without addresses; returns 0 when there is no room. Runs in the stack context. */
  create(stack: Stack, name: string, unit: number): number;
  /**
   * Carries out the words of ifconfig(8) that only this kind knows, such as `vlan 7 vlanif en0`: by word, its value, or both values of `tunnel` with a space
   * between. Throws SystemError for what it cannot do, before it has changed anything. Runs in the stack context.
   */
  configure?(ifp: Ifnet, settings: Settings): void;
  /** Lines that ifconfig shows of such an interface, without indentation. */
  describe?(ifp: Ifnet): string[];
}

export type Settings = Readonly<Record<string, string>>;

const cloners = new Map<string, Cloner>();
const MOST_UNITS = 32_767;

/** Makes a kind of pseudo-interface known to this thread. */
export function registerCloner(cloner: Cloner): void {
  cloners.set(cloner.name, cloner);
}

/** Kinds that can be created on a stack, as `ifconfig -C` lists them. */
export function clonerNames(stack: Stack): string[] {
  return [...cloners.values()]
    .filter(({ hcOnly }) => hcOnly !== true || stack.variant !== VARIANT.v4)
    .filter((cloner) => cloner.missing?.(stack) === undefined)
    .map(({ name }) => name)
    .sort();
}

/** Refuses words that are for other kinds of interfaces; throws SystemError. */
export function expectWords(ifp: Ifnet, settings: Settings, known: readonly string[]): void {
  const unknown = Object.keys(settings).filter((word) => !known.includes(word));
  if (unknown.length === 0) return;
  const text = `${interfaceName(ifp)} does not know ${unknown.join(', ')}; it knows ${known.join(', ') || 'none of these words'}`;
  throw new SystemError(ERRNO.EINVAL, text);
}

/** What made an interface; undefined for those of drivers. */
function clonerOf(ifp: Ifnet): Cloner | undefined {
  const cloner = cloners.get(interfaceName(ifp).replace(/\d+$/, ''));
  return cloner?.driver === ifp.driver ? cloner : undefined;
}

/** Sets up a pseudo-interface; throws SystemError. */
export function configureClone(ifp: Ifnet, settings: Settings): void {
  const cloner = clonerOf(ifp);
  if (cloner?.configure === undefined) expectWords(ifp, settings, []);
  else cloner.configure(ifp, settings);
}

/** What ifconfig shows of an interface beyond what all have. */
export function describeClone(ifp: Ifnet): string[] {
  return clonerOf(ifp)?.describe?.(ifp) ?? [];
}

/** Creates the interface `name`. Throws SystemError: EINVAL for a kind that there is not, EEXIST, ENOBUFS. */
export function createClone(stack: Stack, name: string): void {
  const match = /^([a-z]+)(\d+)$/.exec(name);
  const cloner = match === null ? undefined : cloners.get(match[1]!);
  const unit = Number(match?.[2] ?? 0);
  if (cloner === undefined || unit > MOST_UNITS) {
    const kinds = clonerNames(stack).map((kind) => `${kind}N`);
    throw new SystemError(ERRNO.EINVAL, `${name}: interfaces that can be created are ${kinds.join(', ')}`);
  }
  if (cloner.hcOnly === true && stack.variant === VARIANT.v4)
    throw new SystemError(
      ERRNO.EINVAL,
      `${name}: io-pkt-v4 has no ${cloner.name} interfaces; use io-pkt-v4-hc`,
    );
  const missing = cloner.missing?.(stack);
  if (missing !== undefined) throw new SystemError(ERRNO.EINVAL, `${name}: ${missing}`);
  if (findInterface(stack, name) !== undefined) throw new SystemError(ERRNO.EEXIST, name);
  if (cloner.create(stack, name, unit) === 0) throw new SystemError(ERRNO.ENOBUFS, name);
}
