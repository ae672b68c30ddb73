/**
 * The words behind `route add`, `delete`, `change` and `get`: destination, gateway and modifiers in any order, as route(8) takes them.
 */
import { UsageError } from '../kernel/process.ts';
import type { Process } from '../kernel/process.ts';
import { classMask, inetAton, maskOf } from '../socket/inet.ts';
import { parseMask, resolveHost } from './address-text.ts';
import { CommandError, numberIn } from './command.ts';

/** A route as asked for; numbers in host order. */
export interface RouteRequest {
  readonly destination: number;
  readonly netmask: number;
  readonly isHost: boolean;
  /** Destination and gateway as they were given, for the answer. */
  readonly name: string;
  readonly gatewayName?: string;
  readonly gateway?: number;
  readonly interface?: string;
  readonly reject: boolean;
  readonly blackhole: boolean;
}

interface Words {
  readonly operands: string[];
  kind?: 'net' | 'host';
  netmask?: number;
  ifp?: string;
  /** The gateway is the name of an interface: the network is on it. */
  interfaceGateway: boolean;
  reject: boolean;
  blackhole: boolean;
}

type Reader = (words: Words, next: (what: string) => string) => void;

const READERS: Readonly<Record<string, Reader>> = {
  net: (words) => (words.kind = 'net'),
  host: (words) => (words.kind = 'host'),
  inet: () => undefined,
  static: () => undefined,
  netmask: (words, next) => (words.netmask = parseMask(next('a netmask'))),
  prefixlen: (words, next) => (words.netmask = maskOf(numberIn(next('a length'), '-prefixlen', 0, 32))),
  ifp: (words, next) => (words.ifp = next('the name of an interface')),
  interface: (words) => (words.interfaceGateway = true),
  iface: (words) => (words.interfaceGateway = true),
  reject: (words) => (words.reject = true),
  blackhole: (words) => (words.blackhole = true),
};

/** Modifiers for completion. */
export const ROUTE_MODIFIERS = Object.keys(READERS).map((name) => `-${name}`);

function readWords(list: readonly string[]): Words {
  const words: Words = { operands: [], interfaceGateway: false, reject: false, blackhole: false };
  let at = 0;
  while (at < list.length) {
    const word = list[at++]!;
    if (!word.startsWith('-')) {
      words.operands.push(word);
      continue;
    }
    const reader = Object.hasOwn(READERS, word.slice(1)) ? READERS[word.slice(1)] : undefined;
    if (reader === undefined) throw new UsageError(`unknown modifier '${word}'`);
    reader(words, (what) => {
      const argument = list[at++];
      if (argument === undefined) throw new UsageError(`'${word}' requires ${what}`);
      return argument;
    });
  }
  return words;
}

/** `10.1` is 10.1.0.0 in a network's short form. */
function networkAddress(text: string): number | undefined {
  const parts = text.split('.');
  return parts.length > 4 ? undefined : inetAton([...parts, '0', '0', '0'].slice(0, 4).join('.'));
}

interface Destination {
  readonly destination: number;
  readonly netmask: number;
}

const HOST_MASK = 0xffffffff;

/** Whether a destination is a network or a host follows from -net and -host, a mask, or its host part being zero. */
async function readDestination(self: Process, text: string, words: Words): Promise<Destination> {
  const { kind } = words;
  if (text === 'default' && kind !== 'host') return { destination: 0, netmask: 0 };
  const [base, length, ...more] = text.split('/');
  if (more.length > 0 || base === undefined)
    throw new UsageError(`'${text}' is not a destination such as 10.1.0.0/16`);
  const given = length === undefined ? words.netmask : maskOf(numberIn(length, 'the prefix length', 0, 32));
  if (kind === 'host') return { destination: await resolveHost(self, base), netmask: HOST_MASK };
  const address = networkAddress(base) ?? (await resolveHost(self, base));
  if (given !== undefined) return { destination: (address & given) >>> 0, netmask: given };
  const mask = classMask(address);
  const isNetwork = kind === 'net' || address === 0 || (address & ~mask) === 0;
  if (!isNetwork) return { destination: address, netmask: HOST_MASK };
  return { destination: (address & mask) >>> 0, netmask: address === 0 ? 0 : mask };
}

/** Reads what follows the command. Throws UsageError; CommandError when a name is unknown. */
export async function readRoute(self: Process, list: readonly string[]): Promise<RouteRequest> {
  const words = readWords(list);
  const [name, second, third, ...more] = words.operands;
  if (name === undefined) throw new UsageError('a destination is missing');
  if (more.length > 0) throw new UsageError(`'${more[0]!}' is too much`);
  if (third !== undefined) words.netmask = parseMask(third);
  const target = await readDestination(self, name, words);
  const isInterface = words.interfaceGateway || (second !== undefined && /^[a-z]+\d+$/i.test(second));
  if (words.interfaceGateway && second === undefined)
    throw new CommandError('-interface needs the name of one');
  const device = isInterface ? second : words.ifp;
  return {
    ...target,
    name,
    isHost: target.netmask === HOST_MASK,
    reject: words.reject,
    blackhole: words.blackhole,
    ...(second !== undefined && { gatewayName: second }),
    ...(second !== undefined && !isInterface && { gateway: await resolveHost(self, second) }),
    ...(device !== undefined && { interface: device }),
  };
}
