/**
 * Modules that were switched off after a fault of their own: what they still have to do with is taken from them, while no thread works.
 */
import { quietCard } from '../net/module-card.ts';
import { takeFaults } from '../net/module-record.ts';
import { quietProtocol } from '../netinet/module-protocol.ts';

/** Clears up after all faults since the last call. */
export function quietFaulted(): void {
  takeFaults((record) => {
    if (record.interface !== 0) quietCard(record);
    else quietProtocol(record);
  });
}
