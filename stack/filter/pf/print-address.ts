/** Addresses, ports and conditions as listings of pfctl(8) show them. */
import { addressBits } from './address.ts';
import type { PfEnvironment } from './environment.ts';
import { TCP } from './protocols.ts';
import { PF_UNKNOWN_ID } from './ruleset.ts';
import type { PfAddress, PfFamily, PfHost, PfOperator, PfRule } from './ruleset.ts';

/** An address of a rule of the family. */
export function printAddress(address: PfAddress, af: PfFamily | undefined): string {
  switch (address.kind) {
    case 'network':
      return address.address + printLength(address.length, address.af);
    case 'range':
      return `${address.first} - ${address.last}`;
    case 'table':
      return `<${address.name}>`;
    case 'dynamic': {
      const name = [address.interface, ...address.modifiers].join(':');
      return `(${name})${address.length === undefined ? '' : printLength(address.length, af ?? 'inet6')}`;
    }
    case 'route-label':
      return `route "${address.label}"`;
    default:
      return address.kind;
  }
}

/** The prefix, unless it is a whole address. */
export function printLength(length: number, af: PfFamily): string {
  return length === addressBits(af) ? '' : `/${length}`;
}

/** A condition with its numbers, or with a name in place of the first. */
export function printOperator({ op, a, b }: PfOperator, name?: string): string {
  if (op === ':') return `${a}:${b ?? a}`;
  return b === undefined ? `${op} ${name ?? a}` : `${a} ${op} ${b}`;
}

function printPort(port: PfOperator, protocol: number | undefined, environment: PfEnvironment): string {
  const named = port.op === '=' || port.op === '!=';
  const name = named ? environment.serviceName(port.a, protocol === TCP ? 'tcp' : 'udp') : undefined;
  return ` port ${printOperator(port, name)}`;
}

/** ` user = 0`, ` group != unknown`. */
export function printOwner(what: 'user' | 'group', operator: PfOperator): string {
  return ` ${what} ${printOperator(operator, operator.a === PF_UNKNOWN_ID ? 'unknown' : undefined)}`;
}

function isAny({ address, not, port }: PfHost): boolean {
  return address.kind === 'any' && !not && !port;
}

/** ` all`, or ` from ... to ...`. */
export function printFromTo(rule: PfRule, environment: PfEnvironment): string {
  const { source, destination, os, af, protocol } = rule;
  if (isAny(source) && isAny(destination) && os === undefined) return ' all';
  const end = ({ address, not, port }: PfHost): string =>
    (not ? '! ' : '') + printAddress(address, af) + (port ? printPort(port, protocol, environment) : '');
  return ` from ${end(source)}${os === undefined ? '' : ` os "${os}"`} to ${end(destination)}`;
}
