/**
 * PF as a loadable module: what its two files have in common.
 */
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { stacks } from '../../net/stack.ts';
import type { ProtocolModule, VariantName } from '../../net/module.ts';
import { runControl } from './control.ts';
import { createPf, destroyPf, installPf, pfOn } from './filtering.ts';

installPf();

/** The module in the file lsm-NAME.so, for these variants of io-pkt. */
export function makePfModule(name: string, variants: readonly VariantName[]): ProtocolModule {
  return {
    kind: 'protocol',
    name,
    description: 'packet filter and address translation (pf)',
    variants,
    path: '/dev/pf',
    attach({ stack }) {
      if (createPf(stacks.get(stack)) === undefined)
        throw new SystemError(ERRNO.ENOBUFS, `lsm-${name}.so: no room for another packet filter`);
    },
    control({ stack }, command, data) {
      const pf = pfOn(stacks.get(stack));
      if (pf === undefined) throw new SystemError(ERRNO.ENXIO, '/dev/pf');
      return runControl(pf, command, data);
    },
    detach: ({ stack }) => destroyPf(stacks.get(stack)),
  };
}
