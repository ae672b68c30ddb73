/**
 * Capturing for programs, after libpcap's use of bpf(4): opens /dev/bpf, chooses an interface, sets a filter, and takes the records apart that a read returns.
 */
import { Buffer } from 'node:buffer';
import type { BpfProgram } from '../filter/bpf/instruction.ts';
import { validateProgram } from '../filter/bpf/validate.ts';
import type { BpfCommand, BpfIoctls, BpfStatistics } from '../runtime/messages/bpf.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { close, devctl, open, read, write } from './files.ts';
import { O_RDWR } from './io-message.ts';
import type { Process } from './process.ts';

/** A captured packet. */
export interface BpfRecord {
  /** Since 1970. */
  readonly seconds: number;
  readonly microseconds: number;
  /** Bytes of the packet, of which `bytes` is the beginning. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** An ioctl of an open /dev/bpf. Throws SystemError. */
export async function bpfIoctl<C extends BpfCommand>(
  self: Process,
  fd: number,
  command: C,
  value: BpfIoctls[C]['in'],
  signal = self.signal,
): Promise<BpfIoctls[C]['out']> {
  // The stack answers each with what the table says.
  return (await devctl(self, fd, command, value, signal)) as BpfIoctls[C]['out'];
}

/** A signal that does not come, for what is still to be done after one that did. */
function uninterrupted(): AbortSignal {
  return new AbortController().signal;
}

/** Both buffers, one after the other. */
async function drain(self: Process, fd: number, bufferSize: number): Promise<BpfRecord[]> {
  const records: BpfRecord[] = [];
  const signal = uninterrupted();
  await bpfIoctl(self, fd, 'FIONBIO', true, signal);
  while ((await bpfIoctl(self, fd, 'FIONREAD', undefined, signal)) > 0)
    records.push(...bpfRecords(await read(self, fd, bufferSize, signal)));
  await bpfIoctl(self, fd, 'FIONBIO', false, signal);
  return records;
}

export interface BpfOptions {
  /** Frames for others as well. */
  readonly promiscuous?: boolean;
  /** Bytes of a buffer; default: net.bpf.bufsize. */
  readonly bufferSize?: number;
  /** Read time-out, ns; default: none. */
  readonly timeout?: number;
  /** Return from a read with the first packet. */
  readonly immediate?: boolean;
  readonly filter?: BpfProgram;
  /** The path of the device; default /dev/bpf. */
  readonly device?: string;
}

/** A device that listens on an interface. */
export interface BpfDevice {
  readonly fd: number;
  /** DLT_*. */
  readonly linkType: number;
  readonly bufferSize: number;
  /** Waits for packets; may return none when the read time-out has ended. */
  read(): Promise<BpfRecord[]>;
  /** What was captured so far, without waiting: also when the program has been interrupted. */
  drain(): Promise<BpfRecord[]>;
  /** Sends one packet with its link header. */
  write(packet: Uint8Array): Promise<void>;
  setFilter(program: BpfProgram): Promise<void>;
  /** Also when the program has been interrupted. */
  statistics(): Promise<BpfStatistics>;
  close(): Promise<void>;
}

/** A program that the stack would refuse. */
function checkFilter(program: BpfProgram): void {
  const wrong = program.length === 0 ? undefined : validateProgram(program);
  if (wrong === undefined) return;
  const error = new SystemError(ERRNO.EINVAL, 'filter program');
  error.message = `${error.message}: ${wrong}`;
  throw error;
}

/** Opens /dev/bpf on an interface. Throws SystemError: ENXIO if there is no such interface. */
export async function openBpf(self: Process, name: string, options: BpfOptions = {}): Promise<BpfDevice> {
  const { bufferSize: wanted, filter = [], timeout, immediate, promiscuous, device = '/dev/bpf' } = options;
  checkFilter(filter);
  const fd = await open(self, device, O_RDWR);
  const ioctl = <C extends BpfCommand>(command: C, value: BpfIoctls[C]['in']): Promise<BpfIoctls[C]['out']> =>
    bpfIoctl(self, fd, command, value);
  try {
    if (wanted !== undefined) await ioctl('BIOCSBLEN', wanted);
    if (immediate === true) await ioctl('BIOCIMMEDIATE', true);
    if (timeout !== undefined) await ioctl('BIOCSRTIMEOUT', timeout);
    // Before the interface, so that nothing comes in that the filter would not take.
    await ioctl('BIOCSETF', filter);
    await ioctl('BIOCSETIF', name);
    if (promiscuous === true) await ioctl('BIOCPROMISC', undefined);
    const linkType = await ioctl('BIOCGDLT', undefined);
    const bufferSize = await ioctl('BIOCGBLEN', undefined);
    return {
      fd,
      linkType,
      bufferSize,
      read: async () => bpfRecords(await read(self, fd, bufferSize)),
      write: (packet) => write(self, fd, packet),
      async setFilter(program) {
        checkFilter(program);
        await ioctl('BIOCSETF', program);
      },
      drain: () => drain(self, fd, bufferSize),
      statistics: () => bpfIoctl(self, fd, 'BIOCGSTATS', undefined, uninterrupted()),
      close: () => close(self, fd),
    };
  } catch (error) {
    await close(self, fd);
    throw error;
  }
}

// struct bpf_hdr.
const CAPLEN = 8;
const DATALEN = 12;
const HDRLEN = 16;
const HEADER = 18;

/** Takes apart what a read of /dev/bpf returned; stops at what is no whole record. */
export function bpfRecords(buffer: Uint8Array): BpfRecord[] {
  const view = Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const records: BpfRecord[] = [];
  for (let at = 0; at + HEADER <= view.length;) {
    const header = view.readUInt16LE(at + HDRLEN);
    const captured = view.readUInt32LE(at + CAPLEN);
    const end = at + header + captured;
    if (header < HEADER || end > view.length) break;
    records.push({
      seconds: view.readUInt32LE(at),
      microseconds: view.readUInt32LE(at + 4),
      length: view.readUInt32LE(at + DATALEN),
      bytes: view.subarray(at + header, end),
    });
    at = (end + 3) & ~3;
  }
  return records;
}
