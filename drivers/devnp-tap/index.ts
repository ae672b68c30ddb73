/**
 * devnp-tap: a network card whose cable ends in the host's kernel. The interface is a card of the lab like devnp-vnic; what that leaves at its plug a
 * thread of the TAP writes to the host's interface, and the other way round. Loaded by every thread of the pool: it makes no system calls but the one
 * that wakes that thread.
 */
import { HANDLER, setSourceHandler } from '../../stack/runtime/source.ts';
import { DRIVER, registerDriver } from '../../stack/net/ifnet.ts';
import type { Driver, Ifnet } from '../../stack/net/ifnet.ts';
import { plugs } from '../../stack/net/plug.ts';
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
