/**
 * The Internet checksum (RFC 1071) over the one memory: sums in host word order, so that a complemented sum is stored with a plain
 * 16-bit store and reads in network order. Long ranges go through the WASM kernel, short ones through JavaScript.
 */
import { memory, u16 as sharedU16, u8 as sharedU8 } from './memory.ts';
import { mbuf } from './mbuf.ts';
import { instantiateKernels } from './wasm/kernels.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u16 = sharedU16;
const u8 = sharedU8;

/** This thread's instance of the WASM kernels. */
export const kernels = instantiateKernels(memory);
const kernelSum = kernels.checksum;
/** Shorter than this, the call costs more than the kernel saves. */
const KERNEL_MIN = 16;

/** Adds carries back in until 16 bits are left. */
export function foldSum(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

function swapBytes(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** Sum (folded, not complemented) of `len` bytes at `p`, `p` counted as an even place of the data. */
export function sumBytes(p: number, len: number): number {
  if (len >= KERNEL_MIN) return kernelSum(p, len);
  let sum = 0;
  const even = len & ~1;
  if ((p & 1) === 0) for (let i = 0; i < even; i += 2) sum += u16[(p + i) >>> 1]!;
  else for (let i = 0; i < even; i += 2) sum += u8[p + i]! | (u8[p + i + 1]! << 8);
  if ((len & 1) !== 0) sum += u8[p + even]!;
  return foldSum(sum);
}

/** Sum (folded, not complemented) of `len` bytes from offset `off` of a packet, added to `sum`. */
export function sumChain(m: number, off: number, len: number, sum: number): number {
  let view = mbuf(m);
  while (off >= view.len && view.next !== 0) {
    off -= view.len;
    view = mbuf(view.next);
  }
  let odd = false;
  while (len > 0) {
    const n = Math.min(view.len - off, len);
    const part = sumBytes(view.data + off, n);
    sum += odd ? swapBytes(part) : part;
    if ((n & 1) !== 0) odd = !odd;
    len -= n;
    off = 0;
    if (len > 0) {
      if (view.next === 0) break;
      view = mbuf(view.next);
    }
  }
  return foldSum(sum);
}

/** Sum of the pseudo header of TCP and UDP over IPv4 (RFC 793 §3.1): addresses at `p` (source, destination: 8 bytes), protocol, length. */
export function pseudoSum(p: number, protocol: number, length: number): number {
  const sum =
    (u8[p]! | (u8[p + 1]! << 8)) +
    (u8[p + 2]! | (u8[p + 3]! << 8)) +
    (u8[p + 4]! | (u8[p + 5]! << 8)) +
    (u8[p + 6]! | (u8[p + 7]! << 8)) +
    (protocol << 8) +
    ((length >>> 8) | ((length & 0xff) << 8));
  return foldSum(sum);
}

/** Stores the complement of a sum at `p` (any alignment): the bytes read in network order there. */
export function putChecksum(p: number, sum: number): void {
  const value = ~sum & 0xffff;
  u8[p] = value;
  u8[p + 1] = value >>> 8;
}
