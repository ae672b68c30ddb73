/**
 * ifconfig: shows and sets the interfaces of a stack, after NetBSD 4's ifconfig(8) as io-pkt has it.
 */
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { IFF } from '../runtime/messages/control.ts';
import type { InterfaceInfo } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { stackControl } from '../socket/libsocket.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';
import { interfaceText } from './ifconfig-text.ts';
import { INTERFACE_WORDS, flagChange, readChange } from './ifconfig-words.ts';
import type { InterfaceChange } from './ifconfig-words.ts';

/** One interface by name. Throws CommandError with BSD's text when there is none. */
async function interfaceNamed(self: Process, name: string): Promise<InterfaceInfo> {
  try {
    const [info] = await stackControl(self, 'SIOCGIFCONF', { name });
    if (info !== undefined) return info;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== ERRNO.ENXIO) throw error;
  }
  throw new CommandError(`interface ${name} does not exist`);
}

/** The filters -b, -d, -s, -u. */
function isWanted({ flags, carrier }: InterfaceInfo, args: Arguments): boolean {
  if (args.has('b') && (flags & IFF.BROADCAST) === 0) return false;
  if (args.has('d') && (flags & IFF.UP) !== 0) return false;
  if (args.has('u') && (flags & IFF.UP) === 0) return false;
  return !args.has('s') || carrier !== false;
}

async function show(self: Process, infos: readonly InterfaceInfo[], args: Arguments): Promise<void> {
  const detail = { counters: args.has('v') || args.has('z'), media: args.has('m') };
  for (const info of infos) {
    await self.stdout.write(interfaceText(info, detail));
    if (args.has('z')) await resetCounters(self, info.name);
  }
}

async function resetCounters(self: Process, name: string): Promise<void> {
  try {
    await stackControl(self, 'SIOCGDRVCOM', { name, reset: true });
  } catch (error) {
    // Interfaces without a driver, such as lo0, keep theirs.
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
  }
}

async function showAll(self: Process, args: Arguments): Promise<number> {
  const all = await stackControl(self, 'SIOCGIFCONF', {});
  const infos = all.filter((info) => isWanted(info, args));
  if (args.has('l')) await self.stdout.write(`${infos.map(({ name }) => name).join(' ')}\n`);
  else await show(self, infos, args);
  return 0;
}

/** A netmask or broadcast address alone is for the address that the interface has. */
async function addressToSet(
  self: Process,
  name: string,
  change: InterfaceChange,
): Promise<string | undefined> {
  if (change.address !== undefined) return change.address;
  if (change.netmask === undefined && change.broadcast === undefined) return undefined;
  const [first] = (await interfaceNamed(self, name)).addresses;
  if (first === undefined) throw new UsageError('a netmask or broadcast address needs an address');
  return first.address;
}

async function applyAddress(self: Process, name: string, change: InterfaceChange): Promise<void> {
  const { action, netmask, broadcast, destination } = change;
  if (action === 'remove') {
    const { address } = change;
    await stackControl(self, 'SIOCDIFADDR', address === undefined ? { name } : { name, address });
    return;
  }
  const address = await addressToSet(self, name, change);
  if (address === undefined) {
    if (action === 'alias') throw new UsageError("'alias' needs an address");
    return;
  }
  await stackControl(self, 'SIOCAIFADDR', {
    name,
    address,
    alias: action === 'alias',
    ...(netmask !== undefined && { netmask }),
    ...(broadcast !== undefined && { broadcast }),
    ...(destination !== undefined && { destination }),
  });
}

async function apply(self: Process, name: string, words: readonly string[]): Promise<number> {
  const change = readChange(words);
  if (change.create) await stackControl(self, 'SIOCIFCREATE', { name });
  else await interfaceNamed(self, name);
  if (change.destroy) {
    await stackControl(self, 'SIOCIFDESTROY', { name });
    return 0;
  }
  const { settings } = change;
  if (Object.keys(settings).length > 0) await stackControl(self, 'SIOCSIFPSEUDO', { name, settings });
  await applyAddress(self, name, change);
  const flags = flagChange(name, change);
  if (flags !== undefined) await stackControl(self, 'SIOCSIFFLAGS', flags);
  return 0;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [name, ...words] = args.operands;
  if (args.has('C')) {
    await self.stdout.write(`${(await stackControl(self, 'SIOCIFGCLONERS', {})).join(' ')}\n`);
    return 0;
  }
  if (args.has('a') || args.has('l') || name === undefined) {
    if (name !== undefined) throw new UsageError(`-a and -l are about all interfaces; '${name}' is too much`);
    return showAll(self, args);
  }
  if (words.length > 0) return apply(self, name, words);
  const info = await interfaceNamed(self, name);
  // `ifconfig -s en0` asks for the link and prints nothing.
  if (args.has('s')) return info.carrier === false ? 1 : 0;
  await show(self, [info], args);
  return 0;
}

async function interfaceNames(self: Process): Promise<string[]> {
  return (await stackControl(self, 'SIOCGIFCONF', {})).map(({ name }) => name);
}

export const ifconfig = command({
  name: 'ifconfig',
  usage:
    '[-mvz] interface\n' +
    'interface [address[/len] [destination]] [netmask mask] [broadcast address] [alias | -alias | delete]\n' +
    '         [up | down] [mtu n] [metric n] [[-]arp] [[-]debug] [[-]link0-2] [[-]ip4csum] [[-]tcp4csum] [[-]udp4csum]\n' +
    'interface create | destroy\n' +
    'interface [vlan id] [vlanif interface | -vlanif] [vlanprio n] [agrport interface | -agrport interface]\n' +
    '         [tunnel source destination | deletetunnel]\n' +
    '-a [-bdmsuvz]\n' +
    '-l [-bdsu]\n' +
    '-s interface\n' +
    '-C',
  summary: 'show and set the interfaces of the stack',
  options: 'abCdlmsuvz',
  usageStatus: 1,
  run,
  complete: async (_words, index, self) =>
    index <= 1 ? ['-a', '-l', ...(await interfaceNames(self))] : INTERFACE_WORDS,
});
