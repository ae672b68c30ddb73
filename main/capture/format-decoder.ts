/** What the decoders of the file formats have in common. */
import type { CaptureRecord } from './packet.ts';

/** One file format; it reads from the buffer it was constructed with. */
export interface FormatDecoder {
  /** True once nothing that follows can be read. */
  readonly finished: boolean;
  /** Everything that is complete so far. */
  decodeAvailable(): Generator<CaptureRecord>;
  /** What there is to say at the end of the file. */
  end(): Generator<CaptureRecord>;
}
