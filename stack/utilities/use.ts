/**
 * use: tells what a loadable module is and which options it takes, as QNX's `use` does from the text in a file.
 */
import { readTextFile, readdir } from '../kernel/files.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { command } from './command.ts';
import type { Arguments } from './command.ts';

const FOLDER = '/lib/dll';

async function run(self: Process, args: Arguments): Promise<number> {
  const [module, ...more] = args.operands;
  if (module === undefined || more.length > 0)
    throw new UsageError('one module is expected, such as devnp-vnic.so');
  await self.stdout.write(await readTextFile(self, module.includes('/') ? module : `${FOLDER}/${module}`));
  return 0;
}

export const use = command({
  name: 'use',
  usage: 'module',
  summary: `tell what a module of ${FOLDER} is and which options it takes`,
  options: '',
  usageStatus: 1,
  run,
  complete: async (_words, _index, self) => (await readdir(self, FOLDER)).map(({ name }) => name),
});
