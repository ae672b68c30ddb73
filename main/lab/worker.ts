/**
 * What each worker thread of the pool runs: the stack, the drivers, links and switches, then the loop of the pool; its errands are modules to be imported.
 */
import { installStack } from '../../stack/io-pkt/install.ts';
import { runWorker } from '../../stack/runtime/pool.ts';
import { installLabParts } from './install.ts';
import { importModule } from './module-import.ts';
import type { ModuleImport } from './module-import.ts';

installStack();
installLabParts();
await runWorker(async (errand) => {
  await importModule(errand as ModuleImport);
});
