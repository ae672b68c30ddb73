/**
 * The loopback interface lo0: what is sent on it comes in again (loop(4)). MTU 33192.
 */
import { mFree, mbuf } from '../memory/mbuf.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { now } from '../runtime/clock.ts';
import { registerCloner } from './cloner.ts';
import { ETHERTYPE_IP, inputLocal } from './ethernet.ts';
import { DRIVER, IFT_LOOP, countOutput, ifAttach, registerDriver } from './ifnet.ts';
import type { Ifnet } from './ifnet.ts';
import { STATION, station } from './journey.ts';
import type { Stack } from './stack.ts';
import { OUTBOUND, tapPacket } from './tap.ts';

export const LOOPBACK_MTU = 33_192;

/** Makes a loopback interface; 0 when there is no room. */
export function attachLoopback(stack: Stack, name: string): number {
  const ptr = ifAttach(stack, {
    name,
    type: IFT_LOOP,
    driver: DRIVER.loopback,
    flags: IFF.LOOPBACK | IFF.MULTICAST,
    mtu: LOOPBACK_MTU,
    mtuMax: 65_535,
  });
  if (ptr === 0) return 0;
  if (stack.loopback === 0) stack.loopback = ptr;
  return ptr;
}

/** Sends an IPv4 packet to ourselves. */
function loopOutput(ifp: Ifnet, m: number): number {
  if ((ifp.flags & IFF.UP) === 0) {
    mFree(m);
    return ERRNO.ENETDOWN;
  }
  const view = mbuf(m);
  countOutput(ifp, 1, view.pktLen);
  if (ifp.taps !== 0) {
    tapPacket(ifp.taps, m, OUTBOUND, now());
    station(m, STATION.tap, ifp.ptr, OUTBOUND);
  }
  inputLocal(ifp, m, ETHERTYPE_IP);
  return 0;
}

registerDriver(DRIVER.loopback, {
  name: 'loop',
  description: 'software loopback',
  init(ifp) {
    ifp.flags |= IFF.RUNNING;
    return 0;
  },
  stop(ifp) {
    ifp.flags &= ~IFF.RUNNING;
  },
  start: () => undefined,
  ioctl: () => 0,
  process: () => true,
  enable: () => false,
  detach: () => undefined,
  carrier: () => true,
  statistics: () => ({}),
  configuration: () => ({}),
  output: loopOutput,
});

registerCloner({ name: 'lo', driver: DRIVER.loopback, create: attachLoopback });
