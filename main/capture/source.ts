/**
 * Where capture bytes come from: a file path or bytes at hand, gzip (RFC 1952) unwrapped on the way. Memory stays
 * bounded: small pieces are inflated one after another, and the total may be limited.
 */
import { open } from 'node:fs/promises';
import { constants, createGunzip } from 'node:zlib';
import type { Gunzip } from 'node:zlib';
import type { CaptureProblem } from './packet.ts';

/** A path, or the bytes of a file. */
export type CaptureSource = string | Uint8Array;

const FILE_CHUNK = 256 * 1024;
/** Deflate expands at most about 1032 times, so one piece inflates to at most 17 MB. */
const COMPRESSED_CHUNK = 16 * 1024;
/** When the compressed data turns out damaged, zlib keeps the last piece of output to itself: so pieces are small. */
const INFLATED_CHUNK = 4 * 1024;

/**
 * The decompressed bytes of a capture, in pieces that may be kept; a problem takes the place of bytes that cannot be
 * had and is always the last element.
 *
 * @param maximumBytes decompressed bytes after which reading stops with a problem.
 */
export async function* captureChunks(
  source: CaptureSource,
  maximumBytes: number,
): AsyncGenerator<Uint8Array | CaptureProblem> {
  let offset = 0;
  for await (const chunk of decompressed(typeof source === 'string' ? fileChunks(source) : pieces(source))) {
    if (!(chunk instanceof Uint8Array)) {
      yield { ...chunk, offset };
      return;
    }
    offset += chunk.length;
    if (offset > maximumBytes) {
      const message = `the capture is larger than ${maximumBytes} bytes; only its beginning was read`;
      yield { code: 'limit', offset: maximumBytes, message };
      return;
    }
    yield plainBytes(chunk);
  }
}

/** Not a Buffer, whose `slice` would not copy: packets inherit the type of the pieces they are cut from. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

type Failure = Omit<CaptureProblem, 'offset'>;
type Chunks = AsyncGenerator<Uint8Array | Failure>;

async function* pieces(bytes: Uint8Array): Chunks {
  yield bytes;
}

async function* fileChunks(path: string): Chunks {
  try {
    const file = await open(path, 'r');
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(new Uint8Array(FILE_CHUNK), 0, FILE_CHUNK);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    yield { code: 'unreadable', message: `cannot read the file: ${messageOf(error)}` };
  }
}

async function* decompressed(chunks: Chunks): Chunks {
  let gunzip: Inflater | undefined;
  let first = true;
  try {
    for await (const chunk of chunks) {
      if (!(chunk instanceof Uint8Array)) {
        yield chunk;
        return;
      }
      if (first && chunk[0] === 0x1f && chunk[1] === 0x8b) gunzip = new Inflater();
      first = false;
      if (gunzip === undefined) yield chunk;
      else yield* gunzip.inflate(chunk);
      if (gunzip?.failure !== undefined) break;
    }
    if (gunzip === undefined) return;
    yield* gunzip.finish();
    if (gunzip.failure !== undefined) yield gunzip.failure;
  } finally {
    gunzip?.close();
  }
}

/** zlib's stream, driven piece by piece so that what was inflated before an error is not lost. */
class Inflater {
  failure: Failure | undefined;
  private readonly stream: Gunzip = createGunzip({ chunkSize: INFLATED_CHUNK });
  private output: Uint8Array[] = [];

  constructor() {
    this.stream.on('data', (chunk: Uint8Array) => this.output.push(chunk));
    this.stream.on('error', (error: NodeJS.ErrnoException & { errno?: number }) => {
      const cut = error.errno === constants.Z_BUF_ERROR;
      this.failure = cut
        ? { code: 'truncated', message: 'the compressed data ends too early' }
        : { code: 'malformed', message: `the compressed data is damaged: ${error.message}` };
    });
  }

  async *inflate(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < chunk.length && this.failure === undefined; at += COMPRESSED_CHUNK) {
      const piece = chunk.subarray(at, at + COMPRESSED_CHUNK);
      await this.settled((done) => this.stream.write(piece, done));
      yield* this.take();
    }
  }

  async *finish(): AsyncGenerator<Uint8Array> {
    if (this.failure === undefined) {
      await this.settled((done) => this.stream.once('end', done).end());
    }
    yield* this.take();
  }

  close(): void {
    this.stream.destroy();
  }

  /** Waits until `start` reports that it is done, or until the stream gives up: then it reports nothing. */
  private async settled(start: (done: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.stream.off('close', done);
        resolve();
      };
      this.stream.once('close', done);
      start(done);
    });
  }

  private take(): Uint8Array[] {
    const taken = this.output;
    this.output = [];
    return taken;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
