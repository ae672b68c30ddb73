/**
 * The file of a snapshot, in little-endian order:
 *
 *     0   8   89 'S' 'S' 'N' 'P' 0D 0A 1A: no text, and damaged visibly by whoever treats it as one
 *     8   4   version of this format
 *    12   4   bytes of the packed header, and
 *    16   4   of the header itself
 *    20   4   zero
 *    24   8   bytes of the whole file
 *    32  32   SHA-256 of all that follows
 *    64       the header: JSON (header.ts), a Zstandard frame; then the runs of the memory image, a frame each
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { memoryBytes } from '../../../stack/memory/memory.ts';
import type { Run } from '../time/memory-state.ts';
import { headerSchema } from './header.ts';
import type { SnapshotHeader } from './header.ts';
import type { Zstd } from './zstd.ts';

const MAGIC = Uint8Array.of(0x89, 0x53, 0x53, 0x4e, 0x50, 0x0d, 0x0a, 0x1a);
const VERSION = 1;
const PREFIX = 64;
const DIGEST = 32;
/** Larger headers are nobody's: a lab file and a journal of many hours fit in easily. */
const MOST_HEADER_BYTES = 32 * 1024 * 1024;
/** Larger runs are not written. */
const MOST_RUN_BYTES = 1024 * 1024;

/** Why a file is no snapshot that can be used: a clause that follows its name. */
export class SnapshotError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'SnapshotError';
  }
}

export interface SnapshotFile {
  readonly header: SnapshotHeader;
  readonly image: readonly Run[];
}

/** Writes a snapshot. */
export function encodeSnapshot(
  header: Omit<SnapshotHeader, 'image'>,
  image: readonly Run[],
  zstd: Zstd,
): Uint8Array {
  const frames = image.map(({ bytes }) => zstd.compress(bytes));
  const runs = image.map(({ address, bytes }, i) => ({
    address,
    bytes: bytes.length,
    packed: frames[i]!.length,
  }));
  const plain = new TextEncoder().encode(JSON.stringify({ ...header, image: runs }));
  const packed = zstd.compress(plain);
  const body = Buffer.concat([packed, ...frames]);
  const prefix = Buffer.alloc(PREFIX);
  prefix.set(MAGIC);
  prefix.writeUInt32LE(VERSION, 8);
  prefix.writeUInt32LE(packed.length, 12);
  prefix.writeUInt32LE(plain.length, 16);
  prefix.writeBigUInt64LE(BigInt(PREFIX + body.length), 24);
  prefix.set(createHash('sha256').update(body).digest(), PREFIX - DIGEST);
  return Buffer.concat([prefix, body]);
}

/** Reads a snapshot. Throws SnapshotError for whatever else the bytes are. */
export function decodeSnapshot(bytes: Uint8Array, zstd: Zstd): SnapshotFile {
  const { packedHeader, headerBytes } = checkWhole(bytes);
  const header = readHeader(bytes.subarray(PREFIX, PREFIX + packedHeader), headerBytes, zstd);
  checkRuns(header.image);
  const image: Run[] = [];
  let at = PREFIX + packedHeader;
  for (const run of header.image) {
    const packed = bytes.subarray(at, at + run.packed);
    if (packed.length < run.packed) throw damaged('its memory image');
    image.push({ address: run.address, bytes: unpack(packed, run.bytes, zstd, 'its memory image') });
    at += run.packed;
  }
  if (at !== bytes.length) throw damaged('its memory image');
  return { header, image };
}

/** Runs lie in the memory, one after the other: so all that is unpacked is never more than the memory. */
function checkRuns(runs: SnapshotHeader['image']): void {
  let end = 0;
  for (const { address, bytes } of runs) {
    const next = address + bytes;
    if (address < end || bytes > MOST_RUN_BYTES || next > memoryBytes) throw damaged('its memory image');
    end = next;
  }
}

/** The journal is in order and ends before the snapshot's place. */
function checkOrder({ history, place }: SnapshotHeader): void {
  let before = { events: 0, time: 0 };
  for (const at of [...history.journal.map((entry) => entry.at), place]) {
    if (at.events < before.events || at.time < before.time) throw damaged('the order of its journal');
    before = at;
  }
}

function damaged(what: string): SnapshotError {
  return new SnapshotError(`is damaged: ${what} makes no sense`);
}

/** Checks the prefix and the digest of the rest. */
function checkWhole(bytes: Uint8Array): { packedHeader: number; headerBytes: number } {
  const start = bytes.subarray(0, MAGIC.length);
  if (start.length === 0 || start.some((byte, i) => byte !== MAGIC[i]))
    throw new SnapshotError('is not a snapshot');
  if (bytes.length < PREFIX) throw new SnapshotError(`is cut off after ${bytes.length} bytes`);
  const prefix = Buffer.from(bytes.buffer, bytes.byteOffset, PREFIX);
  const version = prefix.readUInt32LE(8);
  if (version !== VERSION) {
    throw new SnapshotError(`is of format ${version}; this program reads format ${VERSION}`);
  }
  const size = prefix.readBigUInt64LE(24);
  if (size > bytes.length) throw new SnapshotError(`is cut off after ${bytes.length} of ${size} bytes`);
  if (size < bytes.length)
    throw new SnapshotError(`is damaged: it is longer than the ${size} bytes it should have`);
  const digest = createHash('sha256').update(bytes.subarray(PREFIX)).digest();
  if (!digest.equals(prefix.subarray(PREFIX - DIGEST))) {
    throw new SnapshotError('is damaged: its contents do not fit its digest');
  }
  const [packedHeader, headerBytes] = [prefix.readUInt32LE(12), prefix.readUInt32LE(16)];
  if (packedHeader > bytes.length - PREFIX || headerBytes > MOST_HEADER_BYTES) throw damaged('its header');
  return { packedHeader, headerBytes };
}

function unpack(packed: Uint8Array, size: number, zstd: Zstd, what: string): Uint8Array {
  try {
    return zstd.decompress(packed, size);
  } catch {
    throw damaged(what);
  }
}

function readHeader(packed: Uint8Array, size: number, zstd: Zstd): SnapshotHeader {
  const plain = unpack(packed, size, zstd, 'its header');
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plain));
  } catch {
    throw damaged('its header');
  }
  const parsed = v.safeParse(headerSchema, json);
  if (parsed.success) {
    checkOrder(parsed.output);
    return parsed.output;
  }
  const [issue] = parsed.issues;
  throw new SnapshotError(`is damaged: its header: ${v.getDotPath(issue) ?? ''}: ${issue.message}`);
}
