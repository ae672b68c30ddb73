/**
 * Bulk TCP while the link is captured to a pcapng file.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** One run in a lab of its own. The file is removed. */
export async function capturedStreamJob(options: LabMode & Timing): Promise<CapturedRate> {
  const folder = mkdtempSync(join(tmpdir(), 'stackscope-bench-'));
  const lab = await startTwoNodes(options);
  try {
    const files = openCaptureFiles(lab.lab, [{ at: { kind: 'all' }, file: join(folder, 'bench.pcapng') }]);
    files.beginLinks(lab);
    const rate = (8 * (await transferRate(lab, options, stream))) / 1e9;
    const { packets, dropped } = files.finish()[0]!;
    return { rate, packets, dropped };
  } finally {
    await lab.stop();
    rmSync(folder, { recursive: true });
  }
}
