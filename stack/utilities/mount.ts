/**
 * mount -T io-pkt: loads a driver or protocol module into a running stack (io-pkt, "mount"); io-pktN names the instance started with -iN. Without arguments: the modules
 * that are loaded.
 */
import { readdir } from '../kernel/files.ts';
import { mountModule, mountedModules } from '../kernel/io-pkt.ts';
import type { Process, StackPort } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

function typeOf(port: StackPort): string {
  return port.instance === 0 ? 'io-pkt' : `io-pkt${port.instance}`;
}

function stackOfType(self: Process, type: string): StackPort {
  const match = /^io-pkt(\d*)$/.exec(type);
  if (match === null) throw new UsageError(`type '${type}': only io-pkt and io-pktN can be mounted on`);
  const instance = Number(match[1]);
  const port = [...self.node.stacks.values()].find((candidate) => candidate.instance === instance);
  if (port === undefined)
    throw new CommandError(`no network manager of type ${type} is running on this node`);
  return port;
}

async function list(self: Process): Promise<number> {
  for (const port of self.node.stacks.values()) {
    for (const { file, interfaces, faulted } of await mountedModules(self, port)) {
      const names = interfaces.length === 0 ? '' : ` (${interfaces.join(' ')})`;
      await self.stdout.write(`${file} on ${typeOf(port)}${names}${faulted ? ' faulted' : ''}\n`);
    }
  }
  return 0;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [module, ...more] = args.operands;
  const type = args.value('T');
  if (type === undefined && module === undefined) return list(self);
  if (type === undefined) throw new UsageError('-T with the type is missing');
  if (module === undefined) throw new UsageError('a module is missing');
  if (more.length > 0)
    throw new UsageError(`'${more[0]!}' is too much; options are one word with commas and no spaces`);
  const options = args.values('o').join(',');
  const { interfaces, complaints, error } = await mountModule(self, stackOfType(self, type), {
    module,
    options,
  });
  if (error !== undefined) throw new CommandError(error);
  if (!args.has('v')) return 0;
  for (const complaint of complaints) await self.stderr.write(`mount: ${module}: ${complaint}\n`);
  await self.stdout.write(`${[`${module}:`, ...interfaces].join(' ')}\n`);
  return 0;
}

export const mount = command({
  name: 'mount',
  usage: '[-v] -T io-pkt[N] [-o options] module',
  summary:
    'load a driver or protocol module into a running network manager; without arguments: list those that are loaded',
  options: 'T:o:v',
  usageStatus: 1,
  run,
  complete: async (_words, _index, self) => (await readdir(self, '/lib/dll')).map(({ name }) => name),
});
