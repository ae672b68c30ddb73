/**
 * Bulk TCP while the link is captured to a pcapng file.
 */
import { openCaptureFiles } from '../../../main/lab/capture-file.ts';
import { stream } from './stream.ts';
import { startTwoNodes } from './bench-lab.ts';
import type { LabMode } from './bench-lab.ts';
import { ALPHA_TO_BETA, transferRates } from './transfer.ts';
import type { Timing } from './transfer.ts';

export interface CapturedRate {
  /** Gbit/s. */
  readonly rate: number;
  readonly packets: number;
  /** Packets that the capture ring had no room for. */
  readonly dropped: number;
}

/** One run in a lab of its own, captured to `file`. */
export async function capturedStreamJob(
  options: LabMode & Timing & { readonly file: string },
): Promise<CapturedRate> {
  const lab = await startTwoNodes(options);
  try {
    const files = openCaptureFiles(lab.lab, [{ at: { kind: 'all' }, file: options.file }]);
    files.beginLinks(lab);
    const [bytes] = await transferRates(lab, options, stream, [ALPHA_TO_BETA]);
    const { packets, dropped } = files.finish()[0]!;
    return { rate: (8 * bytes!) / 1e9, packets, dropped };
  } finally {
    await lab.stop();
  }
}
