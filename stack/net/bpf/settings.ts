/**
 * What the ioctls of /dev/bpf change: the interface that a descriptor listens on, its filter, its buffers (bpfioctl, bpf_setif). In the stack context.
 */
import { lock, unlock } from '../../memory/lock.ts';
import { u32 } from '../../memory/memory.ts';
import type { BpfProgram } from '../../filter/bpf/instruction.ts';
import { validateProgram } from '../../filter/bpf/validate.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { ifPromisc, ifnetStruct, ifnets } from '../ifnet.ts';
import type { Ifnet } from '../ifnet.ts';
import { cancelCallout, sysctlValue } from '../stack.ts';
import { SYSCTL } from '../sysctl.ts';
import { buryTap, taps } from '../tap.ts';
import { BPFD_LOCK, POLL_IDLE, bpfds, resetDescriptor } from './descriptor.ts';
import type { Bpfd } from './descriptor.ts';
import { freeProgram, newProgram } from './program.ts';

/** Least bytes of a buffer. */
const BPF_MINBUFSIZE = 32;
const TAPS = ifnetStruct.offsets.taps;

/** Does something while no thread shows the descriptor packets. */
export function whileLocked<T>(d: Bpfd, work: () => T): T {
  lock(d.ptr + BPFD_LOCK);
  try {
    return work();
  } finally {
    unlock(d.ptr + BPFD_LOCK);
  }
}

/** The interface that a descriptor listens on. Throws EINVAL if there is none, ENXIO if that is gone. */
export function boundInterface(d: Bpfd): Ifnet {
  if (d.orphan !== 0) throw new SystemError(ERRNO.ENXIO, 'the interface was destroyed');
  if (d.interface === 0) throw new SystemError(ERRNO.EINVAL, 'no interface was chosen (BIOCSETIF)');
  return ifnets.get(d.interface);
}

/** BIOCSETIF: listens on an interface from now on; what was captured before is dropped. Throws ENOBUFS. */
export function bindDescriptor(d: Bpfd, ifp: Ifnet): void {
  if (d.interface !== ifp.ptr) {
    const tap = taps.alloc();
    if (tap === 0) throw new SystemError(ERRNO.ENOBUFS, 'capture points');
    unbindDescriptor(d);
    d.dlt = ifp.dlt;
    d.orphan = 0;
    d.tap = tap;
    d.interface = ifp.ptr;
    const point = taps.get(tap);
    point.bpf = d.ptr;
    point.next = ifp.taps;
    // Threads that have packets of the interface in hand see it from here on.
    Atomics.store(u32, (ifp.ptr + TAPS) >>> 2, tap);
  }
  flushDescriptor(d);
}

/** Listens nowhere any more. */
export function unbindDescriptor(d: Bpfd): void {
  if (d.interface === 0) return;
  const ifp = ifnets.get(d.interface);
  if (d.promiscuous !== 0) ifPromisc(ifp, false);
  d.promiscuous = 0;
  whileLocked(d, () => (d.interface = 0));
  unlinkTap(ifp, d.tap);
  buryTap(d.tap);
  d.tap = 0;
  if (d.polling !== POLL_IDLE) cancelCallout(d.stack, d.timer);
  d.polling = POLL_IDLE;
}

function unlinkTap(ifp: Ifnet, tap: number): void {
  const { next } = taps.get(tap);
  if (ifp.taps === tap) {
    ifp.taps = next;
    return;
  }
  let at = taps.get(ifp.taps);
  while (at.next !== tap) at = taps.get(at.next);
  at.next = next;
}

/** Calls back for every descriptor that listens on an interface. */
export function eachListener(ifp: Ifnet, visit: (d: Bpfd) => void): void {
  for (let ptr = ifp.taps; ptr !== 0;) {
    const { bpf, next } = taps.get(ptr);
    ptr = next;
    if (bpf !== 0) visit(bpfds.get(bpf));
  }
}

/** BIOCFLUSH. */
export function flushDescriptor(d: Bpfd): void {
  whileLocked(d, () => resetDescriptor(d));
}

/** BIOCSETF; the empty program takes the filter away. Throws EINVAL with what is wrong, ENOBUFS. */
export function setDescriptorFilter(d: Bpfd, program: BpfProgram): void {
  const wrong = program.length === 0 ? undefined : validateProgram(program);
  if (wrong !== undefined) throw new SystemError(ERRNO.EINVAL, wrong);
  const made = program.length === 0 ? 0 : newProgram(program);
  if (made === 0 && program.length > 0) throw new SystemError(ERRNO.ENOBUFS, 'filter programs');
  const before = d.program;
  whileLocked(d, () => {
    d.program = made;
    resetDescriptor(d);
  });
  freeProgram(before);
}

/** BIOCSBLEN. */
export function setBufferSize(d: Bpfd, bytes: number): number {
  if (d.interface !== 0) throw new SystemError(ERRNO.EINVAL, 'the buffer size is set before the interface');
  const most = sysctlValue(d.stack, SYSCTL.bpfMaxBufferSize);
  d.bufferSize = Math.min(Math.max(Math.trunc(bytes), BPF_MINBUFSIZE), most);
  return d.bufferSize;
}

/** BIOCPROMISC: until every descriptor that asked for it is closed. Throws SystemError. */
export function setPromiscuous(d: Bpfd): void {
  const ifp = boundInterface(d);
  if (d.promiscuous !== 0) return;
  const status = ifPromisc(ifp, true);
  if (status !== 0) throw new SystemError(status, 'promiscuous mode');
  d.promiscuous = 1;
}
