/**
 * The commands behind `brconfig BRIDGE`: all are read before the first is carried out, so that a mistake at the end changes nothing at the start.
 */
import { UsageError } from '../kernel/process.ts';
import type { ControlIn, ControlName } from '../runtime/messages/control.ts';
import { parseMac } from './address-text.ts';
import { numberIn } from './command.ts';

/** The bridge calls that change something. */
type ChangeName = Exclude<Extract<ControlName, `BRIDGE_${string}`>, 'BRIDGE_LIST' | 'BRIDGE_GET'>;

/** A control call, or `addr`: to print the addresses. */
export type BridgeStep =
  | { readonly [N in ChangeName | 'SIOCSIFFLAGS']: { readonly call: N; readonly in: ControlIn<N> } }[
      ChangeName | 'SIOCSIFFLAGS']
  | 'addr';

type Next = (what: string) => string;
type Reader = (name: string, next: Next) => BridgeStep;

const MEMBER = 'an interface';

function number(next: Next, word: string, most: number, least = 0): number {
  return numberIn(next('a number'), word, least, most);
}

function macFrom(next: Next): string {
  const text = next('an Ethernet address');
  const mac = parseMac(text);
  if (mac === undefined)
    throw new UsageError(`'${text}' is not an Ethernet address such as 02:00:00:00:00:01`);
  return mac;
}

/** `learn if`, `-learn if` and their like. */
function memberSwitch(setting: 'learning' | 'discover' | 'stp', on: boolean): Reader {
  return (name, next) => ({ call: 'BRIDGE_MEMBER', in: { name, member: next(MEMBER), [setting]: on } });
}

function bridgeNumber(
  word: string,
  setting: 'maxAddresses' | 'timeout' | 'priority' | 'helloTime' | 'forwardDelay' | 'maxAge',
  least: number,
  most: number,
): Reader {
  return (name, next) => ({ call: 'BRIDGE_SET', in: { name, [setting]: number(next, word, most, least) } });
}

const READERS: Readonly<Record<string, Reader>> = {
  up: (name) => ({ call: 'SIOCSIFFLAGS', in: { name, set: { UP: true } } }),
  down: (name) => ({ call: 'SIOCSIFFLAGS', in: { name, set: { UP: false } } }),
  add: (name, next) => ({ call: 'BRIDGE_ADD', in: { name, member: next(MEMBER) } }),
  delete: (name, next) => ({ call: 'BRIDGE_DELETE', in: { name, member: next(MEMBER) } }),
  addr: () => 'addr',
  maxaddr: bridgeNumber('maxaddr', 'maxAddresses', 1, 65_536),
  timeout: bridgeNumber('timeout', 'timeout', 0, 0x7fff_ffff),
  static: (name, next) => ({
    call: 'BRIDGE_STATIC',
    in: { name, member: next(MEMBER), mac: macFrom(next) },
  }),
  deladdr: (name, next) => ({ call: 'BRIDGE_FORGET', in: { name, mac: macFrom(next) } }),
  flush: (name) => ({ call: 'BRIDGE_FLUSH', in: { name, all: false } }),
  flushall: (name) => ({ call: 'BRIDGE_FLUSH', in: { name, all: true } }),
  discover: memberSwitch('discover', true),
  '-discover': memberSwitch('discover', false),
  learn: memberSwitch('learning', true),
  '-learn': memberSwitch('learning', false),
  stp: memberSwitch('stp', true),
  '-stp': memberSwitch('stp', false),
  maxage: bridgeNumber('maxage', 'maxAge', 1, 255),
  fwddelay: bridgeNumber('fwddelay', 'forwardDelay', 1, 255),
  hellotime: bridgeNumber('hellotime', 'helloTime', 1, 255),
  priority: bridgeNumber('priority', 'priority', 0, 65_535),
  ifpriority: (name, next) => ({
    call: 'BRIDGE_MEMBER',
    in: { name, member: next(MEMBER), priority: number(next, 'ifpriority', 255) },
  }),
  ifpathcost: (name, next) => ({
    call: 'BRIDGE_MEMBER',
    in: { name, member: next(MEMBER), pathCost: number(next, 'ifpathcost', 65_535) },
  }),
  ipf: (name) => ({ call: 'BRIDGE_SET', in: { name, filter: true } }),
  '-ipf': (name) => ({ call: 'BRIDGE_SET', in: { name, filter: false } }),
};

/** Commands that may follow the name of a bridge, for completion. */
export const BRIDGE_WORDS = Object.keys(READERS);

/** Reads the commands. Throws UsageError. */
export function readSteps(name: string, words: readonly string[]): BridgeStep[] {
  const steps: BridgeStep[] = [];
  for (let at = 0; at < words.length;) {
    const word = words[at++]!;
    const next = (what: string): string => {
      const argument = words[at++];
      if (argument === undefined) throw new UsageError(`'${word}' requires ${what}`);
      return argument;
    };
    if (!Object.hasOwn(READERS, word)) throw new UsageError(`'${word}' is not a command of brconfig`);
    steps.push(READERS[word]!(name, next));
  }
  return steps;
}
