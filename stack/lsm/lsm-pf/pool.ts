/**
 * Choosing an address of a pool (pf.conf(5), "POOL OPTIONS"): bitmask keeps the host part of the source, random and source-hash choose one, round-robin goes through all; a
 * source with sticky-address keeps what it was given.
 */
import { mix3 } from '../../memory/hash.ts';
import { random32 } from '../../runtime/random.ts';
import { stackStruct } from '../../net/stack.ts';
import type { PfPool } from '../../filter/pf/ruleset.ts';
import { address4, mask4 } from './address.ts';
import { dynamicNetworks } from './match.ts';
import { pd } from './packet.ts';
import { sourceNodes } from './records.ts';
import type { RuleRecord } from './records.ts';
import { SOURCE_KIND, sourceFor } from './sources.ts';
import { limitOf } from './states.ts';
import { eachEntry, entryAddress, resolveTable, tables } from './tables.ts';

const RANDOM = stackStruct.offsets.random;

/** A network of a pool, host order; `interface` where a next hop is reached. */
export interface PoolNetwork {
  readonly address: number;
  readonly mask: number;
  readonly interface: string | undefined;
}

/** The IPv4 networks that a pool has now. */
function networksOf(pool: PfPool, anchor: string): PoolNetwork[] {
  return pool.addresses.flatMap(({ address, interface: name }): PoolNetwork[] => {
    switch (address.kind) {
      case 'network': {
        if (address.af !== 'inet') return [];
        const mask = mask4(address.length);
        return [{ address: (address4(address.address) & mask) >>> 0, mask, interface: name }];
      }
      case 'dynamic':
        return dynamicNetworks(address).map((network) => ({ ...network, interface: name }));
      case 'table':
        return tableNetworks(address.name, anchor).map((network) => ({ ...network, interface: name }));
      case 'any':
        // Only where packets leave is given.
        return [{ address: 0, mask: 0xffffffff, interface: name }];
      default:
        return [];
    }
  });
}

function tableNetworks(name: string, anchor: string): { address: number; mask: number }[] {
  const ptr = resolveTable(pd.pf, anchor, name);
  const found: { address: number; mask: number }[] = [];
  if (ptr === 0) return found;
  eachEntry(tables.get(ptr), (entry, af) => {
    const { address, length, not } = entryAddress(entry, af);
    if (af === 'inet' && not !== true) found.push({ address: address4(address), mask: mask4(length) });
  });
  return found;
}

/** What was chosen: an address in host order, and the interface of a next hop. */
export interface Choice {
  readonly address: number;
  readonly interface: string | undefined;
}

function random(): number {
  return random32(pd.stack.ptr + RANDOM) >>> 0;
}

/** A number that depends on a source and on the key of a rule only. */
function hashOf(address: number, key: string): number {
  const word = (i: number): number => Number.parseInt(key.slice(i * 8, i * 8 + 8) || '0', 16) | 0;
  return mix3(address ^ word(0), word(1) ^ word(2), word(3)) >>> 0;
}

function within({ address, mask, interface: name }: PoolNetwork, host: number): Choice {
  return { address: ((address & mask) | (host & ~mask)) >>> 0, interface: name };
}

/** The next address in turn; the counters are the rule's. */
function takeTurn(networks: readonly PoolNetwork[], record: RuleRecord): Choice {
  if (record.poolIndex >= networks.length) {
    record.poolIndex = 0;
    record.poolCounter = 0;
  }
  const network = networks[record.poolIndex]!;
  const choice = within(network, record.poolCounter);
  if (record.poolCounter >= ~network.mask >>> 0) {
    record.poolIndex = (record.poolIndex + 1) % networks.length;
    record.poolCounter = 0;
  } else record.poolCounter++;
  return choice;
}

function choose(pool: PfPool, networks: readonly PoolNetwork[], record: RuleRecord, source: number): Choice {
  const first = networks[0]!;
  switch (pool.type) {
    case 'bitmask':
      return within(first, source);
    case 'random':
      return within(first, random());
    case 'source-hash':
      return within(first, hashOf(source, pool.key ?? ''));
    case 'round-robin':
      return takeTurn(networks, record);
    default:
      return networks.length > 1 ? takeTurn(networks, record) : within(first, 0);
  }
}

/** Chooses for a source; `node` is where a source with sticky-address is remembered, 0 for others. undefined: the pool is empty, or sources are too many. */
export function mapAddress(
  pool: PfPool,
  anchor: string,
  record: RuleRecord,
  source: number,
  kind: number,
): { readonly choice: Choice; readonly node: number } | undefined {
  const networks = networksOf(pool, anchor);
  if (networks.length === 0) return undefined;
  if (pool.sticky !== true || pool.type === 'bitmask')
    return { choice: choose(pool, networks, record, source), node: 0 };
  const ptr = sourceFor(pd.pf, record.ptr, kind, source, undefined, limitOf(pd.pf, 'src-nodes'));
  if (ptr === 0) return undefined;
  const node = sourceNodes.get(ptr);
  if (node.chosen === 0) {
    node.target = choose(pool, networks, record, source).address;
    node.chosen = 1;
  }
  const { target } = node;
  const network = networks.find(({ address, mask }) => ((address ^ target) & mask) === 0);
  return { choice: { address: target, interface: network?.interface }, node: ptr };
}

/** Kinds of sources for the parts that translate. */
export const POOL_KIND = { nat: SOURCE_KIND.nat, rdr: SOURCE_KIND.rdr, route: SOURCE_KIND.filter } as const;
