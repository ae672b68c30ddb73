/**
 * Addresses as BSD's network commands read and print them: masks, networks in their short form, dotted numbers with ports.
 */
import { UsageError } from '../kernel/process.ts';
import type { Process } from '../kernel/process.ts';
import { inetAton, inetNtoa, maskOf, prefixLengthOf } from '../socket/inet.ts';
import { hostByAddress, hostByName } from '../socket/netdb.ts';
import { CommandError } from './command.ts';

/** A network mask: 255.255.255.0, 0xffffff00 or a prefix length such as 24 or /24. Throws UsageError. */
export function parseMask(text: string): number {
  const hex = /^0x([0-9a-f]{1,8})$/i.exec(text);
  const length = /^\/?(\d{1,2})$/.exec(text);
  const mask =
    hex !== null ? parseInt(hex[1]!, 16) : length !== null ? lengthMask(length[1]!) : inetAton(text);
  if (mask !== undefined && prefixLengthOf(mask) !== undefined) return mask;
  throw new UsageError(`'${text}' is not a netmask such as 255.255.255.0, 0xffffff00 or /24`);
}

function lengthMask(digits: string): number | undefined {
  return Number(digits) <= 32 ? maskOf(Number(digits)) : undefined;
}

/** Address of a host by dotted quad or name. Throws CommandError with BSD's text. */
export async function resolveHost(self: Process, name: string): Promise<number> {
  const address = await hostByName(self, name);
  if (address === undefined) throw new CommandError(`${name}: bad value`);
  return address;
}

/** An address as commands print it: by name unless `numeric`. */
export async function hostText(self: Process, quad: string, numeric: boolean): Promise<string> {
  const address = inetAton(quad);
  const name = numeric || address === undefined ? undefined : await hostByAddress(self, address);
  return name ?? quad;
}

/** `0xffffff00`. */
export function hexMask(mask: string): string {
  return `0x${(inetAton(mask) ?? 0).toString(16).padStart(8, '0')}`;
}

/** A network as netstat prints it: zeros at the end left out, the length after a slash: `10.0.0/24`, `127/8`. */
export function networkText(destination: string, netmask: string): string {
  const address = inetAton(destination) ?? 0;
  const mask = inetAton(netmask) ?? 0;
  if (address === 0 && mask === 0) return 'default';
  const length = prefixLengthOf(mask);
  if (length === 32) return inetNtoa(address);
  if (length === undefined) return `${inetNtoa(address)}&${hexMask(netmask)}`;
  const octets = inetNtoa(address)
    .split('.')
    .slice(0, Math.max(1, Math.ceil(length / 8)));
  return `${octets.join('.')}/${length}`;
}

/** MAC address in six colon-separated hexadecimal parts, each with one or two digits; undefined if `text` is none. */
export function parseMac(text: string): string | undefined {
  const parts = text.toLowerCase().split(':');
  if (parts.length !== 6 || parts.some((part) => !/^[0-9a-f]{1,2}$/.test(part))) return undefined;
  return parts.map((part) => part.padStart(2, '0')).join(':');
}
