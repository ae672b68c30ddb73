/**
 * The modules of Stackscope that `io-pkt -d`, `io-pkt -p` and `mount -T io-pkt` can load. Registered in every thread.
 */
import legacyVnic from '../../drivers/devn-vnic/index.ts';
import tap from '../../drivers/devnp-tap/index.ts';
import vnic from '../../drivers/devnp-vnic/index.ts';
import autoip from '../../stack/lsm/lsm-autoip/index.ts';
import pf from '../../stack/lsm/lsm-pf/index.ts';
import pf6 from '../../stack/lsm/lsm-pf/v6.ts';
import slip from '../../stack/lsm/lsm-slip/index.ts';
import { registerModule } from '../../stack/io-pkt/modules.ts';
import type { LoadableModule } from '../../stack/net/module.ts';

const modules: readonly LoadableModule[] = [tap, vnic, legacyVnic, autoip, slip, pf, pf6];

/** Makes the modules known to this thread. */
export function registerBuiltInModules(): void {
  modules.forEach(registerModule);
}
