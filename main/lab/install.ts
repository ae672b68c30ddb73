/**
 * What a lab adds to a stack in every thread: modules with their drivers, and the services of links and switches.
 */
import { registerBuiltInModules } from './built-in-modules.ts';
import { installLinks } from './link-service.ts';
import { installSwitches } from './switch.ts';

export function installLabParts(): void {
  registerBuiltInModules();
  installLinks();
  installSwitches();
}
