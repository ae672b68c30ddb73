/**
 * slattach: puts a serial port under an interface of lsm-slip, the first that is on none (slattach(8)). It stays there until the interface is destroyed.
 */
import { close, devctl, open, readdir } from '../kernel/files.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { stackControl } from '../socket/libsocket.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

/** What the manager of serial ports answers to a line discipline. */
interface Port {
  readonly line: number;
  readonly baud: number;
}

async function portAt(self: Process, path: string): Promise<Port> {
  const fd = await open(self, path);
  try {
    return (await devctl(self, fd, 'SLIPDISC')) as Port;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== ERRNO.ENOTTY) throw error;
    throw new CommandError(`${path}: this is no serial port`);
  } finally {
    await close(self, fd);
  }
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [device, ...more] = args.operands;
  if (device === undefined || more.length > 0)
    throw new UsageError('one serial port is expected, such as /dev/ser1');
  const path = device.startsWith('/') ? device : `/dev/${device}`;
  const { line, baud } = await portAt(self, path);
  const speed = args.value('s');
  if (speed !== undefined && Number(speed) !== baud)
    throw new CommandError(`-s ${speed}: the line at ${path} runs at ${baud} baud`);
  const all = await stackControl(self, 'SIOCGIFCONF', {});
  const free = all.find(({ name, details }) => /^sl\d+$/.test(name) && details.length === 0);
  if (free === undefined) throw new CommandError('no interface is free, use: ifconfig sl0 create');
  await stackControl(self, 'SIOCSIFPSEUDO', { name: free.name, settings: { line: `${line} ${path}` } });
  await self.stdout.write(`${free.name}\n`);
  return 0;
}

export const slattach = command({
  name: 'slattach',
  usage: '[-s baud] port',
  summary: 'put a serial port under the first sl interface that is on none',
  options: 's:',
  usageStatus: 1,
  run,
  complete: async (_words, _index, self) =>
    (await readdir(self, '/dev')).map(({ name }) => name).filter((name) => name.startsWith('ser')),
});
