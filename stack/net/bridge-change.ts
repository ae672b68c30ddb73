/**
 * Changing a bridge: under its lock, and with its spanning tree's next time-out set afterwards. For the bridges of a stack that is in the stack context.
 */
import { lock, unlock } from '../memory/lock.ts';
import { now } from '../runtime/clock.ts';
import { kindOf } from './bridge-record.ts';
import type { Bridge } from './bridge-record.ts';
import { setOwnAddresses } from './bridge-table.ts';
import { stpNext, stpSetId } from './stp-events.ts';

/** Calls `change`, which gets the time, with the lock held. */
export function changeBridge(bridge: Bridge, change: (time: number) => void): void {
  lock(bridge.ptr);
  change(now());
  kindOf(bridge).schedule(bridge, stpNext(bridge));
  unlock(bridge.ptr);
}

/** The addresses of the ports have changed. With the lock held. */
export function addressesChanged(bridge: Bridge, time: number): void {
  if (bridge.interface !== 0) setOwnAddresses(bridge);
  stpSetId(bridge, time);
}
