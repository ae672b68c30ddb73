/**
 * The drivers that `io-pkt -d` and `mount -T io-pkt` can load, as modules with options: devnp-vnic. Registered in every thread.
 */
import { attachVnic } from '../../drivers/devnp-vnic/index.ts';
import type { VnicOptions } from '../../drivers/devnp-vnic/index.ts';
import { u8 } from '../../stack/memory/memory.ts';
import { registerModule } from '../../stack/io-pkt/modules.ts';
import type { ModuleOptions } from '../../stack/io-pkt/modules.ts';
import { ETHER_ADDRESS } from '../../stack/net/ethernet.ts';
import { findInterface, ifnets } from '../../stack/net/ifnet.ts';
import type { Stack } from '../../stack/net/stack.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';

/** Options that name a card and set it up, the same for all drivers. */
export const CARD_OPTIONS = ['name', 'unit', 'lan', 'mac', 'priority'] as const;

/** What the options of a driver say about its card; throws SystemError. */
export function cardFrom(stack: Stack, options: ModuleOptions): VnicOptions {
  const name = freeName(stack, options.get('name') ?? 'en', options.get('unit') ?? options.get('lan'));
  if (findInterface(stack, name) !== undefined) throw new SystemError(ERRNO.EEXIST, name);
  const priority = options.get('priority');
  return {
    name,
    mac: macFrom(options, stack),
    ...(priority !== undefined && { priority: Number(priority) & 63 }),
  };
}

function freeName(stack: Stack, base: string, unit: string | undefined): string {
  if (unit !== undefined) return `${base}${unit}`;
  let number = 0;
  while (findInterface(stack, `${base}${number}`) !== undefined) number++;
  return `${base}${number}`;
}

function macFrom(options: ModuleOptions, stack: Stack): Uint8Array {
  const text = options.get('mac');
  if (text === undefined) return freshMac(stack);
  const digits = text.replaceAll(':', '');
  if (!/^[0-9a-fA-F]{12}$/.test(digits))
    throw new SystemError(ERRNO.EINVAL, `mac=${text} is not a hardware address`);
  return Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}

/** An address that follows the highest of the stack's own cards. */
function freshMac(stack: Stack): Uint8Array {
  const mac = Uint8Array.of(
    0x02,
    0,
    (stack.ptr >>> 16) & 255,
    (stack.ptr >>> 8) & 255,
    stack.ptr & 255,
    0x80,
  );
  for (let ptr = stack.interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) {
    const at = ifnets.get(ptr).mac;
    if (u8[at] !== 0x02) continue;
    mac.set(u8.subarray(at, at + ETHER_ADDRESS - 1));
    mac[5] = Math.max(mac[5]!, u8[at + 5]! | 0x80) + 1;
  }
  return mac;
}

/** Makes the drivers known to this thread. */
export function registerDriverModules(): void {
  registerModule({
    name: 'vnic',
    options: CARD_OPTIONS,
    attach(stack, options) {
      const card = cardFrom(stack, options);
      if (attachVnic(stack, card) === 0) throw new SystemError(ERRNO.ENOBUFS, card.name);
      return [card.name];
    },
  });
}
