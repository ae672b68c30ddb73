/**
 * Where tcpdump's packets come from: /dev/bpf on an interface, or a capture file of the node.
 */
import { openBpf } from '../../kernel/bpf-client.ts';
import type { BpfDevice } from '../../kernel/bpf-client.ts';
import { readFile } from '../../kernel/files.ts';
import type { Process } from '../../kernel/process.ts';
import { IFF } from '../../runtime/messages/control.ts';
import type { InterfaceInfo } from '../../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { inetAton } from '../../socket/inet.ts';
import { stackControl } from '../../socket/libsocket.ts';
import { CommandError } from '../command.ts';
import { readPcap } from './pcap-file.ts';
import type { PcapFile } from './pcap-file.ts';

/** The interfaces of the stack, as -D numbers them: those that work come first, loopback last. */
export async function captureInterfaces(self: Process): Promise<readonly InterfaceInfo[]> {
  const rank = ({ flags }: InterfaceInfo): number =>
    ((flags & IFF.UP) === 0 ? 4 : 0) +
    ((flags & IFF.RUNNING) === 0 ? 2 : 0) +
    ((flags & IFF.LOOPBACK) === 0 ? 0 : 1);
  const all = await stackControl(self, 'SIOCGIFCONF', {});
  return [...all].sort((a, b) => rank(a) - rank(b) || a.index - b.index);
}

/** -D. */
export function interfaceList(list: readonly InterfaceInfo[]): string {
  const lines = list.map(({ name, flags }, i) => {
    const states = [
      ...((flags & IFF.UP) === 0 ? [] : ['Up']),
      ...((flags & IFF.RUNNING) === 0 ? [] : ['Running']),
      ...((flags & IFF.LOOPBACK) === 0 ? [] : ['Loopback']),
    ];
    return `${i + 1}.${name}${states.length === 0 ? '' : ` [${states.join(', ')}]`}\n`;
  });
  return lines.join('');
}

/** The interface that -i names, also by its number in -D; without -i the first that works and is no loopback. */
export async function chooseInterface(self: Process, wanted: string | undefined): Promise<InterfaceInfo> {
  const list = await captureInterfaces(self);
  if (wanted === 'any')
    throw new CommandError('any: there is no such device here; capture on one interface, -D lists them');
  const numbered = wanted !== undefined && /^\d+$/.test(wanted) ? list[Number(wanted) - 1] : undefined;
  const found = wanted === undefined ? list[0] : (numbered ?? list.find(({ name }) => name === wanted));
  if (found !== undefined) return found;
  const what = wanted === undefined ? 'no suitable device found' : `${wanted}: No such device exists`;
  throw new CommandError(
    `${what}\n(SIOCGIFCONF: the interfaces are ${list.map(({ name }) => name).join(', ')})`,
  );
}

/** The netmask of an interface's network, for `ip broadcast`. */
export function netmaskOf({ addresses }: InterfaceInfo): number | undefined {
  const [first] = addresses;
  return first === undefined ? undefined : inetAton(first.netmask);
}

/** Opens /dev/bpf. Throws CommandError as pcap_activate() has it. */
export async function openDevice(
  self: Process,
  { name }: InterfaceInfo,
  options: Parameters<typeof openBpf>[2],
): Promise<BpfDevice> {
  try {
    return await openBpf(self, name, options);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
    throw new CommandError(`${name}: ${error.message}`);
  }
}

/** Reads a capture file of the node. Throws CommandError. */
export async function openCapture(self: Process, path: string): Promise<PcapFile> {
  const read = readPcap(await readFile(self, path));
  if (typeof read === 'string') throw new CommandError(`${path}: ${read}`);
  return read;
}
