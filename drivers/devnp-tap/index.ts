/**
 * devnp-tap: a network card whose cable ends in the host's kernel. The interface is a card of the lab like devnp-vnic; what that leaves at its plug a
 * thread of the TAP writes to the host's interface, and the other way round. Loaded by every thread of the pool: it makes no system calls but the one
 * that wakes that thread.
 */
import { HANDLER, setSourceHandler } from '../../stack/runtime/source.ts';
import { isVirtual } from '../../stack/runtime/clock.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import { CARD_OPTIONS, cardFrom } from '../../stack/net/card-options.ts';
import { DRIVER, findInterface, ifnets, registerDriver } from '../../stack/net/ifnet.ts';
import type { Driver, Ifnet } from '../../stack/net/ifnet.ts';
import { plugs } from '../../stack/net/plug.ts';
import type { DriverModule, DriverSide } from '../../stack/net/module.ts';
import { stacks } from '../../stack/net/stack.ts';
import type { Stack } from '../../stack/net/stack.ts';
import { attachCard, cardDriver } from '../devnp-vnic/index.ts';
import type { VnicOptions } from '../devnp-vnic/index.ts';
import { setTapPlug, stopTap, tapDevices, wakeTap } from './device.ts';
import type { TapDevice } from './device.ts';

export type TapInterfaceOptions = Omit<VnicOptions, 'plug'>;

/** Adds a card on a TAP to a stack; it has no carrier before joinTap(). Returns its interface, 0 when there is no room (ENOBUFS). */
export function attachTap(stack: Stack, options: TapInterfaceOptions): number {
  return attachCard(stack, options, DRIVER.tap);
}

/** Connects an interface of attachTap() to an open TAP: `device` of openTapCard(), which serves no other. In the stack context, or while the pool is held. */
export function joinTap(ifp: Ifnet, ptr: number): void {
  const device = tapDevices.get(ptr);
  plugs.get(ifp.softc).link = device.source;
  device.interface = ifp.ptr;
  setTapPlug(device, ifp.softc);
}

/** The TAP behind an interface; undefined before it is joined to one and after that was closed. */
function tapOf(ifp: Ifnet): TapDevice | undefined {
  let found: TapDevice | undefined;
  tapDevices.each((device) => {
    if (device.interface === ifp.ptr) found = device;
  });
  return found;
}

function hasCarrier(ifp: Ifnet): boolean {
  const device = tapOf(ifp);
  return device !== undefined && device.descriptor >= 0;
}

const tapDriver: Driver = {
  ...cardDriver,
  name: 'tap',
  description: 'card on a TAP interface of the host',
  detach(ifp) {
    const device = tapOf(ifp);
    if (device !== undefined) {
      device.interface = 0;
      setTapPlug(device, 0);
      stopTap(device);
    }
    cardDriver.detach(ifp);
  },
  carrier: hasCarrier,
  statistics(ifp) {
    const device = tapOf(ifp);
    if (device === undefined) return cardDriver.statistics(ifp);
    return {
      ...cardDriver.statistics(ifp),
      rx_failed_allocs: device.noBuffers,
      internal_rx_errors: device.receiveDrops,
      oversized_packets: device.tooLong,
      internal_tx_errors: device.sendErrors,
    };
  },
  configuration: (ifp) => ({ ...cardDriver.configuration(ifp), carrier: hasCarrier(ifp) ? 'yes' : 'no' }),
};

registerDriver(DRIVER.tap, tapDriver);

setSourceHandler(HANDLER.tap, (device) => {
  wakeTap(tapDevices.get(device));
  return true;
});

/** Opens the TAP of an interface and joins the two. Rejects with a TapError that says what is missing. */
async function open(
  side: DriverSide,
  { name, made, tap, address }: { name: string; made: number; tap: string; address: string | undefined },
): Promise<void> {
  // Only thread 0 has what opens a TAP.
  const { freeTapThread, openTapCard } = await import('./open.ts');
  const wish = { name: tap, thread: freeTapThread(), home: side.nextHome() };
  const card = await openTapCard({ ...wish, ...(address !== undefined && { address }) });
  side.onEnd(() => card.close());
  void card.ended.then((reason) => side.log(reason, 'warning'));
  const joined = side.whileHeld(() => {
    const found = findInterface(stacks.get(side.stack), name)?.ptr === made;
    if (found) joinTap(ifnets.get(made), card.device);
    return found;
  });
  if (joined !== true) await card.close();
}

const module: DriverModule = {
  kind: 'driver',
  name: 'tap',
  description: 'card on a TAP interface of the host',
  options: {
    ...CARD_OPTIONS,
    tap: { type: 'text', meaning: 'name of the TAP on the host, made if it does not exist' },
    address: { type: 'text', meaning: 'IPv4 address and prefix length of the host side' },
  },
  attach(side, options) {
    const stack = stacks.get(side.stack);
    const tap = options.text('tap');
    if (tap === undefined)
      throw new SystemError(ERRNO.EINVAL, 'tap= with the name of the TAP on the host is missing');
    if (isVirtual()) throw new SystemError(ERRNO.EINVAL, `tap=${tap}: a TAP needs a lab in real time`);
    const card = cardFrom(stack, options);
    const made = attachTap(stack, card);
    if (made === 0) throw new SystemError(ERRNO.ENOBUFS, card.name);
    return () => open(side, { name: card.name, made, tap, address: options.text('address') });
  },
};
export default module;
