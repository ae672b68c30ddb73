/**
 * What a lab adds to a stack in every thread: drivers (they register themselves) and the services of links and switches.
 */
import '../../drivers/devnp-tap/index.ts';
import '../../drivers/devnp-vnic/index.ts';
import { registerDriverModules } from './driver-modules.ts';
import { installLinks } from './link-service.ts';
import { installSwitches } from './switch.ts';

export function installLabParts(): void {
  registerDriverModules();
  installLinks();
  installSwitches();
}
