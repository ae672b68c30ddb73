/**
 * The generic driver options, which io-pkt itself reads for every driver: they name a card and set it up (io-pkt, "Generic driver options").
 */
import { u8 } from '../memory/memory.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { ETHER_ADDRESS } from './ethernet.ts';
import { IFNAME_BYTES, findInterface, ifnets } from './ifnet.ts';
import type { ModuleOptions, OptionSpecs } from './module.ts';
import type { Stack } from './stack.ts';

const MOST_UNITS = 32_767;
const PRIORITIES = 63;

export const CARD_OPTIONS = {
  name: {
    type: 'text',
    meaning: 'base name of the interface, without its number (default: that of the driver, mostly en)',
  },
  unit: { type: 'number', max: MOST_UNITS, meaning: 'number of the interface; default: the first free one' },
  lan: { type: 'number', max: MOST_UNITS, meaning: 'the same as unit' },
  mac: { type: 'mac', meaning: 'hardware address, as 02:00:00:00:00:01 or 020000000001' },
  priority: { type: 'number', max: PRIORITIES, meaning: 'priority of its receive work (default 21)' },
} as const satisfies OptionSpecs;

/** What the generic options say about a card. */
export interface CardIdentity {
  readonly name: string;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  readonly priority?: number;
}

/** Reads the generic options; `usual` is the base name where name= does not say. Throws SystemError: EINVAL for a name that cannot be, EEXIST for one that is taken. */
export function cardFrom(stack: Stack, options: ModuleOptions, usual = 'en'): CardIdentity {
  const base = options.text('name') ?? usual;
  const name = freeName(stack, base, options.number('unit') ?? options.number('lan'));
  if (!/^[a-z][a-z0-9]*$/.test(base) || name.length >= IFNAME_BYTES)
    throw new SystemError(
      ERRNO.EINVAL,
      `name=${base}: small letters and digits make the name of an interface`,
    );
  if (findInterface(stack, name) !== undefined) throw new SystemError(ERRNO.EEXIST, name);
  const priority = options.number('priority');
  return { name, mac: options.mac('mac') ?? freshMac(stack), ...(priority !== undefined && { priority }) };
}

function freeName(stack: Stack, base: string, unit: number | undefined): string {
  if (unit !== undefined) return `${base}${unit}`;
  let number = 0;
  while (findInterface(stack, `${base}${number}`) !== undefined) number++;
  return `${base}${number}`;
}

/** An address that follows the highest of the stack's own cards. */
function freshMac(stack: Stack): Uint8Array {
  const { ptr } = stack;
  const mac = Uint8Array.of(0x02, 0, (ptr >>> 16) & 255, (ptr >>> 8) & 255, ptr & 255, 0x80);
  for (let at = stack.interfaces; at !== 0; at = ifnets.get(at).next) {
    const known = ifnets.get(at).mac;
    if (u8[known] !== 0x02) continue;
    mac.set(u8.subarray(known, known + ETHER_ADDRESS - 1));
    mac[5] = Math.max(mac[5]!, u8[known + 5]! | 0x80) + 1;
  }
  return mac;
}
