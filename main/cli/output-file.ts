/** Where a verb writes a capture: under another name first, so that a failure leaves an old file as it was, and in the format that the name asks for. */
import { renameSync, rmSync, statSync } from 'node:fs';
import type { OutputFormat } from '../capture/convert.ts';
import { fileSink } from '../capture/sink.ts';
import type { BatchSink } from '../capture/sink.ts';

/** The format that the extension of a file name asks for. */
export function formatOfName(path: string): OutputFormat {
  return path.toLowerCase().endsWith('ng') ? 'pcapng' : 'pcap';
}

/** Whether two names are one file. */
export function isSameFile(input: string, output: string): boolean {
  const target = statSync(output, { throwIfNoEntry: false });
  const source = statSync(input);
  return target?.ino === source.ino && target.dev === source.dev;
}

/** Writes a file; it appears under its name only when `write` has succeeded. */
export async function writeOutput(output: string, write: (sink: BatchSink) => Promise<void>): Promise<void> {
  const target = writableTarget(output);
  try {
    const sink = fileSink(target);
    await write(sink);
    sink.close();
    if (target !== output) renameSync(target, output);
  } catch (error) {
    if (target !== output) rmSync(target, { force: true });
    throw error;
  }
}

/** Pipes and devices are written as they are. */
function writableTarget(output: string): string {
  const existing = statSync(output, { throwIfNoEntry: false });
  return existing === undefined || existing.isFile() ? `${output}.part` : output;
}
