/** Pools of addresses put together and checked: next hops, and what nat, rdr and binat translate to (pf.conf(5), POOL OPTIONS). */
import { refuse } from './errors.ts';
import { fitFamily } from './expand.ts';
import { isMultiple } from './host.ts';
import type { ResolvedHost } from './host.ts';
import type { Place } from './lexer.ts';
import { md5 } from './md5.ts';
import type { PfFamily, PfPool, PfPoolAddress, PfPoolType } from './ruleset.ts';
import type { PoolOptionsSyntax, Word } from './syntax.ts';

/** Source ports of nat unless the rule gives others. */
export const NAT_PORT_LOW = 50_001;
export const NAT_PORT_HIGH = 65_535;
const KEY_DIGITS = 32;

/** A host of a pool, with the interface of a next hop. */
export interface PoolHost extends ResolvedHost {
  readonly interface?: string;
}

/** What the errors of a pool call it. */
export type PoolUse = 'redirection' | 'routing';

/** Type of a pool: round-robin where there is a choice and nothing is said. Leaves the statement where the type does not fit the addresses. */
export function poolType(
  hosts: readonly PoolHost[],
  options: PoolOptionsSyntax,
  use: PoolUse,
  place: Place,
): PfPoolType | undefined {
  const [first] = hosts;
  const choice =
    hosts.length > 1 || first?.address.kind === 'table' || (first !== undefined && isMultiple(first));
  const type = options.type ?? (choice ? 'round-robin' : undefined);
  if (type === 'round-robin') return type;
  if (hosts.some(({ address }) => address.kind === 'table')) {
    refuse(place, `tables are only supported in round-robin ${use} pools`);
  }
  const multiple = hosts.find(isMultiple);
  if (multiple?.address.kind === 'dynamic') {
    refuse(place, `interface (${multiple.address.interface}) is only supported in round-robin ${use} pools`);
  }
  if (hosts.length > 1) refuse(place, `only round-robin valid for multiple ${use} addresses`);
  return type;
}

/** The pool itself; `key` makes up a key for source-hash that has none. */
export function makePool(
  hosts: readonly PoolHost[],
  type: PfPoolType | undefined,
  options: PoolOptionsSyntax,
  af: PfFamily | undefined,
  key: () => string,
): PfPool {
  return {
    addresses: hosts.map((host) => poolAddress(host, af)),
    ...(type && { type }),
    ...(type === 'source-hash' && { key: options.key ? hashKey(options.key) : key() }),
    ...(options.sticky && { sticky: true }),
  };
}

function poolAddress(host: PoolHost, af: PfFamily | undefined): PfPoolAddress {
  return {
    address: fitFamily(host.address, af),
    ...(host.interface !== undefined && { interface: host.interface }),
  };
}

/** 32 hexadecimal digits of a key that is written as 0x and digits, or as any words. */
function hashKey(word: Word): string {
  if (!word.text.startsWith('0x')) return md5(new TextEncoder().encode(word.text));
  const digits = word.text.slice(2).toLowerCase();
  if (digits.length !== KEY_DIGITS) refuse(word, 'hex key must be 128 bits (32 hex digits) long');
  if (!/^[0-9a-f]+$/.test(digits)) refuse(word, 'invalid hex key');
  return digits;
}

/** Hosts of the family, which is that of the first one if none is given. */
export function ofFamily<T extends ResolvedHost>(
  hosts: readonly T[],
  given: PfFamily | undefined,
): { hosts: T[]; af: PfFamily | undefined } {
  const af = given ?? hosts.find((host) => host.af)?.af;
  return { hosts: hosts.filter((host) => af === undefined || host.af === undefined || host.af === af), af };
}
