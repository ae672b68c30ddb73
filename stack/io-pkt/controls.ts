/**
 * The shape of what carries out control calls, and what they share: finding interfaces and reading addresses with errors that say what was wrong.
 */
import type { ControlIn, ControlName, ControlOut } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { findInterface } from '../net/ifnet.ts';
import type { Ifnet } from '../net/ifnet.ts';
import type { Stack } from '../net/stack.ts';
import { parseAddress } from '../netinet/ip.ts';

/** What carries out each call; throws SystemError. */
export type Controls = { [N in ControlName]: (stack: Stack, argument: ControlIn<N>) => ControlOut<N> };

/** The interface with a name; ENXIO if there is none. */
export function interfaceNamed(stack: Stack, name: string): Ifnet {
  const ifp = findInterface(stack, name);
  if (ifp === undefined) throw new SystemError(ERRNO.ENXIO, name);
  return ifp;
}

/** The number of a dotted quad; EINVAL if it is none. */
export function addressOf(text: string): number {
  const address = parseAddress(text);
  if (address === undefined) throw new SystemError(ERRNO.EINVAL, `${text} is not an IPv4 address`);
  return address;
}

/** Throws the error of a status that is not 0. */
export function expectOk(status: number, what: string): void {
  if (status !== 0) throw new SystemError(status, what);
}
