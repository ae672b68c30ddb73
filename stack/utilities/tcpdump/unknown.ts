/**
 * The bytes of what has no printer.
 */
import { hexAndAsciiLines } from './hexdump.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

/** Prints bytes, unless those of the whole packet are shown anyway. */
export function printUnknown(p: Printer, payload: View): void {
  if (!p.style.ownBytes) p.print(hexAndAsciiLines(payload.bytes));
}
