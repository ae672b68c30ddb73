/** Interfaces and addresses of a node that does not run: those it has in the lab file, with what the `ifconfig` lines of its startup say. */
import type { PfInterface, PfInterfaceAddress } from '../../stack/filter/pf/environment.ts';
import { inetAton, inetNtoa, maskOf, prefixLengthOf } from '../../stack/socket/inet.ts';
import { readChange } from '../../stack/utilities/ifconfig-words.ts';
import type { InterfaceChange } from '../../stack/utilities/ifconfig-words.ts';

const LOOPBACK: PfInterface = {
  name: 'lo0',
  loopback: true,
  addresses: [{ af: 'inet', address: '127.0.0.1', length: 8 }],
};
const WHOLE = 32;

/**
 * @param names interfaces of the node
 * @param startup its command lines; those that are no `ifconfig IF ...` say nothing here
 */
export function interfacesOfNode(names: readonly string[], startup: readonly string[]): PfInterface[] {
  const addresses = new Map<string, PfInterfaceAddress[]>(names.map((name) => [name, []]));
  for (const line of startup) {
    const [command, name, ...words] = line.trim().split(/\s+/);
    if (command !== 'ifconfig' || name === undefined) continue;
    const change = changeOf(words);
    if (!change) continue;
    const before = addresses.get(name) ?? [];
    addresses.set(name, change.address === undefined ? before : applied(before, change, change.address));
  }
  return [LOOPBACK, ...[...addresses].map(([name, list]) => ({ name, addresses: list }))];
}

/** What the words say, undefined if they are wrong: the node itself will complain. */
function changeOf(words: readonly string[]): InterfaceChange | undefined {
  try {
    return readChange(words);
  } catch {
    return undefined;
  }
}

function applied(
  before: readonly PfInterfaceAddress[],
  { action, netmask, broadcast, destination }: InterfaceChange,
  address: string,
): PfInterfaceAddress[] {
  const others = before.filter((item) => item.address !== address);
  if (action === 'remove') return others;
  const length = (netmask === undefined ? undefined : prefixLengthOf(inetAton(netmask) ?? 0)) ?? WHOLE;
  const quad = inetAton(address) ?? 0;
  const all = inetNtoa((quad | ~maskOf(length)) >>> 0);
  const added: PfInterfaceAddress = {
    af: 'inet',
    address,
    length,
    ...(destination === undefined ? { broadcast: broadcast ?? all } : { peer: destination }),
  };
  return action === 'alias' ? [...others, added] : [added];
}
