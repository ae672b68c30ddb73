/**
 * umount: takes the interface of a legacy driver away by its path, /dev/io-net/enN (io-pkt, "umount"). Native drivers have no path: `ifconfig X destroy` does it.
 */
import { close, devctl, open } from '../kernel/files.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { control } from '../kernel/stack-client.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

/** What to do instead when a path is not there: most likely it was meant to be a native interface. */
async function instead(self: Process, path: string): Promise<string> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  for (const { address } of self.node.stacks.values()) {
    const found = (await control(address, 'SIOCGIFCONF', {})).some((info) => info.name === name);
    if (found) return `; the driver of ${name} is native and has no path, use: ifconfig ${name} destroy`;
  }
  return '';
}

async function openMount(self: Process, path: string): Promise<number> {
  try {
    return await open(self, path);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== ERRNO.ENOENT) throw error;
    throw new CommandError(`${error.message}${await instead(self, path)}`);
  }
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [path, ...more] = args.operands;
  if (path === undefined || more.length > 0)
    throw new UsageError('one path is expected, such as /dev/io-net/en0');
  const fd = await openMount(self, path);
  try {
    await devctl(self, fd, 'UMOUNT');
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== ERRNO.ENOTTY) throw error;
    throw new CommandError(`${path}: only interfaces of legacy drivers, /dev/io-net/enN, can be unmounted`);
  } finally {
    await close(self, fd);
  }
  return 0;
}

export const umount = command({
  name: 'umount',
  usage: '/dev/io-net/enN',
  summary: 'take the interface of a legacy driver away',
  options: '',
  usageStatus: 1,
  run,
});
