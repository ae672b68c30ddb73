/**
 * `io-pkt -d tap tap=sscope0,address=10.0.9.254/24`: cards on TAPs of the host. The interface is made with its stack; the TAP is opened afterwards, which takes
 * the thread that owns the memory, so such a card cannot be mounted on a running stack.
 */
import { attachTap, joinTap } from '../../drivers/devnp-tap/index.ts';
import { freeTapThread, openTapCard } from '../../drivers/devnp-tap/open.ts';
import type { TapCard } from '../../drivers/devnp-tap/open.ts';
import type { ModuleOptions } from '../../stack/io-pkt/modules.ts';
import { ifnets } from '../../stack/net/ifnet.ts';
import type { Stack } from '../../stack/net/stack.ts';
import { isVirtual } from '../../stack/runtime/clock.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import { CARD_OPTIONS, cardFrom } from './driver-modules.ts';
import type { Engine } from './engine.ts';

export const TAP_OPTIONS: readonly string[] = [...CARD_OPTIONS, 'tap', 'address'];

/** A card whose TAP is still to be opened. */
export interface WantedTap {
  readonly interface: number;
  readonly tap: string;
  readonly address: string | undefined;
}

/** Adds the interface to a stack. No thread works on it; throws SystemError. */
export function attachTapCard(stack: Stack, options: ModuleOptions): WantedTap {
  const tap = options.get('tap');
  if (tap === undefined)
    throw new SystemError(ERRNO.EINVAL, 'tap= with the name of the TAP on the host is missing');
  if (isVirtual()) throw new SystemError(ERRNO.EINVAL, `tap=${tap}: a TAP needs a lab in real time`);
  const card = cardFrom(stack, options);
  const made = attachTap(stack, card);
  if (made === 0) throw new SystemError(ERRNO.ENOBUFS, card.name);
  return { interface: made, tap, address: options.get('address') };
}

/** Opens the TAP of a card and connects the two. Rejects with a TapError that says what is missing. */
export async function joinTapCard(
  { interface: ifp, tap, address }: WantedTap,
  engine: Engine,
): Promise<TapCard> {
  const wish = { name: tap, thread: freeTapThread(), home: engine.nextHome() };
  const card = await openTapCard({ ...wish, ...(address !== undefined && { address }) });
  engine.whileHeld(() => joinTap(ifnets.get(ifp), card.device));
  return card;
}
