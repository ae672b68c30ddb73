/**
 * Whether a captured packet came in or went out at the interface: the capture may say so; otherwise its addresses tell, as seen from a host or router that has the interface.
 */
import type { PfInterface } from '../../../stack/filter/pf/environment.ts';
import type { PacketDirection } from '../../capture/packet.ts';

function addressAt(ip: Uint8Array, at: number): number {
  return (
    (((ip[at] ?? 0) << 24) | ((ip[at + 1] ?? 0) << 16) | ((ip[at + 2] ?? 0) << 8) | (ip[at + 3] ?? 0)) >>> 0
  );
}

function numberOf(text: string): number {
  return text.split('.').reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);
}

/** Where an address is, seen from the node: its own, on the network of the interface, or elsewhere. */
function placeOf(
  address: number,
  interfaces: readonly PfInterface[],
  name: string,
): 'own' | 'network' | 'elsewhere' {
  const inet = (one: PfInterface) => one.addresses.filter(({ af }) => af === 'inet');
  if (interfaces.some((one) => inet(one).some((entry) => numberOf(entry.address) === address))) return 'own';
  const here = interfaces.find((one) => one.name === name);
  const near =
    here !== undefined && inet(here).some((entry) => isIn(address, numberOf(entry.address), entry.length));
  return near ? 'network' : 'elsewhere';
}

function isIn(address: number, network: number, length: number): boolean {
  return length === 0 || (address ^ network) >>> (32 - length) === 0;
}

/** Which way a packet went: as asked for, as the capture says, else by its addresses; `in` if they do not tell. */
export function directionOf(
  { direction }: { readonly direction?: PacketDirection },
  ip: Uint8Array | undefined,
  options: {
    readonly direction: 'in' | 'out' | 'both';
    readonly interface: string;
    readonly environment: { readonly interfaces: readonly PfInterface[] };
  },
): 'in' | 'out' {
  if (options.direction !== 'both') return options.direction;
  if (direction !== undefined) return direction === 'inbound' ? 'in' : 'out';
  if (ip === undefined) return 'in';
  const { interfaces } = options.environment;
  const source = placeOf(addressAt(ip, 12), interfaces, options.interface);
  if (source === 'own') return 'out';
  if (source === 'network') return 'in';
  return placeOf(addressAt(ip, 16), interfaces, options.interface) === 'network' ? 'out' : 'in';
}
