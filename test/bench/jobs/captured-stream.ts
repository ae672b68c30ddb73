/**
 * Bulk TCP while the link is captured to a pcapng file.
 */
import { openCaptureFiles } from '../../../main/lab/capture-file.ts';
import { stream } from './stream.ts';
import { startTwoNodes, transferRate } from './two-nodes.ts';
import type { LabMode, Timing } from './two-nodes.ts';

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
    const rate = (8 * (await transferRate(lab, options, stream))) / 1e9;
    const { packets, dropped } = files.finish()[0]!;
    return { rate, packets, dropped };
  } finally {
    await lab.stop();
  }
}
