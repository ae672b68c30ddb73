/**
 * Control calls about /dev/bpf: its ioctls, and the list of who listens that netstat -B shows.
 */
import { getText } from '../memory/memory.ts';
import type { BpfIoctls, BpfStackCommand } from '../runtime/messages/bpf.ts';
import type { BpfInfo } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { PROTOCOL_BPF } from '../runtime/messages/request.ts';
import { bpfds } from '../net/bpf/descriptor.ts';
import type { Bpfd } from '../net/bpf/descriptor.ts';
import { chosenEngine } from '../net/bpf/engine.ts';
import { bpfPrograms } from '../net/bpf/program.ts';
import {
  bindDescriptor,
  boundInterface,
  flushDescriptor,
  setBufferSize,
  setDescriptorFilter,
  setPromiscuous,
  whileLocked,
} from '../net/bpf/settings.ts';
import { IFNAME_BYTES, ifaddrs, ifnets, interfaceName } from '../net/ifnet.ts';
import { sockets } from '../net/socket.ts';
import { sysctlValue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { addressText } from '../netinet/ip.ts';
import { interfaceNamed } from './controls.ts';
import type { Controls } from './controls.ts';

/** Version of the filter language. */
const BPF_VERSION = { major: 1, minor: 1 } as const;
const MOST_SIGNAL = 56;

type Handlers = {
  [C in BpfStackCommand]: (d: Bpfd, value: BpfIoctls[C]['in'], stack: Stack) => BpfIoctls[C]['out'];
};

function expectNumber(value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new SystemError(ERRNO.EINVAL, `${String(value)} is not a number from ${min} to ${max}`);
}

function setLinkType(d: Bpfd, dlt: number): void {
  boundInterface(d);
  if (dlt !== d.dlt) throw new SystemError(ERRNO.EINVAL, `link type ${dlt}: the interface has ${d.dlt}`);
}

function firstAddress(d: Bpfd): string {
  const { addresses } = boundInterface(d);
  if (addresses === 0) throw new SystemError(ERRNO.EADDRNOTAVAIL, interfaceName(boundInterface(d)));
  return addressText(ifaddrs.get(addresses).address);
}

const HANDLERS: Handlers = {
  BIOCGBLEN: (d) => d.bufferSize,
  BIOCSBLEN: (d, bytes) => setBufferSize(d, expectNumber(bytes, 0, 0xffff_ffff)),
  BIOCSETF: (d, program) => void setDescriptorFilter(d, program),
  BIOCFLUSH: (d) => void flushDescriptor(d),
  BIOCPROMISC: (d) => void setPromiscuous(d),
  BIOCGDLT(d) {
    boundInterface(d);
    return d.dlt;
  },
  BIOCGDLTLIST(d) {
    boundInterface(d);
    return [d.dlt];
  },
  BIOCSDLT: (d, dlt) => void setLinkType(d, dlt),
  BIOCGETIF: (d) => interfaceName(boundInterface(d)),
  BIOCSETIF: (d, name, stack) => void bindDescriptor(d, interfaceNamed(stack, name)),
  BIOCSRTIMEOUT: (d, ns) => void (d.timeout = expectNumber(ns, 0, Number.MAX_SAFE_INTEGER)),
  BIOCGRTIMEOUT: (d) => d.timeout,
  BIOCGSTATS: ({ received, dropped, captured }) => ({ received, dropped, captured }),
  BIOCIMMEDIATE: (d, on) => void (d.immediate = Number(on)),
  BIOCVERSION: () => BPF_VERSION,
  BIOCGHDRCMPLT: (d) => d.headerComplete !== 0,
  BIOCSHDRCMPLT: (d, on) => void (d.headerComplete = Number(on)),
  BIOCGSEESENT: (d) => d.seesSent !== 0,
  BIOCSSEESENT: (d, on) => void (d.seesSent = Number(on)),
  BIOCSRSIG: (d, signal) => void (d.signal = expectNumber(signal, 1, MOST_SIGNAL)),
  BIOCGRSIG: (d) => d.signal,
  FIONREAD: (d) => whileLocked(d, () => d.holdLen + d.storeLen),
  SIOCGIFADDR: firstAddress,
};

/** The descriptor that a handle of a client stands for; EBADF if it is none of this stack's. */
function descriptorOf(stack: Stack, handle: number): Bpfd {
  const so = sockets.get(handle);
  if (so.stack !== stack.ptr || so.protocol !== PROTOCOL_BPF || so.pcb === 0)
    throw new SystemError(ERRNO.EBADF, 'bpf');
  return bpfds.get(so.pcb);
}

function infoOf(d: Bpfd): BpfInfo {
  const { pid, received, dropped, captured, bufferSize, storeLen, holdLen } = d;
  const instructions = d.program === 0 ? 0 : bpfPrograms.get(d.program).length;
  return {
    pid,
    ...(d.interface !== 0 && { interface: getText(ifnets.get(d.interface).name, IFNAME_BYTES) }),
    promiscuous: d.promiscuous !== 0,
    immediate: d.immediate !== 0,
    headerComplete: d.headerComplete !== 0,
    seesSent: d.seesSent !== 0,
    received,
    dropped,
    captured,
    bufferSize,
    stored: storeLen,
    held: holdLen,
    instructions,
    ...(instructions > 0 && { engine: chosenEngine(sysctlValue(d.stack, SYSCTL.bpfEngine)) }),
  };
}

export const bpfControls: Pick<Controls, 'BPF_IOCTL' | 'BPF_LIST'> = {
  BPF_IOCTL(stack, { handle, command, value }) {
    const run = HANDLERS[command] as ((d: Bpfd, value: unknown, stack: Stack) => unknown) | undefined;
    if (run === undefined) throw new SystemError(ERRNO.ENOTTY, command);
    return { value: run(descriptorOf(stack, handle), value, stack) };
  },
  BPF_LIST(stack) {
    const list: BpfInfo[] = [];
    for (let ptr = stack.bpfDescriptors; ptr !== 0; ptr = bpfds.get(ptr).next)
      list.push(infoOf(bpfds.get(ptr)));
    return list.reverse();
  },
};
