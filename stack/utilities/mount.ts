/**
 * mount -T io-pkt: loads a driver or protocol module into a running stack (io-pkt, "mount"); io-pktN names the instance started with -iN.
 */
import type { Process, StackPort } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { control } from '../kernel/stack-client.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

function stackOfType(self: Process, type: string): StackPort {
  const match = /^io-pkt(\d*)$/.exec(type);
  if (match === null) throw new UsageError(`type '${type}': only io-pkt and io-pktN can be mounted on`);
  const instance = Number(match[1]);
  const port = [...self.node.stacks.values()].find((candidate) => candidate.instance === instance);
  if (port === undefined)
    throw new CommandError(`no network manager of type ${type} is running on this node`);
  return port;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [module, ...more] = args.operands;
  const type = args.value('T');
  if (type === undefined) throw new UsageError('-T with the type is missing');
  if (module === undefined) throw new UsageError('a module is missing');
  if (more.length > 0)
    throw new UsageError(`'${more[0]!}' is too much; options are one word with commas and no spaces`);
  const port = stackOfType(self, type);
  const options = args.values('o').join(',');
  const { interfaces } = await control(port.address, 'MOUNT', { module, options });
  if (args.has('v')) await self.stdout.write(`${module}: ${interfaces.join(' ')}\n`);
  return 0;
}

export const mount = command({
  name: 'mount',
  usage: '[-v] -T io-pkt[N] [-o options] module',
  summary: 'load a driver into a running network manager',
  options: 'T:o:v',
  usageStatus: 1,
  run,
});
