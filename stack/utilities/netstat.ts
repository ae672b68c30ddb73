/**
 * netstat: the state of the stack: sockets, interfaces, routes, counters and memory, after NetBSD 4's netstat(1).
 */
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { stackControl } from '../socket/libsocket.ts';
import { serviceByPort } from '../socket/netdb.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';
import {
  bpfTable,
  interfaceTable,
  memoryText,
  socketTable,
  statisticsText,
  threadsText,
} from './netstat-text.ts';
import { routingTables } from './route-text.ts';

async function interfaces(self: Process, args: Arguments): Promise<string> {
  const name = args.value('I');
  const infos = await stackControl(self, 'SIOCGIFCONF', {});
  const chosen = name === undefined ? infos : infos.filter((info) => info.name === name);
  if (chosen.length === 0 && name !== undefined) throw new CommandError(`interface ${name} does not exist`);
  return interfaceTable(chosen, { bytes: args.has('b'), drops: args.has('d') });
}

async function statistics(self: Process, args: Arguments): Promise<string> {
  const protocol = args.value('p');
  const all = await stackControl(self, 'STATISTICS', {});
  const one = protocol === undefined ? undefined : all[protocol];
  if (protocol !== undefined && one === undefined) {
    throw new CommandError(`${protocol}: unknown or uninstrumented protocol`);
  }
  const terse = args.values('s').length > 1;
  return statisticsText(one === undefined || protocol === undefined ? all : { [protocol]: one }, terse);
}

async function sockets(self: Process, args: Arguments): Promise<string> {
  const all = args.has('a');
  const list = await stackControl(self, 'SOCKETS', { all });
  return socketTable(list, all, args.has('n') ? () => undefined : serviceByPort);
}

async function listeners(self: Process): Promise<string> {
  const list = await stackControl(self, 'BPF_LIST', {});
  return bpfTable(list, (pid) => self.node.processes.get(pid)?.name);
}

function checkFamily(args: Arguments): void {
  const family = args.value('f');
  if (family !== undefined && family !== 'inet') throw new CommandError(`${family}: unknown address family`);
}

async function run(self: Process, args: Arguments): Promise<number> {
  if (args.operands.length > 0) throw new UsageError(`'${args.operands[0]!}' is too much`);
  checkFamily(args);
  const { stdout } = self;
  if (args.has('m')) {
    await stdout.write(memoryText(await stackControl(self, 'POOLS', {})));
    await stdout.write(threadsText(await stackControl(self, 'THREADS', {})));
  } else if (args.has('B')) await stdout.write(await listeners(self));
  else if (args.has('r')) await stdout.write(await routingTables(self, args.has('n')));
  else if (args.has('s') || args.has('p')) await stdout.write(await statistics(self, args));
  else if (args.has('i') || args.has('I')) await stdout.write(await interfaces(self, args));
  else await stdout.write(await sockets(self, args));
  return 0;
}

export const netstat = command({
  name: 'netstat',
  usage: '[-an] [-f inet]\n-i [-bdn] [-I interface]\n-r [-n]\n-s[s] [-p protocol]\n-B\n-m',
  summary: 'show sockets, interfaces, routes, counters, BPF listeners and memory',
  options: 'aBbdf:I:imnp:rs',
  usageStatus: 1,
  run,
  complete: () => ['-a', '-B', '-i', '-m', '-n', '-p', '-r', '-s'],
});
