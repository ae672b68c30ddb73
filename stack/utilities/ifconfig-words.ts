/**
 * The words behind `ifconfig IF`: read into one change before anything is done, so that a mistake at the end changes nothing at the start.
 */
import { UsageError } from '../kernel/process.ts';
import type { ControlIn } from '../runtime/messages/control.ts';
import { inetAton, inetNtoa, maskOf } from '../socket/inet.ts';
import { parseMac, parseMask } from './address-text.ts';
import { numberIn } from './command.ts';
import { CAPABILITY_NAMES } from './ifconfig-text.ts';

type FlagChange = ControlIn<'SIOCSIFFLAGS'>;

/** What a command line asks for. */
export interface InterfaceChange {
  create: boolean;
  destroy: boolean;
  /** An address to set, to add (`alias`) or to remove. */
  address?: string;
  action: 'set' | 'alias' | 'remove';
  netmask?: string;
  broadcast?: string;
  readonly set: NonNullable<FlagChange['set']>;
  readonly capabilities: Record<string, boolean>;
  mtu?: number;
  metric?: number;
  mac?: string;
  /** The other end of a point-to-point interface. */
  destination?: string;
  /** Words that only one kind of pseudo-interface knows, with their values. */
  readonly settings: Record<string, string>;
}

type Reader = (change: InterfaceChange, next: (what: string) => string) => void;

const FLAG_WORDS = new Map<string, keyof InterfaceChange['set']>([
  ['debug', 'DEBUG'],
  ['link0', 'LINK0'],
  ['link1', 'LINK1'],
  ['link2', 'LINK2'],
]);

function dotted(text: string, what: string): string {
  const address = inetAton(text);
  if (address === undefined)
    throw new UsageError(`${what} must be an address such as 10.0.0.1, not '${text}'`);
  return inetNtoa(address);
}

function readMac(change: InterfaceChange, next: (what: string) => string): void {
  const text = next('a MAC address');
  const mac = parseMac(text);
  if (mac === undefined) throw new UsageError(`'${text}' is not a MAC address such as 02:00:00:00:00:01`);
  change.mac = mac;
}

const READERS: Readonly<Record<string, Reader>> = {
  up: (change) => (change.set.UP = true),
  down: (change) => (change.set.UP = false),
  arp: (change) => (change.set.NOARP = false),
  '-arp': (change) => (change.set.NOARP = true),
  create: (change) => (change.create = true),
  destroy: (change) => (change.destroy = true),
  alias: (change) => (change.action = 'alias'),
  '-alias': (change) => (change.action = 'remove'),
  delete: (change) => (change.action = 'remove'),
  inet: () => undefined,
  netmask: (change, next) => (change.netmask = inetNtoa(parseMask(next('a netmask')))),
  broadcast: (change, next) => (change.broadcast = dotted(next('an address'), 'broadcast')),
  prefixlen: (change, next) =>
    (change.netmask = inetNtoa(maskOf(numberIn(next('a length'), 'prefixlen', 0, 32)))),
  mtu: (change, next) => (change.mtu = numberIn(next('a number of bytes'), 'mtu', 1, 65_535)),
  metric: (change, next) => (change.metric = numberIn(next('a number'), 'metric', 0, 0x7fffffff)),
  lladdr: readMac,
  media: (_change, next) => {
    const media = next('a media type');
    if (media !== 'auto' && media !== 'autoselect') {
      throw new UsageError(`media ${media}: only autoselect can be set on the interfaces of a lab`);
    }
  },
};

/** Words of pseudo-interfaces, and what each needs. */
const PSEUDO_WORDS: Readonly<Record<string, readonly string[]>> = {
  vlan: ['a VLAN identifier'],
  vlanif: ['an interface'],
  vlanprio: ['a priority from 0 to 7'],
  '-vlanif': [],
  agrport: ['an interface'],
  '-agrport': ['an interface'],
  tunnel: ['a source address', 'a destination address'],
  deletetunnel: [],
};

/** Words that may follow an interface's name, for completion. */
export const INTERFACE_WORDS = [
  ...Object.keys(READERS),
  ...Object.keys(PSEUDO_WORDS),
  ...[...FLAG_WORDS.keys(), ...CAPABILITY_NAMES].flatMap((word) => [word, `-${word}`]),
];

function readAddress(change: InterfaceChange, word: string): void {
  const [quad, length, ...more] = word.split('/');
  if (quad === undefined || inetAton(quad) === undefined || more.length > 0) {
    throw new UsageError(`'${word}' is neither a word of ifconfig nor an address such as 10.0.0.1/24`);
  }
  if (change.address !== undefined) {
    change.destination = dotted(word, 'the address of the other end');
    return;
  }
  change.address = dotted(quad, 'the address');
  if (length !== undefined) change.netmask = inetNtoa(maskOf(numberIn(length, 'the prefix length', 0, 32)));
}

/** `vlan 7`, `tunnel 10.0.0.1 10.0.0.2` ...: says whether it was one. The values of a word that is repeated are one text: `agrport en0 agrport en1`. */
function readPseudo(change: InterfaceChange, word: string, next: (what: string) => string): boolean {
  if (!Object.hasOwn(PSEUDO_WORDS, word)) return false;
  const value = PSEUDO_WORDS[word]!.map(next).join(' ');
  const before = change.settings[word];
  change.settings[word] = before === undefined ? value : `${before} ${value}`;
  return true;
}

/** `link0`, `-debug`, `ip4csum` ...: says whether it was one. */
function readSwitch(change: InterfaceChange, word: string): boolean {
  const on = !word.startsWith('-');
  const name = on ? word : word.slice(1);
  const flag = FLAG_WORDS.get(name);
  if (flag !== undefined) change.set[flag] = on;
  else if (CAPABILITY_NAMES.includes(name)) change.capabilities[name] = on;
  else return false;
  return true;
}

/** Reads the words behind an interface's name. Throws UsageError. */
export function readChange(words: readonly string[]): InterfaceChange {
  const change: InterfaceChange = {
    create: false,
    destroy: false,
    action: 'set',
    set: {},
    capabilities: {},
    settings: {},
  };
  let at = 0;
  while (at < words.length) {
    const word = words[at++]!;
    const reader = Object.hasOwn(READERS, word) ? READERS[word] : undefined;
    const next = (what: string): string => {
      const argument = words[at++];
      if (argument === undefined) throw new UsageError(`'${word}' requires ${what}`);
      return argument;
    };
    if (reader !== undefined) reader(change, next);
    else if (!readPseudo(change, word, next) && !readSwitch(change, word)) readAddress(change, word);
  }
  return change;
}

/** Whether anything but addresses, creation and destruction changes. */
export function flagChange(name: string, change: InterfaceChange): FlagChange | undefined {
  const { set, capabilities, mtu, metric, mac } = change;
  const asked: FlagChange = {
    name,
    ...(Object.keys(set).length > 0 && { set }),
    ...(Object.keys(capabilities).length > 0 && { capabilities }),
    ...(mtu !== undefined && { mtu }),
    ...(metric !== undefined && { metric }),
    ...(mac !== undefined && { mac }),
  };
  return Object.keys(asked).length > 1 ? asked : undefined;
}
