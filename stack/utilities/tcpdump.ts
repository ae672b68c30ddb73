/**
 * tcpdump: shows what passes an interface, or what is in a capture file, in the lines of tcpdump(8), with the filter language of pcap-filter(7). It captures through
 * /dev/bpf and nothing else.
 */
import type { BpfProgram } from '../filter/bpf/instruction.ts';
import { interpret } from '../filter/bpf/interpreter.ts';
import { decimalListing, initializerListing, listing } from '../filter/bpf/listing.ts';
import type { BpfDevice } from '../kernel/bpf-client.ts';
import * as files from '../kernel/files.ts';
import { O_CREAT, O_TRUNC, O_WRONLY } from '../kernel/io-message.ts';
import type { Process } from '../kernel/process.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { serviceByPort } from '../socket/netdb.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';
import { expressionOf, filterProgram, hostNames } from './tcpdump/filter.ts';
import type { HostNames } from './tcpdump/filter.ts';
import { linkTypeByNumber, linkTypeTitle } from './tcpdump/link-types.ts';
import { packetLines } from './tcpdump/packet-line.ts';
import type { TimedPacket } from './tcpdump/packet-line.ts';
import { pcapHeader, pcapRecord } from './tcpdump/pcap-file.ts';
import { TCPDUMP_OPTIONS, readSettings } from './tcpdump/settings.ts';
import type { Settings } from './tcpdump/settings.ts';
import {
  captureInterfaces,
  chooseInterface,
  interfaceList,
  netmaskOf,
  openCapture,
  openDevice,
} from './tcpdump/sources.ts';

/** Read time-out while packets go into a file, ns: as libpcap has it. */
const READ_TIMEOUT = 1e9;
const DUMPS = { 1: listing, 2: initializerListing, 3: decimalListing };

interface Session {
  readonly self: Process;
  readonly args: Arguments;
  readonly settings: Settings;
  readonly names: HostNames;
  readonly expression: string;
}

/** Where packets go. */
interface Output {
  packet(packet: TimedPacket): Promise<void>;
  close(): Promise<void>;
}

function linePrinter(session: Session, linkType: number): (packet: TimedPacket) => string {
  const { args, settings, names } = session;
  const type = linkTypeByNumber(linkType);
  if (type === undefined)
    throw new CommandError(`packet printing is not supported for link type ${linkType}`);
  const protocols = {
    ether: args.has('e'),
    verbose: args.values('v').length,
    quiet: args.has('q'),
    absolute: args.has('S'),
    numeric: args.has('n'),
    ownBytes: settings.bytes.form !== 'none',
    host: names.name,
    service: serviceByPort,
  };
  return packetLines(type, { protocols, bytes: settings.bytes, time: settings.time });
}

/** Lines on standard output, or with -w a capture file (`-` is standard output). */
async function openOutput(session: Session, linkType: number): Promise<Output> {
  const { self, args, settings } = session;
  const path = args.value('w');
  if (path === undefined) {
    const lines = linePrinter(session, linkType);
    return {
      packet: (packet) => self.stdout.write(lines(packet)),
      close: () => Promise.resolve(),
    };
  }
  const header = pcapHeader(linkType, settings.snapLength);
  if (path === '-') {
    await self.stdout.write(header);
    return { packet: (packet) => self.stdout.write(pcapRecord(packet)), close: () => Promise.resolve() };
  }
  const fd = await files.open(self, path, O_WRONLY | O_CREAT | O_TRUNC);
  await files.write(self, fd, header);
  return {
    // Also when tcpdump has been told to end: what was captured before belongs into the file.
    packet: (packet) => files.write(self, fd, pcapRecord(packet), new AbortController().signal),
    close: () => files.close(self, fd),
  };
}

function compile(session: Session, linkType: number, netmask?: number): BpfProgram {
  const { settings, names, expression } = session;
  const { snapLength, optimize } = settings;
  const request = { linkType, snapLength, optimize, resolver: names.resolver };
  return filterProgram(expression, netmask === undefined ? request : { ...request, netmask });
}

/** -d: the program only. */
async function dump(session: Session, program: BpfProgram): Promise<number> {
  const { dump: form } = session.settings;
  if (form !== 0) await session.self.stdout.write(DUMPS[form](program));
  return 0;
}

/** -r. */
async function fromFile(session: Session, path: string): Promise<number> {
  const { self, settings } = session;
  const file = await openCapture(self, path);
  const program = compile(session, settings.linkType ?? file.linkType);
  if (settings.dump !== 0) return dump(session, program);
  const title = linkTypeTitle(file.linkType);
  await self.stderr.write(
    `reading from file ${path}, link-type ${title}, snapshot length ${file.snapLength}\n`,
  );
  const output = await openOutput(session, file.linkType);
  let left = settings.count;
  for (const packet of file.packets) {
    if (left === 0) break;
    if (interpret(program, packet.bytes, packet.length) === 0) continue;
    await output.packet(packet);
    left--;
  }
  await output.close();
  if (file.problem !== undefined && left > 0) throw new CommandError(`pcap_loop: ${file.problem}`);
  return 0;
}

const counted = (count: number, what: string): string => `${count} packet${count === 1 ? '' : 's'} ${what}\n`;

/** Takes packets from the device until there are enough or the user has had enough; returns how many. */
async function capture(session: Session, device: BpfDevice, output: Output): Promise<number> {
  const { self, settings } = session;
  let captured = 0;
  const show = async (packets: readonly TimedPacket[]): Promise<void> => {
    for (const packet of packets) {
      if (captured === settings.count) return;
      await output.packet(packet);
      captured++;
    }
  };
  try {
    while (captured < settings.count) await show(await device.read());
  } catch (error) {
    // Ctrl-C is the usual way to end tcpdump.
    const interrupted = error instanceof SystemError && error.errno === ERRNO.EINTR;
    if (!self.signal.aborted || !interrupted) throw error;
    await show(await device.drain());
  }
  return captured;
}

async function announce({ self, args, settings }: Session, name: string, linkType: number): Promise<void> {
  const quietly = args.value('w') === undefined && !args.has('v');
  const hint = 'tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n';
  const title = `link-type ${linkTypeTitle(linkType)}, snapshot length ${settings.snapLength} bytes`;
  await self.stderr.write(`${quietly ? hint : 'tcpdump: '}listening on ${name}, ${title}\n`);
}

async function live(session: Session): Promise<number> {
  const { self, args, settings } = session;
  const info = await chooseInterface(self, args.value('i'));
  const toFile = args.has('w');
  const device = await openDevice(self, info, {
    promiscuous: settings.promiscuous,
    immediate: !toFile,
    ...(toFile && { timeout: READ_TIMEOUT }),
    ...(settings.bufferSize !== undefined && { bufferSize: settings.bufferSize }),
  });
  const { linkType } = device;
  if (args.has('L')) {
    const lines = `Data link types for ${info.name} (use option -y to set them):\n`;
    await self.stdout.write(`${lines}  ${linkTypeTitle(linkType)}\n`);
    return 0;
  }
  if (settings.linkType !== undefined && settings.linkType !== linkType)
    throw new CommandError(`${info.name} has no data link type ${linkTypeTitle(settings.linkType)}`);
  const program = compile(session, linkType, netmaskOf(info));
  if (settings.dump !== 0) return dump(session, program);
  await device.setFilter(program);
  const output = await openOutput(session, linkType);
  await announce(session, info.name, linkType);
  const captured = await capture(session, device, output);
  const { received, dropped } = await device.statistics();
  await output.close();
  await self.stderr.write(
    counted(captured, 'captured') +
      counted(received, 'received by filter') +
      counted(dropped, 'dropped by kernel'),
  );
  return 0;
}

async function run(self: Process, args: Arguments): Promise<number> {
  if (args.has('D')) {
    await self.stdout.write(interfaceList(await captureInterfaces(self)));
    return 0;
  }
  const settings = readSettings(args);
  const session = {
    self,
    args,
    settings,
    names: await hostNames(self),
    expression: await expressionOf(self, args),
  };
  const path = args.value('r');
  // What is compiled for a link type needs no interface.
  if (settings.dump !== 0 && settings.linkType !== undefined && path === undefined)
    return dump(session, compile(session, settings.linkType));
  return path === undefined ? live(session) : fromFile(session, path);
}

export const tcpdump = command({
  name: 'tcpdump',
  usage:
    '[-AdDelLnOpqStUvxX] [-B size] [-c count] [-F file] [-i interface]\n' +
    ' [-r file] [-s snaplen] [-w file] [-y datalinktype] [expression]',
  summary: 'show the packets that pass an interface',
  options: TCPDUMP_OPTIONS,
  usageStatus: 1,
  run,
  complete: async (words, index, self) =>
    words[index - 1] === '-i'
      ? (await captureInterfaces(self)).map(({ name }) => name)
      : ['-i', '-n', '-e', '-v'],
});
