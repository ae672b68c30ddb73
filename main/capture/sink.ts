/**
 * Where capture writers put their bytes: a batch buffer that is filled in place and emptied with synchronous writes,
 * so that a capture costs the data path one copy and no promise per packet.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

/** Takes bytes that are valid only during the call. */
export type ByteOutput = (bytes: Uint8Array) => void;

const BATCH_LENGTH = 256 * 1024;

export class BatchSink {
  /** The batch; valid until the next `reserve`. */
  view: DataView;
  bytes: Uint8Array;
  private used = 0;

  /**
   * @param output where full batches go.
   * @param onClose called once by `close`, after the last batch.
   */
  constructor(
    private readonly output: ByteOutput,
    private readonly onClose: () => void = () => undefined,
    batchLength = BATCH_LENGTH,
  ) {
    this.bytes = new Uint8Array(batchLength);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `length` bytes, which the caller fills in. @returns where in `bytes` they start. */
  reserve(length: number): number {
    if (this.used + length > this.bytes.length) this.flush();
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(length);
      this.view = new DataView(this.bytes.buffer);
    }
    const at = this.used;
    this.used += length;
    return at;
  }

  /** Hands on everything written so far. */
  flush(): void {
    if (this.used === 0) return;
    const length = this.used;
    this.used = 0;
    this.output(this.bytes.subarray(0, length));
  }

  close(): void {
    this.flush();
    this.onClose();
  }
}

/**
 * A sink that writes to a file.
 *
 * @param target a path, which is created or emptied and closed in the end, or a descriptor, which stays open.
 * @throws the operating system's error if the path cannot be opened; writing throws it too (ENOSPC, EPIPE ...).
 */
export function fileSink(target: string | number): BatchSink {
  const fd = typeof target === 'number' ? target : openSync(target, 'w');
  const output: ByteOutput = (bytes) => {
    let at = 0;
    while (at < bytes.length) at += writeSync(fd, bytes, at, bytes.length - at);
  };
  return new BatchSink(output, () => {
    if (typeof target === 'string') closeSync(fd);
  });
}

/** A sink that keeps everything in memory. */
export function memorySink(): { readonly sink: BatchSink; contents(): Uint8Array } {
  const parts: Uint8Array[] = [];
  const sink = new BatchSink((bytes) => parts.push(bytes.slice()));
  return {
    sink,
    contents: () => {
      sink.flush();
      return new Uint8Array(Buffer.concat(parts));
    },
  };
}
