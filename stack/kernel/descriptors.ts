/**
 * The descriptors of a process: files, sockets and connections (on Neutrino a file descriptor is a connection id) in one numbered table.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';

/** What a number in the table stands for; each kind has its own further members. */
export interface Descriptor {
  readonly kind: string;
  /** Gives up what it stands for; called once. */
  close(): Promise<void> | void;
}

export interface DescriptorTable {
  /** Enters a descriptor under the lowest free number from `base` up. */
  add(descriptor: Descriptor, base?: number): number;
  /** Throws EBADF when the number stands for nothing. */
  get(fd: number): Descriptor;
  /** Takes a descriptor out without closing it. Throws EBADF. */
  remove(fd: number): Descriptor;
  entries(): [fd: number, descriptor: Descriptor][];
  /** Closes all; failures of a single close do not keep the others open. */
  closeAll(): Promise<void>;
}

/** 0, 1 and 2 are the process's standard streams. */
const FIRST_FD = 3;

export function createDescriptorTable(): DescriptorTable {
  const table = new Map<number, Descriptor>();
  const find = (fd: number): Descriptor => {
    const descriptor = table.get(fd);
    if (descriptor === undefined) throw new SystemError(ERRNO.EBADF, `descriptor ${fd}`);
    return descriptor;
  };
  return {
    add(descriptor, base = FIRST_FD) {
      let fd = base;
      while (table.has(fd)) fd++;
      table.set(fd, descriptor);
      return fd;
    },
    get: find,
    remove(fd) {
      const descriptor = find(fd);
      table.delete(fd);
      return descriptor;
    },
    entries: () => [...table.entries()].sort(([a], [b]) => a - b),
    async closeAll() {
      const open = [...table.values()];
      table.clear();
      await Promise.allSettled(open.map((descriptor) => Promise.resolve().then(() => descriptor.close())));
    },
  };
}
