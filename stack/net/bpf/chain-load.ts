/**
 * Loads from packets that are chains of mbufs, where the bytes may lie in different buffers: the slow road of all engines. The packet must have the bytes.
 */
import { u8 } from '../../memory/memory.ts';
import { mbuf } from '../../memory/mbuf.ts';

/** The byte at `offset`. */
export function chainByte(m: number, offset: number): number {
  let view = mbuf(m);
  while (offset >= view.len) {
    offset -= view.len;
    view = mbuf(view.next);
  }
  return u8[view.data + offset]!;
}

/** The 16-bit number at `offset`, in network byte order. */
export function chainHalf(m: number, offset: number): number {
  return (chainByte(m, offset) << 8) | chainByte(m, offset + 1);
}

/** The 32-bit number at `offset`, in network byte order, unsigned. */
export function chainWord(m: number, offset: number): number {
  return ((chainHalf(m, offset) << 16) | chainHalf(m, offset + 2)) >>> 0;
}
