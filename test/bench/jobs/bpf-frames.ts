/**
 * Frames for the measurement of filters: TCP segments from one host to the port that is looked for, and to another, in turns.
 */
import { Buffer } from 'node:buffer';

const FRAME = 74;

/** `count` Ethernet frames with IPv4 and TCP headers. */
export function benchFrames(count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const frame = Buffer.alloc(FRAME);
    frame.set([2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0x08, 0x00]);
    frame.set([0x45, 0, 0, FRAME - 14, 0, i, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14);
    frame.writeUInt16BE(49_152 + i, 34);
    frame.writeUInt16BE(i % 2 === 0 ? 80 : 443, 36);
    frame.set([0x50, 0x10], 46);
    return frame;
  });
}
