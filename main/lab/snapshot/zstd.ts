/**
 * Zstandard (RFC 8878) by a WebAssembly build of the reference implementation. What is unpacked is bounded by what its reader expects, never by what it says of itself.
 */
import { compress, decompress, init } from '@bokuweb/zstd-wasm';

const LEVEL = 3;
const MAGIC = 0xfd2fb528;

export interface Zstd {
  compress(bytes: Uint8Array): Uint8Array;
  /** Unpacks one frame of exactly `size` bytes. Throws an Error that says what is wrong with it. */
  decompress(packed: Uint8Array, size: number): Uint8Array;
}

let ready: Promise<void> | undefined;

export async function loadZstd(): Promise<Zstd> {
  await (ready ??= init());
  return {
    compress: (bytes) => compress(bytes, LEVEL),
    decompress(packed, size) {
      if (contentSize(packed) !== size) throw new Error('its size is not what it should be');
      const bytes = decompress(packed);
      if (bytes.length !== size) throw new Error('it is incomplete');
      return bytes;
    },
  };
}

/** The size that a frame's header tells (RFC 8878 §3.1.1.1); undefined when it tells none, or is no header. */
function contentSize(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = frame[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const at = 5 + (singleSegment ? 0 : 1) + dictionary;
  const width = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  if (width === 0 || at + width > frame.length) return undefined;
  if (width === 1) return frame[at];
  if (width === 2) return view.getUint16(at, true) + 256;
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}
