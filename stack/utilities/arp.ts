/**
 * arp: shows and changes the table of Internet to Ethernet addresses, after NetBSD's arp(8).
 */
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import type { ArpInfo } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { inetAton, inetNtoa } from '../socket/inet.ts';
import { stackControl } from '../socket/libsocket.ts';
import { hostByAddress } from '../socket/netdb.ts';
import { parseMac, resolveHost } from './address-text.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

/** One line of `arp -a`; `name` is `?` for a host without one. */
export function arpLine(entry: ArpInfo, name: string): string {
  const { address, mac, state, expires } = entry;
  const marks = state === 'permanent' ? ' permanent' : state === 'published' ? ' published' : '';
  const left = expires === undefined ? '' : ` expires in ${Math.max(0, Math.round(expires))} seconds`;
  return `${name} (${address}) at ${mac ?? '(incomplete)'} on ${entry.interface}${marks}${left}\n`;
}

async function printEntry(self: Process, entry: ArpInfo, numeric: boolean): Promise<void> {
  const address = inetAton(entry.address);
  const name = numeric || address === undefined ? undefined : await hostByAddress(self, address);
  await self.stdout.write(arpLine(entry, name ?? '?'));
}

async function showAll(self: Process, numeric: boolean): Promise<number> {
  for (const entry of await stackControl(self, 'ARP_LIST', {})) await printEntry(self, entry, numeric);
  return 0;
}

async function showOne(self: Process, host: string, numeric: boolean): Promise<number> {
  const address = inetNtoa(await resolveHost(self, host));
  const entry = (await stackControl(self, 'ARP_LIST', {})).find((candidate) => candidate.address === address);
  if (entry === undefined) throw new CommandError(`${host} (${address}) -- no entry`);
  await printEntry(self, entry, numeric);
  return 0;
}

async function removeOne(self: Process, host: string): Promise<number> {
  const address = inetNtoa(await resolveHost(self, host));
  try {
    const { removed } = await stackControl(self, 'ARP_DELETE', { address });
    if (removed === 0) throw new SystemError(ERRNO.ENXIO, address);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
    throw new CommandError(`delete: cannot locate ${host}`);
  }
  await self.stdout.write(`${host} (${address}) deleted\n`);
  return 0;
}

async function setOne(self: Process, words: readonly string[]): Promise<number> {
  const [host, text, ...modifiers] = words;
  if (host === undefined || text === undefined)
    throw new UsageError('-s needs a host and its Ethernet address');
  const wrong = modifiers.find((word) => !['temp', 'pub', 'proxy'].includes(word));
  if (wrong !== undefined) throw new UsageError(`'${wrong}' is none of temp, pub, proxy`);
  const mac = parseMac(text);
  if (mac === undefined)
    throw new UsageError(`'${text}' is not an Ethernet address such as 02:00:00:00:00:01`);
  await stackControl(self, 'ARP_SET', {
    address: inetNtoa(await resolveHost(self, host)),
    mac,
    permanent: !modifiers.includes('temp'),
    publish: modifiers.includes('pub') || modifiers.includes('proxy'),
  });
  return 0;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const { operands } = args;
  const [host] = operands;
  if (args.has('s')) return setOne(self, operands);
  if (operands.length > 1) throw new UsageError(`'${operands[1]!}' is too much`);
  if (args.has('d') && args.has('a')) {
    await stackControl(self, 'ARP_DELETE', {});
    return 0;
  }
  if (args.has('d')) {
    if (host === undefined) throw new UsageError('-d needs a host, or -a for all');
    return removeOne(self, host);
  }
  if (args.has('a')) return showAll(self, args.has('n'));
  if (host === undefined) throw new UsageError('a host is missing');
  return showOne(self, host, args.has('n'));
}

export const arp = command({
  name: 'arp',
  usage: '[-n] host\n[-n] -a\n-d host\n-d -a\n-s host ether_addr [temp] [pub]',
  summary: 'show and change the table of Ethernet addresses',
  options: 'adns',
  usageStatus: 1,
  run,
});
