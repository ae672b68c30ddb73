/**
 * What each worker thread of the pool runs: the stack, the drivers, links and switches, then the loop of the pool.
 */
import { installStack } from '../../stack/io-pkt/install.ts';
import { runWorker } from '../../stack/runtime/pool.ts';
import { installLabParts } from './install.ts';

installStack();
installLabParts();
runWorker();
