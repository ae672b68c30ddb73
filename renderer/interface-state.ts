/** The state of an interface as users read it: by a word and a shape, never by colour alone. */
import type { InterfaceDescription, InterfaceRates } from '../main/api/model.ts';

export type InterfaceState = 'up' | 'no carrier' | 'down';

/** @param rates the last snapshot, which is newer than the description. */
export function interfaceState(
  description: Pick<InterfaceDescription, 'up' | 'carrier'>,
  rates: InterfaceRates | undefined,
): InterfaceState {
  const { up, carrier } = rates ?? description;
  if (!up) return 'down';
  return carrier ? 'up' : 'no carrier';
}
