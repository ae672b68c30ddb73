/**
 * The system calls that Node has no function for, through koffi: poll(2), readv(2), write(2), writev(2), ioctl(2), eventfd(2), socket(2). Addresses are
 * passed as plain numbers, so that the kernel reads and writes the one memory itself: its base is asked for once. Loaded on Linux only, by the opener
 * and by a TAP's own thread.
 */
import koffi from 'koffi';
import { u32, u8 } from '../../stack/memory/memory.ts';

const libc = koffi.load(null);

/** All return -1 with the reason in errno(). */
export const poll: (descriptors: number, count: number, timeoutMs: number) => number = libc.func(
  'poll',
  'int',
  ['uintptr_t', 'unsigned long', 'int'],
);
export const readv: (descriptor: number, parts: number, count: number) => number = libc.func(
  'readv',
  'long',
  ['int', 'uintptr_t', 'int'],
);
export const write: (descriptor: number, address: number, bytes: number) => number = libc.func(
  'write',
  'long',
  ['int', 'uintptr_t', 'unsigned long'],
);
export const writev: (descriptor: number, parts: number, count: number) => number = libc.func(
  'writev',
  'long',
  ['int', 'uintptr_t', 'int'],
);
export const ioctl: (descriptor: number, request: number, argument: Uint8Array) => number = libc.func(
  'ioctl',
  'int',
  ['int', 'unsigned long', 'void *'],
);
export const eventfd: (initial: number, flags: number) => number = libc.func('eventfd', 'int', [
  'unsigned int',
  'int',
]);
export const socket: (domain: number, type: number, protocol: number) => number = libc.func('socket', 'int', [
  'int',
  'int',
  'int',
]);

/** The reason why the last call of this thread failed. */
export function errno(): number {
  return koffi.errno();
}

/** errno(3) of Linux, as far as a TAP meets them. */
export const LINUX_ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  ENODEV: 19,
  EINVAL: 22,
  EBADFD: 77,
  EADDRNOTAVAIL: 99,
} as const;

/** Address of the one memory in this process. The pages of a WebAssembly memory never move, and addresses stay below 2^53. */
export const memoryBase = Number(koffi.address(u8));

/** Writes the struct iovec at `p`: `bytes` bytes at address `at` of the one memory. */
export function putIovec(p: number, at: number, bytes: number): void {
  const address = memoryBase + at;
  const word = p >>> 2;
  u32[word] = address;
  u32[word + 1] = address / 0x1_0000_0000;
  u32[word + 2] = bytes;
  u32[word + 3] = 0;
}
